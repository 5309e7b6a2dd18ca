/* WKV-7 forward: the pass over a segment's chunks, and what a segment makes of no state and of the unit matrix. */
#pragma once

#include "chunk.cuh"

template <typename T, int PIECES, int TILES>
__device__ void run_forward(const Sizes &sizes, const T *r, const T *k, const T *v, const float *log_decay, const T *a,
                            const T *b, const float *begins, T *y, float *checkpoints, float *final_state) {
  __shared__ Slot<PIECES> reads[TILES], looks[TILES], b_writes[TILES], k_writes[TILES]; /* (step, key), then (key, step) */
  __shared__ Slot<3> parts[PAIRS][TILES];
  __shared__ float whole[TILES * SIDE];
  const Seat<TILES> seat(sizes);
  constexpr int KEYS = Seat<TILES>::KEYS, WIDE = KEYS + CHUNK;
  const float *begin_state = begins + seat.piece(sizes, KEYS * sizes.values) + seat.value * KEYS;
  Square state[TILES]; /* (value, key) */
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) state[tile] = taken(begin_state + tile * SIDE, KEYS);
  for (int begin = seat.begin; begin < seat.end; begin += CHUNK) {
    float *checkpoint = checkpoints + seat.chunk(sizes, begin, WIDE * sizes.values) + seat.value * WIDE;
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) put_rows(checkpoint + tile * SIDE, state[tile], WIDE);
    {
      const Keyed<T, PIECES, TILES> keyed(sizes, seat, begin, r, k, a, b, log_decay);
      const Square before = decays(keyed.exponents, lies_before), behind = decays(keyed.exponents, lies_behind);
      put(reads[seat.warp], transposed<PIECES>(keyed.reading * before));
      put(looks[seat.warp], transposed<PIECES>(keyed.a * before));
      put(b_writes[seat.warp], keyed.b * behind);
      put(k_writes[seat.warp], keyed.k * behind);
      put_whole(whole, decays(keyed.exponents, lies_anywhere));
      keyed.put_pairs(parts, steps_of(r, sizes, seat, begin, seat.key, KEYS), seat.warp);
    }
    __syncthreads();
    const Operand<PIECES> values = operand<PIECES>(transposed<PIECES>(steps_of(v, sizes, seat, begin, seat.value, sizes.values)));
    Square sought = product(values, operand<FINE<PIECES>>(only(is_later, sum_of(parts[LOOK_K])))), out = {}; /* (value, step) */
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
      const Operand<PIECES> here = operand<PIECES>(state[tile]);
      add_product(sought, here, operand_in(looks[tile]));
      add_product(out, here, operand_in(reads[tile]));
    }
    const Inverse<FINE<PIECES>> inverse(sum_of(parts[READ_K]));
    const Square looked_up = product(operand<FINE<PIECES>>(sought), operand<FINE<PIECES>>(inverse.plain));
    put_rows(checkpoint + KEYS, looked_up, WIDE);
    const Operand<FINE<PIECES>> corrections = operand<FINE<PIECES>>(looked_up);
    add_product(out, corrections, operand<FINE<PIECES>>(only(is_not_earlier, sum_of(parts[READ_B]))));
    add_product(out, values, operand<FINE<PIECES>>(only(is_not_earlier, sum_of(parts[READ_K]))));
    put_steps(y, transposed<PIECES>(out), sizes, seat, begin, seat.value, sizes.values);
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
#pragma unroll
      for (int at = 0; at < HELD; ++at) state[tile].at[at] *= whole[tile * SIDE + column_of(at)];
      add_product(state[tile], corrections, operand_in(b_writes[tile]));
      add_product(state[tile], values, operand_in(k_writes[tile]));
    }
    __syncthreads();
  }
  if (seat.end < sizes.length) return;
  float *end_state = final_state + seat.unit(sizes, KEYS * sizes.values) + seat.value * KEYS;
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) put_rows(end_state + tile * SIDE, state[tile], KEYS);
}

/* What a segment makes of a state that was zero, and of the unit matrix: with the latter, which nothing is written to, the state
 * that a segment ends with is linear in that which it begins with. The state over k and v, or the adjoint, backwards in time,
 * over r and the gradient of y. ends: (B, segments, H, V + K, K). */
