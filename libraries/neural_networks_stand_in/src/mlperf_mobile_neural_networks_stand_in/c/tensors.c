/* Element types of tensors: sizes, and conversion to and from float32. */
#include <math.h>
#include <string.h>

#include "nn.h"

size_t nn_type_size(int32_t type)
{
    switch (type) {
    case NN_FLOAT32: case NN_INT32: case NN_UINT32: case NN_TENSOR_FLOAT32: case NN_TENSOR_INT32:
        return 4;
    case NN_TENSOR_QUANT16_SYMM: case NN_TENSOR_QUANT16_ASYMM: case NN_TENSOR_FLOAT16: case NN_FLOAT16:
        return 2;
    case NN_BOOL: case NN_TENSOR_BOOL8: case NN_TENSOR_QUANT8_ASYMM: case NN_TENSOR_QUANT8_ASYMM_SIGNED:
    case NN_TENSOR_QUANT8_SYMM: case NN_TENSOR_QUANT8_SYMM_PER_CHANNEL:
        return 1;
    default:
        return 0;
    }
}

bool nn_is_tensor(int32_t type)
{
    return type != NN_FLOAT32 && type != NN_INT32 && type != NN_UINT32 && type != NN_BOOL && type != NN_FLOAT16 &&
           type != NN_MODEL;
}

bool nn_is_quant8(int32_t type)
{
    return type == NN_TENSOR_QUANT8_ASYMM || type == NN_TENSOR_QUANT8_ASYMM_SIGNED || type == NN_TENSOR_QUANT8_SYMM ||
           type == NN_TENSOR_QUANT8_SYMM_PER_CHANNEL;
}

size_t nn_count(const Tensor *t)
{
    if (!nn_is_tensor(t->type)) return 1;
    if (!t->rank) return 0;
    size_t count = 1;
    for (uint32_t i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(count, (size_t)t->dims[i], &count) || count > NN_MAX_BYTES) return 0;
    return count;
}

size_t nn_bytes(const Tensor *t)
{
    size_t bytes = nn_count(t) * nn_type_size(t->type);
    return bytes > NN_MAX_BYTES ? 0 : bytes;
}

float nn_half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = (half >> 10) & 31, fraction = half & 0x3ff, bits;
    if (exponent == 0) {
        float value = ldexpf((float)fraction, -24);
        return sign ? -value : value;
    }
    if (exponent == 31)
        bits = sign | 0x7f800000 | fraction << 13;
    else
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/* Rounds to nearest, ties to even. */
uint16_t nn_float_to_half(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) return sign | 0x7e00;             /* not a number */
    if (bits >= 0x477ff000) return sign | 0x7c00;            /* rounds to infinity */
    if (bits < 0x38800000) {                                 /* becomes subnormal */
        float magnitude;
        memcpy(&magnitude, &bits, 4);
        return sign | (uint16_t)lrintf(ldexpf(magnitude, 24));
    }
    uint32_t odd = bits >> 13 & 1;
    return sign | (uint16_t)((bits - 0x38000000 + 0xfff + odd) >> 13);
}

void nn_to_real(const Tensor *from, float *to)
{
    size_t count = nn_count(from);
    if (from->type == NN_TENSOR_FLOAT16) {
        const uint16_t *data = from->data;
        for (size_t i = 0; i < count; i++) to[i] = nn_half_to_float(data[i]);
    } else if (from->type == NN_TENSOR_QUANT8_ASYMM) {
        const uint8_t *data = from->data;
        for (size_t i = 0; i < count; i++) to[i] = (float)(data[i] - from->zero) * from->scale;
    } else if (from->type == NN_TENSOR_QUANT8_SYMM_PER_CHANNEL) {
        const int8_t *data = from->data;
        size_t inner = 1;
        for (uint32_t i = from->channel_dim + 1; i < from->rank; i++) inner *= from->dims[i];
        for (size_t i = 0; i < count; i++) to[i] = (float)data[i] * from->scales[i / inner % from->scale_count];
    } else if (nn_is_quant8(from->type)) {
        const int8_t *data = from->data;
        for (size_t i = 0; i < count; i++) to[i] = (float)(data[i] - from->zero) * from->scale;
    } else if (from->type == NN_TENSOR_FLOAT32) {
        memcpy(to, from->data, count * 4);
    }
}

void nn_from_real(const float *from, Tensor *to)
{
    size_t count = nn_count(to);
    if (to->type == NN_TENSOR_FLOAT16) {
        uint16_t *data = to->data;
        for (size_t i = 0; i < count; i++) data[i] = nn_float_to_half(from[i]);
    } else if (nn_is_quant8(to->type)) {
        double least = nn_quant_min(to->type), most = nn_quant_max(to->type), scale = to->scale;
        int8_t *data = to->data;
        for (size_t i = 0; i < count; i++) {
            double q = round((double)from[i] / scale) + to->zero; /* half away from zero, as TFLite's Quantize */
            q = q < least ? least : q > most ? most : q == q ? q : to->zero;
            data[i] = (int8_t)(int)q;
        }
    }
}
