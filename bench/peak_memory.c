/* Runs a program and prints the highest resident set of it, in KiB, behind its own output.
 *
 * A program of its own, because a process keeps the mark of the one that it was forked from: from
 * a small one, that mark is small.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments) {
  int status;
  struct rusage usage;
  if (count < 2) return 2;
  pid_t child = fork();
  if (child < 0) return 1;
  if (child == 0) {
    execv(arguments[1], arguments + 1);
    _exit(127);
  }
  if (wait4(child, &status, 0, &usage) != child || status != 0) return 1;
  printf("%ld\n", usage.ru_maxrss);
  return 0;
}
