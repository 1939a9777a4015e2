/*
 * test_json_tree.c - trees against a second parser, duplicate keys, failures.
 *
 * Owns:      the tests of base/json_tree.h; the oracle is jansson.
 */
#include "base/json_tree.h"

#include "json_help.h"
#include "oracle.h"

static struct json_node *parse(struct arena *arena, const char *text)
{
    struct json_node *root = NULL;
    struct err err = { 0 };

    if (json_tree_parse(arena, text_of(text), &root, &err) != OK)
        fail_msg("'%s': %s", text, err.text);
    return root;
}

static void members_in_order(void **state)
{
    struct arena arena = unit_arena();
    struct json_node *root = parse(&arena, "{\"b\":[10,{\"~/\":\"x\\ny\"},[]],\"a\":null,\"\":{}}");
    struct json_node *b = json_member(root, TEXT("b"));
    struct buf buf;

    (void)state;
    assert_int_equal(root->type, JSON_OBJECT);
    assert_int_equal(root->count, 3);
    assert_null(root->parent);
    assert_ptr_equal(root->first, b);
    assert_int_equal(b->type, JSON_ARRAY);
    assert_int_equal(b->count, 3);
    assert_text_is(b->key, "b");
    assert_text_is(b->first->value, "10");
    assert_int_equal(b->first->type, JSON_NUMBER);
    assert_int_equal(b->next->type, JSON_NULL);
    assert_int_equal(b->next->index, 1);
    assert_ptr_equal(b->next->parent, root);
    assert_int_equal(b->next->next->type, JSON_OBJECT);
    assert_int_equal(b->next->next->count, 0);
    assert_null(b->next->next->next);
    assert_ptr_equal(json_member(root, TEXT("")), b->next->next);
    assert_null(json_member(root, TEXT("c")));
    assert_null(json_member(b, TEXT("b")));
    assert_null(json_member(NULL, TEXT("b")));
    struct json_node *x = json_member(b->first->next, TEXT("~/"));
    assert_text_is(x->value, "x\ny");
    buf_init(&buf, &arena, 0);
    json_node_pointer(x, &buf);
    assert_text_is(buf_text(&buf), "/b/1/~0~1");
    buf_init(&buf, &arena, 0);
    json_node_pointer(root, &buf);
    assert_text_is(buf_text(&buf), "");
    arena_release(&arena);
}

static void errors_say_where(void **state)
{
    static const struct {
        const char *text, *error;
    } row[] = {
        { "{\"a\":[1,tru]}", "'/a/1', byte 8: not a value" },
        { "", "'', byte 0: unexpected end of the text" },
        { "{\"a\":1,\"a\":2}", "'/a': the key comes twice" },
        { "[{\"x\":{\"b\":1,\"~\":2,\"\\u007e\":3,\"b\":4}}]", "'/0/x/~0': the key comes twice" },
        { "{\"\":1,\"\":2}", "'/': the key comes twice" },
        { "{\"b\":1,\"a\":1,\"b\":1,\"a\":1}", "'/b': the key comes twice" },
        { "{\"z\":1,\"a\":1,\"z\":1,\"a\":1,\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,"
          "\"7\":1,\"8\":1,\"9\":1,\"0\":1}", "'/z': the key comes twice" },
    };
    struct arena arena = unit_arena();

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(row); i++) {
        struct json_node *root = NULL;
        struct err err = { 0 };
        assert_int_equal(json_tree_parse(&arena, text_of(row[i].text), &root, &err), CODE_SYNTAX);
        assert_int_equal(err.code, CODE_SYNTAX);
        assert_string_equal(err.text, row[i].error);
        assert_null(root);
        assert_int_equal(json_tree_parse(&arena, text_of(row[i].text), &root, NULL), CODE_SYNTAX);
    }
    arena_release(&arena);
}

/* One key twice among `count`, at every pair of places that matters. */
static void twice_among_many(void **state)
{
    static const uint32_t counts[] = { 2, 3, 11, 12, 13, 14, 40, 1000 };
    struct arena arena = unit_arena();

    (void)state;
    for (size_t c = 0; c < KOP_COUNT(counts); c++) {
        uint32_t count = counts[c];
        uint32_t step = count > 50 ? 197 : 1;
        for (uint32_t first = 0; first < count; first += step) {
            for (uint32_t second = first; second < count; second += step) {
                struct buf buf;
                struct json_node *root = NULL;
                struct err err = { 0 };
                arena_reset(&arena);
                buf_init(&buf, &arena, 0);
                for (uint32_t i = 0; i < count; i++)
                    buf_addf(&buf, "%c\"k%u\":%u", i == 0 ? '{' : ',', i == second ? first : i, i);
                buf_add_char(&buf, '}');
                enum code rc = json_tree_parse(&arena, buf_text(&buf), &root, &err);
                if (first == second) {
                    assert_int_equal(rc, OK);
                    assert_int_equal(root->count, count);
                    continue;
                }
                char expected[64];
                snprintf(expected, sizeof expected, "'/k%u': the key comes twice", first);
                assert_int_equal(rc, CODE_SYNTAX);
                assert_string_equal(err.text, expected);
            }
        }
    }
    arena_release(&arena);
}

