/* Times the library of a package from C, with nothing of the bench around it.
 *
 *     cc -std=c11 -O2 -DHEADER='"net.h"' -DNETWORK=net -DINPUTS=NET_INPUT_VALUES \
 *        -DOUTPUTS=NET_OUTPUT_VALUES own_loop.c net.so -Wl,-rpath,'$ORIGIN' -o own_loop
 *     taskset -c 1 ./own_loop INPUT.raw SECONDS
 *
 * NETWORK is what the header's names begin with. INPUT.raw holds the network's input in floats. After
 * a tenth of SECONDS that does not count, prints the mean milliseconds of the runs that follow.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include HEADER

#define JOIN_(prefix, name) prefix##_##name
#define JOIN(prefix, name) JOIN_(prefix, name)
#define FUNCTION(name) JOIN(NETWORK, name)

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + 1e-9 * time.tv_nsec;
}

/* Mean seconds of the runs of `network` that fit into `seconds`, one at least. */
static double mean(NETWORK *network, const float *input, double seconds) {
  static float output[OUTPUTS];
  double begin = now(), end;
  int runs = 0;
  do {
    if (FUNCTION(run)(network, input, INPUTS, output, OUTPUTS) != 0) exit(1);
    ++runs;
    end = now();
  } while (end - begin < seconds);
  return (end - begin) / runs;
}

int main(int count, char **arguments) {
  static float input[INPUTS];
  NETWORK *network;
  if (count != 3) return 2;
  FILE *file = fopen(arguments[1], "rb");
  double seconds = atof(arguments[2]);
  if (file == NULL || fread(input, sizeof *input, INPUTS, file) != INPUTS) return 1;
  fclose(file);
  if (FUNCTION(create)(&network, NULL) != 0) return 1;
  mean(network, input, seconds / 10);
  printf("%.6f\n", 1e3 * mean(network, input, seconds));
  FUNCTION(destroy)(network);
  return 0;
}
