/* Our place at a tracker, by the messages of tvm/rpc/tracker.py. */
#pragma once
#include <stdbool.h>

#include "options.h"

enum { TRACKER_PERIOD_MS = 2000 };

/* `password` is what the next client has to know: the tracker tells it. */
typedef struct {
  int connection; /* -1 where there is none */
  int missed;     /* periods in a row in which the tracker had given the password away */
  bool was_lost;
  const char *fault; /* why there is none */
  char password[LONGEST_KEY + 40];
} Tracker;

/* Connects and offers the board where that is due; `renew` after a session. */
void visit_tracker(Tracker *tracker, const Options *options, bool renew);
