/* Operations on elements of two tensors, with broadcasting: arithmetic, comparison, logic, selection. */
#include <math.h>

#include "kernels.h"

bool nn_broadcast_dims(const Tensor *a, const Tensor *b, Tensor *out)
{
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (uint32_t i = 0; i < out->rank; i++) { /* from the last dimension on */
        uint32_t x = i < a->rank ? a->dims[a->rank - 1 - i] : 1, y = i < b->rank ? b->dims[b->rank - 1 - i] : 1;
        if (x != y && x != 1 && y != 1) return false;
        out->dims[out->rank - 1 - i] = x > y ? x : y;
    }
    return true;
}

static void strides(const Tensor *t, uint32_t rank, size_t *stride)
{
    size_t step = 1;
    for (uint32_t i = 0; i < rank; i++) {
        uint32_t d = i < t->rank ? t->dims[t->rank - 1 - i] : 1;
        stride[rank - 1 - i] = d == 1 ? 0 : step;
        step *= d;
    }
}

void nn_broadcast(const Tensor *a, const Tensor *b, const Tensor *out, Broadcast *walk)
{
    size_t sa[NN_MAX_RANK], sb[NN_MAX_RANK];
    strides(a, out->rank, sa);
    strides(b, out->rank, sb);
    walk->rank = 0;
    for (uint32_t i = 0; i < out->rank; i++) {
        size_t d = out->dims[i];
        if (d == 1 && (walk->rank || i + 1 < out->rank)) continue;
        uint32_t last = walk->rank - 1;
        if (walk->rank && walk->a[last] == sa[i] * d && walk->b[last] == sb[i] * d) {
            walk->dims[last] *= d; /* the outer dimension goes on where the inner one ends */
            walk->a[last] = sa[i];
            walk->b[last] = sb[i];
        } else {
            walk->dims[walk->rank] = d;
            walk->a[walk->rank] = sa[i];
            walk->b[walk->rank++] = sb[i];
        }
    }
}

bool nn_broadcast_next(const Broadcast *walk, size_t *index, size_t *a, size_t *b)
{
    for (uint32_t i = walk->rank - 1; i-- > 0;) {
        *a += walk->a[i];
        *b += walk->b[i];
        if (++index[i] < walk->dims[i]) return true;
        *a -= walk->a[i] * walk->dims[i];
        *b -= walk->b[i] * walk->dims[i];
        index[i] = 0;
    }
    return false;
}

/* One row. In ROW the common strides are constants, so that the compiler makes vectors of the loop. */
#define LOOP(A, B, E) \
    for (size_t i = 0; i < n; i++) { \
        x = a[i * (A)]; \
        y = b[i * (B)]; \
        o[i] = (E); \
    }
#define ANY_ROW(E) LOOP(sa, sb, E) break
#define ROW(E) \
    if (sa == 1 && sb == 1) LOOP(1, 1, E) \
    else if (sa == 1 && sb == 0) LOOP(1, 0, E) \
    else LOOP(sa, sb, E) \
    break

static void real_row(int32_t code, size_t n, const float *a, size_t sa, const float *b, size_t sb, float *o)
{
    float x, y;
    switch (code) {
    case NN_ADD: ROW(x + y);
    case NN_SUB: ROW(x - y);
    case NN_MUL: ROW(x * y);
    case NN_DIV: ROW(x / y);
    case NN_MAXIMUM: ROW(x > y ? x : y);
    case NN_MINIMUM: ROW(x < y ? x : y);
    case NN_POW: ANY_ROW(powf(x, y));
    case NN_PRELU: ROW(x >= 0 ? x : x * y);
    }
}

/* Rounds towards minus infinity; overflow wraps. Division by zero gives zero (NNAPI leaves it open). */
static int32_t floor_div(int32_t x, int32_t y)
{
    if (y == 0) return 0;
    int64_t q = (int64_t)x / y;
    if ((int64_t)x % y != 0 && (x < 0) != (y < 0)) q--;
    return (int32_t)q;
}

static void int_row(int32_t code, size_t n, const int32_t *a, size_t sa, const int32_t *b, size_t sb, int32_t *o)
{
    int32_t x, y;
    switch (code) {
    case NN_ADD: ANY_ROW((int32_t)((uint32_t)x + (uint32_t)y));
    case NN_SUB: ANY_ROW((int32_t)((uint32_t)x - (uint32_t)y));
    case NN_MUL: ANY_ROW((int32_t)((uint32_t)x * (uint32_t)y));
    case NN_DIV: ANY_ROW(floor_div(x, y));
    case NN_MAXIMUM: ANY_ROW(x > y ? x : y);
    case NN_MINIMUM: ANY_ROW(x < y ? x : y);
    }
}

