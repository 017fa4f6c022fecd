/* Products of matrices, float32 and int16: the inner part of convolutions and fully connected layers. */
#include "kernels.h"
#include "wide.h"

enum { ROWS = 6, COLUMNS = 16, LANES = 8 };
typedef float Vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

size_t nn_packed_floats(size_t n, size_t k) { return (n + COLUMNS - 1) / COLUMNS * COLUMNS * k; }

/* Panels of COLUMNS rows of b, transposed; missing rows are zero. */
void nn_pack(const float *b, size_t n, size_t k, float *packed)
{
    for (size_t panel = 0; panel < n; panel += COLUMNS)
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < COLUMNS; j++) *packed++ = panel + j < n ? b[(panel + j) * k + i] : 0;
}

/* One tile of ROWS x COLUMNS sums, all of them in registers. */
NN_INLINE void tile_body(size_t k, const float *const *a, const float *packed, float *sums)
{
    Vector c[ROWS][2] = {{{0}}};
    for (size_t i = 0; i < k; i++) {
        Vector b0 = *(const Vector *)(packed + i * COLUMNS), b1 = *(const Vector *)(packed + i * COLUMNS + LANES);
NN_UNROLL
        for (int r = 0; r < ROWS; r++) {
            c[r][0] += a[r][i] * b0;
            c[r][1] += a[r][i] * b1;
        }
    }
NN_UNROLL
    for (int r = 0; r < ROWS; r++) {
        *(Vector *)(sums + r * COLUMNS) = c[r][0];
        *(Vector *)(sums + r * COLUMNS + LANES) = c[r][1];
    }
}
LOOPS(tile, (size_t k, const float *const *a, const float *packed, float *sums), (k, a, packed, sums))

void nn_gemm(size_t m, size_t n, size_t k, const float *a, size_t a_row, const float *packed, const float *bias, float least,
             float most, float *c, size_t c_row)
{
    float sums[ROWS * COLUMNS];
    /* A block of rows stays in the cache while all panels pass by. */
    size_t block = k < 8192 ? (65536 / (k ? k : 1) / ROWS + 1) * ROWS : ROWS;
    for (size_t from = 0; from < m; from += block)
        for (size_t column = 0; column < n; column += COLUMNS) {
            size_t columns = n - column < COLUMNS ? n - column : COLUMNS, to = from + block < m ? from + block : m;
            for (size_t row = from; row < to; row += ROWS) {
                size_t rows = to - row < ROWS ? to - row : ROWS;
                const float *starts[ROWS];
                for (size_t r = 0; r < ROWS; r++) starts[r] = a + (row + (r < rows ? r : 0)) * a_row;
                tile(k, starts, packed + column * k, sums);
                for (size_t r = 0; r < rows; r++)
                    for (size_t j = 0; j < columns; j++) {
                        float value = sums[r * COLUMNS + j] + (bias ? bias[column + j] : 0);
                        c[(row + r) * c_row + column + j] = value < least ? least : value > most ? most : value;
                    }
            }
        }
}

/* Four rows of b against one of a; the compiler turns each sum into multiply-and-add of pairs. */
NN_INLINE void dots_body(size_t k, const int16_t *a, const int16_t *b, size_t rows, int32_t *sums)
{
    if (rows == 4) {
        int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        const int16_t *b0 = b, *b1 = b + k, *b2 = b + 2 * k, *b3 = b + 3 * k;
        for (size_t i = 0; i < k; i++) {
            s0 += a[i] * b0[i];
            s1 += a[i] * b1[i];
            s2 += a[i] * b2[i];
            s3 += a[i] * b3[i];
        }
        sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
        return;
    }
    for (size_t r = 0; r < rows; r++) {
        int32_t s = 0;
        for (size_t i = 0; i < k; i++) s += a[i] * b[r * k + i];
        sums[r] = s;
    }
}
LOOPS(dots, (size_t k, const int16_t *a, const int16_t *b, size_t rows, int32_t *sums), (k, a, b, rows, sums))

void nn_gemm_int(size_t m, size_t n, size_t k, const int16_t *a, const int16_t *b, int32_t *sums)
{
    size_t block = 65536 / (k ? k : 1) + 1;
    for (size_t from = 0; from < m; from += block)
        for (size_t column = 0; column < n; column += 4) {
            size_t columns = n - column < 4 ? n - column : 4, to = from + block < m ? from + block : m;
            for (size_t row = from; row < to; row++) dots(k, a + row * k, b + column * k, columns, sums + row * n + column);
        }
}
