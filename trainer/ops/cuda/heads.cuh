/* What heads with a matrix state share: their steps as matrices of 16 x 16, and the decays between the steps of a chunk.
 *
 * A chunk has 16 steps. Steps s < t meet in the level of the highest bit in which they differ: there t is in the upper
 * half of a block of steps and s in the lower one, so the decay from s to t goes over the block's middle and is a product
 * of two that depend on one step each. Four levels thus turn all pairs of a chunk into products of matrices, and a fifth,
 * whose middle is the chunk's end or its start, joins the chunk to the state. The factors are powers of e of sums of log
 * decays: none exceeds 1, and no difference is taken that would lose digits.
 */
#pragma once
#include "matrix.cuh"

constexpr int CHUNK = SIDE;   /* steps between checkpoints; __init__.py has the same figure */
constexpr int LEVELS = 4;     /* in a chunk; the next one joins it to what is before and behind it */
constexpr float VANISHING = -256.0f; /* 2 to this is 0 in fp32, so that even an infinite decay stays a number */

/* Pieces of what steps see of one another, and of the like: a few matrices on which much depends. */
template <int PIECES> constexpr int FINE = PIECES > 2 ? PIECES : 2;

struct Sizes {
  int batch, length, heads, values, segments, segment_length; /* keys are a constant of each kernel; the last in steps,
                                                                 a multiple of CHUNK */
};

/* Which pairs meet in the level: the highest bit in which two steps differ. */
__device__ __forceinline__ bool meet(int level, int one, int other) { return (one ^ other) >> level == 1; }

__device__ __forceinline__ bool is_upper(int level, int step) { return step >> level & 1; }

/* Whether the decay of step `passed` lies between the block's middle and `step`: before it, or after it in a lower half. */
__device__ __forceinline__ bool lies_between(int level, int step, int passed) {
  const int bit = 1 << level, high = step & -bit;
  return is_upper(level, step) ? passed < step && passed >= high : passed > step && passed < high + bit;
}

/* The steps up to the chunk's start are those of an upper half of the fifth level, those to its end of a lower one. */
__device__ __forceinline__ bool lies_before(int step, int passed) { return passed < step; }
__device__ __forceinline__ bool lies_behind(int step, int passed) { return passed > step; }
__device__ __forceinline__ bool lies_anywhere(int, int) { return true; }

template <typename Lies> __device__ __forceinline__ Operand<1> ones_where(Lies lies) {
  const int none = forgotten(0); /* made anew where it is needed: kept over the chunks, all of them would cost registers */
  return indicator([&](int row, int column) { return lies(row + none, column); });
}

/* (key, step): the decay over the steps that lie so to a step, from exponents (key, step) to the base 2. */
template <typename Lies> __device__ __forceinline__ Square decays(const Operand<3> &exponents, Lies lies) {
  Square powers = product(exponents, ones_where(lies));
#pragma unroll
  for (int at = 0; at < HELD; ++at) powers.at[at] = power_of_two(powers.at[at]);
  return powers;
}

/* The gradient that `decays` hands to the exponents; `above` is that of its result, times its result. */
template <int PIECES, typename Lies>
__device__ __forceinline__ void add_to_exponents(Square &gradient, const Square &above, Lies lies) {
  add_product(gradient, operand<PIECES>(above), ones_where([&](int passed, int step) { return lies(step, passed); }));
}

/* Where the calling thread works: its warp has the 16 keys `key` and the 16 values `value` of a head with KEYS keys, in the
 * steps of a segment from `begin` to before `end`. With `more`, as many groups of KEYS rows follow those of the values. */
