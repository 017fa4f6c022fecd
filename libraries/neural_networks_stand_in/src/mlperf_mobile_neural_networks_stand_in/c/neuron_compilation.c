/* libneuron_adapter.so: compilations and compiled networks of the Neuron adapter. */
#include <stdlib.h>
#include <string.h>

#include "neuron.h"

static int create(Model *model, int type, const char *options, Compilation **compilation)
{
    int status = nn_compilation_new(model, NULL, 0, compilation);
    if (status) return R(status);
    (*compilation)->type = type;
    (*compilation)->explicit_devices = true;
    (*compilation)->options = options ? strdup(options) : NULL;
    return R(NN_NO_ERROR);
}

NN_EXPORT int NeuronCompilation_createWithOptions(Model *model, Compilation **compilation, const char *options)
{
    NN_ENTER();
    return create(model, 0, options, compilation);
}

NN_EXPORT int NeuronCompilation_createV2(Model *model, int type, const char *options, Compilation **compilation)
{
    NN_ENTER();
    if (type < 0 || type > 5) return R(nn_fail(NN_BAD_DATA, "unknown compilation type %d", type));
    return create(model, type, options, compilation);
}

NN_EXPORT int NeuronCompilation_createForDebug(Model *model, Compilation **compilation)
{
    NN_ENTER();
    return create(model, 1, NULL, compilation);
}

NN_EXPORT int NeuronCompilation_createForBatch(Model *model, Compilation **compilation)
{
    NN_ENTER();
    return create(model, 2, NULL, compilation);
}

NN_EXPORT int NeuronCompilation_createForMultiExecutions(Model *model, Compilation **compilation)
{
    NN_ENTER();
    return create(model, 3, NULL, compilation);
}

NN_EXPORT int NeuronCompilation_getSupportedOperations(Compilation *compilation, uint32_t count, bool *supported)
{
    NN_ENTER();
    int status = nn_compilation_open(compilation);
    if (status) return R(status);
    if (count < compilation->model->node_count) return R(nn_fail(NN_BAD_DATA, "the answer has no room for all operations"));
    return R(nn_supported(compilation->model, (const void *const *)compilation->devices, compilation->device_count, supported));
}

NN_EXPORT int NeuronCompilation_setL1MemorySizeKb(Compilation *compilation, uint32_t size)
{
    NN_ENTER();
    int status = nn_compilation_open(compilation);
    if (!status && size > L1_KB) status = nn_fail(NN_BAD_DATA, "the device has %d KB", L1_KB);
    return R(status);
}

NN_EXPORT int NeuronCompilation_setOptimizationHint(Compilation *compilation, uint32_t hint)
{
    NN_ENTER();
    int status = nn_compilation_open(compilation);
    if (!status && hint > 7) status = nn_fail(NN_BAD_DATA, "unknown optimization hint %u", hint);
    if (!status) compilation->optimization = hint;
    return R(status);
}

NN_EXPORT int NeuronCompilation_setOptimizationString(Compilation *compilation, const char *options)
{
    NN_ENTER();
    int status = nn_compilation_open(compilation);
    if (status) return R(status);
    if (!options) return R(nn_fail(NN_UNEXPECTED_NULL, "the optimization string is null"));
    free(compilation->options);
    compilation->options = strdup(options);
    return R(NN_NO_ERROR);
}

