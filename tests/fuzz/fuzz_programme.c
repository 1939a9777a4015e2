/*
 * fuzz_programme.c - no document breaks the compiler, and a plan that it makes is sound.
 *
 * Owns:      what is asked of every document: a mistake names a place of it; little memory is a
 *            failure and nothing worse. And of every plan: it follows itself, its conditions and
 *            trees are well formed, every rule stands in one tree, a receipt is decided twice
 *            alike, and every word about it is UTF-8.
 * Must not:  keep anything between two inputs.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/plan.h"
#include "unit/host.h"

enum { events_lines = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* A place three hours before UTC, always. */
static struct text zone_bytes(unsigned char bytes[160])
{
    static const unsigned char type[] = { 0, 0, 0x2a, 0x30, 0, 0, '+', '0', '3', 0 };
    static const char footer[] = "\n<+03>-3\n";
    uint32_t size = 0;

    for (int block = 0; block < 2; block++) {
        memset(bytes + size, 0, 44);
        memcpy(bytes + size, "TZif2", 5);
        bytes[size + 39] = 1;
        bytes[size + 43] = 4;
        memcpy(bytes + size + 44, type, sizeof type);
        size += 44 + sizeof type;
    }
    memcpy(bytes + size, footer, sizeof footer - 1);
    return (struct text){ (char *)bytes, size + (uint32_t)sizeof footer - 1 };
}

static enum code compile(struct arena *arena, struct text document, struct plan **plan,
                         struct problems *problems)
{
    unsigned char bytes[160];
    struct err err = { 0 };
    enum code rc = plan_compile(arena, document, zone_bytes(bytes), 1, plan, problems, &err);
    require(rc == OK || rc == CODE_SYNTAX || rc == CODE_NO_MEMORY);
    require((rc == CODE_SYNTAX) == (problems->count > 0) || rc == CODE_NO_MEMORY);
    require(rc == OK || err.code == rc);
    return rc;
}

/* ------------------------------------------------------------------------------------- mistakes */

static const struct json_node *step(const struct json_node *node, struct text part)
{
    char name[1024];
    uint32_t length = 0, index = 0;

    if (node == NULL || part.len >= sizeof name)
        return NULL;
    for (uint32_t i = 0; i < part.len; i++) {
        char c = part.ptr[i];
        if (c == '~' && i + 1 < part.len)
            c = part.ptr[++i] == '1' ? '/' : '~';
        name[length++] = c;
    }
    if (node->type == JSON_OBJECT)
        return json_member(node, (struct text){ name, length });
    for (uint32_t i = 0; i < length; i++)
        index = index * 10 + (uint32_t)(name[i] - '0');
    node = node->first;
    while (node != NULL && node->index != index)
        node = node->next;
    return node;
}

/* Every pointer leads to a place of the document, or to a member that is missing there. */
static void check_problems(struct arena *arena, struct text document,
                           const struct problems *problems)
{
    struct json_node *root = NULL;

    if (json_tree_parse(arena, document, &root, NULL) != OK)
        return;
    for (uint32_t i = 0; i < problems->count; i++) {
        struct text pointer = problems->item[i].pointer;
        const struct json_node *node = root;
        require(problems->item[i].sentence.len > 0);
        require(text_is_utf8(problems->item[i].sentence));
        uint32_t at = 0;
        while (at < pointer.len && pointer.len < 1000) {
            uint32_t end = ++at;
            while (end < pointer.len && pointer.ptr[end] != '/')
                end++;
            require(node != NULL); /* only the last part may be missing */
            node = step(node, (struct text){ pointer.ptr + at, end - at });
            at = end;
        }
    }
}

/* ------------------------------------------------------------------------------------- the plan */

