#define _GNU_SOURCE
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folders.h"
#include "offered.h"
#include "waiting.h"

enum { LARGEST_FILE = 1 << 30, FAREWELL_MS = 5000 };

static void limit(int resource, rlim_t value) {
  struct rlimit both = {value, value};
  setrlimit(resource, &both);
}

/* Goes into the session's folder and stops being root. The runtime finds files by their names in
 * that folder, so that nobody needs to pass through the folders above it. */
static void confine(const char *folder, int user) {
  limit(RLIMIT_CORE, 0); /* a crash leaves no file */
  limit(RLIMIT_FSIZE, LARGEST_FILE);
  if (chdir(folder) != 0) fail(folder);
  if (geteuid() != 0 || user == 0) return;
  if (chown(".", (uid_t)user, (gid_t)user) != 0 || setgroups(0, NULL) != 0 ||
      setgid((gid_t)user) != 0 || setuid((uid_t)user) != 0)
    fail("cannot stop being root (start me as another user, or give --user-id 0)");
}

/* The session's process: serves until the client leaves. */
static void serve(int connection, pid_t agent, const char *folder, int user) {
  setpgid(0, 0);
  confine(folder, user);
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* the kernel forgets it when the user changes */
  if (getppid() != agent) _exit(1);
  signal(SIGTERM, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  sigprocmask(SIG_SETMASK, &unblocked, NULL);
  _exit(serve_functions(connection) ? 0 : 1);
}

static const char *end_of(int status) {
  if (WIFSIGNALED(status)) return strsignal(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "the client left" : "it broke off";
}

/* The smaller of two limits in seconds, where 0 is none. */
static int smaller_limit(int a, int b) { return a && (!b || a < b) ? a : b; }

/* Waits until the session's process, which `alive` tells of, has ended; false where it outlasts the
 * deadline, or its client by more than a moment, as one that hangs in a kernel does. */
static bool has_ended(int alive, int connection, int64_t deadline_ms) {
  if (!wait_for_either(alive, connection, deadline_ms)) return false;
  int64_t farewell_ms = now_ms() + FAREWELL_MS;
  return wait_for(alive, deadline_ms && deadline_ms < farewell_ms ? deadline_ms : farewell_ms);
}

/* Ends the session's process, and what it started while its number is nobody else's, and tells how
 * the process ended. It is killed in any case, which changes nothing for one that has ended: it may
 * have closed its end of `alive` and gone on. */
static int end_session(pid_t session) {
  int status = 0;
  siginfo_t end;
  kill(session, SIGKILL);
  while (waitid(P_PID, (id_t)session, &end, WEXITED | WNOWAIT) < 0 && errno == EINTR) continue;
  kill(-session, SIGKILL);
  while (waitpid(session, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

/* Starts the session's process, which holds the other end of `alive` for as long as it lives; -1,
 * with errno, where there can be none now. */
static pid_t start_process(int listener, int connection, const char *folder, int user, int *alive) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  pid_t agent = getpid(), session = fork();
  if (session == 0) {
    close(listener), close(ends[0]);
    serve(connection, agent, folder, user);
  }
  int fault = errno;
  close(ends[1]);
  if (session < 0) close(ends[0]);
  else *alive = ends[0];
  errno = fault;
  return session;
}

/* Takes leave of a client that there is no folder, pipe or process for: the next one may have more
 * luck. */
static void run_none(int connection, const char *client) {
  fprintf(stderr, "agent: no session for %s: %s\n", client, strerror(errno));
  close(connection);
}

void run_session(int listener, int connection, const char *client, int wanted_limit_s,
                 const Options *options) {
  int alive, limit_s = smaller_limit(options->session_limit_s, wanted_limit_s);
  int64_t begin_ms = now_ms();
  WorkFolder folder;
  if (!make_folder(options->work, &folder)) {
    run_none(connection, client);
    return;
  }
  pid_t session = start_process(listener, connection, folder.path, options->user, &alive);
  if (session < 0) {
    run_none(connection, client);
    remove_folder(&folder);
    return;
  }
  int64_t deadline_ms = limit_s ? begin_ms + (int64_t)limit_s * 1000 : 0;
  bool ended = has_ended(alive, connection, deadline_ms);
  int status = end_session(session);
  close(alive), close(connection);
  fprintf(stderr, "agent: session of %s, %.1f s: ", client, 1e-3 * (double)(now_ms() - begin_ms));
  if (!ended && !stopping && deadline_ms && now_ms() >= deadline_ms)
    fprintf(stderr, "the session's %d s are over\n", limit_s);
  else if (!ended && !stopping) fprintf(stderr, "the client left, and it went on\n");
  else fprintf(stderr, "%s\n", stopping ? "the agent is to stop" : end_of(status));
  remove_folder(&folder);
}
