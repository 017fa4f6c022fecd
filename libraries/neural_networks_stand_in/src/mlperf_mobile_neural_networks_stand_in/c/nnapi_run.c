/* libneuralnetworks.so: NNAPI's executions, bursts and memory descriptions. */
#include <stdlib.h>

#include "nn.h"

static int check_one_device(const Compilation *compilation)
{
    if (compilation->explicit_devices && compilation->device_count == 1) return NN_NO_ERROR;
    return nn_fail(NN_BAD_DATA, "this needs a compilation created for exactly one device");
}

NN_EXPORT int ANeuralNetworksCompilation_setTimeout(Compilation *compilation, uint64_t duration)
{
    NN_ENTER();
    (void)duration;
    int status = nn_compilation_open(compilation);
    return status ? status : check_one_device(compilation);
}

static int not_started(Execution *execution)
{
    int status = nn_check(execution, NN_EXECUTION_OBJECT);
    if (status) return status;
    NnState state = __atomic_load_n(&execution->state, __ATOMIC_ACQUIRE);
    return state == NN_BUILDING ? NN_NO_ERROR : nn_fail(NN_BAD_STATE, "the execution has started already");
}

NN_EXPORT int ANeuralNetworksExecution_setReusable(Execution *execution, bool reusable)
{
    NN_ENTER();
    int status = not_started(execution);
    if (!status) execution->reusable = reusable;
    return status;
}

NN_EXPORT int ANeuralNetworksExecution_enableInputAndOutputPadding(Execution *execution, bool enable)
{
    NN_ENTER();
    int status = not_started(execution);
    if (status) return status;
    const Program *program = execution->program;
    for (uint32_t i = 0; i < program->input_count + program->output_count; i++)
        if (execution->given[i]) return nn_fail(NN_BAD_STATE, "a buffer has been set already");
    execution->padding = enable;
    return NN_NO_ERROR;
}

NN_EXPORT int ANeuralNetworksExecution_setTimeout(Execution *execution, uint64_t duration)
{
    NN_ENTER();
    (void)duration;
    int status = not_started(execution);
    return status ? status : check_one_device(execution->compilation);
}

NN_EXPORT int ANeuralNetworksExecution_setMeasureTiming(Execution *execution, bool measure)
{
    NN_ENTER();
    int status = not_started(execution);
    if (!status) status = check_one_device(execution->compilation);
    if (!status) execution->measure = measure;
    return status;
}

NN_EXPORT int ANeuralNetworksExecution_getDuration(const Execution *execution, int32_t code, uint64_t *duration)
{
    NN_ENTER();
    int status = nn_check(execution, NN_EXECUTION_OBJECT);
    if (status) return status;
    if (!duration) return nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the duration is null");
    *duration = UINT64_MAX;
    if (__atomic_load_n(&execution->state, __ATOMIC_ACQUIRE) != NN_COMPLETED || !execution->measure || execution->status)
        return nn_fail(NN_BAD_STATE, "the execution has not completed successfully, or was not measured");
    if (code < 0 || code > 3) return nn_fail(NN_BAD_DATA, "unknown duration code %d", code);
    *duration = execution->nanoseconds;
    return NN_NO_ERROR;
}

NN_EXPORT int ANeuralNetworksExecution_startCompute(Execution *execution, Event **event)
{
    NN_ENTER();
    return nn_execution_start(execution, event);
}

typedef struct {
    Compilation *compilation;
    int busy;
} Burst;

NN_EXPORT int ANeuralNetworksBurst_create(Compilation *compilation, Burst **burst)
{
    NN_ENTER();
    if (!burst) return nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the burst is null");
    *burst = NULL;
    int status = nn_check(compilation, NN_COMPILATION_OBJECT);
    if (status) return status;
    if (!compilation->finished) return nn_fail(NN_BAD_STATE, "the compilation is not finished");
    *burst = nn_new(NN_BURST_OBJECT, sizeof **burst);
    (*burst)->compilation = compilation;
    __atomic_add_fetch(&compilation->users, 1, __ATOMIC_ACQ_REL);
    return NN_NO_ERROR;
}

NN_EXPORT void ANeuralNetworksBurst_free(Burst *burst)
{
    NN_ENTER_VOID();
    if (!nn_forget(burst, NN_BURST_OBJECT, __func__)) return;
    __atomic_sub_fetch(&burst->compilation->users, 1, __ATOMIC_ACQ_REL);
    free(burst);
}

