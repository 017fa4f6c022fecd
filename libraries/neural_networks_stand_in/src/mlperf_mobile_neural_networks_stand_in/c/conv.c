/* Convolutions: patches of the input are laid out as rows and multiplied with the filter. */
#include <math.h>
#include <stdlib.h>

#include "conv.h"

void nn_fuse_quant(int32_t code, const Tensor *out, int32_t *least, int32_t *most)
{
    float low, high;
    *least = nn_quant_min(out->type);
    *most = nn_quant_max(out->type);
    if (code == NN_FUSED_NONE || !nn_fuse(code, &low, &high)) return;
    int32_t from = (int32_t)lrintf(low / out->scale) + out->zero;
    if (from > *least) *least = from < *most ? from : *most;
    if (code == NN_FUSED_RELU) return;
    int32_t to = (int32_t)lrintf(high / out->scale) + out->zero;
    if (to < *most) *most = to > *least ? to : *least;
}

static size_t output_size(size_t in, int64_t filter, int64_t stride, int64_t before, int64_t after)
{
    int64_t room = (int64_t)in + before + after - filter;
    return room < 0 ? 0 : (size_t)(room / stride + 1);
}

static void same_padding(size_t in, int64_t filter, int64_t stride, int32_t *before, int32_t *after)
{
    int64_t out = ((int64_t)in + stride - 1) / stride, needed = (out - 1) * stride + filter - (int64_t)in;
    if (needed < 0) needed = 0;
    *before = (int32_t)(needed / 2);
    *after = (int32_t)(needed - needed / 2);
}

int nn_window_out(Window *w, int32_t pad_bottom, int32_t pad_right, int32_t scheme)
{
    enum { MOST = 1 << 20 };
    NN_CHECK(w->filter_h > 0 && w->filter_w > 0 && w->filter_h < MOST && w->filter_w < MOST, "the filter's size is wrong");
    NN_CHECK(w->stride_h > 0 && w->stride_w > 0 && w->stride_h < MOST && w->stride_w < MOST, "a stride is not positive");
    NN_CHECK(w->dilation_h > 0 && w->dilation_w > 0 && w->dilation_h < MOST && w->dilation_w < MOST, "a dilation is not positive");
    int64_t h = (int64_t)(w->filter_h - 1) * w->dilation_h + 1, v = (int64_t)(w->filter_w - 1) * w->dilation_w + 1;
    if (scheme == NN_PADDING_SAME) {
        NN_CHECK(h < MOST && v < MOST, "the filter is too large");
        same_padding(w->in_h, h, w->stride_h, &w->pad_top, &pad_bottom);
        same_padding(w->in_w, v, w->stride_w, &w->pad_left, &pad_right);
    } else if (scheme == NN_PADDING_VALID) {
        w->pad_top = w->pad_left = pad_bottom = pad_right = 0;
    } else {
        NN_CHECK(scheme == 0, "unknown padding scheme %d", scheme);
    }
    NN_CHECK(w->pad_top >= 0 && w->pad_left >= 0 && pad_bottom >= 0 && pad_right >= 0 && w->pad_top < MOST && w->pad_left < MOST &&
                 pad_bottom < MOST && pad_right < MOST, "a padding is negative or too large");
    w->out_h = output_size(w->in_h, h, w->stride_h, w->pad_top, pad_bottom);
    w->out_w = output_size(w->in_w, v, w->stride_w, w->pad_left, pad_right);
    NN_CHECK(w->out_h && w->out_w, "the filter is larger than the padded input");
    return NN_NO_ERROR;
}

int nn_conv_check_quant(const Call *call)
{
    const Tensor *in = call->in[0], *filter = call->in[1], *bias = call->in[2];
    if (!nn_is_quant8(in->type)) return NN_NO_ERROR;
    NN_CHECK(bias->zero == 0, "%s: the bias has a zero point", nn_operation_name(call->code));
    if (filter->type == NN_TENSOR_QUANT8_SYMM_PER_CHANNEL) {
        uint32_t channel = call->code == NN_DEPTHWISE_CONV_2D ? 3 : 0;
        NN_CHECK(filter->scales && filter->channel_dim == channel, "%s: the filter must be quantised along dimension %u",
                 nn_operation_name(call->code), channel);
        return NN_NO_ERROR;
    }
    float product = in->scale * filter->scale;
    NN_CHECK(fabsf(product - bias->scale) <= 1e-5f * product, "%s: the bias has scale %g, not input scale times filter scale, %g",
             nn_operation_name(call->code), bias->scale, product);
    return NN_NO_ERROR;
}

