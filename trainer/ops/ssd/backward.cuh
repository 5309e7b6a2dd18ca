/* The state-space dual backward: from a segment's last chunk to its first, all gradients of a chunk at once. */
#pragma once

#include "chunk.cuh"

/* sums = scales (lefts rights^T's transpose) for both halves of the steps and the warp's 8 states: over the width, in which
 * `right` gives the product's right operand. */
template <bool SPLIT, typename Right>
__device__ __forceinline__ void across(float (&sums)[2][4], const WideRows &lefts, const float (&scales)[CHUNK],
                                       const Seat &seat, Right right_at) {
  clear(sums);
#pragma unroll(SPLIT ? 1 : 2)
  for (int k = 0; k < WIDTH; k += 8) {
    float right[2];
    right_at(right, k);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float left[4];
      left_along(left, lefts, seat, 16 * half, k);
      multiply_add<SPLIT>(sums[half], left, right);
    }
  }
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int at = 0; at < 4; ++at) sums[half][at] *= scales[16 * half + seat.row + at / 2 * 8];
}

/* totals[2 half + i] += the thread's terms of <sums, rows> for row 16 half + 8 i + seat.row. */
__device__ __forceinline__ void dot_rows(float (&totals)[4], const float (&sums)[2][4], const StateRows &rows,
                                         const Seat &seat) {
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int at = 0; at < 4; ++at)
      totals[2 * half + at / 2] +=
          sums[half][at] * rows[16 * half + seat.row + at / 2 * 8][8 * seat.warp + seat.pair + at % 2];
}

/* The four threads of a row together; the row's sum over the warp's states goes to its place. */
__device__ __forceinline__ void gather_rows(float (&places)[CHUNK], const float (&totals)[4], const Seat &seat) {
#pragma unroll
  for (int at = 0; at < 4; ++at) {
    float sum = totals[at];
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    sum += __shfl_xor_sync(0xffffffffu, sum, 2);
    if (seat.pair == 0) places[8 * at + seat.row] = sum;
  }
}

/* The warp's 8 states of both halves of the steps, to (B, L, G, N). */
__device__ __forceinline__ void keep(float *to, const float (&sums)[2][4], const Sizes &sizes, const Seat &seat, int begin,
                                     int tile) {
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int at = 0; at < 4; ++at) {
      const int t = begin + 16 * half + seat.row + at / 2 * 8;
      const int n = TILE * tile + 8 * seat.warp + seat.pair + at % 2;
      if (t < seat.end && n < sizes.states) to[seat.drive_of(sizes, t) * sizes.states + n] = sums[half][at];
    }
}

/* The gradients of x and the initial state, and this block's parts of those of delta (tiles, B, L, H), b and c
 * (heads of a group and tiles, B, L, G, N) and a (B, segments and tiles, H). S is the state, G its adjoint. */
