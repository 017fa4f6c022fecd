/* The operations: signatures, checks of a call, and running it.
 *
 * A signature lists inputs > outputs; alternatives are separated by |. Letters: T tensor of one of the allowed types (all T of
 * one type), W filter, A bias, q quantised tensor, X any tensor, I int32 tensor, B bool8 tensor, i f b s scalars of int32,
 * float, bool, or T's own kind; * one or more T; ? the rest may be left out. Signatures and levels: NeuralNetworksTypes.h of
 * AOSP (October 2022). */
#include <stdio.h>
#include <stdlib.h>

#include "kernels.h"

#define K(name) nn_##name##_shape, nn_##name##_run

static const Operation operations[] = {
    {NN_ADD, "ADD", 1, "FHUSI4", "TTi>T", 4, NN_LIFT, K(binary), NULL},
    {NN_SUB, "SUB", 2, "FHU3SI4", "TTi>T", 4, NN_LIFT, K(binary), NULL},
    {NN_MUL, "MUL", 1, "FHUSI4", "TTi>T", 4, NN_LIFT, K(binary), NULL},
    {NN_DIV, "DIV", 2, "FHI4", "TTi>T", 4, NN_LIFT, K(binary), NULL},
    {NN_MAXIMUM, "MAXIMUM", 3, "FHUSI", "TT>T", 8, NN_LIFT, K(binary), NULL},
    {NN_MINIMUM, "MINIMUM", 3, "FHUSI", "TT>T", 8, NN_LIFT, K(binary), NULL},
    {NN_POW, "POW", 3, "FH", "TT>T", 8, NN_LIFT, K(binary), NULL},
    {NN_PRELU, "PRELU", 3, "FHUS", "TT>T", 8, NN_LIFT, K(binary), NULL},
    {NN_EQUAL, "EQUAL", 3, "FHUSIB", "TT>B", 8, NN_LIFT, K(compare), NULL},
    {NN_NOT_EQUAL, "NOT_EQUAL", 3, "FHUSIB", "TT>B", 8, NN_LIFT, K(compare), NULL},
    {NN_GREATER, "GREATER", 3, "FHUSIB", "TT>B", 8, NN_LIFT, K(compare), NULL},
    {NN_GREATER_EQUAL, "GREATER_EQUAL", 3, "FHUSIB", "TT>B", 8, NN_LIFT, K(compare), NULL},
    {NN_LESS, "LESS", 3, "FHUSIB", "TT>B", 8, NN_LIFT, K(compare), NULL},
    {NN_LESS_EQUAL, "LESS_EQUAL", 3, "FHUSIB", "TT>B", 8, NN_LIFT, K(compare), NULL},
    {NN_LOGICAL_AND, "LOGICAL_AND", 3, "B", "TT>T", 8, 0, K(compare), NULL},
    {NN_LOGICAL_OR, "LOGICAL_OR", 3, "B", "TT>T", 8, 0, K(compare), NULL},
    {NN_LOGICAL_NOT, "LOGICAL_NOT", 3, "B", "T>T", 8, 0, K(unary), NULL},
    {NN_SELECT, "SELECT", 3, "FHUSI", "BTT>T", 8, NN_LIFT, K(select), NULL},
    {NN_RELU, "RELU", 1, "FHUS", "T>T", 4, NN_LIFT, K(unary), NULL},
    {NN_RELU1, "RELU1", 1, "FHUS", "T>T", 4, NN_LIFT, K(unary), NULL},
    {NN_RELU6, "RELU6", 1, "FHUS", "T>T", 4, NN_LIFT, K(unary), NULL},
    {NN_TANH, "TANH", 1, "FHU3S", "T>T", 4, NN_LIFT, K(unary), NULL},
    {NN_LOGISTIC, "LOGISTIC", 1, "FHUS", "T>T", 4, NN_LIFT, K(unary), NULL},
    {NN_FLOOR, "FLOOR", 1, "FH", "T>T", 4, NN_LIFT, K(unary), NULL},
    {NN_ABS, "ABS", 3, "FHI4", "T>T", 8, NN_LIFT, K(unary), NULL},
    {NN_NEG, "NEG", 3, "FHI", "T>T", 8, NN_LIFT, K(unary), NULL},
    {NN_EXP, "EXP", 3, "FH", "T>T", 8, NN_LIFT, K(unary), NULL},
    {NN_LOG, "LOG", 3, "FH", "T>T", 8, NN_LIFT, K(unary), NULL},
    {NN_SQRT, "SQRT", 3, "FH", "T>T", 8, NN_LIFT, K(unary), NULL},
    {NN_RSQRT, "RSQRT", 3, "FHU7S7", "T>T", 8, NN_LIFT, K(unary), NULL},
    {NN_SIN, "SIN", 3, "FH", "T>T", 8, NN_LIFT, K(unary), NULL},
    {NN_ELU, "ELU", 4, "FH", "Tf>T", 8, NN_LIFT, K(unary), NULL},
    {NN_HARD_SWISH, "HARD_SWISH", 4, "FHUS", "T>T", 8, NN_LIFT, K(unary), NULL},
    {NN_QUANTIZE, "QUANTIZE", 3, "FH", "T>q", 8, NN_LIFT, K(convert), NULL},
    {NN_DEQUANTIZE, "DEQUANTIZE", 1, "FH", "q>T", 8, NN_LIFT, K(convert), NULL},
    {NN_CAST, "CAST", 3, "FHUSIB", "X>X", 8, 0, K(convert), NULL},
    {NN_SOFTMAX, "SOFTMAX", 1, "FHUS", "Tf?i>T", 4, NN_LIFT, K(softmax), NULL},
    {NN_LOG_SOFTMAX, "LOG_SOFTMAX", 3, "FH", "Tfi>T", 8, NN_LIFT, K(softmax), NULL},
    {NN_L2_NORMALIZATION, "L2_NORMALIZATION", 1, "FHU3S", "T?i>T", 4, NN_LIFT, K(normalise), NULL},
    {NN_LOCAL_RESPONSE_NORMALIZATION, "LOCAL_RESPONSE_NORMALIZATION", 1, "FH", "Tifff?i>T", 4, NN_LIFT, K(normalise), NULL},
    {NN_CONV_2D, "CONV_2D", 1, "FHUS", "TWAiiiiiii?b?ii>T|TWAiiii?b?ii>T", 4, NN_LIFT_HALF, K(conv), nn_conv_prepare},
    {NN_DEPTHWISE_CONV_2D, "DEPTHWISE_CONV_2D", 1, "FHUS", "TWAiiiiiiii?b?ii>T|TWAiiiii?b?ii>T", 4, NN_LIFT_HALF, K(depthwise), NULL},
    {NN_GROUPED_CONV_2D, "GROUPED_CONV_2D", 3, "FHUS", "TWAiiiiiiiib>T|TWAiiiiib>T", 4, NN_LIFT_HALF, K(grouped), NULL},
    {NN_TRANSPOSE_CONV_2D, "TRANSPOSE_CONV_2D", 3, "FHUS", "TWAiiiiiiib>T|TWAIiiiib>T", 4, NN_LIFT_HALF, K(transpose_conv), NULL},
    {NN_AVERAGE_POOL_2D, "AVERAGE_POOL_2D", 1, "FHUS", "Tiiiiiiiii?b>T|Tiiiiii?b>T", 4, NN_LIFT_HALF | NN_SAME, K(pool), NULL},
    {NN_MAX_POOL_2D, "MAX_POOL_2D", 1, "FHUS", "Tiiiiiiiii?b>T|Tiiiiii?b>T", 4, NN_LIFT_HALF | NN_SAME, K(pool), NULL},
    {NN_L2_POOL_2D, "L2_POOL_2D", 1, "FH", "Tiiiiiiiii?b>T|Tiiiiii?b>T", 4, NN_LIFT_HALF, K(pool), NULL},
    {NN_FULLY_CONNECTED, "FULLY_CONNECTED", 1, "FHUS", "TTAi>T", 4, NN_LIFT_HALF, K(fully_connected), nn_fully_connected_prepare},
    {NN_BATCH_MATMUL, "BATCH_MATMUL", 6, "FHSI", "TT?b?b>T", 4, NN_LIFT, K(matmul), NULL},
    {NN_RESHAPE, "RESHAPE", 1, "FHUSI6", "TI>T", 4, NN_SAME, K(reshape), NULL},
    {NN_SQUEEZE, "SQUEEZE", 2, "FHUS", "T?I>T", 4, NN_SAME, K(reshape), NULL},
    {NN_EXPAND_DIMS, "EXPAND_DIMS", 3, "FHUSI", "Ti>T", 8, NN_SAME, K(reshape), NULL},
    {NN_CONCATENATION, "CONCATENATION", 1, "FHUS", "*i>T", 4, 0, K(concatenation), NULL},
    {NN_SPLIT, "SPLIT", 3, "FHUSI", "Tii>*", 8, NN_SAME, K(split), NULL},
    {NN_PACK, "PACK", 6, "FHUSI", "i*>T", 8, NN_SAME, K(pack), NULL},
    {NN_TRANSPOSE, "TRANSPOSE", 2, "FHUS", "T?I>T", 4, NN_SAME, K(transpose), NULL},
    {NN_REVERSE, "REVERSE", 7, "FHUSI", "TI>T", 8, NN_SAME, K(reverse), NULL},
    {NN_TILE, "TILE", 3, "FHUSI", "TI>T", 8, NN_SAME, K(tile), NULL},
    {NN_EMBEDDING_LOOKUP, "EMBEDDING_LOOKUP", 1, "FH4U3SI3", "IT>T", 8, NN_SAME, K(gather), NULL},
    {NN_GATHER, "GATHER", 3, "FHUSI", "TiI>T", 8, NN_SAME, K(gather), NULL},
    {NN_PAD, "PAD", 2, "FHUS", "TI>T", 4, NN_SAME, K(pad), NULL},
    {NN_PAD_V2, "PAD_V2", 3, "FHUS", "TIs>T", 4, NN_SAME, K(pad), NULL},
    {NN_MIRROR_PAD, "MIRROR_PAD", 7, "FHUSI", "TIi>T", 8, NN_SAME, K(pad), NULL},
    {NN_SLICE, "SLICE", 3, "FHUSI", "TII>T", 8, NN_SAME, K(slice), NULL},
    {NN_STRIDED_SLICE, "STRIDED_SLICE", 2, "FHUS", "TIIIiii>T", 4, NN_SAME, K(strided_slice), NULL},
    {NN_FILL, "FILL", 4, "FHI", "Is>T", 8, 0, K(fill), NULL},
    {NN_DEPTH_TO_SPACE, "DEPTH_TO_SPACE", 1, "FHUS", "Ti?b>T", 4, NN_SAME, K(blocks), NULL},
    {NN_SPACE_TO_DEPTH, "SPACE_TO_DEPTH", 1, "FHUS", "Ti?b>T", 4, NN_SAME, K(blocks), NULL},
    {NN_BATCH_TO_SPACE_ND, "BATCH_TO_SPACE_ND", 2, "FHUS", "TI?b>T", 4, NN_SAME, K(batches), NULL},
    {NN_SPACE_TO_BATCH_ND, "SPACE_TO_BATCH_ND", 2, "FHUS", "TII?b>T", 4, NN_SAME, K(batches), NULL},
    {NN_RESIZE_BILINEAR, "RESIZE_BILINEAR", 1, "FHU3S", "Tii?b?b?b>T|Tff?b?b?b>T", 4, NN_LIFT | NN_SAME, K(resize), NULL},
    {NN_RESIZE_NEAREST_NEIGHBOR, "RESIZE_NEAREST_NEIGHBOR", 3, "FHUS", "Tiib?b?b>T|Tffb?b?b>T", 4, NN_SAME, K(resize), NULL},
    {NN_MEAN, "MEAN", 2, "FHUS", "TIi>T", 4, NN_LIFT | NN_SAME, K(reduce), NULL},
    {NN_REDUCE_ALL, "REDUCE_ALL", 3, "B", "TIb>T", 4, 0, K(reduce), NULL},
    {NN_REDUCE_ANY, "REDUCE_ANY", 3, "B", "TIb>T", 4, 0, K(reduce), NULL},
    {NN_REDUCE_MAX, "REDUCE_MAX", 3, "FHUS", "TIb>T", 4, NN_LIFT | NN_SAME, K(reduce), NULL},
    {NN_REDUCE_MIN, "REDUCE_MIN", 3, "FHUS", "TIb>T", 4, NN_LIFT | NN_SAME, K(reduce), NULL},
    {NN_REDUCE_PROD, "REDUCE_PROD", 3, "FH", "TIb>T", 4, NN_LIFT, K(reduce), NULL},
    {NN_REDUCE_SUM, "REDUCE_SUM", 3, "FH", "TIb>T", 4, NN_LIFT, K(reduce), NULL},
    {NN_ARGMAX, "ARGMAX", 3, "FHUSI", "Ti>I", 8, 0, K(arg), NULL},
    {NN_ARGMIN, "ARGMIN", 3, "FHUSI", "Ti>I", 8, 0, K(arg), NULL},
    {NN_TOPK_V2, "TOPK_V2", 3, "FHUSI", "Ti>TI", 8, NN_SAME, K(topk), NULL},
    {NN_DETECTION_POSTPROCESSING, "DETECTION_POSTPROCESSING", 3, "FH", "TTTffffbiiiffb>TTII", 8, NN_LIFT, K(detection), NULL},
};

