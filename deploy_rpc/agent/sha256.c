#include "sha256.h"

#include <string.h>

static const uint32_t ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotated(uint32_t x, int bits) { return x >> bits | x << (32 - bits); }

/* The message schedule of a block, big-endian words first. */
static void expand(const uint8_t block[SHA256_BLOCK], uint32_t words[64]) {
  for (int i = 0; i < 16; ++i)
    words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 64; ++i) {
    uint32_t a = words[i - 15], b = words[i - 2];
    words[i] = words[i - 16] + (rotated(a, 7) ^ rotated(a, 18) ^ a >> 3) + words[i - 7] +
               (rotated(b, 17) ^ rotated(b, 19) ^ b >> 10);
  }
}

static void compress(uint32_t state[8], const uint8_t block[SHA256_BLOCK]) {
  uint32_t words[64], v[8]; /* v: a to h of the standard */
  expand(block, words);
  memcpy(v, state, sizeof v);
  for (int i = 0; i < 64; ++i) {
    uint32_t sum1 = rotated(v[4], 6) ^ rotated(v[4], 11) ^ rotated(v[4], 25);
    uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
    uint32_t sum0 = rotated(v[0], 2) ^ rotated(v[0], 13) ^ rotated(v[0], 22);
    uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
    uint32_t one = v[7] + sum1 + choice + ROUND[i] + words[i], two = sum0 + majority;
    memmove(v + 1, v, 7 * sizeof *v);
    v[4] += one;
    v[0] = one + two;
  }
  for (int i = 0; i < 8; ++i) state[i] += v[i];
}

void sha256_begin(Sha256 *hash) {
  static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, first, sizeof first);
  hash->size = 0;
}

void sha256_add(Sha256 *hash, const void *data, size_t size) {
  const uint8_t *bytes = data;
  for (size_t i = 0; i < size; ++i) {
    hash->block[hash->size++ % SHA256_BLOCK] = bytes[i];
    if (hash->size % SHA256_BLOCK == 0) compress(hash->state, hash->block);
  }
}

void sha256_end(Sha256 *hash, uint8_t digest[SHA256_BYTES]) {
  static const uint8_t zero = 0, one = 0x80;
  uint64_t bits = 8 * hash->size;
  sha256_add(hash, &one, 1);
  while (hash->size % SHA256_BLOCK != SHA256_BLOCK - 8) sha256_add(hash, &zero, 1);
  for (int shift = 56; shift >= 0; shift -= 8) {
    uint8_t byte = (uint8_t)(bits >> shift);
    sha256_add(hash, &byte, 1);
  }
  for (int i = 0; i < SHA256_BYTES; ++i)
    digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

/* Hash of (`pad` xor key), then of the message. */
static void padded_hash(const uint8_t key[SHA256_BLOCK], uint8_t pad, const void *message,
                        size_t size, uint8_t digest[SHA256_BYTES]) {
  uint8_t block[SHA256_BLOCK];
  Sha256 hash;
  for (int i = 0; i < SHA256_BLOCK; ++i) block[i] = key[i] ^ pad;
  sha256_begin(&hash);
  sha256_add(&hash, block, sizeof block);
  sha256_add(&hash, message, size);
  sha256_end(&hash, digest);
}

void hmac_sha256(const void *key, size_t key_size, const void *message, size_t size,
                 uint8_t code[SHA256_BYTES]) {
  uint8_t block[SHA256_BLOCK] = {0}, inner[SHA256_BYTES];
  if (key_size > sizeof block) {
    Sha256 hash;
    sha256_begin(&hash);
    sha256_add(&hash, key, key_size);
    sha256_end(&hash, block);
  } else {
    memcpy(block, key, key_size);
  }
  padded_hash(block, 0x36, message, size, inner);
  padded_hash(block, 0x5c, inner, sizeof inner, code);
}
