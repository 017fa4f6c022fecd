/* libneuralnetworks.so: the C ABI of Android's NNAPI (NeuralNetworks.h of AOSP, October 2022), a stand-in. */
#include <string.h>

#include "nn.h"

#define F(name) ANeuralNetworks##name
#define R(status) (status)
#define IS_NEURON false
#define LAST_PREFERENCE 2

#ifndef NN_LEVEL
#define NN_LEVEL 8
#endif
const int nn_default_level = NN_LEVEL;
const char nn_default_devices[] = "stand-in-npu:accelerator,nnapi-reference:cpu";

int nn_code_of_name(const char *name)
{
    static const char *const names[] = {
        "NO_ERROR", "OUT_OF_MEMORY", "INCOMPLETE", "UNEXPECTED_NULL", "BAD_DATA", "OP_FAILED", "BAD_STATE", "UNMAPPABLE",
        "OUTPUT_INSUFFICIENT_SIZE", "UNAVAILABLE_DEVICE", "MISSED_DEADLINE_TRANSIENT", "MISSED_DEADLINE_PERSISTENT",
        "RESOURCE_EXHAUSTED_TRANSIENT", "RESOURCE_EXHAUSTED_PERSISTENT", "DEAD_OBJECT"};
    for (int i = 0; i < 15; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

#include "front.h"

NN_EXPORT int64_t ANeuralNetworks_getRuntimeFeatureLevel(void) { return nn_level_code(nn_runtime_level()); }

NN_EXPORT int ANeuralNetworksDevice_getType(const Device *device, int32_t *type)
{
    NN_ENTER();
    int status = check_device(device);
    if (status) return status;
    if (!type) return nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the type is null");
    *type = device->type;
    return NN_NO_ERROR;
}

NN_EXPORT int ANeuralNetworksDevice_getVersion(const Device *device, const char **version)
{
    NN_ENTER();
    int status = check_device(device);
    if (status) return status;
    if (!version) return nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the version is null");
    *version = "stand-in 1";
    return NN_NO_ERROR;
}

NN_EXPORT int ANeuralNetworksDevice_getFeatureLevel(const Device *device, int64_t *level)
{
    NN_ENTER();
    int status = check_device(device);
    if (status) return status;
    if (!level) return nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the feature level is null");
    *level = nn_level_code(device->level);
    return NN_NO_ERROR;
}

NN_EXPORT int ANeuralNetworksDevice_wait(const Device *device)
{
    NN_ENTER();
    return check_device(device);
}

NN_EXPORT int ANeuralNetworksDevice_getExtensionSupport(const Device *device, const char *name, bool *supported)
{
    NN_ENTER();
    int status = check_device(device);
    if (status) return status;
    if (!name || !supported) return nn_fail(NN_UNEXPECTED_NULL, "the name or the answer is null");
    *supported = false;
    return NN_NO_ERROR;
}

NN_EXPORT int ANeuralNetworksMemory_createFromAHardwareBuffer(const void *buffer, Memory **memory)
{
    NN_ENTER();
    if (!memory) return nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the memory is null");
    *memory = NULL;
    return nn_fail(buffer ? NN_OP_FAILED : NN_UNEXPECTED_NULL, "hardware buffers exist on Android only");
}

NN_EXPORT int ANeuralNetworksMemory_copy(const Memory *from, Memory *to)
{
    NN_ENTER();
    int status = nn_check(from, NN_MEMORY_OBJECT);
    if (!status) status = nn_check(to, NN_MEMORY_OBJECT);
    if (status) return status;
    if (from->size != to->size || !to->writable) return nn_fail(NN_BAD_DATA, "the two memories differ in size, or one is not writable");
    memmove(to->data, from->data, to->size);
    return NN_NO_ERROR;
}

NN_EXPORT int ANeuralNetworksModel_setOperandValueFromMemory(Model *model, int32_t index, const Memory *memory, size_t offset,
                                                             size_t length)
{
    NN_ENTER();
    int status = nn_check(memory, NN_MEMORY_OBJECT);
    if (status) return status;
    if (offset > memory->size || length > memory->size - offset)
        return nn_fail(NN_BAD_DATA, "offset %zu and length %zu reach beyond the memory of %zu bytes", offset, length, memory->size);
    return nn_model_set_value(model, index, memory->data + offset, length);
}

static int no_extensions(Model *model, const char *name)
{
    int status = nn_check(model, NN_MODEL_OBJECT);
    if (status) return status;
    if (!name) return nn_fail(NN_UNEXPECTED_NULL, "the extension's name is null");
    return nn_fail(NN_BAD_DATA, "there is no extension %s", name);
}

NN_EXPORT int ANeuralNetworksModel_getExtensionOperandType(Model *model, const char *name, uint16_t code, int32_t *type)
{
    NN_ENTER();
    (void)code;
    (void)type;
    return no_extensions(model, name);
}

NN_EXPORT int ANeuralNetworksModel_getExtensionOperationType(Model *model, const char *name, uint16_t code, int32_t *type)
{
    NN_ENTER();
    (void)code;
    (void)type;
    return no_extensions(model, name);
}

NN_EXPORT int ANeuralNetworksModel_setOperandExtensionData(Model *model, int32_t index, const void *data, size_t length)
{
    NN_ENTER();
    (void)index;
    (void)data;
    (void)length;
    return no_extensions(model, "without a name");
}

static int preferred(const Compilation *compilation, uint32_t index, bool output, uint32_t value, uint32_t *answer)
{
    int status = nn_check(compilation, NN_COMPILATION_OBJECT);
    if (status) return status;
    if (!answer) return nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the answer is null");
    if (!compilation->finished) return nn_fail(NN_BAD_STATE, "the compilation is not finished");
    const Program *program = compilation->program;
    if (index >= (output ? program->output_count : program->input_count)) return nn_fail(NN_BAD_DATA, "there is no operand %u", index);
    *answer = value;
    return NN_NO_ERROR;
}

#define PREFERRED(name, output, value)                                                                                     \
    NN_EXPORT int ANeuralNetworksCompilation_getPreferredMemory##name(const Compilation *compilation, uint32_t index,       \
                                                                      uint32_t *answer)                                    \
    {                                                                                                                      \
        NN_ENTER();                                                                                                        \
        return preferred(compilation, index, output, value, answer);                                                       \
    }
PREFERRED(AlignmentForInput, false, 64)
PREFERRED(PaddingForInput, false, 64)
PREFERRED(AlignmentForOutput, true, 64)
PREFERRED(PaddingForOutput, true, 64)
