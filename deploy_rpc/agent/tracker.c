#define _GNU_SOURCE
#include "tracker.h"

#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handshake.h"
#include "waiting.h"

enum {
  TRACKER_MAGIC = 0x2f271,
  TRACKER_PUT = 3,
  TRACKER_UPDATE_INFO = 5,
  TRACKER_PENDING = 7,
  LONGEST_ANSWER = 1 << 16,
  PERIODS_TO_COME = 3, /* in which a client that got our password has to connect */
};

/* Sends one message and reads its answer as a text; false where the tracker does not answer. */
static bool ask_tracker(int connection, const char *message, char *answer, size_t space) {
  int32_t length = (int32_t)strlen(message);
  int64_t deadline_ms = now_ms() + HANDSHAKE_LIMIT_S * 1000;
  if (!transmit(connection, &length, sizeof length)) return false;
  if (!transmit(connection, message, (size_t)length)) return false;
  if (!receive(connection, &length, sizeof length, deadline_ms)) return false;
  if (length < 0 || (size_t)length >= space) return false;
  if (!receive(connection, answer, (size_t)length, deadline_ms)) return false;
  answer[length] = '\0';
  return true;
}

static bool tell_tracker(int connection, const char *message) {
  char answer[16];
  return ask_tracker(connection, message, answer, sizeof answer) && strcmp(answer, "0") == 0;
}

/* A connection to the first of the addresses of HOST:PORT that takes one; -1 with a `fault`. */
static int connect_address(const char *name, const char **fault) {
  char host[NI_MAXHOST];
  const char *colon = strrchr(name, ':'), *begin = name, *end = colon;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
  if (*begin == '[' && end[-1] == ']') ++begin, --end; /* of IPv6 */
  snprintf(host, sizeof host, "%.*s", (int)(end - begin), begin);
  int error = getaddrinfo(host, colon + 1, &hints, &found), connection = -1;
  if (error) *fault = error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);
  for (const struct addrinfo *at = found; at != NULL && connection < 0; at = at->ai_next) {
    connection = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    limit_sends(connection, HANDSHAKE_LIMIT_S); /* and the connecting */
    if (connection >= 0 && connect(connection, at->ai_addr, at->ai_addrlen) == 0) continue;
    *fault = strerror(errno);
    if (connection >= 0) close(connection);
    connection = -1;
  }
  if (found) freeaddrinfo(found);
  return connection;
}

/* A connection to the tracker of `options`, which knows us; -1 with a `fault` where there is none. */
static int connect_tracker(const Options *options, const char **fault) {
  char message[LONGEST_KEY + 64];
  int connection = connect_address(options->tracker, fault);
  if (connection < 0) return -1;
  int64_t deadline_ms = now_ms() + HANDSHAKE_LIMIT_S * 1000;
  int32_t magic = TRACKER_MAGIC;
  snprintf(message, sizeof message, "[%d, {\"key\": \"server:%s\", \"addr\": [null, %d]}]",
           TRACKER_UPDATE_INFO, options->key, options->port);
  bool is_known = transmit(connection, &magic, sizeof magic) &&
                  receive(connection, &magic, sizeof magic, deadline_ms) &&
                  magic == TRACKER_MAGIC && tell_tracker(connection, message);
  if (is_known) return connection;
  *fault = "what answers there is none";
  close(connection);
  return -1;
}

/* Offers this board for one session, under a new password. */
static bool put(Tracker *tracker, const Options *options) {
  uint64_t random[2];
  char message[2 * sizeof tracker->password + 64];
  draw(random, sizeof random);
  snprintf(tracker->password, sizeof tracker->password, "%s:%016llx%016llx", options->key,
           (unsigned long long)random[0], (unsigned long long)random[1]);
  snprintf(message, sizeof message, "[%d, \"%s\", [%d, \"%s\"], null]", TRACKER_PUT, options->key,
           options->port, tracker->password);
  tracker->missed = 0;
  return tell_tracker(tracker->connection, message);
}

/* Whether the password is still the tracker's to give; counts the periods in which it is not. */
static bool is_pending(Tracker *tracker) {
  static char answer[LONGEST_ANSWER];
  char message[8];
  snprintf(message, sizeof message, "[%d]", TRACKER_PENDING);
  if (!ask_tracker(tracker->connection, message, answer, sizeof answer)) return false;
  tracker->missed = strstr(answer, tracker->password) ? 0 : tracker->missed + 1;
  return true;
}

static void leave_tracker(Tracker *tracker, const Options *options) {
  if (tracker->connection >= 0) close(tracker->connection);
  if (!tracker->was_lost)
    fprintf(stderr, "agent: no tracker at %s (%s); trying again every %d s\n", options->tracker,
            tracker->fault, TRACKER_PERIOD_MS / 1000);
  tracker->connection = -1;
  tracker->was_lost = true;
}

void visit_tracker(Tracker *tracker, const Options *options, bool renew) {
  if (tracker->connection < 0) {
    tracker->connection = connect_tracker(options, &tracker->fault);
    renew = true;
    if (tracker->connection >= 0) {
      fprintf(stderr, "agent: registered as %s at %s\n", options->key, options->tracker);
      tracker->was_lost = false;
      tracker->fault = "it left, or does not answer";
    }
  }
  bool well = tracker->connection >= 0 && (renew || is_pending(tracker));
  if (well && (renew || tracker->missed >= PERIODS_TO_COME)) well = put(tracker, options);
  if (!well) leave_tracker(tracker, options);
}
