/* Vectors from and to memory that holds fp32 or bfloat16; `narrow`, a constant where it is called, says which. */
#ifndef TRAINER_BFLOAT16_H
#define TRAINER_BFLOAT16_H

#include "native.h"

/* The upper halves of the lanes, rounded to the nearest, to the even one of two; a NaN stays one. */
INLINE integers rounded_halves(vector value) {
    const integers bits = (integers)value, unordered = value != value;
    const integers rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return (rounded & ~unordered) | (0x7fc0 & unordered);
}

#if defined(__AVX512BW__) && defined(__AVX512VL__)
INLINE vector widened(const uint16_t *from, int64_t count) {
    const __m512i bits = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first_lanes(count), from));
    return (vector)_mm512_slli_epi32(bits, 16);
}

INLINE void narrowed(uint16_t *to, vector value, int64_t count) {
    _mm256_mask_storeu_epi16(to, first_lanes(count), _mm512_cvtepi32_epi16((__m512i)rounded_halves(value)));
}
#else
INLINE vector widened(const uint16_t *from, int64_t count) {
    uint16_t halves[LANES] = {0};
    integers bits;
    if (count >= LANES) memcpy(halves, from, sizeof halves);
    else memcpy(halves, from, (size_t)count * sizeof *halves);
    for (int lane = 0; lane < LANES; lane++) bits[lane] = (int32_t)((uint32_t)halves[lane] << 16);
    return (vector)bits;
}

INLINE void narrowed(uint16_t *to, vector value, int64_t count) {
    uint16_t halves[LANES];
    const integers chosen = rounded_halves(value);
    for (int lane = 0; lane < LANES; lane++) halves[lane] = (uint16_t)chosen[lane];
    if (count >= LANES) memcpy(to, halves, sizeof halves);
    else memcpy(to, halves, (size_t)count * sizeof *halves);
}
#endif

/* `count` numbers from place `at` on (LANES of them where it is more). */
INLINE vector load_as(const void *from, int64_t at, int64_t count, const int narrow) {
    return narrow ? widened((const uint16_t *)from + at, count) : load((const float *)from + at, count);
}

INLINE void store_as(void *to, int64_t at, vector value, int64_t count, const int narrow) {
    if (narrow) narrowed((uint16_t *)to + at, value, count);
    else store((float *)to + at, value, count);
}

#endif