NN_EXPORT int NeuronCompilation_getOptimizationString(Compilation *compilation, const char **options)
{
    NN_ENTER();
    int status = nn_check(compilation, NN_COMPILATION_OBJECT);
    if (status) return R(status);
    if (!options) return R(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the string is null"));
    *options = compilation->options ? compilation->options : "";
    return R(NN_NO_ERROR);
}

#define SWITCH(name)                                             \
    NN_EXPORT int name(Compilation *compilation, bool enable)    \
    {                                                            \
        NN_ENTER();                                              \
        (void)enable;                                            \
        return R(nn_compilation_open(compilation));              \
    }
SWITCH(NeuronCompilation_setOnlyAllowOptimizationString)
SWITCH(NeuronCompilation_setTrimIOAlignment)
SWITCH(NeuronCompilation_setSWDilatedConv)

static int finished(const Compilation *compilation, const void *answer)
{
    int status = nn_check(compilation, NN_COMPILATION_OBJECT);
    if (status) return status;
    if (!answer) return nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the answer is null");
    return compilation->finished ? NN_NO_ERROR : nn_fail(NN_BAD_STATE, "the compilation is not finished");
}

NN_EXPORT int NeuronCompilation_getPreference(Compilation *compilation, int *preference)
{
    NN_ENTER();
    int status = finished(compilation, preference);
    if (!status) *preference = compilation->preference;
    return R(status);
}

NN_EXPORT int NeuronCompilation_getPriority(Compilation *compilation, int *priority)
{
    NN_ENTER();
    int status = finished(compilation, priority);
    if (!status) *priority = compilation->priority;
    return R(status);
}

static int network_of(const Compilation *compilation, const void *answer, const Program **program)
{
    int status = finished(compilation, answer);
    if (status) return status;
    if (compilation->restored) return nn_fail(NN_BAD_STATE, "a restored compilation cannot be stored again");
    *program = compilation->program;
    return NN_NO_ERROR;
}

NN_EXPORT int NeuronCompilation_getCompiledNetworkSize(Compilation *compilation, size_t *size)
{
    NN_ENTER();
    const Program *program = NULL;
    int status = network_of(compilation, size, &program);
    if (!status) *size = program->size;
    return R(status);
}

NN_EXPORT int NeuronCompilation_storeCompiledNetwork(Compilation *compilation, void *buffer, size_t size)
{
    NN_ENTER();
    const Program *program = NULL;
    int status = network_of(compilation, buffer, &program);
    if (status) return R(status);
    if (size < program->size) return R(nn_fail(NN_BAD_DATA, "the buffer has %zu bytes, the network %zu", size, program->size));
    memcpy(buffer, program->blob, program->size);
    return R(NN_NO_ERROR);
}

/* NN_STAND_IN_PADDING: sizes are rounded up to this many bytes, as hardware may ask. 1 by default. */
static size_t padded(size_t bytes)
{
    size_t to = (size_t)strtoul(nn_setting("NN_STAND_IN_PADDING", "1"), NULL, 10);
    return to ? (bytes + to - 1) / to * to : bytes;
}

static int io_of(const Compilation *compilation, int32_t index, bool output, const void *answer, const Tensor **t)
{
    int status = finished(compilation, answer);
    if (status) return status;
    const Program *program = compilation->program;
    if (index < 0 || (uint32_t)index >= (output ? program->output_count : program->input_count))
        return nn_fail(NN_BAD_DATA, "there is no operand %d", index);
    *t = &program->tensors[output ? program->outputs[index] : program->inputs[index]];
    return NN_NO_ERROR;
}

#define PADDED(name, output)                                                                                            \
    NN_EXPORT int NeuronCompilation_get##name##PaddedSize(Compilation *compilation, int32_t index, size_t *size)         \
    {                                                                                                                   \
        NN_ENTER();                                                                                                     \
        const Tensor *t = NULL;                                                                                         \
        int status = io_of(compilation, index, output, size, &t);                                                       \
        if (!status) *size = padded(nn_bytes(t));                                                                       \
        return R(status);                                                                                               \
    }                                                                                                                   \
    NN_EXPORT int NeuronCompilation_get##name##PaddedDimensions(Compilation *compilation, int32_t index, uint32_t *dims) \
    {                                                                                                                   \
        NN_ENTER();                                                                                                     \
        const Tensor *t = NULL;                                                                                         \
        int status = io_of(compilation, index, output, dims, &t);                                                       \
        for (uint32_t i = 0; !status && i < t->rank; i++) dims[i] = t->dims[i];                                         \
        return R(status);                                                                                               \
    }
PADDED(Input, false)
PADDED(Output, true)
