/* The selective scan of Mamba-1 on a GPU, forward and backward; the operator and its symbols are in __init__.py.
 *
 * A block has 32 channels of one sequence and one segment of its length; lane = channel, so that u, delta and y are read
 * and written whole lines at a time. Warp w holds the states w * STATES ... of its channels in registers: what b and c
 * hold for a step is the same for all lanes of a warp, hence one broadcast from shared memory. Few sequences and channels
 * leave a GPU idle, so the length is cut into segments: summaries of all segments at once, a short pass over segments,
 * then the segments themselves. A state's decay over a segment is exp(a sum(delta)), because the rate does not change.
 *
 * What a Mamba layer does around the scan is done on the way in and out of shared memory (struct Gating): softplus of the step
 * sizes with their bias, the skip, the gate, and forgetting where a document begins, by a step so long that nothing is left.
 *
 * The backward pass begins at the states that the forward pass wrote down every CHUNK steps, recomputes SUB steps in
 * registers and walks them back. Sums over channels are taken over a warp by exchanging halves, written down for each block
 * and added in a fixed order by `selective_scan_add`: no atomics, equal bits in every run.
 */
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

extern "C" __global__ void selective_scan_join(Sizes sizes, const float *a, const float *ends, const float *lengths,
                                               const float *given, float *begins, int backwards) {
  join(sizes, a, ends, lengths, given, begins, backwards != 0);
}
KERNEL(selective_scan_join)

/* sums[i] = parts[0][i] + parts[1][i] + ..., one thread for each i. */
extern "C" __global__ void selective_scan_add(const float *parts, float *sums, int count, long long size) {
  const long long at = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x;
  if (at >= size) return;
  float sum = 0.0f;
  for (int part = 0; part < count; ++part) sum += parts[part * size + at];
  sums[at] = sum;
}
KERNEL(selective_scan_add)

#define OF_TYPE(T, name, STATES, WARPS, BLOCKS)                                                                         \
  IF_SUMMARY(extern "C" __global__ void __launch_bounds__(WARPS *WARP, 1)                                               \
      selective_scan_summary_##name(Sizes sizes, Gating gating, const T *u, const T *delta, const float *a, const T *b, \
                                    float *ends, float *lengths) {                                                      \
    summarise<T, STATES, WARPS>(sizes, gating, u, delta, a, b, ends, lengths);                                          \
  }                                                                                                                     \
  KERNEL(selective_scan_summary_##name))                                                                                \
  IF_FORWARD(extern "C" __global__ void __launch_bounds__(WARPS *WARP, 1)                                               \
      selective_scan_forward_##name(Sizes sizes, Gating gating, const T *u, const T *delta, const float *a, const T *b, \
                                    const T *c, const float *begins, T *y, float *checkpoints, float *final_state) {    \
    run_forward<T, STATES, WARPS>(sizes, gating, u, delta, a, b, c, begins, y, checkpoints, final_state);               \
  }                                                                                                                     \
  KERNEL(selective_scan_forward_##name))                                                                                \
  IF_SUMMARY(extern "C" __global__ void __launch_bounds__(WARPS *WARP, 1)                                               \
      selective_scan_backward_summary_##name(Sizes sizes, Gating gating, const T *grad_y, const T *delta, const float *a,\
                                             const T *c, float *ends) {                                                 \
    summarise_backward<T, STATES, WARPS>(sizes, gating, grad_y, delta, a, c, ends);                                     \
  }                                                                                                                     \
  KERNEL(selective_scan_backward_summary_##name))                                                                       \
  IF_BACKWARD(extern "C" __global__ void __launch_bounds__(WARPS *WARP, BLOCKS)                                         \
      selective_scan_backward_##name(Sizes sizes, Gating gating, GatingGradients wanted, const T *grad_y, const T *u,   \
                                     const T *delta, const float *a, const T *b, const T *c, const float *checkpoints,  \
                                     const float *adjoints, T *grad_u, T *grad_delta, float *a_parts, float *b_parts,   \
                                     float *c_parts, float *grad_initial) {                                             \
    run_backward<T, STATES, WARPS>(sizes, gating, wanted, grad_y, u, delta, a, b, c, checkpoints, adjoints, grad_u,     \
                                   grad_delta, a_parts, b_parts, c_parts, grad_initial);                                \
  }                                                                                                                     \
  KERNEL(selective_scan_backward_##name))

/* Up to 4, 16 and 64 states, by 1, 4 and 8 warps; BLOCKS of the backward kernel fit a multiprocessor's registers. */
#define OF_STATES(name, STATES, WARPS, BLOCKS)                                                                          \
  IF_FLOAT32(OF_TYPE(float, float32_##name, STATES, WARPS, BLOCKS))                                                     \
  IF_BFLOAT16(OF_TYPE(bf16, bfloat16_##name, STATES, WARPS, BLOCKS))                                                    \
  IF_FLOAT16(OF_TYPE(fp16, float16_##name, STATES, WARPS, BLOCKS))

#if !defined(ONLY) || defined(ONLY_4)
OF_STATES(4, 4, 1, 12)
#endif
#if !defined(ONLY) || defined(ONLY_16)
OF_STATES(16, 4, 4, 3)
#endif
#if !defined(ONLY) || defined(ONLY_64)
OF_STATES(64, 8, 8, 1)
#endif
