/* CUDA's threads, blocks and warps on the host, so that the very sources of the kernels are tested without a GPU.
 *
 * A block's threads are coroutines on one host thread. A barrier or a shuffle gives way to the next thread that has not
 * reached it; blocks run one after another, so that shared memory is static memory. It is for truth, not for speed.
 *
 * Contexts are made by ucontext and switched by setjmp, which does not enter the kernel (Engelschall 2000, "Portable
 * Multithreading").
 */
#pragma once
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cmath>
#include <initializer_list>
#include <ucontext.h>

#define __global__
#define __device__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __shared__ static
#define __launch_bounds__(...)

namespace emulation {

struct Dimensions {
  unsigned x, y, z;
};

constexpr int kWarp = 32;
constexpr int kThreads = 1024;
constexpr size_t kStack = 128 << 10;

struct Thread {
  jmp_buf place;
  ucontext_t beginning;
  char *stack;
  bool begun, ended;
  unsigned exchanges; /* that it took part in since the block began */
};

inline Thread threads[kThreads];
inline jmp_buf scheduler;
inline Dimensions thread_index, block_index, block_size, grid_size;
inline float exchanged[kThreads];
inline void (*body)(void **);
inline void **parameters;

inline unsigned flat() { return thread_index.x + block_size.x * (thread_index.y + block_size.y * thread_index.z); }

/* Every thread gives way once; all have arrived when the scheduler comes round again. */
inline void barrier() {
  if (!_setjmp(threads[flat()].place)) _longjmp(scheduler, 1);
}

/* What every thread of the block gives, by thread, once all have given it; it stays until the exchange after the next. */
template <typename Given> const Given *gathered(const Given &own) {
  static Given given[2][kThreads];
  Given *const turn = given[threads[flat()].exchanges++ % 2];
  turn[flat()] = own;
  barrier();
  return turn;
}

inline void enter() {
  body(parameters);
  threads[flat()].ended = true;
  _longjmp(scheduler, 1);
}

inline void resume(Thread &thread) {
  if (_setjmp(scheduler)) return;
  if (thread.begun) _longjmp(thread.place, 1);
  thread.begun = true;
  getcontext(&thread.beginning);
  if (!thread.stack) thread.stack = static_cast<char *>(std::malloc(kStack));
  thread.beginning.uc_stack.ss_sp = thread.stack;
  thread.beginning.uc_stack.ss_size = kStack;
  thread.beginning.uc_link = nullptr;
  makecontext(&thread.beginning, enter, 0);
  setcontext(&thread.beginning);
}

/* Rounds until all threads ended. In every round each runs to its next barrier, so they never drift apart; a kernel in
 * which only some threads reach a barrier would hang on a device, and is refused here. */
inline void run_block() {
  const unsigned count = block_size.x * block_size.y * block_size.z;
  for (unsigned number = 0; number < count; ++number) threads[number].begun = threads[number].ended = false, threads[number].exchanges = 0;
  for (bool going = true; going;) {
    unsigned ended = 0;
    for (unsigned number = 0; number < count; ++number) {
      thread_index = {number % block_size.x, number / block_size.x % block_size.y, number / (block_size.x * block_size.y)};
      resume(threads[number]);
      ended += threads[number].ended;
    }
    if (ended && ended < count) {
      std::fprintf(stderr, "emulation: %u of %u threads left the kernel while the others wait at a barrier\n", ended, count);
      std::abort();
    }
    going = ended == 0;
  }
}

inline void run_grid(Dimensions grid, Dimensions block, void (*kernel)(void **), void **arguments) {
  grid_size = grid, block_size = block, body = kernel, parameters = arguments;
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        block_index = {x, y, z};
        run_block();
      }
}

template <typename... Parameters, size_t... At>
void call(void (*kernel)(Parameters...), void **arguments, std::index_sequence<At...>) {
  kernel(*static_cast<std::remove_reference_t<Parameters> *>(arguments[At])...);
}

template <typename... Parameters> void call(void (*kernel)(Parameters...), void **arguments) {
  call(kernel, arguments, std::index_sequence_for<Parameters...>{});
}

} // namespace emulation

#define threadIdx emulation::thread_index
#define blockIdx emulation::block_index
#define blockDim emulation::block_size
#define gridDim emulation::grid_size

inline void __syncthreads() { emulation::barrier(); }

inline float __shfl_xor_sync(unsigned, float value, int mask) {
  const unsigned own = emulation::flat();
  emulation::exchanged[own] = value;
  emulation::barrier();
  const float other = emulation::exchanged[own ^ mask];
  emulation::barrier();
  return other;
}

/* The entry that a kernel is launched by: the parameters as cuLaunchKernel takes them. */
#define KERNEL(name)                                                                                                    \
  extern "C" void name##_emulated(const unsigned *grid, const unsigned *block, void **arguments) {                      \
    emulation::run_grid({grid[0], grid[1], grid[2]}, {block[0], block[1], block[2]},                                     \
                        [](void **given) { emulation::call(name, given); }, arguments);                                  \
  }
