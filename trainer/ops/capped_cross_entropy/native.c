/* Cross entropy of smoothly capped logits, and its gradient, a row at a time in the first-level cache; rows contiguous.
 *
 * Forward: the largest capped logit, the sum of the exponentials below it, the target's capped logit; the logarithm is the
 * caller's. Backward: the logits are capped once more rather than kept, for memory is slower than arithmetic. */
#include "native.h"
#include "bfloat16.h"
#include "functions.h"

#define ROWS 16 /* of a unit of work */

typedef struct {
    const void *logits;
    const int64_t *targets;
    const float *factors; /* 0: the row is not looked at */
    int64_t rows, width;
    float cap;
} inputs;

INLINE vector capped(const inputs *in, int64_t row, int64_t at, const int narrow) {
    const vector raw = load_as(in->logits, row * in->width + at, in->width - at, narrow);
    return in->cap != 0.0f ? tanh_of(raw * (1.0f / in->cap)) * in->cap : raw;
}

/* The lanes beyond the row are as low as can be. */
INLINE vector within(vector value, int64_t count) {
    for (int64_t lane = count; lane < LANES; lane++) value[lane] = -__builtin_inff();
    return value;
}

INLINE int forward_unit(const inputs *in, float *const *results, int64_t unit, const int narrow) {
    const int64_t parts = vectors_for(in->width);
    vector *kept = vectors(parts);
    if (!kept) return 1;
    for (int64_t row = unit * ROWS; row < smaller(in->rows, (unit + 1) * ROWS); row++) {
        float peak = 0.0f, sum = 1.0f, picked = 0.0f;
        if (in->factors[row] != 0.0f) {
            vector most = within((vector){0}, 0), total = {0};
            for (int64_t part = 0; part < parts; part++) {
                kept[part] = within(capped(in, row, part * LANES, narrow), in->width - part * LANES);
                most = larger(kept[part], most);
            }
            peak = largest_lane(most);
            for (int64_t part = 0; part < parts; part++) total += exp2_of((kept[part] - peak) * LOG2_E);
            sum = sum_of_lanes(total);
            picked = ((const float *)kept)[in->targets[row]];
        }
        results[0][row] = peak, results[1][row] = sum, results[2][row] = picked;
    }
    free(kept);
    return 0;
}

INLINE int backward_unit(const inputs *in, const float *totals, void *wanted, int64_t unit, const int narrow) {
    const float slope = in->cap != 0.0f ? 1.0f / in->cap : 0.0f;
    for (int64_t row = unit * ROWS; row < smaller(in->rows, (unit + 1) * ROWS); row++) {
        const float factor = in->factors[row];
        for (int64_t at = 0; at < in->width; at += LANES) {
            vector found = {0};
            if (factor != 0.0f) {
                const vector logit = capped(in, row, at, narrow), part = logit * slope;
                const int64_t place = in->targets[row] - at;
                found = exp2_of((logit - totals[row]) * LOG2_E);
                if (place >= 0 && place < LANES) found[place] -= 1.0f;
                found *= factor * (1.0f - part * part);
            }
            store_as(wanted, row * in->width + at, found, in->width - at, narrow);
        }
    }
    return 0;
}

static inputs described(const void *const *tensors, const int64_t *sizes) {
    inputs in = {.logits = tensors[0], .targets = tensors[1], .factors = tensors[2], .rows = sizes[0], .width = sizes[1]};
    in.cap = number_of(sizes[3]);
    return in;
}

/* tensors: logits (rows, width), targets (rows,) of 64-bit integers, weights (rows,). sizes: rows, width, whether the logits are
 * bfloat16, the bits of the cap. results: each row's peak, sum and target's logit (rows,). */
int forward(const void *const *tensors, float *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, (in.rows + ROWS - 1) / ROWS, threads,
                  sizes[2] ? forward_unit(&in, results, unit, 1) : forward_unit(&in, results, unit, 0))
    return failed;
}

/* tensors: logits and targets as above, what each row's gradient is multiplied by, the logarithms of the sums (rows,).
 * sizes: as above. results: the gradient of the logits, of their type. */
int backward(const void *const *tensors, void *const *results, const int64_t *sizes, int64_t threads) {
    const inputs in = described(tensors, sizes);
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, (in.rows + ROWS - 1) / ROWS, threads,
                  sizes[2] ? backward_unit(&in, tensors[3], results[0], unit, 1)
                           : backward_unit(&in, tensors[3], results[0], unit, 0))
    return failed;
}
