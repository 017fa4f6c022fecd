/* libneuron_runtime.so: the C ABI of the NeuroPilot SDK's NeuronRuntime, a stand-in. It runs what the adapter stored. */
#include <string.h>

#include "neuron_runtime.h"

const int nn_default_level = 8;
const char nn_default_devices[] = "stand-in-mdla:accelerator";

int nn_code_of_name(const char *name)
{
    static const char *const names[] = {"NO_ERROR", "OUT_OF_MEMORY", "INCOMPLETE", "UNEXPECTED_NULL", "BAD_DATA", "BAD_STATE",
                                        "RUNTIME_ERROR"};
    for (int i = 0; i < 7; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

typedef struct {
    uint32_t device_kind;
    int core_mode;
    uint8_t cpu_threads;
    bool suppress_input_conversion, suppress_output_conversion;
} EnvOptions;

static int create(const EnvOptions *options, void **runtime)
{
    enum { HARDWARE = 4, NULL_DEVICE = 1 };
    if (!runtime || !options) return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the options or the place for the runtime are null"));
    *runtime = NULL;
    if (!(options->device_kind & (HARDWARE | NULL_DEVICE)))
        return rt_code(nn_fail(NN_BAD_DATA, "unknown device kind %u", options->device_kind));
    *runtime = rt_new(false);
    return RT_NO_ERROR;
}

NN_EXPORT int NeuronRuntime_create(const EnvOptions *options, void **runtime)
{
    NN_ENTER();
    return create(options, runtime);
}

NN_EXPORT int NeuronRuntime_create_with_options(const char *text, const EnvOptions *options, void **runtime)
{
    NN_ENTER();
    if (!text) return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the options are null"));
    return create(options, runtime);
}

NN_EXPORT int NeuronRuntime_clone(void *old, void **runtime)
{
    NN_ENTER();
    int status = rt_loaded(old, false);
    if (status) return status;
    if (!runtime) return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the runtime is null"));
    const Program *program = ((Runtime *)old)->program;
    *runtime = rt_new(false);
    return rt_code(rt_load(*runtime, program->blob, program->size));
}

NN_EXPORT int NeuronRuntime_loadNetworkFromFile(void *runtime, const char *path)
{
    NN_ENTER();
    int status = rt_check(runtime, false);
    return status ? status : rt_code(rt_load_file(runtime, path));
}

NN_EXPORT int NeuronRuntime_loadNetworkFromBuffer(void *runtime, const void *buffer, size_t size)
{
    NN_ENTER();
    int status = rt_check(runtime, false);
    return status ? status : rt_code(rt_load(runtime, buffer, size));
}

static int bind(void *runtime, bool output, uint64_t handle, const void *buffer, size_t length, BufferAttribute attribute, size_t offset)
{
    int status = rt_loaded(runtime, false);
    return status ? status : rt_code(rt_bind(runtime, output, handle, buffer, length, attribute.ion_fd, offset));
}

NN_EXPORT int NeuronRuntime_setInput(void *runtime, uint64_t handle, const void *buffer, size_t length, BufferAttribute attribute)
{
    NN_ENTER();
    return bind(runtime, false, handle, buffer, length, attribute, 0);
}

NN_EXPORT int NeuronRuntime_setOffsetedInput(void *runtime, uint64_t handle, const void *buffer, size_t length,
                                             BufferAttribute attribute, size_t offset)
{
    NN_ENTER();
    return bind(runtime, false, handle, buffer, length, attribute, offset);
}

NN_EXPORT int NeuronRuntime_setOutput(void *runtime, uint64_t handle, void *buffer, size_t length, BufferAttribute attribute)
{
    NN_ENTER();
    return bind(runtime, true, handle, buffer, length, attribute, 0);
}

NN_EXPORT int NeuronRuntime_setOffsetedOutput(void *runtime, uint64_t handle, void *buffer, size_t length, BufferAttribute attribute,
                                              size_t offset)
{
    NN_ENTER();
    return bind(runtime, true, handle, buffer, length, attribute, offset);
}

static int only_one(const void *runtime, bool output)
{
    int status = rt_loaded(runtime, false);
    if (status) return status;
    const Program *program = ((const Runtime *)runtime)->program;
    return rt_code((output ? program->output_count : program->input_count) == 1
                       ? NN_NO_ERROR : nn_fail(NN_INCOMPLETE, "the network has more than one"));
}

NN_EXPORT int NeuronRuntime_setSingleInput(void *runtime, const void *buffer, size_t length, BufferAttribute attribute)
{
    NN_ENTER();
    int status = only_one(runtime, false);
    return status ? status : bind(runtime, false, 0, buffer, length, attribute, 0);
}

NN_EXPORT int NeuronRuntime_setSingleOutput(void *runtime, void *buffer, size_t length, BufferAttribute attribute)
{
    NN_ENTER();
    int status = only_one(runtime, true);
    return status ? status : bind(runtime, true, 0, buffer, length, attribute, 0);
}

NN_EXPORT int NeuronRuntime_setInputShape(void *runtime, uint64_t handle, uint32_t *dims, uint32_t rank)
{
    NN_ENTER();
    (void)handle, (void)dims, (void)rank;
    int status = rt_loaded(runtime, false);
    return status ? status : rt_code(nn_fail(NN_BAD_DATA, "the network has no dynamic shapes"));
}

NN_EXPORT int NeuronRuntime_setQoSOption(void *runtime, const QoSOptions *options)
{
    NN_ENTER();
    int status = rt_check(runtime, false);
    return status ? status : rt_code(rt_set_qos(runtime, options));
}

NN_EXPORT int NeuronRuntime_getProfiledQoSData(void *runtime, ProfiledQoSData **profiled, uint8_t *boost)
{
    NN_ENTER();
    int status = rt_loaded(runtime, false);
    return status ? status : rt_code(rt_profile(runtime, profiled, boost));
}

NN_EXPORT int NeuronRuntime_getMetadataInfo(void *runtime, const char *key, size_t *size)
{
    NN_ENTER();
    int status = rt_loaded(runtime, false);
    if (status) return status;
    if (!key || !size) return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the key or the output pointer for the size is null"));
    *size = 0; /* the stand-in's networks have no metadata */
    return RT_NO_ERROR;
}

NN_EXPORT int NeuronRuntime_getMetadata(void *runtime, const char *key, char *data, size_t size)
{
    NN_ENTER();
    int status = rt_loaded(runtime, false);
    if (status) return status;
    if (!key || !data) return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the key or the output pointer for the data is null"));
    return rt_code(nn_fail(NN_BAD_DATA, "there are no metadata, and %zu bytes are requested", size));
}

NN_EXPORT int NeuronRuntime_inference(void *runtime)
{
    NN_ENTER();
    int status = rt_loaded(runtime, false);
    return status ? status : rt_code(rt_run(runtime));
}

NN_EXPORT void NeuronRuntime_release(void *runtime)
{
    NN_ENTER_VOID();
    rt_free(runtime, __func__);
}

NN_EXPORT int NeuronRuntime_getVersion(uint8_t *version)
{
    NN_ENTER();
    if (!version) return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the version is null"));
    nn_library_version(version);
    return RT_NO_ERROR;
}

#define P(name) NeuronRuntime_##name
#define SECOND false
#include "neuron_runtime_queries.h"

#define SINGLE(name, general, output, type)                                            \
    NN_EXPORT int NeuronRuntime_getSingle##name(void *runtime, type *answer)           \
    {                                                                                  \
        NN_ENTER();                                                                    \
        int status = only_one(runtime, output);                                        \
        return status ? status : general(runtime, 0, answer);                          \
    }
SINGLE(InputSize, size_of_input, false, size_t)
SINGLE(InputPaddedSize, size_of_input, false, size_t)
SINGLE(InputPaddedDimensions, dimensions_of_input, false, RuntimeDimensions)
SINGLE(OutputSize, size_of_output, true, size_t)
SINGLE(OutputPaddedSize, size_of_output, true, size_t)
SINGLE(OutputPaddedDimensions, dimensions_of_output, true, RuntimeDimensions)
