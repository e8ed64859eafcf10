#define _GNU_SOURCE
#include "waiting.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t stopping = 0;
sigset_t unblocked;
static int watched_input = -1;

void fail(const char *what) {
  fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void stop(int signal_number) {
  (void)signal_number;
  stopping = 1;
}

void catch_signals(bool exit_with_stdin) {
  sigset_t blocked;
  struct sigaction action = {.sa_handler = stop};
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGINT);
  sigprocmask(SIG_BLOCK, &blocked, &unblocked);
  sigdelset(&unblocked, SIGTERM);
  sigdelset(&unblocked, SIGINT);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  watched_input = exit_with_stdin ? STDIN_FILENO : -1;
}

int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whether nothing more comes from the watched input; what was typed there is read away. */
static bool input_has_ended(void) {
  char read_away[256];
  ssize_t count = read(watched_input, read_away, sizeof read_away);
  return count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN);
}

bool wait_for_either(int descriptor, int connection, int64_t deadline_ms) {
  struct pollfd watched[3] = {{.fd = descriptor, .events = POLLIN},
                              {.fd = connection, .events = POLLRDHUP},
                              {.fd = watched_input, .events = POLLIN}};
  while (!stopping) {
    int64_t left = deadline_ms - now_ms();
    if (deadline_ms && left <= 0) return false;
    struct timespec limit = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
    int count = ppoll(watched, 3, deadline_ms ? &limit : NULL, &unblocked);
    if (count < 0 && errno != EINTR) fail("cannot wait");
    if (count <= 0) continue;
    if (watched[2].revents && input_has_ended()) stopping = 1;
    else if (watched[0].revents || watched[1].revents) return true;
  }
  return false;
}

bool wait_for(int descriptor, int64_t deadline_ms) {
  return wait_for_either(descriptor, -1, deadline_ms);
}

bool receive(int connection, void *data, size_t size, int64_t deadline_ms) {
  for (char *at = data; size > 0;) {
    if (!wait_for(connection, deadline_ms)) return false;
    ssize_t count = recv(connection, at, size, MSG_DONTWAIT);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return false;
    at += count, size -= (size_t)count;
  }
  return true;
}

bool transmit(int connection, const void *data, size_t size) {
  for (const char *at = data; size > 0;) {
    ssize_t count = send(connection, at, size, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR && !stopping) continue;
    if (count <= 0) return false;
    at += count, size -= (size_t)count;
  }
  return true;
}

void limit_sends(int connection, int seconds) {
  struct timeval limit = {.tv_sec = seconds};
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}
