/*
 * compile_tree.c - the combination tree: groups and rules in their settled order, flat.
 *
 * Owns:      reading `combination`, sorting, one tree for each kind of event, scope and currency.
 * Must not:  evaluate a tree (combine.c does).
 * Invariant: every rule stands in exactly one group; a tree holds the rules of its kind only, and
 *            no group that has none.
 * Cost:      O(n log n) for n rules and groups, once; O(n) for each kind of event.
 * Tests:     tests/unit/engine/test_compile.c, test_plan.c, tests/tables/programme/
 */
#include "engine/compile.h"

#include "base/mem.h"
#include "base/sort.h"

static const char *const scope_names[] = { "line", "receipt", "earn" };

struct group {
    struct text code; /* "" for a root */
    uint8_t op;       /* enum tree_op */
    uint8_t scope;
    int32_t priority;
    uint32_t first, count; /* children in trees.child */
};

/* A rule or group as a child of a group. */
struct child {
    uint32_t parent; /* group */
    int32_t priority;
    struct text code;
    int32_t rule; /* rule_none: a group */
    uint32_t group;
};

/* Groups 0, 1, 2 are the roots of their scopes. */
struct trees {
    struct compiler *compiler;
    struct group *group;
    uint32_t group_count, group_cap;
    int32_t *rule_group; /* by rule; -1: named nowhere, so in its root */
    struct child *child;
    uint32_t child_count;
    struct tree_node *node; /* scratch: the tree being emitted */
    uint32_t node_count;
    struct map group_by_code;
    uint32_t *group_parent;
};

/* --------------------------------------------------------------------------------- the document */

static void read_members(struct trees *trees, const struct json_node *node, uint32_t group,
                         int depth);

static uint8_t
read_op(struct compiler *compiler, const struct json_node *node, uint8_t scope, uint8_t otherwise)
{
    static const char *const ops[] = { "max", "min", "first", "sum", "multiply" };
    int index;

    if (!compile_choice(compiler, node, ops, KOP_COUNT(ops), &index))
        return otherwise;
    uint8_t op = (uint8_t)(TREE_MAX + index);
    if (op == TREE_MULTIPLY && scope == SCOPE_EARN) {
        compile_problem(compiler, node, "'multiply' does not belong to earnings");
        return otherwise;
    }
    return op;
}

static void
read_rule_member(struct trees *trees, const struct json_node *node, uint32_t group)
{
    struct compiler *compiler = trees->compiler;
    uint32_t rule;

    if (!map_get(compiler->plan->rule_by_code, node->value, &rule)) {
        compile_problem(compiler, node, "names no rule of this programme");
        return;
    }
    if (compiler->plan->rule[rule].scope != trees->group[group].scope) {
        compile_problem(compiler, node, "names a rule of scope '%s'",
                        scope_names[compiler->plan->rule[rule].scope]);
        return;
    }
    if (trees->rule_group[rule] >= 0) {
        compile_problem(compiler, node, "names a rule that stands in a group already");
        return;
    }
    trees->rule_group[rule] = (int32_t)group;
}

static bool
add_group(struct trees *trees, struct group group, uint32_t parent)
{
    struct arena *scratch = trees->compiler->scratch;

    if (trees->group_count == trees->group_cap) {
        uint32_t cap = trees->group_cap * 2;
        struct group *more = arena_array(scratch, struct group, cap);
        uint32_t *parents = arena_array(scratch, uint32_t, cap);
        if (!more || !parents)
            return false;
        memcpy(more, trees->group, trees->group_count * sizeof *more);
        memcpy(parents, trees->group_parent, trees->group_count * sizeof *parents);
        trees->group = more;
        trees->group_parent = parents;
        trees->group_cap = cap;
    }
    trees->group_parent[trees->group_count] = parent;
    trees->group[trees->group_count++] = group;
    return true;
}

