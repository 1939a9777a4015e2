/*
 * call.c - one request from authentication to its answer.
 *
 * Owns:      who may ask, dispatch by route, routes to an owner, claims, submission, the last
 *            rendering.
 * Must not:  know what a use case does.
 * Invariant: call->done comes exactly once for every service_call(); a refusal wrote nothing.
 * Tests:     tests/unit/service/test_call.c, tests/stories/, tests/sim/
 */
#include "service/internal.h"

#include <string.h>

static const struct route_info routes[] = {
#define ROUTE(name, method, path, scope, key) { #name, method, path, SCOPE_##scope, NAMED_##key },
#include "service/routes.def"
#undef ROUTE
};

const struct route_info *
route_info(enum route_name name)
{
    assert(name < call_count);
    return &routes[name];
}

/* ---- refusing and ending ---- */

bool
work_refuse(struct work *work, enum outcome outcome, struct text pointer)
{
    assert(outcome != OUTCOME_DONE);
    if (work->refusal.outcome == OUTCOME_DONE) {
        work->refusal.outcome = outcome;
        work->refusal.pointer = pointer;
    }
    return false;
}

void
work_fail(struct work *work, const struct err *err)
{
    bool busy = err->code == CODE_BUSY;
    bool limit = err->code == CODE_NO_MEMORY || err->code == CODE_LIMIT;

    work_refuse(work, busy ? OUTCOME_BUSY : limit ? OUTCOME_TOO_MANY : OUTCOME_INTERNAL, TEXT(""));
    if (!busy && !limit)
        atomic_fetch_add(&work->service->failures, 1);
    work->refusal.detail = text_copy(work->call->arena, text_of(err->text));
}

void
work_done(struct work *work)
{
    if (work->missing && work->refusal.outcome != OUTCOME_DONE && work_look(work))
        return;
    if (work->refusal.outcome != OUTCOME_DONE)
        atomic_fetch_add(&work->service->refusals, 1);
    work->call->done(work->call);
}

uint64_t
work_next_id(struct work *work)
{
    struct service *service = work->service;

    uint64_t id = ids_next(&service->ids, service->host.now(service->host.context));
    struct err err;

    if (!id) {
        err_set(&err, CODE_BUSY, "this server has no number for ids just now, try again");
        work_fail(work, &err);
    }
    return id;
}

/* ---- who asks ---- */

/* "Bearer kop_<key id>_<64 hex digits>". */
static bool
authenticate(struct work *work)
{
    struct text header = work->call->authorization;
    unsigned char secret[sha256_bytes], hash[sha256_bytes];
    struct text prefix = TEXT("Bearer kop_");
    uint32_t split;

    if (!text_starts(header, prefix))
        return work_refuse(work, OUTCOME_UNAUTHENTICATED, TEXT(""));
    header.ptr += prefix.len;
    header.len -= prefix.len;
    for (split = 0; split < header.len && header.ptr[split] != '_'; split++)
        ;
    struct text key_id = { header.ptr, split };
    struct text hex = { header.ptr + split + 1, split < header.len ? header.len - split - 1 : 0 };
    const struct key_entry *key = catalogue_key(work->catalogue, key_id);
    if (!hex_decode(hex, secret, sizeof(secret)))
        return work_refuse(work, OUTCOME_UNAUTHENTICATED, TEXT(""));
    if (!key) {
        work->missing = true;
        return work_refuse(work, OUTCOME_UNAUTHENTICATED, TEXT(""));
    }
    sha256(secret, sizeof(secret), hash);
    if (!secret_equal(hash, key->hash, sizeof(hash)))
        return work_refuse(work, OUTCOME_UNAUTHENTICATED, TEXT(""));
    work->key = key;
    work->tenant = key->tenant;
    if (!(key->scopes & routes[work->call->route].scope))
        return work_refuse(work, OUTCOME_FORBIDDEN, TEXT(""));
    return true;
}

bool
work_may(struct work *work, struct text outlet, struct text till)
{
    const struct key_entry *key = work->key;

    if (!key)
        return true;
    if (key->outlet.len && !text_equal(key->outlet, outlet))
        return work_refuse(work, OUTCOME_FORBIDDEN, TEXT("/outlet"));
    if (key->till.len && !text_equal(key->till, till))
        return work_refuse(work, OUTCOME_FORBIDDEN, TEXT("/till"));
    return true;
}

/* ---- what it is about ---- */

