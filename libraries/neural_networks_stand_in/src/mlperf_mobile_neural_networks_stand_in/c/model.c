/* Building a model: operands, values, operations, checked as the real runtime checks them. */
#include <stdlib.h>
#include <string.h>

#include "nn.h"

Model *nn_model_new(void) { return nn_new(NN_MODEL_OBJECT, sizeof(Model)); }

void nn_model_free(Model *model, const char *who)
{
    if (model && nn_check(model, NN_MODEL_OBJECT) == NN_NO_ERROR && __atomic_load_n(&model->users, __ATOMIC_ACQUIRE))
        nn_abort("%s: a compilation of this model is still alive, and the model must outlive it", who);
    if (!nn_forget(model, NN_MODEL_OBJECT, who)) return;
    for (uint32_t i = 0; i < model->operand_count; i++) free((void *)model->operands[i].t.scales);
    for (uint32_t i = 0; i < model->node_count; i++) free(model->nodes[i].indices);
    free(model->operands);
    free(model->nodes);
    free(model->order);
    free(model->inputs);
    free(model->outputs);
    free(model);
}

static int changeable(const Model *model)
{
    int status = nn_check(model, NN_MODEL_OBJECT);
    if (status) return status;
    return model->finished ? nn_fail(NN_BAD_STATE, "the model is finished") : NN_NO_ERROR;
}

static int check_quantisation(const OperandType *type)
{
    int32_t least = 0, most = 0;
    bool scaled = false;
    switch (type->type) {
    case NN_TENSOR_QUANT8_ASYMM: most = 255; scaled = true; break;
    case NN_TENSOR_QUANT8_ASYMM_SIGNED: least = -128; most = 127; scaled = true; break;
    case NN_TENSOR_QUANT16_ASYMM: most = 65535; scaled = true; break;
    case NN_TENSOR_QUANT8_SYMM: case NN_TENSOR_QUANT16_SYMM: scaled = true; break;
    case NN_TENSOR_INT32:
        if (type->scale < 0) return nn_fail(NN_BAD_DATA, "scale %g of an INT32 tensor is negative", type->scale);
        return type->zero_point ? nn_fail(NN_BAD_DATA, "an INT32 tensor has no zero point") : NN_NO_ERROR;
    }
    if (scaled ? !(type->scale > 0) : type->scale != 0)
        return nn_fail(NN_BAD_DATA, "operand type %d: scale %g is not allowed", type->type, type->scale);
    if (type->zero_point < least || type->zero_point > most)
        return nn_fail(NN_BAD_DATA, "operand type %d: zero point %d is not allowed", type->type, type->zero_point);
    return NN_NO_ERROR;
}

static int level_of_type(int32_t type)
{
    if (type <= NN_TENSOR_QUANT8_ASYMM) return 1;
    return type == NN_TENSOR_QUANT8_ASYMM_SIGNED || type == NN_MODEL ? 4 : 3;
}

/* Neuron's extra types that have a plain counterpart here; others are kept as they are, and no kernel takes them. */
static int32_t plain_type(int32_t type)
{
    if (type == NN_NEURON_QUANT8_SIGNED_PER_CHANNEL) return NN_TENSOR_QUANT8_SYMM_PER_CHANNEL;
    if (type == NN_TENSOR_QUANT8_SYMM) return NN_TENSOR_QUANT8_ASYMM_SIGNED; /* LiteRT calls every int8 of zero point 0 so */
    return type == NN_NEURON_INT32_PER_CHANNEL ? NN_TENSOR_INT32 : type;
}

int nn_model_add_operand(Model *model, const OperandType *given)
{
    int status = changeable(model);
    if (status) return status;
    if (!given) return nn_fail(NN_UNEXPECTED_NULL, "the operand type is null");
    OperandType type = *given;
    if (model->neuron) type.type = plain_type(type.type);
    bool plain = type.type >= 0 && type.type <= NN_MODEL;
    bool extra = model->neuron && ((type.type >= NN_NEURON_FIRST_TYPE && type.type <= NN_NEURON_LAST_TYPE) || type.type >> 16 > 0);
    if (!plain && !extra) return nn_fail(NN_BAD_DATA, "unknown operand type %d", type.type);
    if (plain && level_of_type(type.type) > nn_runtime_level())
        return nn_fail(NN_BAD_DATA, "operand type %d needs a newer feature level", type.type);
    if (type.dimension_count > NN_MAX_RANK) return nn_fail(NN_BAD_DATA, "rank %u is too high", type.dimension_count);
    if (type.dimension_count && !type.dimensions) return nn_fail(NN_UNEXPECTED_NULL, "the dimensions are null");
    if (plain && !nn_is_tensor(type.type) && type.dimension_count)
        return nn_fail(NN_BAD_DATA, "a scalar of type %d has no dimensions", type.type);
    if (plain && !model->neuron && (status = check_quantisation(&type)) != 0) return status;
    if (model->operand_count >= NN_MAX_COUNT) return nn_fail(NN_BAD_DATA, "too many operands");
    if (model->operand_count == model->operand_room) {
        uint32_t room = model->operand_room ? model->operand_room * 2 : 32;
        Operand *more = realloc(model->operands, room * sizeof *more);
        if (!more) return nn_fail(NN_OUT_OF_MEMORY, "no memory for %u operands", room);
        model->operands = more;
        model->operand_room = room;
    }
    Operand *operand = &model->operands[model->operand_count];
    *operand = (Operand){.t = {.type = type.type, .rank = type.dimension_count, .scale = type.scale, .zero = type.zero_point}};
    for (uint32_t i = 0; i < type.dimension_count; i++) operand->t.dims[i] = type.dimensions[i];
    bool known = type.dimension_count > 0;
    for (uint32_t i = 0; i < type.dimension_count; i++) known = known && type.dimensions[i];
    if (known && plain && nn_bytes(&operand->t) == 0) return nn_fail(NN_BAD_DATA, "the operand is too large");
    model->operand_count++;
    return NN_NO_ERROR;
}

