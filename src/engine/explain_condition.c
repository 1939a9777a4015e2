/*
 * explain_condition.c - conditions in words.
 *
 * Owns:      explain_condition(); the Russian names of attributes.
 * Must not:  test conditions.
 * Invariant: English names are those of documents, so that a sentence can be typed in.
 * Tests:     tests/unit/engine/test_explain.c
 */
#include "engine/explain.h"

#include "base/decimal.h"

enum { values_told_max = 10 };

static const char *const english_names[] = {
#define X(id, name, place, kind, phase) [ATTRIBUTE_##id] = name,
    ATTRIBUTES(X)
#undef X
};

static const char *const russian_names[] = {
    [ATTRIBUTE_MEMBER_KNOWN] = "участник известен",
    [ATTRIBUTE_MEMBER_LEVEL] = "уровень",
    [ATTRIBUTE_MEMBER_SEGMENT] = "сегмент участника",
    [ATTRIBUTE_MEMBER_ENROLLED_DAYS] = "дней в программе",
    [ATTRIBUTE_COUNTER] = "счётчик",
    [ATTRIBUTE_RECEIPT_BASE] = "сумма чека без скидок",
    [ATTRIBUTE_RECEIPT_AFTER_LINES] = "сумма чека после скидок на строки",
    [ATTRIBUTE_RECEIPT_NET] = "сумма чека после скидок",
    [ATTRIBUTE_RECEIPT_MONEY] = "оплата деньгами",
    [ATTRIBUTE_RECEIPT_LINES] = "число строк",
    [ATTRIBUTE_RECEIPT_OUTLET] = "торговая точка",
    [ATTRIBUTE_RECEIPT_TILL] = "касса",
    [ATTRIBUTE_RECEIPT_CHANNEL] = "канал продаж",
    [ATTRIBUTE_RECEIPT_REGION] = "регион",
    [ATTRIBUTE_RECEIPT_TENDER] = "способ оплаты",
    [ATTRIBUTE_RECEIPT_BIN] = "БИН карты",
    [ATTRIBUTE_RECEIPT_CODE] = "промокод",
    [ATTRIBUTE_RECEIPT_HAS_CODE] = "есть промокод",
    [ATTRIBUTE_RECEIPT_FOR_BUSINESS] = "покупка для организации",
    [ATTRIBUTE_RECEIPT_CONFIRMED] = "подтверждено кодом",
    [ATTRIBUTE_RECEIPT_CERTIFICATE] = "оплата сертификатом",
    [ATTRIBUTE_TIME_OCCURRED] = "время покупки",
    [ATTRIBUTE_TIME_HOUR] = "час",
    [ATTRIBUTE_TIME_WEEKDAY] = "день недели",
    [ATTRIBUTE_TIME_DAY] = "число месяца",
    [ATTRIBUTE_TIME_MONTH] = "месяц",
    [ATTRIBUTE_LINE_ARTICLE] = "артикул",
    [ATTRIBUTE_LINE_CATEGORY] = "категория",
    [ATTRIBUTE_LINE_BRAND] = "марка",
    [ATTRIBUTE_LINE_TAG] = "метка",
    [ATTRIBUTE_LINE_SERVICE] = "услуга",
    [ATTRIBUTE_LINE_DISCOUNTED] = "уже со скидкой",
    [ATTRIBUTE_LINE_PRICE] = "цена",
    [ATTRIBUTE_LINE_QUANTITY] = "количество",
    [ATTRIBUTE_LINE_GROSS] = "сумма строки без скидок",
    [ATTRIBUTE_LINE_NET] = "сумма строки после скидок",
    [ATTRIBUTE_LINE_OWN] = "признак строки",
    [ATTRIBUTE_EVENT_OWN] = "признак события",
};
_Static_assert(KOP_COUNT(russian_names) == attribute_id_count, "a name for every attribute");

/* The name without its star, and the code of what it names. */
static void
add_name(const struct plan *plan, const struct condition *leaf, bool russian, struct buf *buf)
{
    struct text code = { 0 };
    struct text name = text_of(english_names[leaf->attribute]);

    assert(leaf->attribute < attribute_id_count);
    if (leaf->attribute == ATTRIBUTE_MEMBER_LEVEL)
        code = plan->terms.ladder[leaf->index].code;
    else if (leaf->attribute == ATTRIBUTE_COUNTER)
        code = plan->terms.counter[leaf->index].code;
    else if (leaf->attribute == ATTRIBUTE_LINE_OWN || leaf->attribute == ATTRIBUTE_EVENT_OWN)
        code = plan->own[leaf->index].name;
    if (russian) {
        buf_add_text(buf, text_of(russian_names[leaf->attribute]));
        if (code.len > 0)
            buf_addf(buf, " «%.*s»", (int)code.len, code.ptr);
        return;
    }
    if (code.len > 0)
        name.len--; /* the star */
    buf_add_text(buf, name);
    buf_add_text(buf, code);
}