bool
work_programme(struct work *work, struct text code)
{
    work->programme = catalogue_programme(work->catalogue, work->tenant, code);
    work->missing = !work->programme || !work->programme->version_count;
    if (work->missing)
        return work_refuse(work, OUTCOME_PROGRAMME_UNKNOWN, TEXT("/programme"));
    return true;
}

bool
work_version(struct work *work, unix_ms at)
{
    work->version = programme_in_force(work->programme, at);
    work->missing = !work->version;
    if (work->missing)
        return work_refuse(work, OUTCOME_PROGRAMME_NOT_IN_FORCE, TEXT("/occurred_at"));
    work->step.plan = work->version->plan;
    return true;
}

const struct plan *
work_reader(struct work *work)
{
    unix_ms at = work->now;

    if (work->programme->version_count > 1)
        body_occurred_at(work->call->body, work->call->arena, &at);
    return programme_near(work->programme, at)->plan;
}

/*
 * An e-mail address with small letters of ASCII on both sides of the @: people write it so and so,
 * and no service of note tells them apart. Other letters stay as they are written.
 */
static struct text
email_normal(struct text written, struct arena *arena)
{
    char *small = arena_array(arena, char, written.len);

    for (uint32_t i = 0; small && i < written.len; i++) {
        char c = written.ptr[i];
        small[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return (struct text){ small, small ? written.len : 0 };
}

struct text
directory_key_of(struct work *work, enum key_kind kind, struct text value)
{
    unsigned char hash[sha256_bytes];
    struct buf bytes;

    if (kind == KEY_EMAIL)
        value = email_normal(value, work->call->arena);
    buf_init(&bytes, work->call->arena, 96);
    bytes_put_u64(&bytes, work->tenant);
    bytes_put_u64(&bytes, kind == KEY_MEMBER ? 0 : work->programme->programme);
    bytes_put_u64(&bytes, kind);
    bytes_put_text(&bytes, value);
    hmac_sha256(&work->service->directory_key, bytes.ptr, bytes.len, hash);
    return text_copy(work->call->arena, (struct text){ (char *)hash, directory_key_bytes });
}

/* Digits of a telephone behind `digits[0]`; -1: something else stands there as well. */
static int
telephone_digits(struct text written, char *digits)
{
    int count = 0;

    for (uint32_t i = 0; i < written.len; i++) {
        char c = written.ptr[i];
        if (c >= '0' && c <= '9')
            digits[1 + count++] = c;
        else if (!(c == '+' && i == 0) && c != ' ' && c != '-' && c != '(' && c != ')' && c != '.')
            return -1;
    }
    return count;
}

struct text
telephone_normal(struct text written, struct arena *arena)
{
    char *digits = arena_array(arena, char, (size_t)written.len + 2);
    int count = digits ? telephone_digits(written, digits) : -1;

    if (count < 8)
        return (struct text){ 0 };
    if (written.ptr[0] != '+') {
        if (count == 10) { /* Russian, without its country */
            memmove(digits + 2, digits + 1, (size_t)count++);
            digits[1] = '7';
        } else if (count == 11 && digits[1] == '8') {
            digits[1] = '7';
        } else if (digits[1] == '8') { /* 8 10: from Russia abroad */
            if (count < 11 || digits[2] != '1' || digits[3] != '0')
                return (struct text){ 0 };
            count -= 3;
            memmove(digits + 1, digits + 4, (size_t)count);
        }
    }
    bool is_russian = digits[1] == '7';
    if (count < 8 || count > 15 || digits[1] == '0')
        return (struct text){ 0 };
    if (is_russian && (count != 11 || digits[2] < '3')) /* no area begins with 0, 1 or 2 */
        return (struct text){ 0 };
    digits[0] = '+';
    return (struct text){ digits, (uint32_t)count + 1 };
}

static void
add_route(struct work *work, enum route_kind kind, struct text key)
{
    struct op *op = &work->op;

    assert(op->route_count < routes_per_op_max);
    op->route[op->route_count++] = (struct route){ .kind = kind, .key = key };
}

bool
work_route(struct work *work, const struct whom *whom)
{
    struct arena *arena = work->call->arena;

    if (whom->card.len) {
        add_route(work, ROUTE_DIRECTORY, directory_key_of(work, KEY_CARD, whom->card));
    } else if (whom->phone.len) {
        struct text phone = telephone_normal(whom->phone, arena);
        if (!phone.len)
            return work_refuse(work, OUTCOME_FIELD_FORMAT, TEXT("/phone"));
        add_route(work, ROUTE_DIRECTORY, directory_key_of(work, KEY_PHONE, phone));
    } else if (whom->email.len) {
        add_route(work, ROUTE_DIRECTORY, directory_key_of(work, KEY_EMAIL, whom->email));
    } else if (whom->member_id) {
        struct buf id;
        buf_init(&id, arena, 24);
        buf_add_u64(&id, whom->member_id);
        add_route(work, ROUTE_DIRECTORY, directory_key_of(work, KEY_MEMBER, buf_text(&id)));
    }
    return true;
}

bool
work_routed(struct work *work, const struct whom *whom, bool member_needed, uint64_t anonymous)
{
    const struct route *route = &work->op.route[0];
    struct step *step = &work->step;
    bool named = whom->card.len || whom->phone.len || whom->email.len || whom->member_id;
    struct text pointer = whom->card.len    ? TEXT("/card")
                          : whom->phone.len ? TEXT("/phone")
                          : whom->email.len ? TEXT("/email")
                                            : TEXT("/member");

    if (!named) {
        if (member_needed)
            return work_refuse(work, OUTCOME_MEMBER_NEEDED, TEXT(""));
        step->owner_id = anonymous;
        step->member_id = 0;
        return true;
    }
    if (!route->found && whom->member_id) {
        step->owner_id = step->member_id = whom->member_id; /* a member alone is its own owner */
        return true;
    }
    if (!route->found)
        return work_refuse(work, OUTCOME_CARD_UNKNOWN, pointer);
    if (route->state == KEY_BLOCKED)
        return work_refuse(work, OUTCOME_CARD_BLOCKED, pointer);
    if (route->state == KEY_FREE || !route->member_id)
        return work_refuse(work, OUTCOME_MEMBER_NEEDED, pointer); /* a card without a member */
    step->owner_id = route->owner_id;
    step->member_id = route->member_id;
    return true;
}

/* ---- claims ---- */

static void
put_big_endian(struct buf *buf, uint64_t value, int size)
{
    for (int i = size; i-- > 0;)
        buf_add_char(buf, (char)(value >> (8 * i)));
}

static void
put_word(struct buf *buf, struct text word)
{
    buf_add_text(buf, word);
    buf_add_char(buf, 0);
}

struct text
receipt_claim(struct work *work, const struct receipt_key *key)
{
    struct buf bytes;

    /* Order of the bytes is order by till and time: neighbours in the table were neighbours at
     * the till. */
    buf_init(&bytes, work->call->arena, 96);
    buf_add_char(&bytes, 'r');
    put_big_endian(&bytes, work->tenant, 4);
    put_big_endian(&bytes, work->programme->programme, 4);
    put_word(&bytes, key->outlet);
    put_word(&bytes, key->till);
    put_big_endian(&bytes, (uint64_t)key->period, 8);
    put_word(&bytes, key->number);
    buf_add_char(&bytes, (char)key->kind);
    return buf_text(&bytes);
}

bool
work_claim_header(struct work *work)
{
    struct text given = work->call->idempotency_key;
    unsigned char hash[sha256_bytes];
    struct buf bytes;

    if (given.len == 0)
        return work_refuse(work, OUTCOME_FIELD_MISSING, TEXT("Idempotency-Key"));
    if (given.len > name_bytes_max)
        return work_refuse(work, OUTCOME_FIELD_LONG, TEXT("Idempotency-Key"));
    buf_init(&bytes, work->call->arena, 128);
    bytes_put_u64(&bytes, work->tenant);
    bytes_put_text(&bytes, work->key ? work->key->key_id : TEXT(""));
    bytes_put_text(&bytes, given);
    hmac_sha256(&work->service->directory_key, bytes.ptr, bytes.len, hash);
    char *claim = arena_alloc(work->call->arena, 1 + directory_key_bytes);
    if (!claim || bytes.failed)
        return work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
    claim[0] = 'i';
    memcpy(claim + 1, hash, directory_key_bytes);
    work->op.claim = (struct text){ claim, 1 + directory_key_bytes };
    return true;
}

void
work_take_repeat(struct work *work)
{
    struct record_head head;
    struct err err;

    enum code rc = record_peek(work->op.existing, &head, &err);
    if (rc) {
        work_fail(work, &err);
        return;
    }
    if (memcmp(head.request_hash.ptr, work->request_hash, sha256_bytes) != 0) {
        work_refuse(work, OUTCOME_KEY_REUSED, TEXT(""));
        return;
    }
    const struct version_entry *entry = programme_version(work->programme, head.version);
    struct record *record = arena_new(work->call->arena, struct record);
    work->missing = !entry;
    if (!entry || !record) {
        err_set(&err, CODE_CORRUPT, "a record names version %u, which is not there", head.version);
        work_fail(work, &err);
        return;
    }
    rc = record_decode(work->op.existing, plan_terms(entry->plan), work->call->arena, record, &err);
    if (rc) {
        work_fail(work, &err);
        return;
    }
    work->version = entry;
    work->step.plan = entry->plan;
    work->step.record = record;
}

bool
work_trace_wish(struct work *work, enum trace_wish *wish)
{
    struct text query = work->call->query;

    *wish = TRACE_DEFAULT;
    if (query.len == 0)
        return true;
    *wish = TRACE_FULL;
    if (!text_starts(query, TEXT("explain=")))
        return work_refuse(work, OUTCOME_FIELD_UNKNOWN, TEXT("?"));
    return text_equal(query, TEXT("explain=full")) ||
           work_refuse(work, OUTCOME_FIELD_RANGE, TEXT("?explain"));
}

void
work_limit(struct work *work, enum outcome outcome, amount limit, uint8_t scale)
{
    work->limit = limit;
    work->limit_scale = scale;
    work->has_limit = limit != 0 || outcome == OUTCOME_NOT_ENOUGH ||
                      outcome == OUTCOME_REDEEM_OVER_LIMIT || outcome == OUTCOME_MONEY_TOO_LITTLE;
}

/* ---- through the store ---- */

static void
work_op_done(struct op *op)
{
    struct work *work = op->context;

    if (op->code || op->repeat) /* what a run that was stopped thought does not count */
        work->refusal = (struct refusal){ 0 };
    if (op->code)
        work_fail(work, &op->err);
    else if (op->repeat)
        work_take_repeat(work);
    else if (work->step.outcome != OUTCOME_DONE) {
        work_limit(work, work->step.outcome, work->step.limit, work->step.limit_scale);
        work_refuse(work, work->step.outcome, work->step.culprit);
    }
    work_done(work);
}

enum code
work_run(struct tx *tx, struct op *op, struct err *err)
{
    struct work *work = op->context;

    work->refusal = (struct refusal){ 0 };
    return work->run(tx, op, err);
}

void
work_submit(struct work *work, enum access access,
            enum code (*run)(struct tx *tx, struct op *op, struct err *err))
{
    struct op *op = &work->op;
    struct err err;

    if (work->call->arena->failed) { /* a key or claim may be cut short: the store forgets that */
        work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
        work_done(work);
        return;
    }
    if (work->refusal.outcome != OUTCOME_DONE) { /* no id */
        work_done(work);
        return;
    }
    op->access = access;
    op->priority = work->call->priority;
    op->arena = work->call->arena;
    work->run = run;
    op->run = work_run;
    op->done = work_op_done;
    op->context = work;
    enum code rc = store_submit(work->service->store, op, &err);
    if (rc) {
        work_fail(work, &err);
        work_done(work);
    }
}

void
work_begin_step(struct work *work)
{
    struct step *step = &work->step;

    step->arena = work->op.arena;
    step->now = work->now;
    step->tenant = work->tenant;
    step->programme = work->programme->programme;
    step->view = &work->view;
    step->outcome = OUTCOME_DONE;
    step->limit = 0; /* a run before this one may have set it */
    step->record = NULL;
    step->changes = (struct changes){ 0 };
    step->claim = work->op.claim;
    memcpy(step->request_hash, work->request_hash, sizeof(step->request_hash));
}

enum code
work_load(struct work *work, struct tx *tx, const struct needs *needs, struct err *err)
{
    work->view = (struct view){ 0 };
    work_begin_step(work);
    enum code rc = store_load(tx, needs, work->op.arena, &work->view, err);
    if (rc)
        return rc;
    const struct owner *owner = &work->view.owner;
    bool is_foreign = owner->tenant != work->tenant ||
                      owner->programme != work->programme->programme;
    bool is_strangers = (owner->flags & owner_flag_anonymous) && work->step.member_id;
    if (is_foreign || is_strangers)
        work->view.owner_found = false; /* not a member's here: as if it were not there */
    return OK;
}

enum code
work_write(struct work *work, struct tx *tx, struct err *err)
{
    struct step *step = &work->step;

    if (step->outcome != OUTCOME_DONE || step->dry)
        return OK;
    if (!step->changes.owner && step->changes.directory_put_count == 0)
        return OK;
    enum code rc = seal(&step->changes, work->op.arena, err);
    if (rc)
        return rc;
    return store_write(tx, &work->op, &step->changes, err);
}

/* ---- dispatch ---- */

static void
dispatch(struct work *work)
{
    switch (work->call->route) {
    case CALL_HEALTHZ:
    case CALL_READYZ:
    case CALL_METRICS:
        call_plain(work);
        return;
    case CALL_EVALUATE:
        call_evaluate(work);
        return;
    case CALL_QUOTE:
    case CALL_RESERVE:
    case CALL_COMMIT:
        call_purchase(work);
        return;
    case CALL_CANCEL:
        call_cancel(work);
        return;
    case CALL_RETURN:
        call_return(work);
        return;
    case CALL_RECEIPT:
    case CALL_EXPLANATION:
        call_receipt(work);
        return;
    case CALL_ENROL:
        call_enrol(work);
        return;
    case CALL_FIND:
        call_find(work);
        return;
    case CALL_MEMBER:
    case CALL_BALANCE:
    case CALL_STATEMENT:
        call_member(work);
        return;
    case CALL_CARD:
        call_card(work);
        return;
    case CALL_OPENING:
        call_opening(work);
        return;
    case CALL_EVENT:
        call_event(work);
        return;
    case CALL_CHECK:
        call_check(work);
        return;
    case CALL_PUBLISH:
        call_publish(work);
        return;
    case CALL_PROGRAMMES:
    case CALL_PROGRAMME:
        call_programmes(work);
        return;
    case call_count:
        break;
    }
    assert(!"a route without a use case");
}

void
work_begin(struct work *work)
{
    struct call *call = work->call;
    struct service *service = work->service;

    *work = (struct work){
        .service = service,
        .call = call,
        .tenant = call->tenant,
        .looked = work->looked,
        .now = call->now ? call->now : service->host.now(service->host.context),
        .catalogue = atomic_load(&service->catalogue),
    };
    if (!call->trusted && routes[call->route].scope != SCOPE_NONE && !authenticate(work)) {
        work_done(work);
        return;
    }
    dispatch(work);
}

void
service_call(struct service *service, struct call *call)
{
    struct work *work = arena_new(call->arena, struct work);
    const struct route_info *route = &routes[call->route];

    assert(work); /* a request's arena holds at least this */
    call->work = work;
    work->service = service;
    work->call = call;
    atomic_fetch_add(&service->calls[call->route], 1);
    if (route->key != NAMED_NONE && call->route != CALL_PUBLISH)
        lease_keep_by_hand(service);
    work_begin(work);
}

void
service_render_refusal(enum outcome outcome, bool russian, struct buf *out)
{
    struct problem_view problem = { .outcome = outcome };

    render_problem(&problem, russian, out);
}

static void
finish_problem(struct work *work, struct buf *out)
{
    struct call *call = work->call;
    struct problem_view problem = {
        .outcome = work->refusal.outcome,
        .pointer = work->refusal.pointer,
        .detail = work->refusal.detail,
        .has_limit = work->has_limit,
        .limit = work->limit,
        .limit_scale = work->limit_scale,
        .mistakes = work->mistakes,
    };
    if (problem.outcome == OUTCOME_DECISION_CHANGED && work->step.record) {
        problem.quote = work->step.record;
        problem.plan = work->step.plan;
        problem.quote_hash = work->quote_hash;
    }

    if (problem.outcome == OUTCOME_INTERNAL) {
        call->failure = problem.detail; /* for the log, not for strangers */
        problem.detail = (struct text){ 0 };
    }
    out->len = 0;
    render_problem(&problem, call->russian, out);
    call->status = outcome_http_status(problem.outcome);
    call->content_type = TEXT("application/problem+json");
}

void
call_finish(struct call *call)
{
    struct work *work = call->work;
    struct buf out;
    struct err err;

    buf_init(&out, call->arena, 2048);
    call->status = 200;
    call->content_type = TEXT("application/json");
    if (work->refusal.outcome == OUTCOME_DONE && work->render) {
        enum code rc = work->render(work, &out, &err);
        if (rc)
            work_fail(work, &err);
    }
    if (work->refusal.outcome == OUTCOME_DONE && out.failed)
        work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
    if (work->refusal.outcome != OUTCOME_DONE)
        finish_problem(work, &out);
    call->outcome = work->refusal.outcome;
    call->answer = buf_text(&out);
}