template <typename T, int TILES>
__device__ void run_backward(const Sizes &sizes, const T *grad_y, const T *x, const float *delta, const float *a, const T *b,
                             const T *c, const float *checkpoints, const float *adjoints, T *grad_x, float *delta_parts,
                             float *a_parts, float *b_parts, float *c_parts, float *grad_initial) {
  constexpr bool SPLIT = sizeof(T) == sizeof(float);
  constexpr int EACH = CHUNK / WARPS; /* a warp's rows, or columns, at the end of a chunk */
  __shared__ WideRows driven_rows, above_rows; /* delta x; the gradient of y, and then that of delta x */
  __shared__ StateRows b_rows, c_rows;
  __shared__ float adjoint_rows[WIDTH][TILE + 4];
  __shared__ Pairs scores, products; /* decays, then what steps read of earlier ones, then the decays' gradients; and
                                        the gradients of c b^T */
  __shared__ float steps[CHUNK], into[CHUNK], out[CHUNK];
  __shared__ float entering[WARPS][CHUNK], leaving[WARPS][CHUNK], paired[CHUNK], dots[CHUNK], whole[WARPS];
  const Seat seat(sizes);
  const float rate = a[seat.head], exponent_rate = rate * LOG2_E;
  const int all_chunks = (sizes.length + CHUNK - 1) / CHUNK, shared = sizes.heads / sizes.groups;
  const long long part = (seat.head % shared) * seat.tiles + seat.tile;
  const long long part_size = static_cast<long long>(sizes.batch) * sizes.length * sizes.groups * sizes.states;
  float adjoint[TILES][COLUMNS][4], grad_rate = 0.0f; /* (P, N) */
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) clear(adjoint[tile]);
  const float *given = adjoints + seat.matrix_of(sizes, sizes.segments, seat.segment);
  each_state<TILES>(adjoint, sizes, seat, sizes.width, 1, [&](float &value, int at) { value = given[at]; });
  for (int begin = seat.last_chunk(); begin >= seat.begin; begin -= CHUNK) {
    const float *checkpoint = checkpoints + seat.matrix_of(sizes, all_chunks, begin / CHUNK);
    fetch_steps(steps, delta, sizes, seat, begin);
    __syncthreads();
    fill_ends(into, out, steps, exponent_rate, seat);
    fill_pairs(scores, steps, exponent_rate, seat);
    fetch_width<true>(driven_rows, x, steps, sizes, seat, begin);
    fetch_width<false>(above_rows, grad_y, steps, sizes, seat, begin);
    float scored[2][4], grad_scored[2][4];
    clear(scored);
    clear(grad_scored);
#pragma unroll 1
    for (int tile = 0; tile < TILES; ++tile) {
      fetch_states(b_rows, b, sizes, seat, begin, tile);
      fetch_states(c_rows, c, sizes, seat, begin, tile);
      __syncthreads();
      pair_products<SPLIT, TILE>(scored, c_rows, b_rows, seat);
      if (tile + 1 < TILES) __syncthreads();
    }
    pair_products<SPLIT, WIDTH>(grad_scored, above_rows, driven_rows, seat);
#pragma unroll
    for (int piece = 0; piece < 2; ++piece)
#pragma unroll
      for (int at = 0; at < 4; ++at) {
        const int later = pairs_row(seat) + seat.row + at / 2 * 8;
        const int earlier = pairs_column(seat) + 8 * piece + seat.pair + at % 2;
        const float decay = scores[later][earlier], score = earlier > later ? 0.0f : scored[piece][at] * decay;
        scores[later][earlier] = score;
        products[later][earlier] = earlier > later ? 0.0f : grad_scored[piece][at] * decay;
        scored[piece][at] = earlier < later ? grad_scored[piece][at] * score : 0.0f; /* of the exponents between */
      }
    float grad_driven[STEPS][4], enters[4] = {}, leaves[4] = {}, met = 0.0f; /* the first: (P, steps) */
    clear(grad_driven);
#pragma unroll
    for (int step = 0; step < TILES; ++step) {
      const int tile = TILES - 1 - step; /* the last one's rows are there */
      if (step > 0) {
        fetch_states(b_rows, b, sizes, seat, begin, tile);
        fetch_states(c_rows, c, sizes, seat, begin, tile);
      }
#pragma unroll
      for (int piece = 0; piece < COLUMNS; ++piece)
#pragma unroll
        for (int at = 0; at < 4; ++at)
          adjoint_rows[16 * seat.warp + seat.row + at / 2 * 8][8 * piece + seat.pair + at % 2] = adjoint[tile][piece][at];
      __syncthreads();
#pragma unroll(SPLIT ? 1 : 2)
      for (int k = 0; k < COLUMNS; ++k) {
        float left[4];
        left_along(left, adjoint_rows, seat, 16 * seat.warp, 8 * k);
#pragma unroll
        for (int piece = 0; piece < STEPS; ++piece) {
          float right[2];
          right_along(right, b_rows, seat, 8 * piece, 8 * k);
          multiply_add<SPLIT>(grad_driven[piece], left, right);
        }
      }
      float sums[2][4];
      const int width = forgotten(sizes.width);
      across<SPLIT>(sums, above_rows, into, seat, [&](float(&right)[2], int k) {
#pragma unroll
        for (int at = 0; at < 2; ++at) {
          const int row = k + seat.pair + at, column = 8 * seat.warp + seat.row;
          const bool there = seat.first + row < width && TILE * tile + column < sizes.states;
          right[at] = there ? checkpoint[(TILE * tile + column) * width + seat.first + row] : 0.0f;
          met += right[at] * adjoint_rows[row][column];
        }
      });
      dot_rows(enters, sums, c_rows, seat);
#pragma unroll(SPLIT ? 1 : 2)
      for (int k = 0; k < STEPS; ++k) {
        float left[4], right[2];
        right_down(right, b_rows, seat, 8 * k, 8 * seat.warp);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          left_along(left, products, seat, 16 * half, 8 * k);
          multiply_add<SPLIT>(sums[half], left, right);
        }
      }
      keep(c_parts + part * part_size, sums, sizes, seat, begin, tile);
      across<SPLIT>(sums, driven_rows, out, seat, [&](float(&right)[2], int k) {
        right_down(right, adjoint_rows, seat, k, 8 * seat.warp);
      });
      dot_rows(leaves, sums, b_rows, seat);
#pragma unroll(SPLIT ? 1 : 2)
      for (int k = 0; k < STEPS; ++k) {
        float left[4], right[2];
        right_down(right, c_rows, seat, 8 * k, 8 * seat.warp);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          left_down(left, products, seat, 8 * k, 16 * half);
          multiply_add<SPLIT>(sums[half], left, right);
        }
      }
      keep(b_parts + part * part_size, sums, sizes, seat, begin, tile);
      advance<SPLIT>(adjoint[tile], into[CHUNK - 1], above_rows, into, c_rows, seat);
      __syncthreads();
    }
    gather_rows(entering[seat.warp], enters, seat);
    gather_rows(leaving[seat.warp], leaves, seat);
    const float mine[1] = {met};
    const float met_by_warp = sum_over_warp(mine);
    if (seat.lane == 0) whole[seat.warp] = met_by_warp;