template <int TILES> struct Seat {
  static constexpr int KEYS = TILES * SIDE;
  int warp, head, segment, key, value, begin, end;
  long long sequence;

  __device__ __forceinline__ explicit Seat(const Sizes &sizes, int more = 0) {
    const int groups = sizes.values / KEYS + more;
    warp = threadIdx.x / WARP, head = blockIdx.y, sequence = blockIdx.z;
    segment = blockIdx.x / groups;
    key = warp * SIDE, value = blockIdx.x % groups * KEYS + key;
    begin = segment * sizes.segment_length;
    end = begin + sizes.segment_length < sizes.length ? begin + sizes.segment_length : sizes.length;
  }
  __device__ __forceinline__ int group() const { return value / KEYS; }
  __device__ __forceinline__ int last_chunk() const { return begin + (end - begin - 1) / CHUNK * CHUNK; }
  /* Of (B, L, H, width). */
  __device__ __forceinline__ long long place(const Sizes &sizes, int step, int width) const {
    return ((sequence * sizes.length + step) * sizes.heads + head) * width;
  }
  /* Of (B, H, width). */
  __device__ __forceinline__ long long unit(const Sizes &sizes, int width) const {
    return (sequence * sizes.heads + head) * width;
  }
  /* Of (B, segments, H, width). */
  __device__ __forceinline__ long long piece(const Sizes &sizes, int width) const {
    return ((sequence * sizes.segments + segment) * sizes.heads + head) * width;
  }
  /* Of (B, chunks, H, width), for the chunk that begins at a step. */
  __device__ __forceinline__ long long chunk(const Sizes &sizes, int begin, int width) const {
    const int chunks = (sizes.length + CHUNK - 1) / CHUNK;
    return ((sequence * chunks + begin / CHUNK) * sizes.heads + head) * width;
  }
};

/* Whether a place is kept from chunk to chunk: what is more than one piece of an operand leaves no registers for that. */
template <typename T> inline constexpr bool KEEPS_PLACES = false;
template <> inline constexpr bool KEEPS_PLACES<bf16> = true;

/* Of the calling lane's first number in rows of `stride`. */
template <typename T> __device__ __forceinline__ long long place_of(long long stride) {
  return (KEEPS_PLACES<T> ? row_of(0) : forgotten(row_of(0))) * stride + column_of(0);
}

/* The matrix in rows of `stride` numbers; of these the first `rows` are there, the others are zero. */
template <typename T>
__device__ __forceinline__ Square taken(const T *from, long long stride, int rows = SIDE) {
  Square made;
  const T *const first = from + place_of<T>(stride);
#pragma unroll
  for (int at = 0; at < HELD; at += 2) {
    made.at[at] = made.at[at + 1] = 0.0f;
    if (row_of(at) < rows) load_pair(first + at / 2 % 2 * 8 * stride + at / 4 * 8, made.at[at], made.at[at + 1]);
  }
  return made;
}

template <typename T>
__device__ __forceinline__ void put_rows(T *to, const Square &of, long long stride, int rows = SIDE) {
  T *const first = to + place_of<T>(stride);
#pragma unroll
  for (int at = 0; at < HELD; at += 2)
    if (row_of(at) < rows) store_pair(first + at / 2 % 2 * 8 * stride + at / 4 * 8, of.at[at], of.at[at + 1]);
}

/* (step, column) of (B, L, H, width) from the chunk and column on. */
template <typename T, int TILES>
__device__ __forceinline__ Square steps_of(const T *from, const Sizes &sizes, const Seat<TILES> &seat, int begin,
                                           int column, int width) {
  return taken(from + seat.place(sizes, begin, width) + column, static_cast<long long>(sizes.heads) * width,
               sizes.length - begin);
}

template <typename T, int TILES>
__device__ __forceinline__ void put_steps(T *to, const Square &of, const Sizes &sizes, const Seat<TILES> &seat, int begin,
                                          int column, int width) {
  put_rows(to + seat.place(sizes, begin, width) + column, of, static_cast<long long>(sizes.heads) * width,
           sizes.length - begin);
}

/* The gradient of what runs along keys: itself where one block has all values, else a part for each group, in fp32. */
template <typename T, int TILES>
__device__ __forceinline__ void put_part(void *to, const Square &of, const Sizes &sizes, const Seat<TILES> &seat, int begin) {
  constexpr int KEYS = Seat<TILES>::KEYS;
  if (sizes.values == KEYS) {
    put_steps(static_cast<T *>(to), of, sizes, seat, begin, seat.key, KEYS);
  } else {
    const long long all = static_cast<long long>(sizes.batch) * sizes.length * sizes.heads * KEYS;
    put_steps(static_cast<float *>(to) + seat.group() * all, of, sizes, seat, begin, seat.key, KEYS);
  }
}

