/* Fully connected layers and products of matrices. */
#include "conv.h"

int nn_fully_connected_shape(const Call *call, Tensor *out)
{
    const Tensor *in = call->in[0], *weights = call->in[1], *bias = call->in[2];
    float least, most;
    NN_CHECK(in->rank >= 2 && weights->rank == 2 && bias->rank == 1, "FULLY_CONNECTED: ranks must be at least 2, 2 and 1");
    NN_CHECK(nn_count(in) % weights->dims[1] == 0, "FULLY_CONNECTED: the input does not fit weights of %u columns", weights->dims[1]);
    NN_CHECK(bias->dims[0] == weights->dims[0], "FULLY_CONNECTED: the bias does not fit the weights");
    NN_CHECK(nn_fuse(nn_int(call, 3), &least, &most), "FULLY_CONNECTED: unknown fuse code");
    NN_CHECK(weights->dims[1] <= 32768 || !nn_is_quant8(in->type), "FULLY_CONNECTED: the weights are too large");
    out->rank = 2;
    out->dims[0] = (uint32_t)(nn_count(in) / weights->dims[1]);
    out->dims[1] = weights->dims[0];
    return nn_conv_check_quant(call);
}

void *nn_fully_connected_prepare(const Call *call)
{
    return nn_weights_prepare(call->in[1], call->in[1]->dims[0], call->in[1]->dims[1]);
}

int nn_fully_connected_run(const Call *call)
{
    const Tensor *in = call->in[0], *out = call->out[0];
    size_t n = call->in[1]->dims[0], k = call->in[1]->dims[1], rows = nn_count(in) / k;
    const void *weights = nn_weights(call, call->in[1], n, k);
    int32_t fuse = nn_int(call, 3);
    if (!nn_is_quant8(in->type)) {
        float least = 0, most = 0;
        nn_fuse(fuse, &least, &most);
        nn_gemm(rows, n, k, in->data, k, weights, call->in[2]->data, least, most, out->data, n);
        return NN_NO_ERROR;
    }
    Requantise r = nn_conv_requantise(call, n, fuse);
    int16_t *centred = nn_scratch(call, rows * k * sizeof *centred);
    int32_t *sums = nn_scratch(call, rows * n * sizeof *sums);
    nn_centre(in, 0, rows * k, centred);
    nn_gemm_int(rows, n, k, centred, weights, sums);
    nn_requantise_rows(&r, rows, n, sums, call->in[2]->data, out->data);
    return NN_NO_ERROR;
}

int nn_matmul_shape(const Call *call, Tensor *out)
{
    const Tensor *a = call->in[0], *b = call->in[1];
    NN_CHECK(a->rank >= 2 && a->rank <= 4 && a->rank == b->rank, "BATCH_MATMUL: ranks must be equal, 2 to 4");
    bool ta = nn_flag(call, 2), tb = nn_flag(call, 3);
    uint32_t r = a->rank;
    nn_same_dims(out, a);
    for (uint32_t i = 0; i + 2 < r; i++) NN_CHECK(a->dims[i] == b->dims[i], "BATCH_MATMUL: the batches differ");
    NN_CHECK(a->dims[r - (ta ? 2 : 1)] == b->dims[r - (tb ? 1 : 2)], "BATCH_MATMUL: the inner dimensions differ");
    out->dims[r - 2] = a->dims[r - (ta ? 1 : 2)];
    out->dims[r - 1] = b->dims[r - (tb ? 2 : 1)];
    return NN_NO_ERROR;
}

static void turn(const float *from, size_t rows, size_t columns, float *to)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) to[j * rows + i] = from[i * columns + j];
}

int nn_matmul_run(const Call *call)
{
    const Tensor *a = call->in[0], *b = call->in[1];
    Tensor *out = call->out[0];
    bool ta = nn_flag(call, 2), tb = nn_flag(call, 3);
    size_t m = out->dims[out->rank - 2], n = out->dims[out->rank - 1], k = a->dims[a->rank - (ta ? 2 : 1)];
    size_t batches = nn_outer(out, out->rank - 2);
    if (out->type == NN_TENSOR_INT32) {
        for (size_t i = 0; i < batches * m * n; i++) {
            const int32_t *x = (const int32_t *)a->data + i / (m * n) * m * k, *y = (const int32_t *)b->data + i / (m * n) * n * k;
            size_t row = i / n % m, column = i % n;
            uint32_t sum = 0;
            for (size_t j = 0; j < k; j++)
                sum += (uint32_t)x[ta ? j * m + row : row * k + j] * (uint32_t)y[tb ? column * k + j : j * n + column];
            ((int32_t *)out->data)[i] = (int32_t)sum;
        }
        return NN_NO_ERROR;
    }
    float *x = ta ? nn_scratch(call, m * k * sizeof *x) : NULL, *y = tb ? NULL : nn_scratch(call, n * k * sizeof *y);
    float *packed = nn_scratch(call, nn_packed_floats(n, k) * sizeof *packed);
    for (size_t batch = 0; batch < batches; batch++) {
        const float *left = (const float *)a->data + batch * m * k, *right = (const float *)b->data + batch * n * k;
        if (ta) turn(left, k, m, x);
        if (!tb) turn(right, k, n, y);
        nn_pack(tb ? right : y, n, k, packed);
        nn_gemm(m, n, k, ta ? x : left, k, packed, NULL, -3.4028235e38f, 3.4028235e38f, (float *)out->data + batch * m * n, n);
    }
    return NN_NO_ERROR;
}
