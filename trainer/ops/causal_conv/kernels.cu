/* The causal convolution on a GPU, forward and backward; the operator and its symbols are in __init__.py.
 *
 * A thread has one channel and one span of a sequence, and walks it with the inputs in sight in registers: lanes are
 * neighbouring channels, so that memory is read and written whole lines at a time, each input once and once more for every
 * span's first few steps. ROWS loads are under way at a time, because memory is all that it waits for. The weights' gradients
 * are written down for each span and added in a fixed order by `causal_conv_add`.
 */
#include "device.cuh"

constexpr int ROWS = 8;       /* steps loaded at a time; beyond the sequence they use no tap; cuda.py has the same figure */
constexpr int USUAL = 4;      /* the number of taps that has kernels of its own; cuda.py has the same figure */
constexpr int CHANNELS = 128; /* of a block; cuda.py has the same figure */
constexpr int ADDERS = 8;     /* warps that share the sum of parts; cuda.py has the same figure */

struct Sizes {
  int batch, length, channels, taps, spans, span; /* the last in steps, a multiple of ROWS */
};

/* Where the calling thread works. */
struct Seat {
  int channel, begin, end;
  long long sequence, row; /* the latter of a tensor (B, L) at the sequence's first step */

  __device__ __forceinline__ explicit Seat(const Sizes &sizes) {
    channel = blockIdx.x * CHANNELS + threadIdx.x, sequence = blockIdx.z, row = sequence * sizes.length;
    begin = blockIdx.y * sizes.span;
    end = begin + sizes.span < sizes.length ? begin + sizes.span : sizes.length;
  }
};

/* Input t of the sequence, or of its state where t is negative; 0 beyond both. */
template <typename T>
__device__ __forceinline__ float known(const Sizes &sizes, const Seat &seat, const T *x, const float *state, int t) {
  if (t >= 0) return t < sizes.length ? load(x + (seat.row + t) * sizes.channels + seat.channel) : 0.0f;
  const int place = t + sizes.taps - 1;
  return place < 0 ? 0.0f : state[(seat.sequence * (sizes.taps - 1) + place) * sizes.channels + seat.channel];
}

/* Steps t ... t + ROWS - 1 of (B, L, D); 0 beyond the sequence, which only the last steps of one have to ask for. */
template <typename T>
__device__ __forceinline__ void fetch(float *rows, const Sizes &sizes, const Seat &seat, const T *from, int t) {
  const T *place = from + (seat.row + t) * sizes.channels + seat.channel;
  if (t + ROWS <= sizes.length) {
#pragma unroll
    for (int at = 0; at < ROWS; ++at) rows[at] = load(place + at * sizes.channels);
  } else {
#pragma unroll
    for (int at = 0; at < ROWS; ++at) rows[at] = t + at < sizes.length ? load(place + at * sizes.channels) : 0.0f;
  }
}

template <typename T>
__device__ __forceinline__ void keep(T *to, const float *rows, const Sizes &sizes, const Seat &seat, int t) {
  T *place = to + (seat.row + t) * sizes.channels + seat.channel;
  if (t + ROWS <= sizes.length) {
#pragma unroll
    for (int at = 0; at < ROWS; ++at) store(place + at * sizes.channels, rows[at]);
  } else {
#pragma unroll
    for (int at = 0; at < ROWS; ++at)
      if (t + at < sizes.length) store(place + at * sizes.channels, rows[at]);
  }
}

/* How many taps step t uses: none beyond the sequence. */
template <bool LIMITED>
__device__ __forceinline__ int used(const Sizes &sizes, const Seat &seat, const int *reach, int t) {
  if (t >= sizes.length) return 0;
  return !LIMITED || reach[seat.row + t] >= sizes.taps ? sizes.taps : 1 + reach[seat.row + t];
}

/* Whether a step that uses so many taps uses that one. Where all taps are there and nothing limits them, no step asks: beyond
 * the sequence gradients are 0, and outputs are not kept. */
template <bool LIMITED, int TAPS> __device__ __forceinline__ bool uses(int reached, int back) {
  return (!LIMITED && TAPS == USUAL) || back < reached;
}

