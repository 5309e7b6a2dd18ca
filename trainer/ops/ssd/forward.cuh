/* The state-space dual forward: what a segment adds to the state, and the pass over a segment's chunks. */
#pragma once

#include "chunk.cuh"

/* What a segment adds to the matrix if there was none before it: the state over x and b, or the adjoint, backwards in time, over
 * the gradient of y and c. ends: (B, segments, H, N, P). */
template <typename T, int TILES, bool BACKWARDS>
__device__ void summarise(const Sizes &sizes, const T *wide, const float *delta, const float *a, const T *drive,
                          float *ends) {
  constexpr bool SPLIT = sizeof(T) == sizeof(float);
  __shared__ WideRows rows;
  __shared__ StateRows drive_rows;
  __shared__ float steps[CHUNK], into[CHUNK], out[CHUNK];
  const Seat seat(sizes);
  const float rate = a[seat.head] * LOG2_E;
  float state[TILES][COLUMNS][4];
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) clear(state[tile]);
  const int chunks = (seat.end - seat.begin + CHUNK - 1) / CHUNK;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const int begin = BACKWARDS ? seat.last_chunk() - chunk * CHUNK : seat.begin + chunk * CHUNK;
    fetch_steps(steps, delta, sizes, seat, begin);
    __syncthreads();
    fill_ends(into, out, steps, rate, seat);
    fetch_width<!BACKWARDS>(rows, wide, steps, sizes, seat, begin);
    fetch_states(drive_rows, drive, sizes, seat, begin, 0);
    __syncthreads();
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
      if (tile > 0) {
        fetch_states(drive_rows, drive, sizes, seat, begin, tile);
        __syncthreads();
      }
      advance<SPLIT>(state[tile], into[CHUNK - 1], rows, BACKWARDS ? into : out, drive_rows, seat);
      __syncthreads();
    }
  }
  float *place = ends + seat.matrix_of(sizes, sizes.segments, seat.segment);
  each_state<TILES>(state, sizes, seat, sizes.width, 1, [&](float &value, int at) { place[at] = value; });
}

template <typename T, int TILES>
__device__ void run_forward(const Sizes &sizes, const T *x, const float *delta, const float *a, const T *b, const T *c,
                            const float *begins, T *y, float *checkpoints, float *final_state) {
  constexpr bool SPLIT = sizeof(T) == sizeof(float);
  __shared__ WideRows rows; /* delta x, and then y */
  __shared__ StateRows b_rows, c_rows;
  __shared__ Pairs pairs; /* decays, and then what each step reads of each earlier one */
  __shared__ float steps[CHUNK], into[CHUNK], out[CHUNK];
  const Seat seat(sizes);
  const float rate = a[seat.head] * LOG2_E;
  const int chunks = (sizes.length + CHUNK - 1) / CHUNK;
  float state[TILES][COLUMNS][4]; /* (P, N) */
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) clear(state[tile]);
  const float *given = begins + seat.matrix_of(sizes, sizes.segments, seat.segment);
  each_state<TILES>(state, sizes, seat, sizes.width, 1, [&](float &value, int at) { value = given[at]; });
  for (int begin = seat.begin; begin < seat.end; begin += CHUNK) {
    fetch_steps(steps, delta, sizes, seat, begin);
    float *checkpoint = checkpoints + seat.matrix_of(sizes, chunks, begin / CHUNK);
    each_state<TILES>(state, sizes, seat, sizes.width, 1, [&](float &value, int at) { checkpoint[at] = value; });
    __syncthreads();
    fill_ends(into, out, steps, rate, seat);
    fill_pairs(pairs, steps, rate, seat);
    fetch_width<true>(rows, x, steps, sizes, seat, begin);
    fetch_states(b_rows, b, sizes, seat, begin, 0);
    fetch_states(c_rows, c, sizes, seat, begin, 0);
    __syncthreads();
    float scores[2][4], read[STEPS][4]; /* the last: (P, steps) */
    clear(scores);
    clear(read);
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
      if (tile > 0) {
        fetch_states(b_rows, b, sizes, seat, begin, tile);
        fetch_states(c_rows, c, sizes, seat, begin, tile);
        __syncthreads();
      }
      pair_products<SPLIT, TILE>(scores, c_rows, b_rows, seat);
#pragma unroll
      for (int k = 0; k < COLUMNS; ++k) {
        float held[4];
        left_of(held, state[tile][k]);
#pragma unroll
        for (int piece = 0; piece < STEPS; ++piece) {
          float right[2];
          right_along(right, c_rows, seat, 8 * piece, 8 * k);
          multiply_add<SPLIT>(read[piece], held, right);
        }
      }
      advance<SPLIT>(state[tile], into[CHUNK - 1], rows, out, b_rows, seat);
      __syncthreads();
    }
#pragma unroll
    for (int piece = 0; piece < 2; ++piece)
#pragma unroll
      for (int at = 0; at < 4; ++at) {
        const int later = pairs_row(seat) + seat.row + at / 2 * 8;
        const int earlier = pairs_column(seat) + 8 * piece + seat.pair + at % 2;
        pairs[later][earlier] = earlier > later ? 0.0f : pairs[later][earlier] * scores[piece][at];
      }
#pragma unroll
    for (int piece = 0; piece < STEPS; ++piece)
#pragma unroll
      for (int at = 0; at < 4; ++at) read[piece][at] *= into[8 * piece + seat.pair + at % 2];
    __syncthreads();
    add_over_steps<SPLIT>(read, rows, seat, [&](float(&right)[2], int step, int k) { right_along(right, pairs, seat, step, k); });
    __syncthreads();
    put_width(rows, read, seat);
    __syncthreads();
#pragma unroll 4
    for (int at = threadIdx.x; at < CHUNK * WIDTH; at += THREADS) {
      const int step = at / WIDTH, p = seat.first + at % WIDTH;
      if (begin + step < seat.end && p < sizes.width)
        store(y + seat.step_of(sizes, begin + step) * sizes.width + p, rows[step][at % WIDTH]);
    }
  }
  if (seat.end == sizes.length) {
    float *place = final_state + (seat.sequence * sizes.heads + seat.head) * sizes.states * sizes.width;
    each_state<TILES>(state, sizes, seat, 1, sizes.states, [&](float &value, int at) { place[at] = value; });
  }
}
