/* What the convolutions and fully connected layers share. */
#ifndef NN_CONV_H
#define NN_CONV_H

#include "kernels.h"

int nn_conv_check_quant(const Call *call);                                     /* bias and filter scales */
Requantise nn_conv_requantise(const Call *call, size_t channels, int32_t fuse); /* for inputs 0, 1 and output 0 */
void nn_requantise_rows(const Requantise *r, size_t rows, size_t n, const int32_t *sums, const int32_t *bias, int8_t *to);
void nn_centre(const Tensor *t, size_t from, size_t count, int16_t *to); /* quantised values less their zero point */
void *nn_weights_prepare(const Tensor *filter, size_t n, size_t k);      /* for nn_gemm or nn_gemm_int; NULL if not constant */
const void *nn_weights(const Call *call, const Tensor *filter, size_t n, size_t k);

#endif
