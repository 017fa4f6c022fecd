/* Operations that only move elements, of any size: reshape, join, split, transpose, tile, reverse, gather. */
#include "kernels.h"

static int reshape_dims(const Call *call, Tensor *out)
{
    const Tensor *in = call->in[0], *shape = call->in[1];
    NN_NEEDS(shape->data, "RESHAPE: the shape must be constant");
    NN_CHECK(shape->rank == 1 && shape->dims[0] <= NN_MAX_RANK, "RESHAPE: the shape must be one list");
    size_t known = 1;
    int64_t open = -1;
    for (uint32_t i = 0; i < shape->dims[0]; i++) {
        int32_t d = ((const int32_t *)shape->data)[i];
        NN_CHECK(d > 0 || (d == -1 && open < 0), "RESHAPE: dimension %d is not allowed", d);
        if (d < 0) open = i;
        else NN_CHECK(!__builtin_mul_overflow(known, (size_t)d, &known), "RESHAPE: the shape is too large");
        out->dims[i] = (uint32_t)d;
    }
    out->rank = shape->dims[0];
    size_t all = nn_count(in);
    if (open >= 0) {
        NN_CHECK(all % known == 0, "RESHAPE: %zu elements do not fit the shape", all);
        out->dims[open] = (uint32_t)(all / known);
    } else {
        NN_CHECK(all == known, "RESHAPE: %zu elements are not %zu", all, known);
    }
    return NN_NO_ERROR;
}

static int squeeze_dims(const Call *call, Tensor *out)
{
    const Tensor *in = call->in[0];
    bool drop[NN_MAX_RANK] = {false};
    if (call->inputs > 1) {
        const Tensor *axes = call->in[1];
        NN_NEEDS(axes->data, "SQUEEZE: the dimensions must be constant");
        for (size_t i = 0; i < nn_count(axes); i++) {
            uint32_t axis;
            NN_CHECK(nn_axis(((const int32_t *)axes->data)[i], in->rank, &axis), "SQUEEZE: a dimension is out of range");
            NN_CHECK(in->dims[axis] == 1, "SQUEEZE: dimension %u is not 1", axis);
            drop[axis] = true;
        }
    }
    for (uint32_t i = 0; i < in->rank; i++)
        if (call->inputs > 1 ? !drop[i] : in->dims[i] != 1) out->dims[out->rank++] = in->dims[i];
    if (!out->rank) out->dims[out->rank++] = 1;
    return NN_NO_ERROR;
}

/* RESHAPE, SQUEEZE, EXPAND_DIMS. */
int nn_reshape_shape(const Call *call, Tensor *out)
{
    if (call->code == NN_RESHAPE) return reshape_dims(call, out);
    if (call->code == NN_SQUEEZE) return squeeze_dims(call, out);
    const Tensor *in = call->in[0];
    uint32_t axis;
    NN_CHECK(in->rank < NN_MAX_RANK && nn_axis(nn_int(call, 1), in->rank + 1, &axis), "EXPAND_DIMS: axis %d is out of range",
             nn_int(call, 1));
    for (uint32_t i = 0; i <= in->rank; i++) out->dims[i] = i == axis ? 1 : in->dims[i - (i > axis)];
    out->rank = in->rank + 1;
    return NN_NO_ERROR;
}

int nn_reshape_run(const Call *call)
{
    memcpy(call->out[0]->data, call->in[0]->data, nn_bytes(call->out[0]));
    return NN_NO_ERROR;
}

int nn_concatenation_shape(const Call *call, Tensor *out)
{
    uint32_t axis, last = call->inputs - 1;
    nn_same_dims(out, call->in[0]);
    NN_CHECK(nn_axis(nn_int(call, last), out->rank, &axis), "CONCATENATION: axis %d is out of range", nn_int(call, last));
    uint64_t total = 0;
    for (uint32_t i = 0; i < last; i++) {
        const Tensor *in = call->in[i];
        bool fits = in->rank == out->rank;
        for (uint32_t j = 0; fits && j < out->rank; j++) fits = j == axis || in->dims[j] == out->dims[j];
        NN_CHECK(fits, "CONCATENATION: input %u does not fit the first", i);
        total += in->dims[axis];
    }
    NN_CHECK(total <= UINT32_MAX, "CONCATENATION: the output is too large");
    out->dims[axis] = (uint32_t)total;
    return NN_NO_ERROR;
}

