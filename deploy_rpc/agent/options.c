#define _GNU_SOURCE
#include "options.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOBODY = 65534, LONGEST_LIMIT_S = 7 * 24 * 3600, SESSION_NAME = 32 };

static void usage(const char *fault) {
  fprintf(stderr,
          "agent: %s\nusage: agent [--host ADDRESS] [--port PORT] [--key-file FILE] [--key KEY] "
          "[--tracker HOST:PORT]\n             [--work FOLDER] [--session-limit SECONDS] "
          "[--user-id UID] [--exit-with-stdin] [--allow-remote]\n",
          fault);
  exit(2);
}

static int number(const char *text, int largest) {
  char *end;
  long value = strtol(text, &end, 10);
  if (end == text || *end || value < 0 || value > largest) usage(text);
  return (int)value;
}

/* A key stands in JSON and before a blank: letters, digits and `-_.+` need no quoting anywhere. */
static bool is_key(const char *text) {
  for (; *text; ++text)
    if (!isalnum((unsigned char)*text) && !strchr("-_.+", *text)) return false;
  return true;
}

/* Whether a number follows the last colon, and a name precedes it. */
static bool is_address(const char *text) {
  const char *colon = strrchr(text, ':');
  return colon && colon != text && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

static void check(const Options *options) {
  if (strlen(options->key) > LONGEST_KEY) usage("the key is too long");
  if (!is_key(options->key)) usage("a key has letters, digits and -_.+ only");
  if (options->tracker && !*options->key) usage("--tracker needs a --key to offer this board under");
  if (options->tracker && !is_address(options->tracker)) usage("--tracker expects HOST:PORT");
  if (strlen(options->work) + SESSION_NAME > PATH_MAX - NAME_MAX - 2)
    usage("the work folder's path is too long");
}

Options parse_options(int count, char **arguments) {
  Options options = {.host = "127.0.0.1", .port = 9090, .key = "", .work = "/tmp",
                     .user = NOBODY};
  for (int i = 1; i < count; ++i) {
    const char *name = arguments[i];
    if (strcmp(name, "--exit-with-stdin") == 0) options.exit_with_stdin = true;
    else if (strcmp(name, "--allow-remote") == 0) options.allow_remote = true;
    else if (i + 1 == count) usage(name);
    else if (strcmp(name, "--host") == 0) options.host = arguments[++i];
    else if (strcmp(name, "--port") == 0) options.port = number(arguments[++i], 65535);
    else if (strcmp(name, "--key-file") == 0) options.key_file = arguments[++i];
    else if (strcmp(name, "--key") == 0) options.key = arguments[++i];
    else if (strcmp(name, "--tracker") == 0) options.tracker = arguments[++i];
    else if (strcmp(name, "--user-id") == 0) options.user = number(arguments[++i], NOBODY);
    else if (strcmp(name, "--work") == 0) options.work = arguments[++i];
    else if (strcmp(name, "--session-limit") == 0)
      options.session_limit_s = number(arguments[++i], LONGEST_LIMIT_S);
    else usage(name);
  }
  check(&options);
  return options;
}
