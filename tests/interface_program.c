/* A program of the C interface: `PROGRAM SCENARIO RUNS` exits with 0 where the scenario went as the
 * header promises, and says which line did not otherwise (tests/test_interface.py).
 *
 * Compiled with the generated header included, NET its prefix and NET_UPPER the same in capitals.
 * Its allocation and pthread_create stand before the C library's, to count and to refuse.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASTE_(left, right) left##_##right
#define PASTE(left, right) PASTE_(left, right)
#define FN(name) PASTE(NET, name)
#define THE(name) PASTE(NET_UPPER, name)

typedef NET Net;
typedef FN(options) Options;

enum {
  INPUTS = THE(INPUT_VALUES),
  OUTPUTS = THE(OUTPUT_VALUES),
  BYTES = THE(WORKSPACE_BYTES),
  LINE = THE(WORKSPACE_ALIGNMENT),
  THREADS = THE(MAX_THREADS),
  OK = THE(OK),
  GUARD = 4096,
  GUARD_BYTE = 0xA5,
  CANNOT = 77, /* exit status: this machine cannot run the scenario */
};

#define CHECK(condition)                                                 \
  do {                                                                   \
    if (!(condition)) {                                                  \
      fprintf(stderr, "line %d: expected %s\n", __LINE__, #condition);   \
      _exit(1);                                                          \
    }                                                                    \
  } while (0)

/* ---- what stands before the C library's own ---- */

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static atomic_int allocations, threads_to_be_had = 1000;
static atomic_bool no_memory;

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

typedef int CreateThread(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument) {
  if (--threads_to_be_had < 0) return EAGAIN;
  CreateThread *create = (CreateThread *)(uintptr_t)dlsym(RTLD_NEXT, "pthread_create");
  return create(thread, attributes, start, argument);
}

/* ---- what scenarios share ---- */

static float input[INPUTS], expected[OUTPUTS]; /* `expected`: what the first instance computed */

static int run(Net *net, const float *in, float *out) {
  return FN(run)(net, in, INPUTS, out, OUTPUTS);
}

static Net *create(Options options) {
  Net *net = NULL;
  CHECK(FN(create)(&net, &options) == OK);
  CHECK(net != NULL);
  return net;
}

static bool is_right(const float *out) { return memcmp(out, expected, sizeof expected) == 0; }

static void prepare(void) {
  uint32_t state = 1;
  for (int i = 0; i < INPUTS; ++i) {
    state = state * 1664525 + 1013904223;
    input[i] = (float)(state >> 8) / (1 << 23) - 1;
  }
  Net *net = create((Options){0});
  CHECK(run(net, input, expected) == OK);
  FN(destroy)(net);
}

/* An instance that says what is wrong, and a call after which it says `words`. */
static Net *net;
static float output[OUTPUTS];

static bool says(const char *first, const char *second) {
  const char *error = FN(last_error)(net);
  return strstr(error, first) != NULL && strstr(error, second) != NULL;
}

static const char *decimal(size_t number) {
  static char text[2][24];
  static int turn;
  snprintf(text[turn ^= 1], sizeof text[0], "%zu", number);
  return text[turn];
}

/* ---- scenarios ---- */

static void errors_of_run(int runs) {
  (void)runs;
  const float *askew = (const float *)(uintptr_t)((uintptr_t)input + 1);
  float *askew_output = (float *)((uintptr_t)output + 1);
  net = create((Options){0});
  CHECK(strcmp(FN(last_error)(net), "") == 0);
  CHECK(run(NULL, input, output) == THE(NULL_POINTER));
  CHECK(strcmp(FN(last_error)(net), "") == 0);
  CHECK(run(net, NULL, output) == THE(NULL_POINTER) && says("input", "null"));
  CHECK(run(net, input, NULL) == THE(NULL_POINTER) && says("output", "null"));
  const size_t wrong[] = {0, INPUTS - 1, INPUTS + 1, SIZE_MAX};
  for (int i = 0; i < 4; ++i) {
    CHECK(FN(run)(net, input, wrong[i], output, OUTPUTS) == THE(WRONG_SIZE));
    CHECK(says("input", decimal(INPUTS)) && says("got", decimal(wrong[i])));
  }
  const size_t wrong_outputs[] = {0, OUTPUTS - 1, OUTPUTS + 1, SIZE_MAX};
  for (int i = 0; i < 4; ++i) {
    CHECK(FN(run)(net, input, INPUTS, output, wrong_outputs[i]) == THE(WRONG_SIZE));
    CHECK(says("output", decimal(OUTPUTS)) && says("got", decimal(wrong_outputs[i])));
  }
  CHECK(run(net, askew, output) == THE(MISALIGNED) && says("input", "aligned"));
  CHECK(run(net, input, askew_output) == THE(MISALIGNED) && says("output", "aligned"));
  CHECK(run(net, input, output) == OK && is_right(output));
  CHECK(strcmp(FN(last_error)(net), "") == 0);
  FN(destroy)(net);
}

static int created(Options options) {
  Net *made = (Net *)&options; /* anything but NULL: it must become NULL */
  int status = FN(create)(&made, &options);
  CHECK(status != OK && made == NULL);
  return status;
}

static void errors_of_create(int runs) {
  (void)runs;
  unsigned char *memory = aligned_alloc(LINE, BYTES + LINE);
  CHECK(memory != NULL);
  CHECK(FN(create)(NULL, NULL) == THE(NULL_POINTER));
  CHECK(created((Options){.threads = -1}) == THE(WRONG_THREADS));
  CHECK(created((Options){.threads = THREADS + 1}) == THE(WRONG_THREADS));
  CHECK(created((Options){.workspace_bytes = BYTES}) == THE(NULL_POINTER));
  CHECK(created((Options){.workspace = memory}) == THE(WRONG_SIZE));
  CHECK(created((Options){.workspace = memory, .workspace_bytes = BYTES - 1}) == THE(WRONG_SIZE));
  for (int shift = 1; shift < LINE; shift *= 2) {
    Options askew = {.workspace = memory + shift, .workspace_bytes = BYTES};
    CHECK(created(askew) == THE(MISALIGNED));
  }
  free(memory);
  CHECK(FN(create)(&net, NULL) == OK && net != NULL);
  FN(destroy)(net);
  FN(destroy)(NULL);
  CHECK(strlen(FN(last_error)(NULL)) > 0);
}

static void status_texts(int runs) {
  (void)runs;
  const int statuses[] = {OK, THE(NULL_POINTER), THE(WRONG_SIZE), THE(WRONG_THREADS),
                          THE(MISALIGNED), THE(NO_MEMORY), THE(BUSY), 99, -1};
  for (int i = 0; i < 8; ++i) {
    CHECK(strlen(FN(status_text)(statuses[i])) > 0);
    for (int j = 0; j < i; ++j)
      CHECK(strcmp(FN(status_text)(statuses[i]), FN(status_text)(statuses[j])) != 0);
  }
  CHECK(strcmp(FN(status_text)(-1), FN(status_text)(99)) == 0);
}

static void set_guards(unsigned char *memory, size_t bytes) {
  memset(memory - GUARD, GUARD_BYTE, bytes + 2 * GUARD);
}

static bool are_guards_whole(const unsigned char *memory, size_t bytes) {
  for (int i = 0; i < GUARD; ++i)
    if (memory[i - GUARD] != GUARD_BYTE || memory[bytes + i] != GUARD_BYTE) return false;
  return true;
}

/* Memory of one's own that is aligned to LINE and no more, tensors aligned to floats and no more. */
static void own_memory(int runs) {
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

static void any_number_of_threads(int runs) {
  for (int threads = 1; threads <= THREADS; ++threads) {
    net = create((Options){.threads = threads});
    for (int i = 0; i < runs; ++i) CHECK(run(net, input, output) == OK && is_right(output));
    FN(destroy)(net);
  }
}

static void *run_instance_of_its_own(void *argument) {
  int runs = *(const int *)argument;
  Net *mine = create((Options){0});
  for (int i = 0; i < runs; ++i) {
    float out[OUTPUTS] = {0};
    CHECK(run(mine, input, out) == OK && is_right(out));
  }
  FN(destroy)(mine);
  return NULL;
}

static void many_instances(int runs) {
  pthread_t threads[3];
  for (int i = 0; i < 3; ++i)
    CHECK(pthread_create(&threads[i], NULL, run_instance_of_its_own, &runs) == 0);
  for (int i = 0; i < 3; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
}

static atomic_int done, refused;

/* At least `runs`, and until a call was refused. */
static void *run_the_same(void *argument) {
  int runs = *(const int *)argument;
  for (int i = 0; i < runs || (refused == 0 && i < 1000000); ++i) {
    float out[OUTPUTS] = {0};
    int status = run(net, input, out);
    CHECK(status == OK || status == THE(BUSY));
    if (status == OK) CHECK(is_right(out));
    ++*(status == OK ? &done : &refused);
  }
  return NULL;
}

static void same_instance(int runs) {
  pthread_t other;
  net = create((Options){0});
  CHECK(pthread_create(&other, NULL, run_the_same, &runs) == 0);
  run_the_same(&runs);
  CHECK(pthread_join(other, NULL) == 0);
  CHECK(done > 0 && refused > 0);
  CHECK(run(net, input, output) == OK && is_right(output));
  FN(destroy)(net);
}

static void no_allocation(int runs) {
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

static void no_system_call(int runs) {
  net = create((Options){.threads = 1});
  int killed = end_without_system(runs, true);
  CHECK(WIFSIGNALED(killed) && WTERMSIG(killed) == SIGKILL);
  int ended = end_without_system(runs, false);
  CHECK(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
  FN(destroy)(net);
}

typedef struct {
  pthread_t caller;
  atomic_int calls[THREADS + 1];
} Seen;

static void see(int thread, void *context) {
  Seen *seen = context;
  CHECK(thread >= 0 && thread < THREADS);
  CHECK(!pthread_equal(pthread_self(), seen->caller));
  ++seen->calls[thread];
}

static void on_thread(int runs) {
  for (int threads = 0; threads <= THREADS; ++threads) {
    Seen seen = {.caller = pthread_self()};
    Options options = {.threads = threads, .on_thread = see, .context = &seen};
    net = create(options);
    for (int i = 0; i < runs; ++i) CHECK(run(net, input, output) == OK && is_right(output));
    FN(destroy)(net);
    int expected_threads = threads == 0 ? THREADS : threads;
    for (int i = 0; i <= THREADS; ++i)
      CHECK(seen.calls[i] == (i >= 1 && i < expected_threads ? 1 : 0));
  }
}

static void many_lives(int runs) {
  for (int i = 0; i < 50; ++i) {
    net = create((Options){0});
    for (int j = 0; j < (i % 2 ? runs : 0); ++j) CHECK(run(net, input, output) == OK);
    FN(destroy)(net);
  }
  CHECK(is_right(output));
}

/* A worker sleeps between runs that are far apart; it must wake. */
static void pauses(int runs) {
  net = create((Options){0});
  for (int i = 0; i < runs; ++i) {
    usleep(20000);
    CHECK(run(net, input, output) == OK && is_right(output));
  }
  usleep(20000);
  FN(destroy)(net);
}

static void no_memory_left(int runs) {
  (void)runs;
  no_memory = true;
  CHECK(created((Options){0}) == THE(NO_MEMORY));
  no_memory = false;
  FN(destroy)(create((Options){0}));
}

static void no_thread_left(int runs) {
  (void)runs;
  for (int left = 0; left < THREADS - 1; ++left) {
    Seen seen = {.caller = pthread_self()};
    threads_to_be_had = left;
    CHECK(created((Options){.on_thread = see, .context = &seen}) == THE(NO_MEMORY));
    for (int i = 0; i <= THREADS; ++i) CHECK(seen.calls[i] == (i >= 1 && i <= left ? 1 : 0));
  }
  threads_to_be_had = 0;
  net = create((Options){.threads = 1});
  CHECK(run(net, input, output) == OK && is_right(output));
  FN(destroy)(net);
}

/* From standard input to standard output. */
static void answer(int runs) {
  (void)runs;
  CHECK(fread(input, sizeof input, 1, stdin) == 1);
  net = create((Options){0});
  CHECK(run(net, input, output) == OK);
  CHECK(fwrite(output, sizeof output, 1, stdout) == 1 && fflush(stdout) == 0);
  FN(destroy)(net);
}

#define SCENARIO(name) {#name, name}

static const struct {
  const char *name;
  void (*go)(int runs);
} SCENARIOS[] = {
    SCENARIO(errors_of_run),  SCENARIO(errors_of_create), SCENARIO(status_texts),
    SCENARIO(own_memory),     SCENARIO(many_instances),   SCENARIO(any_number_of_threads),
    SCENARIO(same_instance),  SCENARIO(no_allocation),    SCENARIO(no_system_call),
    SCENARIO(on_thread),      SCENARIO(many_lives),       SCENARIO(pauses),
    SCENARIO(no_memory_left), SCENARIO(no_thread_left),   SCENARIO(answer),
};

int main(int argc, char **argv) {
  CHECK(argc == 3);
  prepare();
  for (size_t i = 0; i < sizeof SCENARIOS / sizeof SCENARIOS[0]; ++i)
    if (strcmp(argv[1], SCENARIOS[i].name) == 0) {
      SCENARIOS[i].go(atoi(argv[2]));
      return 0;
    }
  fprintf(stderr, "no scenario %s\n", argv[1]);
  return 2;
}
