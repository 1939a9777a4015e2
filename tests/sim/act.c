/*
 * act.c - a deed is done: sent to the server, done in the model, compared.
 *
 * Owns:      claims (the same key and body: the same bytes; another body: KEY_REUSED), enrolment,
 *            and
 *            what the simulation keeps of what came about.
 * Must not:  choose what to do.
 */
#include "deed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void *grown(void *items, int count, int *cap, size_t size)
{
    if (count < *cap)
        return items;
    *cap = *cap == 0 ? 64 : 2 * *cap;
    items = realloc(items, (size_t)*cap * size);
    if (items == NULL)
        abort();
    return items;
}

/* ---- claims ---- */

static struct claim *claim_of(struct sim *sim, const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (const char *at = key; *at != 0; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    for (uint64_t i = hash;; i++) {
        struct claim *claim = &sim->claim[i % claim_slots];
        if (claim->key == NULL || strcmp(claim->key, key) == 0)
            return claim;
    }
}

static char *copy(const char *text, size_t len)
{
    char *out = malloc(len + 1);

    if (out == NULL)
        abort();
    memcpy(out, text, len);
    out[len] = 0;
    return out;
}

static void same_again(struct sim *sim, const struct claim *claim, bool same_body)
{
    if (!same_body) {
        sim->mixed_up++;
        if (sim->server.outcome != OUTCOME_KEY_REUSED)
            trouble(sim, "  the key '%s' with another body: server %s, wanted KEY_REUSED",
                    claim->key, outcome_name(sim->server.outcome));
        return;
    }
    sim->repeats++;
    if (sim->server.outcome != OUTCOME_DONE || sim->server.answer_len != claim->answer_len ||
        memcmp(sim->server.answer, claim->answer, claim->answer_len) != 0)
        trouble(sim, "  the key '%s' repeated: server %s, other bytes than\n%s", claim->key,
                outcome_name(sim->server.outcome), claim->answer);
}

/* ---- what came about ---- */

static void keep_sold(struct sim *sim, const struct deed *deed, int number)
{
    sim->sold = grown(sim->sold, number, &sim->sold_cap, sizeof(*sim->sold));
    struct sold *sold = &sim->sold[number];
    *sold = (struct sold){
        .outlet = deed->event.outlet,
        .till = deed->event.till,
        .period = deed->event.period,
    };
    memcpy(sold->number, deed->event.number, sizeof(sold->number));
}

static void keep_reserved(struct sim *sim, const struct deed *deed, int number)
{
    const struct answer *root = answer_root(sim);

    sim->reserved = grown(sim->reserved, number, &sim->reserved_cap, sizeof(*sim->reserved));
    struct reserved *reserved = &sim->reserved[number];
    *reserved = (struct reserved){
        .outlet = deed->event.outlet,
        .till = deed->event.till,
        .period = deed->event.period,
    };
    memcpy(reserved->number, deed->event.number, sizeof(reserved->number));
    answer_copy(answer_get(&sim->tree, root, "reserve"), reserved->id, sizeof(reserved->id));
}

static void keep_quoted(struct sim *sim, const struct deed *deed, const struct m_decision *decision)
{
    const struct answer *root = answer_root(sim);
    struct deed *kept = &sim->quoted[sim->quoted_count++ % quoted_max];

    *kept = *deed;
    kept->kind = DEED_COMMIT;
    kept->has_quote = true;
    kept->promised = *decision;
    answer_copy(answer_get(&sim->tree, root, "decision"), kept->quote, sizeof(kept->quote));
}

/* Points of a list of currencies, added to `sum`. */
static void add_points(struct sim *sim, const struct answer *list, int64_t *sum)
{
    int64_t value;

    for (int i = 0; i < answer_count(list); i++) {
        const struct answer *item = answer_at(&sim->tree, list, i);
        for (int c = 0; c < sim->programme->currency_count; c++)
            if (answer_is(answer_get(&sim->tree, item, "currency"),
                          sim->programme->currency[c].code) &&
                answer_amount(answer_get(&sim->tree, item, "points"),
                              sim->programme->currency[c].scale, &value))
                sum[c] += value;
    }
}

static void keep_returned(struct sim *sim, const struct deed *deed)
{
    struct sold *sold = &sim->sold[deed->receipt];
    const struct answer *root = answer_root(sim);
    const struct answer *refund = answer_get(&sim->tree, root, "refund");
    int scale = sim->programme->money_scale;
    int64_t value;

    if (answer_amount(answer_get(&sim->tree, refund, "money"), scale, &value))
        sold->refunded += value;
    if (answer_amount(answer_get(&sim->tree, refund, "certificate"), scale, &value))
        sold->certificate += value;
    if (answer_amount(answer_get(&sim->tree, refund, "purse"), scale, &value))
        sold->purse += value;
    add_points(sim, answer_get(&sim->tree, root, "restored"), sold->restored);
    if (answer_amount(answer_get(&sim->tree, root, "shortfall"), scale, &value))
        sold->shortfall = value;
    add_points(sim, answer_get(&sim->tree, root, "revoked"), sold->revoked);
}

/* ---- each kind ---- */

static bool same_redemptions(const struct m_decision *a, const struct m_decision *b)
{
    if (a->redemption_count != b->redemption_count)
        return false;
    for (int r = 0; r < a->redemption_count; r++) {
        const struct m_redemption *x = &a->redemption[r], *y = &b->redemption[r];
        if (x->currency != y->currency || x->points != y->points || x->money != y->money ||
            memcmp(x->line_points, y->line_points, sizeof(x->line_points)) != 0 ||
            memcmp(x->line_money, y->line_money, sizeof(x->line_money)) != 0)
            return false;
    }
    return true;
}

static bool same_earnings(const struct m_decision *a, const struct m_decision *b)
{
    if (a->earning_count != b->earning_count)
        return false;
    for (int e = 0; e < a->earning_count; e++) {
        const struct m_earning *x = &a->earning[e], *y = &b->earning[e];
        if (x->rule != y->rule || x->currency != y->currency || x->points != y->points ||
            memcmp(x->share, y->share, sizeof(x->share)) != 0)
            return false;
    }
    return true;
}

/* Do both decide the same things? What a quote's hash stands for. */
static bool same_decision(const struct m_decision *a, const struct m_decision *b)
{
    return a->line_count == b->line_count && memcmp(a->line, b->line, sizeof(a->line)) == 0 &&
           memcmp(a->given, b->given, sizeof(a->given)) == 0 && same_earnings(a, b) &&
           same_redemptions(a, b);
}

/* Refusals that tell how much would be allowed. */
static bool has_limit(enum outcome outcome)
{
    return outcome == OUTCOME_REDEEM_OVER_LIMIT || outcome == OUTCOME_NOT_ENOUGH ||
           outcome == OUTCOME_MONEY_TOO_LITTLE;
}

static bool same_outcome(struct sim *sim, enum outcome wanted, int64_t limit, int scale)
{
    const struct answer *root;
    int64_t told = 0;

    sim->outcome_count[wanted]++;
    if (wanted != OUTCOME_DONE)
        sim->refused++;
    if (sim->server.outcome != wanted) {
        trouble(sim, "  outcome: server %s, model %s (limit %" PRId64 ")",
                outcome_name(sim->server.outcome), outcome_name(wanted), limit);
        return false;
    }
    if (!has_limit(wanted))
        return wanted == OUTCOME_DONE;
    root = answer_root(sim);
    if (answer_get(&sim->tree, root, "limit") != NULL &&
        !answer_amount(answer_get(&sim->tree, root, "limit"), scale, &told))
        trouble(sim, "  the refusal's limit is no amount");
    if (told != limit)
        trouble(sim, "  limit of the refusal: server %" PRId64 ", model %" PRId64, told, limit);
    return false;
}

/* The scale of the limit: that of the redemption that was refused. */
static int limit_scale(struct sim *sim, const struct deed *deed)
{
    const struct answer *root = answer_root(sim);
    char pointer[64];
    int index = 0;

    answer_copy(answer_get(&sim->tree, root, "pointer"), pointer, sizeof(pointer));
    if (sscanf(pointer, "/redeem/%d", &index) != 1 || index >= deed->event.redeem_count)
        index = 0;
    return sim->programme->currency[deed->event.redeem[index].currency].scale;
}

static void done_purchase(struct sim *sim, const struct deed *deed, enum outcome wanted,
                          const struct m_decision *decision, const struct m_view *view, int receipt)
{
    int scale = has_limit(wanted) ? limit_scale(sim, deed) : 0;

    if (same_outcome(sim, wanted, decision->limit, scale))
        compare_purchase(sim, deed, decision, view, receipt);
}

static void do_quote(struct sim *sim, const struct deed *deed)
{
    struct m_decision decision;
    struct m_view view;

    model_quote(&sim->model, deed->member, &deed->event, M_ORDINARY, sim->now, &decision);
    model_view(&sim->model, deed->member, sim->now, &view);
    done_purchase(sim, deed, decision.outcome, &decision, &view, -1);
    if (decision.outcome == OUTCOME_DONE && !sim->failed)
        keep_quoted(sim, deed, &decision);
}

/* The decision that was named is no longer what would be decided. */
static bool is_changed(struct sim *sim, const struct deed *deed)
{
    struct m_decision now;

    if (!deed->has_quote)
        return false;
    model_would(&sim->model, deed->member, &deed->event, M_ORDINARY, sim->now, &now);
    return now.outcome == OUTCOME_DONE && !same_decision(&now, &deed->promised);
}

static void do_commit(struct sim *sim, const struct deed *deed)
{
    enum m_mode mode = deed->kind == DEED_FACT ? M_FACT : M_ORDINARY;
    struct m_decision decision = { 0 };
    enum outcome wanted;
    int receipt = -1;

    if (is_changed(sim, deed)) {
        same_outcome(sim, OUTCOME_DECISION_CHANGED, 0, 0);
        return;
    }
    wanted = model_commit(&sim->model, deed->member, &deed->event, mode, sim->now, &decision,
                          &receipt);
    if (wanted == OUTCOME_DONE)
        keep_sold(sim, deed, receipt);
    done_purchase(sim, deed, wanted, &decision,
                  receipt >= 0 ? &sim->model.receipt[receipt].view : NULL, receipt);
}

static void do_reserve(struct sim *sim, const struct deed *deed)
{
    struct m_decision decision;
    int reserve = -1;
    enum outcome wanted =
        model_reserve(&sim->model, deed->member, &deed->event, sim->now, &decision, &reserve);

    done_purchase(sim, deed, wanted, &decision,
                  reserve >= 0 ? &sim->model.reserve[reserve].view : NULL, -1);
    if (wanted == OUTCOME_DONE)
        keep_reserved(sim, deed, reserve);
}

static void do_commit_reserve(struct sim *sim, const struct deed *deed)
{
    struct m_decision decision;
    int receipt = -1;
    enum outcome wanted = model_commit_reserve(&sim->model, deed->member, deed->reserve,
                                               &deed->event, sim->now, &decision, &receipt);

    if (wanted == OUTCOME_DONE)
        keep_sold(sim, deed, receipt);
    done_purchase(sim, deed, wanted, &decision,
                  receipt >= 0 ? &sim->model.receipt[receipt].view : NULL, receipt);
}

static void do_cancel(struct sim *sim, const struct deed *deed)
{
    enum outcome wanted = model_cancel(&sim->model, deed->reserve, sim->now);

    if (same_outcome(sim, wanted, 0, 0))
        compare_balances(sim, answer_get(&sim->tree, answer_root(sim), "balances"),
                         sim->model.reserve[deed->reserve].member);
}

static void do_return(struct sim *sim, const struct deed *deed)
{
    struct m_returned returned;
    enum outcome wanted =
        model_return(&sim->model, deed->receipt, deed->whole ? NULL : deed->quantity,
                     deed->event.occurred_at, sim->now, &returned);

    if (!same_outcome(sim, wanted, 0, 0))
        return;
    sim->returns_parts++;
    compare_return(sim, deed, &returned);
    keep_returned(sim, deed);
    if (!sim->failed)
        promise_no_gain(sim, deed->receipt);
}

static void do_event(struct sim *sim, const struct deed *deed)
{
    struct m_decision decision;
    enum outcome wanted =
        model_event(&sim->model, deed->member, &deed->event, sim->now, &decision);

    if (same_outcome(sim, wanted, 0, 0))
        compare_event(sim, deed, &decision);
}

static void do_opening(struct sim *sim, const struct deed *deed)
{
    enum outcome wanted =
        model_opening(&sim->model, deed->member, deed->currency, deed->points,
                      deed->at != 0 ? deed->at : sim->now, sim->now);

    if (same_outcome(sim, wanted, 0, 0))
        compare_balances(sim, answer_get(&sim->tree, answer_root(sim), "balances"), deed->member);
}

static void do_enrol(struct sim *sim, const struct deed *deed)
{
    struct person *person = &sim->person[deed->member];

    if (!same_outcome(sim, OUTCOME_DONE, 0, 0))
        return;
    answer_copy(answer_get(&sim->tree, answer_root(sim), "member"), person->id,
                sizeof(person->id));
}

static void do_it(struct sim *sim, const struct deed *deed)
{
    if (deed->naming == BY_UNKNOWN_CARD) {
        same_outcome(sim, OUTCOME_CARD_UNKNOWN, 0, 0);
        return;
    }
    switch (deed->kind) {
    case DEED_QUOTE:
        do_quote(sim, deed);
        return;
    case DEED_RESERVE:
        do_reserve(sim, deed);
        return;
    case DEED_COMMIT:
    case DEED_FACT:
        do_commit(sim, deed);
        return;
    case DEED_COMMIT_RESERVE:
        do_commit_reserve(sim, deed);
        return;
    case DEED_CANCEL:
        do_cancel(sim, deed);
        return;
    case DEED_RETURN:
        do_return(sim, deed);
        return;
    case DEED_EVENT:
        do_event(sim, deed);
        return;
    case DEED_OPENING:
        do_opening(sim, deed);
        return;
    case DEED_ENROL:
        do_enrol(sim, deed);
        return;
    case DEED_BALANCE:
    case deed_kind_count:
        break;
    }
    abort();
}

/* ---- sending ---- */

static void print_trouble(struct sim *sim, const struct deed *deed)
{
    char now[64];

    print_instant(now, sizeof(now), sim->now);
    printf("seed %llu, operation %ld, programme %s, at %s: %s\n", (unsigned long long)sim->seed,
           sim->op, sim->programme->id, now, route_info(deed_route(deed))->path);
    if (sim->body_len > 0)
        printf("request: %.*s\n", (int)sim->body_len, sim->body);
    printf("answer (%d): %s\n%s", sim->server.status, sim->server.answer, sim->trouble);
}

void deliver(struct sim *sim, const struct deed *deed)
{
    char key[120];
    struct claim *claim = NULL;
    char *canonical;
    size_t canonical_len;

    if (sim->failed)
        return;
    sim->op++;
    sim->count[deed->kind]++;
    deed_claim_key(sim, deed, key, sizeof(key));
    deed_body(sim, deed, true);
    canonical = copy(sim->body, sim->body_len);
    canonical_len = sim->body_len;
    deed_body(sim, deed, false);
    sim->server.now = sim->now;
    server_call(&sim->server, deed_route(deed), NULL, sim->body, sim->body_len,
                deed->key[0] ? deed->key : NULL);
    if (sim->verbose)
        printf("%ld %s %.*s\n  %d %s\n", sim->op, route_info(deed_route(deed))->path,
               (int)sim->body_len, sim->body, sim->server.status, sim->server.answer);
    if (key[0] != 0)
        claim = claim_of(sim, key);
    if (claim != NULL && claim->key != NULL) {
        same_again(sim, claim, strcmp(claim->body, canonical) == 0);
        free(canonical);
    } else {
        do_it(sim, deed);
        if (claim != NULL && sim->server.outcome == OUTCOME_DONE)
            *claim = (struct claim){
                .key = copy(key, strlen(key)),
                .body = canonical,
                .answer = copy(sim->server.answer, sim->server.answer_len),
                .answer_len = sim->server.answer_len,
            };
        else
            free(canonical);
    }
    (void)canonical_len;
    if (sim->failed)
        print_trouble(sim, deed);
}

void deliver_balance(struct sim *sim, int member)
{
    struct deed deed = { .kind = DEED_BALANCE, .member = member };

    if (sim->failed)
        return;
    sim->op++;
    sim->count[DEED_BALANCE]++;
    sim->body_len = 0;
    sim->server.now = sim->now;
    model_settle(&sim->model, member, sim->now);
    server_call(&sim->server, CALL_BALANCE, sim->person[member].id, NULL, 0, NULL);
    if (same_outcome(sim, OUTCOME_DONE, 0, 0))
        compare_balance(sim, member);
    if (sim->failed)
        print_trouble(sim, &deed);
}

int enrol(struct sim *sim, bool twin)
{
    int number = sim->model.member_count;
    struct deed deed = { .kind = DEED_ENROL, .member = number };

    sim->person = grown(sim->person, number, &sim->person_cap, sizeof(*sim->person));
    struct person *person = &sim->person[number];
    *person = (struct person){ .twin = twin };
    snprintf(person->card, sizeof(person->card), "K%05d", number);
    snprintf(person->phone, sizeof(person->phone), "+7900%07d", number);
    snprintf(deed.key, sizeof(deed.key), "enrol-%d", number);
    model_enrol(&sim->model, sim->now);
    deliver(sim, &deed);
    if (chance_percent(sim, 20)) { /* the answer was lost on the way */
        deed.attempt = 2;
        deliver(sim, &deed);
    }
    return number;
}
