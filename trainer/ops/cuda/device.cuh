/* What all kernels share: numbers of three types in memory and fp32 in registers, powers of e, sums over a warp.
 *
 * It includes no header of CUDA or torch, so that nvcc, NVRTC and a host compiler take the same text. Sixteen-bit floats
 * are bits here: conversion rounds to nearest, ties to even.
 */
#pragma once

#ifndef __CUDACC__
#ifndef __CUDACC_RTC__
#include "emulation.h"
#endif
#endif
#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define KERNEL(name)
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
#endif

/* At first use one pass of one type is compiled at a time, to be fast: with ONLY, ONLY_ and the pass - forward, backward, or
 * summary for both summaries of segments - and the kernel's type as its name has them and, where a number follows, ONLY_ and
 * that. A source may leave out the others. */
#if !defined(ONLY) || defined(ONLY_forward)
#define IF_FORWARD(...) __VA_ARGS__
#else
#define IF_FORWARD(...)
#endif
#if !defined(ONLY) || defined(ONLY_backward)
#define IF_BACKWARD(...) __VA_ARGS__
#else
#define IF_BACKWARD(...)
#endif
#if !defined(ONLY) || defined(ONLY_summary)
#define IF_SUMMARY(...) __VA_ARGS__
#else
#define IF_SUMMARY(...)
#endif
#if !defined(ONLY) || defined(ONLY_float32)
#define IF_FLOAT32(...) __VA_ARGS__
#else
#define IF_FLOAT32(...)
#endif
#if !defined(ONLY) || defined(ONLY_bfloat16)
#define IF_BFLOAT16(...) __VA_ARGS__
#else
#define IF_BFLOAT16(...)
#endif
#if !defined(ONLY) || defined(ONLY_float16)
#define IF_FLOAT16(...) __VA_ARGS__
#else
#define IF_FLOAT16(...)
#endif

constexpr int WARP = 32;
constexpr float LOG2_E = 1.4426950408889634f;

struct bf16 {
  uint16_t bits;
};
struct fp16 {
  uint16_t bits;
};

