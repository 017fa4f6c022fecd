/* Loads a compiled network, whatever its source: every number in it is checked before it is used. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"

static bool inside(uint64_t at, uint64_t count, uint64_t each, uint64_t total, uint64_t alignment)
{
    uint64_t bytes;
    return !__builtin_mul_overflow(count, each, &bytes) && at <= total && bytes <= total - at && at % alignment == 0;
}

static int check_header(const uint8_t *blob, size_t size, const char *soc, NetworkHeader *header)
{
    if (size < sizeof *header || memcmp(blob, NN_MAGIC, 8) != 0) return nn_fail(NN_BAD_DATA, "this is not a compiled network");
    memcpy(header, blob, sizeof *header);
    if (header->format != NN_FORMAT || header->header_bytes != sizeof *header)
        return nn_fail(NN_BAD_DATA, "format %u of the compiled network is not known", header->format);
    uint8_t version[3];
    nn_library_version(version);
    if (header->version[0] != version[0])
        return nn_fail(NN_BAD_DATA, "the network was compiled by version %u, this library is version %u", header->version[0], version[0]);
    header->soc[sizeof header->soc - 1] = 0;
    if (strcmp(header->soc, soc) != 0)
        return nn_fail(NN_BAD_DATA, "the network was compiled for %s, this device is %s", header->soc, soc);
    if (header->total_bytes != size || header->checksum != nn_checksum(blob + sizeof *header, size - sizeof *header))
        return nn_fail(NN_BAD_DATA, "the compiled network is damaged");
    bool fits = header->operands <= NN_MAX_COUNT && header->steps <= NN_MAX_COUNT &&
                inside(header->operands_at, header->operands, sizeof(OperandRecord), size, 8) &&
                inside(header->steps_at, header->steps, sizeof(StepRecord), size, 8) &&
                inside(header->indices_at, header->index_count, 4, size, 4) && header->inputs && header->outputs &&
                (uint64_t)header->inputs + header->outputs <= header->index_count;
    return fits ? NN_NO_ERROR : nn_fail(NN_BAD_DATA, "a table of the compiled network lies outside it");
}

static int load_operand(uint8_t *blob, size_t size, const OperandRecord *record, Tensor *t)
{
    *t = (Tensor){.type = record->type, .rank = record->rank, .scale = record->scale, .zero = record->zero,
                  .channel_dim = record->channel_dim, .scale_count = record->scale_count};
    if (!nn_type_size(t->type) || t->rank > NN_MAX_RANK) return nn_fail(NN_BAD_DATA, "an operand's type or rank is wrong");
    if (nn_is_quant8(t->type) && (t->zero < nn_quant_min(t->type) || t->zero > nn_quant_max(t->type) || !isfinite(t->scale)))
        return nn_fail(NN_BAD_DATA, "an operand's zero point or scale is wrong");
    memcpy(t->dims, record->dims, sizeof t->dims);
    if (record->lifetime > NN_IS_OUTPUT) return nn_fail(NN_BAD_DATA, "an operand's lifetime is wrong");
    if (t->scale_count) {
        if (!inside(record->scales_at, t->scale_count, 4, size, 4) || t->channel_dim >= t->rank ||
            t->scale_count != t->dims[t->channel_dim])
            return nn_fail(NN_BAD_DATA, "an operand's scales lie outside the network");
        t->scales = (const float *)(blob + record->scales_at);
    }
    if (t->type == NN_TENSOR_QUANT8_SYMM_PER_CHANNEL && !t->scales && record->lifetime == NN_IS_VALUE)
        return nn_fail(NN_BAD_DATA, "an operand has no scales");
    if (record->lifetime == NN_IS_VALUE) {
        size_t bytes = nn_bytes(t);
        if (!bytes || !inside(record->value_at, bytes, 1, size, NN_VALUE_ALIGNMENT))
            return nn_fail(NN_BAD_DATA, "an operand's value lies outside the network");
        t->data = blob + record->value_at;
    }
    return NN_NO_ERROR;
}

static int load_step(Program *program, const NetworkHeader *header, const StepRecord *record, Step *step, uint8_t *ready)
{
    uint64_t all = (uint64_t)record->inputs + record->outputs;
    step->operation = nn_operation(record->code);
    if (!step->operation) return nn_fail(NN_BAD_DATA, "the compiled network has operation %d, which has no kernel", record->code);
    if (record->first > header->index_count || all > header->index_count - record->first)
        return nn_fail(NN_BAD_DATA, "a step's operands lie outside the network");
    step->indices = (const uint32_t *)(program->blob + header->indices_at) + record->first;
    step->inputs = record->inputs;
    step->outputs = record->outputs;
    program->slots += all;
    const OperandRecord *records = (const OperandRecord *)(program->blob + header->operands_at);
    Tensor **slots = nn_alloc(all * sizeof *slots);
    int status = NN_NO_ERROR;
    for (uint32_t i = 0; i < all && !status; i++) {
        uint32_t index = step->indices[i];
        if (index >= program->tensor_count) {
            status = nn_fail(NN_BAD_DATA, "a step names an operand that does not exist");
            break;
        }
        slots[i] = &program->tensors[index];
        bool computed = records[index].lifetime == NN_IS_TEMPORARY || records[index].lifetime == NN_IS_OUTPUT;
        if (i < step->inputs ? !ready[index] : !computed || ready[index])
            status = nn_fail(NN_BAD_DATA, "operand %u is used before it is computed, or computed twice", index);
        if (i >= step->inputs) ready[index] = 1;
    }
    Call call = {.code = record->code, .in = (const Tensor **)slots, .out = slots + step->inputs, .inputs = step->inputs,
                 .outputs = step->outputs, .own_scale = true}; /* the model was checked when it was finished */
    if (!status) status = nn_match(step->operation, call.in, call.inputs, (const Tensor *const *)call.out, call.outputs, &call.form);
    step->form = call.form;
    if (!status) status = nn_infer(step->operation, &call);
    if (status == NN_OP_FAILED) status = NN_BAD_DATA;
    if (!status && step->operation->prepare) step->prepared = step->operation->prepare(&call);
    free(slots);
    return status;
}

