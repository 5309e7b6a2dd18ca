/* Rows at a root mean square of 1, and the gradient, with a row's numbers side by side in vector lanes; contiguous, x in fp32. */
#include "bfloat16.h"
#include "native.h"

#define ROWS 64 /* of a unit of work */
#define EPSILON 1.1920928955078125e-7f /* that of fp32 */

/* Of a row of x with a row of what is bfloat16 where `narrow`. */
INLINE float sum_of_products(const float *x, const void *other, int64_t at, int64_t width, const int narrow) {
    vector sum = {0};
    for (int64_t i = 0; i < width; i += LANES)
        sum += load(x + at + i, width - i) * load_as(other, at + i, width - i, narrow);
    return sum_of_lanes(sum);
}

INLINE int forward_unit(const float *x, void *y, float *scales, int64_t unit, int64_t rows, int64_t width, const int narrow) {
    for (int64_t row = unit * ROWS; row < smaller(rows, (unit + 1) * ROWS); row++) {
        const int64_t at = row * width;
        const float scale = 1.0f / __builtin_sqrtf(sum_of_products(x, x, at, width, 0) / (float)width + EPSILON);
        for (int64_t i = 0; i < width; i += LANES)
            store_as(y, at + i, load(x + at + i, width - i) * scale, width - i, narrow);
        scales[row] = scale;
    }
    return 0;
}

INLINE int backward_unit(const float *x, const void *above, const float *scales, float *wanted, int64_t unit, int64_t rows,
                         int64_t width, const int narrow) {
    for (int64_t row = unit * ROWS; row < smaller(rows, (unit + 1) * ROWS); row++) {
        const int64_t at = row * width;
        const float scale = scales[row];
        const float along = sum_of_products(x, above, at, width, narrow) / (float)width * scale * scale;
        for (int64_t i = 0; i < width; i += LANES) {
            const int64_t count = width - i;
            const vector gradient = load_as(above, at + i, count, narrow);
            store(wanted + at + i, (gradient - load(x + at + i, count) * along) * scale, count);
        }
    }
    return 0;
}

/* tensors: x (rows, width). sizes: rows, width, whether y is bfloat16. results: y (rows, width), the scales (rows,). */
int forward(const void *const *tensors, void *const *results, const int64_t *sizes, int64_t threads) {
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, (sizes[0] + ROWS - 1) / ROWS, threads,
                  sizes[2] ? forward_unit(tensors[0], results[0], results[1], unit, sizes[0], sizes[1], 1)
                           : forward_unit(tensors[0], results[0], results[1], unit, sizes[0], sizes[1], 0))
    return failed;
}

/* tensors: x and the gradient of y (rows, width), the scales (rows,). sizes: as for forward. results: the gradient of x. */
int backward(const void *const *tensors, void *const *results, const int64_t *sizes, int64_t threads) {
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, (sizes[0] + ROWS - 1) / ROWS, threads,
                  sizes[2] ? backward_unit(tensors[0], tensors[1], tensors[2], results[0], unit, sizes[0], sizes[1], 1)
                           : backward_unit(tensors[0], tensors[1], tensors[2], results[0], unit, sizes[0], sizes[1], 0))
    return failed;
}
