/*
 * crypto.c - hashes, keyed hashes, sealing of personal data; OpenSSL behind.
 *
 * Owns:      every use of libcrypto.
 * Cost:      a keyed hash of a short value is two compressions: the inner and outer states are
 *            prepared.
 * Tests:     tests/unit/service/test_crypto.c (vectors of RFC 4231 and FIPS 180-4)
 */
#define OPENSSL_API_COMPAT 0x10101000L
#define OPENSSL_SUPPRESS_DEPRECATED
#include "service/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

enum { hmac_block_bytes = 64 };

void
sha256(const void *bytes, size_t size, unsigned char out[sha256_bytes])
{
    SHA256_CTX context; /* SHA256() looks its algorithm up by name each time */

    SHA256_Init(&context);
    SHA256_Update(&context, bytes, size);
    SHA256_Final(out, &context);
}

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct sha256_state), "room for the library's state");

void
sha256_begin(struct sha256_state *hash)
{
    SHA256_Init((SHA256_CTX *)hash);
}

void
sha256_add(struct sha256_state *hash, const void *bytes, size_t size)
{
    SHA256_Update((SHA256_CTX *)hash, bytes, size);
}

void
sha256_end(struct sha256_state *hash, unsigned char out[sha256_bytes])
{
    SHA256_Final(out, (SHA256_CTX *)hash);
}

void
sha256_two(const void *a, size_t a_size, const void *b, size_t b_size,
           unsigned char out[sha256_bytes])
{
    SHA256_CTX context;

    SHA256_Init(&context);
    SHA256_Update(&context, a, a_size);
    SHA256_Update(&context, b, b_size);
    SHA256_Final(out, &context);
}

static void
hmac_state(const unsigned char block[hmac_block_bytes], unsigned char pad, uint32_t state[8])
{
    unsigned char padded[hmac_block_bytes];
    SHA256_CTX context;

    for (int i = 0; i < hmac_block_bytes; i++)
        padded[i] = block[i] ^ pad;
    SHA256_Init(&context);
    SHA256_Update(&context, padded, sizeof(padded));
    for (int i = 0; i < 8; i++)
        state[i] = context.h[i];
}

void
hmac_prepare(struct hmac_key *key, const void *secret, size_t size)
{
    unsigned char block[hmac_block_bytes] = { 0 };

    if (size > sizeof(block))
        SHA256(secret, size, block);
    else
        memcpy(block, secret, size);
    hmac_state(block, 0x36, key->inner);
    hmac_state(block, 0x5c, key->outer);
}

static void
hmac_resume(SHA256_CTX *context, const uint32_t state[8])
{
    SHA256_Init(context);
    for (int i = 0; i < 8; i++)
        context->h[i] = state[i];
    context->Nl = hmac_block_bytes * 8;
}

void
hmac_sha256(const struct hmac_key *key, const void *bytes, size_t size,
            unsigned char out[sha256_bytes])
{
    SHA256_CTX context;
    unsigned char inner[sha256_bytes];

    hmac_resume(&context, key->inner);
    SHA256_Update(&context, bytes, size);
    SHA256_Final(inner, &context);
    hmac_resume(&context, key->outer);
    SHA256_Update(&context, inner, sizeof(inner));
    SHA256_Final(out, &context);
}

void
derive_key(const unsigned char master[32], const char *label, unsigned char out[32])
{
    struct hmac_key key;

    hmac_prepare(&key, master, 32);
    hmac_sha256(&key, label, strlen(label), out);
}

/* A context that seals with AES-256-GCM: made once, keyed as often as is wanted. */
static EVP_CIPHER_CTX *
new_context(void)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

    if (context && EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, NULL, NULL) == 1)
        return context;
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

static enum code
seal_with(EVP_CIPHER_CTX *context, const unsigned char *key,
          const unsigned char nonce[seal_nonce_bytes], const void *plain, size_t size,
          unsigned char *out, struct err *err)
{
    int length = 0, rest = 0;
    bool good = context && size <= INT32_MAX &&
                EVP_EncryptInit_ex(context, NULL, NULL, key, nonce) == 1 &&
                EVP_EncryptUpdate(context, out + seal_nonce_bytes, &length, plain, (int)size) ==
                    1 &&
                EVP_EncryptFinal_ex(context, out + seal_nonce_bytes + length, &rest) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, seal_tag_bytes,
                                    out + seal_nonce_bytes + size) == 1;

    if (!good)
        return err_set(err, CODE_NO_MEMORY, "cannot seal data");
    memcpy(out, nonce, seal_nonce_bytes);
    return OK;
}

enum code
seal_bytes(const unsigned char key[32], const unsigned char nonce[seal_nonce_bytes],
           const void *plain, size_t size, unsigned char *out, struct err *err)
{
    EVP_CIPHER_CTX *context = new_context();
    enum code rc = seal_with(context, key, nonce, plain, size, out, err);

    EVP_CIPHER_CTX_free(context);
    return rc;
}

struct sealer {
    EVP_CIPHER_CTX *context;
};

enum code
sealer_new(struct sealer **sealer, struct err *err)
{
    struct sealer *made = OPENSSL_zalloc(sizeof(*made));

    if (made)
        made->context = new_context();
    if (!made || !made->context) {
        OPENSSL_free(made);
        return err_set(err, CODE_NO_MEMORY, "no memory to seal data");
    }
    *sealer = made;
    return OK;
}

void
sealer_free(struct sealer *sealer)
{
    if (sealer)
        EVP_CIPHER_CTX_free(sealer->context);
    OPENSSL_free(sealer);
}

enum code
sealer_seal(struct sealer *sealer, const unsigned char *key,
            const unsigned char nonce[seal_nonce_bytes], const void *plain, size_t size,
            unsigned char *out, struct err *err)
{
    return seal_with(sealer->context, key, nonce, plain, size, out, err);
}

enum code
open_bytes(const unsigned char key[32], const void *sealed, size_t size, unsigned char *out,
           struct err *err)
{
    const unsigned char *bytes = sealed;
    unsigned char tag[seal_tag_bytes];
    int length = 0, rest = 0;

    if (size < seal_overhead_bytes || size > INT32_MAX)
        return err_set(err, CODE_CORRUPT, "sealed data are too short");
    size_t plain = size - seal_overhead_bytes;
    memcpy(tag, bytes + size - seal_tag_bytes, sizeof(tag));
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool good = context && EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, bytes) == 1 &&
                EVP_DecryptUpdate(context, out, &length, bytes + seal_nonce_bytes, (int)plain) ==
                    1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, seal_tag_bytes, tag) == 1 &&
                EVP_DecryptFinal_ex(context, out + length, &rest) == 1;
    EVP_CIPHER_CTX_free(context);
    if (!good)
        return err_set(err, CODE_CORRUPT, "sealed data do not open with this key");
    return OK;
}

bool
secret_equal(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

void
hex_encode(const unsigned char *bytes, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool
hex_decode(struct text hex, unsigned char *out, size_t size)
{
    if (hex.len != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(hex.ptr[2 * i]), low = hex_digit(hex.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