static int operand_of(Model *model, int32_t index, Operand **operand)
{
    int status = changeable(model);
    if (status) return status;
    if (index < 0 || (uint32_t)index >= model->operand_count) return nn_fail(NN_BAD_DATA, "there is no operand %d", index);
    *operand = &model->operands[index];
    return NN_NO_ERROR;
}

int nn_model_set_value(Model *model, int32_t index, const void *buffer, size_t length)
{
    Operand *operand = NULL;
    int status = operand_of(model, index, &operand);
    if (status) return status;
    if (!buffer) {
        if (length) return nn_fail(NN_UNEXPECTED_NULL, "the value of operand %d is null", index);
        operand->omitted = true;
        return NN_NO_ERROR;
    }
    if (operand->is_input || operand->produced) return nn_fail(NN_BAD_DATA, "operand %d is computed and cannot have a value", index);
    bool extension = operand->t.type >> 16 > 0;
    if (!extension && nn_bytes(&operand->t) != length)
        return nn_fail(NN_BAD_DATA, "the value of operand %d has %zu bytes instead of %zu", index, length, nn_bytes(&operand->t));
    operand->value = buffer;
    operand->length = length;
    operand->has_value = true;
    if (length <= NN_COPIED_AT_ONCE) {
        memcpy(operand->copy, buffer, length);
        operand->value = NULL;
    }
    return NN_NO_ERROR;
}

int nn_model_set_channels(Model *model, int32_t index, const ChannelQuant *quant)
{
    Operand *operand = NULL;
    int status = operand_of(model, index, &operand);
    if (status) return status;
    if (!quant || !quant->scales) return nn_fail(NN_UNEXPECTED_NULL, "the per channel scales are null");
    Tensor *t = &operand->t;
    bool right_type = t->type == NN_TENSOR_QUANT8_SYMM_PER_CHANNEL || (model->neuron && t->type == NN_TENSOR_INT32);
    if (!right_type) return nn_fail(NN_BAD_DATA, "operand %d is not quantised per channel", index);
    if (quant->channel_dim >= t->rank || quant->scale_count != t->dims[quant->channel_dim])
        return nn_fail(NN_BAD_DATA, "operand %d: %u scales do not fit dimension %u", index, quant->scale_count, quant->channel_dim);
    for (uint32_t i = 0; i < quant->scale_count; i++)
        if (!(quant->scales[i] > 0)) return nn_fail(NN_BAD_DATA, "operand %d: scale %u is not positive", index, i);
    float *scales = nn_alloc(quant->scale_count * sizeof *scales);
    memcpy(scales, quant->scales, quant->scale_count * sizeof *scales);
    free((void *)t->scales);
    t->scales = scales;
    t->channel_dim = quant->channel_dim;
    t->scale_count = quant->scale_count;
    return NN_NO_ERROR;
}

static int check_indices(const Model *model, uint32_t count, const uint32_t *indices)
{
    if (count && !indices) return nn_fail(NN_UNEXPECTED_NULL, "a list of operand indices is null");
    for (uint32_t i = 0; i < count; i++)
        if (indices[i] >= model->operand_count) return nn_fail(NN_BAD_DATA, "there is no operand %u", indices[i]);
    return NN_NO_ERROR;
}

/* The types and number of operands are checked here; dimensions and values when the model is finished. */
static int check_signature(const Model *model, int32_t code, uint32_t inputs, const uint32_t *in, uint32_t outputs,
                           const uint32_t *out)
{
    const Operation *operation = nn_operation(code);
    if (!operation) return NN_NO_ERROR;
    int level = nn_operation_level(operation, model->operands[out[0]].t.type);
    if (!model->neuron && level > nn_runtime_level())
        return nn_fail(NN_BAD_DATA, "%s with these types needs feature level %d, the runtime has %d", operation->name, level,
                       nn_runtime_level());
    const Tensor **ins = nn_alloc(inputs * sizeof *ins), **outs = nn_alloc(outputs * sizeof *outs);
    for (uint32_t i = 0; i < inputs; i++) ins[i] = &model->operands[in[i]].t;
    for (uint32_t i = 0; i < outputs; i++) outs[i] = &model->operands[out[i]].t;
    int form, status = nn_match(operation, ins, inputs, outs, outputs, &form);
    free(ins);
    free(outs);
    return status;
}

