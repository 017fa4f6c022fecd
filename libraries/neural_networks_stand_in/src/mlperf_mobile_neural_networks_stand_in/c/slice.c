/* Padding, slices, and filling. */
#include "kernels.h"

static int read_pads(const Call *call, const int32_t **pads)
{
    const Tensor *in = call->in[0], *given = call->in[1];
    const char *name = nn_operation_name(call->code);
    NN_NEEDS(given->data, "%s: the paddings must be constant", name);
    NN_CHECK(given->rank == 2 && given->dims[0] == in->rank && given->dims[1] == 2, "%s: the paddings must be [rank, 2]", name);
    *pads = given->data;
    return NN_NO_ERROR;
}

int nn_pad_shape(const Call *call, Tensor *out)
{
    const Tensor *in = call->in[0];
    const int32_t *pads = NULL;
    int status = read_pads(call, &pads);
    if (status) return status;
    bool mirror = call->code == NN_MIRROR_PAD;
    if (mirror) NN_CHECK(nn_int(call, 2) == 0 || nn_int(call, 2) == 1, "MIRROR_PAD: unknown mode %d", nn_int(call, 2));
    nn_same_dims(out, in);
    for (uint32_t i = 0; i < in->rank; i++) {
        int32_t before = pads[2 * i], after = pads[2 * i + 1];
        NN_CHECK(before >= 0 && after >= 0 && before < 1 << 20 && after < 1 << 20, "%s: a padding is negative or too large",
                 nn_operation_name(call->code));
        int64_t most = mirror ? (int64_t)in->dims[i] - (nn_int(call, 2) == 0) : INT64_MAX;
        NN_CHECK(before <= most && after <= most, "MIRROR_PAD: a padding is larger than the dimension");
        NN_CHECK(in->dims[i] <= UINT32_MAX - (1u << 21), "%s: the output is too large", nn_operation_name(call->code));
        out->dims[i] = in->dims[i] + (uint32_t)before + (uint32_t)after;
    }
    return NN_NO_ERROR;
}

/* Fills `count` elements with the value outside the input: zero, or that of PAD_V2. */
static void fill_outside(const Call *call, size_t count, void *to)
{
    const Tensor *in = call->in[0];
    bool given = call->code == NN_PAD_V2;
    if (nn_type_size(in->type) == 1) {
        memset(to, given ? nn_int(call, 2) : in->zero, count);
        return;
    }
    if (in->type == NN_TENSOR_FLOAT16) {
        uint16_t value = given ? *(const uint16_t *)call->in[2]->data : 0;
        for (size_t i = 0; i < count; i++) ((uint16_t *)to)[i] = value;
        return;
    }
    int32_t bits = given ? nn_int(call, 2) : 0; /* of float32 as of int32 */
    for (size_t i = 0; i < count; i++) ((int32_t *)to)[i] = bits;
}

/* Where element i of a mirrored dimension comes from: mode 0 leaves the edge out, mode 1 repeats it. */
static size_t mirrored(size_t i, size_t before, size_t n, int32_t mode)
{
    int64_t at = (int64_t)i - (int64_t)before, last = (int64_t)n - 1;
    if (at < 0) at = -at - mode;
    if (at > last) at = 2 * last - at + mode;
    return (size_t)at;
}

static void mirror(const Call *call, const int32_t *pads)
{
    const Tensor *in = call->in[0], *out = call->out[0];
    size_t size = nn_type_size(in->type), count = nn_count(out);
    int32_t mode = nn_int(call, 2);
    for (size_t at = 0; at < count; at++) {
        size_t rest = at, from = 0, step = 1;
        for (uint32_t i = out->rank; i-- > 0;) {
            from += mirrored(rest % out->dims[i], (size_t)pads[2 * i], in->dims[i], mode) * step;
            rest /= out->dims[i];
            step *= in->dims[i];
        }
        memcpy((uint8_t *)out->data + at * size, (const uint8_t *)in->data + from * size, size);
    }
}

int nn_pad_run(const Call *call)
{
    const Tensor *in = call->in[0], *out = call->out[0];
    const int32_t *pads = NULL;
    int status = read_pads(call, &pads);
    if (status) return status;
    if (call->code == NN_MIRROR_PAD) {
        mirror(call, pads);
        return NN_NO_ERROR;
    }
    fill_outside(call, nn_count(out), out->data);
    size_t size = nn_type_size(in->type), row = in->dims[in->rank - 1], rows = nn_outer(in, in->rank - 1);
    for (size_t r = 0; r < rows; r++) {
        size_t rest = r, to = (size_t)pads[2 * (in->rank - 1)], step = out->dims[in->rank - 1];
        for (uint32_t i = in->rank - 1; i-- > 0;) {
            to += (rest % in->dims[i] + (size_t)pads[2 * i]) * step;
            rest /= in->dims[i];
            step *= out->dims[i];
        }
        memcpy((uint8_t *)out->data + to * size, (const uint8_t *)in->data + r * row * size, row * size);
    }
    return NN_NO_ERROR;
}

/* A slice of every dimension: first position, step, number. */
typedef struct {
    int64_t first[NN_MAX_RANK], step[NN_MAX_RANK];
    uint32_t count[NN_MAX_RANK];
    bool shrink[NN_MAX_RANK];
} Cut;

