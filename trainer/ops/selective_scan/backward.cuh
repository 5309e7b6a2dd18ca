/* The selective scan backward: what a segment adds to the adjoint, and the pass from its last chunk to its first. */
#pragma once

#include "chunk.cuh"

/* The adjoint before the segment's first step if none came from behind it. */
template <typename T, int STATES, int WARPS>
__device__ void summarise_backward(const Sizes &sizes, const Gating &gating, const T *grad_y, const T *delta,
                                   const float *a, const T *c, float *ends) {
  __shared__ float grad_rows[CHUNK][WARP], step_rows[CHUNK][WARP], c_rows[CHUNK][STATES * WARPS];
  const Seat<STATES> seat(sizes);
  float rate[STATES], adjoint[STATES];
#pragma unroll
  for (int n = 0; n < STATES; ++n) {
    rate[n] = seat.has(sizes, n) ? a[seat.channel * sizes.states + seat.first + n] * LOG2_E : 0.0f;
    adjoint[n] = 0.0f;
  }
  const int chunks = (seat.end - seat.begin + CHUNK - 1) / CHUNK;
  for (int begin = seat.begin + (chunks - 1) * CHUNK; begin >= seat.begin; begin -= CHUNK) {
    fetch_gradients<T, WARPS>(grad_rows, grad_y, gating, sizes, seat.sequence, seat.channel, begin, seat.end);
    fetch_steps<T, WARPS>(step_rows, nullptr, delta, static_cast<const T *>(nullptr), gating, sizes, seat.sequence,
                          seat.channel, begin, seat.end);
    fetch_states<T, WARPS>(c_rows, c, sizes, seat.sequence, begin, seat.end);
    __syncthreads();
#pragma unroll 4
    for (int row = CHUNK - 1; row >= 0; --row)
#pragma unroll
      for (int n = 0; n < STATES; ++n)
        adjoint[n] = power_of_two(step_rows[row][seat.lane] * rate[n]) *
                     (adjoint[n] + grad_rows[row][seat.lane] * c_rows[row][seat.first + n]);
    __syncthreads();
  }
  const long long place = seat.sequence * sizes.segments + seat.segment;
#pragma unroll
  for (int n = 0; n < STATES; ++n)
    if (seat.has(sizes, n)) ends[(place * sizes.states + seat.first + n) * sizes.channels + seat.channel] = adjoint[n];
}

