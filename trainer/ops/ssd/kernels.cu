/* The state-space dual of Mamba-2 on a GPU, forward and backward; the operator and its symbols are in __init__.py.
 *
 * A block has 64 rows of one head's width, all its states and one segment of the length, and walks the segment a chunk of 32
 * steps at a time. Within a chunk all is products of matrices (the paper's section 6), which run on tensor cores by warps of
 * 16 rows each. The state stays in registers from chunk to chunk: what a thread holds of it as a sum is just what it
 * needs of it as the left operand of the next product, if k's places t and t + 4 stand for 2t and 2t + 1, and so they do in
 * every product here. States are taken TILE at a time, so that shared memory does not grow with them. Operands are tf32,
 * which holds bf16 and fp16 exactly; fp32 inputs are split in two. Memory is what bounds it: checkpoints weigh most.
 *
 * Few sequences and heads leave a GPU idle, so the length is cut into segments: summaries of all segments at once, a short
 * pass over segments, then the segments themselves. Decays between steps are exponentials of sums, never quotients or
 * differences of sums. Everything is linear in what a block adds to the gradients of b, c, delta and a: its parts
 * are written down and added in a fixed order by `ssd_add`, without atomics, equal bits in every run.
 */
#include "backward.cuh"
#include "forward.cuh"

constexpr int ADDERS = 8; /* warps that share the sum of parts; cuda.py has the same figure */

/* From the segments' summaries to the states that they begin with: begins[s + 1] = exp(a lengths[s]) begins[s] + ends[s],
 * or from the last segment backwards for adjoints. One thread for each (B, H, N, P); `given` is (B, H, P, N), lengths, the
 * summed step sizes, (B, segments, H). */
extern "C" __global__ void ssd_join(Sizes sizes, const float *a, const float *ends, const float *lengths,
                                    const float *given, float *begins, int backwards) {
  const long long at = blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x;
  const long long size = static_cast<long long>(sizes.states) * sizes.width, one = at % size, matrix = at / size;
  if (matrix >= static_cast<long long>(sizes.batch) * sizes.heads) return;
  const int head = static_cast<int>(matrix % sizes.heads);
  const long long sequence = matrix / sizes.heads;
  const float rate = a[head] * LOG2_E;
  float state = given[matrix * size + one % sizes.width * sizes.states + one / sizes.width];
  for (int step = 0; step < sizes.segments; ++step) {
    const long long place = sequence * sizes.segments + (backwards ? sizes.segments - 1 - step : step);
    const long long here = (place * sizes.heads + head) * size + one;
    begins[here] = state;
    state = power_of_two(rate * lengths[place * sizes.heads + head]) * state + ends[here];
  }
}
KERNEL(ssd_join)

#define OF_TILES(T, name, TILES)                                                                                        \
  IF_SUMMARY(extern "C" __global__ void __launch_bounds__(THREADS, 2) ssd_summary_##name##_##TILES(                     \
      Sizes sizes, const T *x, const float *delta, const float *a, const T *b, float *ends) {                           \
    summarise<T, TILES, false>(sizes, x, delta, a, b, ends);                                                            \
  }                                                                                                                     \
  KERNEL(ssd_summary_##name##_##TILES))                                                                                 \
  IF_FORWARD(extern "C" __global__ void __launch_bounds__(THREADS, 2)                                                   \
      ssd_forward_##name##_##TILES(Sizes sizes, const T *x, const float *delta, const float *a, const T *b, const T *c, \
                                   const float *begins, T *y, float *checkpoints, float *final_state) {                 \
    run_forward<T, TILES>(sizes, x, delta, a, b, c, begins, y, checkpoints, final_state);                               \
  }                                                                                                                     \
  KERNEL(ssd_forward_##name##_##TILES))                                                                                 \
  IF_SUMMARY(extern "C" __global__ void __launch_bounds__(THREADS, 2) ssd_backward_summary_##name##_##TILES(            \
      Sizes sizes, const T *grad_y, const float *delta, const float *a, const T *c, float *ends) {                      \
    summarise<T, TILES, true>(sizes, grad_y, delta, a, c, ends);                                                        \
  }                                                                                                                     \
  KERNEL(ssd_backward_summary_##name##_##TILES))                                                                        \
  IF_BACKWARD(extern "C" __global__ void __launch_bounds__(THREADS, 2) ssd_backward_##name##_##TILES(                   \
      Sizes sizes, const T *grad_y, const T *x, const float *delta, const float *a, const T *b, const T *c,             \
      const float *checkpoints, const float *adjoints, T *grad_x, float *delta_parts, float *a_parts, float *b_parts,   \
      float *c_parts, float *grad_initial) {                                                                            \
    run_backward<T, TILES>(sizes, grad_y, x, delta, a, b, c, checkpoints, adjoints, grad_x, delta_parts, a_parts,       \
                           b_parts, c_parts, grad_initial);                                                             \
  }                                                                                                                     \
  KERNEL(ssd_backward_##name##_##TILES))

/* Up to 32, 64 and 128 states. */
#define OF_STATES(TILES)                                                                                                \
  IF_FLOAT32(OF_TILES(float, float32, TILES))                                                                           \
  IF_BFLOAT16(OF_TILES(bf16, bfloat16, TILES))                                                                          \
  IF_FLOAT16(OF_TILES(fp16, float16, TILES))

#if !defined(ONLY) || defined(ONLY_1)
OF_STATES(1)
#endif
#if !defined(ONLY) || defined(ONLY_2)
OF_STATES(2)
#endif
#if !defined(ONLY) || defined(ONLY_4)
OF_STATES(4)
#endif

#define ADD_OF_TYPE(T, name)                                                                                            \
  extern "C" __global__ void __launch_bounds__(ADDERS *WARP)                                                            \
      ssd_add_##name(const float *parts, T *sums, int count, long long size) {                                          \
    add_parts<T, ADDERS>(parts, sums, count, size);                                                                     \
  }                                                                                                                     \
  KERNEL(ssd_add_##name)

ADD_OF_TYPE(float, float32)
ADD_OF_TYPE(bf16, bfloat16)
ADD_OF_TYPE(fp16, float16)
