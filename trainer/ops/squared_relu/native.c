/* relu(x)^2 and its derivative; fp32, or bfloat16 rounded once, at the end. */
#include "native.h"
#include "bfloat16.h"

#define NUMBERS 16384 /* of a unit of work */

INLINE int64_t end_of(int64_t unit, int64_t count) { return smaller(count, (unit + 1) * NUMBERS); }

INLINE int forward_unit(const void *x, void *y, int64_t unit, int64_t count, const int narrow) {
    for (int64_t i = unit * NUMBERS; i < end_of(unit, count); i += LANES) {
        const vector above = at_least(load_as(x, i, count - i, narrow), 0.0f);
        store_as(y, i, above * above, count - i, narrow);
    }
    return 0;
}

INLINE int backward_unit(const void *x, const void *gradient, void *wanted, int64_t unit, int64_t count, const int narrow) {
    for (int64_t i = unit * NUMBERS; i < end_of(unit, count); i += LANES) {
        const vector twice = at_least(load_as(x, i, count - i, narrow), 0.0f) * 2.0f;
        store_as(wanted, i, load_as(gradient, i, count - i, narrow) * twice, count - i, narrow);
    }
    return 0;
}

/* tensors: x. sizes: how many numbers, whether they are bfloat16. results: y. */
int forward(const void *const *tensors, void *const *results, const int64_t *sizes, int64_t threads) {
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, (sizes[0] + NUMBERS - 1) / NUMBERS, threads,
                  sizes[1] ? forward_unit(tensors[0], results[0], unit, sizes[0], 1)
                           : forward_unit(tensors[0], results[0], unit, sizes[0], 0))
    return failed;
}

/* tensors: x and the gradient of y. sizes: as for forward. results: the gradient of x. */
int backward(const void *const *tensors, void *const *results, const int64_t *sizes, int64_t threads) {
    int failed = 0;
    (void)threads;
    FOR_EACH_UNIT(failed, (sizes[0] + NUMBERS - 1) / NUMBERS, threads,
                  sizes[1] ? backward_unit(tensors[0], tensors[1], results[0], unit, sizes[0], 1)
                           : backward_unit(tensors[0], tensors[1], results[0], unit, sizes[0], 0))
    return failed;
}
