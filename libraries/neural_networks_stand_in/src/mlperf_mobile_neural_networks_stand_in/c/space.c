/* Operations that move pixels: depth and batch to space and back, resizing. All tensors are NHWC. */
#include <math.h>

#include "kernels.h"

static int check_image(const Call *call, uint32_t flag)
{
    NN_CHECK(call->in[0]->rank == 4, "%s: the input's rank must be 4", nn_operation_name(call->code));
    NN_NEEDS(!nn_flag(call, flag), "%s: the stand-in takes NHWC only", nn_operation_name(call->code));
    return NN_NO_ERROR;
}

int nn_blocks_shape(const Call *call, Tensor *out)
{
    int status = check_image(call, 2);
    if (status) return status;
    const uint32_t *in = call->in[0]->dims;
    int32_t b = nn_int(call, 1);
    NN_CHECK(b >= 1 && b < 32768, "%s: block size %d", nn_operation_name(call->code), b);
    uint32_t block = (uint32_t)b;
    out->rank = 4;
    out->dims[0] = in[0];
    if (call->code == NN_DEPTH_TO_SPACE) {
        NN_CHECK(in[3] % (block * block) == 0 && in[1] < 65536 && in[2] < 65536, "DEPTH_TO_SPACE: the block does not fit the depth");
        out->dims[1] = in[1] * block;
        out->dims[2] = in[2] * block;
        out->dims[3] = in[3] / (block * block);
    } else {
        NN_CHECK(in[1] % block == 0 && in[2] % block == 0 && (uint64_t)in[3] * block * block <= UINT32_MAX,
                 "SPACE_TO_DEPTH: the block does not fit the image");
        out->dims[1] = in[1] / block;
        out->dims[2] = in[2] / block;
        out->dims[3] = in[3] * block * block;
    }
    return NN_NO_ERROR;
}

int nn_blocks_run(const Call *call)
{
    bool to_space = call->code == NN_DEPTH_TO_SPACE;
    const Tensor *wide = to_space ? call->out[0] : call->in[0], *deep = to_space ? call->in[0] : call->out[0];
    size_t block = (size_t)nn_int(call, 1), part = wide->dims[3] * nn_type_size(wide->type);
    uint8_t *to = call->out[0]->data;
    const uint8_t *from = call->in[0]->data;
    for (size_t row = 0; row < (size_t)wide->dims[0] * wide->dims[1]; row++)
        for (size_t x = 0; x < wide->dims[2]; x++) {
            size_t outer = row / wide->dims[1], y = row % wide->dims[1];
            size_t here = (row * wide->dims[2] + x) * part;
            size_t there = (((outer * deep->dims[1] + y / block) * deep->dims[2] + x / block) * block * block + y % block * block +
                            x % block) * part;
            if (to_space) memcpy(to + here, from + there, part);
            else memcpy(to + there, from + here, part);
        }
    return NN_NO_ERROR;
}

/* Sizes of the blocks, paddings in front (none for BATCH_TO_SPACE_ND). */
typedef struct {
    uint32_t block[2];
    int32_t pads[4];
} Batches;

static int read_batches(const Call *call, Batches *b)
{
    bool to_space = call->code == NN_BATCH_TO_SPACE_ND;
    const char *name = nn_operation_name(call->code);
    int status = check_image(call, to_space ? 2 : 3);
    if (status) return status;
    NN_NEEDS(call->in[1]->data && (to_space || call->in[2]->data), "%s: block sizes and paddings must be constant", name);
    NN_CHECK(nn_count(call->in[1]) == 2 && (to_space || nn_count(call->in[2]) == 4), "%s: there must be two block sizes", name);
    *b = (Batches){{0, 0}, {0, 0, 0, 0}};
    for (int i = 0; i < 2; i++) {
        int32_t block = ((const int32_t *)call->in[1]->data)[i];
        NN_CHECK(block >= 1 && block < 32768, "%s: block size %d", name, block);
        b->block[i] = (uint32_t)block;
    }
    for (int i = 0; i < 4 && !to_space; i++) {
        b->pads[i] = ((const int32_t *)call->in[2]->data)[i];
        NN_CHECK(b->pads[i] >= 0 && b->pads[i] < 65536, "%s: padding %d", name, b->pads[i]);
    }
    return NN_NO_ERROR;
}

int nn_batches_shape(const Call *call, Tensor *out)
{
    Batches b;
    int status = read_batches(call, &b);
    if (status) return status;
    nn_same_dims(out, call->in[0]);
    uint64_t blocks = (uint64_t)b.block[0] * b.block[1];
    NN_CHECK(out->dims[1] < 65536 && out->dims[2] < 65536 && out->dims[0] * blocks <= UINT32_MAX, "%s: the image is too large",
             nn_operation_name(call->code));
    if (call->code == NN_BATCH_TO_SPACE_ND) {
        NN_CHECK(out->dims[0] % blocks == 0, "BATCH_TO_SPACE_ND: the blocks do not fit the batch");
        out->dims[0] /= (uint32_t)blocks;
        for (int i = 0; i < 2; i++) out->dims[1 + i] *= b.block[i];
        return NN_NO_ERROR;
    }
    out->dims[0] *= (uint32_t)blocks;
    for (int i = 0; i < 2; i++) {
        uint32_t padded = out->dims[1 + i] + (uint32_t)b.pads[2 * i] + (uint32_t)b.pads[2 * i + 1];
        NN_CHECK(padded % b.block[i] == 0, "SPACE_TO_BATCH_ND: the blocks do not fit the padded image");
        out->dims[1 + i] = padded / b.block[i];
    }
    return NN_NO_ERROR;
}