/* (key, step) exponents to the base 2 from log decays (step, key). */
__device__ __forceinline__ Operand<3> exponents_of(const Square &log_decay) {
  Square scaled;
#pragma unroll
  for (int at = 0; at < HELD; ++at) {
    const float exponent = log_decay.at[at] * LOG2_E;
    scaled.at[at] = exponent < VANISHING ? VANISHING : exponent; /* a NaN stays one */
  }
  return operand<3>(transposed<3>(scaled));
}

/* The decay of each key over the chunk, by its place in the block; `all` has it in every column for the warp's keys. */
__device__ __forceinline__ void put_whole(float *whole, const Square &all) {
  if (threadIdx.x % 4 == 0) {
#pragma unroll
    for (int at = 0; at < HELD / 2; at += 2) whole[threadIdx.x / WARP * SIDE + row_of(at)] = all.at[at];
  }
}

/* The sum of what the warps left, in their order. */
template <int COUNT> __device__ __forceinline__ Square sum_of(const Slot<3> (&parts)[COUNT]) {
  Square sum = numbers_in(parts[0]);
#pragma unroll
  for (int part = 1; part < COUNT; ++part) sum += numbers_in(parts[part]);
  return sum;
}

/* Of numbers that the lanes of a row hold, each for rows g and g + 8: their sums, in all of these lanes. */
__device__ __forceinline__ void sum_over_row(float (&numbers)[2]) {
#pragma unroll
  for (int row = 0; row < 2; ++row)
#pragma unroll
    for (int distance = 1; distance < 4; distance *= 2)
      numbers[row] += __shfl_xor_sync(0xffffffffu, numbers[row], distance);
}

/* Left where `keeps`, else right. */
template <typename Keeps>
__device__ __forceinline__ Square chosen(Keeps keeps, const Square &left, const Square &right) {
  Square made;
#pragma unroll
  for (int at = 0; at < HELD; ++at) made.at[at] = keeps(row_of(at), column_of(at)) ? left.at[at] : right.at[at];
  return made;
}

template <typename Keeps> __device__ __forceinline__ Square only(Keeps keeps, const Square &of) {
  return chosen(keeps, of, Square{});
}

__device__ __forceinline__ bool is_diagonal(int step, int other) { return step == other; }
__device__ __forceinline__ bool is_earlier(int step, int other) { return step < other; }
__device__ __forceinline__ bool is_later(int step, int other) { return step > other; }
__device__ __forceinline__ bool is_not_earlier(int step, int other) { return step >= other; }
__device__ __forceinline__ bool is_not_later(int step, int other) { return step <= other; }

/* The kernels of an operator by its OF_TILES(T, name, PIECES, TILES): of each type, for heads of up to 16, 32 and 64 keys. */
#if !defined(ONLY) || defined(ONLY_16)
#define IF_16(...) __VA_ARGS__
#else
#define IF_16(...)
#endif
#if !defined(ONLY) || defined(ONLY_32)
#define IF_32(...) __VA_ARGS__
#else
#define IF_32(...)
#endif
#if !defined(ONLY) || defined(ONLY_64)
#define IF_64(...) __VA_ARGS__
#else
#define IF_64(...)
#endif
#define OF_TYPES(TILES, name)                                                                                           \
  IF_FLOAT32(OF_TILES(float, float32_##name, 3, TILES))                                                                 \
  IF_BFLOAT16(OF_TILES(bf16, bfloat16_##name, 1, TILES))                                                                \
  IF_FLOAT16(OF_TILES(fp16, float16_##name, 2, TILES))
#define OF_ALL_HEADS IF_16(OF_TYPES(1, 16)) IF_32(OF_TYPES(2, 32)) IF_64(OF_TYPES(4, 64))
