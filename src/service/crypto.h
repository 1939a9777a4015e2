/*
 * crypto.h - hashes, keyed hashes, sealing of personal data; OpenSSL behind.
 *
 * Owns:      every use of libcrypto. Must not: know what is hashed or sealed.
 * Invariant: keys derive from the master key by HMAC with a label, one per purpose.
 */
#ifndef KOP_SERVICE_CRYPTO_H
#define KOP_SERVICE_CRYPTO_H

#include "base/err.h"
#include "base/text.h"

enum { sha256_bytes = 32, seal_nonce_bytes = 12, seal_tag_bytes = 16, seal_overhead_bytes = 28 };

void sha256(const void *bytes, size_t size, unsigned char out[sha256_bytes]);
/* The same of what comes in pieces. */
struct sha256_state {
    uint64_t state[16];
};
void sha256_begin(struct sha256_state *hash);
void sha256_add(struct sha256_state *hash, const void *bytes, size_t size);
void sha256_end(struct sha256_state *hash, unsigned char out[sha256_bytes]);
/* SHA-256 over a || b. */
void sha256_two(const void *a, size_t a_size, const void *b, size_t b_size,
                unsigned char out[sha256_bytes]);

/* A prepared HMAC-SHA256 key: two compressions a short message. */
struct hmac_key {
    uint32_t inner[8], outer[8];
};
void hmac_prepare(struct hmac_key *key, const void *secret, size_t size);
void hmac_sha256(const struct hmac_key *key, const void *bytes, size_t size,
                 unsigned char out[sha256_bytes]);

/* HMAC(master, label): a key for one purpose. */
void derive_key(const unsigned char master[32], const char *label, unsigned char out[32]);

/* AES-256-GCM: out = nonce | ciphertext | tag, size + seal_overhead_bytes. */
KOP_MUST_CHECK enum code seal_bytes(const unsigned char key[32],
                                    const unsigned char nonce[seal_nonce_bytes], const void *plain,
                                    size_t size, unsigned char *out, struct err *err);
/* The same many times over, by one thread: the cipher's context is kept between seals. */
struct sealer;
KOP_MUST_CHECK enum code sealer_new(struct sealer **sealer, struct err *err);
void sealer_free(struct sealer *sealer);
/* `key` NULL: the key of the seal before, which is then not prepared again. */
KOP_MUST_CHECK enum code sealer_seal(struct sealer *sealer, const unsigned char *key,
                                     const unsigned char nonce[seal_nonce_bytes], const void *plain,
                                     size_t size, unsigned char *out, struct err *err);
/* CODE_CORRUPT when it was not sealed by this key. out: size - seal_overhead_bytes. */
KOP_MUST_CHECK enum code open_bytes(const unsigned char key[32], const void *sealed, size_t size,
                                    unsigned char *out, struct err *err);

/* Equal, in time that does not depend on the content. */
bool secret_equal(const void *a, const void *b, size_t size);

void hex_encode(const unsigned char *bytes, size_t size,
                char *out); /* 2 * size characters, no NUL */
bool hex_decode(struct text hex, unsigned char *out, size_t size);

#endif
