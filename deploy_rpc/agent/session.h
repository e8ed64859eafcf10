/* One client's session: a process with a work folder of its own, which is removed afterwards. */
#pragma once
#include "options.h"

/* Serves the client at `connection`, which is closed, until it leaves or a limit is over: the
 * smaller of its own and the agent's, 0 where there is none. `listener` is closed in the session's
 * process; `client` is what the log calls it. */
void run_session(int listener, int connection, const char *client, int wanted_limit_s,
                 const Options *options);
