/*
 * compile_condition.c - condition objects of a document become flat nodes.
 *
 * Owns:      resolving attributes and test values; the shape of the flat array.
 * Must not:  test conditions (condition.c does).
 * Invariant: an attribute that is not known yet, or stands in the wrong place, is a mistake.
 * Cost:      O(n log n) for an `in` list of n values, once.
 * Tests:     tests/unit/engine/test_compile.c, tests/unit/engine/test_condition.c
 */
#include "engine/compile.h"

#include "base/mem.h"
#include "base/sort.h"

/* What a name in a document stands for. */
struct resolved {
    enum attribute_id id;
    enum attribute_place place;
    enum phase phase;
    enum value_kind kind;
    int scale;
    uint16_t index;
    struct bounds bounds; /* of numbers, at scale */
};

/* How deep we are, and what may be asked. */
struct scene {
    struct compiler *compiler;
    enum attribute_place place;
    enum phase known;
};

struct builtin {
    const char *name;
    enum attribute_place place;
    enum value_kind kind;
    enum phase phase;
};

static const struct builtin builtins[] = {
#define X(id, name, place, kind, phase) { name, PLACE_##place, VALUE_##kind, PHASE_##phase },
    ATTRIBUTES(X)
#undef X
};

static void emit_object(const struct scene *scene, const struct json_node *node, int depth);

/* ------------------------------------------------------------------------------ the flat array */

static uint32_t
append(struct compiler *compiler, const struct json_node *node, enum condition_op op)
{
    struct plan *plan = compiler->plan;

    if (plan->condition_count >= conditions_per_programme_max) {
        if (!compiler->conditions_full)
            compile_problem(compiler, node, "is one condition too many: at most %d in a programme",
                            (int)conditions_per_programme_max);
        compiler->conditions_full = true;
        return UINT32_MAX;
    }
    if (plan->condition_count == compiler->condition_cap) {
        uint32_t cap = compiler->condition_cap > 0 ? compiler->condition_cap * 2 : 64;
        struct condition *more = arena_array(compiler->arena, struct condition, cap);
        if (!more)
            return UINT32_MAX;
        if (plan->condition_count > 0)
            memcpy(more, plan->condition, plan->condition_count * sizeof *more);
        plan->condition = more;
        compiler->condition_cap = cap;
    }
    assert(plan->condition_count < compiler->condition_cap);
    plan->condition[plan->condition_count] =
        (struct condition){ .op = (uint8_t)op, .next = plan->condition_count + 1 };
    return plan->condition_count++;
}

/* The subtree of the group at `index` ends here. */
static void
close_group(struct compiler *compiler, uint32_t index)
{
    if (index != UINT32_MAX)
        compiler->plan->condition[index].next = compiler->plan->condition_count;
}

/* ---------------------------------------------------------------------------------- attributes */

static void
resolve_scale(const struct compiler *compiler, struct resolved *out)
{
    const struct terms *terms = &compiler->plan->terms;

    out->bounds = (struct bounds){ 0, AMOUNT_MAX };
    switch (out->kind) {
    case VALUE_MONEY:
        out->scale = terms->money_scale;
        break;
    case VALUE_COUNTER:
        if (terms->counter[out->index].source != COUNTER_COUNT)
            out->scale = terms->money_scale;
        break;
    case VALUE_PRICE:
        out->scale = price_scale;
        out->bounds.max = PRICE_MAX;
        break;
    case VALUE_QUANTITY:
        out->scale = quantity_scale;
        out->bounds.max = QUANTITY_MAX;
        break;
    case VALUE_NUMBER:
        out->scale = own_number_scale;
        out->bounds = (struct bounds){ INT64_MIN, INT64_MAX };
        break;
    default:
        break;
    }
    if (out->id == ATTRIBUTE_TIME_HOUR)
        out->bounds = (struct bounds){ 0, 23 };
    else if (out->id == ATTRIBUTE_TIME_WEEKDAY)
        out->bounds = (struct bounds){ 1, 7 };
    else if (out->id == ATTRIBUTE_TIME_DAY)
        out->bounds = (struct bounds){ 1, 31 };
    else if (out->id == ATTRIBUTE_TIME_MONTH)
        out->bounds = (struct bounds){ 1, 12 };
}

