/* Threads that compute one network together. With MAX_THREADS of 1 there is nothing of it left. */
#ifndef TEAM_H
#define TEAM_H

#include <stdbool.h>
#include <stdint.h>

#include "network.h"

typedef struct {
  const float *input;
  float *outputs[OUTPUTS];
  const void *weights;
  void *workspace;
} Work;

typedef struct Team Team;

#define OUTPUT_TYPE(index) float *,
#define OUTPUT_OF_WORK(index) work->outputs[index],

#if MAX_THREADS == 1

/* The generated function that runs the network. */
extern int32_t FUNCTION(compute)(const float *, FOR_EACH_OUTPUT(OUTPUT_TYPE) const void *, void *);

#define TEAM_BYTES 0

static inline void team_init(Team *team, int threads, void (*on_thread)(int, void *),
                             void *context) {
  (void)team, (void)threads, (void)on_thread, (void)context;
}

static inline bool team_start(Team *team) {
  (void)team;
  return false;
}

static inline void team_run(Team *team, const Work *work) {
  (void)team;
  FUNCTION(compute)(work->input, FOR_EACH_OUTPUT(OUTPUT_OF_WORK) work->weights, work->workspace);
}

static inline void team_stop(Team *team) { (void)team; }

#else

#include <pthread.h>
#include <stdatomic.h>

/* One program may link several networks statically: each has a team.c of its own. */
#define team_init FUNCTION(team_init)
#define team_start FUNCTION(team_start)
#define team_run FUNCTION(team_run)
#define team_stop FUNCTION(team_stop)

/* The same with the team, the number of this thread, and how many there are. */
extern int32_t FUNCTION(compute)(const float *, FOR_EACH_OUTPUT(OUTPUT_TYPE) const void *, void *,
                                 Team *, int32_t, int32_t);

typedef struct {
  Team *team;
  int thread;
  pthread_t handle;
} Worker;

struct Team {
  int threads;
  void (*on_thread)(int, void *);
  void *context;
  const Work *work;
  Worker workers[MAX_THREADS - 1];
  pthread_mutex_t mutex;
  pthread_cond_t started;
  bool stopping;
  _Alignas(LINE_BYTES) atomic_uint run;     /* counts up with every run, which starts the workers */
  _Alignas(LINE_BYTES) atomic_uint arrived; /* at the barrier */
  _Alignas(LINE_BYTES) atomic_uint passed;  /* counts up with every barrier that all have reached */
};

#define TEAM_BYTES ALIGNED(sizeof(struct Team))

void team_init(Team *team, int threads, void (*on_thread)(int, void *), void *context);

/* Starts all threads, in a forked child anew; false where one cannot be had: then none is left. */
bool team_start(Team *team);

/* Computes `work` on all threads of the team, the caller's among them; NULL is the caller's alone. */
void team_run(Team *team, const Work *work);

void team_stop(Team *team);

#endif
#endif
