/* Softmax of scaled scores where a mask lets them be seen, and its gradient, a row at a time in the first-level cache. */
#include "bfloat16.h"
#include "native.h"

#define ROWS 64 /* of a unit of work */

typedef struct {
    const float *scores;
    const uint8_t *mask;
    int64_t rows, width;
    float scale; /* of the scores, in powers of two */
} inputs;

/* All bits of a lane where the mask is true there, from place `at` on; the lanes beyond are not. */
#if defined(__AVX512BW__) && defined(__AVX512VL__)
INLINE integers seen_at(const inputs *in, int64_t at, int64_t count) {
    const __m512i marks = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first_lanes(count), in->mask + at));
    return (integers)marks != 0;
}
#else
INLINE integers seen_at(const inputs *in, int64_t at, int64_t count) {
    uint8_t marks[LANES] = {0};
    integers seen;
    if (count >= LANES) memcpy(marks, in->mask + at, LANES);
    else memcpy(marks, in->mask + at, (size_t)count);
    for (int lane = 0; lane < LANES; lane++) seen[lane] = marks[lane];
    return seen != 0;
}
#endif

/* The scaled scores in powers of two from place `at` on; what is not seen is as low as can be. */
INLINE vector seen_scores(const inputs *in, int64_t at, int64_t count) {
    const integers seen = seen_at(in, at, count);
    const vector scores = load(in->scores + at, count) * in->scale, lowest = (vector){0} - __builtin_inff();
    return (vector)(((integers)scores & seen) | ((integers)lowest & ~seen));
}

INLINE int forward_unit(const inputs *in, void *weights, float *kept, int64_t unit, const int narrow) {
    vector *raised = vectors(vectors_for(in->width));
    if (!raised) return 1;
    for (int64_t row = unit * ROWS; row < smaller(in->rows, (unit + 1) * ROWS); row++) {
        const int64_t first = row * in->width;
        vector most = (vector){0} - 3.0e38f, total = {0}; /* finite, so that an unseen row has weights 0 */
        for (int64_t i = 0; i < in->width; i += LANES) {
            raised[i / LANES] = seen_scores(in, first + i, in->width - i);
            most = larger(raised[i / LANES], most);
        }
        const float peak = largest_lane(most);
        for (int64_t i = 0; i < in->width; i += LANES) total += raised[i / LANES] = exp2_of(raised[i / LANES] - peak);
        const float sum = sum_of_lanes(total), inverse = sum == 0.0f ? 0.0f : 1.0f / sum;
        for (int64_t i = 0; i < in->width; i += LANES)
            store_as(weights, first + i, raised[i / LANES] * inverse, in->width - i, narrow);
        kept[2 * row] = peak, kept[2 * row + 1] = inverse;
    }
    free(raised);
    return 0;
}

INLINE int backward_unit(const inputs *in, const float *kept, const void *gradient, float *wanted, int64_t unit,
                         const int narrow) {
    const int64_t parts = vectors_for(in->width);
    vector *weights = vectors(2 * parts), *above = weights + parts;
    if (!weights) return 1;
    for (int64_t row = unit * ROWS; row < smaller(in->rows, (unit + 1) * ROWS); row++) {
        const int64_t first = row * in->width;
        vector products = {0};
        for (int64_t part = 0; part < parts; part++) {
            const int64_t i = part * LANES;
            weights[part] = exp2_of(seen_scores(in, first + i, in->width - i) - kept[2 * row]) * kept[2 * row + 1];
            above[part] = load_as(gradient, first + i, in->width - i, narrow);
            products += weights[part] * above[part];
        }
        const float mean = sum_of_lanes(products), scale = in->scale * (1.0f / LOG2_E);
        for (int64_t part = 0; part < parts; part++)
            store(wanted + first + part * LANES, weights[part] * (above[part] - mean) * scale, in->width - part * LANES);
    }
    free(weights);
    return 0;
}

static inputs described(const void *const *tensors, const int64_t *sizes) {
    inputs in = {.scores = tensors[0], .mask = tensors[1], .rows = sizes[0], .width = sizes[1]};
    in.scale = number_of(sizes[3]) * LOG2_E;
    return in;
}

/* tensors: scores (rows, width), the mask in bytes. sizes: rows, width, whether the weights are bfloat16, the bits of the scale.
 * results: the weights, and of each row its peak in powers of two and one over its sum (rows, 2). */
int forward(const void *const *tensors, void *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, (in.rows + ROWS - 1) / ROWS, threads,
                  sizes[2] ? forward_unit(&in, results[0], results[1], unit, 1)
                           : forward_unit(&in, results[0], results[1], unit, 0))
    return failed;
}

/* tensors: as for forward, then what it kept of the rows and the gradient of the weights. sizes: as for forward.
 * results: the gradient of the scores. */
int backward(const void *const *tensors, void *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, (in.rows + ROWS - 1) / ROWS, threads,
                  sizes[2] ? backward_unit(&in, tensors[2], tensors[3], results[0], unit, 1)
                           : backward_unit(&in, tensors[2], tensors[3], results[0], unit, 0))
    return failed;
}
