/* While a network computes on AArch64, every NaN that comes out of an operation is the default one,
 * which is positive: ReLUs are maxima of integers there (compile/schedules/maximum.py), which let a
 * positive NaN pass and would lose a negative one. Elsewhere nothing is to be done.
 */
#ifndef NANS_H
#define NANS_H

#include <stdint.h>

#if defined(__aarch64__)

/* Switches that on for the calling thread; what it was before. */
static inline uint64_t positive_nans(void) {
  uint64_t before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before)::"memory");
  __asm__ volatile("msr fpcr, %0" ::"r"(before | 1 << 25) : "memory");
  return before;
}

static inline void former_nans(uint64_t before) {
  __asm__ volatile("msr fpcr, %0" ::"r"(before) : "memory");
}

#else

static inline uint64_t positive_nans(void) { return 0; }
static inline void former_nans(uint64_t before) { (void)before; }

#endif
#endif
