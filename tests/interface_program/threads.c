/* Threads of an instance, and instances of threads. */
#define _GNU_SOURCE
#include "program.h"

void any_number_of_threads(int runs) {
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

void many_instances(int runs) {
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

void same_instance(int runs) {
  pthread_t other;
  net = create((Options){0});
  CHECK(pthread_create(&other, NULL, run_the_same, &runs) == 0);
  run_the_same(&runs);
  CHECK(pthread_join(other, NULL) == 0);
  CHECK(done > 0 && refused > 0);
  CHECK(run(net, input, output) == OK && is_right(output));
  FN(destroy)(net);
}

void many_lives(int runs) {
  int before = mappings;
  for (int i = 0; i < 50; ++i) {
    net = create((Options){0});
    CHECK(mappings > before);
    for (int j = 0; j < (i % 2 ? runs : 0); ++j) CHECK(run(net, input, output) == OK);
    FN(destroy)(net);
  }
  CHECK(mappings == before);
  CHECK(is_right(output));
}

/* A worker sleeps between runs that are far apart; it must wake. */
void pauses(int runs) {
  net = create((Options){0});
  for (int i = 0; i < runs; ++i) {
    usleep(20000);
    CHECK(run(net, input, output) == OK && is_right(output));
  }
  usleep(20000);
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

void on_thread(int runs) {
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

void no_thread_left(int runs) {
  (void)runs;
  for (int left = 0; left < THREADS - 1; ++left) {
    Seen seen = {.caller = pthread_self()};
    threads_to_be_had = left;
    CHECK(refused_to_create((Options){.on_thread = see, .context = &seen}) == THE(NO_MEMORY));
    for (int i = 0; i <= THREADS; ++i) CHECK(seen.calls[i] == (i >= 1 && i <= left ? 1 : 0));
  }
  threads_to_be_had = 0;
  net = create((Options){.threads = 1});
  CHECK(run(net, input, output) == OK && is_right(output));
  FN(destroy)(net);
}
