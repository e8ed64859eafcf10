/* Forked children that run and destroy instances of their parent. */
#define _GNU_SOURCE
#include <sys/types.h>
#include <sys/wait.h>

#include "program.h"

enum { CHILD_LIMIT_S = 60 }; /* in Valgrind, on a busy machine */

/* A child that runs its parent's instance, and ends it; one that waits for ever is killed. */
static pid_t fork_child(int runs) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child > 0) return child;
  alarm(CHILD_LIMIT_S);
  for (int i = 0; i < runs; ++i) CHECK(run(net, input, output) == OK && is_right(output));
  FN(destroy)(net);
  _exit(0);
}

static void await_child(pid_t child) {
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void forked_child(int runs) {
  net = create((Options){0});
  await_child(fork_child(0)); /* ends it without having run it */
  CHECK(run(net, input, output) == OK && is_right(output));
  await_child(fork_child(runs));
  pid_t child = fork_child(runs);
  for (int i = 0; i < runs; ++i) CHECK(run(net, input, output) == OK && is_right(output));
  await_child(child);
  FN(destroy)(net);
}

/* Before Linux 4.14, where a child finds what its parent left: one thread, and not during a run. */
void forked_child_of_an_old_kernel(int runs) {
  no_wipe = true;
  net = create((Options){.threads = 1});
  await_child(fork_child(0));
  await_child(fork_child(runs));
  CHECK(run(net, input, output) == OK && is_right(output));
  FN(destroy)(net);
}

static atomic_bool enough;

static void *run_until_enough(void *argument) {
  float *out = argument;
  while (!enough) {
    int status = run(net, input, out);
    CHECK(status == OK || status == THE(BUSY));
  }
  return NULL;
}

/* Until a call is refused, as another thread is inside `run`. It sleeps after each that was not:
   two that call without a pause can go on for minutes where only one of them ever finds the other
   inside, above all in Valgrind, which runs a thread at a time. */
static void run_until_refused(void) {
  while (run(net, input, output) != THE(BUSY)) usleep(100);
}

/* Forks right after a call was refused: most likely another thread is inside `run` then. */
void forked_in_a_run(int runs) {
  pthread_t other;
  float out[OUTPUTS];
  net = create((Options){0});
  CHECK(pthread_create(&other, NULL, run_until_enough, out) == 0);
  for (int i = 0; i < runs; ++i) {
    run_until_refused();
    await_child(fork_child(2));
  }
  enough = true;
  CHECK(pthread_join(other, NULL) == 0);
  CHECK(run(net, input, output) == OK && is_right(output));
  FN(destroy)(net);
}

static int run_without_threads(int left) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    alarm(CHILD_LIMIT_S);
    threads_to_be_had = left;
    CHECK(run(net, input, output) == THE(NO_MEMORY) && says("thread", "forked"));
    threads_to_be_had = THREADS;
    CHECK(run(net, input, output) == OK && is_right(output));
    FN(destroy)(net);
    _exit(0);
  }
  return child;
}

void no_thread_left_in_a_child(int runs) {
  (void)runs;
  net = create((Options){0});
  for (int left = 0; left < THREADS - 1; ++left) await_child(run_without_threads(left));
  FN(destroy)(net);
}