/* Walks over the tensor with many batches; each of its pixels has one place in the other, or lies in the padding. */
int nn_batches_run(const Call *call)
{
    Batches b;
    int status = read_batches(call, &b);
    if (status) return status;
    bool to_space = call->code == NN_BATCH_TO_SPACE_ND;
    const Tensor *many = to_space ? call->in[0] : call->out[0], *one = to_space ? call->out[0] : call->in[0];
    size_t part = many->dims[3] * nn_type_size(many->type), count = nn_outer(many, 3);
    uint8_t *to = call->out[0]->data;
    const uint8_t *from = call->in[0]->data;
    for (size_t pixel = 0; pixel < count; pixel++) {
        size_t x = pixel % many->dims[2], y = pixel / many->dims[2] % many->dims[1], batch = pixel / many->dims[2] / many->dims[1];
        size_t image = batch % one->dims[0], shift = batch / one->dims[0];
        int64_t ty = (int64_t)(y * b.block[0] + shift / b.block[1]) - b.pads[0];
        int64_t tx = (int64_t)(x * b.block[1] + shift % b.block[1]) - b.pads[2];
        bool inside = ty >= 0 && tx >= 0 && ty < (int64_t)one->dims[1] && tx < (int64_t)one->dims[2];
        size_t there = inside ? ((image * one->dims[1] + (size_t)ty) * one->dims[2] + (size_t)tx) * part : 0;
        if (to_space) memcpy(to + there, from + pixel * part, part);
        else if (inside) memcpy(to + pixel * part, from + there, part);
        else memset(to + pixel * part, nn_type_size(many->type) == 1 ? many->zero : 0, part);
    }
    return NN_NO_ERROR;
}

/* Forms: by size (0) and by scale (1). */
int nn_resize_shape(const Call *call, Tensor *out)
{
    int status = check_image(call, 3);
    if (status) return status;
    NN_CHECK(!(nn_flag(call, 4) && nn_flag(call, 5)), "%s: half pixel centers exclude align corners", nn_operation_name(call->code));
    nn_same_dims(out, call->in[0]);
    for (uint32_t i = 0; i < 2; i++) { /* width, height */
        uint32_t *d = &out->dims[2 - i];
        double size = call->form == 0 ? nn_int(call, 1 + i) : floor((double)(*d) * nn_float(call, 1 + i));
        NN_CHECK(size >= 1 && size < 65536, "%s: output size %g", nn_operation_name(call->code), size);
        *d = (uint32_t)size;
    }
    return NN_NO_ERROR;
}

static float ratio(uint32_t in, uint32_t out, bool align)
{
    return align && out > 1 ? (float)(in - 1) / (float)(out - 1) : (float)in / (float)out;
}

typedef struct {
    size_t low, high;
    float weight; /* of high */
} Spot;

static Spot linear(uint32_t i, float scale, bool half, uint32_t in)
{
    float at = half ? ((float)i + 0.5f) * scale - 0.5f : (float)i * scale;
    int64_t low = (int64_t)floorf(at), high = (int64_t)ceilf(at);
    if (low < 0) low = 0;
    if (high > (int64_t)in - 1) high = (int64_t)in - 1;
    if (high < 0) high = 0;
    return (Spot){(size_t)(low > high ? high : low), (size_t)high, at - (float)low};
}

static size_t nearest(uint32_t i, float scale, bool half, bool align, uint32_t in)
{
    float at = ((float)i + (half ? 0.5f : 0)) * scale;
    int64_t spot = (int64_t)(align ? roundf(at) : floorf(at));
    return (size_t)(spot < 0 ? 0 : spot >= (int64_t)in ? (int64_t)in - 1 : spot);
}

int nn_resize_run(const Call *call)
{
    const Tensor *in = call->in[0], *out = call->out[0];
    bool align = nn_flag(call, 4), half = nn_flag(call, 5);
    size_t depth = in->dims[3], size = nn_type_size(in->type), image = (size_t)in->dims[1] * in->dims[2] * depth;
    float sy = ratio(in->dims[1], out->dims[1], align), sx = ratio(in->dims[2], out->dims[2], align);
    uint8_t *to = out->data;
    for (size_t batch = 0; batch < out->dims[0]; batch++)
        for (uint32_t y = 0; y < out->dims[1]; y++)
            for (uint32_t x = 0; x < out->dims[2]; x++, to += depth * size) {
                const uint8_t *from = (const uint8_t *)in->data + batch * image * size;
                if (call->code == NN_RESIZE_NEAREST_NEIGHBOR) {
                    size_t at = nearest(y, sy, half, align, in->dims[1]) * in->dims[2] + nearest(x, sx, half, align, in->dims[2]);
                    memcpy(to, from + at * depth * size, depth * size);
                    continue;
                }
                Spot v = linear(y, sy, half, in->dims[1]), h = linear(x, sx, half, in->dims[2]);
                const float *a = (const float *)from + (v.low * in->dims[2] + h.low) * depth;
                const float *b = (const float *)from + (v.low * in->dims[2] + h.high) * depth;
                const float *c = (const float *)from + (v.high * in->dims[2] + h.low) * depth;
                const float *d = (const float *)from + (v.high * in->dims[2] + h.high) * depth;
                float wa = (1 - v.weight) * (1 - h.weight), wb = (1 - v.weight) * h.weight, wc = v.weight * (1 - h.weight),
                      wd = v.weight * h.weight;
                for (size_t i = 0; i < depth; i++) ((float *)to)[i] = a[i] * wa + b[i] * wb + c[i] * wc + d[i] * wd;
            }
    return NN_NO_ERROR;
}