Requantise nn_conv_requantise(const Call *call, size_t channels, int32_t fuse)
{
    const Tensor *in = call->in[0], *filter = call->in[1], *out = call->out[0];
    float *multipliers = nn_scratch(call, channels * sizeof *multipliers);
    for (size_t i = 0; i < channels; i++) {
        float scale = filter->type == NN_TENSOR_QUANT8_SYMM_PER_CHANNEL ? filter->scales[i] : filter->scale;
        multipliers[i] = (float)((double)in->scale * scale / out->scale);
    }
    Requantise r = {.multipliers = multipliers, .zero = out->zero};
    nn_fuse_quant(fuse, out, &r.least, &r.most);
    return r;
}

void nn_centre(const Tensor *t, size_t from, size_t count, int16_t *to)
{
    int32_t zero = t->type == NN_TENSOR_QUANT8_SYMM_PER_CHANNEL ? 0 : t->zero;
    if (t->type == NN_TENSOR_QUANT8_ASYMM) {
        const uint8_t *data = (const uint8_t *)t->data + from;
        for (size_t i = 0; i < count; i++) to[i] = (int16_t)(data[i] - zero);
    } else {
        const int8_t *data = (const int8_t *)t->data + from;
        for (size_t i = 0; i < count; i++) to[i] = (int16_t)(data[i] - zero);
    }
}

/* Reads geometry and activation from the operands: forms are explicit (0) and implicit (1) padding. */
static int read_conv(const Call *call, Window *w, int32_t *fuse)
{
    const Tensor *in = call->in[0], *filter = call->in[1];
    NN_CHECK(in->rank == 4 && filter->rank == 4 && call->in[2]->rank == 1, "CONV_2D: ranks must be 4, 4 and 1");
    bool explicit_padding = call->form == 0;
    uint32_t next = explicit_padding ? 7 : 4, flag = next + 3;
    NN_NEEDS(!nn_flag(call, flag), "CONV_2D: the stand-in takes NHWC only");
    *w = (Window){.batches = in->dims[0], .in_h = in->dims[1], .in_w = in->dims[2], .in_c = in->dims[3],
                  .out_c = filter->dims[0], .filter_h = (int32_t)filter->dims[1], .filter_w = (int32_t)filter->dims[2],
                  .stride_w = nn_int(call, next), .stride_h = nn_int(call, next + 1), .dilation_w = 1, .dilation_h = 1};
    *fuse = nn_int(call, next + 2);
    if (call->inputs > flag + 1) w->dilation_w = nn_int(call, flag + 1), w->dilation_h = nn_int(call, flag + 2);
    if (explicit_padding) {
        w->pad_left = nn_int(call, 3);
        w->pad_top = nn_int(call, 5);
        return nn_window_out(w, nn_int(call, 6), nn_int(call, 4), 0);
    }
    NN_CHECK(nn_int(call, 3) == NN_PADDING_SAME || nn_int(call, 3) == NN_PADDING_VALID, "CONV_2D: unknown padding scheme");
    return nn_window_out(w, 0, 0, nn_int(call, 3));
}

int nn_conv_shape(const Call *call, Tensor *out)
{
    Window w;
    int32_t fuse = NN_FUSED_NONE;
    int status = read_conv(call, &w, &fuse);
    if (status) return status;
    float least, most;
    NN_CHECK(nn_fuse(fuse, &least, &most), "CONV_2D: unknown fuse code %d", fuse);
    NN_CHECK(call->in[1]->dims[3] == w.in_c, "CONV_2D: the filter has %u input channels, the input %zu", call->in[1]->dims[3], w.in_c);
    NN_CHECK(call->in[2]->dims[0] == w.out_c, "CONV_2D: the bias does not fit the filter");
    if ((status = nn_conv_check_quant(call)) != 0) return status;
    NN_CHECK((size_t)w.filter_h * (size_t)w.filter_w * w.in_c <= 32768 || !nn_is_quant8(call->in[0]->type),
             "CONV_2D: the filter is too large");
    *out = (Tensor){.type = out->type, .rank = 4,
                    .dims = {(uint32_t)w.batches, (uint32_t)w.out_h, (uint32_t)w.out_w, (uint32_t)w.out_c}};
    return NN_NO_ERROR;
}

/* Constant filters: packed panels of float32, or int16 without their zero point. */
void *nn_weights_prepare(const Tensor *filter, size_t n, size_t k)
{
    if (!filter->data) return NULL;
    if (nn_is_quant8(filter->type)) {
        int16_t *centred = nn_alloc(n * k * sizeof *centred);
        nn_centre(filter, 0, n * k, centred);
        return centred;
    }
    if (filter->type != NN_TENSOR_FLOAT32) return NULL;
    float *packed = nn_alloc(nn_packed_floats(n, k) * sizeof *packed);
    nn_pack(filter->data, n, k, packed);
    return packed;
}

