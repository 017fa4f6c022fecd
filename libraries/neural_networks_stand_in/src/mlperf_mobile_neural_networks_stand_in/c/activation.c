/* Operations on each element of one tensor, and conversions between element types. */
#include <math.h>

#include "kernels.h"

/* Operations whose quantised output has one fixed scale and zero point. */
static int check_fixed_output(const Call *call)
{
    const Tensor *out = call->out[0];
    if (!nn_is_quant8(out->type)) return NN_NO_ERROR;
    bool plus = call->code == NN_LOGISTIC || call->code == NN_SOFTMAX, is_signed = out->type == NN_TENSOR_QUANT8_ASYMM_SIGNED;
    if (!plus && call->code != NN_TANH && call->code != NN_L2_NORMALIZATION) return NN_NO_ERROR;
    float scale = plus ? 1.f / 256 : 1.f / 128;
    int32_t zero = plus ? (is_signed ? -128 : 0) : (is_signed ? 0 : 128);
    NN_CHECK(out->scale == scale && out->zero == zero, "%s: the output must have scale %g and zero point %d",
             nn_operation_name(call->code), scale, zero);
    return NN_NO_ERROR;
}

int nn_unary_shape(const Call *call, Tensor *out)
{
    nn_same_dims(out, call->in[0]);
    const Tensor *to = call->out[0], *from = call->in[0];
    if ((call->code == NN_RELU || call->code == NN_RELU1 || call->code == NN_RELU6) && nn_is_quant8(to->type))
        NN_CHECK(to->scale == from->scale && to->zero == from->zero, "%s: output and input must have the same scale and zero point",
                 nn_operation_name(call->code));
    return check_fixed_output(call);
}

#define EACH(T, E) \
    for (size_t i = 0; i < count; i++) { \
        T x = from[i]; \
        to[i] = (E); \
    } \
    break

int nn_unary_run(const Call *call)
{
    size_t count = nn_count(call->out[0]);
    if (call->in[0]->type == NN_TENSOR_INT32) {
        const int32_t *from = call->in[0]->data;
        int32_t *to = call->out[0]->data;
        switch (call->code) {
        case NN_ABS: EACH(int32_t, x < 0 ? (int32_t)(0u - (uint32_t)x) : x);
        case NN_NEG: EACH(int32_t, (int32_t)(0u - (uint32_t)x));
        }
        return NN_NO_ERROR;
    }
    if (call->in[0]->type == NN_TENSOR_BOOL8) {
        const uint8_t *from = call->in[0]->data;
        uint8_t *to = call->out[0]->data;
        for (size_t i = 0; i < count; i++) to[i] = !from[i];
        return NN_NO_ERROR;
    }
    const float *from = call->in[0]->data;
    float *to = call->out[0]->data, alpha = call->code == NN_ELU ? nn_float(call, 1) : 0;
    switch (call->code) {
    case NN_RELU: EACH(float, x > 0 ? x : 0);
    case NN_RELU1: EACH(float, x < -1 ? -1 : x > 1 ? 1 : x);
    case NN_RELU6: EACH(float, x < 0 ? 0 : x > 6 ? 6 : x);
    case NN_TANH: EACH(float, tanhf(x));
    case NN_LOGISTIC: EACH(float, 1 / (1 + expf(-x)));
    case NN_ABS: EACH(float, fabsf(x));
    case NN_NEG: EACH(float, -x);
    case NN_FLOOR: EACH(float, floorf(x));
    case NN_EXP: EACH(float, expf(x));
    case NN_LOG: EACH(float, logf(x));
    case NN_SQRT: EACH(float, sqrtf(x));
    case NN_RSQRT: EACH(float, 1 / sqrtf(x));
    case NN_SIN: EACH(float, sinf(x));
    case NN_ELU: EACH(float, x >= 0 ? x : alpha * expm1f(x));
    case NN_HARD_SWISH: EACH(float, x * (x < -3 ? 0 : x > 3 ? 6 : x + 3) / 6);
    }
    return NN_NO_ERROR;
}

int nn_convert_shape(const Call *call, Tensor *out)
{
    nn_same_dims(out, call->in[0]);
    return NN_NO_ERROR;
}

static double read_number(const Tensor *t, size_t i)
{
    switch (t->type) {
    case NN_TENSOR_FLOAT32: return ((const float *)t->data)[i];
    case NN_TENSOR_FLOAT16: return nn_half_to_float(((const uint16_t *)t->data)[i]);
    case NN_TENSOR_INT32: return ((const int32_t *)t->data)[i];
    case NN_TENSOR_QUANT8_ASYMM_SIGNED: return ((const int8_t *)t->data)[i];
    default: return ((const uint8_t *)t->data)[i];
    }
}

static int64_t limited(double value, int64_t least, int64_t most)
{
    return value != value ? 0 : value <= (double)least ? least : value >= (double)most ? most : (int64_t)value;
}