#pragma unroll
    for (int piece = 0; piece < STEPS; ++piece)
#pragma unroll
      for (int at = 0; at < 4; ++at) grad_driven[piece][at] *= out[8 * piece + seat.pair + at % 2];
    add_over_steps<SPLIT>(grad_driven, above_rows, seat,
                          [&](float(&right)[2], int step, int k) { right_down(right, scores, seat, k, step); });
    __syncthreads();
    put_width(above_rows, grad_driven, seat);
#pragma unroll
    for (int piece = 0; piece < 2; ++piece)
#pragma unroll
      for (int at = 0; at < 4; ++at)
        scores[pairs_row(seat) + seat.row + at / 2 * 8][pairs_column(seat) + 8 * piece + seat.pair + at % 2] =
            scored[piece][at];
    __syncthreads();

    /* What is left is sums: over the width for delta, and over pairs of steps for the exponents between them. */
    float sums[EACH];
#pragma unroll
    for (int at = 0; at < EACH; ++at) {
      const int step = seat.warp + WARPS * at;
      sums[at] = 0.0f;
#pragma unroll
      for (int column = 0; column < WIDTH; column += WARP) {
        const int p = seat.first + column + seat.lane;
        if (begin + step < seat.end && p < sizes.width) {
          const long long place = seat.step_of(sizes, begin + step) * sizes.width + p;
          const float gradient = above_rows[step][column + seat.lane];
          store(grad_x + place, gradient * steps[step]);
          sums[at] += gradient * load(x + place);
        }
      }
    }
    const float dot = sum_over_warp(sums);
    if (seat.lane < EACH) dots[seat.warp + WARPS * seat.lane] = dot;
    float running = 0.0f; /* over earlier steps, for the lane's later one */
#pragma unroll
    for (int earlier = 0; earlier < CHUNK; ++earlier) {
      running += scores[seat.lane][earlier];
      if (earlier / EACH == seat.warp) sums[earlier % EACH] = earlier < seat.lane ? running : 0.0f;
    }
    const float pair = sum_over_warp(sums);
    if (seat.lane < EACH) paired[EACH * seat.warp + seat.lane] = pair;
    if (seat.warp < 2) {
      float(&rows)[WARPS][CHUNK] = seat.warp == 0 ? entering : leaving;
#pragma unroll
      for (int warp = 1; warp < WARPS; ++warp) rows[0][seat.lane] += rows[warp][seat.lane];
    }
    __syncthreads();
    if (seat.warp == 0) {
      float exponent = seat.lane > 0 ? paired[seat.lane - 1] : 0.0f, between = 0.0f;
#pragma unroll
      for (int step = 0; step < CHUNK; ++step) between += step < seat.lane ? leaving[0][step] : entering[0][step];
      exponent += between + into[CHUNK - 1] * (whole[0] + whole[1] + whole[2] + whole[3]);
      grad_rate += exponent * steps[seat.lane];
      if (begin + seat.lane < seat.end)
        delta_parts[seat.tile * (static_cast<long long>(sizes.batch) * sizes.length * sizes.heads) +
                    seat.step_of(sizes, begin + seat.lane)] = dots[seat.lane] + exponent * rate;
    }
  }
  if (seat.segment == 0) {
    float *place = grad_initial + (seat.sequence * sizes.heads + seat.head) * sizes.states * sizes.width;
    each_state<TILES>(adjoint, sizes, seat, 1, sizes.states, [&](float &value, int at) { place[at] = value; });
  }
  const float mine[1] = {grad_rate};
  const float summed = sum_over_warp(mine);
  if (threadIdx.x == 0)
    a_parts[((seat.sequence * sizes.segments + seat.segment) * seat.tiles + seat.tile) * sizes.heads + seat.head] = summed;
}