static void check_leaf(const struct plan *plan, const struct condition *leaf)
{
    bool texts = leaf->kind == VALUE_TEXT || leaf->kind == VALUE_TEXT_SET;

    require(leaf->attribute < attribute_id_count);
    if (leaf->attribute == ATTRIBUTE_MEMBER_LEVEL)
        require(leaf->index < plan->terms.ladder_count);
    if (leaf->attribute == ATTRIBUTE_COUNTER)
        require(leaf->index < plan->terms.counter_count);
    if (leaf->attribute == ATTRIBUTE_LINE_OWN || leaf->attribute == ATTRIBUTE_EVENT_OWN)
        require(leaf->index < plan->own_count);
    require((leaf->op == CONDITION_IN || leaf->op == CONDITION_NOT_IN) == (leaf->count > 0));
    for (uint32_t i = 1; i < leaf->count; i++)
        require(texts ? condition_text_compare(leaf->value.texts[i - 1], leaf->value.texts[i]) < 0
                      : leaf->value.numbers[i - 1] < leaf->value.numbers[i]);
}

static void check_condition(const struct plan *plan, uint32_t index, int depth)
{
    const struct condition *node = &plan->condition[index];
    uint32_t children = 0;

    require(depth <= 3 * condition_depth_max);
    require(node->next > index && node->next <= plan->condition_count);
    if (node->op >= CONDITION_EQ) {
        require(node->next == index + 1);
        check_leaf(plan, node);
        return;
    }
    for (uint32_t i = index + 1; i < node->next; i = plan->condition[i].next) {
        require(plan->condition[i].next <= node->next);
        check_condition(plan, i, depth + 1);
        children++;
    }
    require(node->op == CONDITION_NOT ? children == 1 : children >= 1);
}

static void check_root(const struct plan *plan, int32_t root)
{
    require(root == condition_none || (root >= 0 && (uint32_t)root < plan->condition_count));
    if (root != condition_none)
        check_condition(plan, (uint32_t)root, 0);
}

static void check_tree(const struct plan *plan, const struct tree *tree, uint8_t scope,
                       uint8_t kind, uint8_t *seen)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct tree_node *node = &tree->node[i];
        int32_t before = INT32_MAX;
        require(node->next > i && node->next <= tree->count);
        if (node->op == TREE_RULE) {
            require(node->rule >= 0 && (uint32_t)node->rule < plan->rule_count);
            require(plan->rule[node->rule].scope == scope);
            require(plan->rule[node->rule].kind == kind);
            require(seen[node->rule]++ == 0);
            continue;
        }
        for (uint32_t j = i + 1; j < node->next; j = tree->node[j].next) {
            if (tree->node[j].op != TREE_RULE)
                continue;
            require(plan->rule[tree->node[j].rule].priority <= before);
            before = plan->rule[tree->node[j].rule].priority;
        }
        require(node->children > 0);
    }
}

static void check_plan(const struct plan *plan, struct arena *arena)
{
    uint8_t *seen = arena_array(arena, uint8_t, plan->rule_count);
    struct problems problems = { 0 };

    require(seen != NULL);
    for (uint32_t i = 0; i < plan->kind_count; i++) {
        const struct kind_plan *kind = &plan->kind[i];
        require(plan_kind(plan, kind->name) == kind);
        check_tree(plan, &kind->line, SCOPE_LINE, (uint8_t)i, seen);
        check_tree(plan, &kind->receipt, SCOPE_RECEIPT, (uint8_t)i, seen);
        for (uint32_t j = 0; j < kind->earn_count; j++)
            check_tree(plan, &kind->earn[j], SCOPE_EARN, (uint8_t)i, seen);
    }
    for (uint32_t i = 0; i < plan->rule_count; i++) {
        require(seen[i] == 1);
        require(plan_rule_by_code(plan, plan->rule[i].code) == (int32_t)i);
        check_root(plan, plan->rule[i].when);
        check_root(plan, plan->rule[i].lines);
    }
    for (int i = 0; i < plan->terms.currency_count; i++)
        check_root(plan, plan->redemption[i].lines);
    require(plan_may_follow(plan, plan, arena, &problems));
    require(problems.count == 0);
}

/* ------------------------------------------------------------------------------------- deciding */

