/* Rows at a root mean square of 1, and the gradient, with a row's numbers side by side in vector lanes; fp32, contiguous. */
#include "native.h"

#define ROWS 64 /* of a unit of work */
#define EPSILON 1.1920928955078125e-7f /* that of fp32 */

INLINE float sum_of_products(const float *left, const float *right, int64_t width) {
    vector sum = {0};
    for (int64_t i = 0; i < width; i += LANES) sum += load(left + i, width - i) * load(right + i, width - i);
    return sum_of_lanes(sum);
}

static int forward_unit(const float *x, float *y, float *scales, int64_t unit, int64_t rows, int64_t width) {
    for (int64_t row = unit * ROWS; row < smaller(rows, (unit + 1) * ROWS); row++) {
        const float *from = x + row * width;
        const float scale = 1.0f / __builtin_sqrtf(sum_of_products(from, from, width) / (float)width + EPSILON);
        for (int64_t i = 0; i < width; i += LANES)
            store(y + row * width + i, load(from + i, width - i) * scale, width - i);
        scales[row] = scale;
    }
    return 0;
}

static int backward_unit(const float *const *tensors, float *wanted, int64_t unit, int64_t rows, int64_t width) {
    for (int64_t row = unit * ROWS; row < smaller(rows, (unit + 1) * ROWS); row++) {
        const float *x = tensors[0] + row * width, *above = tensors[1] + row * width, scale = tensors[2][row];
        const float along = sum_of_products(x, above, width) / (float)width * scale * scale;
        for (int64_t i = 0; i < width; i += LANES) {
            const int64_t count = width - i;
            store(wanted + row * width + i, (load(above + i, count) - load(x + i, count) * along) * scale, count);
        }
    }
    return 0;
}

/* tensors: x (rows, width). sizes: rows, width. results: y (rows, width), the scales (rows,). */
int forward(const float *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, (sizes[0] + ROWS - 1) / ROWS, threads,
                  forward_unit(tensors[0], results[0], results[1], unit, sizes[0], sizes[1]))
    return failed;
}

/* tensors: x and the gradient of y (rows, width), the scales (rows,). sizes: rows, width. results: the gradient of x. */
int backward(const float *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, (sizes[0] + ROWS - 1) / ROWS, threads,
                  backward_unit(tensors, results[0], unit, sizes[0], sizes[1]))
    return failed;
}