NN_EXPORT int ANeuralNetworksExecution_burstCompute(Execution *execution, Burst *burst)
{
    NN_ENTER();
    int status = nn_check(execution, NN_EXECUTION_OBJECT);
    if (!status) status = nn_check(burst, NN_BURST_OBJECT);
    if (status) return status;
    if (burst->compilation != execution->compilation) return nn_fail(NN_BAD_DATA, "burst and execution belong to different compilations");
    if (__atomic_exchange_n(&burst->busy, 1, __ATOMIC_ACQUIRE)) return nn_fail(NN_BAD_STATE, "the burst is in use");
    status = nn_execution_compute(execution);
    __atomic_store_n(&burst->busy, 0, __ATOMIC_RELEASE);
    return status;
}

/* A description of device memory: which inputs and outputs it is for. */
typedef struct {
    size_t bytes;
    Tensor shape;
    bool known, finished;
} MemoryDesc;

NN_EXPORT int ANeuralNetworksMemoryDesc_create(MemoryDesc **desc)
{
    NN_ENTER();
    if (!desc) return nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the description is null");
    *desc = nn_new(NN_DESC_OBJECT, sizeof **desc);
    return NN_NO_ERROR;
}

NN_EXPORT void ANeuralNetworksMemoryDesc_free(MemoryDesc *desc)
{
    NN_ENTER_VOID();
    if (nn_forget(desc, NN_DESC_OBJECT, __func__)) free(desc);
}

static int add_role(MemoryDesc *desc, const Compilation *compilation, uint32_t index, float frequency, bool output)
{
    int status = nn_check(desc, NN_DESC_OBJECT);
    if (!status) status = nn_check(compilation, NN_COMPILATION_OBJECT);
    if (status) return status;
    if (desc->finished) return nn_fail(NN_BAD_STATE, "the description is finished");
    if (!compilation->finished) return nn_fail(NN_BAD_DATA, "the compilation is not finished");
    if (!(frequency > 0 && frequency <= 1)) return nn_fail(NN_BAD_DATA, "the frequency is not in (0, 1]");
    const Program *program = compilation->program;
    if (index >= (output ? program->output_count : program->input_count)) return nn_fail(NN_BAD_DATA, "there is no operand %u", index);
    const Tensor *t = &program->tensors[output ? program->outputs[index] : program->inputs[index]];
    if (desc->known && (desc->shape.type != t->type || desc->bytes != nn_bytes(t)))
        return nn_fail(NN_BAD_DATA, "the roles' operands differ");
    desc->shape = *t;
    desc->bytes = nn_bytes(t);
    desc->known = true;
    return NN_NO_ERROR;
}

NN_EXPORT int ANeuralNetworksMemoryDesc_addInputRole(MemoryDesc *desc, const Compilation *compilation, uint32_t index, float frequency)
{
    NN_ENTER();
    return add_role(desc, compilation, index, frequency, false);
}

NN_EXPORT int ANeuralNetworksMemoryDesc_addOutputRole(MemoryDesc *desc, const Compilation *compilation, uint32_t index, float frequency)
{
    NN_ENTER();
    return add_role(desc, compilation, index, frequency, true);
}

NN_EXPORT int ANeuralNetworksMemoryDesc_setDimensions(MemoryDesc *desc, uint32_t rank, const uint32_t *dimensions)
{
    NN_ENTER();
    int status = nn_check(desc, NN_DESC_OBJECT);
    if (status) return status;
    if (!dimensions && rank) return nn_fail(NN_UNEXPECTED_NULL, "the dimensions are null");
    return desc->finished ? nn_fail(NN_BAD_STATE, "the description is finished") : NN_NO_ERROR;
}

NN_EXPORT int ANeuralNetworksMemoryDesc_finish(MemoryDesc *desc)
{
    NN_ENTER();
    int status = nn_check(desc, NN_DESC_OBJECT);
    if (status) return status;
    if (desc->finished) return nn_fail(NN_BAD_STATE, "the description is already finished");
    if (!desc->known) return nn_fail(NN_BAD_DATA, "the description has no role");
    desc->finished = true;
    return NN_NO_ERROR;
}

NN_EXPORT int ANeuralNetworksMemory_createFromDesc(const MemoryDesc *desc, Memory **memory)
{
    NN_ENTER();
    if (!memory) return nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the memory is null");
    *memory = NULL;
    int status = nn_check(desc, NN_DESC_OBJECT);
    if (status) return status;
    if (!desc->finished) return nn_fail(NN_BAD_STATE, "the description is not finished");
    return nn_memory_of_size(desc->bytes, memory);
}
