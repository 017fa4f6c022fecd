/* Executions: buffers in and out, running a program, events. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nn.h"

/* Gives every step its tensors: copies of the program's, whose data belong to one execution. */
void nn_program_bind(const Program *program, Tensor *tensors, Tensor **slots)
{
    memcpy(tensors, program->tensors, program->tensor_count * sizeof *tensors);
    for (uint32_t i = 0; i < program->step_count; i++)
        for (uint32_t j = 0; j < program->steps[i].inputs + program->steps[i].outputs; j++)
            *slots++ = &tensors[program->steps[i].indices[j]];
}

int nn_program_run(Program *program, Tensor *tensors, Tensor **slots)
{
    Workspace *workspace = nn_workspace_take(program);
    if (!workspace) return nn_fail(NN_OUT_OF_MEMORY, "no memory for %zu bytes of temporary tensors", program->arena_bytes);
    for (uint32_t i = 0; i < program->tensor_count; i++)
        if (program->offsets[i] != SIZE_MAX) tensors[i].data = workspace->arena + program->offsets[i];
    int status = NN_NO_ERROR;
    for (uint32_t i = 0; i < program->step_count && !status; i++) {
        const Step *step = &program->steps[i];
        Call call = {.code = step->operation->code, .form = step->form, .in = (const Tensor **)slots, .out = slots + step->inputs,
                     .inputs = step->inputs, .outputs = step->outputs, .scratch = &workspace->scratch, .prepared = step->prepared};
        status = nn_run(step->operation, &call);
        slots += step->inputs + step->outputs;
    }
    nn_workspace_give(program, workspace);
    return status;
}

int nn_execution_new(Compilation *compilation, Execution **execution)
{
    int status = nn_check(compilation, NN_COMPILATION_OBJECT);
    if (status) return status;
    if (!execution) return nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the execution is null");
    *execution = NULL;
    if (!compilation->finished) return nn_fail(NN_BAD_STATE, "the compilation is not finished");
    if (compilation->foreign) return nn_fail(NN_UNAVAILABLE_DEVICE, "the network was compiled for another SoC than this device's");
    Program *program = compilation->program;
    Execution *e = nn_new(NN_EXECUTION_OBJECT, sizeof *e);
    e->compilation = compilation;
    e->program = program;
    e->tensors = nn_alloc(program->tensor_count * sizeof *e->tensors);
    e->slots = nn_alloc(program->slots * sizeof *e->slots);
    e->given = nn_alloc((size_t)program->input_count + program->output_count);
    nn_program_bind(program, e->tensors, e->slots);
    __atomic_add_fetch(&program->users, 1, __ATOMIC_ACQ_REL);
    __atomic_add_fetch(&compilation->users, 1, __ATOMIC_ACQ_REL);
    *execution = e;
    return NN_NO_ERROR;
}

void nn_execution_free(Execution *execution, const char *who)
{
    if (execution && nn_check(execution, NN_EXECUTION_OBJECT) == NN_NO_ERROR &&
        __atomic_load_n(&execution->state, __ATOMIC_ACQUIRE) == NN_COMPUTING)
        nn_abort("%s: the execution is computing; wait for its event first", who);
    if (!nn_forget(execution, NN_EXECUTION_OBJECT, who)) return;
    __atomic_sub_fetch(&execution->compilation->users, 1, __ATOMIC_ACQ_REL);
    nn_program_drop(execution->program);
    free(execution->tensors);
    free(execution->slots);
    free(execution->given);
    free(execution);
}

static int changeable(Execution *execution)
{
    int status = nn_check(execution, NN_EXECUTION_OBJECT);
    if (status) return status;
    NnState state = __atomic_load_n(&execution->state, __ATOMIC_ACQUIRE);
    if (state == NN_COMPUTING) return nn_fail(NN_BAD_STATE, "the execution is computing");
    if (state == NN_COMPLETED && !execution->reusable) return nn_fail(NN_BAD_STATE, "the execution has run and is not reusable");
    return NN_NO_ERROR;
}

static int check_type(const Tensor *t, const OperandType *type)
{
    if (!type) return NN_NO_ERROR;
    bool same = type->type == t->type && (type->dimension_count == t->rank || type->dimension_count == 0);
    if (type->dimension_count && !type->dimensions) return nn_fail(NN_UNEXPECTED_NULL, "the dimensions are null");
    for (uint32_t i = 0; same && i < type->dimension_count; i++) same = !type->dimensions[i] || type->dimensions[i] == t->dims[i];
    return same ? NN_NO_ERROR : nn_fail(NN_BAD_DATA, "the given operand type differs from the model's");
}