const void *nn_weights(const Call *call, const Tensor *filter, size_t n, size_t k)
{
    if (call->prepared) return call->prepared;
    if (nn_is_quant8(filter->type)) {
        int16_t *centred = nn_scratch(call, n * k * sizeof *centred);
        nn_centre(filter, 0, n * k, centred);
        return centred;
    }
    float *packed = nn_scratch(call, nn_packed_floats(n, k) * sizeof *packed);
    nn_pack(filter->data, n, k, packed);
    return packed;
}

void *nn_conv_prepare(const Call *call)
{
    const Tensor *filter = call->in[1];
    return nn_weights_prepare(filter, filter->dims[0], nn_inner(filter, 1));
}

/* Lays out `rows` patches from output position `first` on; positions outside the input are zero. */
#define PATCHES(T)                                                                                             \
    static void patches_##T(const Window *w, const T *image, size_t first, size_t rows, T *to)                 \
    {                                                                                                          \
        for (size_t row = first; row < first + rows; row++) {                                                  \
            int64_t y0 = (int64_t)(row / w->out_w) * w->stride_h - w->pad_top;                                 \
            int64_t x0 = (int64_t)(row % w->out_w) * w->stride_w - w->pad_left;                                \
            for (int32_t fy = 0; fy < w->filter_h; fy++)                                                       \
                for (int32_t fx = 0; fx < w->filter_w; fx++, to += w->in_c) {                                  \
                    int64_t y = y0 + (int64_t)fy * w->dilation_h, x = x0 + (int64_t)fx * w->dilation_w;        \
                    if (y < 0 || x < 0 || y >= (int64_t)w->in_h || x >= (int64_t)w->in_w)                      \
                        memset(to, 0, w->in_c * sizeof *to);                                                   \
                    else                                                                                       \
                        memcpy(to, image + ((size_t)y * w->in_w + (size_t)x) * w->in_c, w->in_c * sizeof *to); \
                }                                                                                              \
        }                                                                                                      \
    }
PATCHES(float)
PATCHES(int16_t)

int nn_conv_run(const Call *call)
{
    Window w;
    int32_t fuse = NN_FUSED_NONE;
    int status = read_conv(call, &w, &fuse);
    if (status) return status;
    size_t k = (size_t)w.filter_h * (size_t)w.filter_w * w.in_c, n = w.out_c, positions = w.out_h * w.out_w;
    const void *weights = nn_weights(call, call->in[1], n, k);
    bool plain = w.filter_h == 1 && w.filter_w == 1 && w.stride_h == 1 && w.stride_w == 1 && !w.pad_top && !w.pad_left &&
                 positions == w.in_h * w.in_w;
    size_t chunk = ((size_t)1 << 18) / k + 6;
    if (chunk > positions) chunk = positions;
    const Tensor *in = call->in[0], *out = call->out[0];
    size_t image = w.in_h * w.in_w * w.in_c;
    bool quant = nn_is_quant8(in->type);
    Requantise r = {0};
    if (quant) r = nn_conv_requantise(call, n, fuse);
    int16_t *centred = quant ? nn_scratch(call, image * sizeof *centred) : NULL;
    int32_t *sums = quant ? nn_scratch(call, chunk * n * sizeof *sums) : NULL;
    void *rows = plain ? NULL : nn_scratch(call, chunk * k * (quant ? sizeof(int16_t) : sizeof(float)));
    float least = 0, most = 0;
    nn_fuse(fuse, &least, &most);
    for (size_t batch = 0; batch < w.batches; batch++) {
        const float *real = (const float *)in->data + batch * image;
        if (quant) nn_centre(in, batch * image, image, centred);
        for (size_t first = 0; first < positions; first += chunk) {
            size_t count = positions - first < chunk ? positions - first : chunk;
            size_t at = (batch * positions + first) * n;
            if (!quant) {
                if (!plain) patches_float(&w, real, first, count, rows);
                nn_gemm(count, n, k, plain ? real + first * k : rows, k, weights, call->in[2]->data, least, most,
                        (float *)out->data + at, n);
                continue;
            }
            if (!plain) patches_int16_t(&w, centred, first, count, rows);
            nn_gemm_int(count, n, k, plain ? centred + first * k : rows, weights, sums);
            nn_requantise_rows(&r, count, n, sums, call->in[2]->data, (int8_t *)out->data + at);
        }
    }
    return NN_NO_ERROR;
}

void nn_requantise_rows(const Requantise *r, size_t rows, size_t n, const int32_t *sums, const int32_t *bias, int8_t *to)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++)
            to[i * n + j] = (int8_t)nn_requantise(r, (int32_t)((uint32_t)sums[i * n + j] + (uint32_t)bias[j]), j);
}