const Operation *nn_operation(int32_t code)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (operations[i].code == code) return &operations[i];
    return NULL;
}

const char *nn_operation_name(int32_t code)
{
    static _Thread_local char number[32];
    const Operation *operation = nn_operation(code);
    if (operation) return operation->name;
    snprintf(number, sizeof number, "operation %d", code);
    return number;
}

static char letter_of(int32_t type);

int nn_operation_level(const Operation *operation, int32_t type)
{
    const char *found = letter_of(type) ? strchr(operation->types, letter_of(type)) : NULL;
    int level = found && found[1] >= '0' && found[1] <= '9' ? found[1] - '0' : 1;
    return level > operation->level ? level : operation->level;
}

static char letter_of(int32_t type)
{
    switch (type) {
    case NN_TENSOR_FLOAT32: return 'F';
    case NN_TENSOR_FLOAT16: return 'H';
    case NN_TENSOR_QUANT8_ASYMM: return 'U';
    case NN_TENSOR_QUANT8_ASYMM_SIGNED: return 'S';
    case NN_TENSOR_INT32: return 'I';
    case NN_TENSOR_BOOL8: return 'B';
    default: return 0;
    }
}

/* Spells the pattern out for `count` operands; false when it does not fit. */
static bool spell(const char *pattern, size_t length, uint32_t count, char *letters)
{
    uint32_t plain = 0, used = 0;
    for (size_t i = 0; i < length; i++) plain += pattern[i] != '?' && pattern[i] != '*';
    for (size_t i = 0; i < length; i++) {
        if (pattern[i] == '?') {
            if (used == count) return true;
            continue;
        }
        uint32_t times = 1;
        if (pattern[i] == '*') {
            if (count <= plain) return false;
            times = count - plain;
        }
        if (times > count - used) return false;
        memset(letters + used, pattern[i] == '*' ? 'T' : pattern[i], times);
        used += times;
    }
    return used == count;
}

