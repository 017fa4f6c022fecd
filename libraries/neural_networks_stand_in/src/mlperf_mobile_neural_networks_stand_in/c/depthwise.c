/* Depthwise and grouped convolution. */
#include "conv.h"
#include "wide.h"

/* One filter tap at one output position: sums[c] += in[c / multiplier] * filter[c]. */
#define TAP(name, V, S)                                                                                          \
    NN_INLINE void name##_body(size_t channels, size_t multiplier, const V *in, const V *filter, S *sums)        \
    {                                                                                                            \
        if (multiplier == 1)                                                                                     \
            for (size_t c = 0; c < channels; c++) sums[c] += (S)in[c] * (S)filter[c];                            \
        else                                                                                                     \
            for (size_t c = 0; c < channels; c++) sums[c] += (S)in[c / multiplier] * (S)filter[c];               \
    }                                                                                                            \
    LOOPS(name, (size_t channels, size_t multiplier, const V *in, const V *filter, S *sums), (channels, multiplier, in, filter, sums))
TAP(tap_real, float, float)
TAP(tap_int, int16_t, int32_t)

/* Forms: explicit (0) and implicit (1) padding. `extra` is the depth multiplier or the number of groups. */
static int read(const Call *call, Window *w, int32_t *extra, int32_t *fuse)
{
    const Tensor *in = call->in[0], *filter = call->in[1];
    const char *name = nn_operation_name(call->code);
    NN_CHECK(in->rank == 4 && filter->rank == 4 && call->in[2]->rank == 1, "%s: ranks must be 4, 4 and 1", name);
    bool explicit_padding = call->form == 0;
    uint32_t next = explicit_padding ? 7 : 4, flag = next + 4;
    NN_NEEDS(!nn_flag(call, flag), "%s: the stand-in takes NHWC only", name);
    *w = (Window){.batches = in->dims[0], .in_h = in->dims[1], .in_w = in->dims[2], .in_c = in->dims[3],
                  .filter_h = (int32_t)filter->dims[1], .filter_w = (int32_t)filter->dims[2],
                  .stride_w = nn_int(call, next), .stride_h = nn_int(call, next + 1), .dilation_w = 1, .dilation_h = 1};
    w->out_c = call->code == NN_DEPTHWISE_CONV_2D ? filter->dims[3] : filter->dims[0];
    *extra = nn_int(call, next + 2);
    *fuse = nn_int(call, next + 3);
    if (call->inputs > flag + 1) w->dilation_w = nn_int(call, flag + 1), w->dilation_h = nn_int(call, flag + 2);
    float least, most;
    NN_CHECK(nn_fuse(*fuse, &least, &most), "%s: unknown fuse code %d", name, *fuse);
    NN_CHECK(call->in[2]->dims[0] == w->out_c, "%s: the bias does not fit the filter", name);
    if (explicit_padding) {
        w->pad_left = nn_int(call, 3);
        w->pad_top = nn_int(call, 5);
        return nn_window_out(w, nn_int(call, 6), nn_int(call, 4), 0);
    }
    NN_CHECK(nn_int(call, 3) == NN_PADDING_SAME || nn_int(call, 3) == NN_PADDING_VALID, "%s: unknown padding scheme", name);
    return nn_window_out(w, 0, 0, nn_int(call, 3));
}

static void set_dims(const Window *w, Tensor *out)
{
    out->rank = 4;
    out->dims[0] = (uint32_t)w->batches;
    out->dims[1] = (uint32_t)w->out_h;
    out->dims[2] = (uint32_t)w->out_w;
    out->dims[3] = (uint32_t)w->out_c;
}

int nn_depthwise_shape(const Call *call, Tensor *out)
{
    Window w;
    int32_t multiplier = 0, fuse = 0;
    int status = read(call, &w, &multiplier, &fuse);
    if (status) return status;
    NN_CHECK(call->in[1]->dims[0] == 1, "DEPTHWISE_CONV_2D: the filter's first dimension must be 1");
    NN_CHECK(multiplier > 0 && w.in_c * (size_t)multiplier == w.out_c,
             "DEPTHWISE_CONV_2D: %zu input channels times multiplier %d are not the filter's %zu", w.in_c, multiplier, w.out_c);
    set_dims(&w, out);
    return nn_conv_check_quant(call);
}