#if defined(__CUDA_ARCH__)
__device__ __forceinline__ float rounded_to_tf32(float value) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return __uint_as_float(bits);
}
__device__ __forceinline__ void multiply_add_tf32(float (&sum)[4], const float (&left)[4], const float (&right)[2]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(__float_as_uint(left[0])), "r"(__float_as_uint(left[1])), "r"(__float_as_uint(left[2])),
        "r"(__float_as_uint(left[3])), "r"(__float_as_uint(right[0])), "r"(__float_as_uint(right[1])));
}
__device__ __forceinline__ float of_bits(uint32_t bits) { return __uint_as_float(bits); }
__device__ __forceinline__ uint32_t bits_of(float value) { return __float_as_uint(value); }
__device__ __forceinline__ float power_of_two(float exponent) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(exponent));
  return power;
}
__device__ __forceinline__ float load(const fp16 *place) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(place->bits));
  return value;
}
__device__ __forceinline__ void store(fp16 *place, float value) {
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(place->bits) : "f"(value));
}
#else
__device__ __forceinline__ float of_bits(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}
__device__ __forceinline__ uint32_t bits_of(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}
__device__ __forceinline__ float rounded_to_tf32(float value) { /* to nearest, ties away from zero; a NaN stays one */
  const uint32_t bits = bits_of(value);
  return (bits & 0x7fffffffu) > 0x7f800000u ? value : of_bits((bits + 0x1000u) & 0xffffe000u);
}
struct Brought { /* by a lane to a product, without the bits that tensor cores do not see */
  float left[4], right[2];
};
__device__ __forceinline__ void multiply_add_tf32(float (&sum)[4], const float (&left)[4], const float (&right)[2]) {
  Brought own;
  for (int at = 0; at < 4; ++at) own.left[at] = of_bits(bits_of(left[at]) & 0xffffe000u);
  for (int at = 0; at < 2; ++at) own.right[at] = of_bits(bits_of(right[at]) & 0xffffe000u);
  const Brought *lanes = emulation::gathered(own) + threadIdx.x / WARP * WARP;
  const int row = threadIdx.x % WARP / 4, column = 2 * (threadIdx.x % 4);
  for (int at = 0; at < 4; ++at)
    for (int k = 0; k < 8; ++k)
      sum[at] += lanes[4 * row + k % 4].left[at / 2 + 2 * (k / 4)] * lanes[4 * (column + at % 2) + k % 4].right[k / 4];
}
__device__ __forceinline__ float power_of_two(float exponent) { return exponent < -126.0f ? 0.0f : exp2f(exponent); }
__device__ __forceinline__ float load(const fp16 *place) {
  const uint32_t sign = (place->bits & 0x8000u) << 16, rest = place->bits & 0x7fffu;
  if (rest >= 0x7c00u) return of_bits(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
  return of_bits(sign | bits_of(of_bits(rest << 13) * 0x1p112f)); /* denormals come out right by the product */
}
__device__ __forceinline__ void store(fp16 *place, float value) {
  const uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
  uint32_t half;
  if (size > 0x7f800000u)
    half = 0x7e00u;
  else if (size >= 0x477ff000u)
    half = 0x7c00u;
  else if (size < 0x38800000u) /* a denormal: adding a half's least bit times 2^23 rounds it at the right place */
    half = bits_of(of_bits(size) + 0.5f) - bits_of(0.5f);
  else
    half = (size - 0x38000000u + 0xfffu + (size >> 13 & 1u)) >> 13;
  place->bits = static_cast<uint16_t>(sign | half);
}
#endif

/* The value, of which the compiler forgets where it is from: what follows from it is computed where it is wanted, not ahead of
 * a loop, where it would take registers all along. */
__device__ __forceinline__ int forgotten(int value) {
#if defined(__CUDA_ARCH__)
  asm volatile("" : "+r"(value));
#endif
  return value;
}

__device__ __forceinline__ float load(const float *place) { return *place; }
__device__ __forceinline__ void store(float *place, float value) { *place = value; }
__device__ __forceinline__ float load(const bf16 *place) { return of_bits(static_cast<uint32_t>(place->bits) << 16); }
__device__ __forceinline__ void store(bf16 *place, float value) {
  const uint32_t bits = bits_of(value);
  const bool number = (bits & 0x7fffffffu) <= 0x7f800000u;
  place->bits = static_cast<uint16_t>(number ? (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16 : 0x7fc0u);
}

/* Sums each of COUNT values over the warp by exchanging halves (recursive halving; Rabenseifner 2004): with 32 values 31
 * shuffles in place of 160. Lane i ends with the sum of value i % COUNT; COUNT is a power of two up to 32. The order is
 * fixed. Values change places by their bits: a choice between two of an array's elements would put the array in memory. */
template <int COUNT, int ALL = COUNT> __device__ __forceinline__ float sum_over_warp(const float (&values)[COUNT]) {
  if constexpr (COUNT > 1) {
    constexpr int HALF = COUNT / 2;
    const uint32_t swapped = threadIdx.x & HALF ? 0xffffffffu : 0u;
    float folded[HALF];
#pragma unroll
    for (int at = 0; at < HALF; ++at) {
      const uint32_t low = bits_of(values[at]), high = bits_of(values[at + HALF]), change = (low ^ high) & swapped;
      folded[at] = of_bits(low ^ change) + __shfl_xor_sync(0xffffffffu, of_bits(high ^ change), HALF);
    }
    return sum_over_warp<HALF, ALL>(folded);
  } else {
    float sum = values[0];
#pragma unroll
    for (int distance = ALL; distance < WARP; distance *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
    return sum;
  }
}

/* sum (16 x 8) += left (16 x 8) right (8 x 8) by a warp, on tensor cores. With g = lane / 4 and t = lane % 4 a thread holds
 * of sum (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1), of left (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4) and of
 * right (t, g), (t + 4, g) (PTX ISA, mma.m16n8k8 of tf32). The sums are fp32. An operand keeps ten bits after the point,
 * which is all that bf16 and fp16 have; SPLIT makes it the sum of two such numbers and leaves out their least product, so
 * that the error is fp32's (Ootomo and Yokota 2022, arXiv 2203.03341; an infinity becomes a NaN). */
template <bool SPLIT>
__device__ __forceinline__ void multiply_add(float (&sum)[4], const float (&left)[4], const float (&right)[2]) {
  float left_high[4], right_high[2];
#pragma unroll
  for (int at = 0; at < 4; ++at) left_high[at] = rounded_to_tf32(left[at]);
#pragma unroll
  for (int at = 0; at < 2; ++at) right_high[at] = rounded_to_tf32(right[at]);
  if constexpr (SPLIT) {
    float left_low[4], right_low[2];
#pragma unroll
    for (int at = 0; at < 4; ++at) left_low[at] = rounded_to_tf32(left[at] - left_high[at]);
#pragma unroll
    for (int at = 0; at < 2; ++at) right_low[at] = rounded_to_tf32(right[at] - right_high[at]);
    multiply_add_tf32(sum, left_low, right_high);
    multiply_add_tf32(sum, left_high, right_low);
  }
  multiply_add_tf32(sum, left_high, right_high);
}

/* sums[i] = parts[0][i] + parts[1][i] + ..., by blocks of WARPS warps with a place i for each lane; the order is fixed. */
template <typename T, int WARPS>
__device__ __forceinline__ void add_parts(const float *parts, T *sums, int count, long long size) {
  __shared__ float rows[WARPS][WARP];
  const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  const long long at = blockIdx.x * static_cast<long long>(WARP) + lane;
  float sum = 0.0f;
  if (at < size)
    for (int part = warp; part < count; part += WARPS) sum += parts[part * size + at];
  rows[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || at >= size) return;
#pragma unroll
  for (int other = 1; other < WARPS; ++other) sum += rows[other][lane];
  store(sums + at, sum);
}