/* CAST takes the stored numbers, without scale. Quantised targets saturate; fractions are cut off. */
static void cast(const Tensor *from, Tensor *to)
{
    size_t count = nn_count(to);
    for (size_t i = 0; i < count; i++) {
        double value = read_number(from, i);
        switch (to->type) {
        case NN_TENSOR_FLOAT32: ((float *)to->data)[i] = (float)value; break;
        case NN_TENSOR_FLOAT16: ((uint16_t *)to->data)[i] = nn_float_to_half((float)value); break;
        case NN_TENSOR_INT32: ((int32_t *)to->data)[i] = (int32_t)limited(value, INT32_MIN, INT32_MAX); break;
        case NN_TENSOR_QUANT8_ASYMM_SIGNED: ((int8_t *)to->data)[i] = (int8_t)limited(value, -128, 127); break;
        case NN_TENSOR_BOOL8: ((uint8_t *)to->data)[i] = value != 0; break;
        default: ((uint8_t *)to->data)[i] = (uint8_t)limited(value, 0, 255); break;
        }
    }
}

/* QUANTIZE and DEQUANTIZE are done by the conversion around the call; here both sides are float32. */
int nn_convert_run(const Call *call)
{
    if (call->code == NN_CAST) cast(call->in[0], call->out[0]);
    else memcpy(call->out[0]->data, call->in[0]->data, nn_bytes(call->out[0]));
    return NN_NO_ERROR;
}

/* Softmax and log-softmax over one axis. */
static int read_axis(const Call *call, uint32_t input, uint32_t *axis)
{
    int32_t given = call->inputs > input ? nn_int(call, input) : -1;
    NN_CHECK(nn_axis(given, call->in[0]->rank, axis), "%s: axis %d is out of range", nn_operation_name(call->code), given);
    return NN_NO_ERROR;
}

int nn_softmax_shape(const Call *call, Tensor *out)
{
    uint32_t axis;
    nn_same_dims(out, call->in[0]);
    NN_CHECK(nn_float(call, 1) > 0, "%s: beta must be positive", nn_operation_name(call->code));
    int status = check_fixed_output(call);
    return status ? status : read_axis(call, 2, &axis);
}

int nn_softmax_run(const Call *call)
{
    const Tensor *in = call->in[0];
    uint32_t axis = 0;
    int status = read_axis(call, 2, &axis);
    float beta = nn_float(call, 1);
    size_t outer = nn_outer(in, axis), n = in->dims[axis], inner = nn_inner(in, axis + 1);
    for (size_t o = 0; o < outer && !status; o++)
        for (size_t i = 0; i < inner; i++) {
            const float *from = (const float *)in->data + o * n * inner + i;
            float *to = (float *)call->out[0]->data + o * n * inner + i, most = from[0], sum = 0;
            for (size_t j = 1; j < n; j++) most = from[j * inner] > most ? from[j * inner] : most;
            for (size_t j = 0; j < n; j++) {
                float power = expf((from[j * inner] - most) * beta);
                sum += power;
                to[j * inner] = power;
            }
            if (call->code == NN_SOFTMAX) {
                float share = 1 / sum;
                for (size_t j = 0; j < n; j++) to[j * inner] *= share;
            } else {
                float log_sum = logf(sum);
                for (size_t j = 0; j < n; j++) to[j * inner] = (from[j * inner] - most) * beta - log_sum;
            }
        }
    return status;
}

/* L2_NORMALIZATION and LOCAL_RESPONSE_NORMALIZATION. */
int nn_normalise_shape(const Call *call, Tensor *out)
{
    uint32_t axis;
    nn_same_dims(out, call->in[0]);
    bool local = call->code == NN_LOCAL_RESPONSE_NORMALIZATION;
    if (local) NN_CHECK(nn_int(call, 1) >= 0, "LOCAL_RESPONSE_NORMALIZATION: the radius is negative");
    int status = check_fixed_output(call);
    return status ? status : read_axis(call, local ? 5 : 1, &axis);
}

int nn_normalise_run(const Call *call)
{
    const Tensor *in = call->in[0];
    bool local = call->code == NN_LOCAL_RESPONSE_NORMALIZATION;
    uint32_t axis = 0;
    int status = read_axis(call, local ? 5 : 1, &axis);
    size_t outer = nn_outer(in, axis), n = in->dims[axis], inner = nn_inner(in, axis + 1);
    size_t radius = local ? (size_t)nn_int(call, 1) : n;
    for (size_t o = 0; o < outer && !status; o++)
        for (size_t i = 0; i < inner; i++) {
            const float *from = (const float *)in->data + o * n * inner + i;
            float *to = (float *)call->out[0]->data + o * n * inner + i;
            double all = 0;
            for (size_t j = 0; j < n && !local; j++) all += (double)from[j * inner] * from[j * inner];
            for (size_t j = 0; j < n; j++) {
                if (!local) {
                    to[j * inner] = all > 0 ? (float)(from[j * inner] / sqrt(all)) : 0;
                    continue;
                }
                double sum = 0;
                size_t first = j > radius ? j - radius : 0, last = n - j > radius ? j + radius : n - 1;
                for (size_t k = first; k <= last; k++) sum += (double)from[k * inner] * from[k * inner];
                double base = nn_float(call, 2) + nn_float(call, 3) * sum;
                to[j * inner] = (float)(from[j * inner] * pow(base, -(double)nn_float(call, 4)));
            }
        }
    return status;
}
