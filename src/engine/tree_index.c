/*
 * tree_index.c - which rules of a tree can match at all, by what an event and its lines name.
 *
 * Owns:      choosing a key for each rule, the lists behind the keys, looking an event up.
 * Must not:  decide whether a rule holds.
 * Invariant: a rule is left out only if a text that its condition demands is named nowhere.
 * Cost:      building: O(rules * keys of a rule). Looking up: O(texts that the event names + rules
 *            under them + rules without a key), whatever the number of rules.
 * Tests:     tests/unit/engine/test_tree_index.c
 *
 * A key is a leaf of a rule's `when` or `lines` that must hold (it stands in the outermost `all`)
 * and that asks for one of certain texts: an article, a segment, an outlet. Of several keys a rule
 * is listed under the rarest, counted over the rules of its tree: ten thousand personal offers for
 * one category are told apart by their segments.
 */
#include "engine/tree_index.h"

#include "base/mem.h"
#include "base/sort.h"
#include "engine/evaluation.h"

/* The attributes that can be keys. Those of lines stand last. */
#define SLOTS(X)                                                                                   \
    X(MEMBER_SEGMENT)                                                                          \
    X(RECEIPT_CODE)                                                                            \
    X(RECEIPT_OUTLET)                                                                          \
    X(RECEIPT_TILL)                                                                            \
    X(RECEIPT_CHANNEL)                                                                         \
    X(RECEIPT_REGION)                                                                          \
    X(RECEIPT_TENDER)                                                                          \
    X(RECEIPT_BIN)                                                                             \
    X(LINE_ARTICLE)                                                                            \
    X(LINE_CATEGORY)                                                                           \
    X(LINE_BRAND)                                                                              \
    X(LINE_TAG)

enum slot {
#define X(attribute) SLOT_##attribute,
    SLOTS(X)
#undef X
        slot_count
};

/* Leaves under one text. */
struct posting {
    uint32_t first, count;
    uint32_t asking; /* rules that ask for the text, under whatever key they are listed */
};

struct tree_index {
    struct map by_text[slot_count]; /* to the posting */
    uint32_t posting_count;
    struct posting *posting;
    uint32_t *listed; /* leaves, list after list */
    uint32_t always_count;
    uint32_t *always; /* leaves of rules without a key */
    uint32_t *parent; /* by node */
};

struct builder {
    const struct plan *plan;
    struct tree *tree;
    struct arena *arena;
    struct tree_index *index;
    int32_t *key; /* by node: the chosen condition, or condition_none */
};

static int
slot_of(uint8_t attribute)
{
    switch (attribute) {
#define X(name)                                                                                    \
    case ATTRIBUTE_##name:                                                                         \
        return SLOT_##name;
        SLOTS(X)
#undef X
    default:
        return -1;
    }
}

static bool
is_key(const struct condition *condition)
{
    return (condition->op == CONDITION_EQ || condition->op == CONDITION_IN) &&
           slot_of(condition->attribute) >= 0;
}

static uint32_t
text_count(const struct condition *key)
{
    return key->op == CONDITION_EQ ? 1 : key->count;
}

static struct text
text_at(const struct condition *key, uint32_t at)
{
    assert(at < text_count(key));
    return key->op == CONDITION_EQ ? key->value.text : key->value.texts[at];
}

/*
 * The next key of a rule from condition `at` on, within `root`; false at its end. Start at the
 * root, go on behind the last key. Passed over are `any` and `not`: nothing under them need hold.
 */
static bool
next_key(const struct plan *plan, int32_t root, uint32_t *at)
{
    if (root == condition_none)
        return false;
    assert(*at >= (uint32_t)root);
    for (uint32_t i = *at; i < plan->condition[root].next;) {
        const struct condition *condition = &plan->condition[i];
        if (is_key(condition)) {
            *at = i;
            return true;
        }
        i = condition->op == CONDITION_ALL ? i + 1 : condition->next;
    }
    return false;
}

/* The posting of a text, made if there is none. */
static struct posting *
posting_of(struct builder *b, enum slot slot, struct text text)
{
    struct map *map = &b->index->by_text[slot];
    uint32_t at = b->index->posting_count;

    if (map_put(map, text, at))
        b->index->posting_count++;
    else if (!map_get(map, text, &at))
        return NULL; /* no memory */
    return &b->index->posting[at];
}

/* How many texts the demanded keys of a tree's rules name, at most. */
static uint32_t
count_texts(const struct builder *b)
{
    uint32_t count = 0;
    for (uint32_t node = 0; node < b->tree->count; node++) {
        if (b->tree->node[node].op != TREE_RULE)
            continue;
        const struct rule *rule = &b->plan->rule[b->tree->node[node].rule];
        int32_t root[] = { rule->when, rule->lines };
        for (int r = 0; r < 2; r++) {
            uint32_t at = (uint32_t)root[r];
            for (; next_key(b->plan, root[r], &at); at++)
                count += text_count(&b->plan->condition[at]);
        }
    }
    return count;
}