static bool fits(char letter, int32_t type, const char *types, int32_t *main_type)
{
    char own = letter_of(type);
    switch (letter) {
    case 'T':
        if (*main_type >= 0) return type == *main_type;
        *main_type = type;
        return own && strchr(types, own);
    case 'W':
        return type == *main_type || ((letter_of(*main_type) == 'U' || letter_of(*main_type) == 'S') &&
                                      type == NN_TENSOR_QUANT8_SYMM_PER_CHANNEL);
    case 'A': return type == (nn_is_quant8(*main_type) ? NN_TENSOR_INT32 : *main_type);
    case 'q': return own == 'U' || own == 'S' || type == NN_TENSOR_QUANT8_SYMM || type == NN_TENSOR_QUANT8_SYMM_PER_CHANNEL;
    case 'X': return own != 0;
    case 'I': return own == 'I';
    case 'B': return own == 'B';
    case 'i': return type == NN_INT32;
    case 'b': return type == NN_BOOL;
    case 'f': return type == (*main_type == NN_TENSOR_FLOAT16 ? NN_FLOAT16 : NN_FLOAT32);
    case 's':
        if (*main_type == NN_TENSOR_FLOAT32) return type == NN_FLOAT32;
        return type == (*main_type == NN_TENSOR_FLOAT16 ? NN_FLOAT16 : NN_INT32);
    default: return false;
    }
}

