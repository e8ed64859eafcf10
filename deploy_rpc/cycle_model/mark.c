/* The markers of blocks.c as functions, for programs that are not C. */
#include "markers.h"

__attribute__((visibility("default"))) void mark_begin(void) {
    __asm__ volatile(BEGIN_MARKER ::: "memory");
}

__attribute__((visibility("default"))) void mark_end(void) {
    __asm__ volatile(END_MARKER ::: "memory");
}
