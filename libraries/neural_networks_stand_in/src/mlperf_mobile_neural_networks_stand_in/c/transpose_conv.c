/* Transposed convolution: the product of every input pixel with the filter is added to the output at its place. */
#include "conv.h"

/* Forms: explicit (0) and implicit (1) padding. */
static int read(const Call *call, Window *w, int32_t *fuse)
{
    const Tensor *in = call->in[0], *filter = call->in[1];
    NN_CHECK(in->rank == 4 && filter->rank == 4 && call->in[2]->rank == 1, "TRANSPOSE_CONV_2D: ranks must be 4, 4 and 1");
    bool explicit_padding = call->form == 0;
    uint32_t next = explicit_padding ? 7 : 5;
    NN_NEEDS(!nn_flag(call, next + 3), "TRANSPOSE_CONV_2D: the stand-in takes NHWC only");
    *w = (Window){.batches = in->dims[0], .in_h = in->dims[1], .in_w = in->dims[2], .in_c = in->dims[3], .out_c = filter->dims[0],
                  .filter_h = (int32_t)filter->dims[1], .filter_w = (int32_t)filter->dims[2], .stride_w = nn_int(call, next),
                  .stride_h = nn_int(call, next + 1)};
    *fuse = nn_int(call, next + 2);
    float least, most;
    NN_CHECK(nn_fuse(*fuse, &least, &most), "TRANSPOSE_CONV_2D: unknown fuse code %d", *fuse);
    NN_CHECK(w->stride_h > 0 && w->stride_w > 0 && w->stride_h < 4096 && w->stride_w < 4096, "TRANSPOSE_CONV_2D: wrong strides");
    NN_CHECK(filter->dims[3] == w->in_c && call->in[2]->dims[0] == w->out_c, "TRANSPOSE_CONV_2D: filter and bias do not fit");
    int64_t full_h = (int64_t)(w->in_h - 1) * w->stride_h + w->filter_h, full_w = (int64_t)(w->in_w - 1) * w->stride_w + w->filter_w;
    int64_t out_h, out_w;
    if (explicit_padding) {
        for (uint32_t i = 3; i < 7; i++)
            NN_CHECK(nn_int(call, i) >= 0 && nn_int(call, i) < 4096, "TRANSPOSE_CONV_2D: a padding is wrong");
        w->pad_left = nn_int(call, 3);
        w->pad_top = nn_int(call, 5);
        out_h = full_h - w->pad_top - nn_int(call, 6);
        out_w = full_w - w->pad_left - nn_int(call, 4);
    } else {
        const Tensor *shape = call->in[3];
        NN_NEEDS(shape->data, "TRANSPOSE_CONV_2D: the output shape must be constant");
        const int32_t *dims = shape->data;
        NN_CHECK(nn_count(shape) == 4 && dims[0] == (int32_t)w->batches && dims[3] == (int32_t)w->out_c,
                 "TRANSPOSE_CONV_2D: the output shape does not fit");
        out_h = dims[1];
        out_w = dims[2];
        int32_t scheme = nn_int(call, 4);
        NN_CHECK(scheme == NN_PADDING_SAME || scheme == NN_PADDING_VALID, "TRANSPOSE_CONV_2D: unknown padding scheme");
        if (scheme == NN_PADDING_SAME) {
            w->pad_top = full_h > out_h ? (int32_t)((full_h - out_h) / 2) : 0;
            w->pad_left = full_w > out_w ? (int32_t)((full_w - out_w) / 2) : 0;
        }
    }
    NN_CHECK(out_h > 0 && out_w > 0 && out_h < 65536 && out_w < 65536, "TRANSPOSE_CONV_2D: the output is empty or too large");
    w->out_h = (size_t)out_h;
    w->out_w = (size_t)out_w;
    return NN_NO_ERROR;
}

int nn_transpose_conv_shape(const Call *call, Tensor *out)
{
    Window w;
    int32_t fuse = 0;
    int status = read(call, &w, &fuse);
    if (status) return status;
    out->rank = 4;
    out->dims[0] = (uint32_t)w.batches;
    out->dims[1] = (uint32_t)w.out_h;
    out->dims[2] = (uint32_t)w.out_w;
    out->dims[3] = (uint32_t)w.out_c;
    return nn_conv_check_quant(call);
}

/* Filter rows in the order of the scattered products: [y][x][out channel][in channel]. */
#define REORDER(T)                                                                                               \
    static void reorder_##T(const Window *w, const T *filter, T *to)                                             \
    {                                                                                                            \
        size_t taps = (size_t)w->filter_h * (size_t)w->filter_w;                                                 \
        for (size_t tap = 0; tap < taps; tap++)                                                                  \
            for (size_t oc = 0; oc < w->out_c; oc++)                                                             \
                memcpy(to + (tap * w->out_c + oc) * w->in_c, filter + (oc * taps + tap) * w->in_c, w->in_c * sizeof *to); \
    }