int nn_execution_set(Execution *execution, bool output, int64_t index, const OperandType *type, void *buffer, size_t length)
{
    int status = changeable(execution);
    if (status) return status;
    const Program *program = execution->program;
    const char *what = output ? "output" : "input";
    if (index < 0 || index >= (output ? program->output_count : program->input_count))
        return nn_fail(NN_BAD_DATA, "there is no %s %lld", what, (long long)index);
    if (!buffer) {
        if (length) return nn_fail(NN_UNEXPECTED_NULL, "the buffer of %s %lld is null", what, (long long)index);
        return nn_fail(NN_BAD_DATA, "%s %lld may not be left out", what, (long long)index);
    }
    Tensor *t = &execution->tensors[output ? program->outputs[index] : program->inputs[index]];
    if ((status = check_type(t, type)) != 0) return status;
    size_t needed = nn_bytes(t);
    bool larger = execution->padding || execution->lenient;
    if (length < needed || (length > needed && !larger))
        return nn_fail(NN_BAD_DATA, "%s %lld has %zu bytes, the buffer %zu", what, (long long)index, needed, length);
    t->data = buffer;
    execution->given[index + (output ? program->input_count : 0)] = true;
    return NN_NO_ERROR;
}

int nn_execution_set_memory(Execution *execution, bool output, int64_t index, const OperandType *type, const Memory *memory,
                            size_t offset, size_t length)
{
    int status = changeable(execution);
    if (!status) status = nn_check(memory, NN_MEMORY_OBJECT);
    if (status) return status;
    if (memory->device && !offset && !length) length = memory->size;
    if (offset > memory->size || length > memory->size - offset)
        return nn_fail(NN_BAD_DATA, "offset %zu and length %zu reach beyond the memory of %zu bytes", offset, length, memory->size);
    if (output && !memory->writable) return nn_fail(NN_BAD_DATA, "the memory of an output must be writable");
    return nn_execution_set(execution, output, index, type, memory->data + offset, length);
}

static int begin(Execution *execution)
{
    int status = changeable(execution);
    if (status) return status;
    const Program *program = execution->program;
    for (uint32_t i = 0; i < program->input_count + program->output_count; i++)
        if (!execution->given[i])
            return nn_fail(NN_BAD_DATA, "%s %u has no buffer", i < program->input_count ? "input" : "output",
                           i < program->input_count ? i : i - program->input_count);
    __atomic_store_n(&execution->state, NN_COMPUTING, __ATOMIC_RELEASE);
    return NN_NO_ERROR;
}

static int run(Execution *execution)
{
    struct timespec from = {0, 0}, to = {0, 0};
    if (execution->measure) clock_gettime(CLOCK_MONOTONIC, &from);
    execution->status = nn_program_run(execution->program, execution->tensors, execution->slots);
    if (execution->measure) {
        clock_gettime(CLOCK_MONOTONIC, &to);
        execution->nanoseconds = (uint64_t)((to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec);
    }
    int status = execution->status;
    __atomic_store_n(&execution->state, NN_COMPLETED, __ATOMIC_RELEASE);
    return status;
}

int nn_execution_compute(Execution *execution)
{
    int status = begin(execution);
    return status ? status : run(execution);
}

static void *run_in_thread(void *execution) { return (void *)(intptr_t)run(execution); }

int nn_execution_start(Execution *execution, Event **event)
{
    if (!event) return nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the event is null");
    *event = NULL;
    int status = begin(execution);
    if (status) return status;
    Event *e = nn_new(NN_EVENT_OBJECT, sizeof *e);
    pthread_mutex_init(&e->lock, NULL);
    if (pthread_create(&e->thread, NULL, run_in_thread, execution) != 0) {
        e->joined = true;
        e->status = run(execution);
    }
    *event = e;
    return NN_NO_ERROR;
}

static int join(Event *event)
{
    pthread_mutex_lock(&event->lock);
    if (!event->joined) {
        void *status;
        pthread_join(event->thread, &status);
        event->status = (int)(intptr_t)status;
        event->joined = true;
    }
    pthread_mutex_unlock(&event->lock);
    return event->status;
}

int nn_event_wait(Event *event)
{
    int status = nn_check(event, NN_EVENT_OBJECT);
    return status ? status : join(event);
}

void nn_event_free(Event *event, const char *who)
{
    if (!nn_forget(event, NN_EVENT_OBJECT, who)) return;
    join(event);
    pthread_mutex_destroy(&event->lock);
    free(event);
}

int nn_execution_output(Execution *execution, int64_t index, const Tensor **tensor)
{
    int status = nn_check(execution, NN_EXECUTION_OBJECT);
    if (status) return status;
    if (__atomic_load_n(&execution->state, __ATOMIC_ACQUIRE) != NN_COMPLETED)
        return nn_fail(NN_BAD_STATE, "the execution has not completed");
    if (index < 0 || index >= execution->program->output_count) return nn_fail(NN_BAD_DATA, "there is no output %lld", (long long)index);
    *tensor = &execution->tensors[execution->program->outputs[index]];
    return NN_NO_ERROR;
}
