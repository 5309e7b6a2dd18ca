/* What every native operator shares: a vector of floats, its exponential, padded rows, threads and denormals; no operator. */
#ifndef TRAINER_NATIVE_H
#define TRAINER_NATIVE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif

/* Sixteen, eight or four channels side by side. The compiler maps it to one register of the target. */
typedef float vector __attribute__((vector_size(4 * LANES), aligned(4 * LANES)));
typedef int32_t integers __attribute__((vector_size(4 * LANES), aligned(4 * LANES)));

#if defined(__clang__)
/* Clang's shuffle wants constants; a lane at a time says the same. */
static inline vector shuffle_lanes(vector left, vector right, integers from) {
    vector value = {0};
    for (int lane = 0; lane < LANES; lane++) value[lane] = from[lane] < LANES ? left[from[lane]] : right[from[lane] - LANES];
    return value;
}
#define SHUFFLE(left, right, from) shuffle_lanes(left, right, from)
#else
#define SHUFFLE(left, right, from) __builtin_shuffle(left, right, from)
#endif

#define INLINE static inline __attribute__((always_inline))
#define LOG2_E 1.44269504088896340736f

INLINE int64_t smaller(int64_t left, int64_t right) { return left < right ? left : right; }
INLINE int64_t vectors_for(int64_t width) { return (width + LANES - 1) / LANES; }

/* The larger or smaller of each lane; a NaN in `value` stays, so that a diverged run is seen. */
INLINE vector at_least(vector value, float bound) {
#if defined(__AVX512F__)
    return (vector)_mm512_max_ps(_mm512_set1_ps(bound), (__m512)value);
#elif defined(__AVX2__)
    return (vector)_mm256_max_ps(_mm256_set1_ps(bound), (__m256)value);
#else
    for (int lane = 0; lane < LANES; lane++) value[lane] = value[lane] < bound ? bound : value[lane];
    return value;
#endif
}

INLINE vector at_most(vector value, float bound) {
#if defined(__AVX512F__)
    return (vector)_mm512_min_ps(_mm512_set1_ps(bound), (__m512)value);
#elif defined(__AVX2__)
    return (vector)_mm256_min_ps(_mm256_set1_ps(bound), (__m256)value);
#else
    for (int lane = 0; lane < LANES; lane++) value[lane] = value[lane] > bound ? bound : value[lane];
    return value;
#endif
}

/* The larger of two in each lane, and of all lanes; a NaN wins. */
INLINE vector larger(vector left, vector right) {
    const integers first = (left > right) | (left != left);
    return (vector)(((integers)left & first) | ((integers)right & ~first));
}

INLINE float largest_lane(vector value) {
    integers lanes;
    for (int lane = 0; lane < LANES; lane++) lanes[lane] = lane;
    for (int width = LANES / 2; width > 0; width /= 2) value = larger(value, SHUFFLE(value, value, lanes ^ width));
    return value[0];
}

/* A number that came as the bits of a float among the sizes. */
INLINE float number_of(int64_t bits) {
    const int32_t low = (int32_t)bits;
    float number;
    memcpy(&number, &low, sizeof number);
    return number;
}

/* 2 to the power of a fraction within 1/2: 1 + f p(f), p of degree 4 with the least greatest relative error (9.2e-8). */
INLINE vector exp2_of_fraction(vector fraction) {
    vector power = fraction * 1.326472734e-3f + 9.671512772e-3f;
    power = power * fraction + 5.550733744e-2f;
    power = power * fraction + 2.402224208e-1f;
    power = power * fraction + 6.931469776e-1f;
    return power * fraction + 1.0f;
}

/* 2 to the power of x: x rounded to n and the fraction that is left, and n added to the exponent. From -127 down it is 0, for
 * threads here flush denormals: a state that must be forgotten leaves nothing, in the gradient neither. Above 2^127 it is
 * at least 2^127. */
INLINE vector exp2_of(vector x) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
    const __m512 fraction = _mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT);
    return (vector)_mm512_scalef_ps((__m512)exp2_of_fraction((vector)fraction), _mm512_sub_ps((__m512)x, fraction));
#else
    const vector rounder = (vector){0} + 0x1.8p23f; /* adding it leaves the nearest integer in the lowest bits */
    x = at_most(at_least(x, -127.0f), 127.0f);
    const vector shifted = x + rounder;
    return (vector)((integers)exp2_of_fraction(x - (shifted - rounder)) + ((integers)shifted << 23));
#endif
}

/* `count` floats (LANES of them where it is more); the lanes beyond are zero, and no memory beyond is touched. */
#if defined(__AVX512F__)
INLINE __mmask16 first_lanes(int64_t count) { return (__mmask16)(count >= LANES ? 0xffff : (1 << count) - 1); }
INLINE vector load(const float *from, int64_t count) { return (vector)_mm512_maskz_loadu_ps(first_lanes(count), from); }
INLINE void store(float *to, vector value, int64_t count) { _mm512_mask_storeu_ps(to, first_lanes(count), (__m512)value); }
#elif defined(__AVX2__)
INLINE __m256i first_lanes(int64_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)smaller(count, LANES)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vector load(const float *from, int64_t count) { return (vector)_mm256_maskload_ps(from, first_lanes(count)); }
INLINE void store(float *to, vector value, int64_t count) { _mm256_maskstore_ps(to, first_lanes(count), (__m256)value); }
#else
INLINE vector load(const float *from, int64_t count) {
    vector value = {0};
    memcpy(&value, from, (size_t)smaller(count, LANES) * sizeof(float));
    return value;
}
INLINE void store(float *to, vector value, int64_t count) {
    memcpy(to, &value, (size_t)smaller(count, LANES) * sizeof(float));
}
#endif

