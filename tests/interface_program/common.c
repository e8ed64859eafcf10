/* What the scenarios share: an input with its answer, and calls that have to succeed. */
#include <stdint.h>
#include <string.h>

#include "program.h"

float input[INPUTS], expected[OUTPUTS], output[OUTPUTS];
Net *net;

int run(Net *instance, const float *in, float *out) {
  return FN(run)(instance, in, INPUTS, out, OUTPUTS);
}

Net *create(Options options) {
  Net *net = NULL;
  CHECK(FN(create)(&net, &options) == OK);
  CHECK(net != NULL);
  return net;
}

int refused_to_create(Options options) {
  Net *made = (Net *)&options; /* anything but NULL: it must become NULL */
  int status = FN(create)(&made, &options);
  CHECK(status != OK && made == NULL);
  return status;
}

bool is_right(const float *out) { return memcmp(out, expected, sizeof expected) == 0; }

void prepare(void) {
  uint32_t state = 1;
  for (int i = 0; i < INPUTS; ++i) {
    state = state * 1664525 + 1013904223;
    input[i] = (float)(state >> 8) / (1 << 23) - 1;
  }
  Net *net = create((Options){0});
  CHECK(run(net, input, expected) == OK);
  FN(destroy)(net);
}

bool says(const char *first, const char *second) {
  const char *error = FN(last_error)(net);
  return strstr(error, first) != NULL && strstr(error, second) != NULL;
}

const char *decimal(size_t number) {
  static char text[2][24];
  static int turn;
  snprintf(text[turn ^= 1], sizeof text[0], "%zu", number);
  return text[turn];
}