static bool match_one(const Operation *operation, const char *text, size_t length, const Tensor *const *in, uint32_t inputs,
                      const Tensor *const *out, uint32_t outputs, char *letters)
{
    const char *arrow = memchr(text, '>', length);
    size_t left = (size_t)(arrow - text);
    if (!spell(text, left, inputs, letters) || !spell(arrow + 1, length - left - 1, outputs, letters + inputs)) return false;
    int32_t main_type = -1;
    /* T first: filters, biases and scalars are checked against its type. */
    for (uint32_t pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < inputs + outputs; i++) {
            if ((letters[i] == 'T') != (pass == 0)) continue;
            int32_t type = i < inputs ? in[i]->type : out[i - inputs]->type;
            if (!fits(letters[i], type, operation->types, &main_type)) return false;
        }
    return true;
}

int nn_match(const Operation *operation, const Tensor *const *in, uint32_t inputs, const Tensor *const *out, uint32_t outputs,
             int *form)
{
    char *letters = nn_alloc((size_t)inputs + outputs);
    const char *text = operation->signature;
    for (*form = 0;; ++*form) {
        size_t length = strcspn(text, "|");
        if (match_one(operation, text, length, in, inputs, out, outputs, letters)) break;
        text += length;
        if (!*text++) {
            free(letters);
            return nn_fail(NN_BAD_DATA, "%s does not take this number or these types of operands (%u inputs, %u outputs)",
                           operation->name, inputs, outputs);
        }
    }
    free(letters);
    return NN_NO_ERROR;
}

