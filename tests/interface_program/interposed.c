/* Allocation, mappings and pthread_create before the C library's own, to count and to refuse. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "program.h"

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

atomic_int allocations, mappings, threads_to_be_had = 1000;
atomic_bool no_memory, no_wipe;

void *malloc(size_t size) {
  ++allocations;
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
  ++allocations;
  return __libc_realloc(memory, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
  ++allocations;
  if (no_memory) return ENOMEM;
  *memory = __libc_memalign(alignment, size);
  return *memory == NULL ? ENOMEM : 0;
}

void free(void *memory) {
  ++allocations;
  __libc_free(memory);
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
  ++mappings;
  return (void *)syscall(SYS_mmap, address, size, protection, flags, file, offset);
}

int munmap(void *memory, size_t size) {
  --mappings;
  return (int)syscall(SYS_munmap, memory, size);
}

int madvise(void *memory, size_t size, int advice) {
  if (no_wipe) return errno = EINVAL, -1;
  return (int)syscall(SYS_madvise, memory, size, advice);
}

typedef int CreateThread(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument) {
  if (--threads_to_be_had < 0) return EAGAIN;
  CreateThread *create = (CreateThread *)(uintptr_t)dlsym(RTLD_NEXT, "pthread_create");
  return create(thread, attributes, start, argument);
}
