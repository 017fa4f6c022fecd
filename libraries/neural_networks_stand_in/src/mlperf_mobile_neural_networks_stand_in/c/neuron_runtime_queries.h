/* Questions about inputs and outputs, the same in both generations. The front defines P(name), the symbol, and SECOND. */

#define QUERIES(name, function, output)                                                                          \
    static int size_of_##function(void *runtime, uint64_t handle, size_t *size)                                  \
    {                                                                                                            \
        const Tensor *t = NULL;                                                                                   \
        int status = rt_loaded(runtime, SECOND);                                                                 \
        if (status) return status;                                                                               \
        if (!size) return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the size is null"));       \
        status = rt_io(runtime, handle, output, &t, NULL);                                                       \
        if (!status) *size = nn_bytes(t);                                                                        \
        return rt_code(status);                                                                                  \
    }                                                                                                            \
    static int dimensions_of_##function(void *runtime, uint64_t handle, RuntimeDimensions *dims)                 \
    {                                                                                                            \
        const Tensor *t = NULL;                                                                                   \
        int status = rt_loaded(runtime, SECOND);                                                                 \
        if (status) return status;                                                                               \
        if (!dims) return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the dimensions is null")); \
        status = rt_io(runtime, handle, output, &t, NULL);                                                       \
        if (!status && t->rank > 4) status = nn_fail(NN_BAD_DATA, "the rank is higher than 4");                  \
        for (uint32_t i = 0; !status && i < 4; i++)                                                              \
            dims->dimensions[i] = i < 4 - t->rank ? 1 : t->dims[i - (4 - t->rank)];                              \
        return rt_code(status);                                                                                  \
    }                                                                                                            \
    NN_EXPORT int P(get##name##Number)(void *runtime, size_t *count)                                             \
    {                                                                                                            \
        NN_ENTER();                                                                                              \
        int status = rt_loaded(runtime, SECOND);                                                                 \
        if (status) return status;                                                                               \
        if (!count) return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the number is null"));    \
        const Program *program = ((Runtime *)runtime)->program;                                                  \
        *count = output ? program->output_count : program->input_count;                                          \
        return RT_NO_ERROR;                                                                                      \
    }                                                                                                            \
    NN_EXPORT int P(get##name##Rank)(void *runtime, uint64_t handle, uint32_t *rank)                             \
    {                                                                                                            \
        NN_ENTER();                                                                                              \
        const Tensor *t = NULL;                                                                                   \
        int status = rt_loaded(runtime, SECOND);                                                                 \
        if (status) return status;                                                                               \
        if (!rank) return rt_code(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the rank is null"));       \
        status = rt_io(runtime, handle, output, &t, NULL);                                                       \
        if (!status) *rank = t->rank;                                                                            \
        return rt_code(status);                                                                                  \
    }                                                                                                            \
    NN_EXPORT int P(get##name##Size)(void *runtime, uint64_t handle, size_t *size)                               \
    {                                                                                                            \
        NN_ENTER();                                                                                              \
        return size_of_##function(runtime, handle, size);                                                        \
    }                                                                                                            \
    NN_EXPORT int P(get##name##PaddedSize)(void *runtime, uint64_t handle, size_t *size)                         \
    {                                                                                                            \
        NN_ENTER();                                                                                              \
        return size_of_##function(runtime, handle, size);                                                        \
    }                                                                                                            \
    NN_EXPORT int P(get##name##PaddedDimensions)(void *runtime, uint64_t handle, RuntimeDimensions *dims)        \
    {                                                                                                            \
        NN_ENTER();                                                                                              \
        return dimensions_of_##function(runtime, handle, dims);                                                  \
    }
QUERIES(Input, input, false)
QUERIES(Output, output, true)