REORDER(float)
REORDER(int16_t)

/* Adds the products of one input pixel; float32 and int32 values alike have four bytes. */
#define SCATTER(T)                                                                                            \
    static void scatter_##T(const Window *w, size_t pixel, const T *products, T *image)                       \
    {                                                                                                         \
        for (int32_t fy = 0; fy < w->filter_h; fy++)                                                          \
            for (int32_t fx = 0; fx < w->filter_w; fx++, products += w->out_c) {                              \
                int64_t y = (int64_t)(pixel / w->in_w) * w->stride_h - w->pad_top + fy;                       \
                int64_t x = (int64_t)(pixel % w->in_w) * w->stride_w - w->pad_left + fx;                      \
                if (y < 0 || x < 0 || y >= (int64_t)w->out_h || x >= (int64_t)w->out_w) continue;             \
                T *to = image + ((size_t)y * w->out_w + (size_t)x) * w->out_c;                                \
                for (size_t c = 0; c < w->out_c; c++) to[c] += products[c];                                   \
            }                                                                                                 \
    }
SCATTER(float)
SCATTER(int32_t)

int nn_transpose_conv_run(const Call *call)
{
    Window w;
    int32_t fuse = 0;
    int status = read(call, &w, &fuse);
    if (status) return status;
    const Tensor *in = call->in[0], *filter = call->in[1], *out = call->out[0];
    size_t pixels = w.in_h * w.in_w, image = w.out_h * w.out_w * w.out_c;
    size_t n = (size_t)w.filter_h * (size_t)w.filter_w * w.out_c, weights = n * w.in_c;
    enum { CHUNK = 48 };
    float least = 0, most = 0;
    nn_fuse(fuse, &least, &most);
    if (nn_is_quant8(in->type)) {
        Requantise r = nn_conv_requantise(call, w.out_c, fuse);
        int16_t *plain = nn_scratch(call, weights * sizeof *plain), *ordered = nn_scratch(call, weights * sizeof *ordered);
        int16_t *pixel = nn_scratch(call, CHUNK * w.in_c * sizeof *pixel);
        int32_t *products = nn_scratch(call, CHUNK * n * sizeof *products), *sums = nn_scratch(call, image * sizeof *sums);
        nn_centre(filter, 0, weights, plain);
        reorder_int16_t(&w, plain, ordered);
        for (size_t batch = 0; batch < w.batches; batch++) {
            memset(sums, 0, image * sizeof *sums);
            for (size_t first = 0; first < pixels; first += CHUNK) {
                size_t count = pixels - first < CHUNK ? pixels - first : CHUNK;
                nn_centre(in, (batch * pixels + first) * w.in_c, count * w.in_c, pixel);
                nn_gemm_int(count, n, w.in_c, pixel, ordered, products);
                for (size_t i = 0; i < count; i++) scatter_int32_t(&w, first + i, products + i * n, sums);
            }
            nn_requantise_rows(&r, w.out_h * w.out_w, w.out_c, sums, call->in[2]->data, (int8_t *)out->data + batch * image);
        }
        return NN_NO_ERROR;
    }
    float *ordered = nn_scratch(call, weights * sizeof *ordered), *packed = nn_scratch(call, nn_packed_floats(n, w.in_c) * 4);
    float *products = nn_scratch(call, CHUNK * n * sizeof *products);
    reorder_float(&w, filter->data, ordered);
    nn_pack(ordered, n, w.in_c, packed);
    const float *bias = call->in[2]->data;
    for (size_t batch = 0; batch < w.batches; batch++) {
        float *to = (float *)out->data + batch * image;
        for (size_t i = 0; i < image; i++) to[i] = bias[i % w.out_c];
        for (size_t first = 0; first < pixels; first += CHUNK) {
            size_t count = pixels - first < CHUNK ? pixels - first : CHUNK;
            nn_gemm(count, n, w.in_c, (const float *)in->data + (batch * pixels + first) * w.in_c, w.in_c, packed, NULL, -3.4028235e38f,
                    3.4028235e38f, products, n);
            for (size_t i = 0; i < count; i++) scatter_float(&w, first + i, products + i * n, to);
        }
        for (size_t i = 0; fuse && i < image; i++) to[i] = to[i] < least ? least : to[i] > most ? most : to[i];
    }
    return NN_NO_ERROR;
}
