/* WKV-6 backward: from a segment's last chunk to its first, all gradients of a chunk at once. */
#pragma once

#include "heads.cuh"

/* All gradients; the bonus's, and with more blocks than one those that run along keys, in parts. */
template <typename T, int PIECES, int TILES>
__device__ void run_backward(const Sizes &sizes, const T *grad_y, const T *r, const T *k, const T *v,
                             const float *log_decay, const float *bonus, const float *checkpoints, const float *ends,
                             void *grad_r, void *grad_k, T *grad_v, void *grad_log_decay, float *bonus_parts,
                             float *grad_initial) {
  __shared__ Slot<PIECES> above[TILES], given[TILES];       /* (step, value) of the gradient of y, and of v */
  __shared__ Slot<PIECES> adjoints[TILES][TILES];           /* (key, value), by tile of keys */
  __shared__ Slot<PIECES> reads[TILES], writes[TILES];      /* (key, step) and (step, key) */
  __shared__ Slot<3> parts[TILES];
  __shared__ float whole[TILES * SIDE];
  const Seat<TILES> seat(sizes);
  constexpr int KEYS = Seat<TILES>::KEYS;
  const int area = KEYS * sizes.values, first_value = seat.value - seat.key;
  const float *end_state = ends + seat.piece(sizes, area) + seat.value * KEYS;
  Square adjoint[TILES]; /* (value, key) */
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile)
    adjoint[tile] = taken(end_state + tile * SIDE, KEYS);
  const Square extra = square_of([&](int row, int) { return bonus[seat.head * KEYS + seat.key + row]; }); /* (key, any) */
  float bonus_sums[2] = {0.0f, 0.0f}; /* of rows g and g + 8 */
  int begin = seat.last_chunk() + CHUNK;
  do {
    begin -= CHUNK;
    put(above[seat.warp], steps_of(grad_y, sizes, seat, begin, seat.value, sizes.values));
    put(given[seat.warp], steps_of(v, sizes, seat, begin, seat.value, sizes.values));
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) put(adjoints[tile][seat.warp], transposed<PIECES>(adjoint[tile]));
    __syncthreads();
    {
      const Square read = transposed<PIECES>(steps_of(r, sizes, seat, begin, seat.key, KEYS)); /* (key, step) */
      const Square written = transposed<PIECES>(steps_of(k, sizes, seat, begin, seat.key, KEYS));
      const Operand<3> exponents = exponents_of(steps_of(log_decay, sizes, seat, begin, seat.key, KEYS));
      const float *checkpoint = checkpoints + seat.chunk(sizes, begin, area);
      Square to_r = {}, to_k = {}, to_decay = {}; /* (key, step) */
      Square met = {}, met_turned = {};           /* the gradient of the scores, (reader, writer) and turned */
      float kept[2] = {0.0f, 0.0f};               /* sum over values of the state and its gradient, of rows g and g + 8 */
#pragma unroll 1
      for (int tile = 0; tile < TILES; ++tile) {
        const Operand<PIECES> above_here = operand_in(above[tile]), given_here = operand_in(given[tile]);
        const Square before =
            transposed<PIECES>(taken(checkpoint + (first_value + tile * SIDE) * KEYS + seat.key, KEYS)); /* (key, value) */
        const Square behind = numbers_in(adjoints[seat.warp][tile]);
        add_product(to_r, operand<PIECES>(before), above_here);
        add_product(to_k, operand<PIECES>(behind), given_here);
        add_product(met, above_here, given_here);
        add_product(met_turned, given_here, above_here);
#pragma unroll
        for (int at = 0; at < HELD; ++at) kept[at / 2 % 2] += before.at[at] * behind.at[at];
      }
      sum_over_row(kept);
      {
        const Square all = decays(exponents, lies_anywhere);
        put_whole(whole, all);
#pragma unroll
        for (int at = 0; at < HELD; ++at) to_decay.at[at] = kept[at / 2 % 2] * all.at[at];
      }
      {
        const Square before = decays(exponents, lies_before);
        put(reads[seat.warp], read * before);
        to_r = to_r * before;
        add_to_exponents<FINE<PIECES>>(to_decay, read * to_r, lies_before);
      }
      {
        const Square behind = decays(exponents, lies_behind);
        put(writes[seat.warp], transposed<PIECES>(written * behind));
        to_k = to_k * behind;
        add_to_exponents<FINE<PIECES>>(to_decay, written * to_k, lies_behind);
      }
      met = chosen(is_not_earlier, met, met_turned); /* either way round */
      const Operand<FINE<PIECES>> meeting = operand<FINE<PIECES>>(only(is_diagonal, met));
      const Square read_met = product(operand<PIECES>(read), meeting);
#pragma unroll
      for (int at = 0; at < HELD; ++at) bonus_sums[at / 2 % 2] += read_met.at[at] * written.at[at];
      to_k += extra * read_met;
      to_r += extra * product(operand<PIECES>(written), meeting);
      Square scores = only(is_diagonal, product(operand<PIECES>(transposed<PIECES>(read * extra)),
                                                operand<PIECES>(transposed<PIECES>(written)))); /* (writer, reader) */
#pragma unroll 1
      for (int level = 0; level < LEVELS; ++level) { /* not unrolled: the matrices of all levels would take the registers */
        const auto lies = [&](int step, int passed) { return lies_between(level, step, passed); };
        const auto upper = [&](int, int step) { return is_upper(level, step); };
        const auto here = [&](int step, int other) { return meet(level, step, other); };
        const Square factors = decays(exponents, lies), pairs = factors * chosen(upper, read, written);
        const Operand<PIECES> both = operand<PIECES>(transposed<PIECES>(pairs));
        scores += only([&](int step, int other) { return step < other && meet(level, step, other); }, product(both, both));
        const Square found = product(operand<PIECES>(pairs), operand<FINE<PIECES>>(only(here, met)));
        add_to_exponents<FINE<PIECES>>(to_decay, pairs * found, lies);
        to_r += only(upper, factors * found);
        to_k += only([&](int, int step) { return !is_upper(level, step); }, factors * found);
      }
      put(parts[seat.warp], scores);
      put_part<T>(grad_r, transposed<PIECES>(to_r), sizes, seat, begin);
      put_part<T>(grad_k, transposed<PIECES>(to_k), sizes, seat, begin);
      put_part<float>(grad_log_decay, transposed<3>(to_decay), sizes, seat, begin);
    }
    __syncthreads();
    const Operand<PIECES> above_here = operand<PIECES>(transposed<PIECES>(numbers_in(above[seat.warp]))); /* (value, step) */
    Square to_v = product(above_here, operand<FINE<PIECES>>(sum_of(parts)));
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
      add_product(to_v, operand<PIECES>(adjoint[tile]), operand_in(writes[tile]));
#pragma unroll
      for (int at = 0; at < HELD; ++at) adjoint[tile].at[at] *= whole[tile * SIDE + column_of(at)];
      add_product(adjoint[tile], above_here, operand_in(reads[tile]));
    }
    put_steps(grad_v, transposed<PIECES>(to_v), sizes, seat, begin, seat.value, sizes.values);
  } while (begin % sizes.segment_length > 0); /* where the segment begins would take a register all along */
  sum_over_row(bonus_sums);
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    if (threadIdx.x % 4 == 0)
      bonus_parts[blockIdx.x * static_cast<long long>(sizes.batch) * sizes.heads * KEYS + seat.unit(sizes, KEYS) + seat.key +
                  row_of(2 * row)] = bonus_sums[row];
  }
  if (begin > 0) return;
  float *begin_state = grad_initial + seat.unit(sizes, area);
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile)
    put_rows(begin_state + tile * SIDE * sizes.values + seat.value, transposed<3>(adjoint[tile]), sizes.values);
}
