/* A matrix times rows, and what the results go through, for a panel of rows at a time. */
#ifndef TRAINER_DECODE_PRODUCT_H
#define TRAINER_DECODE_PRODUCT_H

#include "mamba.h"

#define GROUP 4 /* ids for which a weight is loaded once; with CHAINS it fills half the registers */

INLINE vector weights_at(const void *weights, int64_t at, const int small) {
    if (!small) return whole((const float *)weights + at);
    const int8_t *from = (const int8_t *)weights + at;
#if defined(__AVX512F__)
    return (vector)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)from)));
#elif defined(__AVX2__)
    return (vector)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)from)));
#else
    vector value;
    for (int lane = 0; lane < LANES; lane++) value[lane] = from[lane];
    return value;
#endif
}

/* LANES rows of one panel times `ids` inputs; the sums' order is the same whatever `ids` is. */
INLINE void multiply(const machine *m, const instruction *in, int64_t panel, int64_t lane, int64_t first, const int ids,
                     const int small, float (*values)[PANEL]) {
    vector sums[GROUP][CHAINS];
    for (int t = 0; t < ids; t++)
        for (int chain = 0; chain < CHAINS; chain++) sums[t][chain] = (vector){0};
    const float *x[GROUP];
    for (int t = 0; t < ids; t++) x[t] = place(m, first + t, in->in);
    const int64_t start = panel * in->columns * PANEL + lane;
    for (int64_t c = 0; c < in->columns; c += CHAINS)
#pragma GCC unroll 4
        for (int chain = 0; chain < CHAINS; chain++) {
            const vector weight = weights_at(in->weights, start + (c + chain) * PANEL, small);
#pragma GCC unroll 4
            for (int t = 0; t < ids; t++) sums[t][chain] += weight * x[t][c + chain];
        }
    for (int t = 0; t < ids; t++)
        keep(values[first + t] + lane, (sums[t][0] + sums[t][1]) + (sums[t][2] + sums[t][3]));
}

INLINE void multiply_any(const machine *m, const instruction *in, int64_t panel, int64_t lane, const int small,
                         float (*values)[PANEL]) {
    int64_t t = 0;
    for (; t + GROUP <= m->count; t += GROUP) multiply(m, in, panel, lane, t, GROUP, small, values);
    if (m->count - t == 3) multiply(m, in, panel, lane, t, 3, small, values);
    if (m->count - t == 2) multiply(m, in, panel, lane, t, 2, small, values);
    if (m->count - t == 1) multiply(m, in, panel, lane, t, 1, small, values);
}

enum epilogue {
    STORE, ADD, TIMES, SILU, SIGMOID, TANH, SOFTPLUS, SQUARED_RELU, CAP, CONVOLVE, SCAN,
    ADD_SCALED,  /* out + value * s. sizes: the place of s, one float */
    ADD_GATED,   /* out + value * gate. sizes: the gates' place */
    SHARED,      /* x + change * value: each channel's share of the input before. sizes: the places of x and of the change */
    TOWARDS,     /* out + (other - out) * sigmoid(value). sizes: the other's place */
};

/* tables: what the logits stay within, one float. */
INLINE vector capped(const instruction *in, vector value) {
    const float cap = in->tables[0][0];
    return cap * tangent(value / cap);
}

INLINE vector finished(const machine *m, const instruction *in, int64_t row, int64_t t, vector value) {
    const float *out = place(m, t, in->out) + row, *first = place(m, t, in->sizes[0]), *second = place(m, t, in->sizes[1]);
    switch (in->epilogue) {
        case ADD: return whole(out) + value;
        case TIMES: return whole(out) * value;
        case SILU: return silu(value);
        case SIGMOID: return sigmoid(value);
        case TANH: return tangent(value);
        case SOFTPLUS: return softplus(value);
        case SQUARED_RELU: return at_least(value, 0.0f) * at_least(value, 0.0f);
        case CAP: return capped(in, value);
        case CONVOLVE: return convolved(in, m->state + in->state, row, value);
        case SCAN: return scanned(m, in, m->state + in->state, row, t, value);
        case ADD_SCALED: return whole(out) + value * first[0];
        case ADD_GATED: return whole(out) + value * whole(first + row);
        case SHARED: return whole(first + row) + whole(second + row) * value;
        case TOWARDS: return whole(out) + (whole(first + row) - whole(out)) * sigmoid(value);
        default: return value;
    }
}

/* One panel of a product for all ids, and what its results go through; recurrences take the ids in their order. */
static void multiply_panel(const machine *m, const instruction *in, int64_t panel, const float *norms) {
    float values[POSITIONS][PANEL] __attribute__((aligned(64)));
    for (int64_t lane = 0; lane < PANEL; lane += LANES) {
        const int64_t row = panel * PANEL + lane;
        if (in->scales) multiply_any(m, in, panel, lane, 1, values);
        else multiply_any(m, in, panel, lane, 0, values);
        const vector scale = in->scales ? whole(in->scales + row) : (vector){0} + 1.0f;
        const vector bias = in->bias ? whole(in->bias + row) : (vector){0};
        for (int64_t t = 0; t < m->count; t++) {
            const vector value = whole(values[t] + lane) * scale * norms[t] + bias;
            keep(place(m, t, in->out) + row, finished(m, in, row, t, value));
        }
    }
}

#endif