/* "member.level.<ladder>", "counter.<code>": the part behind the point names one of ours. */
static bool
resolve_indexed(struct compiler *compiler, const struct json_node *node, struct resolved *out)
{
    const struct terms *terms = &compiler->plan->terms;
    bool ladder = text_starts(node->key, TEXT("member.level."));
    uint32_t skip = ladder ? 13 : 8;
    struct text code = { node->key.ptr + skip, node->key.len - skip };
    int position = ladder ? ladder_position(terms, code) : counter_position(terms, code);

    out->id = ladder ? ATTRIBUTE_MEMBER_LEVEL : ATTRIBUTE_COUNTER;
    out->index = (uint16_t)position;
    if (position >= 0)
        return true;
    if (!compile_declared(compiler, ladder ? "ladders" : "counters", code))
        compile_problem(compiler, node, "names no %s of this programme",
                        ladder ? "ladder" : "counter");
    return false;
}

static bool
resolve_own(struct compiler *compiler, const struct json_node *node, struct resolved *out)
{
    static const enum value_kind kinds[] = { [ATTRIBUTE_TEXT] = VALUE_TEXT,
                                             [ATTRIBUTE_NUMBER] = VALUE_NUMBER,
                                             [ATTRIBUTE_BOOL] = VALUE_BOOL };
    const struct plan *plan = compiler->plan;

    for (uint32_t i = 0; i < plan->own_count; i++) {
        if (!text_equal(plan->own[i].full, node->key))
            continue;
        out->id = plan->own[i].place == PLACE_LINE ? ATTRIBUTE_LINE_OWN : ATTRIBUTE_EVENT_OWN;
        out->index = (uint16_t)i;
        out->kind = kinds[plan->own[i].type];
        return true;
    }
    if (!compile_declared(compiler, "attributes", node->key))
        compile_problem(compiler, node, "is not an attribute that this programme knows");
    return false;
}

static bool
resolve(struct compiler *compiler, const struct json_node *node, struct resolved *out)
{
    uint32_t i = 0;

    *out = (struct resolved){ 0 };
    while (i < attribute_id_count && !text_equal(node->key, text_of(builtins[i].name)))
        i++;
    out->id = (enum attribute_id)i;
    if (i == attribute_id_count || i == ATTRIBUTE_LINE_OWN || i == ATTRIBUTE_EVENT_OWN ||
        i == ATTRIBUTE_MEMBER_LEVEL || i == ATTRIBUTE_COUNTER) {
        bool indexed = text_starts(node->key, TEXT("member.level.")) ||
                       text_starts(node->key, TEXT("counter."));
        bool good = indexed ? resolve_indexed(compiler, node, out)
                            : resolve_own(compiler, node, out);
        if (!good)
            return false;
    }
    const struct builtin *builtin = &builtins[out->id];
    out->place = builtin->place;
    out->phase = builtin->phase;
    if (out->id != ATTRIBUTE_LINE_OWN && out->id != ATTRIBUTE_EVENT_OWN)
        out->kind = builtin->kind;
    resolve_scale(compiler, out);
    return true;
}

