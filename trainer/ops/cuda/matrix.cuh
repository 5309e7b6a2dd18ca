/* Matrices of 16 x 16 numbers spread over a warp, and their products on tensor cores; no recurrence is here.
 *
 * Lane 4 g + c holds rows g and g + 8, columns 2 c, 2 c + 1 and those 8 further on: so mma.sync takes its left operand and
 * gives its sums (PTX ISA, "Matrix fragments for mma.m16n8k16"), hence a result is an operand without a move. Of a product
 * with a transpose, a b^T, the right operand lies the same way too; it is the only product offered.
 *
 * An operand is a sum of PIECES bfloat16 numbers (Henry, Tang and Heinecke 2019, arXiv 1904.06376): one keeps 8 bits of
 * every number, two keep 16, and three all 24 of fp32. Sums are fp32.
 */
#pragma once
#include "device.cuh"

constexpr int SIDE = 16;
constexpr int HELD = SIDE * SIDE / WARP; /* numbers of a lane */

struct Square {
  float at[HELD];
};

template <int PIECES> struct Operand {
  uint32_t words[PIECES][HELD / 2]; /* two numbers each, that of the lower column in the lower half */
};

/* Row and column of the calling lane's number `at`. */
__device__ __forceinline__ int row_of(int at) { return threadIdx.x % WARP / 4 + at / 2 % 2 * 8; }
__device__ __forceinline__ int column_of(int at) { return threadIdx.x % 4 * 2 + at % 2 + at / 4 * 8; }

/* The matrix of make(row, column). */
template <typename Make> __device__ __forceinline__ Square square_of(Make make) {
  Square made;
#pragma unroll
  for (int at = 0; at < HELD; ++at) made.at[at] = make(row_of(at), column_of(at));
  return made;
}

__device__ __forceinline__ Square operator*(const Square &one, const Square &other) {
  Square product;
#pragma unroll
  for (int at = 0; at < HELD; ++at) product.at[at] = one.at[at] * other.at[at];
  return product;
}

__device__ __forceinline__ void operator+=(Square &sum, const Square &other) {
#pragma unroll
  for (int at = 0; at < HELD; ++at) sum.at[at] += other.at[at];
}

/* Two numbers rounded to bfloat16, the first in the lower half. */
__device__ __forceinline__ uint32_t rounded_pair(float low, float high) {
#ifdef __CUDACC__
  uint32_t word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
#else
  bf16 pair[2];
  store(pair, low), store(pair + 1, high);
  return pair[0].bits | static_cast<uint32_t>(pair[1].bits) << 16;
#endif
}

template <int PIECES> __device__ __forceinline__ Operand<PIECES> operand(const Square &of) {
  Operand<PIECES> made;
#pragma unroll
  for (int word = 0; word < HELD / 2; ++word) {
    float low = of.at[2 * word], high = of.at[2 * word + 1];
#pragma unroll
    for (int piece = 0; piece < PIECES; ++piece) {
      const uint32_t rounded = made.words[piece][word] = rounded_pair(low, high);
      if (piece + 1 < PIECES) low -= of_bits(rounded << 16), high -= of_bits(rounded & 0xffff0000u);
    }
  }
  return made;
}

/* One where `holds(row, column)`, else zero. */
template <typename Holds> __device__ __forceinline__ Operand<1> indicator(Holds holds) {
  Operand<1> made;
#pragma unroll
  for (int word = 0; word < HELD / 2; ++word)
    made.words[0][word] = (holds(row_of(2 * word), column_of(2 * word)) ? 0x3f80u : 0u) |
                          (holds(row_of(2 * word), column_of(2 * word) + 1) ? 0x3f800000u : 0u);
  return made;
}

/* The operand's numbers. */
template <int PIECES> __device__ __forceinline__ Square numbers(const Operand<PIECES> &of) {
  Square made;
#pragma unroll
  for (int at = 0; at < HELD; ++at) {
    made.at[at] = 0.0f;
#pragma unroll
    for (int piece = PIECES - 1; piece >= 0; --piece) {
      const uint32_t word = of.words[piece][at / 2];
      made.at[at] += of_bits(at % 2 ? word & 0xffff0000u : word << 16);
    }
  }
  return made;
}

#ifdef __CUDACC__
__device__ __forceinline__ void multiply(float *sums, const uint32_t (&left)[4], uint32_t right_low, uint32_t right_high) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right_low), "r"(right_high));
}
#endif