/* Many keys in one object take no quadratic time: 200 000 pairwise would be minutes. */
static void many_keys_are_quick(void **state)
{
    struct arena arena = unit_arena();
    struct json_node *root = NULL;
    struct buf buf;

    (void)state;
    buf_init(&buf, &arena, 0);
    for (unsigned i = 0; i < 200000; i++)
        buf_addf(&buf, "%c\"k%u\":0", i == 0 ? '{' : ',', i * 7919u);
    buf_add_char(&buf, '}');
    assert_int_equal(json_tree_parse(&arena, buf_text(&buf), &root, NULL), OK);
    assert_int_equal(root->count, 200000);
    arena_release(&arena);
}

static void no_memory_is_told(void **state)
{
    static const char document[] =
        "{\"a\\n\":[1,2,{\"b\":\"\\u0416\"}],\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,"
        "\"i\":0,\"j\":0,\"k\":0,\"l\":0,\"m\":0,\"n\":0,\"o\":0,\"p\":0}";
    _Alignas(16) static char memory[8192];
    bool done = false;

    (void)state;
    for (size_t size = 64; size <= sizeof memory; size += 16) {
        struct arena arena;
        struct json_node *root = NULL;
        struct err err = { 0 };
        arena_init_fixed(&arena, memory, size);
        enum code rc = json_tree_parse(&arena, text_of(document), &root, &err);
        assert_true(rc == OK || rc == CODE_NO_MEMORY);
        assert_int_equal(rc == OK, !arena.failed);
        assert_true(rc == OK || !done); /* more memory is never worse */
        done = rc == OK;
    }
    assert_true(done);
}

static void assert_same_number(struct text number, const struct oracle *other)
{
    char digits[400];

    assert_true(number.len < sizeof digits);
    snprintf(digits, sizeof digits, "%.*s", (int)number.len, number.ptr);
    if (oracle_kind(other) == ORACLE_INTEGER) {
        assert_true(oracle_integer(other) == strtoll(digits, NULL, 10));
    } else {
        assert_int_equal(oracle_kind(other), ORACLE_REAL);
        assert_true(oracle_real(other) == strtod(digits, NULL));
    }
}

static void assert_same_string(struct text string, const struct oracle *other)
{
    size_t len;

    assert_int_equal(oracle_kind(other), ORACLE_STRING);
    const char *value = oracle_string(other, &len);
    assert_int_equal(len, string.len);
    assert_memory_equal(value, string.ptr, len);
}

static void assert_same(const struct json_node *node, const struct oracle *other)
{
    bool object = node->type == JSON_OBJECT;

    assert_non_null(other);
    switch (node->type) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        assert_int_equal(oracle_kind(other), object ? ORACLE_OBJECT : ORACLE_ARRAY);
        assert_int_equal(oracle_count(other), node->count);
        for (const struct json_node *child = node->first; child != NULL; child = child->next)
            assert_same(child, object ? oracle_member(other, child->key.ptr, child->key.len)
                                      : oracle_element(other, child->index));
        return;
    case JSON_STRING:
        assert_same_string(node->value, other);
        return;
    case JSON_NUMBER:
        assert_same_number(node->value, other);
        return;
    case JSON_TRUE:
        assert_int_equal(oracle_kind(other), ORACLE_TRUE);
        return;
    case JSON_FALSE:
        assert_int_equal(oracle_kind(other), ORACLE_FALSE);
        return;
    default:
        assert_int_equal(node->type, JSON_NULL);
        assert_int_equal(oracle_kind(other), ORACLE_NULL);
    }
}

struct tally {
    long accepted, refused, twice, unlike;
};

/* Both parsers on one text: the same answer, and the same document, also when written again. */
static void compare_parsers(struct arena *arena, struct text text, struct tally *tally)
{
    struct json_node *root = NULL, *again = NULL;
    struct err err = { 0 };
    char problem[200];
    bool cannot;
    struct oracle *other = oracle_parse(text.ptr, text.len, &cannot, problem);
    enum code rc = json_tree_parse(arena, text, &root, &err);

    if (rc == OK && other != NULL) {
        tally->accepted++;
        assert_same(root, other);
        struct text written = tree_text(root, arena);
        assert_int_equal(json_tree_parse(arena, written, &again, &err), OK);
        assert_same(again, other);
        assert_true(text_equal(tree_text(again, arena), written));
    } else if (cannot) {
        tally->unlike++;
    } else if (rc != OK && other == NULL) {
        tally->refused++;
        tally->twice += strstr(err.text, "comes twice") != NULL;
    } else {
        fail_msg("'%.*s': ours %s (%s), the other %s", (int)text.len, text.ptr, code_name(rc),
                 err.text, other != NULL ? "accepts" : problem);
    }
    oracle_free(other);
}

static void agrees_with_a_second_parser(void **state)
{
    struct arena arena = unit_arena();
    struct random64 random = { 99 };
    struct tally whole = { 0 }, damaged = { 0 };

    (void)state;
    for (int i = 0; i < 6000; i++) {
        arena_reset(&arena);
        struct text text = random_document(&random, &arena);
        compare_parsers(&arena, text, &whole);
        for (int k = 0; k < 5; k++)
            compare_parsers(&arena, random_damage(&random, &arena, text), &damaged);
    }
    assert_true(whole.accepted > 4000);
    assert_true(whole.twice > 100);
    assert_int_equal(whole.refused, whole.twice);
    assert_true(damaged.accepted > 1000);
    assert_true(damaged.refused > 5000);
    assert_true(damaged.unlike < 500);
    assert_false(arena.failed);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_in_order),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(twice_among_many),
        cmocka_unit_test(many_keys_are_quick),
        cmocka_unit_test(no_memory_is_told),
        cmocka_unit_test(agrees_with_a_second_parser),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
