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

/* A value as it was met. */
struct value {
    bool missing;
    int64_t number;
    struct text text;
    const struct text *set; /* TEXT_SET */
    uint32_t set_count;
};

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

static struct value
number_of(int64_t number)
{
    return (struct value){ .number = number };
}

static struct value
text_value(struct text text)
{
    return (struct value){ .text = text, .missing = text.len == 0 };
}

static struct value
set_of(const struct text *set, uint32_t count, bool missing)
{
    return (struct value){ .set = set, .set_count = count, .missing = missing };
}

static struct value
own_value(const struct condition_context *context, uint16_t index, const struct attribute *item,
          uint32_t count)
{
    const struct own_attribute *own = &context->plan->own[index];

    for (uint32_t i = 0; i < count; i++) {
        if (!text_equal(item[i].name, own->name))
            continue;
        if (item[i].type != own->type)
            break;
        return own->type == ATTRIBUTE_TEXT ? text_value(item[i].value) : number_of(item[i].number);
    }
    return (struct value){ .missing = true };
}

static struct value
line_value(const struct condition_context *context, const struct condition *leaf)
{
    const struct line *line = context->line;

    assert(line);
    switch ((enum attribute_id)leaf->attribute) {
    case ATTRIBUTE_LINE_ARTICLE:
        return text_value(line->article);
    case ATTRIBUTE_LINE_CATEGORY:
        return text_value(line->category);
    case ATTRIBUTE_LINE_BRAND:
        return text_value(line->brand);
    case ATTRIBUTE_LINE_TAG:
        return set_of(line->tag, line->tag_count, false);
    case ATTRIBUTE_LINE_SERVICE:
        return number_of(line->is_service);
    case ATTRIBUTE_LINE_DISCOUNTED:
        return number_of(line->is_discounted || context->line_discounted);
    case ATTRIBUTE_LINE_PRICE:
        return number_of(line->price);
    case ATTRIBUTE_LINE_QUANTITY:
        return number_of(line->quantity);
    case ATTRIBUTE_LINE_GROSS:
        return number_of(line->gross);
    case ATTRIBUTE_LINE_NET:
        return number_of(context->line_net);
    default:
        assert(leaf->attribute == ATTRIBUTE_LINE_OWN);
        return own_value(context, leaf->index, line->attribute, line->attribute_count);
    }
}

static struct value
receipt_value(const struct condition_context *context, const struct condition *leaf)
{
    const struct event *event = context->event;

    switch ((enum attribute_id)leaf->attribute) {
    case ATTRIBUTE_RECEIPT_BASE:
        return number_of(context->base);
    case ATTRIBUTE_RECEIPT_AFTER_LINES:
        return number_of(context->after_lines);
    case ATTRIBUTE_RECEIPT_NET:
        return number_of(context->net);
    case ATTRIBUTE_RECEIPT_MONEY:
        return number_of(context->money);
    case ATTRIBUTE_RECEIPT_LINES:
        return number_of(context->lines);
    case ATTRIBUTE_RECEIPT_OUTLET:
        return text_value(event->outlet);
    case ATTRIBUTE_RECEIPT_TILL:
        return text_value(event->till);
    case ATTRIBUTE_RECEIPT_CHANNEL:
        return text_value(event->channel);
    case ATTRIBUTE_RECEIPT_REGION:
        return text_value(event->region);
    case ATTRIBUTE_RECEIPT_TENDER:
        return text_value(event->tender);
    case ATTRIBUTE_RECEIPT_BIN:
        return text_value(event->bin);
    case ATTRIBUTE_RECEIPT_CODE:
        return set_of(event->code, event->code_count, false);
    case ATTRIBUTE_RECEIPT_HAS_CODE:
        return number_of(event->code_count > 0);
    case ATTRIBUTE_RECEIPT_FOR_BUSINESS:
        return number_of(event->for_business);
    case ATTRIBUTE_RECEIPT_CONFIRMED:
        return number_of(event->confirmed);
    default:
        assert(leaf->attribute == ATTRIBUTE_RECEIPT_CERTIFICATE);
        return number_of(context->certificate);
    }
}

