/* What every instruction's file shares: the instruction, the scratch and the state it works on, and functions of vectors. */
#ifndef TRAINER_DECODE_MACHINE_H
#define TRAINER_DECODE_MACHINE_H

#include "native.h"
#include <math.h>

#define PANEL 16       /* rows of a matrix side by side */
#define POSITIONS 16   /* ids that go through the instructions together */
#define CHAINS 4       /* sums that run side by side: the latency of a multiply-add */
#define WIDEST_HEAD 256
#define EPSILON 1.1920929e-7f /* of torch's RMS norm in fp32 */

typedef struct {
    int64_t kind, epilogue, wait;     /* wait: the next instruction needs the results */
    int64_t in, out;                  /* places in the scratch of a position, in floats */
    int64_t units;                    /* of work, which the threads share: panels, heads or groups; 0: one for each id */
    int64_t columns;                  /* of the matrix; a multiple of PANEL */
    int64_t normed;                   /* width of the RMS norm of what is at `in`; 0 for none */
    int64_t state;                    /* place in the state, in floats */
    int64_t sizes[8];                 /* see the functions */
    const void *weights;              /* fp32, or int8 where there are scales */
    const float *scales, *bias;       /* of each row, or NULL */
    const float *tables[2];           /* see the functions */
} instruction;

typedef struct {
    float *scratch, *state;
    const int64_t *ids;
    int64_t stride, count, position;  /* floats of a position's scratch; ids; the first id's place in the sequence */
} machine;

INLINE float *place(const machine *m, int64_t t, int64_t offset) { return m->scratch + t * m->stride + offset; }
INLINE vector whole(const float *from) { return load(from, LANES); }
INLINE void keep(float *to, vector value) { store(to, value, LANES); }
INLINE vector chosen(integers mask, vector yes, vector no) { return (vector)((mask & (integers)yes) | (~mask & (integers)no)); }
INLINE vector sigmoid(vector x) { return 1.0f / (exp2_of(x * -LOG2_E) + 1.0f); }
INLINE vector silu(vector x) { return x / (exp2_of(x * -LOG2_E) + 1.0f); }
INLINE vector tangent(vector x) { return 1.0f - 2.0f / (exp2_of(x * (2.0f * LOG2_E)) + 1.0f); } /* hyperbolic */

/* The natural logarithm of numbers from 1 on (Cephes' polynomial on [sqrt(1/2), sqrt(2)], relative error about 1e-7). */
INLINE vector log_of(vector x) {
    const integers exponent = ((integers)x - 0x3f3504f3) >> 23;
    const vector f = (vector)((integers)x - (exponent << 23)) - 1.0f;
    vector p = f * 7.0376836292e-2f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    const vector n = __builtin_convertvector(exponent, vector), square = f * f;
    return f + (p * square * f - square * 0.5f) + n * 0.69314718f;
}

/* log(1 + exp(x)); log(1 + e) e / ((1 + e) - 1) loses no digits where e is small (Goldberg 1991, theorem 4). */
INLINE vector softplus(vector x) {
    const vector e = exp2_of(x * LOG2_E), sum = e + 1.0f;
    const vector small = chosen(sum == 1.0f, e, log_of(sum) * (e / (sum - 1.0f)));
    return chosen(x > 20.0f, x, small);
}

INLINE float inverse_norm(const float *x, int64_t columns, int64_t width) {
    vector sum = {0};
    for (int64_t c = 0; c < columns; c += LANES) sum += load(x + c, columns - c) * load(x + c, columns - c);
    return 1.0f / sqrtf(sum_of_lanes(sum) / (float)width + EPSILON);
}

#endif
