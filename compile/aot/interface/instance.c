/* The functions of the generated header: create, run, last_error, destroy.
 *
 * Compiled once for every network, with `network.h` (generated) to say its names and sizes. `run`
 * of one thread neither allocates nor calls the system.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nans.h"
#include "network.h"
#include "process.h"
#include "team.h"

#define ERROR_BYTES 160

/* In process_memory: a forked child finds no call inside `run`, and starts threads of its own. */
typedef struct {
  atomic_bool busy;
  bool has_threads; /* those of the team run */
} Process;

struct NETWORK {
  void *workspace;
  void *allocated; /* what destroy has to free, NULL where the caller gave the memory */
  Process *process;
  Team *team; /* NULL: the caller's thread alone */
  char error[ERROR_BYTES];
};

/* An instance lies at the start of its memory, the workspace on the first line behind it. */
#define INSTANCE_BYTES ALIGNED(sizeof(struct NETWORK))
_Static_assert(INSTANCE_BYTES + TEAM_BYTES <= RESERVED_BYTES, "compile/aot/header.py has to reserve more");

extern const unsigned char FUNCTION(weights)[];

static int fail(Network *network, int status, const char *format, ...) {
  if (network != NULL) {
    va_list values;
    va_start(values, format);
    vsnprintf(network->error, ERROR_BYTES, format, values);
    va_end(values);
  }
  return status;
}

/* Starts the team's threads where this process has none of them yet. */
static bool have_threads(Network *network) {
  Process *process = network->process;
  if (network->team != NULL && !process->has_threads)
    process->has_threads = team_start(network->team);
  return network->team == NULL || process->has_threads;
}

int FUNCTION(create)(Network **created, const Options *options) {
  static const Options defaults;
  if (created == NULL) return STATUS(NULL_POINTER);
  *created = NULL;
  if (options == NULL) options = &defaults;
  int threads = options->threads == 0 ? MAX_THREADS : options->threads;
  if (threads < 1 || threads > MAX_THREADS) return STATUS(WRONG_THREADS);
  void *block = options->workspace;
  if (block == NULL) {
    if (options->workspace_bytes != 0) return STATUS(NULL_POINTER);
    if (posix_memalign(&block, ALIGNMENT, WORKSPACE_BYTES) != 0) return STATUS(NO_MEMORY);
  } else if (options->workspace_bytes < WORKSPACE_BYTES) {
    return STATUS(WRONG_SIZE);
  } else if ((uintptr_t)block % ALIGNMENT != 0) {
    return STATUS(MISALIGNED);
  }
  unsigned char *memory = block;
  Network *network = block;
  memset(network, 0, sizeof *network);
  network->allocated = options->workspace == NULL ? memory : NULL;
  network->workspace = memory + RESERVED_BYTES;
  network->process = process_memory(sizeof *network->process);
  if (threads > 1) {
    network->team = (Team *)(memory + INSTANCE_BYTES);
    team_init(network->team, threads, options->on_thread, options->context);
  }
  if (network->process == NULL || !have_threads(network)) {
    FUNCTION(destroy)(network);
    return STATUS(NO_MEMORY);
  }
  *created = network;
  return STATUS(OK);
}

static int check_output(Network *network, int index, const Output *output) {
  static const struct {
    const char *name;
    size_t values;
  } expected[OUTPUTS] = OUTPUT_TABLE;
  const char *name = expected[index].name;
  if (output->values == NULL)
    return fail(network, STATUS(NULL_POINTER), "%s is a null pointer", name);
  if (output->count != expected[index].values)
    return fail(network, STATUS(WRONG_SIZE), "expected room for %zu values of %s, got %zu",
                expected[index].values, name, output->count);
  if ((uintptr_t)output->values % sizeof *output->values != 0)
    return fail(network, STATUS(MISALIGNED), "%s is not aligned to floats", name);
  return STATUS(OK);
}

static int check(Network *network, const float *input, size_t input_values,
                 const Output *outputs) {
  if (input == NULL) return fail(network, STATUS(NULL_POINTER), "the input is a null pointer");
  if (input_values != INPUT_VALUES)
    return fail(network, STATUS(WRONG_SIZE), "expected an input of %zu values, got %zu",
                (size_t)INPUT_VALUES, input_values);
  if ((uintptr_t)input % sizeof *input != 0)
    return fail(network, STATUS(MISALIGNED), "the input is not aligned to floats");
  if (outputs == NULL) return fail(network, STATUS(NULL_POINTER), "the outputs are a null pointer");
  int status = STATUS(OK);
  for (int i = 0; i < OUTPUTS && status == STATUS(OK); ++i)
    status = check_output(network, i, &outputs[i]);
  return status;
}

static int run(Network *network, const float *input, size_t input_values, const Output *outputs) {
  if (network == NULL) return STATUS(NULL_POINTER);
  atomic_bool *busy = &network->process->busy;
  if (atomic_exchange_explicit(busy, true, memory_order_acquire))
    return STATUS(BUSY); /* its error text belongs to the call that is running */
  int status = check(network, input, input_values, outputs);
  if (status == STATUS(OK) && !have_threads(network))
    status = fail(network, STATUS(NO_MEMORY), "no thread was to be had in this forked process");
  if (status == STATUS(OK)) {
    network->error[0] = '\0';
    Work work = {.input = input, .weights = FUNCTION(weights), .workspace = network->workspace};
    for (int i = 0; i < OUTPUTS; ++i) work.outputs[i] = outputs[i].values;
    uint64_t before = positive_nans();
    team_run(network->team, &work);
    former_nans(before);
  }
  atomic_store_explicit(busy, false, memory_order_release);
  return status;
}

#if OUTPUTS == 1

int FUNCTION(run)(Network *network, const float *input, size_t input_values, float *output,
                  size_t output_values) {
  return run(network, input, input_values, &(Output){output, output_values});
}

#else

_Static_assert(sizeof(Outputs) == OUTPUTS * sizeof(Output), "the struct's fields are its array");

int FUNCTION(run)(Network *network, const float *input, size_t input_values,
                  const Outputs *outputs) {
  return run(network, input, input_values, (const Output *)outputs);
}

#endif

const char *FUNCTION(last_error)(const Network *network) {
  return network == NULL ? "there is no instance: create returned none" : network->error;
}

const char *FUNCTION(status_text)(int status) {
  switch (status) {
    case STATUS(OK): return "done";
    case STATUS(NULL_POINTER): return "a pointer that is needed is null";
    case STATUS(WRONG_SIZE): return "a size is not the one that the header states";
    case STATUS(WRONG_THREADS): return "threads: expected 0 (all) to the maximum in the header";
    case STATUS(MISALIGNED): return "memory is not aligned as the header states";
    case STATUS(NO_MEMORY): return "no memory, or no thread, was to be had";
    case STATUS(BUSY): return "the instance is running in another thread";
    default: return "no status of this library";
  }
}

void FUNCTION(destroy)(Network *network) {
  if (network == NULL) return;
  Process *process = network->process;
  if (process != NULL && process->has_threads) team_stop(network->team);
  if (process != NULL) free_process_memory(process, sizeof *process);
  free(network->allocated);
}