static bool specified(const Tensor *t) { return !nn_is_tensor(t->type) || nn_count(t) > 0; }

static int check_output(const Operation *operation, Tensor *declared, const Tensor *inferred)
{
    if (!nn_is_tensor(declared->type)) return NN_NO_ERROR;
    NN_CHECK(nn_count(inferred) > 0, "%s: an output is empty or too large", operation->name);
    if (declared->rank == 0) {
        nn_same_dims(declared, inferred);
        return NN_NO_ERROR;
    }
    bool same = declared->rank == inferred->rank;
    for (uint32_t i = 0; same && i < declared->rank; i++) {
        if (declared->dims[i] == 0) declared->dims[i] = inferred->dims[i];
        same = declared->dims[i] == inferred->dims[i];
    }
    NN_CHECK(same, "%s: an output is declared with rank %u, first dimensions [%u, %u]; it has rank %u, [%u, %u]", operation->name,
             declared->rank, declared->dims[0], declared->dims[1], inferred->rank, inferred->dims[0], inferred->dims[1]);
    return NN_NO_ERROR;
}

int nn_infer(const Operation *operation, Call *call)
{
    for (uint32_t i = 0; i < call->inputs + call->outputs; i++) {
        const Tensor *t = i < call->inputs ? call->in[i] : call->out[i - call->inputs];
        bool tensor = nn_is_tensor(t->type);
        NN_CHECK(!nn_is_quant8(t->type) || t->type == NN_TENSOR_QUANT8_SYMM_PER_CHANNEL || t->scale > 0,
                 "%s: a quantised operand has scale %g", operation->name, t->scale);
        if (i >= call->inputs) break;
        NN_NEEDS(tensor || t->data, "%s: input %u must be a constant for the stand-in", operation->name, i);
        NN_NEEDS(specified(t), "%s: the stand-in takes only fully specified inputs", operation->name);
        NN_CHECK(t->rank <= operation->max_rank, "%s: rank %u is too high", operation->name, t->rank);
    }
    bool same = operation->lift & NN_SAME && !(call->own_scale && operation->lift & NN_LIFT_QUANT);
    for (uint32_t i = 0; same && i < call->outputs; i++) {
        const Tensor *from = NULL, *to = call->out[i];
        for (uint32_t j = 0; j < call->inputs && !from; j++)
            if (call->in[j]->type == to->type) from = call->in[j];
        NN_CHECK(!from || !nn_is_quant8(to->type) || (from->scale == to->scale && from->zero == to->zero),
                 "%s: output and input must have the same scale and zero point", operation->name);
    }
    Tensor *inferred = nn_alloc(call->outputs * sizeof *inferred);
    for (uint32_t i = 0; i < call->outputs; i++) {
        inferred[i] = *call->out[i];
        memset(inferred[i].dims, 0, sizeof inferred[i].dims);
        inferred[i].rank = 0;
    }
    int status = operation->shape(call, inferred);
    for (uint32_t i = 0; !status && i < call->outputs; i++) status = check_output(operation, call->out[i], &inferred[i]);
    free(inferred);
    return status;
}

