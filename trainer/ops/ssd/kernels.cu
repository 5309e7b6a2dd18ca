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
#include "device.cuh"

constexpr int CHUNK = 32; /* steps between checkpoints; __init__.py has the same figure */
constexpr int TILE = 32;  /* states at a time */
constexpr int WARPS = 4;
constexpr int WIDTH = 16 * WARPS; /* of a head, that a block has; cuda.py has the same figure */
constexpr int THREADS = WARPS * WARP;
constexpr int COLUMNS = TILE / 8, STEPS = CHUNK / 8; /* products' pieces of 8 */
constexpr int ADDERS = 8; /* warps that share the sum of parts; cuda.py has the same figure */

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

/* What a segment adds to the matrix if there was none before it: the state over x and b, or the adjoint, backwards in time, over
 * the gradient of y and c. ends: (B, segments, H, N, P). */
template <typename T, int TILES, bool BACKWARDS>
__device__ void summarise(const Sizes &sizes, const T *wide, const float *delta, const float *a, const T *drive,
                          float *ends) {
  constexpr bool SPLIT = sizeof(T) == sizeof(float);
  __shared__ WideRows rows;
  __shared__ StateRows drive_rows;
  __shared__ float steps[CHUNK], into[CHUNK], out[CHUNK];
  const Seat seat(sizes);
  const float rate = a[seat.head] * LOG2_E;
  float state[TILES][COLUMNS][4];
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) clear(state[tile]);
  const int chunks = (seat.end - seat.begin + CHUNK - 1) / CHUNK;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const int begin = BACKWARDS ? seat.last_chunk() - chunk * CHUNK : seat.begin + chunk * CHUNK;
    fetch_steps(steps, delta, sizes, seat, begin);
    __syncthreads();
    fill_ends(into, out, steps, rate, seat);
    fetch_width<!BACKWARDS>(rows, wide, steps, sizes, seat, begin);
    fetch_states(drive_rows, drive, sizes, seat, begin, 0);
    __syncthreads();
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
      if (tile > 0) {
        fetch_states(drive_rows, drive, sizes, seat, begin, tile);
        __syncthreads();
      }
      advance<SPLIT>(state[tile], into[CHUNK - 1], rows, BACKWARDS ? into : out, drive_rows, seat);
      __syncthreads();
    }
  }
  float *place = ends + seat.matrix_of(sizes, sizes.segments, seat.segment);
  each_state<TILES>(state, sizes, seat, sizes.width, 1, [&](float &value, int at) { place[at] = value; });
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

template <typename T, int TILES>
__device__ void run_forward(const Sizes &sizes, const T *x, const float *delta, const float *a, const T *b, const T *c,
                            const float *begins, T *y, float *checkpoints, float *final_state) {
  constexpr bool SPLIT = sizeof(T) == sizeof(float);
  __shared__ WideRows rows; /* delta x, and then y */
  __shared__ StateRows b_rows, c_rows;
  __shared__ Pairs pairs; /* decays, and then what each step reads of each earlier one */
  __shared__ float steps[CHUNK], into[CHUNK], out[CHUNK];
  const Seat seat(sizes);
  const float rate = a[seat.head] * LOG2_E;
  const int chunks = (sizes.length + CHUNK - 1) / CHUNK;
  float state[TILES][COLUMNS][4]; /* (P, N) */
#pragma unroll
  for (int tile = 0; tile < TILES; ++tile) clear(state[tile]);
  const float *given = begins + seat.matrix_of(sizes, sizes.segments, seat.segment);
  each_state<TILES>(state, sizes, seat, sizes.width, 1, [&](float &value, int at) { value = given[at]; });
  for (int begin = seat.begin; begin < seat.end; begin += CHUNK) {
    fetch_steps(steps, delta, sizes, seat, begin);
    float *checkpoint = checkpoints + seat.matrix_of(sizes, chunks, begin / CHUNK);
    each_state<TILES>(state, sizes, seat, sizes.width, 1, [&](float &value, int at) { checkpoint[at] = value; });
    __syncthreads();
    fill_ends(into, out, steps, rate, seat);
    fill_pairs(pairs, steps, rate, seat);
    fetch_width<true>(rows, x, steps, sizes, seat, begin);
    fetch_states(b_rows, b, sizes, seat, begin, 0);
    fetch_states(c_rows, c, sizes, seat, begin, 0);
    __syncthreads();
    float scores[2][4], read[STEPS][4]; /* the last: (P, steps) */
    clear(scores);
    clear(read);
#pragma unroll
    for (int tile = 0; tile < TILES; ++tile) {
      if (tile > 0) {
        fetch_states(b_rows, b, sizes, seat, begin, tile);
        fetch_states(c_rows, c, sizes, seat, begin, tile);
        __syncthreads();
      }
      pair_products<SPLIT, TILE>(scores, c_rows, b_rows, seat);
#pragma unroll
      for (int k = 0; k < COLUMNS; ++k) {
        float held[4];
        left_of(held, state[tile][k]);
#pragma unroll
        for (int piece = 0; piece < STEPS; ++piece) {
          float right[2];
          right_along(right, c_rows, seat, 8 * piece, 8 * k);
          multiply_add<SPLIT>(read[piece], held, right);
        }
      }
      advance<SPLIT>(state[tile], into[CHUNK - 1], rows, out, b_rows, seat);
      __syncthreads();
    }
#pragma unroll
    for (int piece = 0; piece < 2; ++piece)
#pragma unroll
      for (int at = 0; at < 4; ++at) {
        const int later = pairs_row(seat) + seat.row + at / 2 * 8;
        const int earlier = pairs_column(seat) + 8 * piece + seat.pair + at % 2;
        pairs[later][earlier] = earlier > later ? 0.0f : pairs[later][earlier] * scores[piece][at];
      }
#pragma unroll
    for (int piece = 0; piece < STEPS; ++piece)
#pragma unroll
      for (int at = 0; at < 4; ++at) read[piece][at] *= into[8 * piece + seat.pair + at % 2];
    __syncthreads();
    add_over_steps<SPLIT>(read, rows, seat, [&](float(&right)[2], int step, int k) { right_along(right, pairs, seat, step, k); });
    __syncthreads();
    put_width(rows, read, seat);
    __syncthreads();
#pragma unroll 4
    for (int at = threadIdx.x; at < CHUNK * WIDTH; at += THREADS) {
      const int step = at / WIDTH, p = seat.first + at % WIDTH;
      if (begin + step < seat.end && p < sizes.width)
        store(y + seat.step_of(sizes, begin + step) * sizes.width + p, rows[step][at % WIDTH]);
    }
  }
  if (seat.end == sizes.length) {
    float *place = final_state + (seat.sequence * sizes.heads + seat.head) * sizes.states * sizes.width;
    each_state<TILES>(state, sizes, seat, 1, sizes.states, [&](float &value, int at) { place[at] = value; });
  }
}

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
