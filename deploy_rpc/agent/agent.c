/* The board's side of a session: TVM's RPC server without Python, 20 KB beside the runtime.
 *
 *   agent [--host ADDRESS] [--port PORT] [--key KEY] [--tracker HOST:PORT] [--work FOLDER]
 *         [--session-limit SECONDS] [--user-id UID] [--exit-with-stdin] [--allow-remote]
 *
 * It listens, prints `listening on ADDRESS:PORT`, and serves one client at a time, each in a
 * process of its own with a work folder of its own, which is removed afterwards. Port 0 takes a
 * free one. With --tracker it offers itself there under its key, with a new password for each
 * session, and comes back to a tracker that was gone. With --exit-with-stdin it ends when its
 * standard input does, so that it cannot outlive the program that started it. Each session is a
 * line on the standard error.
 *
 * TVM's RPC runs whatever a client sends. So it listens on the loopback unless --allow-remote is
 * given (reach a board through an SSH or adb tunnel), upload names stay inside the work folder, and
 * where it was started as root, sessions run as UID (65534, nobody).
 *
 * The wire formats are those of tvm/rpc/server.py and tracker.py; what follows the hand-shake is
 * left to the runtime's own `rpc.ServerLoop`. Only the C API of tvm_ffi is used: no C++ library is
 * mixed in.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <tvm/ffi/c_api.h>
#include <unistd.h>

#if defined(__aarch64__)
#define ISA "aarch64"
#elif defined(__arm__)
#define ISA "arm"
#elif defined(__x86_64__)
#define ISA "x86_64"
#else
#error "no name for this architecture; add it here and to MACHINES in elf.py"
#endif

enum {
  RPC_MAGIC = 0xff271,
  RPC_KEY_MISMATCH = RPC_MAGIC + 2,
  TRACKER_MAGIC = 0x2f271,
  TRACKER_PUT = 3,
  TRACKER_UPDATE_INFO = 5,
  TRACKER_PENDING = 7,
  LONGEST_KEY = 256,
  LONGEST_ANSWER = 1 << 16, /* of a tracker */
  HANDSHAKE_LIMIT_S = 5,
  TRACKER_PERIOD_MS = 2000,
  PERIODS_TO_COME = 3, /* in which a client that got our password has to connect */
  NOBODY = 65534,
  MOST_OPEN_FOLDERS = 8,
};

typedef struct {
  const char *host, *key, *work, *tracker;
  int port, session_limit_s, user;
  bool exit_with_stdin, allow_remote;
} Options;

/* Our place at a tracker. `password` is what the next client has to know: the tracker tells it. */
typedef struct {
  int connection; /* -1 where there is none */
  int missed;     /* periods in a row in which the tracker had given the password away */
  bool was_lost;
  char password[LONGEST_KEY + 40];
} Tracker;

static volatile sig_atomic_t stopping = 0;
static sigset_t unblocked; /* the signal mask while the agent waits */
static char work_folder[PATH_MAX - NAME_MAX - 2];