/* All gradients but those of a, b, c, skip and bias, of which the parts are left that this block, or this segment, has. */
template <typename T, int STATES, int WARPS>
__device__ void run_backward(const Sizes &sizes, const Gating &gating, const GatingGradients &wanted, const T *grad_y,
                             const T *u, const T *delta, const float *a, const T *b, const T *c, const float *checkpoints,
                             const float *adjoints, T *grad_u, T *grad_delta, float *a_parts, float *b_parts,
                             float *c_parts, float *grad_initial) {
  constexpr int VALUES = 2 * SUB * STATES; /* sums over a warp, 32 or fewer at a time */
  constexpr int ROUND = VALUES < WARP ? VALUES : WARP;
  __shared__ float driven_rows[CHUNK][WARP], step_rows[CHUNK][WARP], grad_rows[CHUNK][WARP];
  __shared__ float b_rows[CHUNK][STATES * WARPS], c_rows[CHUNK][STATES * WARPS];
  __shared__ float driven_parts[WARPS][SUB][WARP], decayed_parts[WARPS][SUB][WARP];
  __shared__ float read_parts[WARPS][SUB][WARP];
  const Seat<STATES> seat(sizes);
  const long long place = seat.sequence * sizes.segments + seat.segment;
  const int all_chunks = (sizes.length + CHUNK - 1) / CHUNK;
  float rate[STATES], adjoint[STATES], grad_rate[STATES], grad_skip = 0.0f, grad_bias = 0.0f;
#pragma unroll
  for (int n = 0; n < STATES; ++n) {
    const bool there = seat.has(sizes, n);
    rate[n] = there ? a[seat.channel * sizes.states + seat.first + n] : 0.0f;
    adjoint[n] = there ? adjoints[(place * sizes.states + seat.first + n) * sizes.channels + seat.channel] : 0.0f;
    grad_rate[n] = 0.0f;
  }
  const int chunks = (seat.end - seat.begin + CHUNK - 1) / CHUNK;
  for (int begin = seat.begin + (chunks - 1) * CHUNK; begin >= seat.begin; begin -= CHUNK) {
    fetch_steps<T, WARPS>(step_rows, driven_rows, delta, u, gating, sizes, seat.sequence, seat.channel, begin, seat.end);
    fetch_gradients<T, WARPS>(grad_rows, grad_y, gating, sizes, seat.sequence, seat.channel, begin, seat.end);
    fetch_states<T, WARPS>(b_rows, b, sizes, seat.sequence, begin, seat.end);
    fetch_states<T, WARPS>(c_rows, c, sizes, seat.sequence, begin, seat.end);
    __syncthreads();
    const long long checkpoint = (seat.sequence * all_chunks + begin / CHUNK) * sizes.states;
    float before[CHUNK / SUB][STATES]; /* the states before every SUB steps; in local memory, for registers are dear */
#pragma unroll
    for (int n = 0; n < STATES; ++n)
      before[0][n] = seat.has(sizes, n)
                         ? checkpoints[(checkpoint + seat.first + n) * sizes.channels + seat.channel]
                         : 0.0f;
#pragma unroll 1
    for (int part = 1; part < CHUNK / SUB; ++part) {
#pragma unroll
      for (int n = 0; n < STATES; ++n) before[part][n] = before[part - 1][n];
#pragma unroll
      for (int at = 0; at < SUB; ++at) {
        const int row = (part - 1) * SUB + at;
        const float step = step_rows[row][seat.lane], driven = driven_rows[row][seat.lane];
#pragma unroll
        for (int n = 0; n < STATES; ++n)
          before[part][n] = power_of_two(step * rate[n] * LOG2_E) * before[part][n] + driven * b_rows[row][seat.first + n];
      }
    }
#pragma unroll 1
    for (int part = CHUNK / SUB - 1; part >= 0; --part) {
      float state[SUB + 1][STATES], sums[VALUES];
#pragma unroll
      for (int n = 0; n < STATES; ++n) state[0][n] = before[part][n];
#pragma unroll
      for (int at = 0; at < SUB; ++at) {
        const int row = part * SUB + at;
        const float step = step_rows[row][seat.lane], driven = driven_rows[row][seat.lane];
#pragma unroll
        for (int n = 0; n < STATES; ++n)
          state[at + 1][n] = power_of_two(step * rate[n] * LOG2_E) * state[at][n] + driven * b_rows[row][seat.first + n];
      }
#pragma unroll
      for (int at = SUB - 1; at >= 0; --at) {
        const int row = part * SUB + at;
        const float step = step_rows[row][seat.lane], above = grad_rows[row][seat.lane];
        const float driven = driven_rows[row][seat.lane];
        float written = 0.0f, decayed = 0.0f, read = 0.0f;
#pragma unroll
        for (int n = 0; n < STATES; ++n) {
          adjoint[n] += above * c_rows[row][seat.first + n];
          sums[at * STATES + n] = adjoint[n] * driven;                    /* of the gradient of b */
          sums[(SUB + at) * STATES + n] = above * state[at + 1][n];       /* of the gradient of c */
          read += state[at + 1][n] * c_rows[row][seat.first + n];
          written += adjoint[n] * b_rows[row][seat.first + n];
          adjoint[n] *= power_of_two(step * rate[n] * LOG2_E); /* again: to keep it would cost the registers of a block */
          const float exponent = adjoint[n] * state[at][n];
          decayed += exponent * rate[n];
          grad_rate[n] += exponent * step;
        }
        driven_parts[seat.warp][at][seat.lane] = written;
        decayed_parts[seat.warp][at][seat.lane] = decayed;
        read_parts[seat.warp][at][seat.lane] = read;
      }
#pragma unroll
      for (int from = 0; from < VALUES; from += ROUND) {
        float some[ROUND];
#pragma unroll
        for (int at = 0; at < ROUND; ++at) some[at] = sums[from + at];
        const float sum = sum_over_warp(some);
        const int value = from + seat.lane % ROUND, at = value / STATES % SUB, n = value % STATES;
        const int row = begin + part * SUB + at;
        float *parts = value < SUB * STATES ? b_parts : c_parts;
        if (seat.lane < ROUND && row < seat.end && seat.first + n < sizes.states)
          parts[((seat.group * static_cast<long long>(sizes.batch) + seat.sequence) * sizes.length + row) * sizes.states +
                seat.first + n] = sum;
      }
      __syncthreads();
      for (int at = seat.warp; at < SUB; at += WARPS) {
        const int row = part * SUB + at;
        float written = 0.0f, decayed = 0.0f, read = 0.0f;
#pragma unroll
        for (int warp = 0; warp < WARPS; ++warp) {
          written += driven_parts[warp][at][seat.lane], decayed += decayed_parts[warp][at][seat.lane];
          read += read_parts[warp][at][seat.lane];
        }
        if (seat.present && begin + row < seat.end) {
          const long long time = seat.sequence * sizes.length + begin + row;
          const long long target = time * sizes.channels + seat.channel;
          const float input = load(u + target), above = grad_rows[row][seat.lane];
          const float skip = gating.skip ? gating.skip[seat.channel] : 0.0f;
          const Step step = step_of(load(delta + target), gating.bias, seat.channel);
          const float grad_step = (written * input + decayed) * step.slope;
          store(grad_u + target, written * step.size + skip * above);
          store(grad_delta + target, grad_step);
          grad_skip += above * input, grad_bias += grad_step;
          if (gating.gate) {
            const float z = load(static_cast<const T *>(gating.gate) + time * gating.gate_row + seat.channel);
            const float open = sigmoid(z), slope = open * (1.0f + z * (1.0f - open));
            store(static_cast<T *>(wanted.gate) + target, load(grad_y + target) * (read + skip * input) * slope);
          }
        }
      }
      __syncthreads();
    }
  }
#pragma unroll
  for (int n = 0; n < STATES; ++n)
    if (seat.has(sizes, n)) {
      const long long state = static_cast<long long>(seat.channel) * sizes.states + seat.first + n;
      a_parts[place * sizes.channels * sizes.states + state] = grad_rate[n];
      if (seat.segment == 0) grad_initial[seat.sequence * sizes.channels * sizes.states + state] = adjoint[n];
    }
  driven_parts[seat.warp][0][seat.lane] = grad_skip, decayed_parts[seat.warp][0][seat.lane] = grad_bias;
  __syncthreads();
  if (seat.warp == 0 && seat.present) {
    for (int warp = 1; warp < WARPS; ++warp)
      grad_skip += driven_parts[warp][0][seat.lane], grad_bias += decayed_parts[warp][0][seat.lane];
    if (gating.skip) wanted.skip_parts[place * sizes.channels + seat.channel] = grad_skip;
    if (gating.bias) wanted.bias_parts[place * sizes.channels + seat.channel] = grad_bias;
  }
}

/* From the segments' summaries to the states that they begin with: begins[s + 1] = exp(a lengths[s]) begins[s] + ends[s],
 * or from the last segment backwards for adjoints. One thread for each state of each channel; `given` is (B, D, N). */
__device__ __forceinline__ void join(const Sizes &sizes, const float *a, const float *ends, const float *lengths,
                                     const float *given, float *begins, bool backwards) {
  const long long at = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x;
  const long long states = static_cast<long long>(sizes.channels) * sizes.states;
  if (at >= states * sizes.batch) return;
  const int channel = static_cast<int>(at % sizes.channels), n = static_cast<int>(at / sizes.channels % sizes.states);
  const long long sequence = at / states;
  const float rate = a[channel * sizes.states + n] * LOG2_E;
  float state = given[(sequence * sizes.channels + channel) * sizes.states + n];
  for (int step = 0; step < sizes.segments; ++step) {
    const long long place = sequence * sizes.segments + (backwards ? sizes.segments - 1 - step : step);
    const long long here = (place * sizes.states + n) * sizes.channels + channel;
    begins[here] = state;
    state = power_of_two(rate * lengths[place * sizes.channels + channel]) * state + ends[here];
  }
}
