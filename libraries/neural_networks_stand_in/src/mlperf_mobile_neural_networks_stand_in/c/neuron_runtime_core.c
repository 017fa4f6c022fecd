/* A loaded network with its buffers, behind both generations of the NeuroPilot runtime. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "neuron_runtime.h"

/* The runtime has fewer codes than NNAPI. */
int rt_code(int status)
{
    switch (status) {
    case NN_NO_ERROR: case NN_OUT_OF_MEMORY: case NN_INCOMPLETE: case NN_UNEXPECTED_NULL: case NN_BAD_DATA: return status;
    case NN_BAD_STATE: return RT_BAD_STATE;
    default: return RT_RUNTIME_ERROR;
    }
}

int rt_check(const void *runtime, bool second)
{
    int status = nn_check(runtime, NN_RUNTIME_OBJECT);
    if (!status && ((const Runtime *)runtime)->second != second)
        status = nn_fail(NN_BAD_DATA, "the runtime is from the other generation");
    return rt_code(status);
}

int rt_loaded(const void *runtime, bool second)
{
    int status = rt_check(runtime, second);
    if (status) return status;
    return ((const Runtime *)runtime)->program ? RT_NO_ERROR : rt_code(nn_fail(NN_BAD_STATE, "no network is loaded"));
}

Runtime *rt_new(bool second)
{
    Runtime *runtime = nn_new(NN_RUNTIME_OBJECT, sizeof *runtime);
    pthread_mutex_init(&runtime->lock, NULL);
    pthread_cond_init(&runtime->changed, NULL);
    runtime->second = second;
    runtime->boost = 100;
    return runtime;
}

int rt_load(Runtime *runtime, const void *buffer, size_t size)
{
    if (!buffer) return nn_fail(NN_UNEXPECTED_NULL, "the network is null");
    if (runtime->program) return nn_fail(NN_BAD_STATE, "a network is already loaded");
    void *blob = NULL;
    if (!size || size > NN_MAX_BYTES || posix_memalign(&blob, 64, size) != 0) return nn_fail(NN_BAD_DATA, "the network's size is wrong");
    memcpy(blob, buffer, size);
    Program *program = NULL;
    int status = nn_program_load(blob, size, nn_device_soc(), &program);
    if (status) return status;
    runtime->tensors = nn_alloc(program->tensor_count * sizeof *runtime->tensors);
    runtime->slots = nn_alloc(program->slots * sizeof *runtime->slots);
    runtime->bound = nn_alloc(((size_t)program->input_count + program->output_count) * sizeof *runtime->bound);
    nn_program_bind(program, runtime->tensors, runtime->slots);
    runtime->program = program;
    return NN_NO_ERROR;
}

int rt_load_file(Runtime *runtime, const char *path)
{
    if (!path) return nn_fail(NN_UNEXPECTED_NULL, "the path is null");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat facts;
    if (file < 0 || fstat(file, &facts) != 0 || facts.st_size <= 0) {
        if (file >= 0) close(file);
        return nn_fail(NN_BAD_DATA, "%s cannot be read", path);
    }
    void *mapping = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (mapping == MAP_FAILED) return nn_fail(NN_BAD_DATA, "%s cannot be mapped", path);
    int status = rt_load(runtime, mapping, (size_t)facts.st_size);
    munmap(mapping, (size_t)facts.st_size);
    return status;
}

int rt_io(const Runtime *runtime, uint64_t handle, bool output, const Tensor **tensor, uint32_t *place)
{
    const Program *program = runtime->program;
    if (handle >= (output ? program->output_count : program->input_count))
        return nn_fail(NN_BAD_DATA, "there is no %s %llu", output ? "output" : "input", (unsigned long long)handle);
    *tensor = &program->tensors[output ? program->outputs[handle] : program->inputs[handle]];
    if (place) *place = (uint32_t)handle + (output ? program->input_count : 0);
    return NN_NO_ERROR;
}

static void unbind(Bound *bound)
{
    if (bound->mapping) munmap(bound->mapping, bound->mapped);
    *bound = (Bound){NULL, NULL, 0, false};
}

