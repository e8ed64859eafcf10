/* hmac_program KEY_BYTES MESSAGE_BYTES: the code, in hex, of both from the standard input. */
#include <stdio.h>
#include <stdlib.h>

#include "sha256.h"

int main(int count, char **arguments) {
  static uint8_t key[4096], message[4096];
  uint8_t code[SHA256_BYTES];
  if (count != 3) return 2;
  size_t key_size = strtoul(arguments[1], NULL, 10), size = strtoul(arguments[2], NULL, 10);
  if (key_size > sizeof key || size > sizeof message) return 2;
  if (fread(key, 1, key_size, stdin) != key_size) return 1;
  if (fread(message, 1, size, stdin) != size) return 1;
  hmac_sha256(key, key_size, message, size, code);
  for (int i = 0; i < SHA256_BYTES; ++i) printf("%02x", code[i]);
  return 0;
}