static struct value
event_value(const struct condition_context *context, const struct condition *leaf)
{
    const struct member_view *view = context->view;
    struct value value = { 0 };

    switch ((enum attribute_id)leaf->attribute) {
    case ATTRIBUTE_MEMBER_KNOWN:
        return number_of(view->known);
    case ATTRIBUTE_MEMBER_LEVEL:
        value.number = view->level[leaf->index];
        value.missing = !view->known;
        return value;
    case ATTRIBUTE_MEMBER_SEGMENT:
        return set_of(view->segment, view->segment_count, !view->known);
    case ATTRIBUTE_MEMBER_ENROLLED_DAYS:
        value.number = context->enrolled_days;
        value.missing = !view->known;
        return value;
    case ATTRIBUTE_COUNTER:
        value.number = view->counter[leaf->index];
        value.missing = !view->known;
        return value;
    case ATTRIBUTE_TIME_OCCURRED:
        return number_of(context->event->occurred_at);
    case ATTRIBUTE_TIME_HOUR:
        return number_of(context->hour);
    case ATTRIBUTE_TIME_WEEKDAY:
        return number_of(context->weekday);
    case ATTRIBUTE_TIME_DAY:
        return number_of(context->day);
    case ATTRIBUTE_TIME_MONTH:
        return number_of(context->month);
    default:
        assert(leaf->attribute == ATTRIBUTE_EVENT_OWN);
        return own_value(context, leaf->index, context->event->attribute,
                         context->event->attribute_count);
    }
}

static struct value
read_value(const struct condition_context *context, const struct condition *leaf)
{
    unsigned id = leaf->attribute;

    assert(id < attribute_id_count);
    if (id >= ATTRIBUTE_LINE_ARTICLE && id <= ATTRIBUTE_LINE_OWN)
        return line_value(context, leaf);
    if (id >= ATTRIBUTE_RECEIPT_BASE && id <= ATTRIBUTE_RECEIPT_CERTIFICATE)
        return receipt_value(context, leaf);
    return event_value(context, leaf);
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
text_holds(const struct condition *leaf, const struct value *value)
{
    bool positive = leaf->op == CONDITION_EQ || leaf->op == CONDITION_IN;
    bool found = false;

    if (leaf->kind == VALUE_TEXT)
        return text_matches(leaf, value->text) == positive;
    for (uint32_t i = 0; i < value->set_count && !found; i++)
        found = text_matches(leaf, value->set[i]);
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
leaf_holds(const struct condition *leaf, const struct value *value)
{
    if (value->missing)
        return false;
    if (leaf->kind == VALUE_TEXT || leaf->kind == VALUE_TEXT_SET)
        return text_holds(leaf, value);
    return number_holds(leaf, value->number);
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
    default: {
        struct value value = read_value(context, node);
        *failed = index;
        return leaf_holds(node, &value);
    }
    }
}

/* What was met where the test failed. */
static void
describe(const struct condition_context *context, uint32_t index, struct condition_failure *failure)
{
    const struct condition *leaf = &context->plan->condition[index];

    *failure = (struct condition_failure){ .condition = (int32_t)index, .mode = ACTUAL_NONE };
    while (leaf->op == CONDITION_NOT)
        leaf++;
    if (leaf->op < CONDITION_EQ)
        return;
    struct value value = read_value(context, leaf);
    if (value.missing) {
        failure->mode = ACTUAL_MISSING;
    } else if (leaf->kind == VALUE_TEXT) {
        failure->mode = ACTUAL_TEXT;
        failure->actual_text = value.text;
    } else if (leaf->kind != VALUE_TEXT_SET) {
        failure->mode = ACTUAL_NUMBER;
        failure->actual = value.number;
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
