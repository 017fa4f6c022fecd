/* The second generation of the runtime: requests carry their buffers and may run in the background. */
#include <stdlib.h>
#include <string.h>

#include "neuron_runtime.h"

typedef struct {
    void *buffer;
    size_t length;
    int fd, offset;
    uint64_t reserved[2];
} IOBuffer;

typedef struct {
    IOBuffer *inputs, *outputs;
    void (*finished)(uint64_t job, void *opaque, int status);
    void *opaque;
} AsyncRequest;

typedef struct {
    IOBuffer *inputs, *outputs;
} SyncRequest;

static int create(const char *path, const void *buffer, size_t size, size_t threads, void **result, size_t backlog)
{
    if (!result) return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the runtime is null"));
    *result = NULL;
    if (!threads || !backlog) return rt_code(nn_fail(NN_BAD_DATA, "there must be at least one thread and room for one request"));
    Runtime *runtime = rt_new(true);
    runtime->backlog = backlog;
    int status = path ? rt_load_file(runtime, path) : rt_load(runtime, buffer, size);
    if (status) rt_free(runtime, "");
    else *result = runtime;
    return rt_code(status);
}

NN_EXPORT int NeuronRuntimeV2_create(const char *path, size_t threads, void **runtime, size_t backlog)
{
    NN_ENTER();
    return create(path, NULL, 0, threads, runtime, backlog);
}

NN_EXPORT int NeuronRuntimeV2_create_with_options(const char *path, size_t threads, void **runtime, size_t backlog, const char *options)
{
    NN_ENTER();
    (void)options;
    return create(path, NULL, 0, threads, runtime, backlog);
}

NN_EXPORT int NeuronRuntimeV2_createFromBuffer(const void *buffer, size_t size, size_t threads, void **runtime, size_t backlog)
{
    NN_ENTER();
    return create(NULL, buffer, size, threads, runtime, backlog);
}

NN_EXPORT int NeuronRuntimeV2_createFromBuffer_with_options(const void *buffer, size_t size, size_t threads, void **runtime,
                                                            size_t backlog, const char *options)
{
    NN_ENTER();
    (void)options;
    return create(NULL, buffer, size, threads, runtime, backlog);
}

NN_EXPORT void NeuronRuntimeV2_release(void *runtime)
{
    NN_ENTER_VOID();
    rt_free(runtime, __func__);
}

/* The caller holds the lock: one request runs at a time, whatever the number of threads. */
static int run(Runtime *runtime, const IOBuffer *inputs, const IOBuffer *outputs)
{
    const Program *program = runtime->program;
    for (uint32_t i = 0; i < program->input_count + program->output_count; i++) {
        bool output = i >= program->input_count;
        const IOBuffer *b = output ? &outputs[i - program->input_count] : &inputs[i];
        if (b->offset < 0) return nn_fail(NN_BAD_DATA, "an offset is negative");
        int status = rt_bind(runtime, output, output ? i - program->input_count : i, b->buffer, b->length, b->fd, (size_t)b->offset);
        if (status) return status;
    }
    return rt_run(runtime);
}

NN_EXPORT int NeuronRuntimeV2_run(void *handle, SyncRequest request)
{
    NN_ENTER();
    int status = rt_loaded(handle, true);
    if (status) return status;
    if (!request.inputs || !request.outputs) return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the inputs or outputs are null"));
    Runtime *runtime = handle;
    pthread_mutex_lock(&runtime->lock);
    status = run(runtime, request.inputs, request.outputs);
    pthread_mutex_unlock(&runtime->lock);
    return rt_code(status);
}

typedef struct {
    Runtime *runtime;
    AsyncRequest request;
    uint64_t job;
} Job;

static void *work(void *argument)
{
    Job *job = argument;
    Runtime *runtime = job->runtime;
    pthread_mutex_lock(&runtime->lock);
    int status = run(runtime, job->request.inputs, job->request.outputs);
    pthread_mutex_unlock(&runtime->lock);
    job->request.finished(job->job, job->request.opaque, rt_code(status));
    free(job);
    pthread_mutex_lock(&runtime->lock);
    runtime->waiting--;
    pthread_cond_broadcast(&runtime->changed);
    pthread_mutex_unlock(&runtime->lock);
    return NULL;
}

NN_EXPORT int NeuronRuntimeV2_enqueue(void *handle, AsyncRequest request, uint64_t *id)
{
    NN_ENTER();
    int status = rt_loaded(handle, true);
    if (status) return status;
    if (!request.inputs || !request.outputs || !request.finished || !id)
        return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the inputs, outputs, callback or output pointer for the job's number are null"));
    Runtime *runtime = handle;
    Job *job = nn_alloc(sizeof *job);
    pthread_mutex_lock(&runtime->lock);
    while (runtime->waiting >= runtime->backlog) pthread_cond_wait(&runtime->changed, &runtime->lock);
    *id = runtime->next_job++;
    *job = (Job){runtime, request, *id};
    pthread_t thread;
    bool started = pthread_create(&thread, NULL, work, job) == 0;
    if (started) runtime->waiting++;
    pthread_mutex_unlock(&runtime->lock);
    if (started) {
        pthread_detach(thread);
        return RT_NO_ERROR;
    }
    free(job);
    return rt_code(nn_fail(NN_OUT_OF_MEMORY, "no thread can be started"));
}

NN_EXPORT int NeuronRuntimeV2_setInputShape(void *runtime, uint64_t handle, uint32_t *dims, uint32_t rank)
{
    NN_ENTER();
    (void)handle, (void)dims, (void)rank;
    int status = rt_loaded(runtime, true);
    return status ? status : rt_code(nn_fail(NN_BAD_DATA, "the network has no dynamic shapes"));
}

NN_EXPORT int NeuronRuntimeV2_setQoSOption(void *runtime, const QoSOptions *options)
{
    NN_ENTER();
    int status = rt_check(runtime, true);
    return status ? status : rt_code(rt_set_qos(runtime, options));
}

NN_EXPORT int NeuronRuntimeV2_getProfiledQoSData(void *runtime, ProfiledQoSData **profiled, uint8_t *boost)
{
    NN_ENTER();
    int status = rt_loaded(runtime, true);
    return status ? status : rt_code(rt_profile(runtime, profiled, boost));
}

NN_EXPORT int NeuronRuntimeV2_getMetadataInfo(void *runtime, const char *key, size_t *size)
{
    NN_ENTER();
    int status = rt_loaded(runtime, true);
    if (status) return status;
    if (!key || !size) return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the key or the output pointer for the size is null"));
    *size = 0;
    return RT_NO_ERROR;
}

NN_EXPORT int NeuronRuntimeV2_getMetadata(void *runtime, const char *key, char *data, size_t size)
{
    NN_ENTER();
    int status = rt_loaded(runtime, true);
    if (status) return status;
    if (!key || !data) return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the key or the output pointer for the data is null"));
    return rt_code(nn_fail(NN_BAD_DATA, "there are no metadata, and %zu bytes are requested", size));
}

#define P(name) NeuronRuntimeV2_##name
#define SECOND true
#include "neuron_runtime_queries.h"
