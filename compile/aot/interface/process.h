/* Memory of this process alone: in a child that it forks it is all zeros again, from Linux 4.14 on.
 * There none of the parent's threads runs, no call of theirs is under way, and no lock is held.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stddef.h>
#include <sys/mman.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* `bytes` of it, all zeros; NULL where there are none. Where the kernel cannot wipe them a child
 * finds what its parent left. */
static inline void *process_memory(size_t bytes) {
  int kind = MAP_PRIVATE | MAP_ANONYMOUS;
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, kind, -1, 0);
  if (memory == MAP_FAILED) return NULL;
  madvise(memory, bytes, MADV_WIPEONFORK);
  return memory;
}

static inline void free_process_memory(void *memory, size_t bytes) { munmap(memory, bytes); }

#endif