static int read_slice(const Call *call, Cut *cut)
{
    const Tensor *in = call->in[0];
    NN_NEEDS(call->in[1]->data && call->in[2]->data, "SLICE: begin and size must be constant");
    NN_CHECK(nn_count(call->in[1]) == in->rank && nn_count(call->in[2]) == in->rank, "SLICE: begin and size do not fit the rank");
    for (uint32_t i = 0; i < in->rank; i++) {
        int64_t first = ((const int32_t *)call->in[1]->data)[i], count = ((const int32_t *)call->in[2]->data)[i];
        if (count == -1) count = (int64_t)in->dims[i] - first;
        NN_CHECK(first >= 0 && count > 0 && first + count <= (int64_t)in->dims[i], "SLICE: dimension %u is out of range", i);
        cut->first[i] = first;
        cut->step[i] = 1;
        cut->count[i] = (uint32_t)count;
        cut->shrink[i] = false;
    }
    return NN_NO_ERROR;
}

static int64_t within(int64_t value, int64_t least, int64_t most) { return value < least ? least : value > most ? most : value; }

static int read_strided(const Call *call, Cut *cut)
{
    const Tensor *in = call->in[0];
    for (uint32_t i = 1; i < 4; i++) {
        NN_NEEDS(call->in[i]->data, "STRIDED_SLICE: begin, end and strides must be constant");
        NN_CHECK(nn_count(call->in[i]) == in->rank, "STRIDED_SLICE: begin, end or strides do not fit the rank");
    }
    int32_t begin_mask = nn_int(call, 4), end_mask = nn_int(call, 5), shrink_mask = nn_int(call, 6);
    for (uint32_t i = 0; i < in->rank; i++) {
        int64_t n = in->dims[i], begin = ((const int32_t *)call->in[1]->data)[i], end = ((const int32_t *)call->in[2]->data)[i];
        int64_t step = ((const int32_t *)call->in[3]->data)[i];
        NN_CHECK(step != 0, "STRIDED_SLICE: a stride is zero");
        if (begin < 0) begin += n;
        if (end < 0) end += n;
        cut->shrink[i] = shrink_mask >> i & 1;
        if (cut->shrink[i]) {
            NN_CHECK(begin >= 0 && begin < n && step > 0, "STRIDED_SLICE: dimension %u is out of range", i);
            cut->first[i] = begin;
            cut->step[i] = cut->count[i] = 1;
            continue;
        }
        int64_t first = step > 0 ? within(begin, 0, n) : within(begin, -1, n - 1);
        int64_t last = step > 0 ? within(end, 0, n) : within(end, -1, n - 1);
        if (begin_mask >> i & 1) first = step > 0 ? 0 : n - 1;
        if (end_mask >> i & 1) last = step > 0 ? n : -1;
        int64_t span = step > 0 ? last - first : first - last, size = step > 0 ? step : -step;
        NN_CHECK(span > 0, "STRIDED_SLICE: dimension %u of the output is empty", i);
        cut->first[i] = first;
        cut->step[i] = step;
        cut->count[i] = (uint32_t)((span + size - 1) / size);
    }
    return NN_NO_ERROR;
}

static void cut_dims(const Cut *cut, uint32_t rank, Tensor *out)
{
    for (uint32_t i = 0; i < rank; i++)
        if (!cut->shrink[i]) out->dims[out->rank++] = cut->count[i];
    if (!out->rank) out->dims[out->rank++] = 1;
}

static void run_cut(const Call *call, const Cut *cut)
{
    const Tensor *in = call->in[0];
    size_t size = nn_type_size(in->type), rows = 1;
    uint32_t last = in->rank - 1, n = cut->count[last];
    for (uint32_t i = 0; i < last; i++) rows *= cut->count[i];
    uint8_t *to = call->out[0]->data;
    for (size_t r = 0; r < rows; r++, to += n * size) {
        size_t rest = r;
        int64_t from = cut->first[last], step = in->dims[last];
        for (uint32_t i = last; i-- > 0;) {
            from += (cut->first[i] + (int64_t)(rest % cut->count[i]) * cut->step[i]) * step;
            rest /= cut->count[i];
            step *= in->dims[i];
        }
        const uint8_t *start = (const uint8_t *)in->data + from * (int64_t)size;
        if (cut->step[last] == 1) memcpy(to, start, n * size);
        else for (uint32_t i = 0; i < n; i++) memcpy(to + i * size, start + (int64_t)i * cut->step[last] * (int64_t)size, size);
    }
}

int nn_slice_shape(const Call *call, Tensor *out)
{
    Cut cut;
    int status = read_slice(call, &cut);
    if (!status) cut_dims(&cut, call->in[0]->rank, out);
    return status;
}

int nn_slice_run(const Call *call)
{
    Cut cut;
    int status = read_slice(call, &cut);
    if (!status) run_cut(call, &cut);
    return status;
}

int nn_strided_slice_shape(const Call *call, Tensor *out)
{
    Cut cut;
    int status = read_strided(call, &cut);
    if (!status) cut_dims(&cut, call->in[0]->rank, out);
    return status;
}

int nn_strided_slice_run(const Call *call)
{
    Cut cut;
    int status = read_strided(call, &cut);
    if (!status) run_cut(call, &cut);
    return status;
}

int nn_fill_shape(const Call *call, Tensor *out)
{
    const Tensor *dims = call->in[0];
    NN_NEEDS(dims->data, "FILL: the dimensions must be constant");
    NN_CHECK(dims->rank == 1 && dims->dims[0] <= NN_MAX_RANK, "FILL: the dimensions must be one list");
    out->rank = dims->dims[0];
    for (uint32_t i = 0; i < out->rank; i++) {
        int32_t d = ((const int32_t *)dims->data)[i];
        NN_CHECK(d > 0, "FILL: dimension %d is not positive", d);
        out->dims[i] = (uint32_t)d;
    }
    return NN_NO_ERROR;
}

int nn_fill_run(const Call *call)
{
    Tensor *out = call->out[0];
    size_t count = nn_count(out), size = nn_type_size(out->type);
    for (size_t i = 0; i < count; i++) memcpy((uint8_t *)out->data + i * size, call->in[1]->data, size);
    return NN_NO_ERROR;
}
