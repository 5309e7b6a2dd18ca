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
#include "backward.cuh"
#include "forward.cuh"

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