template <typename T, int PIECES, int TILES, bool BACKWARDS>
__device__ void summarise(const Sizes &sizes, const T *written, const T *valued, const float *log_decay, const T *a,
                          const T *b, float *ends) {
  constexpr int SMALL = FINE<PIECES>;
  __shared__ Slot<PIECES> seeks[TILES], corrects[TILES], writes[TILES]; /* (step, key), then (key, step) */
  __shared__ Slot<3> seen[TILES], turned[TILES]; /* of what is sought, what was written; and M's transpose above the diagonal */
  __shared__ float whole[TILES * SIDE];
  const Seat<TILES> seat(sizes, 1);
  constexpr int KEYS = Seat<TILES>::KEYS;
  const bool of_unit = seat.group() * KEYS == sizes.values;
  Square state[TILES]; /* (value, key) */
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile)
    state[tile] = square_of([&](int row, int column) { return of_unit && tile == seat.warp && row == column ? 1.0f : 0.0f; });
  const int chunks = (seat.end - seat.begin + CHUNK - 1) / CHUNK;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const int begin = BACKWARDS ? seat.last_chunk() - chunk * CHUNK : seat.begin + chunk * CHUNK;
    {
      const Operand<3> exponents = exponents_of(steps_of(log_decay, sizes, seat, begin, seat.key, KEYS));
      const Square look = keyed_steps<PIECES>(a, sizes, seat, begin), answer = keyed_steps<PIECES>(b, sizes, seat, begin);
      Square other = keyed_steps<PIECES>(written, sizes, seat, begin); /* k, or r times the decay of its own step */
      Square own = {};                                                 /* r of what b wrote in the same step */
      if (BACKWARDS) {
        own = only(is_diagonal, product(operand<PIECES>(transposed<PIECES>(answer)), operand<PIECES>(transposed<PIECES>(other))));
        other = other * own_decays(exponents);
      }
      const Square before = decays(exponents, lies_before), behind = decays(exponents, lies_behind);
      const Square looks = look * before, answers = answer * behind;
      put(seeks[seat.warp], transposed<PIECES>(BACKWARDS ? answers : looks));
      put(corrects[seat.warp], BACKWARDS ? looks : answers);
      put(writes[seat.warp], other * (BACKWARDS ? before : behind));
      put_whole(whole, decays(exponents, lies_anywhere));
      Square pairs = own, inverted = {};
#pragma unroll 1
      for (int level = 0; level < LEVELS; ++level) { /* not unrolled: the matrices of all levels would take the registers */
        const auto upper = [&](int, int step) { return is_upper(level, step); };
        const Square factors = decays(exponents, [&](int step, int passed) { return lies_between(level, step, passed); });
        const Operand<PIECES> one = operand<PIECES>(transposed<PIECES>(factors * chosen(upper, look, answer)));
        const Operand<PIECES> two = operand<PIECES>(transposed<PIECES>(
            factors * (BACKWARDS ? chosen(upper, other, answer) : chosen(upper, look, other))));
        pairs += only([&](int step, int met) { return meet(level, step, met); }, product(two, two));
        inverted += only([&](int step, int met) { return meet(level, step, met); }, product(one, one));
      }
      put(seen[seat.warp], pairs);
      put(turned[seat.warp], inverted);
    }
    __syncthreads();
    Square given = {};
    if (!of_unit) given = transposed<PIECES>(steps_of(valued, sizes, seat, begin, seat.value, sizes.values));
    const Operand<PIECES> values = operand<PIECES>(given);
    const Square met = BACKWARDS ? only(is_not_later, sum_of(seen)) : only(is_later, sum_of(seen));
    Square sought = product(values, operand<SMALL>(met)); /* (value, step) */
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) add_product(sought, operand<PIECES>(state[tile]), operand_in(seeks[tile]));
    const Inverse<SMALL> inverse(sum_of(turned));
    const Operand<SMALL> corrections =
        operand<SMALL>(product(operand<SMALL>(sought), operand<SMALL>(BACKWARDS ? inverse.turned : inverse.plain)));
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
#pragma unroll
      for (int at = 0; at < HELD; ++at) state[tile].at[at] *= whole[tile * SIDE + column_of(at)];
      add_product(state[tile], corrections, operand_in(corrects[tile]));
      add_product(state[tile], values, operand_in(writes[tile]));
    }
    __syncthreads();
  }
  float *end_state = ends + seat.piece(sizes, KEYS * (sizes.values + KEYS)) + seat.value * KEYS;
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) put_rows(end_state + tile * SIDE, state[tile], KEYS);
}
