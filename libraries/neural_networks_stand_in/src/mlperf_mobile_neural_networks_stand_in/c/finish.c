/* Finishing a model: every operand has its value from somewhere, operations are put in order, dimensions are checked. */
#include <stdlib.h>
#include <string.h>

#include "nn.h"

static int check_sources(const Model *model)
{
    for (uint32_t i = 0; i < model->node_count; i++) {
        const Node *node = &model->nodes[i];
        for (uint32_t j = 0; j < node->inputs; j++) {
            const Operand *operand = &model->operands[node->indices[j]];
            if (!operand->has_value && !operand->is_input && !operand->produced && !operand->omitted)
                return nn_fail(NN_BAD_DATA, "operand %u, input %u of operation %u (%s), has no value and is no model input",
                               node->indices[j], j, i, nn_operation_name(node->code));
            if (operand->t.type == NN_TENSOR_QUANT8_SYMM_PER_CHANNEL && !operand->t.scales)
                return nn_fail(NN_BAD_DATA, "operand %u has no per channel scales", node->indices[j]);
        }
    }
    for (uint32_t i = 0; i < model->output_count; i++)
        if (!model->operands[model->outputs[i]].produced)
            return nn_fail(NN_BAD_DATA, "no operation computes model output %u", model->outputs[i]);
    return NN_NO_ERROR;
}

/* Operations may be added in any order; they run in an order in which every input is ready. */
static int sort(Model *model)
{
    uint32_t *missing = nn_alloc(model->node_count * sizeof *missing);
    uint32_t *first = nn_alloc(((size_t)model->operand_count + 1) * sizeof *first);
    for (uint32_t i = 0; i < model->node_count; i++)
        for (uint32_t j = 0; j < model->nodes[i].inputs; j++) {
            uint32_t operand = model->nodes[i].indices[j];
            if (model->operands[operand].produced) missing[i]++, first[operand + 1]++;
        }
    for (uint32_t i = 0; i < model->operand_count; i++) first[i + 1] += first[i];
    uint32_t total = first[model->operand_count], *next = nn_alloc(((size_t)model->operand_count + 1) * sizeof *next);
    uint32_t *readers = nn_alloc(total * sizeof *readers);
    memcpy(next, first, (size_t)model->operand_count * sizeof *next);
    for (uint32_t i = 0; i < model->node_count; i++)
        for (uint32_t j = 0; j < model->nodes[i].inputs; j++) {
            uint32_t operand = model->nodes[i].indices[j];
            if (model->operands[operand].produced) readers[next[operand]++] = i;
        }
    model->order = nn_alloc(model->node_count * sizeof *model->order);
    uint32_t ready = 0, done = 0;
    for (uint32_t i = 0; i < model->node_count; i++)
        if (!missing[i]) model->order[ready++] = i;
    for (; done < ready; done++) {
        const Node *node = &model->nodes[model->order[done]];
        for (uint32_t j = 0; j < node->outputs; j++) {
            uint32_t operand = node->indices[node->inputs + j];
            for (uint32_t k = first[operand]; k < first[operand + 1]; k++)
                if (--missing[readers[k]] == 0) model->order[ready++] = readers[k];
        }
    }
    bool all = ready == model->node_count;
    free(missing);
    free(first);
    free(next);
    free(readers);
    return all ? NN_NO_ERROR : nn_fail(NN_BAD_DATA, "the operations form a cycle");
}

static int infer_node(Model *model, Node *node)
{
    const Operation *operation = nn_operation(node->code);
    if (!operation) return NN_OP_FAILED;
    for (uint32_t i = 0; i < node->inputs; i++)
        if (model->operands[node->indices[i]].omitted) return NN_OP_FAILED;
    uint32_t all = node->inputs + node->outputs;
    Tensor *views = nn_alloc(all * sizeof *views), **slots = nn_alloc(all * sizeof *slots);
    for (uint32_t i = 0; i < all; i++) {
        Operand *operand = &model->operands[node->indices[i]];
        views[i] = operand->t;
        views[i].data = operand->has_value ? (void *)(operand->value ? operand->value : operand->copy) : NULL;
        slots[i] = &views[i];
    }
    Call call = {.code = node->code, .in = (const Tensor **)slots, .out = slots + node->inputs, .inputs = node->inputs,
                 .outputs = node->outputs, .own_scale = model->neuron};
    int status = nn_match(operation, call.in, call.inputs, (const Tensor *const *)call.out, call.outputs, &call.form);
    if (!status) status = nn_infer(operation, &call);
    for (uint32_t i = node->inputs; !status && i < all; i++) model->operands[node->indices[i]].t = views[i];
    free(views);
    free(slots);
    return status;
}

int nn_model_finish(Model *model)
{
    int status = nn_check(model, NN_MODEL_OBJECT);
    if (status) return status;
    if (model->finished) return nn_fail(NN_BAD_STATE, "the model is already finished");
    if (!model->identified) return nn_fail(NN_BAD_DATA, "the model's inputs and outputs are not identified");
    if ((status = check_sources(model)) != 0) return status;
    free(model->order);
    if ((status = sort(model)) != 0) return status;
    for (uint32_t i = 0; i < model->node_count; i++) {
        Node *node = &model->nodes[model->order[i]];
        status = infer_node(model, node);
        node->kernel = status == NN_NO_ERROR;
        /* OP_FAILED is only a gap of the stand-in, reported by getSupportedOperations; all else is a wrong model. */
        if (status && status != NN_OP_FAILED) return status;
    }
    model->finished = true;
    return NN_NO_ERROR;
}
