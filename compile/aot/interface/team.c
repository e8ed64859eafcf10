/* Threads that compute one network together: each runs the whole of `compute`, of every kernel its
 * share, and waits for the others at a barrier between kernels.
 *
 * A thread that waits spins first, some tens of microseconds: barriers are that close together, and
 * waking a thread takes longer. Then it yields (at a barrier) or sleeps (between runs).
 */
#include "team.h"

#if MAX_THREADS > 1

#include <sched.h>
#include <signal.h>
#include <string.h>

#include "nans.h"

#if defined(__x86_64__)
enum { SPINS = 500 }; /* a pause takes some 140 cycles */
static inline void relax(void) { __builtin_ia32_pause(); }
#else
enum { SPINS = 20000 }; /* a yield takes one or two */
static inline void relax(void) { __asm__ volatile("yield"); }
#endif

static bool has_changed(atomic_uint *counter, unsigned before) {
  for (int spin = 0; spin < SPINS; ++spin) {
    if (atomic_load_explicit(counter, memory_order_acquire) != before) return true;
    relax();
  }
  return false;
}

/* Called by the generated code, by every thread of the team. */
__attribute__((visibility("hidden"))) int32_t FUNCTION(barrier)(Team *team) {
  if (team == NULL) return 0;
  unsigned before = atomic_load_explicit(&team->passed, memory_order_relaxed);
  unsigned arrived = 1 + atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel);
  if (arrived == (unsigned)team->threads) {
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    atomic_store_explicit(&team->passed, before + 1, memory_order_release);
  } else {
    while (!has_changed(&team->passed, before)) sched_yield();
  }
  return 0;
}

static void compute(Team *team, const Work *work, int thread, int threads) {
  FUNCTION(compute)(work->input, FOR_EACH_OUTPUT(OUTPUT_OF_WORK) work->weights, work->workspace,
                    team, thread, threads);
}

static void wait_for_run(Team *team, unsigned before) {
  if (has_changed(&team->run, before)) return;
  pthread_mutex_lock(&team->mutex);
  while (atomic_load_explicit(&team->run, memory_order_acquire) == before)
    pthread_cond_wait(&team->started, &team->mutex);
  pthread_mutex_unlock(&team->mutex);
}

static void *work(void *argument) {
  const Worker *worker = argument;
  Team *team = worker->team;
  if (team->on_thread != NULL) team->on_thread(worker->thread, team->context);
  positive_nans();
  for (unsigned run = 0;; ++run) {
    wait_for_run(team, run);
    if (team->stopping) return NULL;
    compute(team, team->work, worker->thread, team->threads);
    FUNCTION(barrier)(team);
  }
}

static void release(Team *team) {
  pthread_mutex_lock(&team->mutex);
  atomic_fetch_add_explicit(&team->run, 1, memory_order_release);
  pthread_cond_broadcast(&team->started);
  pthread_mutex_unlock(&team->mutex);
}

static void stop(Team *team, int workers) {
  team->stopping = true;
  release(team);
  for (int i = 0; i < workers; ++i) pthread_join(team->workers[i].handle, NULL);
  pthread_cond_destroy(&team->started);
  pthread_mutex_destroy(&team->mutex);
}

/* Starts a thread that takes no signals: those are for the threads of the program. */
static bool start_worker(Worker *worker) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = pthread_create(&worker->handle, NULL, work, worker) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return started;
}

void team_init(Team *team, int threads, void (*on_thread)(int, void *), void *context) {
  memset(team, 0, sizeof *team);
  team->threads = threads;
  team->on_thread = on_thread;
  team->context = context;
}

bool team_start(Team *team) {
  team->stopping = false;
  atomic_init(&team->run, 0);
  atomic_init(&team->arrived, 0);
  atomic_init(&team->passed, 0);
  if (pthread_mutex_init(&team->mutex, NULL) != 0) return false;
  if (pthread_cond_init(&team->started, NULL) != 0) {
    pthread_mutex_destroy(&team->mutex);
    return false;
  }
  int started = 0;
  for (; started < team->threads - 1; ++started) {
    Worker *worker = &team->workers[started];
    *worker = (Worker){.team = team, .thread = started + 1};
    if (!start_worker(worker)) break;
  }
  if (started == team->threads - 1) return true;
  stop(team, started);
  return false;
}

void team_run(Team *team, const Work *work) {
  if (team == NULL) {
    compute(NULL, work, 0, 1);
    return;
  }
  team->work = work;
  release(team);
  compute(team, work, 0, team->threads);
  FUNCTION(barrier)(team); /* no thread may still read `work` */
}

void team_stop(Team *team) { stop(team, team->threads - 1); }

#endif
