/* A program of the C interface: `PROGRAM SCENARIO RUNS` exits with 0 where the scenario went as the
 * header promises, and says which line did not otherwise (tests/test_interface.py).
 */
#include <stdlib.h>
#include <string.h>

#include "program.h"

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
    SCENARIO(forked_child),   SCENARIO(forked_in_a_run),  SCENARIO(no_thread_left_in_a_child),
    SCENARIO(forked_child_of_an_old_kernel),
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