/* sum += left right^T. Of the pieces' products those are left out that fp32, or the coarser operand, would not keep. */
template <int PIECES, int OTHERS>
__device__ __forceinline__ void add_product(Square &sum, const Operand<PIECES> &left, const Operand<OTHERS> &right) {
  constexpr int MOST = PIECES > OTHERS ? PIECES : OTHERS;
#ifdef __CUDACC__
#pragma unroll
  for (int one = PIECES - 1; one >= 0; --one)
#pragma unroll
    for (int other = OTHERS - 1; other >= 0; --other)
      if (one + other < MOST) {
        multiply(sum.at, left.words[one], right.words[other][0], right.words[other][2]);
        multiply(sum.at + 4, left.words[one], right.words[other][1], right.words[other][3]);
      }
#else
  struct Given {
    float left[PIECES][HELD], right[OTHERS][HELD];
  } own;
  for (int piece = 0; piece < PIECES; ++piece)
    for (int at = 0; at < HELD; ++at)
      own.left[piece][at] = of_bits(at % 2 ? left.words[piece][at / 2] & 0xffff0000u : left.words[piece][at / 2] << 16);
  for (int piece = 0; piece < OTHERS; ++piece)
    for (int at = 0; at < HELD; ++at)
      own.right[piece][at] =
          of_bits(at % 2 ? right.words[piece][at / 2] & 0xffff0000u : right.words[piece][at / 2] << 16);
  const Given *warp = emulation::gathered(own) + threadIdx.x / WARP * WARP;
  for (int one = PIECES - 1; one >= 0; --one)
    for (int other = OTHERS - 1; other >= 0; --other)
      if (one + other < MOST)
        for (int at = 0; at < HELD; ++at) {
          const int row = row_of(at), column = column_of(at);
          float total = 0.0f;
          for (int place = 0; place < HELD; ++place) /* eight numbers of each of the four lanes that hold a row */
            if (place / 2 % 2 == 0)
              for (int lane = 0; lane < 4; ++lane)
                total += warp[row % 8 * 4 + lane].left[one][place + row / 8 * 2] *
                         warp[column % 8 * 4 + lane].right[other][place + column / 8 * 2];
          sum.at[at] += total;
        }
#endif
}

template <int PIECES, int OTHERS>
__device__ __forceinline__ Square product(const Operand<PIECES> &left, const Operand<OTHERS> &right) {
  Square made = {};
  add_product(made, left, right);
  return made;
}

/* Two neighbours in memory, the first at an even place. */
template <typename T> __device__ __forceinline__ void load_pair(const T *place, float &low, float &high) {
  struct alignas(2 * sizeof(T)) Pair {
    T low, high;
  };
  const Pair pair = *reinterpret_cast<const Pair *>(place);
  low = load(&pair.low), high = load(&pair.high);
}

template <typename T> __device__ __forceinline__ void store_pair(T *place, float low, float high) {
  struct alignas(2 * sizeof(T)) Pair {
    T low, high;
  } pair;
  store(&pair.low, low), store(&pair.high, high);
  *reinterpret_cast<Pair *>(place) = pair;
}

/* The transpose, by a product with the matrix of ones on the diagonal; exact but for what PIECES leave out. */
template <int PIECES> __device__ __forceinline__ Square transposed(const Square &of) {
  const int none = PIECES > 2 ? forgotten(0) : 0; /* so fp32 has the ones made anew: kept, they would cost registers */
  return product(indicator([&](int row, int column) { return row + none == column; }), operand<PIECES>(of));
}

/* A matrix in shared memory, for operands of PIECES. */
template <int PIECES> struct Slot {
  struct alignas(16) Four {
    uint32_t of[4];
  };
  Four lanes[PIECES == 1 ? 1 : 2][WARP];
};

/* Words lie there as a right operand takes them from registers, two and two; moves would cost as much as the products. */
__device__ __forceinline__ int as_right(int word) { return word % 2 * 2 + word / 2; }

template <int PIECES> __device__ __forceinline__ void put(Slot<PIECES> &slot, const Square &of) {
  typename Slot<PIECES>::Four four;
  const int lane = threadIdx.x % WARP;
  if constexpr (PIECES == 1) {
    const Operand<1> made = operand<1>(of);
#pragma unroll
    for (int word = 0; word < 4; ++word) four.of[word] = made.words[0][as_right(word)];
    slot.lanes[0][lane] = four;
  } else {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int word = 0; word < 4; ++word) four.of[word] = bits_of(of.at[4 * half + word]);
      slot.lanes[half][lane] = four;
    }
  }
}

template <int PIECES> __device__ __forceinline__ Operand<PIECES> operand_in(const Slot<PIECES> &slot);

template <int PIECES> __device__ __forceinline__ Square numbers_in(const Slot<PIECES> &slot) {
  const int lane = threadIdx.x % WARP;
  if constexpr (PIECES == 1) {
    return numbers(operand_in(slot));
  } else {
    Square made;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const typename Slot<PIECES>::Four four = slot.lanes[half][lane];
#pragma unroll
      for (int word = 0; word < 4; ++word) made.at[4 * half + word] = of_bits(four.of[word]);
    }
    return made;
  }
}

template <int PIECES> __device__ __forceinline__ Operand<PIECES> operand_in(const Slot<PIECES> &slot) {
  if constexpr (PIECES == 1) {
    const typename Slot<1>::Four four = slot.lanes[0][threadIdx.x % WARP];
    Operand<1> made;
#pragma unroll
    for (int word = 0; word < 4; ++word) made.words[0][as_right(word)] = four.of[word];
    return made;
  } else {
    return operand<PIECES>(numbers_in(slot));
  }
}
