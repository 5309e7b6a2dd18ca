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

constexpr int WARP = 32;
constexpr float LOG2_E = 1.4426950408889634f;

struct bf16 {
  uint16_t bits;
};
struct fp16 {
  uint16_t bits;
};

#if defined(__CUDA_ARCH__)
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