/* A table from one quantisation to another; NULL when they are the same. */
static const uint8_t *requantising(const Tensor *from, Tensor *to, uint8_t *table)
{
    if (!nn_is_quant8(from->type) || (from->scale == to->scale && from->zero == to->zero)) return NULL;
    uint8_t stored[256];
    float real[256];
    for (int i = 0; i < 256; i++) stored[i] = (uint8_t)i;
    Tensor all = {.type = from->type, .rank = 1, .dims = {256}, .scale = from->scale, .zero = from->zero, .data = stored};
    Tensor target = {.type = to->type, .rank = 1, .dims = {256}, .scale = to->scale, .zero = to->zero, .data = table};
    nn_to_real(&all, real);
    nn_from_real(real, &target);
    return table;
}

int nn_concatenation_run(const Call *call)
{
    Tensor *out = call->out[0];
    uint32_t axis = 0, last = call->inputs - 1;
    nn_axis(nn_int(call, last), out->rank, &axis);
    size_t size = nn_type_size(out->type), outer = nn_outer(out, axis), row = nn_inner(out, axis) * size, at = 0;
    for (uint32_t i = 0; i < last; i++) {
        const Tensor *in = call->in[i];
        size_t part = nn_inner(in, axis) * size;
        uint8_t room[256];
        const uint8_t *table = requantising(in, out, room);
        for (size_t o = 0; o < outer; o++) {
            uint8_t *to = (uint8_t *)out->data + o * row + at;
            const uint8_t *from = (const uint8_t *)in->data + o * part;
            if (!table) memcpy(to, from, part);
            else for (size_t j = 0; j < part; j++) to[j] = table[from[j]];
        }
        at += part;
    }
    return NN_NO_ERROR;
}

int nn_split_shape(const Call *call, Tensor *out)
{
    const Tensor *in = call->in[0];
    uint32_t axis, parts = call->outputs;
    NN_CHECK(nn_axis(nn_int(call, 1), in->rank, &axis), "SPLIT: axis %d is out of range", nn_int(call, 1));
    NN_CHECK(nn_int(call, 2) == (int32_t)parts && in->dims[axis] % parts == 0, "SPLIT: %d parts do not fit", nn_int(call, 2));
    for (uint32_t i = 0; i < parts; i++) {
        nn_same_dims(&out[i], in);
        out[i].dims[axis] /= parts;
    }
    return NN_NO_ERROR;
}

int nn_split_run(const Call *call)
{
    const Tensor *in = call->in[0];
    uint32_t axis = 0;
    nn_axis(nn_int(call, 1), in->rank, &axis);
    size_t outer = nn_outer(in, axis), row = nn_inner(in, axis) * nn_type_size(in->type), part = row / call->outputs;
    for (uint32_t i = 0; i < call->outputs; i++)
        for (size_t o = 0; o < outer; o++)
            memcpy((uint8_t *)call->out[i]->data + o * part, (const uint8_t *)in->data + o * row + i * part, part);
    return NN_NO_ERROR;
}

int nn_pack_shape(const Call *call, Tensor *out)
{
    const Tensor *first = call->in[1];
    uint32_t parts = call->inputs - 1;
    int32_t axis = nn_int(call, 0);
    NN_CHECK(first->rank < NN_MAX_RANK && axis >= 0 && (uint32_t)axis <= first->rank, "PACK: axis %d is out of range", axis);
    for (uint32_t i = 2; i < call->inputs; i++) {
        bool same = call->in[i]->rank == first->rank && call->in[i]->scale == first->scale && call->in[i]->zero == first->zero;
        for (uint32_t j = 0; same && j < first->rank; j++) same = call->in[i]->dims[j] == first->dims[j];
        NN_CHECK(same, "PACK: input %u does not fit the first", i);
    }
    out->rank = first->rank + 1;
    for (uint32_t i = 0; i < out->rank; i++)
        out->dims[i] = i == (uint32_t)axis ? parts : first->dims[i - (i > (uint32_t)axis)];
    return NN_NO_ERROR;
}