void *nn_scratch(const Call *call, size_t size)
{
    Scratch *scratch = call->scratch;
    if (scratch->used == 16) nn_abort("a kernel needs too many scratch buffers");
    int slot = scratch->used++;
    if (scratch->sizes[slot] < size) {
        free(scratch->slots[slot]);
        scratch->slots[slot] = NULL;
        if (posix_memalign(&scratch->slots[slot], 64, size) != 0) nn_abort("out of memory: %zu bytes", size);
        scratch->sizes[slot] = size;
    }
    return scratch->slots[slot];
}

static bool lifts(const Operation *operation, const Tensor *t)
{
    return (operation->lift & NN_LIFT_HALF && t->type == NN_TENSOR_FLOAT16) ||
           (operation->lift & NN_LIFT_QUANT && nn_is_quant8(t->type));
}

/* Float16 and quantised operands pass through float32 where the kernel computes on real values. */
static int run_lifted(const Operation *operation, const Call *call)
{
    Tensor views[24];
    const Tensor *in[24];
    Tensor *out[24];
    uint32_t all = call->inputs + call->outputs;
    if (all > 24) return nn_fail(NN_OP_FAILED, "%s: too many operands to convert", operation->name);
    size_t total = 0;
    for (uint32_t i = 0; i < all; i++) {
        views[i] = i < call->inputs ? *call->in[i] : *call->out[i - call->inputs];
        if (lifts(operation, &views[i])) total += (nn_count(&views[i]) * sizeof(float) + 63) & ~(size_t)63;
    }
    uint8_t *room = nn_scratch(call, total);
    for (uint32_t i = 0; i < all; i++) {
        Tensor *t = &views[i];
        if (lifts(operation, t)) {
            float *real = (float *)room;
            room += (nn_count(t) * sizeof(float) + 63) & ~(size_t)63;
            if (i < call->inputs) nn_to_real(t, real);
            t->type = NN_TENSOR_FLOAT32;
            t->data = real;
        }
        if (i < call->inputs) in[i] = t;
        else out[i - call->inputs] = t;
    }
    Call lifted = *call;
    lifted.in = in;
    lifted.out = out;
    int status = operation->run(&lifted);
    for (uint32_t i = 0; !status && i < call->outputs; i++)
        if (lifts(operation, call->out[i])) nn_from_real(out[i]->data, call->out[i]);
    return status;
}

int nn_run(const Operation *operation, const Call *call)
{
    call->scratch->used = 0;
    if (operation->lift & NN_LIFT)
        for (uint32_t i = 0; i < call->inputs + call->outputs; i++)
            if (lifts(operation, i < call->inputs ? call->in[i] : call->out[i - call->inputs])) return run_lifted(operation, call);
    return operation->run(call);
}