static int load(Program *program, const char *soc)
{
    NetworkHeader header;
    int status = check_header(program->blob, program->size, soc, &header);
    if (status) return status;
    const OperandRecord *records = (const OperandRecord *)(program->blob + header.operands_at);
    const StepRecord *steps = (const StepRecord *)(program->blob + header.steps_at);
    program->tensors = nn_alloc(header.operands * sizeof *program->tensors);
    program->steps = nn_alloc(header.steps * sizeof *program->steps);
    program->tensor_count = header.operands;
    program->inputs = (const uint32_t *)(program->blob + header.indices_at);
    program->outputs = program->inputs + header.inputs;
    program->input_count = header.inputs;
    program->output_count = header.outputs;
    uint8_t *ready = nn_alloc(header.operands + 1);
    for (uint32_t i = 0; i < header.operands && !status; i++) {
        status = load_operand(program->blob, program->size, &records[i], &program->tensors[i]);
        ready[i] = records[i].lifetime == NN_IS_VALUE;
    }
    for (uint32_t i = 0; i < header.inputs && !status; i++) {
        uint32_t index = program->inputs[i];
        if (index >= header.operands || records[index].lifetime != NN_IS_INPUT || !nn_bytes(&program->tensors[index]))
            status = nn_fail(NN_BAD_DATA, "input %u must be fully specified for the stand-in", i);
        else
            ready[index] = 1;
    }
    for (uint32_t i = 0; i < header.steps && !status; i++) {
        program->step_count = i + 1; /* so that dropping frees what was prepared */
        status = load_step(program, &header, &steps[i], &program->steps[i], ready);
    }
    for (uint32_t i = 0; i < header.outputs && !status; i++)
        if (program->outputs[i] >= header.operands || records[program->outputs[i]].lifetime != NN_IS_OUTPUT ||
            !ready[program->outputs[i]])
            status = nn_fail(NN_BAD_DATA, "output %u is never computed", i);
    free(ready);
    return status ? status : nn_program_plan(program);
}

int nn_program_load(uint8_t *blob, size_t size, const char *soc, Program **result)
{
    Program *program = nn_alloc(sizeof *program);
    program->blob = blob;
    program->size = size;
    program->users = 1;
    pthread_mutex_init(&program->lock, NULL);
    int status = load(program, soc);
    if (status) nn_program_drop(program);
    else *result = program;
    return status;
}

static void workspace_free(Workspace *workspace)
{
    if (!workspace) return;
    for (int i = 0; i < 16; i++) free(workspace->scratch.slots[i]);
    free(workspace->arena);
    free(workspace);
}

void nn_program_drop(Program *program)
{
    if (!program || __atomic_sub_fetch(&program->users, 1, __ATOMIC_ACQ_REL)) return;
    for (uint32_t i = 0; i < program->step_count; i++) free(program->steps[i].prepared);
    workspace_free(program->spare);
    pthread_mutex_destroy(&program->lock);
    free(program->steps);
    free(program->tensors);
    free(program->offsets);
    free(program->blob);
    free(program);
}

Workspace *nn_workspace_take(Program *program)
{
    pthread_mutex_lock(&program->lock);
    Workspace *workspace = program->spare;
    program->spare = NULL;
    pthread_mutex_unlock(&program->lock);
    if (workspace) return workspace;
    workspace = nn_alloc(sizeof *workspace);
    void *arena = NULL;
    if (program->arena_bytes && posix_memalign(&arena, 64, program->arena_bytes) != 0) {
        free(workspace);
        return NULL;
    }
    workspace->arena = arena;
    return workspace;
}

void nn_workspace_give(Program *program, Workspace *workspace)
{
    pthread_mutex_lock(&program->lock);
    Workspace *extra = program->spare;
    program->spare = workspace;
    pthread_mutex_unlock(&program->lock);
    workspace_free(extra);
}
