/* A chunk of the state-space dual as a block sees it: where a thread sits, rows in shared memory, decays, and products on
 * tensor cores. How they make a pass is in forward.cuh and backward.cuh. */
#pragma once

#include "device.cuh"

constexpr int CHUNK = 32; /* steps between checkpoints; __init__.py has the same figure */
constexpr int TILE = 32;  /* states at a time */
constexpr int WARPS = 4;
constexpr int WIDTH = 16 * WARPS; /* of a head, that a block has; cuda.py has the same figure */
constexpr int THREADS = WARPS * WARP;
constexpr int COLUMNS = TILE / 8, STEPS = CHUNK / 8; /* products' pieces of 8 */

/* Rows in shared memory, so long that a product's threads find their operands in different banks. */
using WideRows = float[CHUNK][WIDTH + 8];
using StateRows = float[CHUNK][TILE + 8];
using Pairs = float[CHUNK][CHUNK + 4]; /* by the later step, then the earlier one */

struct Sizes {
  int batch, length, heads, width, groups, states, segments, segment_length; /* the last in steps, a multiple of CHUNK */
};

/* Where the calling thread works. */
struct Seat {
  int lane, warp, row, pair; /* the last two: a thread's place in a product's pieces */
  int head, tile, tiles, first, group, segment, begin, end;
  long long sequence;

  __device__ __forceinline__ explicit Seat(const Sizes &sizes) {
    lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, row = lane / 4, pair = 2 * (lane % 4);
    tiles = (sizes.width + WIDTH - 1) / WIDTH;
    head = blockIdx.x / tiles, tile = blockIdx.x % tiles, first = tile * WIDTH;
    group = head / (sizes.heads / sizes.groups);
    segment = blockIdx.y, sequence = blockIdx.z;
    begin = segment * sizes.segment_length;
    end = begin + sizes.segment_length < sizes.length ? begin + sizes.segment_length : sizes.length;
  }
  __device__ __forceinline__ int last_chunk() const { return begin + (end - begin - 1) / CHUNK * CHUNK; }
  /* The place of step t of this head in (B, L, H). */
  __device__ __forceinline__ long long step_of(const Sizes &sizes, int t) const {
    return (sequence * sizes.length + t) * sizes.heads + head;
  }
  /* The place of step t of this group in (B, L, G). */
  __device__ __forceinline__ long long drive_of(const Sizes &sizes, int t) const {
    return (sequence * sizes.length + t) * sizes.groups + group;
  }
  /* The place of this head's matrix in (B, pieces, H, N, P). */
  __device__ __forceinline__ long long matrix_of(const Sizes &sizes, long long pieces, int piece) const {
    return ((sequence * pieces + piece) * sizes.heads + head) * sizes.states * sizes.width;
  }
};

/* Operands of a product out of shared memory: k along the rows, or down the columns. */
template <int ROW>
__device__ __forceinline__ void left_along(float (&left)[4], const float (*rows)[ROW], const Seat &seat, int row, int k) {
#pragma unroll
  for (int at = 0; at < 4; ++at) left[at] = rows[row + seat.row + at % 2 * 8][k + seat.pair + at / 2];
}
template <int ROW>
__device__ __forceinline__ void left_down(float (&left)[4], const float (*rows)[ROW], const Seat &seat, int k, int column) {
#pragma unroll
  for (int at = 0; at < 4; ++at) left[at] = rows[k + seat.pair + at / 2][column + seat.row + at % 2 * 8];
}
template <int ROW>
__device__ __forceinline__ void right_along(float (&right)[2], const float (*rows)[ROW], const Seat &seat, int row, int k) {
#pragma unroll
  for (int at = 0; at < 2; ++at) right[at] = rows[row + seat.row][k + seat.pair + at];
}
template <int ROW>
__device__ __forceinline__ void right_down(float (&right)[2], const float (*rows)[ROW], const Seat &seat, int k, int column) {
#pragma unroll
  for (int at = 0; at < 2; ++at) right[at] = rows[k + seat.pair + at][column + seat.row];
}
/* A sum as the left operand of the next product. */
__device__ __forceinline__ void left_of(float (&left)[4], const float (&sum)[4]) {
  left[0] = sum[0], left[1] = sum[2], left[2] = sum[1], left[3] = sum[3];
}
template <int PIECES> __device__ __forceinline__ void clear(float (&sums)[PIECES][4]) {
#pragma unroll
  for (int piece = 0; piece < PIECES; ++piece)
#pragma unroll
    for (int at = 0; at < 4; ++at) sums[piece][at] = 0.0f;
}

