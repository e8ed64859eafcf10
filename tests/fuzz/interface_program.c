/* Reads lists of calls, each with its length before it, makes them, and answers with what came of
 * each. Behind every buffer lies a page that nobody may touch: the kernels are not sanitised. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "small.h"

enum { MOST_CALLS = 16, RIGHT = 1, FURTHER = 2, OTHER_STATUS = 99 };

typedef struct __attribute__((packed)) {
  uint8_t workspace, input, output; /* 0: NULL, RIGHT, or FURTHER: a byte behind that */
  int32_t threads;
  uint64_t workspace_bytes, input_values, output_values;
} Call;

typedef struct {
  uint8_t created, is_made, ran, has_text, has_error;
} Answer;

/* `size` bytes, the last one at the end of its page; NULL where there are none to be had. */
static char *guarded(size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page * page;
  char *start = mmap(NULL, pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED || mprotect(start + pages, page, PROT_NONE) != 0) return NULL;
  return start + pages - size;
}

static void *at(char *right, uint8_t place) {
  return place == RIGHT ? right : place == FURTHER ? right + 1 : NULL;
}

static Answer make(const Call *call, char *workspace, char *input, char *output) {
  small_options options = {at(workspace, call->workspace), call->workspace_bytes, call->threads, NULL, NULL};
  small *network = NULL;
  Answer answer = {.created = (uint8_t)small_create(&network, &options)};
  answer.is_made = network != NULL;
  answer.ran = (uint8_t)small_run(network, at(input, call->input), call->input_values,
                                  at(output, call->output), call->output_values);
  const char *text = small_status_text(answer.ran), *error = small_last_error(network);
  answer.has_text = text != NULL && strlen(text) > 0;
  answer.has_error = error != NULL && strlen(error) > 0;
  small_destroy(network);
  return answer;
}

int main(void) {
  char *workspace = guarded(SMALL_WORKSPACE_BYTES), *input = guarded(4 * SMALL_INPUT_VALUES),
       *output = guarded(4 * SMALL_OUTPUT_VALUES);
  Call calls[MOST_CALLS];
  uint32_t size;
  if (!workspace || !input || !output) return OTHER_STATUS;
  while (fread(&size, sizeof size, 1, stdin) == 1) {
    if (size > sizeof calls || size % sizeof *calls || fread(calls, 1, size, stdin) != size) return 2;
    for (size_t i = 0; i < size / sizeof *calls; ++i) {
      Answer answer = make(&calls[i], workspace, input, output);
      fwrite(&answer, sizeof answer, 1, stdout);
    }
    fflush(stdout);
  }
  return 0;
}
