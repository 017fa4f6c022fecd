/* Average, max and L2 pools. */
#include <math.h>

#include "kernels.h"

/* Forms: explicit (0) and implicit (1) padding. */
static int read(const Call *call, Window *w, int32_t *fuse)
{
    const Tensor *in = call->in[0];
    const char *name = nn_operation_name(call->code);
    NN_CHECK(in->rank == 4, "%s: the input's rank must be 4", name);
    bool explicit_padding = call->form == 0;
    uint32_t next = explicit_padding ? 5 : 2;
    NN_NEEDS(!nn_flag(call, next + 5), "%s: the stand-in takes NHWC only", name);
    *w = (Window){.batches = in->dims[0], .in_h = in->dims[1], .in_w = in->dims[2], .in_c = in->dims[3], .out_c = in->dims[3],
                  .stride_w = nn_int(call, next), .stride_h = nn_int(call, next + 1), .filter_w = nn_int(call, next + 2),
                  .filter_h = nn_int(call, next + 3), .dilation_w = 1, .dilation_h = 1};
    *fuse = nn_int(call, next + 4);
    float least, most;
    NN_CHECK(nn_fuse(*fuse, &least, &most), "%s: unknown fuse code %d", name, *fuse);
    if (explicit_padding) {
        w->pad_left = nn_int(call, 1);
        w->pad_top = nn_int(call, 3);
        NN_CHECK(w->pad_left < w->filter_w && w->pad_top < w->filter_h && nn_int(call, 2) < w->filter_w &&
                     nn_int(call, 4) < w->filter_h, "%s: the padding is not smaller than the filter", name);
        return nn_window_out(w, nn_int(call, 4), nn_int(call, 2), 0);
    }
    NN_CHECK(nn_int(call, 1) == NN_PADDING_SAME || nn_int(call, 1) == NN_PADDING_VALID, "%s: unknown padding scheme", name);
    return nn_window_out(w, 0, 0, nn_int(call, 1));
}

int nn_pool_shape(const Call *call, Tensor *out)
{
    Window w;
    int32_t fuse = 0;
    int status = read(call, &w, &fuse);
    out->rank = 4;
    out->dims[0] = (uint32_t)w.batches;
    out->dims[1] = (uint32_t)w.out_h;
    out->dims[2] = (uint32_t)w.out_w;
    out->dims[3] = (uint32_t)w.out_c;
    return status;
}

typedef struct {
    size_t y0, y1, x0, x1;
} Range;

static Range range(const Window *w, size_t spot)
{
    int64_t y = (int64_t)(spot / w->out_w) * w->stride_h - w->pad_top, x = (int64_t)(spot % w->out_w) * w->stride_w - w->pad_left;
    int64_t bottom = y + w->filter_h, right = x + w->filter_w;
    return (Range){(size_t)(y < 0 ? 0 : y), (size_t)(bottom > (int64_t)w->in_h ? (int64_t)w->in_h : bottom),
                   (size_t)(x < 0 ? 0 : x), (size_t)(right > (int64_t)w->in_w ? (int64_t)w->in_w : right)};
}

static void pool_real(int32_t code, const Window *w, const float *image, Range r, float *to)
{
    for (size_t c = 0; c < w->in_c; c++) to[c] = code == NN_MAX_POOL_2D ? -INFINITY : 0;
    for (size_t y = r.y0; y < r.y1; y++)
        for (size_t x = r.x0; x < r.x1; x++) {
            const float *from = image + (y * w->in_w + x) * w->in_c;
            if (code == NN_MAX_POOL_2D)
                for (size_t c = 0; c < w->in_c; c++) to[c] = from[c] > to[c] ? from[c] : to[c];
            else if (code == NN_AVERAGE_POOL_2D)
                for (size_t c = 0; c < w->in_c; c++) to[c] += from[c];
            else
                for (size_t c = 0; c < w->in_c; c++) to[c] += from[c] * from[c];
        }
    float count = (float)((r.y1 - r.y0) * (r.x1 - r.x0));
    if (code == NN_AVERAGE_POOL_2D)
        for (size_t c = 0; c < w->in_c; c++) to[c] /= count;
    if (code == NN_L2_POOL_2D)
        for (size_t c = 0; c < w->in_c; c++) to[c] = sqrtf(to[c] / count);
}

/* Averages of quantised values are rounded half away from zero, as in TFLite. */
static void pool_int(int32_t code, const Window *w, const Tensor *in, size_t batch, Range r, int32_t *to)
{
    bool is_signed = in->type == NN_TENSOR_QUANT8_ASYMM_SIGNED;
    const uint8_t *image = (const uint8_t *)in->data + batch * w->in_h * w->in_w * w->in_c;
    for (size_t c = 0; c < w->in_c; c++) to[c] = code == NN_MAX_POOL_2D ? -256 : 0;
    for (size_t y = r.y0; y < r.y1; y++)
        for (size_t x = r.x0; x < r.x1; x++) {
            const uint8_t *from = image + (y * w->in_w + x) * w->in_c;
            for (size_t c = 0; c < w->in_c; c++) {
                int32_t value = is_signed ? (int8_t)from[c] : from[c];
                to[c] = code != NN_MAX_POOL_2D ? to[c] + value : value > to[c] ? value : to[c];
            }
        }
    int32_t count = (int32_t)((r.y1 - r.y0) * (r.x1 - r.x0));
    if (code == NN_AVERAGE_POOL_2D)
        for (size_t c = 0; c < w->in_c; c++) to[c] = (to[c] > 0 ? to[c] + count / 2 : to[c] - count / 2) / count;
}

int nn_pool_run(const Call *call)
{
    Window w;
    int32_t fuse = 0;
    int status = read(call, &w, &fuse);
    if (status) return status;
    const Tensor *in = call->in[0];
    Tensor *out = call->out[0];
    bool quant = nn_is_quant8(in->type);
    int32_t *sums = quant ? nn_scratch(call, w.in_c * sizeof *sums) : NULL, least_q = 0, most_q = 0;
    float least = 0, most = 0;
    nn_fuse(fuse, &least, &most);
    if (quant) nn_fuse_quant(fuse, out, &least_q, &most_q);
    for (size_t position = 0; position < w.batches * w.out_h * w.out_w; position++) {
        size_t batch = position / (w.out_h * w.out_w), at = position * w.in_c;
        Range r = range(&w, position % (w.out_h * w.out_w));
        if (quant) {
            pool_int(call->code, &w, in, batch, r, sums);
            for (size_t c = 0; c < w.in_c; c++)
                ((int8_t *)out->data)[at + c] = (int8_t)(sums[c] < least_q ? least_q : sums[c] > most_q ? most_q : sums[c]);
            continue;
        }
        float *to = (float *)out->data + at;
        pool_real(call->code, &w, (const float *)in->data + batch * w.in_h * w.in_w * w.in_c, r, to);
        for (size_t c = 0; fuse && c < w.in_c; c++) to[c] = to[c] < least ? least : to[c] > most ? most : to[c];
    }
    return NN_NO_ERROR;
}
