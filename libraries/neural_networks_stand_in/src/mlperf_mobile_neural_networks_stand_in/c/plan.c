/* Places temporary tensors in one arena; two may share bytes when they are never alive together. */
#include <stdlib.h>
#include <string.h>

#include "nn.h"

typedef struct {
    size_t at, size;
    uint32_t last; /* step after which it is free */
} Block;

/* Live blocks are sorted by position; the first gap that is large enough is taken. */
static size_t place(Block **live, size_t *count, size_t *room, size_t size, uint32_t last)
{
    size_t at = 0, i = 0;
    for (; i < *count && (*live)[i].at - at < size; i++) at = (*live)[i].at + (*live)[i].size;
    if (*count == *room) {
        *room = *room ? *room * 2 : 64;
        *live = realloc(*live, *room * sizeof **live);
        if (!*live) nn_abort("out of memory for a plan");
    }
    memmove(*live + i + 1, *live + i, (*count - i) * sizeof **live);
    (*live)[i] = (Block){at, size, last};
    ++*count;
    return at;
}

int nn_program_plan(Program *program)
{
    program->offsets = nn_alloc(program->tensor_count * sizeof *program->offsets);
    uint32_t *last = nn_alloc(program->tensor_count * sizeof *last);
    uint8_t *fixed = nn_alloc(program->tensor_count + 1);
    for (uint32_t i = 0; i < program->input_count; i++) fixed[program->inputs[i]] = 1;
    for (uint32_t i = 0; i < program->output_count; i++) fixed[program->outputs[i]] = 1;
    for (uint32_t i = 0; i < program->tensor_count; i++) program->offsets[i] = SIZE_MAX;
    for (uint32_t i = 0; i < program->step_count; i++)
        for (uint32_t j = 0; j < program->steps[i].inputs + program->steps[i].outputs; j++) last[program->steps[i].indices[j]] = i;
    Block *live = NULL;
    size_t count = 0, room = 0;
    for (uint32_t i = 0; i < program->step_count; i++) {
        const Step *step = &program->steps[i];
        for (uint32_t j = 0; j < step->outputs; j++) {
            uint32_t index = step->indices[step->inputs + j];
            if (fixed[index]) continue;
            size_t size = (nn_bytes(&program->tensors[index]) + 127) / 64 * 64;
            program->offsets[index] = place(&live, &count, &room, size, last[index]);
            if (program->offsets[index] + size > program->arena_bytes) program->arena_bytes = program->offsets[index] + size;
        }
        size_t kept = 0;
        for (size_t j = 0; j < count; j++)
            if (live[j].last > i) live[kept++] = live[j];
        count = kept;
    }
    free(live);
    free(last);
    free(fixed);
    if (program->arena_bytes > 2 * NN_MAX_BYTES) return nn_fail(NN_OUT_OF_MEMORY, "temporary tensors need %zu bytes", program->arena_bytes);
    return NN_NO_ERROR;
}
