/* SHA-256 and HMAC-SHA-256 against published test vectors: FIPS 180-4's examples and RFC 4231. Exits 1 naming the first
 * that differs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../preload/send/sha256.h"

static int checked;

static void same(const char *what, const uint8_t digest[MH_SHA256_BYTES], const char *expected) {
  char hex[2 * MH_SHA256_BYTES + 1];
  for (int i = 0; i < MH_SHA256_BYTES; i++) sprintf(hex + 2 * i, "%02x", digest[i]);
  checked++;
  if (!strcmp(hex, expected)) return;
  fprintf(stderr, "%s: %s, not %s\n", what, hex, expected);
  exit(1);
}

static void sha(const char *text, size_t times, const char *expected) {
  struct mh_sha256 sha;
  uint8_t digest[MH_SHA256_BYTES];
  mh_sha256_start(&sha);
  for (size_t i = 0; i < times; i++) mh_sha256_add(&sha, text, strlen(text));
  mh_sha256_end(&sha, digest);
  same(text, digest, expected);
}

/* The message in three pieces, cut at odd places. */
static void hmac(const void *key, size_t key_length, const char *message, size_t length, const char *expected) {
  uint8_t mac[MH_SHA256_BYTES];
  size_t a = length / 3, b = length / 2;
  struct mh_hmac_piece pieces[3] = {{message, a}, {message + a, b - a}, {message + b, length - b}};
  mh_hmac_sha256(key, key_length, pieces, mac);
  same(message, mac, expected);
  uint8_t other[MH_SHA256_BYTES];
  memcpy(other, mac, sizeof(other));
  if (!mh_mac_equal(mac, other)) exit(1);
  other[31] ^= 1;
  if (mh_mac_equal(mac, other)) exit(1);
}

int main(void) {
  sha("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  sha("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  sha("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  sha("aaaaaaaaaa", 100000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");

  uint8_t key[131];
  char data[50];
  memset(key, 0x0b, 20);
  hmac(key, 20, "Hi There", 8, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  hmac("Jefe", 4, "what do ya want for nothing?", 28,
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  memset(key, 0xaa, 20);
  memset(data, 0xdd, 50);
  hmac(key, 20, data, 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  memset(key, 0xaa, 131);
  const char large[] = "Test Using Larger Than Block-Size Key - Hash Key First";
  hmac(key, 131, large, sizeof(large) - 1, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  const char both[] = "This is a test using a larger than block-size key and a larger than block-size data. "
                      "The key needs to be hashed before being used by the HMAC algorithm.";
  hmac(key, 131, both, sizeof(both) - 1, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
  printf("%d vectors\n", checked);
  return 0;
}
