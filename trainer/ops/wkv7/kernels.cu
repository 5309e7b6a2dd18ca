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
#include "backward.cuh"
#include "forward.cuh"

constexpr int JOINERS = 256; /* threads of a block that joins segments, a multiple of all widths; heads.py has the same figure */

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
