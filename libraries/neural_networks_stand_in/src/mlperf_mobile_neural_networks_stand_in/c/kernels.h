/* What the kernels share. A kernel's shape function checks all that its run function relies on. */
#ifndef NN_KERNELS_H
#define NN_KERNELS_H

#include <string.h>

#include "nn.h"

static inline int32_t nn_int(const Call *call, uint32_t i) { return *(const int32_t *)call->in[i]->data; }
static inline bool nn_flag(const Call *call, uint32_t i) { return i < call->inputs && *(const uint8_t *)call->in[i]->data; }
static inline float nn_float(const Call *call, uint32_t i)
{
    const Tensor *t = call->in[i];
    return t->type == NN_FLOAT16 ? nn_half_to_float(*(const uint16_t *)t->data) : *(const float *)t->data;
}

static inline void nn_same_dims(Tensor *out, const Tensor *in)
{
    out->rank = in->rank;
    memcpy(out->dims, in->dims, sizeof out->dims);
}

/* A dimension number that may count from the end; false when out of range. */
static inline bool nn_axis(int32_t given, uint32_t rank, uint32_t *axis)
{
    if (given < -(int32_t)rank || given >= (int32_t)rank) return false;
    *axis = (uint32_t)(given < 0 ? given + (int32_t)rank : given);
    return true;
}

static inline size_t nn_inner(const Tensor *t, uint32_t from) /* product of dims[from:] */
{
    size_t product = 1;
    for (uint32_t i = from; i < t->rank; i++) product *= t->dims[i];
    return product;
}

static inline size_t nn_outer(const Tensor *t, uint32_t to) /* product of dims[:to] */
{
    size_t product = 1;
    for (uint32_t i = 0; i < to; i++) product *= t->dims[i];
    return product;
}

/* Limits of a fused activation on real values, and on the quantised values of `out`. */
static inline bool nn_fuse(int32_t code, float *least, float *most)
{
    static const float lows[] = {-3.4028235e38f, 0, -1, 0}, highs[] = {3.4028235e38f, 3.4028235e38f, 1, 6};
    if (code < NN_FUSED_NONE || code > NN_FUSED_RELU6) return false;
    *least = lows[code];
    *most = highs[code];
    return true;
}
void nn_fuse_quant(int32_t code, const Tensor *out, int32_t *least, int32_t *most);

#define NN_CHECK(condition, ...)                                        \
    do {                                                                \
        if (!(condition)) return nn_fail(NN_BAD_DATA, __VA_ARGS__);     \
    } while (0)
#define NN_NEEDS(condition, ...)                                        \
    do {                                                                \
        if (!(condition)) return nn_fail(NN_OP_FAILED, __VA_ARGS__);    \
    } while (0)

/* Two inputs walked in step over the dimensions of the output; stride 0 repeats. Dimensions are merged where possible. */
typedef struct {
    uint32_t rank;
    size_t dims[NN_MAX_RANK];
    size_t a[NN_MAX_RANK], b[NN_MAX_RANK];
} Broadcast;

bool nn_broadcast_dims(const Tensor *a, const Tensor *b, Tensor *out);
void nn_broadcast(const Tensor *a, const Tensor *b, const Tensor *out, Broadcast *walk);
bool nn_broadcast_next(const Broadcast *walk, size_t *index, size_t *a, size_t *b); /* one row further; false at the end */

/* c[m][n] = sum over k of a[m][k] * b[n][k], plus bias[n], clamped. `packed` is b as nn_pack() laid it out. */
size_t nn_packed_floats(size_t n, size_t k);
void nn_pack(const float *b, size_t n, size_t k, float *packed);
void nn_gemm(size_t m, size_t n, size_t k, const float *a, size_t a_row, const float *packed, const float *bias, float least,
             float most, float *c, size_t c_row);
/* The same over int16 values without bias: sums[m][n]. */
void nn_gemm_int(size_t m, size_t n, size_t k, const int16_t *a, const int16_t *b, int32_t *sums);

/* Sums of products become quantised outputs: times scale, plus zero point, clamped. */
typedef struct {
    const float *multipliers; /* one a channel */
    int32_t zero, least, most;
} Requantise;
static inline int32_t nn_requantise(const Requantise *r, int32_t sum, size_t channel)
{
    float value = (float)sum * r->multipliers[channel];
    long q = __builtin_lrintf(value < -1e6f ? -1e6f : value > 1e6f ? 1e6f : value) + r->zero;
    return (int32_t)(q < r->least ? r->least : q > r->most ? r->most : q);
}

/* Position of a sliding window: convolutions and pools. */
typedef struct {
    size_t batches, in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t filter_h, filter_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
} Window;
int nn_window_out(Window *w, int32_t pad_bottom, int32_t pad_right, int32_t scheme); /* scheme 0: explicit */

#define NN_KERNEL(name)                              \
    int nn_##name##_shape(const Call *, Tensor *);   \
    int nn_##name##_run(const Call *)
#define NN_PREPARE(name) void *nn_##name##_prepare(const Call *)

NN_KERNEL(binary);
NN_KERNEL(compare);
NN_KERNEL(select);
NN_KERNEL(unary);
NN_KERNEL(convert);
NN_KERNEL(softmax);
NN_KERNEL(normalise);
NN_KERNEL(conv);
NN_PREPARE(conv);
NN_KERNEL(depthwise);
NN_KERNEL(grouped);
NN_KERNEL(transpose_conv);
NN_KERNEL(pool);
NN_KERNEL(fully_connected);
NN_PREPARE(fully_connected);
NN_KERNEL(matmul);
NN_KERNEL(reshape);
NN_KERNEL(concatenation);
NN_KERNEL(split);
NN_KERNEL(pack);
NN_KERNEL(transpose);
NN_KERNEL(pad);
NN_KERNEL(slice);
NN_KERNEL(strided_slice);
NN_KERNEL(gather);
NN_KERNEL(tile);
NN_KERNEL(fill);
NN_KERNEL(reverse);
NN_KERNEL(blocks);
NN_KERNEL(batches);
NN_KERNEL(resize);
NN_KERNEL(reduce);
NN_KERNEL(arg);
NN_KERNEL(topk);
NN_KERNEL(detection);

#endif
