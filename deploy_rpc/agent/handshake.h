/* What a client has to say before a session: the shared key's proof, then TVM's greeting. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

enum { HANDSHAKE_LIMIT_S = 5, LONGEST_SECRET = 1024, LONGEST_PLACE = 2 * LONGEST_KEY };

/* What the key file holds; of size 0 where every client is welcome. */
typedef struct {
  uint8_t bytes[LONGEST_SECRET];
  size_t size;
} Secret;

/* The first line of `path`, which only its owner may read; ends the program where it is no key. */
Secret read_secret(const char *path);

/* Where a client of the tracker's has to have connected to, and with which password:
 * "ADDRESS:PORT PASSWORD" of our end of `connection`. */
void write_place(int connection, const char *password, char place[LONGEST_PLACE]);

/* Whether the client proves, within the limit, that it holds `secret`; we then prove it, too.
 *
 *   agent   "SNCKEY2\n", nonce A
 *   client  nonce C, HMAC-SHA-256(secret, "client" A C place)
 *   agent   HMAC-SHA-256(secret, "agent " A C place)
 *
 * Nonces are 32 random bytes. The key itself never travels, and what is overheard opens nothing
 * again. `place` is empty where the client was told the address by its user; behind a tracker it is
 * what `write_place` gives, so that a false board there cannot pass on the words of both.
 * deploy_rpc/shared_key.py is the other end. */
bool is_trusted(int connection, const Secret *secret, const char *place);

/* Reads `magic, length, "client:PASSWORD [-timeout=SECONDS]"`, answers `magic, length,
 * "server:KEY"`. `limit_s` becomes the client's timeout, 0 where it wants none. */
bool shake_hands(int connection, const char *password, const char *key, int *limit_s);

/* `size` random bytes. */
void draw(void *bytes, size_t size);
