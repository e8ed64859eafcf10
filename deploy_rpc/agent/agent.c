/* The board's side of a session: TVM's RPC server without Python, 30 KB beside the runtime.
 *
 *   agent [--host ADDRESS] [--port PORT] [--key-file FILE] [--key KEY] [--tracker HOST:PORT]
 *         [--work FOLDER] [--session-limit SECONDS] [--user-id UID] [--exit-with-stdin]
 *         [--allow-remote]
 *
 * It listens, prints `listening on ADDRESS:PORT`, and serves one client at a time, each in a
 * process of its own with a work folder of its own, which is removed afterwards. Port 0 takes a
 * free one. With --tracker it offers itself there under its key, with a new password for each
 * session, and comes back to a tracker that was gone. With --exit-with-stdin it ends when its
 * standard input does, so that it cannot outlive the program that started it. Each session is a
 * line on the standard error.
 *
 * TVM's RPC runs whatever a client sends. With --key-file only a client that proves that it holds
 * the same key comes as far as TVM's protocol (handshake.h). It listens on the loopback (reach a
 * board through an SSH or adb tunnel); any other address needs --allow-remote and a key file.
 * Upload names stay inside the work folder, and where it was started as root, sessions run as UID
 * (65534, nobody).
 *
 * The wire formats are those of tvm/rpc/server.py and tracker.py; what follows the hand-shake is
 * left to the runtime's own `rpc.ServerLoop`. Only the C API of tvm_ffi is used: no C++ library is
 * mixed in.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "folders.h"
#include "handshake.h"
#include "offered.h"
#include "options.h"
#include "session.h"
#include "tracker.h"
#include "waiting.h"

enum { ACCEPT_PAUSE_MS = 1000 };

/* Ends the program where the address is not for everyone and that was not asked for. */
static void check_address(const struct sockaddr_in *address, const Options *options) {
  if (ntohl(address->sin_addr.s_addr) >> 24 == 127) return;
  if (!options->allow_remote || !options->key_file) {
    fprintf(stderr,
            "agent: whoever reaches this port can run code here. Use a tunnel to 127.0.0.1, or, on "
            "a network you trust, give --allow-remote and --key-file FILE with --host %s\n",
            options->host);
    exit(2);
  }
  fprintf(stderr,
          "agent: on %s whoever holds the key can run code here. The key opens sessions; they are "
          "neither encrypted nor sealed, so whoever is on the wire can read and change them\n",
          options->host);
}

static int listen_on(Options *options) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
  if (inet_pton(AF_INET, options->host, &address.sin_addr) != 1) {
    fprintf(stderr, "agent: expected an IPv4 address, got %s\n", options->host);
    exit(2);
  }
  if (listener < 0) fail("cannot open a socket");
  check_address(&address, options);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1) != 0) {
    const char *advice = errno == EADDRNOTAVAIL ? "name an address of this board with --host"
                                                : "name another --port, or 0 for a free one";
    fprintf(stderr, "agent: cannot listen on %s:%d: %s; %s\n", options->host, options->port,
            strerror(errno), advice);
    exit(1);
  }
  getsockname(listener, (struct sockaddr *)&address, &size);
  options->port = ntohs(address.sin_port);
  return listener;
}

/* Why the client at `connection` gets no session; NULL where it does. */
static const char *refusal(int connection, const Secret *secret, const char *password,
                           const Options *options, int *limit_s) {
  char place[LONGEST_PLACE] = "";
  limit_sends(connection, HANDSHAKE_LIMIT_S);
  if (options->tracker) write_place(connection, password, place);
  if (secret->size && !is_trusted(connection, secret, place))
    return "it does not hold the key, or was sent here by another";
  if (!shake_hands(connection, password, options->key, limit_s))
    return "another key or password, or not TVM's protocol";
  limit_sends(connection, 0);
  return NULL;
}

/* The connection of whoever waits at the listener. Without a descriptor for it, say, it goes on
 * waiting there: -1 behind a pause, which is said once. */
static int accept_client(int listener, struct sockaddr_in *address) {
  static bool was_said;
  socklen_t size = sizeof *address;
  int connection = accept4(listener, (struct sockaddr *)address, &size, SOCK_CLOEXEC);
  if (connection >= 0) {
    was_said = false;
  } else if (errno != EINTR && errno != ECONNABORTED) {
    if (!was_said)
      fprintf(stderr, "agent: cannot accept a client: %s; trying again every %d s\n",
              strerror(errno), ACCEPT_PAUSE_MS / 1000);
    was_said = true;
    wait_for(-1, now_ms() + ACCEPT_PAUSE_MS);
  }
  return connection;
}

/* Serves whoever waits at the listener; false where it was no client of ours. */
static bool meet_client(int listener, const Secret *secret, const char *password,
                        const Options *options) {
  struct sockaddr_in address = {0};
  int connection = accept_client(listener, &address), yes = 1, limit_s = 0;
  char client[INET_ADDRSTRLEN + 8], host[INET_ADDRSTRLEN] = "";
  if (connection < 0) return false;
  inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
  snprintf(client, sizeof client, "%s:%d", host, ntohs(address.sin_port));
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  const char *reason = refusal(connection, secret, password, options, &limit_s);
  if (reason) {
    fprintf(stderr, "agent: %s is no client of mine: %s\n", client, reason);
    close(connection);
    return false;
  }
  run_session(listener, connection, client, limit_s, options);
  return true;
}

int main(int count, char **arguments) {
  Options options = parse_options(count, arguments);
  Secret secret = options.key_file ? read_secret(options.key_file) : (Secret){.size = 0};
  catch_signals(options.exit_with_stdin);
  check_runtime(); /* fails here rather than in the first session */
  remove_leftovers(options.work);
  int listener = listen_on(&options);
  printf("listening on %s:%d\n", options.host, options.port);
  fflush(stdout);
  Tracker tracker = {.connection = -1};
  bool renew = true;
  while (!stopping) {
    if (options.tracker) visit_tracker(&tracker, &options, renew);
    renew = wait_for(listener, options.tracker ? now_ms() + TRACKER_PERIOD_MS : 0) &&
            meet_client(listener, &secret, options.tracker ? tracker.password : options.key,
                        &options);
  }
  return 0;
}
