/* SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104), for the token that memdb may ask for. Small rather than fast. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define MH_SHA256_BYTES 32

struct mh_sha256 {
  uint32_t state[8];
  uint64_t length; /* bytes so far */
  uint8_t block[64];
};

void mh_sha256_start(struct mh_sha256 *sha);
void mh_sha256_add(struct mh_sha256 *sha, const void *bytes, size_t length);
void mh_sha256_end(struct mh_sha256 *sha, uint8_t digest[MH_SHA256_BYTES]);

/* HMAC of three pieces, one after the other. */
struct mh_hmac_piece {
  const void *bytes;
  size_t length;
};
void mh_hmac_sha256(const void *key, size_t key_length, const struct mh_hmac_piece pieces[3],
                    uint8_t mac[MH_SHA256_BYTES]);

/* Whether two MACs are equal, in a time that does not tell where they differ. */
int mh_mac_equal(const uint8_t a[MH_SHA256_BYTES], const uint8_t b[MH_SHA256_BYTES]);
