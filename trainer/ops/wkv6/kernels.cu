/* WKV-6 on a GPU, forward and backward; the operator and its symbols are in __init__.py.
 *
 * A block has one head of one sequence, one segment of the length and 16 values for each of its warps; it goes over the chunks
 * of 16 steps. Where heads and sequences leave a GPU idle, the length is cut into segments: what each adds to the state and
 * how much of it stays at once, a short pass over the segments, then the segments themselves. A warp keeps
 * its 16 rows of the state (value, key) as fp32 sums of tensor cores. In every chunk it first prepares 16 keys - what reads and
 * writes the state through the decays, and the part that these keys have in what the steps see of one another - and shares
 * that; then it computes its 16 values. The backward pass takes each chunk's first state from the checkpoint, so no step is
 * computed again. Nothing is added in an order that could change: equal bits in every run.
 */
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

/* From the segments' summaries to the states (value, key) that they begin with: begins[s + 1] = wholes[s] begins[s] + ends[s], or
 * from the last segment backwards for adjoints. One thread for each (B, H, V, K), and `given` lies so. */
extern "C" __global__ void wkv6_join(Sizes sizes, int keys, const float *ends, const float *wholes, const float *given,
                                     float *begins, int backwards) {
  const long long at = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x;
  const long long area = static_cast<long long>(sizes.values) * keys, matrix = at / area;
  if (matrix >= static_cast<long long>(sizes.batch) * sizes.heads) return;
  const long long sequence = matrix / sizes.heads, head = matrix % sizes.heads;
  float state = given[at];
#pragma unroll 4
  for (int step = 0; step < sizes.segments; ++step) {
    const int segment = backwards ? sizes.segments - 1 - step : step;
    const long long piece = (sequence * sizes.segments + segment) * sizes.heads + head;
    begins[piece * area + at % area] = state;
    state = wholes[piece * keys + at % keys] * state + ends[piece * area + at % area];
  }
}
KERNEL(wkv6_join)

#define OF_TILES(T, name, PIECES, TILES)                                                                                \
  IF_FORWARD(extern "C" __global__ void __launch_bounds__(TILES *WARP, 1)                                               \
      wkv6_forward_##name(Sizes sizes, const T *r, const T *k, const T *v, const float *log_decay, const float *bonus,  \
                          const float *begins, T *y, float *checkpoints, float *final_state) {                          \
    run_forward<T, PIECES, TILES>(sizes, r, k, v, log_decay, bonus, begins, y, checkpoints, final_state);               \
  }                                                                                                                     \
  KERNEL(wkv6_forward_##name))                                                                                          \
  IF_BACKWARD(extern "C" __global__ void __launch_bounds__(TILES *WARP, 1) wkv6_backward_##name(                        \
      Sizes sizes, const T *grad_y, const T *r, const T *k, const T *v, const float *log_decay, const float *bonus,     \
      const float *checkpoints, const float *ends, void *grad_r, void *grad_k, T *grad_v, void *grad_log_decay,         \
      float *bonus_parts, float *grad_initial) {                                                                        \
    run_backward<T, PIECES, TILES>(sizes, grad_y, r, k, v, log_decay, bonus, checkpoints, ends, grad_r, grad_k, grad_v, \
                                   grad_log_decay, bonus_parts, grad_initial);                                          \
  }                                                                                                                     \
  KERNEL(wkv6_backward_##name))                                                                                         \
  IF_SUMMARY(extern "C" __global__ void __launch_bounds__(TILES *WARP, 1) wkv6_summary_##name(                          \
      Sizes sizes, const T *k, const T *v, const float *log_decay, float *ends, float *wholes) {                        \
    summarise<T, PIECES, TILES, false>(sizes, k, v, log_decay, ends, wholes);                                           \
  }                                                                                                                     \
  KERNEL(wkv6_summary_##name)                                                                                           \
  extern "C" __global__ void __launch_bounds__(TILES *WARP, 1) wkv6_backward_summary_##name(                            \
      Sizes sizes, const T *r, const T *grad_y, const float *log_decay, float *ends, float *wholes) {                   \
    summarise<T, PIECES, TILES, true>(sizes, r, grad_y, log_decay, ends, wholes);                                       \
  }                                                                                                                     \
  KERNEL(wkv6_backward_summary_##name))

OF_ALL_HEADS
