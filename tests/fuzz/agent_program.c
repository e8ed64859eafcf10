/* Reads messages, each with its length before it, and gives each to every conversation of the agent;
 * a dot for each message that the agent survived. */
#include "tracker.c"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>

#include "handshake.h"

enum { LONGEST = 1 << 17 };

static char message[LONGEST];

/* A connection at whose other end `message` was said, and from which nobody reads. */
static int heard(size_t size, int *other) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) fail("cannot make sockets");
  limit_sends(ends[1], 1);
  size_t sent = size < 65536 ? size : 65536; /* what a socket takes at once */
  if (!transmit(ends[1], message, sent)) fail("cannot send");
  shutdown(ends[1], SHUT_WR);
  *other = ends[1];
  return ends[0];
}

typedef struct {
  int listener;
  size_t size;
} Answerer;

/* What a tracker does, or nearly: takes one connection, says `message`, reads to its end. */
static void *answer(void *argument) {
  const Answerer *answerer = argument;
  int connection = accept(answerer->listener, NULL, NULL);
  if (connection < 0) return NULL;
  limit_sends(connection, 1);
  transmit(connection, message, answerer->size);
  shutdown(connection, SHUT_WR);
  for (char read_away[256]; read(connection, read_away, sizeof read_away) > 0;) {}
  close(connection);
  return NULL;
}

/* The agent connects to a tracker that answers with `message`, puts itself there, and asks. */
static void visit(size_t size) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t space = sizeof address;
  Answerer answerer = {.listener = socket(AF_INET, SOCK_STREAM, 0), .size = size};
  pthread_t thread;
  char name[32];
  if (bind(answerer.listener, (struct sockaddr *)&address, space) != 0 ||
      listen(answerer.listener, 1) != 0 ||
      getsockname(answerer.listener, (struct sockaddr *)&address, &space) != 0 ||
      pthread_create(&thread, NULL, answer, &answerer) != 0)
    fail("cannot play the tracker");
  snprintf(name, sizeof name, "127.0.0.1:%d", ntohs(address.sin_port));
  Options options = {.key = "rpi4", .tracker = name, .port = 9090};
  Tracker tracker = {.connection = -1, .was_lost = true};
  visit_tracker(&tracker, &options, false);
  if (tracker.connection >= 0) visit_tracker(&tracker, &options, false);
  if (tracker.connection >= 0) close(tracker.connection);
  shutdown(answerer.listener, SHUT_RDWR);
  pthread_join(thread, NULL);
  close(answerer.listener);
}

static void converse(size_t size) {
  static const Secret secret = {"0123456789abcdef0123456789abcdef", 32};
  static const Options options = {.key = "rpi4", .tracker = "127.0.0.1:1", .port = 9090};
  for (int which = 0; which < 4; ++which) {
    Tracker tracker = {.connection = -1, .password = "rpi4:0123"};
    int other, limit_s, connection = heard(size, &other);
    tracker.connection = connection;
    if (which == 0) shake_hands(connection, "secret", "rpi4", &limit_s);
    if (which == 1 && is_trusted(connection, &secret, "127.0.0.1:9090 rpi4:0123")) fail("a stranger is trusted");
    if (which == 2) put(&tracker, &options);
    if (which == 3) is_pending(&tracker);
    close(connection), close(other);
  }
  visit(size);
}

int main(void) {
  uint32_t size;
  signal(SIGPIPE, SIG_IGN);
  sigprocmask(SIG_BLOCK, NULL, &unblocked);
  while (fread(&size, sizeof size, 1, stdin) == 1) {
    if (size > sizeof message || fread(message, 1, size, stdin) != size) return 2;
    converse(size);
    putchar('.');
    fflush(stdout);
  }
  return 0;
}