template <int TAPS>
__device__ __forceinline__ void fetch_weights(float (&weights)[TAPS], const Sizes &sizes, const Seat &seat,
                                              const float *taps) {
#pragma unroll
  for (int back = 0; back < TAPS; ++back)
    weights[back] = back < sizes.taps ? taps[back * sizes.channels + seat.channel] : 0.0f;
}

template <typename T, int TAPS, bool LIMITED>
__device__ __forceinline__ void run_forward(const Sizes &sizes, const T *x, const float *taps, const float *bias,
                                            const float *state, const int *reach, T *y, float *final_state) {
  const Seat seat(sizes);
  if (seat.channel >= sizes.channels) return;
  float weights[TAPS], inputs[TAPS - 1 + ROWS]; /* the first of the inputs is that of step t - (TAPS - 1) */
  fetch_weights(weights, sizes, seat, taps);
  const float added = bias[seat.channel];
#pragma unroll
  for (int at = 0; at < TAPS - 1; ++at) inputs[at] = known(sizes, seat, x, state, seat.begin + at - (TAPS - 1));
  for (int t = seat.begin; t < seat.end; t += ROWS) {
    fetch(inputs + TAPS - 1, sizes, seat, x, t);
    float sums[ROWS];
#pragma unroll
    for (int at = 0; at < ROWS; ++at) {
      const int reached = used<LIMITED>(sizes, seat, reach, t + at);
      sums[at] = added;
#pragma unroll
      for (int back = 0; back < TAPS; ++back)
        if (uses<LIMITED, TAPS>(reached, back)) sums[at] += weights[back] * inputs[TAPS - 1 + at - back];
    }
    keep(y, sums, sizes, seat, t);
#pragma unroll
    for (int at = 0; at < TAPS - 1; ++at) inputs[at] = inputs[at + ROWS];
  }
  if (seat.end == sizes.length)
    for (int place = 0; place < sizes.taps - 1; ++place)
      final_state[(seat.sequence * (sizes.taps - 1) + place) * sizes.channels + seat.channel] =
          known(sizes, seat, x, state, sizes.length - (sizes.taps - 1) + place);
}

/* The gradient of input t as far as the final state handed it on. */
__device__ __forceinline__ float handed_on(const Sizes &sizes, const Seat &seat, const float *grad_final, int t) {
  const int place = t - (sizes.length - (sizes.taps - 1));
  return place < 0 || place >= sizes.taps - 1
             ? 0.0f
             : grad_final[(seat.sequence * (sizes.taps - 1) + place) * sizes.channels + seat.channel];
}

/* A step's gradient is gathered from the steps that read it, so that every thread writes to places of its own. */
template <typename T, int TAPS, bool LIMITED>
__device__ __forceinline__ void run_backward(const Sizes &sizes, const T *grad_y, const float *grad_final, const T *x,
                                             const float *taps, const float *state, const int *reach, T *grad_x,
                                             float *weight_parts, float *grad_initial) {
  const Seat seat(sizes);
  if (seat.channel >= sizes.channels) return;
  float weights[TAPS], to_weights[TAPS], to_bias = 0.0f;
  float inputs[TAPS - 1 + ROWS];                         /* the first is that of step t - (TAPS - 1) */
  float above[ROWS + TAPS - 1];                          /* the first is that of step t */
  int reached[ROWS + TAPS - 1];                          /* the same */
  fetch_weights(weights, sizes, seat, taps);
#pragma unroll
  for (int at = 0; at < TAPS; ++at) to_weights[at] = 0.0f;
#pragma unroll
  for (int at = 0; at < TAPS - 1; ++at) {
    inputs[at] = known(sizes, seat, x, state, seat.begin + at - (TAPS - 1));
    above[at] = known(sizes, seat, grad_y, state, seat.begin + at);
    reached[at] = used<LIMITED>(sizes, seat, reach, seat.begin + at);
  }
  if (seat.begin == 0)
#pragma unroll
    for (int before = 1; before < TAPS; ++before)
      if (before < sizes.taps) {
        float sum = handed_on(sizes, seat, grad_final, -before);
#pragma unroll
        for (int back = before; back < TAPS; ++back)
          if (back < reached[back - before]) sum += weights[back] * above[back - before];
        grad_initial[(seat.sequence * (sizes.taps - 1) + sizes.taps - 1 - before) * sizes.channels + seat.channel] = sum;
      }
  for (int t = seat.begin; t < seat.end; t += ROWS) {
    fetch(inputs + TAPS - 1, sizes, seat, x, t);
    fetch(above + TAPS - 1, sizes, seat, grad_y, t + TAPS - 1);
    float sums[ROWS] = {};
    if (t + ROWS > sizes.length - (sizes.taps - 1))
#pragma unroll
      for (int at = 0; at < ROWS; ++at) sums[at] = handed_on(sizes, seat, grad_final, t + at);
#pragma unroll
    for (int at = 0; at < ROWS; ++at)
      reached[TAPS - 1 + at] = used<LIMITED>(sizes, seat, reach, t + TAPS - 1 + at);
#pragma unroll
    for (int at = 0; at < ROWS; ++at) {
      to_bias += above[at];
#pragma unroll
      for (int back = 0; back < TAPS; ++back) {
        if (uses<LIMITED, TAPS>(reached[at + back], back)) sums[at] += weights[back] * above[at + back];
        if (uses<LIMITED, TAPS>(reached[at], back)) to_weights[back] += above[at] * inputs[TAPS - 1 + at - back];
      }
    }
    keep(grad_x, sums, sizes, seat, t);
#pragma unroll
    for (int at = 0; at < TAPS - 1; ++at) {
      inputs[at] = inputs[at + ROWS];
      above[at] = above[at + ROWS];
      reached[at] = reached[at + ROWS];
    }
  }
  float *parts = weight_parts + (seat.sequence * sizes.spans + blockIdx.y) * (sizes.taps + 1) * sizes.channels;
#pragma unroll
  for (int back = 0; back < TAPS; ++back)
    if (back < sizes.taps) parts[back * sizes.channels + seat.channel] = to_weights[back];
  parts[sizes.taps * sizes.channels + seat.channel] = to_bias;
}

