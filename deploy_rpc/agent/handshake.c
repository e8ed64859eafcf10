#define _GNU_SOURCE
#include "handshake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sha256.h"
#include "waiting.h"

enum {
  RPC_MAGIC = 0xff271,
  RPC_KEY_MISMATCH = RPC_MAGIC + 2,
  SHORTEST_SECRET = 16,
  NONCE = 32,
  ROLE = 6, /* "client" or "agent " */
};

static const char GREETING[] = "SNCKEY2\n";

static void refuse_key_file(const char *path, const char *reason) {
  fprintf(stderr, "agent: --key-file %s: %s; `serve.py key FILE` makes one\n", path, reason);
  exit(2);
}

Secret read_secret(const char *path) {
  Secret secret = {0};
  struct stat status;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || fstat(file, &status) != 0) refuse_key_file(path, strerror(errno));
  if (status.st_mode & 077) refuse_key_file(path, "others may read or change it (chmod 600 it)");
  ssize_t count = 0;
  while (secret.size < sizeof secret.bytes &&
         (count = read(file, secret.bytes + secret.size, sizeof secret.bytes - secret.size)) > 0)
    secret.size += (size_t)count;
  if (count < 0) refuse_key_file(path, strerror(errno));
  close(file);
  const uint8_t *end = memchr(secret.bytes, '\n', secret.size);
  if (end) secret.size = (size_t)(end - secret.bytes);
  if (secret.size < SHORTEST_SECRET) refuse_key_file(path, "a key has at least 16 bytes");
  if (secret.size == sizeof secret.bytes) refuse_key_file(path, "a key has less than 1024 bytes");
  return secret;
}

void draw(void *bytes, size_t size) {
  if (getrandom(bytes, size, 0) != (ssize_t)size) fail("no random numbers");
}

/* Takes as long wherever they differ. */
static bool are_equal(const uint8_t *a, const uint8_t *b, size_t size) {
  volatile uint8_t difference = 0;
  for (size_t i = 0; i < size; ++i) difference = difference | (a[i] ^ b[i]);
  return difference == 0;
}

void write_place(int connection, const char *password, char place[LONGEST_PLACE]) {
  struct sockaddr_in address = {0};
  socklen_t size = sizeof address;
  char host[INET_ADDRSTRLEN] = "";
  getsockname(connection, (struct sockaddr *)&address, &size);
  inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
  snprintf(place, LONGEST_PLACE, "%s:%d %s", host, ntohs(address.sin_port), password);
}

bool is_trusted(int connection, const Secret *secret, const char *place) {
  uint8_t message[ROLE + 2 * NONCE + LONGEST_PLACE], proof[SHA256_BYTES], expected[SHA256_BYTES];
  uint8_t *ours = message + ROLE, *theirs = ours + NONCE;
  size_t size = ROLE + 2 * NONCE + strlen(place);
  int64_t deadline_ms = now_ms() + HANDSHAKE_LIMIT_S * 1000;
  draw(ours, NONCE);
  if (!transmit(connection, GREETING, sizeof GREETING - 1)) return false;
  if (!transmit(connection, ours, NONCE)) return false;
  if (!receive(connection, theirs, NONCE, deadline_ms)) return false;
  if (!receive(connection, proof, sizeof proof, deadline_ms)) return false;
  memcpy(message + ROLE + 2 * NONCE, place, strlen(place));
  memcpy(message, "client", ROLE);
  hmac_sha256(secret->bytes, secret->size, message, size, expected);
  if (!are_equal(proof, expected, sizeof proof)) return false;
  memcpy(message, "agent ", ROLE);
  hmac_sha256(secret->bytes, secret->size, message, size, proof);
  return transmit(connection, proof, sizeof proof);
}

bool shake_hands(int connection, const char *password, const char *key, int *limit_s) {
  int32_t number, length;
  char theirs[2 * LONGEST_KEY] = "", ours[2 * LONGEST_KEY] = "";
  int64_t deadline_ms = now_ms() + HANDSHAKE_LIMIT_S * 1000;
  if (!receive(connection, &number, sizeof number, deadline_ms) || number != RPC_MAGIC)
    return false;
  if (!receive(connection, &length, sizeof length, deadline_ms)) return false;
  if (length < 0 || (size_t)length >= sizeof theirs) return false;
  if (!receive(connection, theirs, (size_t)length, deadline_ms)) return false;
  const char *timeout = strstr(theirs, " -timeout=");
  double seconds = timeout ? atof(timeout + sizeof " -timeout=" - 1) : 0;
  *limit_s = seconds >= 1 && seconds < INT_MAX ? (int)seconds : 0;
  size_t word = strcspn(theirs, " ");
  memset(theirs + word, 0, sizeof theirs - word);
  snprintf(ours, sizeof ours, "client:%s", password);
  bool is_right = are_equal((uint8_t *)theirs, (uint8_t *)ours, sizeof ours);
  number = is_right ? RPC_MAGIC : RPC_KEY_MISMATCH;
  if (!transmit(connection, &number, sizeof number) || number != RPC_MAGIC) return false;
  length = snprintf(ours, sizeof ours, "server:%s", key);
  return transmit(connection, &length, sizeof length) &&
         transmit(connection, ours, (size_t)length);
}