int nn_model_add_operation(Model *model, int32_t code, uint32_t inputs, const uint32_t *in, uint32_t outputs,
                           const uint32_t *out)
{
    int status = changeable(model);
    if (status) return status;
    bool extra = model->neuron && (code == NN_NEURON_UNKNOWN || code >> 16 > 0);
    if (!extra && (code < 0 || code > NN_LAST_OPERATION)) return nn_fail(NN_BAD_DATA, "unknown operation %d", code);
    if (inputs > NN_MAX_COUNT || outputs > NN_MAX_COUNT || model->node_count >= NN_MAX_COUNT)
        return nn_fail(NN_BAD_DATA, "too many operations or operands");
    if (!outputs) return nn_fail(NN_BAD_DATA, "%s has no output", nn_operation_name(code));
    if ((status = check_indices(model, inputs, in)) != 0 || (status = check_indices(model, outputs, out)) != 0) return status;
    for (uint32_t i = 0; i < outputs; i++) {
        const Operand *operand = &model->operands[out[i]];
        if (operand->produced || operand->has_value || operand->is_input)
            return nn_fail(NN_BAD_DATA, "operand %u cannot be an output of %s: it already has a value", out[i],
                           nn_operation_name(code));
    }
    if (!extra && (status = check_signature(model, code, inputs, in, outputs, out)) != 0) return status;
    if (model->node_count == model->node_room) {
        model->node_room = model->node_room ? model->node_room * 2 : 32;
        Node *more = realloc(model->nodes, model->node_room * sizeof *more);
        if (!more) nn_abort("out of memory for operations");
        model->nodes = more;
    }
    Node *node = &model->nodes[model->node_count++];
    *node = (Node){.code = code, .inputs = inputs, .outputs = outputs};
    node->indices = nn_alloc(((size_t)inputs + outputs) * sizeof *node->indices);
    if (inputs) memcpy(node->indices, in, inputs * sizeof *in);
    memcpy(node->indices + inputs, out, outputs * sizeof *out);
    for (uint32_t i = 0; i < outputs; i++) model->operands[out[i]].produced = true;
    return NN_NO_ERROR;
}

int nn_model_identify(Model *model, uint32_t inputs, const uint32_t *in, uint32_t outputs, const uint32_t *out)
{
    int status = changeable(model);
    if (status) return status;
    if (!inputs || !outputs || inputs > NN_MAX_COUNT || outputs > NN_MAX_COUNT)
        return nn_fail(NN_BAD_DATA, "a model needs inputs and outputs");
    if ((status = check_indices(model, inputs, in)) != 0 || (status = check_indices(model, outputs, out)) != 0) return status;
    for (uint32_t i = 0; i < inputs; i++) {
        const Operand *operand = &model->operands[in[i]];
        if (operand->has_value || operand->produced)
            return nn_fail(NN_BAD_DATA, "operand %u has a value and cannot be a model input", in[i]);
        for (uint32_t j = 0; j < i; j++)
            if (in[j] == in[i]) return nn_fail(NN_BAD_DATA, "operand %u is listed twice as model input", in[i]);
    }
    for (uint32_t i = 0; i < outputs; i++) {
        for (uint32_t j = 0; j < inputs; j++)
            if (in[j] == out[i]) return nn_fail(NN_BAD_DATA, "operand %u is model input and output", out[i]);
        for (uint32_t j = 0; j < i; j++)
            if (out[j] == out[i]) return nn_fail(NN_BAD_DATA, "operand %u is listed twice as model output", out[i]);
        if (model->operands[out[i]].has_value) return nn_fail(NN_BAD_DATA, "operand %u is a constant, not a model output", out[i]);
    }
    free(model->inputs);
    free(model->outputs);
    for (uint32_t i = 0; i < model->operand_count; i++) model->operands[i].is_input = model->operands[i].is_output = false;
    model->inputs = nn_alloc(inputs * sizeof *in);
    model->outputs = nn_alloc(outputs * sizeof *out);
    memcpy(model->inputs, in, inputs * sizeof *in);
    memcpy(model->outputs, out, outputs * sizeof *out);
    model->input_count = inputs;
    model->output_count = outputs;
    for (uint32_t i = 0; i < inputs; i++) model->operands[in[i]].is_input = true;
    for (uint32_t i = 0; i < outputs; i++) model->operands[out[i]].is_output = true;
    model->identified = true;
    return NN_NO_ERROR;
}

int nn_model_relax(Model *model, bool allow)
{
    /* LiteRT's compiler plugin says it to Neuron when the model is finished. */
    int status = model && nn_check(model, NN_MODEL_OBJECT) == NN_NO_ERROR && model->neuron ? NN_NO_ERROR : changeable(model);
    if (!status) model->relaxed = allow;
    return status;
}
