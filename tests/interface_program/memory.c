/* Whose memory is used, and that a run asks the system for nothing. */
#define _GNU_SOURCE
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "program.h"

static void set_guards(unsigned char *memory, size_t bytes) {
  memset(memory - GUARD, GUARD_BYTE, bytes + 2 * GUARD);
}

static bool are_guards_whole(const unsigned char *memory, size_t bytes) {
  for (int i = 0; i < GUARD; ++i)
    if (memory[i - GUARD] != GUARD_BYTE || memory[bytes + i] != GUARD_BYTE) return false;
  return true;
}

/* Memory of one's own that is aligned to LINE and no more, tensors aligned to floats and no more. */
void own_memory(int runs) {
  size_t in_bytes = sizeof input, out_bytes = sizeof output, room = 2 * GUARD + 2 * LINE;
  unsigned char *blocks[] = {aligned_alloc(GUARD, GUARD * (BYTES / GUARD + 4)),
                             aligned_alloc(GUARD, GUARD * (in_bytes / GUARD + 4)),
                             aligned_alloc(GUARD, GUARD * (out_bytes / GUARD + 4))};
  CHECK(blocks[0] != NULL && blocks[1] != NULL && blocks[2] != NULL && room < 3 * GUARD);
  unsigned char *memory = blocks[0] + GUARD + LINE;
  float *in = (float *)(blocks[1] + GUARD + sizeof *in);
  float *out = (float *)(blocks[2] + GUARD + sizeof *out);
  set_guards(memory, BYTES); /* the workspace, too: no value of it may matter */
  set_guards((unsigned char *)in, in_bytes);
  set_guards((unsigned char *)out, out_bytes);
  memcpy(in, input, in_bytes);
  net = create((Options){.workspace = memory, .workspace_bytes = BYTES});
  CHECK((unsigned char *)net >= memory && (unsigned char *)net < memory + BYTES);
  for (int i = 0; i < runs; ++i) CHECK(run(net, in, out) == OK && is_right(out));
  FN(destroy)(net);
  CHECK(are_guards_whole(memory, BYTES));
  CHECK(are_guards_whole((unsigned char *)in, in_bytes));
  CHECK(are_guards_whole((unsigned char *)out, out_bytes));
  CHECK(memcmp(in, input, in_bytes) == 0);
  for (int i = 0; i < 3; ++i) free(blocks[i]);
}

void no_allocation(int runs) {
  net = create((Options){0});
  int before = allocations;
  CHECK(before > 0); /* or the library's calls would not come here */
  for (int i = 0; i < runs; ++i) CHECK(run(net, input, output) == OK);
  CHECK(allocations == before);
  CHECK(is_right(output));
  FN(destroy)(net);
  CHECK(allocations > before);
}

/* How a child ends that may only read, write and exit once `net` has run. */
static int end_without_system(int runs, bool with_a_call) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    bool right = run(net, input, output) == OK;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) _exit(CANNOT);
    for (int i = 0; i < runs; ++i) right &= run(net, input, output) == OK && is_right(output);
    if (with_a_call) syscall(SYS_getppid);
    syscall(SYS_exit, right ? 0 : 1); /* _exit calls exit_group, which is not allowed */
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) exit(CANNOT);
  return status;
}

void no_system_call(int runs) {
  net = create((Options){.threads = 1});
  int killed = end_without_system(runs, true);
  CHECK(WIFSIGNALED(killed) && WTERMSIG(killed) == SIGKILL);
  int ended = end_without_system(runs, false);
  CHECK(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
  FN(destroy)(net);
}

void no_memory_left(int runs) {
  (void)runs;
  no_memory = true;
  CHECK(refused_to_create((Options){0}) == THE(NO_MEMORY));
  no_memory = false;
  FN(destroy)(create((Options){0}));
}