int nn_depthwise_run(const Call *call)
{
    Window w;
    int32_t multiplier = 0, fuse = 0;
    int status = read(call, &w, &multiplier, &fuse);
    if (status) return status;
    const Tensor *in = call->in[0], *filter = call->in[1], *out = call->out[0];
    size_t image = w.in_h * w.in_w * w.in_c, taps = (size_t)w.filter_h * (size_t)w.filter_w;
    bool quant = nn_is_quant8(in->type);
    Requantise r = {0};
    int16_t *centred = NULL, *weights = NULL;
    int32_t *sums = NULL;
    float least = 0, most = 0;
    nn_fuse(fuse, &least, &most);
    if (quant) {
        r = nn_conv_requantise(call, w.out_c, fuse);
        centred = nn_scratch(call, image * sizeof *centred);
        weights = nn_scratch(call, taps * w.out_c * sizeof *weights);
        sums = nn_scratch(call, w.out_c * sizeof *sums);
        nn_centre(filter, 0, taps * w.out_c, weights);
    }
    for (size_t batch = 0; batch < w.batches; batch++) {
        const float *real = (const float *)in->data + batch * image;
        if (quant) nn_centre(in, batch * image, image, centred);
        for (size_t position = 0; position < w.out_h * w.out_w; position++) {
            size_t at = (batch * w.out_h * w.out_w + position) * w.out_c;
            float *to = (float *)out->data + (quant ? 0 : at);
            memcpy(quant ? (void *)sums : (void *)to, call->in[2]->data, w.out_c * 4);
            for (int32_t fy = 0; fy < w.filter_h; fy++)
                for (int32_t fx = 0; fx < w.filter_w; fx++) {
                    int64_t y = (int64_t)(position / w.out_w) * w.stride_h - w.pad_top + (int64_t)fy * w.dilation_h;
                    int64_t x = (int64_t)(position % w.out_w) * w.stride_w - w.pad_left + (int64_t)fx * w.dilation_w;
                    if (y < 0 || x < 0 || y >= (int64_t)w.in_h || x >= (int64_t)w.in_w) continue;
                    size_t from = ((size_t)y * w.in_w + (size_t)x) * w.in_c;
                    size_t tap = ((size_t)fy * (size_t)w.filter_w + (size_t)fx) * w.out_c;
                    if (quant) tap_int(w.out_c, (size_t)multiplier, centred + from, weights + tap, sums);
                    else tap_real(w.out_c, (size_t)multiplier, real + from, (const float *)filter->data + tap, to);
                }
            if (quant)
                for (size_t c = 0; c < w.out_c; c++) ((int8_t *)out->data)[at + c] = (int8_t)nn_requantise(&r, sums[c], c);
            else if (fuse)
                for (size_t c = 0; c < w.out_c; c++) to[c] = to[c] < least ? least : to[c] > most ? most : to[c];
        }
    }
    return NN_NO_ERROR;
}

int nn_grouped_shape(const Call *call, Tensor *out)
{
    Window w;
    int32_t groups = 0, fuse = 0;
    int status = read(call, &w, &groups, &fuse);
    if (status) return status;
    NN_CHECK(groups > 0 && w.out_c % (size_t)groups == 0 && call->in[1]->dims[3] * (size_t)groups == w.in_c,
             "GROUPED_CONV_2D: %d groups do not fit the channels", groups);
    set_dims(&w, out);
    return nn_conv_check_quant(call);
}

/* Plainly, one sum after the other. */
int nn_grouped_run(const Call *call)
{
    Window w;
    int32_t groups = 0, fuse = 0;
    int status = read(call, &w, &groups, &fuse);
    if (status) return status;
    const Tensor *in = call->in[0], *filter = call->in[1], *out = call->out[0];
    size_t depth = filter->dims[3], per_group = w.out_c / (size_t)groups, all = nn_count(in), weights = nn_count(filter);
    bool quant = nn_is_quant8(in->type);
    Requantise r = {0};
    int16_t *centred = NULL, *taps = NULL;
    float least = 0, most = 0;
    nn_fuse(fuse, &least, &most);
    if (quant) {
        r = nn_conv_requantise(call, w.out_c, fuse);
        centred = nn_scratch(call, all * sizeof *centred);
        taps = nn_scratch(call, weights * sizeof *taps);
        nn_centre(in, 0, all, centred);
        nn_centre(filter, 0, weights, taps);
    }
    size_t at = 0;
    for (size_t position = 0; position < w.batches * w.out_h * w.out_w; position++)
        for (size_t oc = 0; oc < w.out_c; oc++, at++) {
            float real = quant ? 0 : ((const float *)call->in[2]->data)[oc];
            int32_t sum = quant ? ((const int32_t *)call->in[2]->data)[oc] : 0;
            size_t batch = position / (w.out_h * w.out_w), spot = position % (w.out_h * w.out_w);
            for (int32_t fy = 0; fy < w.filter_h; fy++)
                for (int32_t fx = 0; fx < w.filter_w; fx++) {
                    int64_t y = (int64_t)(spot / w.out_w) * w.stride_h - w.pad_top + (int64_t)fy * w.dilation_h;
                    int64_t x = (int64_t)(spot % w.out_w) * w.stride_w - w.pad_left + (int64_t)fx * w.dilation_w;
                    if (y < 0 || x < 0 || y >= (int64_t)w.in_h || x >= (int64_t)w.in_w) continue;
                    size_t from = ((batch * w.in_h + (size_t)y) * w.in_w + (size_t)x) * w.in_c + oc / per_group * depth;
                    size_t tap = ((oc * (size_t)w.filter_h + (size_t)fy) * (size_t)w.filter_w + (size_t)fx) * depth;
                    for (size_t c = 0; c < depth; c++) {
                        if (quant) sum += centred[from + c] * taps[tap + c];
                        else real += ((const float *)in->data)[from + c] * ((const float *)filter->data)[tap + c];
                    }
                }
            if (quant) ((int8_t *)out->data)[at] = (int8_t)nn_requantise(&r, sum, oc);
            else ((float *)out->data)[at] = real < least ? least : real > most ? most : real;
        }
    return NN_NO_ERROR;
}
