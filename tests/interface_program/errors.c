/* What is refused, by which status, and in which words. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

void errors_of_run(int runs) {
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

void errors_of_create(int runs) {
  (void)runs;
  unsigned char *memory = aligned_alloc(LINE, BYTES + LINE);
  CHECK(memory != NULL);
  CHECK(FN(create)(NULL, NULL) == THE(NULL_POINTER));
  CHECK(refused_to_create((Options){.threads = -1}) == THE(WRONG_THREADS));
  CHECK(refused_to_create((Options){.threads = THREADS + 1}) == THE(WRONG_THREADS));
  CHECK(refused_to_create((Options){.workspace_bytes = BYTES}) == THE(NULL_POINTER));
  CHECK(refused_to_create((Options){.workspace = memory}) == THE(WRONG_SIZE));
  CHECK(refused_to_create((Options){.workspace = memory, .workspace_bytes = BYTES - 1}) == THE(WRONG_SIZE));
  for (int shift = 1; shift < LINE; shift *= 2) {
    Options askew = {.workspace = memory + shift, .workspace_bytes = BYTES};
    CHECK(refused_to_create(askew) == THE(MISALIGNED));
  }
  free(memory);
  CHECK(FN(create)(&net, NULL) == OK && net != NULL);
  FN(destroy)(net);
  FN(destroy)(NULL);
  CHECK(strlen(FN(last_error)(NULL)) > 0);
}

void status_texts(int runs) {
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
