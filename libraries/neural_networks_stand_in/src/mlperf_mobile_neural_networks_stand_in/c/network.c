/* Writes a finished model as a compiled network. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"

/* FNV-1a over words of eight bytes: finds damage, protects from nobody. */
uint64_t nn_checksum(const uint8_t *data, size_t size)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    size_t words = size / 8;
    for (size_t i = 0; i < words; i++) {
        uint64_t word;
        memcpy(&word, data + 8 * i, 8);
        sum = (sum ^ word) * UINT64_C(0x100000001b3);
        sum ^= sum >> 29;
    }
    for (size_t i = words * 8; i < size; i++) sum = (sum ^ data[i]) * UINT64_C(0x100000001b3);
    return sum;
}

const char *nn_device_soc(void) { return nn_setting("NN_STAND_IN_SOC", "stand-in"); }

const char *nn_target_soc(void) { return nn_setting("MTKNN_ADAPTER_DLA_PLATFORM", nn_device_soc()); }

/* NN_STAND_IN_VERSION; 8.2.24 is the first with which LiteRT queries the supported operations. */
void nn_library_version(uint8_t version[3])
{
    int parts[3] = {8, 2, 24};
    const char *text = nn_setting("NN_STAND_IN_VERSION", "8.2.24");
    if (sscanf(text, "%d.%d.%d", &parts[0], &parts[1], &parts[2]) != 3) nn_abort("NN_STAND_IN_VERSION: %s is not x.y.z", text);
    for (int i = 0; i < 3; i++) version[i] = (uint8_t)parts[i];
}

static size_t aligned(size_t at, size_t to) { return (at + to - 1) / to * to; }

static void write_operand(const Operand *operand, OperandRecord *record)
{
    const Tensor *t = &operand->t;
    *record = (OperandRecord){.type = t->type, .rank = t->rank, .scale = t->scale, .zero = t->zero,
                              .channel_dim = t->channel_dim, .scale_count = t->scales ? t->scale_count : 0};
    memcpy(record->dims, t->dims, sizeof record->dims);
    record->lifetime = operand->has_value ? NN_IS_VALUE
                       : operand->is_input ? NN_IS_INPUT
                       : operand->is_output ? NN_IS_OUTPUT : NN_IS_TEMPORARY;
}

/* Every node must have a kernel. */
int nn_network_write(const Model *model, const char *soc, uint8_t **blob, size_t *size)
{
    NetworkHeader header = {.magic = NN_MAGIC, .format = NN_FORMAT, .header_bytes = sizeof header,
                            .operands = model->operand_count, .steps = model->node_count, .inputs = model->input_count,
                            .outputs = model->output_count};
    snprintf(header.soc, sizeof header.soc, "%s", soc);
    nn_library_version(header.version);
    header.index_count = model->input_count + model->output_count;
    for (uint32_t i = 0; i < model->node_count; i++) header.index_count += model->nodes[i].inputs + model->nodes[i].outputs;
    header.operands_at = aligned(sizeof header, 8);
    header.steps_at = header.operands_at + model->operand_count * sizeof(OperandRecord);
    header.indices_at = header.steps_at + model->node_count * sizeof(StepRecord);
    size_t end = aligned(header.indices_at + header.index_count * 4, 8);
    for (uint32_t i = 0; i < model->operand_count; i++)
        if (model->operands[i].t.scales) end += (size_t)model->operands[i].t.scale_count * 4;
    for (uint32_t i = 0; i < model->operand_count; i++)
        if (model->operands[i].has_value) end = aligned(end, NN_VALUE_ALIGNMENT) + model->operands[i].length;
    end = aligned(end, 8);
    void *room = NULL;
    if (posix_memalign(&room, NN_VALUE_ALIGNMENT, end) != 0) return nn_fail(NN_OUT_OF_MEMORY, "no memory for %zu bytes", end);
    uint8_t *to = memset(room, 0, end);
    OperandRecord *operands = (OperandRecord *)(to + header.operands_at);
    size_t at = aligned(header.indices_at + header.index_count * 4, 8);
    for (uint32_t i = 0; i < model->operand_count; i++) {
        write_operand(&model->operands[i], &operands[i]);
        if (!operands[i].scale_count) continue;
        operands[i].scales_at = at;
        memcpy(to + at, model->operands[i].t.scales, (size_t)operands[i].scale_count * 4);
        at += (size_t)operands[i].scale_count * 4;
    }
    for (uint32_t i = 0; i < model->operand_count; i++) {
        const Operand *operand = &model->operands[i];
        if (!operand->has_value) continue;
        at = operands[i].value_at = aligned(at, NN_VALUE_ALIGNMENT);
        if (operand->length) memcpy(to + at, operand->value ? operand->value : operand->copy, operand->length);
        at += operand->length;
    }
    StepRecord *steps = (StepRecord *)(to + header.steps_at);
    uint32_t *indices = (uint32_t *)(to + header.indices_at);
    memcpy(indices, model->inputs, model->input_count * sizeof *indices);
    memcpy(indices + model->input_count, model->outputs, model->output_count * sizeof *indices);
    size_t next = model->input_count + model->output_count;
    for (uint32_t i = 0; i < model->node_count; i++) {
        const Node *node = &model->nodes[model->order[i]];
        steps[i] = (StepRecord){.code = node->code, .inputs = node->inputs, .outputs = node->outputs, .first = next};
        memcpy(indices + next, node->indices, ((size_t)node->inputs + node->outputs) * sizeof *indices);
        next += node->inputs + node->outputs;
    }
    header.total_bytes = end;
    header.checksum = nn_checksum(to + sizeof header, end - sizeof header);
    memcpy(to, &header, sizeof header);
    *blob = to;
    *size = end;
    return NN_NO_ERROR;
}
