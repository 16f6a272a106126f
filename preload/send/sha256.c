/* SHA-256; see sha256.h. */
#include "sha256.h"

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int by) {
  return x >> by | x << (32 - by);
}

static void compress(uint32_t state[8], const uint8_t block[64]) {
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
           block[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  for (int i = 0; i < 8; i++) s[i] = state[i];
  for (int i = 0; i < 64; i++) {
    uint32_t e = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
    uint32_t t1 = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + constants[i] + w[i];
    uint32_t a = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
    uint32_t t2 = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    for (int j = 7; j > 0; j--) s[j] = s[j - 1];
    s[4] += t1;
    s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) state[i] += s[i];
}

void mh_sha256_start(struct mh_sha256 *sha) {
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  __builtin_memcpy(sha->state, initial, sizeof(initial));
  sha->length = 0;
}

void mh_sha256_add(struct mh_sha256 *sha, const void *bytes, size_t length) {
  const uint8_t *at = bytes;
  for (; length; length--) {
    sha->block[sha->length++ % 64] = *at++;
    if (sha->length % 64 == 0) compress(sha->state, sha->block);
  }
}

void mh_sha256_end(struct mh_sha256 *sha, uint8_t digest[MH_SHA256_BYTES]) {
  uint64_t bits = sha->length * 8;
  mh_sha256_add(sha, "\x80", 1);
  while (sha->length % 64 != 56) mh_sha256_add(sha, "", 1);
  uint8_t tail[8];
  for (int i = 0; i < 8; i++) tail[i] = (uint8_t)(bits >> (56 - 8 * i));
  mh_sha256_add(sha, tail, sizeof(tail));
  for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
}

void mh_hmac_sha256(const void *key, size_t key_length, const struct mh_hmac_piece pieces[3],
                    uint8_t mac[MH_SHA256_BYTES]) {
  uint8_t pad[64] = {0};
  struct mh_sha256 sha;
  if (key_length > sizeof(pad)) {
    mh_sha256_start(&sha);
    mh_sha256_add(&sha, key, key_length);
    mh_sha256_end(&sha, pad);
  } else {
    __builtin_memcpy(pad, key, key_length);
  }
  for (int i = 0; i < 64; i++) pad[i] ^= 0x36;
  mh_sha256_start(&sha);
  mh_sha256_add(&sha, pad, sizeof(pad));
  for (int i = 0; i < 3; i++) mh_sha256_add(&sha, pieces[i].bytes, pieces[i].length);
  mh_sha256_end(&sha, mac);
  for (int i = 0; i < 64; i++) pad[i] ^= 0x36 ^ 0x5c;
  mh_sha256_start(&sha);
  mh_sha256_add(&sha, pad, sizeof(pad));
  mh_sha256_add(&sha, mac, MH_SHA256_BYTES);
  mh_sha256_end(&sha, mac);
}

int mh_mac_equal(const uint8_t a[MH_SHA256_BYTES], const uint8_t b[MH_SHA256_BYTES]) {
  volatile uint8_t difference = 0;
  for (int i = 0; i < MH_SHA256_BYTES; i++) difference |= a[i] ^ b[i];
  return difference == 0;
}