/* Count who asks for each text. */
static void
count_asking(struct builder *b, int32_t root)
{
    uint32_t at = (uint32_t)root;
    for (; next_key(b->plan, root, &at) && !b->arena->failed; at++) {
        const struct condition *key = &b->plan->condition[at];
        for (uint32_t i = 0; i < text_count(key); i++) {
            struct posting *posting = posting_of(b, (enum slot)slot_of(key->attribute),
                                                 text_at(key, i));
            if (posting != NULL)
                posting->asking++;
        }
    }
}

/* The rarest key of a rule: the one whose texts the fewest rules ask for. */
static int32_t
choose_key(struct builder *b, const struct rule *rule)
{
    int32_t root[] = { rule->when, rule->lines }, best = condition_none;
    uint64_t least = UINT64_MAX;

    for (int r = 0; r < 2; r++) {
        uint32_t at = (uint32_t)root[r];
        for (; next_key(b->plan, root[r], &at) && !b->arena->failed; at++) {
            const struct condition *key = &b->plan->condition[at];
            uint64_t asking = 0;
            for (uint32_t i = 0; i < text_count(key); i++)
                asking +=
                    posting_of(b, (enum slot)slot_of(key->attribute), text_at(key, i))->asking;
            if (asking < least) {
                least = asking;
                best = (int32_t)at;
            }
        }
    }
    return best;
}

/* Choose every rule's key and count the lists. */
static uint32_t
choose_keys(struct builder *b)
{
    uint32_t listed = 0;

    for (uint32_t node = 0; node < b->tree->count && !b->arena->failed; node++) {
        if (b->tree->node[node].op != TREE_RULE)
            continue;
        b->key[node] = choose_key(b, &b->plan->rule[b->tree->node[node].rule]);
        if (b->key[node] == condition_none) {
            b->index->always_count++;
            continue;
        }
        const struct condition *key = &b->plan->condition[b->key[node]];
        for (uint32_t i = 0; i < text_count(key); i++)
            posting_of(b, (enum slot)slot_of(key->attribute), text_at(key, i))->count++;
        listed += text_count(key);
    }
    return listed;
}

/* Put the leaves into their lists, in order. */
static void
fill(struct builder *b)
{
    struct tree_index *index = b->index;
    uint32_t first = 0, always = 0;

    for (uint32_t i = 0; i < index->posting_count; i++) {
        index->posting[i].first = first;
        first += index->posting[i].count;
        index->posting[i].count = 0;
    }
    for (uint32_t node = 0; node < b->tree->count; node++) {
        if (b->tree->node[node].op != TREE_RULE)
            continue;
        if (b->key[node] == condition_none) {
            index->always[always++] = node;
            continue;
        }
        const struct condition *key = &b->plan->condition[b->key[node]];
        for (uint32_t i = 0; i < text_count(key); i++) {
            struct posting *posting = posting_of(b, (enum slot)slot_of(key->attribute),
                                                 text_at(key, i));
            index->listed[posting->first + posting->count++] = node;
        }
    }
    assert(always == index->always_count);
}

static void
fill_parents(const struct tree *tree, uint32_t *parent)
{
    for (uint32_t node = 0; node < tree->count; node++) {
        if (tree->node[node].op == TREE_RULE)
            continue;
        for (uint32_t child = node + 1; child < tree->node[node].next;
             child = tree->node[child].next)
            parent[child] = node;
    }
    assert(tree->node[0].next == tree->count);
}

static bool
build_one(const struct plan *plan, struct tree *tree, struct arena *arena)
{
    struct builder b = { .plan = plan, .tree = tree, .arena = arena };

    if (tree->count == 0 || tree->node[0].rules < tree_index_rules_min)
        return true;
    b.index = arena_new(arena, struct tree_index);
    b.key = arena_array(arena, int32_t, tree->count);
    if (b.index == NULL || b.key == NULL)
        return false;
    for (int slot = 0; slot < slot_count; slot++)
        map_init(&b.index->by_text[slot], arena);
    b.index->posting = arena_array(arena, struct posting, count_texts(&b));
    b.index->parent = arena_array(arena, uint32_t, tree->count);
    if (b.index->posting == NULL || b.index->parent == NULL)
        return false;
    for (uint32_t node = 0; node < tree->count && !arena->failed; node++) {
        if (tree->node[node].op != TREE_RULE)
            continue;
        count_asking(&b, plan->rule[tree->node[node].rule].when);
        count_asking(&b, plan->rule[tree->node[node].rule].lines);
    }
    uint32_t listed = choose_keys(&b);
    if (arena->failed)
        return false;
    b.index->listed = arena_array(arena, uint32_t, listed);
    b.index->always = arena_array(arena, uint32_t, b.index->always_count);
    if (b.index->listed == NULL || b.index->always == NULL)
        return false;
    fill(&b);
    fill_parents(tree, b.index->parent);
    tree->index = b.index;
    return true;
}

