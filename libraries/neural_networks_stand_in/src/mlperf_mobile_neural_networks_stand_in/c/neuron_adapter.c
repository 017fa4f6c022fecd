/* libneuron_adapter.so: the C ABI of MediaTek's Neuron adapter, a stand-in.
 *
 * NeuronAdapter.h of mobile_app_open v6.0; NeuronModel_setName, NeuronCompilation_createV2, _getSupportedOperations and
 * _createWithOptions as in the later NeuronAdapter.h of ExecuTorch's MediaTek backend. */
#include <stdio.h>
#include <string.h>

#include "neuron.h"

#define F(name) Neuron##name
#define IS_NEURON true
#define LAST_PREFERENCE 3

const int nn_default_level = 8;
const char nn_default_devices[] = "stand-in-mdla:accelerator";

int nn_code_of_name(const char *name)
{
    static const char *const names[] = {
        "NO_ERROR", "OUT_OF_MEMORY", "INCOMPLETE", "UNEXPECTED_NULL", "BAD_DATA", "OP_FAILED", "UNMAPPABLE", "BAD_STATE",
        "BAD_VERSION", "OUTPUT_INSUFFICIENT_SIZE", "UNAVAILABLE_DEVICE", "MISSED_DEADLINE_TRANSIENT",
        "MISSED_DEADLINE_PERSISTENT", "RESOURCE_EXHAUSTED_TRANSIENT", "RESOURCE_EXHAUSTED_PERSISTENT", "DEAD_OBJECT"};
    for (int i = 0; i < 16; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

#include "front.h"

NN_EXPORT int Neuron_getVersion(uint8_t *version)
{
    NN_ENTER();
    if (!version) return R(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the version is null"));
    nn_library_version(version);
    return R(NN_NO_ERROR);
}

NN_EXPORT int Neuron_getFeatureSupportedStatus(int feature, bool *supported)
{
    NN_ENTER();
    (void)feature;
    if (!supported) return R(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the answer is null"));
    *supported = false;
    return R(NN_NO_ERROR);
}

NN_EXPORT int Neuron_getL1MemorySizeKb(uint32_t *size)
{
    NN_ENTER();
    if (!size) return R(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the size is null"));
    *size = L1_KB;
    return R(NN_NO_ERROR);
}

NN_EXPORT int NeuronDevice_getDescription(const Device *device, const char **description)
{
    NN_ENTER();
    int status = check_device(device);
    if (status) return R(status);
    if (!description) return R(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the description is null"));
    *description = "stand-in on the CPU";
    return R(NN_NO_ERROR);
}

/* The public header says that other systems than Android answer BAD_STATE. */
NN_EXPORT int NeuronMemory_createFromAHardwareBuffer(void)
{
    NN_ENTER();
    return R(nn_fail(NN_BAD_STATE, "hardware buffers exist on Android only"));
}

NN_EXPORT int NeuronModel_setName(Model *model, const char *name)
{
    NN_ENTER();
    int status = nn_check(model, NN_MODEL_OBJECT);
    if (status) return R(status);
    if (!name) return R(nn_fail(NN_UNEXPECTED_NULL, "the name is null"));
    snprintf(model->name, sizeof model->name, "%s", name);
    return R(NN_NO_ERROR);
}

typedef struct {
    ChannelQuant plain;
    uint32_t zero_point_count;
    const int32_t *zero_points;
} AsymmetricChannelQuant;

NN_EXPORT int NeuronModel_setOperandPerChannelQuantParams(Model *model, int32_t index, const AsymmetricChannelQuant *quant)
{
    NN_ENTER();
    if (!quant) return R(nn_fail(NN_UNEXPECTED_NULL, "the per channel parameters are null"));
    for (uint32_t i = 0; quant->zero_points && i < quant->zero_point_count; i++)
        if (quant->zero_points[i]) return R(nn_fail(NN_BAD_DATA, "the stand-in supports only per channel zero points of 0"));
    return R(nn_model_set_channels(model, index, &quant->plain));
}

NN_EXPORT int NeuronModel_addOperationExtension(Model *model, const char *name, const char *vendor, const Device *device,
                                                uint32_t inputs, const uint32_t *in, uint32_t outputs, const uint32_t *out)
{
    NN_ENTER();
    (void)device;
    if (!name || !vendor) return R(nn_fail(NN_UNEXPECTED_NULL, "the name or the vendor is null"));
    return R(nn_model_add_operation(model, NN_NEURON_UNKNOWN, inputs, in, outputs, out)); /* no device takes it */
}

NN_EXPORT int NeuronModel_getSupportedOperations(Model *model, bool *supported, uint32_t count)
{
    NN_ENTER();
    int status = nn_check(model, NN_MODEL_OBJECT);
    if (status) return R(status);
    if (count < model->node_count) return R(nn_fail(NN_BAD_DATA, "the answer has no room for %u operations", model->node_count));
    const void *devices[16];
    for (uint32_t i = 0; i < nn_device_count(); i++) devices[i] = nn_device(i);
    return R(nn_supported(model, devices, nn_device_count(), supported));
}

static int suppress(Model *model)
{
    int status = nn_check(model, NN_MODEL_OBJECT);
    if (!status && model->finished) status = nn_fail(NN_BAD_STATE, "the model is finished");
    return R(status);
}

NN_EXPORT int NeuronModel_suppressInputConversion(Model *model, bool allow)
{
    NN_ENTER();
    (void)allow;
    return suppress(model);
}

NN_EXPORT int NeuronModel_suppressOutputConversion(Model *model, bool allow)
{
    NN_ENTER();
    (void)allow;
    return suppress(model);
}

NN_EXPORT int NeuronModel_restoreFromCompiledNetwork(Model **model, Compilation **compilation, const void *buffer, size_t size)
{
    NN_ENTER();
    return R(nn_restore(buffer, size, model, compilation));
}

/* The header's reference to a CompilationType is a pointer in the C ABI. */
NN_EXPORT int NeuronModel_restoreFromCompiledNetworkV2(Model **model, Compilation **compilation, const void *buffer, size_t size,
                                                       const int *type)
{
    NN_ENTER();
    if (!type) return R(nn_fail(NN_UNEXPECTED_NULL, "the compilation type is null"));
    if (*type < 0 || *type > 5) return R(nn_fail(NN_BAD_DATA, "unknown compilation type %d", *type));
    int status = nn_restore(buffer, size, model, compilation);
    if (!status) (*compilation)->type = *type;
    return R(status);
}

static int32_t extension_of(const char *name)
{
    if (strcmp(name, "com.mediatek.compiled_network") == 0) return NN_NETWORK_EXTENSION;
    return strcmp(name, "com.mediatek.general_operation") == 0 ? NN_GENERAL_EXTENSION : 0;
}

NN_EXPORT int NeuronDevice_getExtensionSupport(const char *name, bool *supported)
{
    NN_ENTER();
    if (!name || !supported) return R(nn_fail(NN_UNEXPECTED_NULL, "the name or the answer is null"));
    *supported = extension_of(name) == NN_NETWORK_EXTENSION;
    return R(NN_NO_ERROR);
}

static int extension_type(const Model *model, const char *name, uint16_t code, int32_t *type)
{
    int status = nn_check(model, NN_MODEL_OBJECT);
    if (status) return R(status);
    if (!name || !type) return R(nn_fail(NN_UNEXPECTED_NULL, "the name or the type is null"));
    if (!extension_of(name)) return R(nn_fail(NN_BAD_DATA, "there is no extension %s", name));
    *type = extension_of(name) << 16 | code;
    return R(NN_NO_ERROR);
}

NN_EXPORT int NeuronModel_getExtensionOperandType(Model *model, const char *name, uint16_t code, int32_t *type)
{
    NN_ENTER();
    return extension_type(model, name, code, type);
}

NN_EXPORT int NeuronModel_getExtensionOperationType(Model *model, const char *name, uint16_t code, int32_t *type)
{
    NN_ENTER();
    return extension_type(model, name, code, type);
}

NN_EXPORT int NeuronModel_setOperandExtensionData(Model *model, int32_t index, const void *data, size_t length)
{
    NN_ENTER();
    (void)length;
    int status = nn_check(model, NN_MODEL_OBJECT);
    if (status) return R(status);
    if (!data) return R(nn_fail(NN_UNEXPECTED_NULL, "the data are null"));
    bool there = index >= 0 && (uint32_t)index < model->operand_count;
    return R(there ? NN_NO_ERROR : nn_fail(NN_BAD_DATA, "there is no operand %d", index));
}

NN_EXPORT int NeuronDebug_setReportPath(Model *model, const char *path)
{
    NN_ENTER();
    int status = nn_check(model, NN_MODEL_OBJECT);
    if (!status && !path) status = nn_fail(NN_UNEXPECTED_NULL, "the path is null");
    return R(!status && !*path ? nn_fail(NN_BAD_DATA, "the path is empty") : status);
}

NN_EXPORT int NeuronExecution_setBoostHint(Execution *execution, uint8_t boost)
{
    NN_ENTER();
    int status = nn_check(execution, NN_EXECUTION_OBJECT);
    return R(!status && boost > 100 ? nn_fail(NN_BAD_DATA, "a boost hint is at most 100") : status);
}

NN_EXPORT int NeuronExecution_setCacheFlushHint(Execution *execution, uint8_t hint)
{
    NN_ENTER();
    int status = nn_check(execution, NN_EXECUTION_OBJECT);
    return R(!status && hint > 3 ? nn_fail(NN_BAD_DATA, "unknown cache flush hint %u", hint) : status);
}

NN_EXPORT void NeuronEvent_freeForce(Event *event)
{
    NN_ENTER_VOID();
    nn_event_free(event, __func__);
}

/* Batched and parallel executions are not part of the stand-in. They answer as on a compilation of another type. */
static int no_parallel(const Execution *execution)
{
    int status = nn_check(execution, NN_EXECUTION_OBJECT);
    return R(status ? status : nn_fail(NN_BAD_STATE, "the stand-in has no batched or parallel executions"));
}

#define PARALLEL(name, ...)                                     \
    NN_EXPORT int NeuronExecution_##name(Execution *execution __VA_ARGS__) \
    {                                                             \
        NN_ENTER();                                               \
        return no_parallel(execution);                            \
    }
#pragma GCC diagnostic ignored "-Wunused-parameter"
PARALLEL(setRunnerPoolSize, , uint8_t runners)
PARALLEL(setBatchDone, )
PARALLEL(setIODone, , int index)
PARALLEL(submitInput, , uint32_t index, const void *buffer, size_t length)
PARALLEL(setJobPoolSize, , uint32_t size)
PARALLEL(queryOutput, , uint32_t index, void *buffer, size_t length)
PARALLEL(queryOutputPointer, , uint32_t index, void **pointer)
PARALLEL(flushExecution, )
PARALLEL(resetParallelResources, )

/* Generation of the NeuroPilot SDK; from 300 on LiteRT looks for newer library names (mobile_app_open's NeuronAdapterShim.h). */
NN_EXPORT int Neuron_getNeuroPilotMagicNumber(int32_t *magic)
{
    NN_ENTER();
    if (!magic) return R(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the number is null"));
    *magic = 200;
    return R(NN_NO_ERROR);
}