int nn_pack_run(const Call *call)
{
    const Tensor *first = call->in[1];
    uint32_t axis = (uint32_t)nn_int(call, 0), parts = call->inputs - 1;
    size_t outer = nn_outer(first, axis), part = nn_inner(first, axis) * nn_type_size(first->type);
    for (uint32_t i = 0; i < parts; i++)
        for (size_t o = 0; o < outer; o++)
            memcpy((uint8_t *)call->out[0]->data + (o * parts + i) * part, (const uint8_t *)call->in[i + 1]->data + o * part, part);
    return NN_NO_ERROR;
}

static int read_order(const Call *call, uint32_t *order)
{
    const Tensor *in = call->in[0];
    for (uint32_t i = 0; i < in->rank; i++) order[i] = in->rank - 1 - i; /* without a permutation: reversed */
    if (call->inputs < 2) return NN_NO_ERROR;
    const Tensor *given = call->in[1];
    NN_NEEDS(given->data, "TRANSPOSE: the permutation must be constant");
    NN_CHECK(nn_count(given) == in->rank, "TRANSPOSE: the permutation does not fit the rank");
    bool seen[NN_MAX_RANK] = {false};
    for (uint32_t i = 0; i < in->rank; i++) {
        int32_t axis = ((const int32_t *)given->data)[i];
        NN_CHECK(axis >= 0 && (uint32_t)axis < in->rank && !seen[axis], "TRANSPOSE: this is no permutation");
        seen[axis] = true;
        order[i] = (uint32_t)axis;
    }
    return NN_NO_ERROR;
}

int nn_transpose_shape(const Call *call, Tensor *out)
{
    uint32_t order[NN_MAX_RANK];
    int status = read_order(call, order);
    out->rank = call->in[0]->rank;
    for (uint32_t i = 0; !status && i < out->rank; i++) out->dims[i] = call->in[0]->dims[order[i]];
    return status;
}

/* Copies elements of `size` bytes to `to`, in order of out's dims, taking steps of `strides` bytes in `from`. */
static void walk(const Tensor *out, size_t size, const ptrdiff_t *strides, const uint8_t *from, uint8_t *to)
{
    size_t index[NN_MAX_RANK] = {0}, n = out->dims[out->rank - 1];
    ptrdiff_t step = strides[out->rank - 1];
    for (;;) {
        if (step == (ptrdiff_t)size) memcpy(to, from, n * size);
        else if (size == 4)
            for (size_t i = 0; i < n; i++) memcpy(to + i * 4, from + (ptrdiff_t)i * step, 4);
        else
            for (size_t i = 0; i < n; i++) memcpy(to + i * size, from + (ptrdiff_t)i * step, size);
        to += n * size;
        uint32_t d = out->rank - 1;
        for (;;) {
            if (d-- == 0) return;
            from += strides[d];
            if (++index[d] < out->dims[d]) break;
            from -= strides[d] * (ptrdiff_t)out->dims[d];
            index[d] = 0;
        }
    }
}

static void byte_strides(const Tensor *t, ptrdiff_t *strides)
{
    ptrdiff_t step = (ptrdiff_t)nn_type_size(t->type);
    for (uint32_t i = t->rank; i-- > 0; step *= (ptrdiff_t)t->dims[i]) strides[i] = step;
}

int nn_transpose_run(const Call *call)
{
    const Tensor *in = call->in[0];
    uint32_t order[NN_MAX_RANK] = {0};
    int status = read_order(call, order);
    ptrdiff_t strides[NN_MAX_RANK] = {0}, turned[NN_MAX_RANK] = {0};
    byte_strides(in, strides);
    for (uint32_t i = 0; i < in->rank; i++) turned[i] = strides[order[i]];
    if (!status) walk(call->out[0], nn_type_size(in->type), turned, in->data, call->out[0]->data);
    return status;
}

int nn_reverse_shape(const Call *call, Tensor *out)
{
    const Tensor *axis = call->in[1];
    NN_NEEDS(axis->data, "REVERSE: the axis must be constant");
    NN_CHECK(nn_count(axis) == 1 && *(const int32_t *)axis->data >= 0 && *(const int32_t *)axis->data < (int32_t)call->in[0]->rank,
             "REVERSE: the axis is out of range");
    nn_same_dims(out, call->in[0]);
    return NN_NO_ERROR;
}

