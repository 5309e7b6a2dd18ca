/* A chunk of the selective scan as a block sees it: sizes, gates, where a thread sits, and rows in shared memory. */
#pragma once

#include "device.cuh"

constexpr int CHUNK = 32;  /* steps between checkpoints; __init__.py has the same figure */
constexpr int HALF = CHUNK / 2; /* steps whose outputs wait in shared memory for their sum over warps */
constexpr int SUB = 4;     /* steps recomputed in registers at a time */
constexpr float FORGET = 1e30f; /* a step after which nothing is left of a state, and of which 10^8 have a finite sum */

struct Sizes {
  int batch, length, channels, states, segments, segment_length; /* the last in steps, a multiple of CHUNK */
};

/* What happens around the scan; where a pointer is null, nothing does. */
struct Gating {
  const void *gate;            /* (B, L, D) of the inputs' type, rows gate_row numbers apart: y is times silu(gate) */
  const float *skip;           /* (D,): y begins with skip u */
  const float *bias;           /* (D,): the step is softplus(delta + bias), not delta */
  const unsigned char *begins; /* (B, L): not 0 where the states before the step are forgotten */
  long long gate_row;
};

/* The gradients of these: the gate's, and the parts of the others that one segment of one sequence has, (B, segments, D). */
struct GatingGradients {
  void *gate;
  float *skip_parts, *bias_parts;
};

struct Step {
  float size, slope; /* the slope by delta */
};

/* softplus and its slope; as in torch the identity above 20. */
__device__ __forceinline__ Step step_of(float delta, const float *bias, int channel) {
  if (!bias) return {delta, 1.0f};
  const float x = delta + bias[channel];
  if (x > 20.0f) return {x, 1.0f};
  const float power = power_of_two(x * LOG2_E);
  return {log1pf(power), power / (1.0f + power)};
}

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + power_of_two(-x * LOG2_E)); }

/* Where the calling thread works. */
template <int STATES> struct Seat {
  int lane, warp, channel, first, group, segment, begin, end;
  long long sequence;
  bool present; /* the channel is there: the last block of channels may be partly empty */

  __device__ __forceinline__ explicit Seat(const Sizes &sizes) {
    lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    group = blockIdx.x, segment = blockIdx.y, sequence = blockIdx.z;
    channel = group * WARP + lane, first = warp * STATES;
    present = channel < sizes.channels;
    begin = segment * sizes.segment_length;
    end = begin + sizes.segment_length < sizes.length ? begin + sizes.segment_length : sizes.length;
  }
  __device__ __forceinline__ bool has(const Sizes &sizes, int state) const {
    return present && first + state < sizes.states;
  }
};

/* CHUNK steps for the block's channels into rows of WARP: how long each step is for the decay, and what drives the states
 * where `driven` is given. Zeros where there is nothing: a step of size 0 changes nothing. */
template <typename T, int WARPS>
__device__ __forceinline__ void fetch_steps(float (&steps)[CHUNK][WARP], float (*driven)[WARP], const T *delta, const T *u,
                                            const Gating &gating, const Sizes &sizes, long long sequence, int channel,
                                            int begin, int end) {
  const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  for (int row = warp; row < CHUNK; row += WARPS) {
    const long long time = sequence * sizes.length + begin + row;
    const bool there = begin + row < end && channel < sizes.channels;
    float size = 0.0f, input = 0.0f;
    if (there) {
      size = step_of(load(delta + time * sizes.channels + channel), gating.bias, channel).size;
      if (driven) input = load(u + time * sizes.channels + channel);
    }
    if (driven) driven[row][lane] = size * input;
    steps[row][lane] = there && gating.begins && gating.begins[time] ? FORGET : size;
  }
}

/* The gradient of <c, h> for CHUNK steps of the block's channels. */
template <typename T, int WARPS>
__device__ __forceinline__ void fetch_gradients(float (&rows)[CHUNK][WARP], const T *grad_y, const Gating &gating,
                                                const Sizes &sizes, long long sequence, int channel, int begin, int end) {
  const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  const T *gate = static_cast<const T *>(gating.gate);
  for (int row = warp; row < CHUNK; row += WARPS) {
    const long long time = sequence * sizes.length + begin + row;
    float above = 0.0f;
    if (begin + row < end && channel < sizes.channels) {
      above = load(grad_y + time * sizes.channels + channel);
      if (gate) {
        const float z = load(gate + time * gating.gate_row + channel);
        above *= z * sigmoid(z);
      }
    }
    rows[row][lane] = above;
  }
}

/* CHUNK steps of (B, L, N) into rows of ROW; zeros where there is nothing. */
template <typename T, int WARPS, int ROW>
__device__ __forceinline__ void fetch_states(float (&rows)[CHUNK][ROW], const T *from, const Sizes &sizes,
                                             long long sequence, int begin, int end) {
  for (int at = threadIdx.x; at < CHUNK * ROW; at += WARPS * WARP) {
    const int row = at / ROW, state = at % ROW;
    const bool there = begin + row < end && state < sizes.states;
    rows[row][state] = there ? load(from + (sequence * sizes.length + begin + row) * sizes.states + state) : 0.0f;
  }
}
