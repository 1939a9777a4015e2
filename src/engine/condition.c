/*
 * condition.c - tests one compiled condition against an event, a member and a line.
 *
 * Owns:      reading attributes' values, comparing them, the first failing leaf.
 * Must not:  allocate, hash, resolve names, or change the context.
 * Invariant: a test on a missing value fails, and `not` of it holds.
 * Cost:      one step a leaf; `in` of n values log2(n) comparisons.
 * Tests:     tests/unit/engine/test_condition.c
 */
#include "engine/condition.h"

#include "base/mem.h"
#include "engine/plan.h"

int
condition_text_compare(struct text a, struct text b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len == 0 ? 0 : memcmp(a.ptr, b.ptr, a.len);
}

static void
read_local_time(struct condition_context *context)
{
    const struct zone *zone = context->plan->terms.zone;
    unix_ms occurred = context->event->occurred_at;
    int64_t day = zone_day(zone, occurred);
    struct date date = date_of_day(day);

    context->hour = zone_ms_of_day(zone, occurred) / 3600000;
    context->weekday = date_weekday(day);
    context->day = date.day;
    context->month = date.month;
    if (context->view->known)
        context->enrolled_days = day - zone_day(zone, context->view->enrolled_at);
}

void
condition_context_init(struct condition_context *context, const struct plan *plan,
                       const struct event *event, const struct member_view *view)
{
    *context = (struct condition_context){ .plan = plan, .event = event, .view = view };
    for (uint32_t i = 0; i < event->line_count; i++) {
        if (event->line[i].quantity <= 0)
            continue;
        /* Evaluation refuses an event whose sum overflows; a threshold meets the most there is. */
        if (!i64_add(context->base, event->line[i].gross, &context->base))
            context->base = INT64_MAX;
        context->lines++;
    }
    for (uint32_t i = 0; i < event->payment_count; i++)
        if (event->payment[i].kind == PAYMENT_CERTIFICATE &&
            !i64_add(context->certificate, event->payment[i].money, &context->certificate))
            context->certificate = INT64_MAX;
    if (plan->uses_local_time)
        read_local_time(context);
}

/* ------------------------------------------------------------------------------- reading values */

/* The own attribute that the leaf names, or NULL: missing, or of another type. */
static const struct attribute *
find_own(const struct condition_context *context, const struct condition *leaf)
{
    const struct own_attribute *own = &context->plan->own[leaf->index];
    bool of_line = leaf->attribute == ATTRIBUTE_LINE_OWN;
    const struct attribute *item = of_line ? context->line->attribute : context->event->attribute;
    uint32_t count = of_line ? context->line->attribute_count : context->event->attribute_count;

    for (uint32_t i = 0; i < count; i++)
        if (text_equal(item[i].name, own->name))
            return item[i].type == own->type ? &item[i] : NULL;
    return NULL;
}

/* A text; empty when it is missing. */
static struct text
read_text(const struct condition_context *context, const struct condition *leaf)
{
    const struct event *event = context->event;
    const struct attribute *own;

    switch ((enum attribute_id)leaf->attribute) {
    case ATTRIBUTE_LINE_ARTICLE:
        return context->line->article;
    case ATTRIBUTE_LINE_CATEGORY:
        return context->line->category;
    case ATTRIBUTE_LINE_BRAND:
        return context->line->brand;
    case ATTRIBUTE_RECEIPT_OUTLET:
        return event->outlet;
    case ATTRIBUTE_RECEIPT_TILL:
        return event->till;
    case ATTRIBUTE_RECEIPT_CHANNEL:
        return event->channel;
    case ATTRIBUTE_RECEIPT_REGION:
        return event->region;
    case ATTRIBUTE_RECEIPT_TENDER:
        return event->tender;
    case ATTRIBUTE_RECEIPT_BIN:
        return event->bin;
    default:
        assert(leaf->attribute == ATTRIBUTE_LINE_OWN || leaf->attribute == ATTRIBUTE_EVENT_OWN);
        own = find_own(context, leaf);
        return own ? own->value : (struct text){ 0 };
    }
}

