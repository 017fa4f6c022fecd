/* The devices that the stand-in pretends to have, and which operations they take. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn.h"

static Device devices[16];
static uint32_t device_count;
static int runtime_level;
static char *unsupported;

static int read_level(const char *text)
{
    long level = strtol(text, NULL, 10);
    if (level >= 27 && level <= 31) level -= 26;
    if (level >= 1000006 && level <= 1000008) level -= 1000000;
    if (level < 1 || level > 8) nn_abort("unknown feature level %s (1 to 8, 27 to 31, 1000006 to 1000008)", text);
    return (int)level;
}

/* NAME[:TYPE[:LEVEL]] */
static void read_device(char *text)
{
    static const char *const types[] = {"other", "cpu", "gpu", "accelerator"};
    if (device_count == 16) nn_abort("NN_STAND_IN_DEVICES: more than 16 devices");
    Device *device = &devices[device_count++];
    char *type = strchr(text, ':'), *level = type ? strchr(type + 1, ':') : NULL;
    if (type) *type++ = 0;
    if (level) *level++ = 0;
    if (snprintf(device->name, sizeof device->name, "%s", text) >= (int)sizeof device->name || !*text)
        nn_abort("NN_STAND_IN_DEVICES: a name is empty or too long");
    device->type = NN_DEVICE_ACCELERATOR;
    device->level = level ? read_level(level) : runtime_level;
    for (int i = 0; type && i < 4; i++) {
        if (strcmp(type, types[i]) == 0) {
            device->type = NN_DEVICE_OTHER + i;
            return;
        }
        if (i == 3) nn_abort("NN_STAND_IN_DEVICES: unknown type %s", type);
    }
}

__attribute__((constructor)) static void read_devices(void)
{
    const char *level = nn_setting("NN_STAND_IN_FEATURE_LEVEL", "");
    runtime_level = *level ? read_level(level) : nn_default_level;
    unsupported = strdup(nn_setting("NN_STAND_IN_UNSUPPORTED", ""));
    char *copy = strdup(nn_setting("NN_STAND_IN_DEVICES", nn_default_devices)), *rest = copy, *item;
    if (copy && strcmp(copy, "none") != 0)
        while ((item = strsep(&rest, ",")) != NULL) read_device(item);
    free(copy);
}

uint32_t nn_device_count(void) { return device_count; }
const Device *nn_device(uint32_t index) { return index < device_count ? &devices[index] : NULL; }
int nn_runtime_level(void) { return runtime_level; }
int64_t nn_level_code(int level) { return level <= 5 ? 26 + level : 1000000 + level; }

const Device *nn_device_of(const void *handle)
{
    for (uint32_t i = 0; i < device_count; i++)
        if (handle == &devices[i]) return &devices[i];
    return NULL;
}

static int level_of_operands(const Model *model, const Node *node)
{
    int level = 1;
    for (uint32_t i = 0; i < node->inputs + node->outputs; i++) {
        int32_t type = model->operands[node->indices[i]].t.type;
        int needs = type <= NN_TENSOR_QUANT8_ASYMM || type == NN_BOOL ? 1 : type == NN_TENSOR_QUANT8_ASYMM_SIGNED ? 4 : 3;
        if (needs > level) level = needs;
    }
    return level;
}

/* The CPU takes all that has a kernel. Others also leave NN_STAND_IN_UNSUPPORTED and what is newer than they are. */
bool nn_node_supported(const Model *model, const Node *node, const Device *device)
{
    if (!node->kernel) return false;
    const Operation *operation = nn_operation(node->code);
    int level = nn_operation_level(operation, model->operands[node->indices[node->inputs]].t.type);
    if (level > device->level || level_of_operands(model, node) > device->level) return false;
    return device->type == NN_DEVICE_CPU || !nn_listed(unsupported, operation->name);
}

int nn_supported(const Model *model, const void *const *handles, uint32_t count, bool *supported)
{
    int status = nn_check(model, NN_MODEL_OBJECT);
    if (status) return status;
    if (!handles || !supported) return nn_fail(NN_UNEXPECTED_NULL, "the devices or the answer are null");
    if (!count) return nn_fail(NN_BAD_DATA, "no devices are given");
    if (!model->finished) return nn_fail(NN_BAD_STATE, "the model is not finished");
    for (uint32_t i = 0; i < count; i++) {
        if (!handles[i]) return nn_fail(NN_UNEXPECTED_NULL, "a device is null");
        if (!nn_device_of(handles[i])) return nn_fail(NN_BAD_DATA, "a device is not from this library");
        for (uint32_t j = 0; j < i; j++)
            if (handles[j] == handles[i]) return nn_fail(NN_BAD_DATA, "a device is listed twice");
    }
    for (uint32_t i = 0; i < model->node_count; i++) {
        supported[i] = false;
        for (uint32_t j = 0; j < count; j++)
            supported[i] = supported[i] || nn_node_supported(model, &model->nodes[i], nn_device_of(handles[j]));
    }
    return NN_NO_ERROR;
}