static struct event make_event(const struct plan *plan, const struct kind_plan *kind,
                               struct line *line, struct redeem *redeem)
{
    static const char *const words[] = { "milk", "bread", "own", "7", "bonus", "excluded" };
    struct event event = { .kind = kind->name, .outlet = TEXT("7"), .till = TEXT("1"),
                           .occurred_at = INT64_C(1770000000000), .confirmed = true,
                           .line = line, .line_count = events_lines, .redeem = redeem };

    for (uint32_t i = 0; i < events_lines; i++)
        line[i] = (struct line){ .article = text_of(words[i]),
                                 .category = text_of(words[(i + 1) % 6]),
                                 .brand = text_of(words[(i + 2) % 6]),
                                 .quantity = 1000 + 500 * (int64_t)(i % 2),
                                 .price = 99990000 * (int64_t)(i + 1),
                                 .is_service = i == 3,
                                 .is_discounted = i == 4 };
    for (int i = 0; i < plan->terms.currency_count && i < redeems_per_receipt_max; i++)
        if (plan->redemption[i].allowed)
            redeem[event.redeem_count++] =
                (struct redeem){ .currency = plan->terms.currency[i].code, .max = true };
    uint32_t bad;
    require(event_normalise(&event, plan->terms.money_scale, &bad) == OUTCOME_DONE);
    return event;
}

static void check_words(const struct plan *plan, const struct decision *decision,
                        struct arena *arena)
{
    struct json_node *root;

    for (int russian = 0; russian <= 1; russian++) {
        struct json_writer writer;
        struct buf buf;
        buf_init(&buf, arena, 1024);
        json_write_init(&writer, &buf);
        explain_json(plan, decision, russian, &writer);
        require(!buf.failed);
        require(text_is_utf8(buf_text(&buf)));
        require(json_tree_parse(arena, buf_text(&buf), &root, NULL) == OK);
        require(root->count == decision->trace_count);
    }
}

static void decide(const struct plan *plan, struct arena *arena)
{
    static struct member_view view;

    view = (struct member_view){ .known = true, .enrolled_at = INT64_C(1600000000000) };
    for (int i = 0; i < plan->terms.currency_count; i++)
        view.available[i] = 100000;
    for (uint32_t i = 0; i < plan->kind_count; i++) {
        struct line line[events_lines];
        struct redeem redeem[redeems_per_receipt_max];
        struct event event = make_event(plan, &plan->kind[i], line, redeem);
        struct decision told = { 0 }, untold = { 0 };
        struct err err;
        enum code rc = engine_evaluate(plan, &event, &view, EVALUATE_ORDINARY, TRACE_DEFAULT, arena,
                                       &told, &err);
        require(rc == engine_evaluate(plan, &event, &view, EVALUATE_ORDINARY, TRACE_NOTHING, arena,
                                      &untold, &err));
        require(rc == OK || rc == CODE_RANGE);
        if (rc != OK)
            continue;
        require(told.effect_count == untold.effect_count);
        for (uint32_t j = 0; j < told.effect_count; j++)
            require(told.effect[j].points == untold.effect[j].points &&
                    told.effect[j].money == untold.effect[j].money);
        check_words(plan, &told, arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text document = { (const char *)data, (uint32_t)size };
    struct text id, zone;
    struct plan *plan = NULL;
    struct problems problems;
    struct arena arena;

    /* One input in eight finds little memory: its length decides how little. */
    size_t cap = size % 8 == 7 ? 4096 + 1024 * (size / 8 % 256) : 64 << 20;
    arena_init(&arena, host_source(), 4096, cap);
    enum code rc = compile(&arena, document, &plan, &problems);
    require((plan != NULL) == (rc == OK));
    if (rc == CODE_NO_MEMORY || cap < (64 << 20)) {
        arena_release(&arena);
        return 0;
    }
    if (rc == CODE_SYNTAX) {
        check_problems(&arena, document, &problems);
    } else {
        require(plan_peek(&arena, document, &id, &zone, NULL) == OK);
        require(text_equal(id, plan->terms.programme));
        check_plan(plan, &arena);
        decide(plan, &arena);
        for (uint32_t i = 0; i < plan->condition_count; i++)
            require(plan->condition[i].next > i);
    }
    arena_release(&arena);
    return 0;
}
