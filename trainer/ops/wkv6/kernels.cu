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
#include "backward.cuh"
#include "forward.cuh"

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
