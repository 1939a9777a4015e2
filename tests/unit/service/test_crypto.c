/*
 * test_crypto.c - hashes, keyed hashes and sealing against published vectors and OpenSSL's own.
 *
 * Owns:      vectors of FIPS 180-4, RFC 4231 and of GCM's authors; random messages against HMAC();
 *            every single bit of something sealed.
 * Must not:  test what is hashed or sealed elsewhere.
 */
#include "service/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

static uint64_t seed = 20260106;

static uint64_t
next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void
fill(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(next() >> 24);
}

/* Bytes of a hexadecimal literal; their number. */
static size_t
bytes_of(const char *hex, unsigned char *out)
{
    size_t size = strlen(hex) / 2;

    assert_true(hex_decode(text_of(hex), out, size));
    return size;
}

static void
is_hex(const unsigned char *bytes, const char *hex)
{
    unsigned char wanted[256];
    size_t size = bytes_of(hex, wanted);

    assert_memory_equal(bytes, wanted, size);
}

/* ---- hashes ---- */

static void
fips_180_4(void **state)
{
    static const struct {
        const char *message, *digest;
    } vectors[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
        { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
          "lmnopqrsmnopqrstnopqrstu",
          "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
    };
    unsigned char out[sha256_bytes];

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(vectors); i++) {
        sha256(vectors[i].message, strlen(vectors[i].message), out);
        is_hex(out, vectors[i].digest);
    }
    char *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    sha256(million, 1000000, out);
    is_hex(out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static void
two_parts_are_one_message(void **state)
{
    unsigned char bytes[300], whole[sha256_bytes], parts[sha256_bytes];

    (void)state;
    fill(bytes, sizeof(bytes));
    sha256(bytes, sizeof(bytes), whole);
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        sha256_two(bytes, cut, bytes + cut, sizeof(bytes) - cut, parts);
        assert_memory_equal(whole, parts, sizeof(whole));
    }
}

static void
a_chain_may_overwrite_its_head(void **state)
{
    unsigned char head[sha256_bytes] = { 1, 2, 3 }, apart[sha256_bytes];
    const char *step = "a movement";

    (void)state;
    sha256_two(head, sizeof(head), step, strlen(step), apart);
    sha256_two(head, sizeof(head), step, strlen(step), head);
    assert_memory_equal(head, apart, sizeof(head));
}

/* ---- keyed hashes ---- */

static void
rfc_4231(void **state)
{
    static const struct {
        int key_byte, key_size; /* -1: `key` */
        const char *key, *data; /* hexadecimal, or text after "=" */
        int data_byte, data_size;
        const char *mac;
    } cases[] = {
        { 0x0b, 20, NULL, "=Hi There", 0, 0,
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { -1, 0, "4a656665", "=what do ya want for nothing?", 0, 0,
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { 0xaa, 20, NULL, NULL, 0xdd, 50,
          "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
        { -1, 0, "0102030405060708090a0b0c0d0e0f10111213141516171819", NULL, 0xcd, 50,
          "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
        { 0x0c, 20, NULL, "=Test With Truncation", 0, 0, "a3b6167473100ee06e0c796c2955552b" },
        { 0xaa, 131, NULL, "=Test Using Larger Than Block-Size Key - Hash Key First", 0, 0,
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
        { 0xaa, 131, NULL,
          "=This is a test using a larger than block-size key and a larger than block-size data. "
          "The key needs to be hashed before being used by the HMAC algorithm.",
          0, 0, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
    };
    unsigned char key[256], data[256], out[sha256_bytes];
    struct hmac_key prepared;

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(cases); i++) {
        size_t key_size = (size_t)cases[i].key_size, data_size = (size_t)cases[i].data_size;
        if (cases[i].key_byte < 0)
            key_size = bytes_of(cases[i].key, key);
        else
            memset(key, cases[i].key_byte, key_size);
        if (cases[i].data) {
            data_size = strlen(cases[i].data) - 1;
            memcpy(data, cases[i].data + 1, data_size);
        } else {
            memset(data, cases[i].data_byte, data_size);
        }
        hmac_prepare(&prepared, key, key_size);
        hmac_sha256(&prepared, data, data_size, out);
        is_hex(out, cases[i].mac);
    }
}

static void
like_openssl_on_random_messages(void **state)
{
    unsigned char key[200], data[400], ours[sha256_bytes], theirs[EVP_MAX_MD_SIZE];
    struct hmac_key prepared;
    unsigned int size;

    (void)state;
    for (int i = 0; i < 4000; i++) {
        size_t key_size = next() % (sizeof(key) + 1), data_size = next() % (sizeof(data) + 1);
        fill(key, key_size);
        fill(data, data_size);
        hmac_prepare(&prepared, key, key_size);
        assert_non_null(HMAC(EVP_sha256(), key, (int)key_size, data, data_size, theirs, &size));
        for (int again = 0; again < 2; again++) { /* a prepared key is not used up */
            hmac_sha256(&prepared, data, data_size, ours);
            assert_memory_equal(ours, theirs, sizeof(ours));
        }
    }
}

static void
a_key_for_each_purpose(void **state)
{
    unsigned char master[32], other[32], a[32], b[32], c[32], mac[EVP_MAX_MD_SIZE];
    unsigned int size;

    (void)state;
    fill(master, sizeof(master));
    memcpy(other, master, sizeof(other));
    other[31] ^= 1;
    derive_key(master, "person", a);
    derive_key(master, "directory", b);
    derive_key(other, "person", c);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a, c, sizeof(a));
    HMAC(EVP_sha256(), master, 32, (const unsigned char *)"person", 6, mac, &size);
    assert_memory_equal(a, mac, sizeof(a));
}

/* ---- sealing ---- */

/* Test cases 13 to 15 of the paper that proposed GCM: keys of 256 bits, nothing beside. */
static void
gcm_vectors(void **state)
{
    static const struct {
        const char *key, *nonce, *plain, *cipher, *tag;
    } vectors[] = {
        { "0000000000000000000000000000000000000000000000000000000000000000",
          "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b" },
        { "0000000000000000000000000000000000000000000000000000000000000000",
          "000000000000000000000000", "00000000000000000000000000000000",
          "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919" },
        { "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
          "cafebabefacedbaddecaf888",
          "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
          "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
          "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
          "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
          "b094dac5d93471bdec1a502270e3cc6c" },
    };
    unsigned char key[32], nonce[seal_nonce_bytes], plain[64], sealed[64 + seal_overhead_bytes];
    struct err err;

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(vectors); i++) {
        bytes_of(vectors[i].key, key);
        bytes_of(vectors[i].nonce, nonce);
        size_t size = bytes_of(vectors[i].plain, plain);
        assert_int_equal(seal_bytes(key, nonce, plain, size, sealed, &err), OK);
        is_hex(sealed, vectors[i].nonce);
        is_hex(sealed + seal_nonce_bytes, vectors[i].cipher);
        is_hex(sealed + seal_nonce_bytes + size, vectors[i].tag);
    }
}

static void
what_is_sealed_opens(void **state)
{
    unsigned char key[32], nonce[seal_nonce_bytes], plain[300], opened[300];
    unsigned char sealed[300 + seal_overhead_bytes];
    struct err err;

    (void)state;
    for (size_t size = 0; size <= sizeof(plain); size++) {
        fill(key, sizeof(key));
        fill(nonce, sizeof(nonce));
        fill(plain, size);
        assert_int_equal(seal_bytes(key, nonce, plain, size, sealed, &err), OK);
        assert_int_equal(open_bytes(key, sealed, size + seal_overhead_bytes, opened, &err), OK);
        assert_memory_equal(plain, opened, size);
    }
}

static void
every_bit_is_guarded(void **state)
{
    unsigned char key[32], nonce[seal_nonce_bytes], plain[40], opened[40];
    unsigned char sealed[sizeof(plain) + seal_overhead_bytes];
    struct err err;

    (void)state;
    fill(key, sizeof(key));
    fill(nonce, sizeof(nonce));
    fill(plain, sizeof(plain));
    assert_int_equal(seal_bytes(key, nonce, plain, sizeof(plain), sealed, &err), OK);
    for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
        sealed[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_int_equal(open_bytes(key, sealed, sizeof(sealed), opened, &err), CODE_CORRUPT);
        sealed[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof(key); bit++) {
        key[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_int_equal(open_bytes(key, sealed, sizeof(sealed), opened, &err), CODE_CORRUPT);
        key[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t size = 0; size < sizeof(sealed); size++)
        assert_int_equal(open_bytes(key, sealed, size, opened, &err), CODE_CORRUPT);
    assert_int_equal(open_bytes(key, sealed, sizeof(sealed), opened, &err), OK);
}

static void
a_sealer_seals_the_same(void **state)
{
    unsigned char key[32], nonce[seal_nonce_bytes], plain[100];
    unsigned char once[100 + seal_overhead_bytes], many[100 + seal_overhead_bytes];
    struct sealer *sealer = NULL;
    struct err err;

    (void)state;
    assert_int_equal(sealer_new(&sealer, &err), OK);
    for (int i = 0; i < 200; i++) {
        bool same_key = i > 0 && next() % 2 == 0;
        size_t size = next() % (sizeof(plain) + 1);
        if (!same_key)
            fill(key, sizeof(key));
        fill(nonce, sizeof(nonce));
        fill(plain, size);
        assert_int_equal(seal_bytes(key, nonce, plain, size, once, &err), OK);
        assert_int_equal(
            sealer_seal(sealer, same_key ? NULL : key, nonce, plain, size, many, &err), OK);
        assert_memory_equal(once, many, size + seal_overhead_bytes);
    }
    sealer_free(sealer);
    sealer_free(NULL);
}

/* ---- the rest ---- */

static void
hexadecimal(void **state)
{
    const unsigned char bytes[] = { 0x00, 0x7f, 0x80, 0xff, 0xa9 };
    unsigned char back[sizeof(bytes)];
    char hex[2 * sizeof(bytes)];

    (void)state;
    hex_encode(bytes, sizeof(bytes), hex);
    assert_memory_equal(hex, "007f80ffa9", sizeof(hex));
    assert_true(hex_decode((struct text){ hex, sizeof(hex) }, back, sizeof(back)));
    assert_memory_equal(bytes, back, sizeof(back));
    assert_false(hex_decode(TEXT("007F80FFA9"), back, sizeof(back))); /* one form alone */
    assert_false(hex_decode(TEXT("007f80ffa"), back, sizeof(back)));
    assert_false(hex_decode(TEXT("007f80ffa90"), back, sizeof(back)));
    assert_false(hex_decode(TEXT("007f80ffg9"), back, sizeof(back)));
    assert_false(hex_decode(TEXT("007f80ff 9"), back, sizeof(back)));
    assert_true(hex_decode(TEXT(""), back, 0));
}

static void
secrets_are_compared_whole(void **state)
{
    unsigned char a[32], b[32];

    (void)state;
    fill(a, sizeof(a));
    memcpy(b, a, sizeof(b));
    assert_true(secret_equal(a, b, sizeof(a)));
    for (size_t bit = 0; bit < 8 * sizeof(a); bit++) {
        b[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_false(secret_equal(a, b, sizeof(a)));
        b[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fips_180_4),
        cmocka_unit_test(two_parts_are_one_message),
        cmocka_unit_test(a_chain_may_overwrite_its_head),
        cmocka_unit_test(rfc_4231),
        cmocka_unit_test(like_openssl_on_random_messages),
        cmocka_unit_test(a_key_for_each_purpose),
        cmocka_unit_test(gcm_vectors),
        cmocka_unit_test(what_is_sealed_opens),
        cmocka_unit_test(every_bit_is_guarded),
        cmocka_unit_test(a_sealer_seals_the_same),
        cmocka_unit_test(hexadecimal),
        cmocka_unit_test(secrets_are_compared_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