extern "C" __global__ void __launch_bounds__(ADDERS *WARP) causal_conv_add(const float *parts, float *sums, int count,
                                                                           long long size) {
  add_parts<float, ADDERS>(parts, sums, count, size);
}
KERNEL(causal_conv_add)

#define OF_TYPE(T, name, TAPS)                                                                                          \
  IF_FORWARD(extern "C" __global__ void __launch_bounds__(CHANNELS, 4)                                                  \
      causal_conv_forward_##name(Sizes sizes, const T *x, const float *taps, const float *bias, const float *state,     \
                                 const int *reach, T *y, float *final_state) {                                          \
    if (reach == nullptr)                                                                                               \
      run_forward<T, TAPS, false>(sizes, x, taps, bias, state, reach, y, final_state);                                  \
    else                                                                                                                \
      run_forward<T, TAPS, true>(sizes, x, taps, bias, state, reach, y, final_state);                                   \
  }                                                                                                                     \
  KERNEL(causal_conv_forward_##name))                                                                                   \
  IF_BACKWARD(extern "C" __global__ void __launch_bounds__(CHANNELS, 4)                                                 \
      causal_conv_backward_##name(Sizes sizes, const T *grad_y, const float *grad_final, const T *x, const float *taps, \
                                  const float *state, const int *reach, T *grad_x, float *weight_parts,                 \
                                  float *grad_initial) {                                                                \
    if (reach == nullptr)                                                                                               \
      run_backward<T, TAPS, false>(sizes, grad_y, grad_final, x, taps, state, reach, grad_x, weight_parts,              \
                                   grad_initial);                                                                       \
    else                                                                                                                \
      run_backward<T, TAPS, true>(sizes, grad_y, grad_final, x, taps, state, reach, grad_x, weight_parts, grad_initial);\
  }                                                                                                                     \
  KERNEL(causal_conv_backward_##name))

/* The usual number of taps, and any number up to 8. */
#define OF_TAPS(TAPS)                                                                                                   \
  IF_FLOAT32(OF_TYPE(float, float32_##TAPS, TAPS))                                                                      \
  IF_BFLOAT16(OF_TYPE(bf16, bfloat16_##TAPS, TAPS))                                                                     \
  IF_FLOAT16(OF_TYPE(fp16, float16_##TAPS, TAPS))

#if !defined(ONLY) || defined(ONLY_4)
OF_TAPS(4)
#endif
#if !defined(ONLY) || defined(ONLY_8)
OF_TAPS(8)
#endif