static bool
may_be_asked(const struct scene *scene, const struct json_node *node, const struct resolved *what)
{
    static const char *const when[] = { [PHASE_START] = "",
                                        [PHASE_AFTER_LINES] = "the line rules",
                                        [PHASE_NET] = "the receipt rules and rounding",
                                        [PHASE_PAID] = "the purchase is paid" };

    if (what->place != scene->place) {
        compile_problem(scene->compiler, node,
                        what->place == PLACE_LINE
                            ? "is an attribute of lines: it belongs in 'lines'"
                            : "is no attribute of lines: it belongs in 'when'");
        return false;
    }
    if (what->phase > scene->known) {
        compile_problem(scene->compiler, node, "is not known here: only after %s",
                        when[what->phase]);
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------------------------- test values */

static bool
level_value(struct compiler *compiler, const struct json_node *node, const struct resolved *what,
            int64_t *number)
{
    const struct ladder_terms *ladder = &compiler->plan->terms.ladder[what->index];
    struct text code;

    if (!compile_string(compiler, node, code_bytes_max, &code))
        return false;
    for (uint8_t i = 0; i < ladder->level_count; i++) {
        if (text_equal(ladder->level[i].code, code)) {
            *number = i + 1;
            return true;
        }
    }
    compile_problem(compiler, node, "names no level of the ladder");
    return false;
}

static bool
number_value(struct compiler *compiler, const struct json_node *node, const struct resolved *what,
             int64_t *number)
{
    bool truth;

    switch (what->kind) {
    case VALUE_BOOL:
        if (!compile_bool(compiler, node, &truth))
            return false;
        *number = truth;
        return true;
    case VALUE_LEVEL:
        return level_value(compiler, node, what, number);
    case VALUE_INSTANT:
        return compile_instant(compiler, node, number);
    default:
        return compile_decimal(compiler, node, what->scale, what->bounds, number);
    }
}

static bool
is_text_kind(enum value_kind kind)
{
    return kind == VALUE_TEXT || kind == VALUE_TEXT_SET;
}

/* One value of a list, with the node that it came from. */
struct entry {
    struct text text;
    int64_t number;
    const struct json_node *node;
};

static int
compare_entries(const void *a, const void *b, void *context)
{
    const struct entry *one = a, *other = b;

    if (*(const bool *)context)
        return condition_text_compare(one->text, other->text);
    return one->number < other->number ? -1 : one->number > other->number;
}

/* Sort `entry` and report values that occur twice. */
static bool
sort_entries(struct compiler *compiler, struct entry *entry, uint32_t count, bool texts)
{
    struct entry *scratch = arena_array(compiler->scratch, struct entry, count);
    bool good = true;

    if (!scratch)
        return false;
    sort_stable(entry, count, sizeof *entry, scratch, compare_entries, &texts);
    for (uint32_t i = 1; i < count; i++) {
        if (compare_entries(&entry[i - 1], &entry[i], &texts) != 0)
            continue;
        compile_problem(compiler, entry[i].node, "occurs twice");
        good = false;
    }
    return good;
}

static bool
list_value(struct compiler *compiler, const struct json_node *node, const struct resolved *what,
           struct condition *condition)
{
    bool texts = is_text_kind(what->kind);
    struct text *text = NULL;
    int64_t *number = NULL;
    bool good = true;
    uint32_t count = 0;

    if (!compile_array(compiler, node))
        return false;
    if (node->count == 0) {
        compile_problem(compiler, node, "must not be an empty list");
        return false;
    }
    if (texts)
        text = arena_array(compiler->arena, struct text, node->count);
    else
        number = arena_array(compiler->arena, int64_t, node->count);
    if (!text && !number)
        return false;
    for (const struct json_node *child = node->first; child; child = child->next, count++)
        good &= texts ? compile_text(compiler, child, name_bytes_max, &text[count])
                      : number_value(compiler, child, what, &number[count]);
    if (!good)
        return false;
    assert(count == node->count);
    struct arena_mark mark = arena_mark(compiler->scratch);
    struct entry *entry = arena_array(compiler->scratch, struct entry, count);
    if (!entry)
        return false;
    count = 0;
    for (const struct json_node *child = node->first; child; child = child->next, count++)
        entry[count] = (struct entry){ texts ? text[count] : (struct text){ 0 },
                                       texts ? 0 : number[count], child };
    if (!sort_entries(compiler, entry, count, texts))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (texts)
            text[i] = entry[i].text;
        else
            number[i] = entry[i].number;
    }
    arena_rewind(compiler->scratch, mark);
    condition->count = count;
    if (texts)
        condition->value.texts = text;
    else
        condition->value.numbers = number;
    return true;
}

/* ---------------------------------------------------------------------------------------- tests */

static void
emit_leaf(const struct scene *scene, const struct json_node *node, const struct resolved *what,
          enum condition_op op)
{
    struct compiler *compiler = scene->compiler;
    struct condition leaf = { .op = (uint8_t)op,
                              .attribute = (uint8_t)what->id,
                              .kind = (uint8_t)what->kind,
                              .scale = (uint8_t)what->scale,
                              .index = what->index };
    bool good;

    if (op == CONDITION_IN || op == CONDITION_NOT_IN)
        good = list_value(compiler, node, what, &leaf);
    else if (is_text_kind(what->kind))
        good = compile_text(compiler, node, name_bytes_max, &leaf.value.text);
    else
        good = number_value(compiler, node, what, &leaf.value.number);
    if (!good)
        return;
    uint32_t index = append(compiler, node, op);
    if (index == UINT32_MAX)
        return;
    leaf.next = index + 1;
    compiler->plan->condition[index] = leaf;
    if (what->id == ATTRIBUTE_MEMBER_ENROLLED_DAYS ||
        (what->id >= ATTRIBUTE_TIME_HOUR && what->id <= ATTRIBUTE_TIME_MONTH))
        compiler->plan->uses_local_time = true;
}

/* Which operator is `node`'s key, for values of this kind? */
static bool
operator_of(struct compiler *compiler, const struct json_node *node, enum value_kind kind,
            enum condition_op *op)
{
    static const struct {
        const char *name;
        enum condition_op op;
    } operators[] = {
        { "eq", CONDITION_EQ },         { "ne", CONDITION_NE },   { "in", CONDITION_IN },
        { "not_in", CONDITION_NOT_IN }, { "gt", CONDITION_GT },   { "gte", CONDITION_GTE },
        { "lt", CONDITION_LT },         { "lte", CONDITION_LTE }, { "from", CONDITION_GTE },
        { "until", CONDITION_LT },
    };
    uint32_t i = 0;
    bool fits;

    while (i < KOP_COUNT(operators) && !text_equal(node->key, text_of(operators[i].name)))
        i++;
    if (i == KOP_COUNT(operators)) {
        compile_problem(compiler, node, "is not a known test");
        return false;
    }
    if (kind == VALUE_INSTANT)
        fits = i >= 8;
    else if (kind == VALUE_BOOL)
        fits = i < 2;
    else
        fits = i < (is_text_kind(kind) ? 4u : 8u);
    if (!fits) {
        compile_problem(compiler, node, "is not a test for values of this kind");
        return false;
    }
    *op = operators[i].op;
    return true;
}

/* `node` is a member of a condition that is neither any, all nor not. */
static void
emit_test(const struct scene *scene, const struct json_node *node)
{
    struct compiler *compiler = scene->compiler;
    struct resolved what;
    enum condition_op op;
    uint32_t group = UINT32_MAX;

    if (!resolve(compiler, node, &what) || !may_be_asked(scene, node, &what))
        return;
    if (node->type != JSON_OBJECT) {
        if (what.kind == VALUE_INSTANT)
            compile_problem(compiler, node, "is tested by an object with 'from' or 'until'");
        else if (node->type == JSON_ARRAY)
            compile_problem(compiler, node, "is tested against a list by {\"in\": [...]}");
        else
            emit_leaf(scene, node, &what, CONDITION_EQ);
        return;
    }
    if (node->count == 0) {
        compile_problem(compiler, node, "needs a test");
        return;
    }
    if (node->count > 1)
        group = append(compiler, node, CONDITION_ALL);
    for (const struct json_node *child = node->first; child; child = child->next)
        if (operator_of(compiler, child, what.kind, &op))
            emit_leaf(scene, child, &what, op);
    close_group(compiler, group);
}

static void
emit_list(const struct scene *scene, const struct json_node *node, enum condition_op op, int depth)
{
    struct compiler *compiler = scene->compiler;
    uint32_t group = UINT32_MAX;

    if (!compile_array(compiler, node))
        return;
    if (node->count == 0) {
        compile_problem(compiler, node, "must not be an empty list");
        return;
    }
    if (node->count > 1)
        group = append(compiler, node, op);
    for (const struct json_node *child = node->first; child; child = child->next)
        emit_object(scene, child, depth);
    close_group(compiler, group);
}

static void
emit_member(const struct scene *scene, const struct json_node *node, int depth)
{
    if (text_equal(node->key, TEXT("any"))) {
        emit_list(scene, node, CONDITION_ANY, depth + 1);
    } else if (text_equal(node->key, TEXT("all"))) {
        emit_list(scene, node, CONDITION_ALL, depth + 1);
    } else if (text_equal(node->key, TEXT("not"))) {
        uint32_t group = append(scene->compiler, node, CONDITION_NOT);
        emit_object(scene, node, depth + 1);
        close_group(scene->compiler, group);
    } else {
        emit_test(scene, node);
    }
}

static void
emit_object(const struct scene *scene, const struct json_node *node, int depth)
{
    struct compiler *compiler = scene->compiler;
    uint32_t group = UINT32_MAX;

    if (node->type != JSON_OBJECT) {
        compile_problem(compiler, node, "must be a condition: an object of attributes and tests");
        return;
    }
    if (depth >= condition_depth_max) {
        compile_problem(compiler, node, "is nested deeper than %d conditions",
                        (int)condition_depth_max);
        return;
    }
    if (node->count == 0) {
        compile_problem(compiler, node, "must not be an empty condition");
        return;
    }
    if (node->count > 1)
        group = append(compiler, node, CONDITION_ALL);
    for (const struct json_node *child = node->first; child; child = child->next)
        emit_member(scene, child, depth);
    close_group(compiler, group);
}

int32_t
compile_condition(struct compiler *compiler, const struct json_node *node,
                  enum attribute_place place, enum phase known)
{
    const struct scene scene = { compiler, place, known };
    uint32_t root = compiler->plan->condition_count;

    if (!node || (node->type == JSON_OBJECT && node->count == 0))
        return condition_none;
    emit_object(&scene, node, 0);
    /* With mistakes there may be no node at all; the plan is thrown away then. */
    if (compiler->plan->condition_count == root)
        return condition_none;
    assert(compiler->plan->condition_count <= conditions_per_programme_max);
    return (int32_t)root;
}
