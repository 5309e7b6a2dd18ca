/* WKV-6 forward: the pass over a segment's chunks, and what a segment adds to the state. */
#pragma once

#include "heads.cuh"

template <typename T, int PIECES, int TILES>
__device__ void run_forward(const Sizes &sizes, const T *r, const T *k, const T *v, const float *log_decay,
                            const float *bonus, const float *begins, T *y, float *checkpoints, float *final_state) {
  __shared__ Slot<PIECES> reads[TILES], writes[TILES]; /* (step, key) and (key, step) */
  __shared__ Slot<3> parts[TILES];
  __shared__ float whole[TILES * SIDE];
  const Seat<TILES> seat(sizes);
  constexpr int KEYS = Seat<TILES>::KEYS;
  const int area = KEYS * sizes.values;
  const float *begin_state = begins + seat.piece(sizes, area) + seat.value * KEYS;
  Square state[TILES]; /* (value, key) */
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile)
    state[tile] = taken(begin_state + tile * SIDE, KEYS);
  for (int begin = seat.begin; begin < seat.end; begin += CHUNK) {
    float *checkpoint = checkpoints + seat.chunk(sizes, begin, area);
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) put_rows(checkpoint + seat.value * KEYS + tile * SIDE, state[tile], KEYS);
    {
      const Square read = steps_of(r, sizes, seat, begin, seat.key, KEYS);
      const Square written = steps_of(k, sizes, seat, begin, seat.key, KEYS);
      const Square read_turned = transposed<PIECES>(read), written_turned = transposed<PIECES>(written);
      const Operand<3> exponents = exponents_of(steps_of(log_decay, sizes, seat, begin, seat.key, KEYS));
      Square weighted;
#pragma unroll
      for (int at = 0; at < HELD; ++at)
        weighted.at[at] = read.at[at] * bonus[seat.head * KEYS + seat.key + column_of(at)];
      Square scores = only(is_diagonal, product(operand<PIECES>(weighted), operand<PIECES>(written)));
#pragma unroll 1
      for (int level = 0; level < LEVELS; ++level) { /* not unrolled: the matrices of all levels would take the registers */
        const auto lies = [&](int step, int passed) { return lies_between(level, step, passed); };
        const Square met = chosen([&](int, int step) { return is_upper(level, step); }, read_turned, written_turned);
        const Operand<PIECES> both = operand<PIECES>(transposed<PIECES>(met * decays(exponents, lies)));
        scores += only([&](int step, int other) { return step > other && meet(level, step, other); }, product(both, both));
      }
      put(parts[seat.warp], scores);
      put(reads[seat.warp], transposed<PIECES>(read_turned * decays(exponents, lies_before)));
      put(writes[seat.warp], written_turned * decays(exponents, lies_behind));
      put_whole(whole, decays(exponents, lies_anywhere));
    }
    __syncthreads();
    const Operand<PIECES> values =
        operand<PIECES>(transposed<PIECES>(steps_of(v, sizes, seat, begin, seat.value, sizes.values)));
    Square out = product(values, operand<FINE<PIECES>>(sum_of(parts))); /* (value, step) */
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
      add_product(out, operand<PIECES>(state[tile]), operand_in(reads[tile]));
#pragma unroll
      for (int at = 0; at < HELD; ++at) state[tile].at[at] *= whole[tile * SIDE + column_of(at)];
      add_product(state[tile], values, operand_in(writes[tile]));
    }
    put_steps(y, transposed<PIECES>(out), sizes, seat, begin, seat.value, sizes.values);
    __syncthreads();
  }
  if (seat.end < sizes.length) return;
  float *end_state = final_state + seat.unit(sizes, area);
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile)
    put_rows(end_state + tile * SIDE * sizes.values + seat.value, transposed<3>(state[tile]), sizes.values);
}

/* What a segment adds to the state (value, key) if there was none before it, and how much of what was there stays: the state
 * over k and v, or the adjoint, backwards in time, over r and the gradient of y. ends: (B, segments, H, V, K); wholes: (B,
 * segments, H, K). */
template <typename T, int PIECES, int TILES, bool BACKWARDS>
__device__ void summarise(const Sizes &sizes, const T *keyed, const T *valued, const float *log_decay, float *ends,
                          float *wholes) {
  __shared__ Slot<PIECES> writes[TILES]; /* (key, step) */
  __shared__ float whole[TILES * SIDE];
  const Seat<TILES> seat(sizes);
  constexpr int KEYS = Seat<TILES>::KEYS;
  Square state[TILES] = {};        /* (value, key) */
  float stays[2] = {1.0f, 1.0f}; /* of keys g and g + 8 */
  const int chunks = (seat.end - seat.begin + CHUNK - 1) / CHUNK;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const int begin = BACKWARDS ? seat.last_chunk() - chunk * CHUNK : seat.begin + chunk * CHUNK;
    {
      const Square written = transposed<PIECES>(steps_of(keyed, sizes, seat, begin, seat.key, KEYS));
      const Operand<3> exponents = exponents_of(steps_of(log_decay, sizes, seat, begin, seat.key, KEYS));
      const auto lies = [](int step, int passed) { return BACKWARDS ? lies_before(step, passed) : lies_behind(step, passed); };
      const Square all = decays(exponents, lies_anywhere);
      put(writes[seat.warp], written * decays(exponents, lies));
      put_whole(whole, all);
      stays[0] *= all.at[0], stays[1] *= all.at[2];
    }
    __syncthreads();
    const Operand<PIECES> values =
        operand<PIECES>(transposed<PIECES>(steps_of(valued, sizes, seat, begin, seat.value, sizes.values)));
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
#pragma unroll
      for (int at = 0; at < HELD; ++at) state[tile].at[at] *= whole[tile * SIDE + column_of(at)];
      add_product(state[tile], values, operand_in(writes[tile]));
    }
    __syncthreads();
  }
  float *end_state = ends + seat.piece(sizes, KEYS * sizes.values) + seat.value * KEYS;
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) put_rows(end_state + tile * SIDE, state[tile], KEYS);
  if (seat.group() == 0 && threadIdx.x % 4 == 0) {
#pragma unroll
    for (int row = 0; row < 2; ++row) wholes[seat.piece(sizes, KEYS) + seat.key + row_of(2 * row)] = stays[row];
  }
}
