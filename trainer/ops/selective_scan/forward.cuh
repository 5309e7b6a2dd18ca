/* The selective scan forward: what a segment adds to the state, and the pass over a segment's chunks. */
#pragma once

#include "chunk.cuh"

/* The segment's states if it began with none, and its summed step sizes. */
template <typename T, int STATES, int WARPS>
__device__ void summarise(const Sizes &sizes, const Gating &gating, const T *u, const T *delta, const float *a, const T *b,
                          float *ends, float *lengths) {
  __shared__ float driven_rows[CHUNK][WARP], step_rows[CHUNK][WARP], b_rows[CHUNK][STATES * WARPS];
  const Seat<STATES> seat(sizes);
  float rate[STATES], state[STATES], summed = 0.0f;
#pragma unroll
  for (int n = 0; n < STATES; ++n) {
    rate[n] = seat.has(sizes, n) ? a[seat.channel * sizes.states + seat.first + n] * LOG2_E : 0.0f;
    state[n] = 0.0f;
  }
  for (int begin = seat.begin; begin < seat.end; begin += CHUNK) {
    fetch_steps<T, WARPS>(step_rows, driven_rows, delta, u, gating, sizes, seat.sequence, seat.channel, begin, seat.end);
    fetch_states<T, WARPS>(b_rows, b, sizes, seat.sequence, begin, seat.end);
    __syncthreads();
#pragma unroll 4
    for (int row = 0; row < CHUNK; ++row) { /* past the end: a step of size 0 changes nothing */
      const float step = step_rows[row][seat.lane], driven = driven_rows[row][seat.lane];
      summed += step;
#pragma unroll
      for (int n = 0; n < STATES; ++n)
        state[n] = power_of_two(step * rate[n]) * state[n] + driven * b_rows[row][seat.first + n];
    }
    __syncthreads();
  }
  const long long place = seat.sequence * sizes.segments + seat.segment;
#pragma unroll
  for (int n = 0; n < STATES; ++n)
    if (seat.has(sizes, n)) ends[(place * sizes.states + seat.first + n) * sizes.channels + seat.channel] = state[n];
  if (seat.present && seat.warp == 0) lengths[place * sizes.channels + seat.channel] = summed;
}

template <typename T, int STATES, int WARPS>
__device__ void run_forward(const Sizes &sizes, const Gating &gating, const T *u, const T *delta, const float *a,
                            const T *b, const T *c, const float *begins, T *y, float *checkpoints, float *final_state) {
  __shared__ float driven_rows[CHUNK][WARP], step_rows[CHUNK][WARP];
  __shared__ float b_rows[CHUNK][STATES * WARPS], c_rows[CHUNK][STATES * WARPS];
  __shared__ float parts[WARPS][HALF][WARP];
  const Seat<STATES> seat(sizes);
  const long long place = seat.sequence * sizes.segments + seat.segment;
  const int chunks = (sizes.length + CHUNK - 1) / CHUNK;
  float rate[STATES], state[STATES];
#pragma unroll
  for (int n = 0; n < STATES; ++n) {
    const bool there = seat.has(sizes, n);
    rate[n] = there ? a[seat.channel * sizes.states + seat.first + n] * LOG2_E : 0.0f;
    state[n] = there ? begins[(place * sizes.states + seat.first + n) * sizes.channels + seat.channel] : 0.0f;
  }
  for (int begin = seat.begin; begin < seat.end; begin += CHUNK) {
    fetch_steps<T, WARPS>(step_rows, driven_rows, delta, u, gating, sizes, seat.sequence, seat.channel, begin, seat.end);
    fetch_states<T, WARPS>(b_rows, b, sizes, seat.sequence, begin, seat.end);
    fetch_states<T, WARPS>(c_rows, c, sizes, seat.sequence, begin, seat.end);
    __syncthreads();
    const long long checkpoint = (seat.sequence * chunks + begin / CHUNK) * sizes.states;
#pragma unroll
    for (int n = 0; n < STATES; ++n)
      if (seat.has(sizes, n)) checkpoints[(checkpoint + seat.first + n) * sizes.channels + seat.channel] = state[n];
    for (int half = 0; half < CHUNK; half += HALF) {
#pragma unroll 4
      for (int row = half; row < half + HALF; ++row) {
        const float step = step_rows[row][seat.lane], driven = driven_rows[row][seat.lane];
        float read = 0.0f;
#pragma unroll
        for (int n = 0; n < STATES; ++n) {
          state[n] = power_of_two(step * rate[n]) * state[n] + driven * b_rows[row][seat.first + n];
          read += state[n] * c_rows[row][seat.first + n];
        }
        parts[seat.warp][row - half][seat.lane] = read;
      }
      __syncthreads();
      for (int row = half + seat.warp; row < half + HALF && begin + row < seat.end; row += WARPS) {
        float total = 0.0f;
#pragma unroll
        for (int warp = 0; warp < WARPS; ++warp) total += parts[warp][row - half][seat.lane];
        if (seat.present) {
          const long long time = seat.sequence * sizes.length + begin + row;
          const long long target = time * sizes.channels + seat.channel;
          if (gating.skip) total += gating.skip[seat.channel] * load(u + target);
          if (gating.gate) {
            const float z = load(static_cast<const T *>(gating.gate) + time * gating.gate_row + seat.channel);
            total *= z * sigmoid(z);
          }
          store(y + target, total);
        }
      }
      __syncthreads();
    }
  }
#pragma unroll
  for (int n = 0; n < STATES; ++n)
    if (seat.end == sizes.length && seat.has(sizes, n))
      final_state[(seat.sequence * sizes.channels + seat.channel) * sizes.states + seat.first + n] = state[n];
}