/* Calls use(sum, offset) for what the thread holds of the matrix: state n and row p of the width are at n by_state + p by_row.
 * Where there is no such place the sum is let alone. */
template <int TILES, typename Use>
__device__ __forceinline__ void each_state(float (&sums)[TILES][COLUMNS][4], const Sizes &sizes, const Seat &seat, int by_state,
                                           int by_row, Use use) {
  const int states = forgotten(sizes.states), state_stride = forgotten(by_state);
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile)
#pragma unroll
    for (int piece = 0; piece < COLUMNS; ++piece)
#pragma unroll
      for (int at = 0; at < 4; ++at) {
        const int p = seat.first + 16 * seat.warp + seat.row + at / 2 * 8, n = TILE * tile + 8 * piece + seat.pair + at % 2;
        if (p < sizes.width && n < states) use(sums[tile][piece][at], n * state_stride + p * by_row);
      }
}

/* A chunk's step sizes; 0 beyond the segment, which changes nothing. */
__device__ __forceinline__ void fetch_steps(float (&steps)[CHUNK], const float *delta, const Sizes &sizes, const Seat &seat,
                                            int begin) {
  if (threadIdx.x < CHUNK)
    steps[threadIdx.x] = begin + static_cast<int>(threadIdx.x) < seat.end ? delta[seat.step_of(sizes, begin + threadIdx.x)]
                                                                        : 0.0f;
}

/* CHUNK steps of (B, L, H, P) for the block's rows of the width, each step by its scale; zeros where there is nothing. */
template <bool SCALED, typename T>
__device__ __forceinline__ void fetch_width(WideRows &rows, const T *from, const float (&scales)[CHUNK], const Sizes &sizes,
                                            const Seat &seat, int begin) {
#pragma unroll 4
  for (int at = threadIdx.x; at < CHUNK * WIDTH; at += THREADS) {
    const int step = at / WIDTH, p = seat.first + at % WIDTH;
    const bool there = begin + step < seat.end && p < sizes.width;
    const float value = there ? load(from + seat.step_of(sizes, begin + step) * sizes.width + p) : 0.0f;
    rows[step][at % WIDTH] = SCALED ? value * scales[step] : value;
  }
}

/* CHUNK steps of (B, L, G, N) for a tile of the states; zeros where there is nothing. */
template <typename T>
__device__ __forceinline__ void fetch_states(StateRows &rows, const T *from, const Sizes &sizes, const Seat &seat, int begin,
                                             int tile) {
#pragma unroll 4
  for (int at = threadIdx.x; at < CHUNK * TILE; at += THREADS) {
    const int step = at / TILE, n = tile * TILE + at % TILE;
    const bool there = begin + step < seat.end && n < sizes.states;
    rows[step][at % TILE] = there ? load(from + seat.drive_of(sizes, begin + step) * sizes.states + n) : 0.0f;
  }
}

/* The decays from the chunk's start to after each step, and from after each step to the chunk's end. */
__device__ __forceinline__ void fill_ends(float (&into)[CHUNK], float (&out)[CHUNK], const float (&steps)[CHUNK], float rate,
                                          const Seat &seat) {
  if (seat.warp >= 2) return;
  float sum = 0.0f;
#pragma unroll
  for (int step = 0; step < CHUNK; ++step)
    if (seat.warp == 0 ? step <= seat.lane : step > seat.lane) sum += steps[step] * rate;
  (seat.warp == 0 ? into : out)[seat.lane] = power_of_two(sum);
}