int nn_binary_shape(const Call *call, Tensor *out)
{
    NN_CHECK(nn_broadcast_dims(call->in[0], call->in[1], out), "%s: the inputs' dimensions do not fit each other",
             nn_operation_name(call->code));
    if (call->inputs == 3) {
        float least, most;
        NN_CHECK(nn_fuse(nn_int(call, 2), &least, &most), "%s: unknown fuse code", nn_operation_name(call->code));
        NN_CHECK(call->in[0]->type != NN_TENSOR_INT32 || nn_int(call, 2) == NN_FUSED_NONE,
                 "%s: no activation on INT32 tensors", nn_operation_name(call->code));
    }
    if (call->code == NN_PRELU) {
        NN_CHECK(nn_count(out) == nn_count(call->in[0]), "PRELU: alpha is larger than the input");
    }
    return NN_NO_ERROR;
}

int nn_binary_run(const Call *call)
{
    Tensor *out = call->out[0];
    Broadcast walk;
    nn_broadcast(call->in[0], call->in[1], out, &walk);
    size_t index[NN_MAX_RANK] = {0}, a = 0, b = 0, n = walk.dims[walk.rank - 1];
    size_t sa = walk.a[walk.rank - 1], sb = walk.b[walk.rank - 1];
    float least = 0, most = 0;
    int32_t fuse = call->inputs == 3 ? nn_int(call, 2) : NN_FUSED_NONE;
    nn_fuse(fuse, &least, &most);
    float *o = out->data;
    do {
        if (out->type == NN_TENSOR_INT32) {
            int_row(call->code, n, (const int32_t *)call->in[0]->data + a, sa, (const int32_t *)call->in[1]->data + b, sb,
                    (int32_t *)o);
        } else {
            real_row(call->code, n, (const float *)call->in[0]->data + a, sa, (const float *)call->in[1]->data + b, sb, o);
            if (fuse)
                for (size_t i = 0; i < n; i++) o[i] = o[i] < least ? least : o[i] > most ? most : o[i];
        }
        o += n;
    } while (nn_broadcast_next(&walk, index, &a, &b));
    return NN_NO_ERROR;
}

int nn_compare_shape(const Call *call, Tensor *out)
{
    NN_CHECK(nn_broadcast_dims(call->in[0], call->in[1], out), "%s: the inputs' dimensions do not fit each other",
             nn_operation_name(call->code));
    return NN_NO_ERROR;
}

#define COMPARE(T) \
    do { \
        const T *a = (const T *)call->in[0]->data + ia, *b = (const T *)call->in[1]->data + ib; \
        T x, y; \
        switch (call->code) { \
        case NN_EQUAL: ANY_ROW(x == y); \
        case NN_NOT_EQUAL: ANY_ROW(x != y); \
        case NN_GREATER: ANY_ROW(x > y); \
        case NN_GREATER_EQUAL: ANY_ROW(x >= y); \
        case NN_LESS: ANY_ROW(x < y); \
        case NN_LESS_EQUAL: ANY_ROW(x <= y); \
        case NN_LOGICAL_AND: ANY_ROW(x && y); \
        case NN_LOGICAL_OR: ANY_ROW(x || y); \
        } \
    } while (0)

int nn_compare_run(const Call *call)
{
    Broadcast walk;
    nn_broadcast(call->in[0], call->in[1], call->out[0], &walk);
    size_t index[NN_MAX_RANK] = {0}, ia = 0, ib = 0, n = walk.dims[walk.rank - 1];
    size_t sa = walk.a[walk.rank - 1], sb = walk.b[walk.rank - 1];
    uint8_t *o = call->out[0]->data;
    do {
        if (call->in[0]->type == NN_TENSOR_INT32) COMPARE(int32_t);
        else if (call->in[0]->type == NN_TENSOR_BOOL8) COMPARE(uint8_t);
        else COMPARE(float);
        o += n;
    } while (nn_broadcast_next(&walk, index, &ia, &ib));
    return NN_NO_ERROR;
}

int nn_select_shape(const Call *call, Tensor *out)
{
    nn_same_dims(out, call->in[1]);
    for (uint32_t i = 0; i < 3; i++) {
        bool same = call->in[i]->rank == out->rank && nn_count(call->in[i]) == nn_count(out);
        for (uint32_t j = 0; same && j < out->rank; j++) same = call->in[i]->dims[j] == out->dims[j];
        NN_CHECK(same, "SELECT: the three inputs must have the same dimensions");
    }
    return NN_NO_ERROR;
}

int nn_select_run(const Call *call)
{
    const uint8_t *choose = call->in[0]->data;
    const uint32_t *a = call->in[1]->data, *b = call->in[2]->data; /* float32 or int32 */
    uint32_t *o = call->out[0]->data;
    size_t count = nn_count(call->out[0]);
    for (size_t i = 0; i < count; i++) o[i] = choose[i] ? a[i] : b[i];
    return NN_NO_ERROR;
}
