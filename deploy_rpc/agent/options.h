/* The agent's command line. */
#pragma once
#include <stdbool.h>

enum { LONGEST_KEY = 256 };

typedef struct {
  const char *host, *key, *key_file, *work, *tracker;
  int port, session_limit_s, user;
  bool exit_with_stdin, allow_remote;
} Options;

/* The options; leaves with 2 and the usage where they make no sense. */
Options parse_options(int count, char **arguments);