/* A set of texts; false when nobody can say what is in it. */
static bool
read_set(const struct condition_context *context, const struct condition *leaf,
         const struct text **set, uint32_t *count)
{
    if (leaf->attribute == ATTRIBUTE_LINE_TAG) {
        *set = context->line->tag;
        *count = context->line->tag_count;
        return true;
    }
    if (leaf->attribute == ATTRIBUTE_RECEIPT_CODE) {
        *set = context->event->code;
        *count = context->event->code_count;
        return true;
    }
    assert(leaf->attribute == ATTRIBUTE_MEMBER_SEGMENT);
    *set = context->view->segment;
    *count = context->view->segment_count;
    return context->view->known;
}

/* A number of the member; only of one who is known. */
static int64_t
member_number(const struct condition_context *context, const struct condition *leaf)
{
    if (leaf->attribute == ATTRIBUTE_MEMBER_LEVEL)
        return context->view->level[leaf->index];
    if (leaf->attribute == ATTRIBUTE_COUNTER)
        return context->view->counter[leaf->index];
    assert(leaf->attribute == ATTRIBUTE_MEMBER_ENROLLED_DAYS);
    return context->enrolled_days;
}

/* A number that may be missing: false then. */
static bool
read_doubtful(const struct condition_context *context, const struct condition *leaf,
              int64_t *number)
{
    if (leaf->attribute == ATTRIBUTE_LINE_OWN || leaf->attribute == ATTRIBUTE_EVENT_OWN) {
        const struct attribute *own = find_own(context, leaf);
        if (own)
            *number = own->number;
        return own != NULL;
    }
    if (!context->view->known)
        return false;
    *number = member_number(context, leaf);
    return true;
}

/* Any value that is kept as a number; false when it is missing. */
static bool
read_number(const struct condition_context *context, const struct condition *leaf, int64_t *number)
{
    switch ((enum attribute_id)leaf->attribute) {
    case ATTRIBUTE_LINE_SERVICE:
        *number = context->line->is_service;
        return true;
    case ATTRIBUTE_LINE_DISCOUNTED:
        *number = context->line->is_discounted || context->line_discounted;
        return true;
    case ATTRIBUTE_LINE_PRICE:
        *number = context->line->price;
        return true;
    case ATTRIBUTE_LINE_QUANTITY:
        *number = context->line->quantity;
        return true;
    case ATTRIBUTE_LINE_GROSS:
        *number = context->line->gross;
        return true;
    case ATTRIBUTE_LINE_NET:
        *number = context->line_net;
        return true;
    case ATTRIBUTE_RECEIPT_BASE:
        *number = context->base;
        return true;
    case ATTRIBUTE_RECEIPT_AFTER_LINES:
        *number = context->after_lines;
        return true;
    case ATTRIBUTE_RECEIPT_NET:
        *number = context->net;
        return true;
    case ATTRIBUTE_RECEIPT_MONEY:
        *number = context->money;
        return true;
    case ATTRIBUTE_RECEIPT_LINES:
        *number = context->lines;
        return true;
    case ATTRIBUTE_RECEIPT_HAS_CODE:
        *number = context->event->code_count > 0;
        return true;
    case ATTRIBUTE_RECEIPT_FOR_BUSINESS:
        *number = context->event->for_business;
        return true;
    case ATTRIBUTE_RECEIPT_CONFIRMED:
        *number = context->event->confirmed;
        return true;
    case ATTRIBUTE_RECEIPT_CERTIFICATE:
        *number = context->certificate;
        return true;
    case ATTRIBUTE_MEMBER_KNOWN:
        *number = context->view->known;
        return true;
    case ATTRIBUTE_TIME_OCCURRED:
        *number = context->event->occurred_at;
        return true;
    case ATTRIBUTE_TIME_HOUR:
        *number = context->hour;
        return true;
    case ATTRIBUTE_TIME_WEEKDAY:
        *number = context->weekday;
        return true;
    case ATTRIBUTE_TIME_DAY:
        *number = context->day;
        return true;
    case ATTRIBUTE_TIME_MONTH:
        *number = context->month;
        return true;
    default:
        return read_doubtful(context, leaf, number);
    }
}

/* ------------------------------------------------------------------------------------ comparing */

