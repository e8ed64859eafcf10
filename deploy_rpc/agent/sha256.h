/* SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104), so that the agent needs no library for them. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_BLOCK = 64 };

typedef struct {
  uint32_t state[8];
  uint64_t size; /* bytes so far */
  uint8_t block[SHA256_BLOCK];
} Sha256;

void sha256_begin(Sha256 *hash);
void sha256_add(Sha256 *hash, const void *data, size_t size);
void sha256_end(Sha256 *hash, uint8_t digest[SHA256_BYTES]);

void hmac_sha256(const void *key, size_t key_size, const void *message, size_t size,
                 uint8_t code[SHA256_BYTES]);