/* The lanes' sum, always by the same tree. */
INLINE float sum_of_lanes(vector value) {
    float lanes[LANES];
    memcpy(lanes, &value, sizeof value);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int lane = 0; lane < width; lane++) lanes[lane] += lanes[lane + width];
    return lanes[0];
}

/* Rows `row` and `row + width` become one: the lanes whose bit `width` is clear belong to the first, the others to the second. */
INLINE void add_pairs(vector *work, const int width) {
    integers lanes;
    for (int lane = 0; lane < LANES; lane++) lanes[lane] = lane;
    const integers set = (lanes & width) != 0;
    const integers low = (lanes ^ (set & width)) + (set & LANES), high = (lanes ^ (~set & width)) + (set & LANES);
#pragma GCC unroll 8
    for (int row = 0; row < width; row++)
        work[row] = SHUFFLE(work[row], work[row + width], low) + SHUFFLE(work[row], work[row + width], high);
}

/* The sum of the lanes of each of `count` rows (at most LANES), side by side: a butterfly of LANES - 1 additions. */
INLINE vector sums_of_rows(const vector *rows, int64_t count) {
    vector work[LANES];
    if (count >= LANES) memcpy(work, rows, sizeof work);
    else for (int row = 0; row < LANES; row++) work[row] = row < count ? rows[row] : (vector){0};
#if LANES == 16
    add_pairs(work, 8);
#endif
#if LANES >= 8
    add_pairs(work, 4);
#endif
    add_pairs(work, 2);
    add_pairs(work, 1);
    return work[0];
}

/* Four rows become one: its lane l has a part of the sum of row l % 4. The rows are used up. */
INLINE vector packed_four(vector *rows) {
    add_pairs(rows, 2);
    add_pairs(rows, 1);
    return rows[0];
}

/* The sums of the four rows that were packed, in the lanes 0 to 3. */
INLINE vector sums_of_packed(vector packed) {
#if LANES >= 8
    integers lanes;
    for (int lane = 0; lane < LANES; lane++) lanes[lane] = lane;
#if LANES == 16
    packed += SHUFFLE(packed, packed, lanes ^ 8);
#endif
    packed += SHUFFLE(packed, packed, lanes ^ 4);
#endif
    return packed;
}

/* The sums of the lanes of four rows, in the lanes 0 to 3. */
INLINE vector sums_of_four(const vector *rows) {
    vector work[4] = {rows[0], rows[1], rows[2], rows[3]};
    return sums_of_packed(packed_four(work));
}

/* One lane's number in all lanes. */
INLINE vector lane_of(vector value, int lane) { return SHUFFLE(value, value, (integers){0} + lane); }

/* Zeroed vectors, or NULL where memory is out; `free` gives them back. */
INLINE vector *vectors(int64_t count) {
    size_t bytes = (size_t)(count > 0 ? count : 1) * sizeof(vector);
    vector *memory = aligned_alloc(sizeof(vector) > 64 ? sizeof(vector) : 64, (bytes + 63) / 64 * 64);
    if (memory) memset(memory, 0, bytes);
    return memory;
}

/* to[i] = the sum of `parts` rows of `count` floats, in the rows' order: a fixed order whatever the threads. */
INLINE void sum_parts(float *to, const float *rows, int64_t parts, int64_t count) {
    for (int64_t i = 0; i < count; i++) to[i] = parts ? rows[i] : 0.0f;
    for (int64_t part = 1; part < parts; part++)
        for (int64_t i = 0; i < count; i++) to[i] += rows[part * count + i];
}

/* Makes this thread flush denormals (MXCSR bits FTZ and DAZ, FPCR bit FZ); returns what was set before. */
INLINE uint64_t flush_denormals_begin(void) {
#if defined(__SSE__)
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040u);
    return before;
#elif defined(__aarch64__)
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | (1ull << 24)));
    return before;
#else
    return 0;
#endif
}

INLINE void flush_denormals_end(uint64_t before) {
#if defined(__SSE__)
    _mm_setcsr((unsigned)before);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
#else
    (void)before;
#endif
}

/* Sets flushing in every thread of torch's pool for good: what torch.set_flush_denormal does in one thread only. */
int flush_denormals_in_pool(int64_t threads) {
    (void)threads;
#pragma omp parallel num_threads((int)threads)
    flush_denormals_begin();
    return 0;
}

/* Runs `call`, an expression in `unit` that returns nonzero when memory is out, for each unit below `units`.
 * Units write to places of their own, so the result does not depend on how the threads share them. */
#define FOR_EACH_UNIT(failed, units, threads, call)                                  \
    _Pragma("omp parallel num_threads((int)(threads)) reduction(| : failed)") {      \
        uint64_t control = flush_denormals_begin();                                  \
        _Pragma("omp for schedule(dynamic)")                                         \
        for (int64_t unit = 0; unit < (units); unit++) failed |= (call);             \
        flush_denormals_end(control);                                                \
    }

#endif