/* With a descriptor the tensor lies in its memory, as with an ION buffer on the device; else in the given buffer. */
int rt_bind(Runtime *runtime, bool output, uint64_t handle, const void *buffer, size_t length, int fd, size_t offset)
{
    const Tensor *t = NULL;
    uint32_t place = 0;
    int status = rt_io(runtime, handle, output, &t, &place);
    if (status) return status;
    if (!buffer && fd < 0) return nn_fail(NN_UNEXPECTED_NULL, "the buffer is null");
    if (length < nn_bytes(t)) return nn_fail(NN_BAD_DATA, "the buffer has %zu bytes instead of %zu", length, nn_bytes(t));
    Bound bound = {.data = (uint8_t *)buffer + (buffer ? offset : 0), .set = true};
    if (fd >= 0) {
        struct stat facts;
        size_t end;
        if (fstat(fd, &facts) != 0 || __builtin_add_overflow(offset, length, &end) ||
            (S_ISREG(facts.st_mode) && end > (size_t)facts.st_size))
            return nn_fail(NN_BAD_DATA, "the descriptor is wrong or its memory too small");
        void *mapping = mmap(NULL, end, output ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
        if (mapping == MAP_FAILED) return nn_fail(NN_BAD_DATA, "the descriptor cannot be mapped");
        bound = (Bound){(uint8_t *)mapping + offset, mapping, end, true};
    }
    unbind(&runtime->bound[place]);
    runtime->bound[place] = bound;
    return NN_NO_ERROR;
}

int rt_run(Runtime *runtime)
{
    Program *program = runtime->program;
    for (uint32_t i = 0; i < program->input_count + program->output_count; i++) {
        if (!runtime->bound[i].set) return nn_fail(NN_BAD_DATA, "an input or output has no buffer");
        uint32_t index = i < program->input_count ? program->inputs[i] : program->outputs[i - program->input_count];
        runtime->tensors[index].data = runtime->bound[i].data;
    }
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    int status = nn_program_run(program, runtime->tensors, runtime->slots);
    clock_gettime(CLOCK_MONOTONIC, &to);
    runtime->profile.exec_time = (uint64_t)((to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000);
    return status;
}

int rt_set_qos(Runtime *runtime, const QoSOptions *options)
{
    if (!options) return nn_fail(NN_UNEXPECTED_NULL, "the options are null");
    if (options->preference < 0 || options->preference > 2 || options->priority < 0 || options->priority > 2 ||
        options->boost_value > 101 || options->power_policy < 0 || options->power_policy > 3)
        return nn_fail(NN_BAD_DATA, "preference %d, priority %d, boost %u or power policy %d is not known", options->preference,
                       options->priority, options->boost_value, options->power_policy);
    runtime->boost = options->boost_value > 100 ? 100 : options->boost_value;
    return NN_NO_ERROR;
}

int rt_profile(Runtime *runtime, ProfiledQoSData **profiled, uint8_t *boost)
{
    if (!profiled || !boost) return nn_fail(NN_UNEXPECTED_NULL, "an output pointer is null");
    runtime->profile.boost_value = runtime->boost;
    runtime->profile_pointer = &runtime->profile;
    runtime->one = 1;
    runtime->profiled = (ProfiledQoSData){&runtime->profile_pointer, &runtime->one, 1};
    if (!*profiled) *profiled = &runtime->profiled;
    else if (*profiled != &runtime->profiled) return nn_fail(NN_BAD_DATA, "the profiled data are not from this runtime");
    *boost = runtime->boost;
    return NN_NO_ERROR;
}

void rt_free(Runtime *runtime, const char *who)
{
    if (!nn_forget(runtime, NN_RUNTIME_OBJECT, who)) return;
    if (runtime->second) { /* waits until all requests are done */
        pthread_mutex_lock(&runtime->lock);
        while (runtime->waiting) pthread_cond_wait(&runtime->changed, &runtime->lock);
        pthread_mutex_unlock(&runtime->lock);
    }
    for (uint32_t i = 0; runtime->program && i < runtime->program->input_count + runtime->program->output_count; i++)
        unbind(&runtime->bound[i]);
    nn_program_drop(runtime->program);
    pthread_mutex_destroy(&runtime->lock);
    pthread_cond_destroy(&runtime->changed);
    free(runtime->tensors);
    free(runtime->slots);
    free(runtime->bound);
    free(runtime);
}