static void
read_group_member(struct trees *trees, const struct json_node *node, uint32_t parent, int depth)
{
    static const char *const names[] = { "code", "op", "priority", "members" };
    struct compiler *compiler = trees->compiler;
    struct group group = { .scope = trees->group[parent].scope };
    const struct json_node *code, *op;
    int64_t priority = 0;
    uint32_t other;

    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    if (depth >= groups_depth_max) {
        compile_problem(compiler, node, "is nested deeper than %d groups", (int)groups_depth_max);
        return;
    }
    if (trees->group_count >= groups_per_programme_max) {
        compile_problem(compiler, node, "is one group too many: at most %d",
                        (int)groups_per_programme_max);
        return;
    }
    code = compile_needed(compiler, node, "code");
    if (compile_string(compiler, code, code_bytes_max, &group.code)) {
        if (map_get(compiler->plan->rule_by_code, group.code, &other))
            compile_problem(compiler, code, "is the code of a rule");
        else if (!map_put(&trees->group_by_code, group.code, trees->group_count) &&
                 !compile_failed(compiler))
            compile_problem(compiler, code, "is the code of another group");
    }
    op = compile_needed(compiler, node, "op");
    group.op = read_op(compiler, op, group.scope, TREE_MAX);
    compile_whole(compiler, compile_member(node, "priority"), (struct bounds){ -1000000, 1000000 },
                  &priority);
    group.priority = (int32_t)priority;
    if (!add_group(trees, group, parent))
        return;
    read_members(trees, compile_needed(compiler, node, "members"), trees->group_count - 1, depth);
}

static void
read_members(struct trees *trees, const struct json_node *node, uint32_t group, int depth)
{
    struct compiler *compiler = trees->compiler;

    if (!node || !compile_array(compiler, node))
        return;
    if (node->count == 0) {
        compile_problem(compiler, node, "must not be an empty list");
        return;
    }
    for (const struct json_node *item = node->first; item; item = item->next) {
        if (item->type == JSON_STRING)
            read_rule_member(trees, item, group);
        else if (item->type == JSON_OBJECT)
            read_group_member(trees, item, group, depth + 1);
        else
            compile_problem(compiler, item, "must be the code of a rule, or a group");
    }
}

static void
read_roots(struct trees *trees)
{
    static const char *const names[] = { "op", "members" };
    static const uint8_t usual[] = { TREE_MAX, TREE_MAX, TREE_SUM };
    struct compiler *compiler = trees->compiler;
    const struct json_node *root = compile_member(compiler->root, "combination");
    bool good = compile_object(compiler, root, scope_names, KOP_COUNT(scope_names));

    for (uint8_t scope = 0; scope < rule_scope_count; scope++)
        trees->group[scope] = (struct group){ .op = usual[scope], .scope = scope };
    trees->group_count = rule_scope_count;
    for (uint8_t scope = 0; good && scope < rule_scope_count; scope++) {
        const struct json_node *node = compile_member(root, scope_names[scope]);
        if (!compile_object(compiler, node, names, KOP_COUNT(names)))
            continue;
        trees->group[scope].op = read_op(compiler, compile_member(node, "op"), scope, usual[scope]);
        read_members(trees, compile_member(node, "members"), scope, 0);
    }
}

/* ----------------------------------------------------------------------------------- the order */

/* By group; in a group the higher priority first, then by code. */
static int
compare_children(const void *a, const void *b, void *context)
{
    const struct child *one = a, *other = b;

    (void)context;
    if (one->parent != other->parent)
        return one->parent < other->parent ? -1 : 1;
    if (one->priority != other->priority)
        return one->priority > other->priority ? -1 : 1;
    return text_compare(one->code, other->code);
}

static bool
sort_children(struct trees *trees)
{
    const struct plan *plan = trees->compiler->plan;
    uint32_t count = plan->rule_count + trees->group_count - rule_scope_count;
    struct child *scratch;

    trees->child = arena_array(trees->compiler->scratch, struct child, count);
    scratch = arena_array(trees->compiler->scratch, struct child, count);
    if (!trees->child || !scratch)
        return false;
    for (uint32_t i = 0; i < plan->rule_count; i++)
        trees->child[trees->child_count++] = (struct child){
            .parent = trees->rule_group[i] >= 0 ? (uint32_t)trees->rule_group[i]
                                                : plan->rule[i].scope,
            .priority = plan->rule[i].priority,
            .code = plan->rule[i].code,
            .rule = (int32_t)i,
        };
    for (uint32_t i = rule_scope_count; i < trees->group_count; i++)
        trees->child[trees->child_count++] = (struct child){
            .parent = trees->group_parent[i],
            .priority = trees->group[i].priority,
            .code = trees->group[i].code,
            .rule = rule_none,
            .group = i,
        };
    assert(trees->child_count == count);
    sort_stable(trees->child, count, sizeof *trees->child, scratch, compare_children, NULL);
    for (uint32_t i = count; i-- > 0;) {
        trees->group[trees->child[i].parent].first = i;
        trees->group[trees->child[i].parent].count++;
    }
    return true;
}

/* ----------------------------------------------------------------------------------- the trees */

/* Which rules a tree takes. */
struct wanted {
    uint8_t kind;
    int32_t currency; /* position; -1: any */
};