void
explain_number(const struct plan *plan, const struct condition *leaf, int64_t number, bool russian,
               struct buf *buf)
{
    const struct ladder_terms *ladder;

    switch ((enum value_kind)leaf->kind) {
    case VALUE_BOOL:
        buf_add_text(buf, number ? text_of(russian ? "да" : "true")
                                 : text_of(russian ? "нет" : "false"));
        break;
    case VALUE_LEVEL:
        ladder = &plan->terms.ladder[leaf->index];
        if (number >= 1 && number <= ladder->level_count)
            buf_add_text(buf, ladder->level[number - 1].code);
        else
            buf_add_text(buf, text_of(russian ? "без уровня" : "none"));
        break;
    case VALUE_INSTANT:
        instant_format(buf, number);
        break;
    default:
        decimal_format(buf, number, leaf->scale);
        break;
    }
}

static void
add_values(const struct plan *plan, const struct condition *leaf, bool russian, struct buf *buf)
{
    bool texts = leaf->kind == VALUE_TEXT || leaf->kind == VALUE_TEXT_SET;

    for (uint32_t i = 0; i < leaf->count && i < values_told_max; i++) {
        if (i > 0)
            buf_add_text(buf, TEXT(", "));
        if (texts)
            buf_add_text(buf, leaf->value.texts[i]);
        else
            explain_number(plan, leaf, leaf->value.numbers[i], russian, buf);
    }
    if (leaf->count > values_told_max)
        buf_addf(buf, russian ? " и ещё %u" : " and %u more", leaf->count - values_told_max);
}

static void
add_leaf(const struct plan *plan, const struct condition *leaf, bool russian, struct buf *buf)
{
    static const char *const signs[] = {
        [CONDITION_EQ] = "=",   [CONDITION_NE] = "!=", [CONDITION_GT] = ">",
        [CONDITION_GTE] = ">=", [CONDITION_LT] = "<",  [CONDITION_LTE] = "<=",
    };

    assert(leaf->op >= CONDITION_EQ);
    add_name(plan, leaf, russian, buf);
    if (leaf->op == CONDITION_IN || leaf->op == CONDITION_NOT_IN) {
        if (leaf->op == CONDITION_NOT_IN)
            buf_add_text(buf, text_of(russian ? " не" : " not"));
        buf_add_text(buf, text_of(russian ? " из (" : " in ("));
        add_values(plan, leaf, russian, buf);
        buf_add_char(buf, ')');
        return;
    }
    buf_addf(buf, " %s ", signs[leaf->op]);
    if (leaf->kind == VALUE_TEXT || leaf->kind == VALUE_TEXT_SET)
        buf_add_text(buf, leaf->value.text);
    else
        explain_number(plan, leaf, leaf->value.number, russian, buf);
}

/* `inside`: what an enclosing group joins with, so that it needs brackets; 0 at the top. */
static void
add_node(const struct plan *plan, uint32_t index, bool russian, uint8_t inside, struct buf *buf)
{
    const struct condition *node = &plan->condition[index];
    bool any = node->op == CONDITION_ANY, brackets;

    if (node->op >= CONDITION_EQ) {
        add_leaf(plan, node, russian, buf);
        return;
    }
    if (node->op == CONDITION_NOT) {
        buf_add_text(buf, text_of(russian ? "не (" : "not ("));
        add_node(plan, index + 1, russian, CONDITION_NOT, buf);
        buf_add_char(buf, ')');
        return;
    }
    brackets = inside != node->op && inside != CONDITION_NOT;
    if (brackets)
        buf_add_char(buf, '(');
    for (uint32_t i = index + 1; i < node->next; i = plan->condition[i].next) {
        if (i > index + 1)
            buf_add_text(buf, any ? text_of(russian ? " или " : " or ")
                                  : text_of(russian ? " и " : " and "));
        add_node(plan, i, russian, node->op, buf);
    }
    if (brackets)
        buf_add_char(buf, ')');
}

void
explain_condition(const struct plan *plan, int32_t index, bool russian, struct buf *buf)
{
    if (index == condition_none)
        return;
    assert(index >= 0);
    assert((uint32_t)index < plan->condition_count);
    /* At the top no brackets are needed, whatever the group. */
    add_node(plan, (uint32_t)index, russian, CONDITION_NOT, buf);
}