bool
tree_index_build(struct plan *plan, struct arena *arena)
{
    bool good = true;

    for (uint32_t k = 0; k < plan->kind_count && good; k++) {
        struct kind_plan *kind = &plan->kind[k];
        good = build_one(plan, &kind->line, arena) && build_one(plan, &kind->receipt, arena);
        for (uint32_t i = 0; i < kind->earn_count && good; i++)
            good = build_one(plan, &kind->earn[i], arena);
    }
    assert(good || arena->failed);
    return good;
}

uint32_t
tree_index_child(const struct tree *tree, uint32_t group, uint32_t leaf)
{
    uint32_t child = leaf;

    assert(leaf > group);
    assert(leaf < tree->node[group].next);
    while (tree->index->parent[child] != group)
        child = tree->index->parent[child];
    return child;
}

/* ------------------------------------------------------------------------------- looking up */

/* Postings that the event's texts lead to, with repetitions. */
struct hits {
    const struct tree_index *index;
    uint32_t *posting;
    uint32_t count, cap;
};

static void
look_up(struct hits *hits, enum slot slot, const struct text *text, uint32_t count)
{
    const struct map *map = &hits->index->by_text[slot];
    uint32_t found;

    for (uint32_t i = 0; i < count && map->count > 0; i++) {
        if (!map_get(map, text[i], &found) || hits->index->posting[found].count == 0)
            continue;
        assert(hits->count < hits->cap);
        hits->posting[hits->count++] = found;
    }
}

static void
look_up_event(const struct evaluation *e, struct hits *hits)
{
    const struct event *event = e->event;

    if (e->view->known)
        look_up(hits, SLOT_MEMBER_SEGMENT, e->view->segment, e->view->segment_count);
    look_up(hits, SLOT_RECEIPT_CODE, event->code, event->code_count);
    look_up(hits, SLOT_RECEIPT_OUTLET, &event->outlet, 1);
    look_up(hits, SLOT_RECEIPT_TILL, &event->till, 1);
    look_up(hits, SLOT_RECEIPT_CHANNEL, &event->channel, 1);
    look_up(hits, SLOT_RECEIPT_REGION, &event->region, 1);
    look_up(hits, SLOT_RECEIPT_TENDER, &event->tender, 1);
    look_up(hits, SLOT_RECEIPT_BIN, &event->bin, 1);
    for (uint32_t i = 0; i < event->line_count; i++) {
        const struct line *line = &event->line[i];
        if (!line_takes_part(e, i))
            continue;
        look_up(hits, SLOT_LINE_ARTICLE, &line->article, 1);
        look_up(hits, SLOT_LINE_CATEGORY, &line->category, 1);
        look_up(hits, SLOT_LINE_BRAND, &line->brand, 1);
        look_up(hits, SLOT_LINE_TAG, line->tag, line->tag_count);
    }
}

static int
compare_numbers(const void *a, const void *b, void *context)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    (void)context;
    return (left > right) - (left < right);
}

/* Sort and drop repetitions; the count that is left. `scratch` has room for as many. */
static uint32_t
sort_unique(uint32_t *item, uint32_t count, uint32_t *scratch)
{
    uint32_t kept = 0;

    sort_stable(item, count, sizeof(*item), scratch, compare_numbers, NULL);
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || item[kept - 1] != item[i])
            item[kept++] = item[i];
    }
    assert(kept <= count);
    return kept;
}

static uint32_t
texts_of(const struct event *event, const struct member_view *view)
{
    uint32_t count = 6 + view->segment_count + event->code_count;
    for (uint32_t i = 0; i < event->line_count; i++)
        count += 3 + event->line[i].tag_count;
    return count;
}

/* The leaves of the postings, and those that are always there. */
static bool
gather(const struct evaluation *e, struct hits *hits, const uint32_t **leaf, uint32_t *count)
{
    const struct tree_index *index = hits->index;
    uint32_t total = index->always_count, used = 0;

    for (uint32_t i = 0; i < hits->count; i++)
        total += index->posting[hits->posting[i]].count;
    uint32_t *all = arena_array(e->arena, uint32_t, (size_t)total * 2);
    if (all == NULL)
        return false;
    memcpy(all, index->always, index->always_count * sizeof(*all));
    used = index->always_count;
    for (uint32_t i = 0; i < hits->count; i++) {
        const struct posting *posting = &index->posting[hits->posting[i]];
        memcpy(all + used, index->listed + posting->first, posting->count * sizeof(*all));
        used += posting->count;
    }
    assert(used == total);
    *leaf = all;
    *count = sort_unique(all, used, all + total);
    return true;
}

bool
tree_index_leaves(const struct evaluation *e, const struct tree *tree, const uint32_t **leaf,
                  uint32_t *count)
{
    struct hits hits = { .index = tree->index, .cap = texts_of(e->event, e->view) };

    assert(tree->index != NULL);
    hits.posting = arena_array(e->arena, uint32_t, (size_t)hits.cap * 2);
    if (hits.posting == NULL)
        return false;
    look_up_event(e, &hits);
    if (hits.count == 0) {
        *leaf = tree->index->always;
        *count = tree->index->always_count;
        return true;
    }
    hits.count = sort_unique(hits.posting, hits.count, hits.posting + hits.cap);
    return gather(e, &hits, leaf, count);
}
