/* What the files of the program of the C interface share (tests/test_interface.py).
 *
 * Compiled with the generated header included, NET its prefix and NET_UPPER the same in capitals.
 */
#ifndef INTERFACE_PROGRAM_H
#define INTERFACE_PROGRAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
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

#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);      \
      _exit(1);                                                                     \
    }                                                                               \
  } while (0)

/* interposed.c: how often memory was asked for or freed, how many mappings there are, and what is
 * refused from now on. */
extern atomic_int allocations, mappings, threads_to_be_had;
extern atomic_bool no_memory, no_wipe;

/* common.c: `expected` is what the first instance computed, and `net` an instance that says what is
 * wrong.
 */
extern float input[INPUTS], expected[OUTPUTS], output[OUTPUTS];
extern Net *net;
int run(Net *instance, const float *in, float *out);
Net *create(Options options);
int refused_to_create(Options options); /* the status */
bool is_right(const float *out);
void prepare(void);
bool says(const char *first, const char *second); /* the last error of `net`, both words */
const char *decimal(size_t number);

/* The scenarios, by what they are about. */
void errors_of_run(int runs), errors_of_create(int runs), status_texts(int runs); /* errors.c */
void own_memory(int runs), no_allocation(int runs), no_system_call(int runs);     /* memory.c */
void no_memory_left(int runs);
void any_number_of_threads(int runs), many_instances(int runs), same_instance(int runs);
void on_thread(int runs), many_lives(int runs), pauses(int runs);
void no_thread_left(int runs); /* threads.c */
void forked_child(int runs), forked_in_a_run(int runs), no_thread_left_in_a_child(int runs);
void forked_child_of_an_old_kernel(int runs); /* forks.c */

#endif
