/* Times queries without Python, to compare callers with: timed_loop LIBRARY HOW COUNT
 *
 * Loads the library, builds ADD over two float32[1,4] inputs, and runs COUNT queries. A query writes its inputs into the
 * memory object, computes, and checks one output. HOW: nnapi-burst, nnapi-compute (one reusable execution), nnapi-single (an
 * execution for each query), neuron. Prints the nanoseconds a query, as a decimal number. Of a stand-in this is the cost of
 * calls, not of a device. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    int32_t type;
    uint32_t count;
    const uint32_t *dimensions;
    float scale;
    int32_t zero_point;
} OperandType;

enum { FLOAT32_TENSOR = 3, INT32_SCALAR = 1, ADD = 0, VALUES = 4, BYTES = VALUES * sizeof(float), PLACE = 64 };

static void *library;
static const char *prefix;

static void *find(const char *name)
{
    char symbol[128];
    snprintf(symbol, sizeof symbol, "%s%s", prefix, name);
    void *found = dlsym(library, symbol);
    if (!found) {
        fprintf(stderr, "%s is missing\n", symbol);
        exit(2);
    }
    return found;
}

static void check(int code, const char *what)
{
    if (!code) return;
    fprintf(stderr, "%s returned %d\n", what, code);
    exit(2);
}

#define CALL(name, types, ...) check(((int(*) types)find(name))(__VA_ARGS__), name)

static void *model, *compilation;

static void build(void)
{
    const uint32_t dims[] = {1, VALUES}, in[] = {0, 1, 2}, out[] = {3};
    const OperandType tensor = {FLOAT32_TENSOR, 2, dims, 0, 0}, scalar = {INT32_SCALAR, 0, NULL, 0, 0};
    const int32_t none = 0;
    CALL("Model_create", (void **), &model);
    for (int i = 0; i < 4; i++) CALL("Model_addOperand", (void *, const OperandType *), model, i == 2 ? &scalar : &tensor);
    CALL("Model_setOperandValue", (void *, int32_t, const void *, size_t), model, 2, &none, sizeof none);
    CALL("Model_addOperation", (void *, int32_t, uint32_t, const uint32_t *, uint32_t, const uint32_t *), model, ADD, 3, in, 1, out);
    CALL("Model_identifyInputsAndOutputs", (void *, uint32_t, const uint32_t *, uint32_t, const uint32_t *), model, 2, in, 1, out);
    CALL("Model_finish", (void *), model);
    CALL("Compilation_create", (void *, void **), model, &compilation);
    CALL("Compilation_finish", (void *), compilation);
}

typedef int (*SetFn)(void *, int32_t, const OperandType *, const void *, size_t, size_t);

static void *execution_of(const void *memory)
{
    static int (*create)(void *, void **);
    static SetFn set_input, set_output;
    if (!create) {
        create = (int (*)(void *, void **))find("Execution_create");
        set_input = (SetFn)find("Execution_setInputFromMemory");
        set_output = (SetFn)find("Execution_setOutputFromMemory");
    }
    void *execution = NULL;
    check(create(compilation, &execution), "Execution_create");
    for (int i = 0; i < 2; i++)
        check(set_input(execution, i, NULL, memory, (size_t)i * PLACE, BYTES), "Execution_setInputFromMemory");
    check(set_output(execution, 0, NULL, memory, 2 * PLACE, BYTES), "Execution_setOutputFromMemory");
    return execution;
}

typedef void (*FreeFn)(void *);

static FreeFn free_function(const char *name) { return (FreeFn)find(name); }

int main(int count, char **arguments)
{
    if (count != 4) {
        fprintf(stderr, "timed_loop LIBRARY nnapi-burst|nnapi-compute|nnapi-single|neuron COUNT\n");
        return 2;
    }
    const char *how = arguments[2];
    long queries = strtol(arguments[3], NULL, 10);
    bool neuron = strcmp(how, "neuron") == 0, single = strcmp(how, "nnapi-single") == 0, burst = strcmp(how, "nnapi-burst") == 0;
    if (!neuron && !single && !burst && strcmp(how, "nnapi-compute") != 0) return 2;
    library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (!library || queries < 1) {
        fprintf(stderr, "%s\n", library ? "no queries" : dlerror());
        return 2;
    }
    prefix = neuron ? "Neuron" : "ANeuralNetworks";
    int fd = memfd_create("timed_loop", 0);
    if (fd < 0 || ftruncate(fd, 4096) != 0) return 2;
    float *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *memory = NULL, *burst_object = NULL, *execution = NULL;
    build();
    CALL("Memory_createFromFd", (size_t, int, int, size_t, void **), 4096, PROT_READ | PROT_WRITE, fd, 0, &memory);
    int (*compute)(void *) = (int (*)(void *))find("Execution_compute");
    int (*burst_compute)(void *, void *) = burst ? (int (*)(void *, void *))find("Execution_burstCompute") : NULL;
    void (*free_execution)(void *) = free_function("Execution_free");
    if (burst) CALL("Burst_create", (void *, void **), compilation, &burst_object);
    if (!single) {
        execution = execution_of(memory);
        if (!neuron) CALL("Execution_setReusable", (void *, bool), execution, true);
    }
    float *a = data, *b = data + PLACE / 4, *sum = data + 2 * PLACE / 4;
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (long i = 0; i < queries; i++) {
        for (int j = 0; j < VALUES; j++) a[j] = (float)(i & 1023), b[j] = (float)j;
        if (single) execution = execution_of(memory);
        check(burst ? burst_compute(execution, burst_object) : compute(execution), "compute");
        if (single) free_execution(execution);
        if (sum[3] != (float)(i & 1023) + 3) {
            fprintf(stderr, "the sum is wrong\n");
            return 1;
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    double nanoseconds = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
    printf("%.1f\n", nanoseconds / (double)queries);
    if (!single) free_execution(execution);
    if (burst) free_function("Burst_free")(burst_object);
    free_function("Memory_free")(memory);
    free_function("Compilation_free")(compilation);
    free_function("Model_free")(model);
    return 0;
}
