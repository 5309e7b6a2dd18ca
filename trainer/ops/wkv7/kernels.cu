/* WKV-7 on a GPU, forward and backward; the operator and its symbols are in __init__.py.
 *
 * A block has one head of one sequence, one segment of the length and 16 values for each of its warps; it goes over the chunks
 * of 16 steps. Where heads and sequences leave a GPU idle, the length is cut into segments: what each makes of no state and of
 * the unit matrix at once, a short pass over the segments, then the segments themselves. A warp keeps
 * its 16 rows of the state (value, key) as fp32 sums of tensor cores. In every chunk it first prepares 16 keys - what reads and
 * writes the state through the decays, and the part that these keys have in what the steps see of one another - and shares
 * that; then it computes its 16 values. What the steps look up, U, solves (I - M) U = A S^T + N v (chunk.py); the inverse is
 * built from blocks twice as large in every level, which is substitution by blocks. The backward pass takes each chunk's first
 * state and U from the checkpoint, so no step is computed again. Nothing is added in an order that could change.
 */
#include "heads.cuh"

constexpr int JOINERS = 256; /* threads of a block that joins segments, a multiple of all widths; heads.py has the same figure */

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

/* From the segments' summaries to the states (value, key) that they begin with: begins[s + 1] = begins[s] units[s] + ends[s], where
 * `units` are the K rows behind the values', or from the last segment backwards for adjoints. One thread for each (B, H, V, K),
 * and `given` lies so; a block has whole rows. */
extern "C" __global__ void __launch_bounds__(JOINERS)
    wkv7_join(Sizes sizes, int keys, const float *ends, const float *given, float *begins, int backwards) {
  __shared__ float rows[JOINERS];
  const long long at = blockIdx.x * static_cast<long long>(JOINERS) + threadIdx.x;
  const long long area = static_cast<long long>(sizes.values) * keys, matrix = at / area, units = area + keys * keys;
  const long long sequence = matrix / sizes.heads, head = matrix % sizes.heads;
  const int key = threadIdx.x % keys;
  const float *const row = rows + threadIdx.x - key;
  float state = given[at];
  for (int step = 0; step < sizes.segments; ++step) {
    const int segment = backwards ? sizes.segments - 1 - step : step;
    const long long piece = (sequence * sizes.segments + segment) * sizes.heads + head;
    begins[piece * area + at % area] = rows[threadIdx.x] = state;
    __syncthreads();
    const float *const unit = ends + piece * units + area + key;
    state = ends[piece * units + at % area];
#pragma unroll 16
    for (int one = 0; one < keys; ++one) state += row[one] * unit[one * keys];
    __syncthreads();
  }
}
KERNEL(wkv7_join)

#define OF_TILES(T, name, PIECES, TILES)                                                                                \
  IF_FORWARD(extern "C" __global__ void __launch_bounds__(TILES *WARP, 1)                                               \
      wkv7_forward_##name(Sizes sizes, const T *r, const T *k, const T *v, const float *log_decay, const T *a,          \
                          const T *b, const float *begins, T *y, float *checkpoints, float *final_state) {              \
    run_forward<T, PIECES, TILES>(sizes, r, k, v, log_decay, a, b, begins, y, checkpoints, final_state);                \
  }                                                                                                                     \
  KERNEL(wkv7_forward_##name))                                                                                          \
  IF_BACKWARD(extern "C" __global__ void __launch_bounds__(TILES *WARP, 1) wkv7_backward_##name(                        \
      Sizes sizes, const T *grad_y, const T *r, const T *k, const T *v, const float *log_decay, const T *a, const T *b, \
      const float *checkpoints, const float *ends, void *grad_r, void *grad_k, T *grad_v, void *grad_log_decay,         \
      void *grad_a, void *grad_b, float *grad_initial) {                                                                \
    run_backward<T, PIECES, TILES>(sizes, grad_y, r, k, v, log_decay, a, b, checkpoints, ends, grad_r, grad_k,          \
                                   grad_v, grad_log_decay, grad_a, grad_b, grad_initial);                               \
  }                                                                                                                     \
  KERNEL(wkv7_backward_##name))                                                                                         \
  IF_SUMMARY(extern "C" __global__ void __launch_bounds__(TILES *WARP, 1) wkv7_summary_##name(                          \
      Sizes sizes, const T *k, const T *v, const float *log_decay, const T *a, const T *b, float *ends) {               \
    summarise<T, PIECES, TILES, false>(sizes, k, v, log_decay, a, b, ends);                                             \
  }                                                                                                                     \
  KERNEL(wkv7_summary_##name)                                                                                           \
  extern "C" __global__ void __launch_bounds__(TILES *WARP, 1) wkv7_backward_summary_##name(                            \
      Sizes sizes, const T *r, const T *grad_y, const float *log_decay, const T *a, const T *b, float *ends) {          \
    summarise<T, PIECES, TILES, true>(sizes, r, grad_y, log_decay, a, b, ends);                                         \
  }                                                                                                                     \
  KERNEL(wkv7_backward_summary_##name))

OF_ALL_HEADS