/* Emit the group; false when it has no wanted rule, and nothing was emitted. */
static bool
emit_group(struct trees *trees, uint32_t group, const struct wanted *wanted, uint32_t depth,
           uint32_t *depth_most)
{
    const struct plan *plan = trees->compiler->plan;
    uint32_t at = trees->node_count++;
    struct tree_node root = { .op = trees->group[group].op, .rule = rule_none };

    assert(depth <= groups_depth_max + 1);
    for (uint32_t i = 0; i < trees->group[group].count; i++) {
        const struct child *child = &trees->child[trees->group[group].first + i];
        uint32_t rules_before = trees->node_count;
        if (child->rule == rule_none) {
            if (!emit_group(trees, child->group, wanted, depth + 1, depth_most))
                continue;
            root.children++;
            root.rules += trees->node[rules_before].rules;
            continue;
        }
        if (plan->rule[child->rule].kind != wanted->kind ||
            (wanted->currency >= 0 &&
             trees->compiler->rule_currency[child->rule] != wanted->currency))
            continue;
        trees->node[trees->node_count++] = (struct tree_node){
            .op = TREE_RULE, .rule = child->rule, .next = rules_before + 1, .rules = 1
        };
        root.children++;
        root.rules++;
        if (depth + 1 > *depth_most)
            *depth_most = depth + 1;
    }
    if (root.children == 0) {
        trees->node_count = at;
        return false;
    }
    root.next = trees->node_count;
    trees->node[at] = root;
    return true;
}

static struct tree
make_tree(struct trees *trees, uint8_t scope, struct wanted wanted)
{
    struct tree tree = { 0 };

    trees->node_count = 0;
    if (!emit_group(trees, scope, &wanted, 1, &tree.depth))
        return tree;
    assert(trees->node_count <= trees->child_count + 1);
    tree.node = arena_array(trees->compiler->arena, struct tree_node, trees->node_count);
    if (!tree.node)
        return (struct tree){ 0 };
    memcpy(tree.node, trees->node, trees->node_count * sizeof *tree.node);
    tree.count = trees->node_count;
    tree.currency_index = wanted.currency >= 0 ? (uint8_t)wanted.currency : 0;
    return tree;
}

static void
make_trees_of_kind(struct trees *trees, uint8_t index)
{
    struct plan *plan = trees->compiler->plan;
    struct kind_plan *kind = &plan->kind[index];
    uint32_t of_scope[rule_scope_count] = { 0 }, of_currency[currencies_per_programme_max] = { 0 };

    for (uint32_t i = 0; i < plan->rule_count; i++) {
        if (plan->rule[i].kind != index)
            continue;
        kind->rule_count++;
        of_scope[plan->rule[i].scope]++;
        if (trees->compiler->rule_currency[i] >= 0)
            of_currency[trees->compiler->rule_currency[i]]++;
    }
    if (of_scope[SCOPE_LINE] > 0)
        kind->line = make_tree(trees, SCOPE_LINE, (struct wanted){ index, -1 });
    if (of_scope[SCOPE_RECEIPT] > 0)
        kind->receipt = make_tree(trees, SCOPE_RECEIPT, (struct wanted){ index, -1 });
    kind->earn = arena_array(trees->compiler->arena, struct tree, plan->terms.currency_count);
    for (int i = 0; kind->earn && i < plan->terms.currency_count; i++)
        if (of_currency[i] > 0)
            kind->earn[kind->earn_count++] = make_tree(trees, SCOPE_EARN,
                                                       (struct wanted){ index, i });
}

void
compile_combination(struct compiler *compiler)
{
    struct plan *plan = compiler->plan;
    struct arena *scratch = compiler->scratch;
    struct trees trees = { .compiler = compiler, .group_cap = 16 };

    trees.group = arena_array(scratch, struct group, trees.group_cap);
    trees.group_parent = arena_array(scratch, uint32_t, trees.group_cap);
    trees.rule_group = arena_array(scratch, int32_t, plan->rule_count);
    map_init(&trees.group_by_code, scratch);
    if (compile_failed(compiler))
        return;
    for (uint32_t i = 0; i < plan->rule_count; i++)
        trees.rule_group[i] = -1;
    read_roots(&trees);
    /* With mistakes the trees would mean nothing, and nobody will see them. */
    if (compile_failed(compiler) || compiler->problems->count > 0 || !sort_children(&trees))
        return;
    trees.node = arena_array(scratch, struct tree_node, trees.child_count + 1);
    if (!trees.node)
        return;
    for (uint32_t i = 0; i < plan->kind_count; i++)
        make_trees_of_kind(&trees, (uint8_t)i);
}