static bool
has_number(const struct condition *leaf, int64_t number)
{
    uint32_t low = 0, high = leaf->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (leaf->value.numbers[middle] == number)
            return true;
        if (leaf->value.numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool
has_text(const struct condition *leaf, struct text text)
{
    uint32_t low = 0, high = leaf->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = condition_text_compare(leaf->value.texts[middle], text);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Is this one text among the test's (EQ, NE: is it the test's)? */
static bool
text_matches(const struct condition *leaf, struct text text)
{
    if (leaf->op == CONDITION_EQ || leaf->op == CONDITION_NE)
        return text_equal(leaf->value.text, text);
    return has_text(leaf, text);
}

static bool
text_holds(const struct condition_context *context, const struct condition *leaf)
{
    bool positive = leaf->op == CONDITION_EQ || leaf->op == CONDITION_IN;
    struct text text = read_text(context, leaf);

    return text.len > 0 && text_matches(leaf, text) == positive;
}

static bool
set_holds(const struct condition_context *context, const struct condition *leaf)
{
    bool positive = leaf->op == CONDITION_EQ || leaf->op == CONDITION_IN;
    const struct text *set;
    uint32_t count;
    bool found = false;

    if (!read_set(context, leaf, &set, &count))
        return false;
    for (uint32_t i = 0; i < count && !found; i++)
        found = text_matches(leaf, set[i]);
    return found == positive;
}

static bool
number_holds(const struct condition *leaf, int64_t number)
{
    switch ((enum condition_op)leaf->op) {
    case CONDITION_EQ:
        return number == leaf->value.number;
    case CONDITION_NE:
        return number != leaf->value.number;
    case CONDITION_GT:
        return number > leaf->value.number;
    case CONDITION_GTE:
        return number >= leaf->value.number;
    case CONDITION_LT:
        return number < leaf->value.number;
    case CONDITION_LTE:
        return number <= leaf->value.number;
    case CONDITION_IN:
        return has_number(leaf, number);
    default:
        assert(leaf->op == CONDITION_NOT_IN);
        return !has_number(leaf, number);
    }
}

static bool
leaf_holds(const struct condition_context *context, const struct condition *leaf)
{
    int64_t number;

    assert(leaf->op >= CONDITION_EQ);
    if (leaf->kind == VALUE_TEXT)
        return text_holds(context, leaf);
    if (leaf->kind == VALUE_TEXT_SET)
        return set_holds(context, leaf);
    return read_number(context, leaf, &number) && number_holds(leaf, number);
}

/* -------------------------------------------------------------------------------------- testing */

/* Does node `index` hold? On a failure of the whole, `*failed` is its first failing part. */
static bool
node_holds(const struct condition_context *context, uint32_t index, uint32_t *failed)
{
    const struct condition *node = &context->plan->condition[index];
    uint32_t ignored;

    switch ((enum condition_op)node->op) {
    case CONDITION_ALL:
        for (uint32_t i = index + 1; i < node->next; i = context->plan->condition[i].next)
            if (!node_holds(context, i, failed))
                return false;
        return true;
    case CONDITION_ANY:
        for (uint32_t i = index + 1; i < node->next; i = context->plan->condition[i].next)
            if (node_holds(context, i, &ignored))
                return true;
        *failed = index;
        return false;
    case CONDITION_NOT:
        *failed = index;
        return !node_holds(context, index + 1, &ignored);
    default:
        *failed = index;
        return leaf_holds(context, node);
    }
}

/* What was met where the test failed. */
static void
describe(const struct condition_context *context, uint32_t index, struct condition_failure *failure)
{
    const struct condition *leaf = &context->plan->condition[index];
    const struct text *set;
    uint32_t count;

    *failure = (struct condition_failure){ .condition = (int32_t)index, .mode = ACTUAL_NONE };
    while (leaf->op == CONDITION_NOT)
        leaf++;
    if (leaf->op < CONDITION_EQ)
        return;
    if (leaf->kind == VALUE_TEXT) {
        failure->actual_text = read_text(context, leaf);
        failure->mode = failure->actual_text.len > 0 ? ACTUAL_TEXT : ACTUAL_MISSING;
    } else if (leaf->kind == VALUE_TEXT_SET) {
        failure->mode = read_set(context, leaf, &set, &count) ? ACTUAL_NONE : ACTUAL_MISSING;
    } else {
        failure->mode = read_number(context, leaf, &failure->actual) ? ACTUAL_NUMBER
                                                                     : ACTUAL_MISSING;
    }
}

bool
condition_test(const struct condition_context *context, int32_t root,
               struct condition_failure *failure)
{
    uint32_t failed = 0;

    if (root == condition_none)
        return true;
    assert(root >= 0);
    assert((uint32_t)root < context->plan->condition_count);
    if (node_holds(context, (uint32_t)root, &failed))
        return true;
    if (failure)
        describe(context, failed, failure);
    return false;
}
