/* The board's side of a session: TVM's RPC server without Python, 15 KB beside the runtime.
 *
 *   agent [--host ADDRESS] [--port PORT] [--key KEY] [--work FOLDER] [--session-limit SECONDS]
 *         [--exit-with-stdin] [--expose]
 *
 * It listens, prints `listening on ADDRESS:PORT`, and serves one client at a time, each in a
 * process of its own with a work folder of its own, which is removed afterwards. Port 0 takes a
 * free one. With --exit-with-stdin it ends when its standard input does, so that it cannot outlive
 * the program that started it.
 *
 * TVM's RPC runs whatever a client sends. So it listens on the loopback unless --expose is given
 * (reach a board through an SSH or adb tunnel), and upload names stay inside the work folder.
 *
 * The wire format is that of tvm/rpc/server.py; what follows the hand-shake is left to the
 * runtime's own `rpc.ServerLoop`. Only the C API of tvm_ffi is used: no C++ library is mixed in.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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
  LONGEST_KEY = 256,
  HANDSHAKE_LIMIT_S = 5,
  MOST_OPEN_FOLDERS = 8,
};

typedef struct {
  const char *host, *key, *work;
  int port, session_limit_s;
  bool exit_with_stdin, expose;
} Options;

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

/* Reads `magic, length, "client:KEY [options]"`, answers `magic, length, "server:KEY"`. */
static bool shake_hands(int connection, const char *key) {
  int32_t number, length;
  char theirs[LONGEST_KEY + sizeof "client:"], ours[LONGEST_KEY + sizeof "client:"];
  if (!receive(connection, &number, sizeof number) || number != RPC_MAGIC) return false;
  if (!receive(connection, &length, sizeof length)) return false;
  if (length < 0 || (size_t)length >= sizeof theirs) return false;
  if (!receive(connection, theirs, (size_t)length)) return false;
  theirs[length] = '\0';
  theirs[strcspn(theirs, " ")] = '\0'; /* options such as -timeout=SECONDS follow a space */
  snprintf(ours, sizeof ours, "client:%s", key);
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

/* The session's process: serves until the client leaves. */
static void serve(int connection, pid_t agent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != agent) _exit(1);
  signal(SIGTERM, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  sigprocmask(SIG_SETMASK, &unblocked, NULL);
  offer("tvm.rpc.server.workpath", work_path);
  offer("tvm.rpc.server.load_module", load_module);
  offer("shufflenet.board_isa", board_isa);
  TVMFFIAny argument = {.type_index = kTVMFFIInt, .v_int64 = connection};
  TVMFFIAny result = {.type_index = kTVMFFINone};
  _exit(TVMFFIFunctionCall(server_loop(), &argument, 1, &result) == 0 ? 0 : 1);
}

static void report_end(int status) {
  if (WIFSIGNALED(status))
    fprintf(stderr, "agent: the session was ended by a signal: %s\n", strsignal(WTERMSIG(status)));
  else if (WEXITSTATUS(status) != 0)
    fprintf(stderr, "agent: the session broke off\n");
}

static void run_session(int listener, int connection, const Options *options) {
  int alive[2]; /* the session's process holds the writing end for as long as it lives */
  snprintf(work_folder, sizeof work_folder, "%s/session-XXXXXX", options->work);
  if (mkdtemp(work_folder) == NULL) fail(work_folder);
  if (pipe(alive) != 0) fail("cannot make a pipe");
  pid_t agent = getpid(), session = fork();
  if (session < 0) fail("cannot start a process");
  if (session == 0) {
    close(listener), close(alive[0]);
    serve(connection, agent);
  }
  close(alive[1]), close(connection);
  int64_t limit_ms = (int64_t)options->session_limit_s * 1000;
  if (!wait_for(alive[0], options, limit_ms ? now_ms() + limit_ms : 0)) {
    if (!stopping) fprintf(stderr, "agent: the session's %d s are over\n", options->session_limit_s);
    kill(session, SIGKILL);
  }
  int status = 0;
  while (waitpid(session, &status, 0) < 0 && errno == EINTR) continue;
  close(alive[0]);
  if (!stopping) report_end(status);
  nftw(work_folder, remove_entry, MOST_OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
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
  if (!loopback && !options->expose) {
    fprintf(stderr,
            "agent: whoever reaches this port can run code here. Use a tunnel to 127.0.0.1, or, on "
            "a network you trust, give --expose with --host %s\n",
            options->host);
    exit(2);
  }
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (struct sockaddr *)&address, size) != 0) fail("cannot bind");
  if (listen(listener, 1) != 0) fail("cannot listen");
  getsockname(listener, (struct sockaddr *)&address, &size);
  options->port = ntohs(address.sin_port);
  return listener;
}

static void usage(const char *fault) {
  fprintf(stderr,
          "agent: %s\nusage: agent [--host ADDRESS] [--port PORT] [--key KEY] [--work FOLDER] "
          "[--session-limit SECONDS] [--exit-with-stdin] [--expose]\n",
          fault);
  exit(2);
}

static int number(const char *text, int largest) {
  char *end;
  long value = strtol(text, &end, 10);
  if (end == text || *end || value < 0 || value > largest) usage(text);
  return (int)value;
}

static Options parse(int count, char **arguments) {
  Options options = {.host = "127.0.0.1", .port = 9090, .key = "", .work = "/tmp"};
  for (int i = 1; i < count; ++i) {
    const char *name = arguments[i];
    if (strcmp(name, "--exit-with-stdin") == 0) options.exit_with_stdin = true;
    else if (strcmp(name, "--expose") == 0) options.expose = true;
    else if (i + 1 == count) usage(name);
    else if (strcmp(name, "--host") == 0) options.host = arguments[++i];
    else if (strcmp(name, "--port") == 0) options.port = number(arguments[++i], 65535);
    else if (strcmp(name, "--key") == 0) options.key = arguments[++i];
    else if (strcmp(name, "--work") == 0) options.work = arguments[++i];
    else if (strcmp(name, "--session-limit") == 0)
      options.session_limit_s = number(arguments[++i], 7 * 24 * 3600);
    else usage(name);
  }
  if (strlen(options.key) > LONGEST_KEY) usage("the key is too long");
  if (strlen(options.work) + sizeof "/session-XXXXXX" > sizeof work_folder)
    usage("the work folder's path is too long");
  return options;
}

int main(int count, char **arguments) {
  Options options = parse(count, arguments);
  catch_signals();
  TVMFFIObjectDecRef(server_loop()); /* fails here rather than in the first session */
  int listener = listen_on(&options);
  printf("listening on %s:%d\n", options.host, options.port);
  fflush(stdout);
  while (wait_for(listener, &options, 0)) {
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC), yes = 1;
    if (connection < 0) continue;
    limit_waits(connection, HANDSHAKE_LIMIT_S);
    if (shake_hands(connection, options.key)) {
      limit_waits(connection, 0);
      setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      run_session(listener, connection, &options);
    } else {
      close(connection);
    }
  }
  return 0;
}
