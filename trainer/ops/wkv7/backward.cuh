/* WKV-7 backward: from a segment's last chunk to its first, by each chunk's first state and what its steps looked up. */
#pragma once

#include "chunk.cuh"

/* All gradients; with more blocks than one, those that run along keys in parts. */
template <typename T, int PIECES, int TILES>
__device__ void run_backward(const Sizes &sizes, const T *grad_y, const T *r, const T *k, const T *v,
                             const float *log_decay, const T *a, const T *b, const float *checkpoints,
                             const float *ends, void *grad_r, void *grad_k, T *grad_v, void *grad_log_decay,
                             void *grad_a, void *grad_b, float *grad_initial) {
  constexpr int SMALL = FINE<PIECES>;
  __shared__ Slot<PIECES> reads[TILES], looks[TILES], b_writes[TILES], k_writes[TILES]; /* (key, step), then (step, key) */
  __shared__ Slot<PIECES> looked[TILES], corrected[TILES];                             /* (step, value) */
  __shared__ Slot<3> to_pairs[PAIRS];
  __shared__ Slot<3> parts[PAIRS][TILES]; /* when their sums are taken: the adjoints (key, value), by tile of keys */
  __shared__ float whole[TILES * SIDE];
  Slot<PIECES>(*const adjoints)[TILES] = reinterpret_cast<Slot<PIECES>(*)[TILES]>(&parts);
  static_assert(sizeof(Slot<PIECES>) * TILES * TILES <= sizeof parts, "the adjoints have no room");
  const Seat<TILES> seat(sizes);
  constexpr int KEYS = Seat<TILES>::KEYS, WIDE = KEYS + CHUNK;
  const int first_value = seat.value - seat.key;
  const float *end_state = ends + seat.piece(sizes, KEYS * sizes.values) + seat.value * KEYS;
  Square adjoint[TILES]; /* (value, key) */
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) adjoint[tile] = taken(end_state + tile * SIDE, KEYS);
  int begin = seat.last_chunk() + CHUNK;
  do {
    begin -= CHUNK;
    const float *checkpoint = checkpoints + seat.chunk(sizes, begin, WIDE * sizes.values);
    {
      const Keyed<T, PIECES, TILES> keyed(sizes, seat, begin, r, k, a, b, log_decay);
      const Square before = decays(keyed.exponents, lies_before), behind = decays(keyed.exponents, lies_behind);
      put(reads[seat.warp], keyed.reading * before);
      put(looks[seat.warp], keyed.a * before);
      put(b_writes[seat.warp], transposed<PIECES>(keyed.b * behind));
      put(k_writes[seat.warp], transposed<PIECES>(keyed.k * behind));
      put_whole(whole, decays(keyed.exponents, lies_anywhere));
      keyed.put_pairs(parts, steps_of(r, sizes, seat, begin, seat.key, KEYS), seat.warp);
    }
    __syncthreads();
    {
      const Operand<SMALL> from_b = operand<SMALL>(only(is_not_later, sum_of(parts[READ_B]))); /* all (writer, reader) */
      const Operand<SMALL> from_k = operand<SMALL>(only(is_not_later, sum_of(parts[LOOK_B])));
      const Operand<SMALL> from_look = operand<SMALL>(only(is_earlier, sum_of(parts[LOOK_K])));
      const Square read_k = sum_of(parts[READ_K]);
      __syncthreads();
      const Inverse<SMALL> inverse(read_k);
      const Operand<PIECES> above = /* (value, step) */
          operand<PIECES>(transposed<PIECES>(steps_of(grad_y, sizes, seat, begin, seat.value, sizes.values)));
      Square to_looked = product(above, from_b), to_v = product(above, from_k);
#pragma unroll
      for (int tile = 0; tile < TILES; ++tile) {
        put(adjoints[tile][seat.warp], transposed<PIECES>(adjoint[tile]));
        const Operand<PIECES> here = operand<PIECES>(adjoint[tile]);
        add_product(to_looked, here, operand_in(b_writes[tile]));
        add_product(to_v, here, operand_in(k_writes[tile]));
      }
      const Square found = product(operand<SMALL>(to_looked), operand<SMALL>(inverse.turned));
      const Operand<SMALL> corrections = operand<SMALL>(found);
      add_product(to_v, corrections, from_look);
      put_steps(grad_v, transposed<PIECES>(to_v), sizes, seat, begin, seat.value, sizes.values);
      put(corrected[seat.warp], transposed<PIECES>(found));
      put(looked[seat.warp], transposed<PIECES>(taken(checkpoint + seat.value * WIDE + KEYS, WIDE)));
#pragma unroll
      for (int tile = 0; tile < TILES; ++tile) {
#pragma unroll
        for (int at = 0; at < HELD; ++at) adjoint[tile].at[at] *= whole[tile * SIDE + column_of(at)];
        add_product(adjoint[tile], above, operand_in(reads[tile]));
        add_product(adjoint[tile], corrections, operand_in(looks[tile]));
      }
    }
    __syncthreads();
    for (int pair = seat.warp; pair < PAIRS; pair += TILES) { /* the gradients of the pairs, as these lie: each by one warp */
      const bool by_a = pair == LOOK_B || pair == LOOK_K, of_k = pair == READ_K || pair == LOOK_K;
      Square plain = {}, turned = {};
#pragma unroll 1
      for (int tile = 0; tile < TILES; ++tile) {
        const int column = first_value + tile * SIDE;
        const auto above = [&]() { return operand<PIECES>(steps_of(grad_y, sizes, seat, begin, column, sizes.values)); };
        const auto given = [&]() { return operand<PIECES>(steps_of(v, sizes, seat, begin, column, sizes.values)); };
        add_product(plain, by_a ? operand_in(corrected[tile]) : above(), of_k ? given() : operand_in(looked[tile]));
        add_product(turned, by_a ? given() : operand_in(looked[tile]), of_k ? operand_in(corrected[tile]) : above());
      }
      put(to_pairs[pair], chosen(is_not_earlier, plain, turned));
    }
    {
      Square to_reading = {}, to_a = {}, to_b = {}, to_k = {}, to_decay; /* (key, step) */
      float kept[2] = {0.0f, 0.0f}; /* sum over values of the state and its gradient, of rows g and g + 8 */
#pragma unroll 1
      for (int tile = 0; tile < TILES; ++tile) {
        const int column = first_value + tile * SIDE;
        const Square before = transposed<PIECES>(taken(checkpoint + column * WIDE + seat.key, WIDE)); /* (key, value) */
        const Square behind = numbers_in(adjoints[seat.warp][tile]);
        const Operand<PIECES> before_here = operand<PIECES>(before), behind_here = operand<PIECES>(behind);
        add_product(to_reading, before_here, operand<PIECES>(steps_of(grad_y, sizes, seat, begin, column, sizes.values)));
        add_product(to_a, before_here, operand_in(corrected[tile]));
        add_product(to_b, behind_here, operand_in(looked[tile]));
        add_product(to_k, behind_here, operand<PIECES>(steps_of(v, sizes, seat, begin, column, sizes.values)));
#pragma unroll
        for (int at = 0; at < HELD; ++at) kept[at / 2 % 2] += before.at[at] * behind.at[at];
      }
      __syncthreads();
      const Keyed<T, PIECES, TILES> keyed(sizes, seat, begin, r, k, a, b, log_decay);
      sum_over_row(kept);
      to_decay = decays(keyed.exponents, lies_anywhere);
#pragma unroll
      for (int at = 0; at < HELD; ++at) to_decay.at[at] *= kept[at / 2 % 2];
      {
        const Square before = decays(keyed.exponents, lies_before), behind = decays(keyed.exponents, lies_behind);
        to_reading = to_reading * before, to_a = to_a * before, to_b = to_b * behind, to_k = to_k * behind;
        Square reading = keyed.reading * to_reading, writing = keyed.b * to_b;
        reading += keyed.a * to_a, writing += keyed.k * to_k;
        add_to_exponents<SMALL>(to_decay, reading, lies_before);
        add_to_exponents<SMALL>(to_decay, writing, lies_behind);
      }
#pragma unroll 1
      for (int level = 0; level < LEVELS; ++level) {
        const auto lies = [&](int step, int passed) { return lies_between(level, step, passed); };
        const auto upper = [&](int, int step) { return is_upper(level, step); };
        const auto lower = [&](int, int step) { return !is_upper(level, step); };
        const auto here = [&](int step, int other) { return meet(level, step, other); };
        const Square factors = decays(keyed.exponents, lies);
        const Square one = factors * chosen(upper, keyed.reading, keyed.b);
        const Square two = factors * chosen(upper, keyed.a, keyed.k);
        const auto seen = [&](int pair) { return operand<SMALL>(only(here, numbers_in(to_pairs[pair]))); };
        Square found = product(operand<PIECES>(one), seen(READ_B));
        add_product(found, operand<PIECES>(two), seen(READ_K));
        Square both = one * found;
        found = found * factors;
        to_reading += only(upper, found), to_b += only(lower, found);
        found = product(operand<PIECES>(one), seen(LOOK_B));
        add_product(found, operand<PIECES>(two), seen(LOOK_K));
        both += two * found;
        found = found * factors;
        to_a += only(upper, found), to_k += only(lower, found);
        add_to_exponents<SMALL>(to_decay, both, lies);
      }
      to_decay += keyed.reading * to_reading;
      const Operand<SMALL> own_b = operand<SMALL>(only(is_diagonal, numbers_in(to_pairs[READ_B])));
      const Operand<SMALL> own_k = operand<SMALL>(only(is_diagonal, numbers_in(to_pairs[READ_K])));
      const Operand<PIECES> reader = operand<PIECES>(keyed_steps<PIECES>(r, sizes, seat, begin));
      Square to_r = own_decays(keyed.exponents) * to_reading;
      add_product(to_r, operand<PIECES>(keyed.b), own_b), add_product(to_r, operand<PIECES>(keyed.k), own_k);
      add_product(to_b, reader, own_b), add_product(to_k, reader, own_k);
      put_part<T>(grad_r, transposed<PIECES>(to_r), sizes, seat, begin);
      put_part<T>(grad_k, transposed<PIECES>(to_k), sizes, seat, begin);
      put_part<T>(grad_a, transposed<PIECES>(to_a), sizes, seat, begin);
      put_part<T>(grad_b, transposed<PIECES>(to_b), sizes, seat, begin);
      put_part<float>(grad_log_decay, transposed<3>(to_decay), sizes, seat, begin);
    }
    __syncthreads();
  } while (begin % sizes.segment_length > 0); /* where the segment begins would take a register all along */
  if (begin > 0) return;
  float *begin_state = grad_initial + seat.unit(sizes, KEYS * sizes.values) + seat.value * KEYS;
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) put_rows(begin_state + tile * SIDE, adjoint[tile], KEYS);
}
