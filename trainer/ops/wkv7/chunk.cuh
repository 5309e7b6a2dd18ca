/* What a chunk of WKV-7 says of a warp's 16 keys, and the inverse of what its steps see of one another. */
#pragma once

#include "heads.cuh"

/* What steps see of one another, (step, other): by r of what b and k wrote, by a of what b and k wrote. Each of the four has
 * the turned matrix of its counterpart above the diagonal: that of r and k the one of a and b, and the other way round. */
enum Pair { READ_B, READ_K, LOOK_B, LOOK_K, PAIRS };

/* (key, step) of what runs along keys, for the warp's keys. */
template <int PIECES, typename T, int TILES>
__device__ __forceinline__ Square keyed_steps(const T *from, const Sizes &sizes, const Seat<TILES> &seat, int begin) {
  return transposed<PIECES>(steps_of(from, sizes, seat, begin, seat.key, Seat<TILES>::KEYS));
}

/* (key, step): the decay of each step alone. */
__device__ __forceinline__ Square own_decays(const Operand<3> &exponents) {
  Square decay = numbers(exponents);
#pragma unroll
  for (int at = 0; at < HELD; ++at) decay.at[at] = power_of_two(decay.at[at]);
  return decay;
}

/* What a chunk says of the warp's keys, all (key, step); `reading` is r times the decay of its own step, so that like a it
 * reads the state before the step. */
template <typename T, int PIECES, int TILES> struct Keyed {
  Square reading, k, a, b;
  Operand<3> exponents;

  __device__ __forceinline__ Keyed(const Sizes &sizes, const Seat<TILES> &seat, int begin, const T *from_r, const T *from_k,
                                   const T *from_a, const T *from_b, const float *log_decay) {
    k = keyed_steps<PIECES>(from_k, sizes, seat, begin);
    a = keyed_steps<PIECES>(from_a, sizes, seat, begin);
    b = keyed_steps<PIECES>(from_b, sizes, seat, begin);
    exponents = exponents_of(steps_of(log_decay, sizes, seat, begin, seat.key, Seat<TILES>::KEYS));
    reading = keyed_steps<PIECES>(from_r, sizes, seat, begin) * own_decays(exponents);
  }

  /* The part of these keys in what the steps see of one another; r is (step, key). */
  __device__ __forceinline__ void put_pairs(Slot<3> (&parts)[PAIRS][TILES], const Square &r, int warp) const {
    const Operand<PIECES> reader = operand<PIECES>(r), by_b = operand<PIECES>(transposed<PIECES>(b));
    const Operand<PIECES> by_k = operand<PIECES>(transposed<PIECES>(k));
    Square pairs[PAIRS] = {};
    pairs[READ_B] = only(is_diagonal, product(reader, by_b));
    pairs[READ_K] = pairs[LOOK_B] = only(is_diagonal, product(reader, by_k));
#pragma unroll 1
    for (int level = 0; level < LEVELS; ++level) { /* not unrolled: the matrices of all levels would take the registers */
      const auto upper = [&](int, int step) { return is_upper(level, step); };
      const auto here = [&](int step, int other) { return meet(level, step, other); };
      const Square factors = decays(exponents, [&](int step, int passed) { return lies_between(level, step, passed); });
      const Operand<PIECES> one = operand<PIECES>(transposed<PIECES>(factors * chosen(upper, reading, b)));
      const Operand<PIECES> two = operand<PIECES>(transposed<PIECES>(factors * chosen(upper, a, k)));
      pairs[READ_B] += only(here, product(one, one));
      pairs[READ_K] += only(here, product(one, two));
      pairs[LOOK_B] += only(here, product(two, one));
      pairs[LOOK_K] += only(here, product(two, two));
    }
#pragma unroll
    for (int pair = 0; pair < PAIRS; ++pair) put(parts[pair][warp], pairs[pair]);
  }
};

/* (I - M)^-1 and its transpose. */
template <int PIECES> struct Inverse {
  Square plain, turned;

  /* From what has the transpose of M above its diagonal. */
  __device__ __forceinline__ explicit Inverse(const Square &turned_pairs) {
    turned = only([](int step, int other) { return step < other && meet(0, step, other); }, turned_pairs);
    turned += square_of([](int step, int other) { return step == other ? 1.0f : 0.0f; });
    plain = transposed<PIECES>(turned);
#pragma unroll 1
    for (int level = 1; level < LEVELS; ++level) {
      const Square off = only([&](int step, int other) { return step < other && meet(level, step, other); }, turned_pairs);
      const Operand<PIECES> before = operand<PIECES>(turned);
      const Operand<PIECES> across = operand<PIECES>(product(operand<PIECES>(plain), operand<PIECES>(off)));
      add_product(plain, across, before);
      add_product(turned, before, across);
    }
  }
};