/* The decays from after each step, the lane's, to after each that is not earlier; each warp has some of the latter. */
__device__ __forceinline__ void fill_pairs(Pairs &pairs, const float (&steps)[CHUNK], float rate, const Seat &seat) {
  float sum = 0.0f;
#pragma unroll
  for (int later = 0; later < CHUNK; ++later) {
    if (later > seat.lane) sum += steps[later] * rate;
    if (later / (CHUNK / WARPS) == seat.warp) pairs[later][seat.lane] = later < seat.lane ? 0.0f : power_of_two(sum);
  }
}

/* The matrix over a chunk: state = decay state + rows^T others, each step by its weight. */
template <bool SPLIT>
__device__ __forceinline__ void advance(float (&state)[COLUMNS][4], float decay, const WideRows &rows,
                                        const float (&weights)[CHUNK], const StateRows &others, const Seat &seat) {
#pragma unroll
  for (int piece = 0; piece < COLUMNS; ++piece)
#pragma unroll
    for (int at = 0; at < 4; ++at) state[piece][at] *= decay;
#pragma unroll(SPLIT ? 1 : 2)
  for (int k = 0; k < STEPS; ++k) {
    float left[4];
    left_down(left, rows, seat, 8 * k, 16 * seat.warp);
#pragma unroll
    for (int at = 0; at < 4; ++at) left[at] *= weights[8 * k + seat.pair + at / 2];
#pragma unroll
    for (int piece = 0; piece < COLUMNS; ++piece) {
      float right[2];
      right_down(right, others, seat, 8 * k, 8 * piece);
      multiply_add<SPLIT>(state[piece], left, right);
    }
  }
}

/* The warp's two pieces of a matrix of pairs: the row they begin with, and the column of the first. */
__device__ __forceinline__ int pairs_row(const Seat &seat) { return seat.warp / 2 * 16; }
__device__ __forceinline__ int pairs_column(const Seat &seat) { return seat.warp % 2 * 16; }

/* sums += left right^T for the warp's two pieces of it, over the rows' COUNT first columns. */
template <bool SPLIT, int COUNT, int ROW>
__device__ __forceinline__ void pair_products(float (&sums)[2][4], const float (&lefts)[CHUNK][ROW],
                                              const float (&rights)[CHUNK][ROW], const Seat &seat) {
#pragma unroll(SPLIT ? 1 : 2)
  for (int k = 0; k < COUNT; k += 8) {
    float left[4];
    left_along(left, lefts, seat, pairs_row(seat), k);
#pragma unroll
    for (int piece = 0; piece < 2; ++piece) {
      float right[2];
      right_along(right, rights, seat, pairs_column(seat) + 8 * piece, k);
      multiply_add<SPLIT>(sums[piece], left, right);
    }
  }
}

/* sums (P, steps) += lefts^T rights over a chunk's steps, for the warp's rows of the width; `right_at` gives the right operand
 * for the result's 8 steps from `step` and the sum's from `k` on. */
template <bool SPLIT, typename Right>
__device__ __forceinline__ void add_over_steps(float (&sums)[STEPS][4], const WideRows &lefts, const Seat &seat,
                                               Right right_at) {
#pragma unroll(SPLIT ? 1 : 2)
  for (int k = 0; k < STEPS; ++k) {
    float left[4];
    left_down(left, lefts, seat, 8 * k, 16 * seat.warp);
#pragma unroll
    for (int piece = 0; piece < STEPS; ++piece) {
      float right[2];
      right_at(right, 8 * piece, 8 * k);
      multiply_add<SPLIT>(sums[piece], left, right);
    }
  }
}

/* rows = sums (P, steps), turned: the warp's rows of the width. */
__device__ __forceinline__ void put_width(WideRows &rows, const float (&sums)[STEPS][4], const Seat &seat) {
#pragma unroll
  for (int piece = 0; piece < STEPS; ++piece)
#pragma unroll
    for (int at = 0; at < 4; ++at)
      rows[8 * piece + seat.pair + at % 2][16 * seat.warp + seat.row + at / 2 * 8] = sums[piece][at];
}