static void fail(const char *what) {
  fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* ---- What a session offers to its client ------------------------------------------------- */

static TVMFFIByteArray bytes_of(const char *text) {
  TVMFFIByteArray bytes = {text, strlen(text)};
  return bytes;
}

static bool is_plain_name(TVMFFIByteArray name) {
  if (name.size == 0 || name.size > NAME_MAX) return false;
  if (memchr(name.data, '/', name.size) || memchr(name.data, '\0', name.size)) return false;
  bool dots = name.data[0] == '.' && (name.size == 1 || (name.size == 2 && name.data[1] == '.'));
  return !dots;
}

static bool string_argument(const TVMFFIAny *value, TVMFFIByteArray *text) {
  switch (value->type_index) {
    case kTVMFFIRawStr:
      *text = bytes_of(value->v_c_str);
      return true;
    case kTVMFFISmallStr:
      text->data = value->v_bytes;
      text->size = value->small_str_len;
      return true;
    case kTVMFFIStr:
      *text = *(const TVMFFIByteArray *)((const char *)value->v_obj + sizeof(TVMFFIObject));
      return true;
    default:
      return false;
  }
}

/* The path in the work folder that the only argument names; -1 with a TVM error if it names none. */
static int path_argument(const TVMFFIAny *arguments, int32_t count, char path[PATH_MAX]) {
  TVMFFIByteArray name;
  if (count != 1 || !string_argument(&arguments[0], &name)) {
    TVMFFIErrorSetRaisedFromCStr("TypeError", "expected one argument, the name of a file");
    return -1;
  }
  if (!is_plain_name(name)) {
    TVMFFIErrorSetRaisedFromCStr(
        "ValueError", "expected a plain file name: no folders, no `..`, at most 255 bytes");
    return -1;
  }
  snprintf(path, PATH_MAX, "%s/%.*s", work_folder, (int)name.size, name.data);
  return 0;
}

/* tvm.rpc.server.workpath(name): where uploads, downloads and removals take place. */
static int work_path(void *self, const TVMFFIAny *arguments, int32_t count, TVMFFIAny *result) {
  (void)self;
  char path[PATH_MAX];
  if (path_argument(arguments, count, path) != 0) return -1;
  TVMFFIByteArray bytes = bytes_of(path);
  return TVMFFIStringFromByteArray(&bytes, result);
}

/* tvm.rpc.server.load_module(name): a library that was uploaded, as a module. */
static int load_module(void *self, const TVMFFIAny *arguments, int32_t count, TVMFFIAny *result) {
  (void)self;
  char path[PATH_MAX];
  if (path_argument(arguments, count, path) != 0) return -1;
  TVMFFIByteArray name = bytes_of("ffi.ModuleLoadFromFile");
  TVMFFIObjectHandle load;
  if (TVMFFIFunctionGetGlobal(&name, &load) != 0) return -1;
  TVMFFIAny argument = {.type_index = kTVMFFIRawStr, .v_c_str = path};
  int status = TVMFFIFunctionCall(load, &argument, 1, result);
  TVMFFIObjectDecRef(load);
  return status;
}

/* shufflenet.board_isa(): what this board runs, as elf.py names it. */
static int board_isa(void *self, const TVMFFIAny *arguments, int32_t count, TVMFFIAny *result) {
  (void)self, (void)arguments, (void)count;
  TVMFFIByteArray bytes = bytes_of(ISA);
  return TVMFFIStringFromByteArray(&bytes, result);
}

/* shufflenet.board_file(name): the first line of a file that tells of the board's state. */
static int board_file(void *self, const TVMFFIAny *arguments, int32_t count, TVMFFIAny *result) {
  static const struct { const char *name, *path; } files[] = {
      {"governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"},
      {"frequency", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"},
      {"temperature", "/sys/class/thermal/thermal_zone0/temp"},
      {"load", "/proc/loadavg"},
  };
  (void)self;
  TVMFFIByteArray name;
  char line[128] = "";
  if (count != 1 || !string_argument(&arguments[0], &name)) {
    TVMFFIErrorSetRaisedFromCStr("TypeError", "expected one argument, a name");
    return -1;
  }
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
    if (strlen(files[i].name) != name.size || memcmp(files[i].name, name.data, name.size)) continue;
    FILE *file = fopen(files[i].path, "r");
    if (file == NULL) continue;
    if (fgets(line, sizeof line, file) == NULL) line[0] = '\0';
    fclose(file);
  }
  line[strcspn(line, "\n")] = '\0';
  TVMFFIByteArray bytes = bytes_of(line);
  return TVMFFIStringFromByteArray(&bytes, result);
}

static void offer(const char *name, TVMFFISafeCallType function) {
  TVMFFIByteArray bytes = bytes_of(name);
  TVMFFIObjectHandle handle;
  if (TVMFFIFunctionCreate(NULL, function, NULL, &handle) != 0 ||
      TVMFFIFunctionSetGlobal(&bytes, handle, 1) != 0) {
    fprintf(stderr, "agent: the runtime refused the function %s\n", name);
    exit(1);
  }
  TVMFFIObjectDecRef(handle);
}

static TVMFFIObjectHandle server_loop(void) {
  TVMFFIByteArray name = bytes_of("rpc.ServerLoop");
  TVMFFIObjectHandle loop = NULL;
  if (TVMFFIFunctionGetGlobal(&name, &loop) != 0 || loop == NULL) {
    fprintf(stderr, "agent: no rpc.ServerLoop: libtvm_runtime.so beside me is missing or too old\n");
    exit(1);
  }
  return loop;
}

/* ---- Hand-shake -------------------------------------------------------------------------- */

static bool receive(int connection, void *data, size_t size) {
  for (char *at = data; size > 0;) {
    ssize_t count = recv(connection, at, size, 0);
    if (count < 0 && errno == EINTR && !stopping) continue;
    if (count <= 0) return false;
    at += count, size -= (size_t)count;
  }
  return true;
}

static bool transmit(int connection, const void *data, size_t size) {
  for (const char *at = data; size > 0;) {
    ssize_t count = send(connection, at, size, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR && !stopping) continue;
    if (count <= 0) return false;
    at += count, size -= (size_t)count;
  }
  return true;
}

static void limit_waits(int connection, int seconds) {
  struct timeval limit = {.tv_sec = seconds};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* Reads `magic, length, "client:PASSWORD [-timeout=SECONDS]"`, answers `magic, length,
 * "server:KEY"`. `limit_s` becomes the client's timeout, 0 where it wants none. */
static bool shake_hands(int connection, const char *password, const char *key, int *limit_s) {
  int32_t number, length;
  char theirs[2 * LONGEST_KEY], ours[2 * LONGEST_KEY];
  if (!receive(connection, &number, sizeof number) || number != RPC_MAGIC) return false;
  if (!receive(connection, &length, sizeof length)) return false;
  if (length < 0 || (size_t)length >= sizeof theirs) return false;
  if (!receive(connection, theirs, (size_t)length)) return false;
  theirs[length] = '\0';
  const char *timeout = strstr(theirs, " -timeout=");
  double seconds = timeout ? atof(timeout + sizeof " -timeout=" - 1) : 0;
  *limit_s = seconds >= 1 && seconds < INT_MAX ? (int)seconds : 0;
  theirs[strcspn(theirs, " ")] = '\0';
  snprintf(ours, sizeof ours, "client:%s", password);
  number = strcmp(theirs, ours) == 0 ? RPC_MAGIC : RPC_KEY_MISMATCH;
  if (!transmit(connection, &number, sizeof number) || number != RPC_MAGIC) return false;
  length = snprintf(ours, sizeof ours, "server:%s", key);
  return transmit(connection, &length, sizeof length) &&
         transmit(connection, ours, (size_t)length);
}

/* ---- One session ------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *at) {
  (void)status, (void)kind, (void)at;
  remove(path);
  return 0;
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until `descriptor` has something, or ends; false when the agent is to stop, or on `limit`.
 * `deadline_ms` of 0 is no deadline. */
static bool wait_for(int descriptor, const Options *options, int64_t deadline_ms) {
  struct pollfd watched[2] = {
      {.fd = descriptor, .events = POLLIN},
      {.fd = options->exit_with_stdin ? STDIN_FILENO : -1, .events = POLLIN},
  };
  while (!stopping) {
    int64_t left = deadline_ms - now_ms();
    if (deadline_ms && left <= 0) return false;
    struct timespec limit = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
    int count = ppoll(watched, 2, deadline_ms ? &limit : NULL, &unblocked);
    if (count < 0 && errno != EINTR) fail("cannot wait");
    if (count <= 0) continue;
    if (watched[1].revents) stopping = 1;
    else if (watched[0].revents) return true;
  }
  return false;
}

/* Goes into the session's folder and stops being root. The runtime finds files by their names in
 * that folder, so that nobody needs to pass through the folders above it. */
static void confine(int user) {
  if (chdir(work_folder) != 0) fail(work_folder);
  strcpy(work_folder, ".");
  if (geteuid() != 0 || user == 0) return;
  if (chown(work_folder, (uid_t)user, (gid_t)user) != 0 || setgroups(0, NULL) != 0 ||
      setgid((gid_t)user) != 0 || setuid((uid_t)user) != 0)
    fail("cannot stop being root (start me as another user, or give --user-id 0)");
}

/* The session's process: serves until the client leaves. */
static void serve(int connection, pid_t agent, const Options *options) {
  confine(options->user);
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* the kernel forgets it when the user changes */
  if (getppid() != agent) _exit(1);
  signal(SIGTERM, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  sigprocmask(SIG_SETMASK, &unblocked, NULL);
  offer("tvm.rpc.server.workpath", work_path);
  offer("tvm.rpc.server.load_module", load_module);
  offer("shufflenet.board_isa", board_isa);
  offer("shufflenet.board_file", board_file);
  TVMFFIAny argument = {.type_index = kTVMFFIInt, .v_int64 = connection};
  TVMFFIAny result = {.type_index = kTVMFFINone};
  _exit(TVMFFIFunctionCall(server_loop(), &argument, 1, &result) == 0 ? 0 : 1);
}

static const char *end_of(int status) {
  if (WIFSIGNALED(status)) return strsignal(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "the client left" : "it broke off";
}

/* The smaller of two limits in seconds, where 0 is none. */
static int smaller_limit(int a, int b) { return a && (!b || a < b) ? a : b; }

static void run_session(int listener, int connection, const char *client, int wanted_limit_s,
                        const Options *options) {
  int alive[2]; /* the session's process holds the writing end for as long as it lives */
  int limit_s = smaller_limit(options->session_limit_s, wanted_limit_s);
  int64_t begin_ms = now_ms();
  snprintf(work_folder, sizeof work_folder, "%s/session-XXXXXX", options->work);
  if (mkdtemp(work_folder) == NULL) fail(work_folder);
  if (pipe2(alive, O_CLOEXEC) != 0) fail("cannot make a pipe");
  pid_t agent = getpid(), session = fork();
  if (session < 0) fail("cannot start a process");
  if (session == 0) {
    close(listener), close(alive[0]);
    serve(connection, agent, options);
  }
  close(alive[1]), close(connection);
  bool ended = wait_for(alive[0], options, limit_s ? begin_ms + (int64_t)limit_s * 1000 : 0);
  if (!ended) kill(session, SIGKILL);
  int status = 0;
  while (waitpid(session, &status, 0) < 0 && errno == EINTR) continue;
  close(alive[0]);
  fprintf(stderr, "agent: session of %s, %.1f s: ", client, 1e-3 * (double)(now_ms() - begin_ms));
  if (!ended && !stopping) fprintf(stderr, "the session's %d s are over\n", limit_s);
  else fprintf(stderr, "%s\n", stopping ? "the agent is to stop" : end_of(status));
  nftw(work_folder, remove_entry, MOST_OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
}

/* ---- The tracker ------------------------------------------------------------------------- */

/* Sends one message and reads its answer as a text; false where the tracker does not answer. */
static bool ask_tracker(int connection, const char *message, char *answer, size_t space) {
  int32_t length = (int32_t)strlen(message);
  if (!transmit(connection, &length, sizeof length)) return false;
  if (!transmit(connection, message, (size_t)length)) return false;
  if (!receive(connection, &length, sizeof length)) return false;
  if (length < 0 || (size_t)length >= space) return false;
  if (!receive(connection, answer, (size_t)length)) return false;
  answer[length] = '\0';
  return true;
}

static bool tell_tracker(int connection, const char *message) {
  char answer[16];
  return ask_tracker(connection, message, answer, sizeof answer) && strcmp(answer, "0") == 0;
}

/* A connection to the tracker of `options`, -1 where there is none. */
static int connect_tracker(const Options *options) {
  char host[NI_MAXHOST], message[LONGEST_KEY + 64];
  const char *colon = strrchr(options->tracker, ':');
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
  snprintf(host, sizeof host, "%.*s", (int)(colon - options->tracker), options->tracker);
  if (getaddrinfo(host, colon + 1, &hints, &found) != 0) return -1;
  int connection = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  limit_waits(connection, HANDSHAKE_LIMIT_S);
  int32_t magic = TRACKER_MAGIC;
  snprintf(message, sizeof message, "[%d, {\"key\": \"server:%s\", \"addr\": [null, %d]}]",
           TRACKER_UPDATE_INFO, options->key, options->port);
  bool connected = connect(connection, found->ai_addr, found->ai_addrlen) == 0 &&
                   transmit(connection, &magic, sizeof magic) &&
                   receive(connection, &magic, sizeof magic) && magic == TRACKER_MAGIC &&
                   tell_tracker(connection, message);
  freeaddrinfo(found);
  if (connected) return connection;
  close(connection);
  return -1;
}

/* Offers this board for one session, under a new password. */
static bool put(Tracker *tracker, const Options *options) {
  uint64_t random[2];
  char message[2 * sizeof tracker->password + 64];
  if (getrandom(random, sizeof random, 0) != sizeof random) fail("no random numbers");
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
    fprintf(stderr, "agent: no tracker at %s; trying again every %d s\n", options->tracker,
            TRACKER_PERIOD_MS / 1000);
  tracker->connection = -1;
  tracker->was_lost = true;
}

/* Connects and offers the board where that is due; `renew` after a session. */
static void visit_tracker(Tracker *tracker, const Options *options, bool renew) {
  if (tracker->connection < 0) {
    tracker->connection = connect_tracker(options);
    renew = true;
    if (tracker->connection >= 0) {
      fprintf(stderr, "agent: registered as %s at %s\n", options->key, options->tracker);
      tracker->was_lost = false;
    }
  }
  bool well = tracker->connection >= 0 && (renew || is_pending(tracker));
  if (well && (renew || tracker->missed >= PERIODS_TO_COME)) well = put(tracker, options);
  if (!well) leave_tracker(tracker, options);
}

/* ---- The agent --------------------------------------------------------------------------- */

static void stop(int signal_number) {
  (void)signal_number;
  stopping = 1;
}

/* SIGTERM and SIGINT arrive only while the agent waits in ppoll, so that none is missed. */
static void catch_signals(void) {
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
}

static int listen_on(Options *options) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
  if (inet_pton(AF_INET, options->host, &address.sin_addr) != 1) {
    fprintf(stderr, "agent: expected an IPv4 address, got %s\n", options->host);
    exit(2);
  }
  bool loopback = ntohl(address.sin_addr.s_addr) >> 24 == 127;
  if (!loopback && !options->allow_remote) {
    fprintf(stderr,
            "agent: whoever reaches this port can run code here. Use a tunnel to 127.0.0.1, or, on "
            "a network you trust, give --allow-remote with --host %s\n",
            options->host);
    exit(2);
  }
  if (!loopback)
    fprintf(stderr, "agent: on %s whoever reaches the port can run code here, without a password\n",
            options->host);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (struct sockaddr *)&address, size) != 0) fail("cannot bind");
  if (listen(listener, 1) != 0) fail("cannot listen");
  getsockname(listener, (struct sockaddr *)&address, &size);
  options->port = ntohs(address.sin_port);
  return listener;
}

static void usage(const char *fault) {
  fprintf(stderr,
          "agent: %s\nusage: agent [--host ADDRESS] [--port PORT] [--key KEY] [--tracker "
          "HOST:PORT] [--work FOLDER]\n             [--session-limit SECONDS] [--user-id UID] "
          "[--exit-with-stdin] [--allow-remote]\n",
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

static Options parse(int count, char **arguments) {
  Options options = {.host = "127.0.0.1", .port = 9090, .key = "", .work = "/tmp",
                     .user = NOBODY};
  for (int i = 1; i < count; ++i) {
    const char *name = arguments[i];
    if (strcmp(name, "--exit-with-stdin") == 0) options.exit_with_stdin = true;
    else if (strcmp(name, "--allow-remote") == 0) options.allow_remote = true;
    else if (i + 1 == count) usage(name);
    else if (strcmp(name, "--host") == 0) options.host = arguments[++i];
    else if (strcmp(name, "--port") == 0) options.port = number(arguments[++i], 65535);
    else if (strcmp(name, "--key") == 0) options.key = arguments[++i];
    else if (strcmp(name, "--tracker") == 0) options.tracker = arguments[++i];
    else if (strcmp(name, "--user-id") == 0) options.user = number(arguments[++i], NOBODY);
    else if (strcmp(name, "--work") == 0) options.work = arguments[++i];
    else if (strcmp(name, "--session-limit") == 0)
      options.session_limit_s = number(arguments[++i], 7 * 24 * 3600);
    else usage(name);
  }
  if (strlen(options.key) > LONGEST_KEY) usage("the key is too long");
  if (!is_key(options.key)) usage("a key has letters, digits and -_.+ only");
  if (options.tracker && !*options.key) usage("--tracker needs a --key to offer this board under");
  if (options.tracker && !strchr(options.tracker, ':')) usage("--tracker expects HOST:PORT");
  if (strlen(options.work) + sizeof "/session-XXXXXX" > sizeof work_folder)
    usage("the work folder's path is too long");
  return options;
}

/* Serves whoever waits at the listener; false where it was no client of ours. */
static bool meet_client(int listener, const char *password, const Options *options) {
  struct sockaddr_in address = {0};
  socklen_t size = sizeof address;
  int connection = accept4(listener, (struct sockaddr *)&address, &size, SOCK_CLOEXEC);
  int yes = 1, limit_s = 0;
  char client[INET_ADDRSTRLEN + 8], host[INET_ADDRSTRLEN] = "";
  if (connection < 0) return false;
  inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
  snprintf(client, sizeof client, "%s:%d", host, ntohs(address.sin_port));
  limit_waits(connection, HANDSHAKE_LIMIT_S);
  if (!shake_hands(connection, password, options->key, &limit_s)) {
    fprintf(stderr, "agent: %s is no client of mine: another key, or not TVM's protocol\n", client);
    close(connection);
    return false;
  }
  limit_waits(connection, 0);
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  run_session(listener, connection, client, limit_s, options);
  return true;
}

int main(int count, char **arguments) {
  Options options = parse(count, arguments);
  catch_signals();
  TVMFFIObjectDecRef(server_loop()); /* fails here rather than in the first session */
  int listener = listen_on(&options);
  printf("listening on %s:%d\n", options.host, options.port);
  fflush(stdout);
  Tracker tracker = {.connection = -1};
  bool renew = true;
  while (!stopping) {
    if (options.tracker) visit_tracker(&tracker, &options, renew);
    renew = wait_for(listener, &options, options.tracker ? now_ms() + TRACKER_PERIOD_MS : 0) &&
            meet_client(listener, options.tracker ? tracker.password : options.key, &options);
  }
  return 0;
}