int nn_reverse_run(const Call *call)
{
    const Tensor *in = call->in[0];
    ptrdiff_t strides[NN_MAX_RANK] = {0};
    byte_strides(in, strides);
    int32_t axis = *(const int32_t *)call->in[1]->data;
    const uint8_t *from = (const uint8_t *)in->data + strides[axis] * (ptrdiff_t)(in->dims[axis] - 1);
    strides[axis] = -strides[axis];
    walk(call->out[0], nn_type_size(in->type), strides, from, call->out[0]->data);
    return NN_NO_ERROR;
}

int nn_tile_shape(const Call *call, Tensor *out)
{
    const Tensor *in = call->in[0], *times = call->in[1];
    NN_NEEDS(times->data, "TILE: the multiples must be constant");
    NN_CHECK(nn_count(times) == in->rank, "TILE: the multiples do not fit the rank");
    nn_same_dims(out, in);
    for (uint32_t i = 0; i < in->rank; i++) {
        int32_t m = ((const int32_t *)times->data)[i];
        uint32_t d;
        NN_CHECK(m > 0 && !__builtin_mul_overflow(in->dims[i], (uint32_t)m, &d), "TILE: multiple %d is not allowed", m);
        out->dims[i] = d;
    }
    return NN_NO_ERROR;
}

int nn_tile_run(const Call *call)
{
    const Tensor *in = call->in[0], *out = call->out[0];
    size_t size = nn_type_size(in->type), count = nn_count(out), row = in->dims[in->rank - 1];
    for (size_t at = 0; at < count; at += row) { /* rows of the input's length start at multiples of it */
        size_t rest = at / out->dims[out->rank - 1], from = 0, step = row;
        for (uint32_t i = in->rank - 1; i-- > 0;) {
            from += rest % out->dims[i] % in->dims[i] * step;
            rest /= out->dims[i];
            step *= in->dims[i];
        }
        memcpy((uint8_t *)out->data + at * size, (const uint8_t *)in->data + from * size, row * size);
    }
    return NN_NO_ERROR;
}

/* GATHER takes values, axis, indices; EMBEDDING_LOOKUP indices, values, and always the first axis. */
static int read_gather(const Call *call, const Tensor **values, const Tensor **indices, uint32_t *axis)
{
    bool lookup = call->code == NN_EMBEDDING_LOOKUP;
    *values = call->in[lookup ? 1 : 0];
    *indices = call->in[lookup ? 0 : 2];
    *axis = 0;
    NN_CHECK(lookup || nn_axis(nn_int(call, 1), (*values)->rank, axis), "GATHER: axis %d is out of range", nn_int(call, 1));
    NN_CHECK(!lookup || (*indices)->rank == 1, "EMBEDDING_LOOKUP: the lookups must be one list");
    return NN_NO_ERROR;
}

int nn_gather_shape(const Call *call, Tensor *out)
{
    const Tensor *in = NULL, *indices = NULL;
    uint32_t axis = 0;
    int status = read_gather(call, &in, &indices, &axis);
    if (status) return status;
    NN_CHECK(in->rank + indices->rank - 1 <= NN_MAX_RANK, "GATHER: the output's rank is too high");
    for (uint32_t i = 0; i < axis; i++) out->dims[out->rank++] = in->dims[i];
    for (uint32_t i = 0; i < indices->rank; i++) out->dims[out->rank++] = indices->dims[i];
    for (uint32_t i = axis + 1; i < in->rank; i++) out->dims[out->rank++] = in->dims[i];
    return NN_NO_ERROR;
}

int nn_gather_run(const Call *call)
{
    const Tensor *in = NULL, *list = NULL;
    uint32_t axis = 0;
    int status = read_gather(call, &in, &list, &axis);
    if (status) return status;
    const int32_t *indices = list->data;
    size_t n = in->dims[axis], count = nn_count(list), outer = nn_outer(in, axis);
    size_t part = nn_inner(in, axis + 1) * nn_type_size(in->type);
    uint8_t *to = call->out[0]->data;
    for (size_t i = 0; i < count; i++)
        if (indices[i] < 0 || (size_t)indices[i] >= n)
            return nn_fail(NN_OP_FAILED, "%s: index %d is out of range", nn_operation_name(call->code), indices[i]);
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < count; i++, to += part)
            memcpy(to, (const uint8_t *)in->data + (o * n + (size_t)indices[i]) * part, part);
    return NN_NO_ERROR;
}
