/* Reductions over dimensions, arg max and min, the k largest. */
#include <math.h>
#include <stdlib.h>

#include "kernels.h"

static int read_axes(const Call *call, bool *reduced)
{
    const Tensor *in = call->in[0], *axes = call->in[1];
    const char *name = nn_operation_name(call->code);
    NN_NEEDS(axes->data, "%s: the axes must be constant", name);
    for (uint32_t i = 0; i < NN_MAX_RANK; i++) reduced[i] = false;
    for (size_t i = 0; i < nn_count(axes); i++) {
        uint32_t axis;
        NN_CHECK(nn_axis(((const int32_t *)axes->data)[i], in->rank, &axis), "%s: an axis is out of range", name);
        reduced[axis] = true;
    }
    return NN_NO_ERROR;
}

int nn_reduce_shape(const Call *call, Tensor *out)
{
    const Tensor *in = call->in[0];
    bool reduced[NN_MAX_RANK], keep = call->code == NN_MEAN ? nn_int(call, 2) > 0 : nn_flag(call, 2);
    int status = read_axes(call, reduced);
    if (status) return status;
    for (uint32_t i = 0; i < in->rank; i++) {
        if (!reduced[i]) out->dims[out->rank++] = in->dims[i];
        else if (keep) out->dims[out->rank++] = 1;
    }
    if (!out->rank) out->dims[out->rank++] = 1;
    return NN_NO_ERROR;
}

static void reduce_real(const Call *call, size_t outer, size_t n, size_t inner, const float *from, float *to)
{
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++) {
            const float *x = from + o * n * inner + i;
            double total = call->code == NN_REDUCE_PROD ? 1 : 0;
            float best = x[0];
            for (size_t j = 0; j < n; j++) {
                float value = x[j * inner];
                if (call->code == NN_REDUCE_MAX) best = value > best ? value : best;
                else if (call->code == NN_REDUCE_MIN) best = value < best ? value : best;
                else if (call->code == NN_REDUCE_PROD) total *= value;
                else total += value;
            }
            if (call->code == NN_MEAN) total /= (double)n;
            to[o * inner + i] = call->code == NN_REDUCE_MAX || call->code == NN_REDUCE_MIN ? best : (float)total;
        }
}

static void reduce_bool(const Call *call, size_t outer, size_t n, size_t inner, const uint8_t *from, uint8_t *to)
{
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++) {
            bool all = true, any = false;
            for (size_t j = 0; j < n; j++) {
                all = all && from[(o * n + j) * inner + i];
                any = any || from[(o * n + j) * inner + i];
            }
            to[o * inner + i] = call->code == NN_REDUCE_ALL ? all : any;
        }
}

/* One axis after the other, from the last on; neighbouring axes are taken together. */
int nn_reduce_run(const Call *call)
{
    Tensor now = *call->in[0];
    bool reduced[NN_MAX_RANK], is_bool = now.type == NN_TENSOR_BOOL8;
    int status = read_axes(call, reduced);
    if (status) return status;
    size_t bytes = nn_bytes(&now);
    void *rooms[2] = {nn_scratch(call, bytes), nn_scratch(call, bytes)};
    int turn = 0;
    for (uint32_t end = now.rank; end-- > 0;) {
        if (!reduced[end]) continue;
        uint32_t start = end;
        while (start > 0 && reduced[start - 1]) start--;
        size_t outer = nn_outer(&now, start), n = 1, inner = nn_inner(&now, end + 1);
        for (uint32_t i = start; i <= end; i++) {
            n *= now.dims[i];
            now.dims[i] = 1;
        }
        void *to = rooms[turn];
        if (is_bool) reduce_bool(call, outer, n, inner, now.data, to);
        else reduce_real(call, outer, n, inner, now.data, to);
        now.data = to;
        turn ^= 1;
        end = start;
        if (!end) break;
    }
    memcpy(call->out[0]->data, now.data, nn_bytes(call->out[0]));
    return NN_NO_ERROR;
}

int nn_arg_shape(const Call *call, Tensor *out)
{
    const Tensor *in = call->in[0];
    uint32_t axis;
    NN_CHECK(nn_axis(nn_int(call, 1), in->rank, &axis), "%s: axis %d is out of range", nn_operation_name(call->code), nn_int(call, 1));
    for (uint32_t i = 0; i < in->rank; i++)
        if (i != axis) out->dims[out->rank++] = in->dims[i];
    if (!out->rank) out->dims[out->rank++] = 1;
    return NN_NO_ERROR;
}

/* Order of stored numbers is order of real values, for all types here. */
static double number(const Tensor *t, size_t i)
{
    if (t->type == NN_TENSOR_FLOAT32) return ((const float *)t->data)[i];
    if (t->type == NN_TENSOR_FLOAT16) return nn_half_to_float(((const uint16_t *)t->data)[i]);
    if (t->type == NN_TENSOR_INT32) return ((const int32_t *)t->data)[i];
    return t->type == NN_TENSOR_QUANT8_ASYMM ? ((const uint8_t *)t->data)[i] : ((const int8_t *)t->data)[i];
}

int nn_arg_run(const Call *call)
{
    const Tensor *in = call->in[0];
    uint32_t axis = 0;
    nn_axis(nn_int(call, 1), in->rank, &axis);
    size_t outer = nn_outer(in, axis), n = in->dims[axis], inner = nn_inner(in, axis + 1);
    int32_t *to = call->out[0]->data;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++) {
            size_t best = 0;
            double best_value = number(in, o * n * inner + i);
            for (size_t j = 1; j < n; j++) {
                double value = number(in, (o * n + j) * inner + i);
                if (call->code == NN_ARGMAX ? value > best_value : value < best_value) best = j, best_value = value;
            }
            to[o * inner + i] = (int32_t)best;
        }
    return NN_NO_ERROR;
}

int nn_topk_shape(const Call *call, Tensor *out)
{
    const Tensor *in = call->in[0];
    int32_t k = nn_int(call, 1);
    NN_CHECK(k > 0 && (uint32_t)k <= in->dims[in->rank - 1], "TOPK_V2: k = %d is out of range", k);
    for (uint32_t i = 0; i < 2; i++) {
        nn_same_dims(&out[i], in);
        out[i].dims[in->rank - 1] = (uint32_t)k;
    }
    return NN_NO_ERROR;
}

typedef struct {
    double value;
    int32_t index;
} Ranked;

/* Larger first; of equals the one with the lower index. */
static int by_rank(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

int nn_topk_run(const Call *call)
{
    const Tensor *in = call->in[0];
    size_t n = in->dims[in->rank - 1], rows = nn_outer(in, in->rank - 1), k = (size_t)nn_int(call, 1), size = nn_type_size(in->type);
    Ranked *ranked = nn_scratch(call, n * sizeof *ranked);
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < n; i++) ranked[i] = (Ranked){number(in, row * n + i), (int32_t)i};
        qsort(ranked, n, sizeof *ranked, by_rank);
        for (size_t i = 0; i < k; i++) {
            memcpy((uint8_t *)call->out[0]->data + (row * k + i) * size,
                   (const uint8_t *)in->data + (row * n + (size_t)ranked[i].index) * size, size);
            ((int32_t *)call->out[1]->data)[row * k + i] = ranked[i].index;
        }
    }
    return NN_NO_ERROR;
}
