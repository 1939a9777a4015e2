/*
 * sim.c - deterministic simulation: tills, members and time against the server core and the model.
 *
 * Owns:      the run of a seed: who acts when, the clock, offline tills, repeats; the count of
 *            seeds.
 * Must not:  depend on anything but the seed: a failure is replayed by its number.
 * Usage:     sim [--seeds N] [--first-seed S] [--ops M] [--store memory|sqlite] [--verbose]
 *                [--stop-at-first] [--selftest]
 */
#include "deed.h"

#include "selftest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct options {
    long seeds, first_seed, ops;
    bool sqlite, verbose, stop_at_first, selftest;
    const char *documents;
};

/* 2026-01-05T06:00:00Z, a Monday. */
#define BEGINNING INT64_C(1767592800000)

/* ---- time ---- */

static void
move_clock(struct sim *sim)
{
    if (chance_percent(sim, 35))
        return; /* several things at one instant */
    if (chance_percent(sim, 97))
        sim->now += chance(sim, chance_percent(sim, 50) ? 10 * 60000 : 3 * M_HOUR);
    else if (chance_percent(sim, 85))
        sim->now += chance(sim, 4 * M_DAY);
    else
        sim->now += chance(sim, 70 * M_DAY);
    if (chance_percent(sim, 2)) /* exactly a midnight of the programme */
        sim->now = m_midnight(sim->programme->zone,
                              m_local_day(sim->programme->zone, sim->now) + 1);
}

/* ---- actors ---- */

static void
remember(struct sim *sim, const struct deed *deed)
{
    sim->recent[sim->recent_count++ % recent_max] = *deed;
}

void
tell(struct sim *sim, const struct deed *deed)
{
    deliver(sim, deed);
    remember(sim, deed);
}

static void
act_quote(struct sim *sim)
{
    struct deed deed;

    invent_purchase(sim, DEED_QUOTE, &deed);
    deliver(sim, &deed);
}

static void
act_buy(struct sim *sim)
{
    struct deed deed;

    invent_purchase(sim, chance_percent(sim, 85) ? DEED_COMMIT : DEED_FACT, &deed);
    tell(sim, &deed);
}

/* A quote, perhaps something in between, and the commit that names its hash. */
static void
act_commit_quoted(struct sim *sim)
{
    struct deed deed;

    if (sim->quoted_count == 0)
        return;
    long back = chance(sim, sim->quoted_count < 6 ? sim->quoted_count : 6) + 1;
    deed = sim->quoted[(sim->quoted_count - back) % quoted_max];
    tell(sim, &deed);
}

static void
act_reserve(struct sim *sim)
{
    struct deed deed;

    invent_purchase(sim, DEED_RESERVE, &deed);
    tell(sim, &deed);
    if (chance_percent(sim, 50)) {
        sim->now += chance(sim, 4 * 60000);
        act_capture(sim);
    }
}

/* The lot of a member that dies next within a few days; -1: none. */
static int
dying_lot(const struct sim *sim, int member)
{
    const struct m_member *who = &sim->model.member[member];
    int64_t best = sim->now + 5 * M_DAY;
    int found = -1;

    for (int i = 0; i < who->lot_count; i++)
        if (who->lot[i].left > who->lot[i].held && !who->lot[i].pending &&
            who->lot[i].expires_at > sim->now && who->lot[i].expires_at < best) {
            best = who->lot[i].expires_at;
            found = i;
        }
    return found;
}

/* Points are reserved minutes before they die, and the reserve outlives them. */
static void
act_brink(struct sim *sim)
{
    int member = some_member(sim), lot = dying_lot(sim, member);
    struct deed deed;
    int64_t end;

    if (lot < 0)
        return;
    end = sim->model.member[member].lot[lot].expires_at;
    if (end - 120000 > sim->now)
        sim->now = end - 1 - chance(sim, 120000);
    invent_purchase(sim, DEED_RESERVE, &deed);
    deed.member = member;
    deed.naming = BY_CARD;
    deed.event.occurred_at = sim->now;
    deed.event.confirmed = true;
    deed.event.payment_count = 0;
    deed.event.redeem_count = 1;
    deed.event.redeem[0] = (struct m_redeem){
        .currency = sim->model.member[member].lot[lot].currency,
        .max = true,
    };
    tell(sim, &deed);
    sim->now = end + (chance_percent(sim, 50) ? 0 : chance(sim, 60000));
    deliver_balance(sim, member);
    if (chance_percent(sim, 60))
        act_capture(sim);
    else if (chance_percent(sim, 50))
        act_cancel(sim);
    deliver_balance(sim, member);
}

static bool
some_reserve(struct sim *sim, enum deed_kind kind, struct deed *deed)
{
    int count = sim->model.reserve_count, back = count < 5 ? count : 5;

    if (count == 0)
        return false;
    *deed = (struct deed){ .kind = kind };
    deed->reserve = count - 1 - (chance_percent(sim, 60) ? 0 : (int)chance(sim, back));
    deed->member = sim->model.reserve[deed->reserve].member;
    return true;
}

void
act_capture(struct sim *sim)
{
    struct deed deed;

    if (!some_reserve(sim, DEED_COMMIT_RESERVE, &deed))
        return;
    const struct reserved *reserved = &sim->reserved[deed.reserve];
    new_key(sim, &deed.event);
    if (chance_percent(sim, 70) || deed.member < 0) { /* under the reserve's own number */
        deed.event.outlet = reserved->outlet;
        deed.event.till = reserved->till;
        deed.event.period = reserved->period;
        memcpy(deed.event.number, reserved->number, sizeof(reserved->number));
    }
    if (deed.member >= 0 && chance_percent(sim, 3))
        deed.member = some_member(sim); /* somebody else's */
    tell(sim, &deed);
}

void
act_cancel(struct sim *sim)
{
    struct deed deed;

    if (some_reserve(sim, DEED_CANCEL, &deed))
        tell(sim, &deed);
}

static void
act_return(struct sim *sim)
{
    struct deed deed;

    if (invent_return(sim, &deed))
        tell(sim, &deed);
}

/* An answer was lost, or a till sends twice, or reuses a number. */
static void
act_repeat(struct sim *sim)
{
    long count = sim->recent_count < recent_max ? sim->recent_count : recent_max;
    struct deed deed;

    if (count == 0)
        return;
    deed = sim->recent[(sim->recent_count - 1 -
                        chance(sim, chance_percent(sim, 60) ? 3 : count) % count) %
                       recent_max];
    if ((!chance_percent(sim, 25) || !deed_change(&deed)) && chance_percent(sim, 50))
        deed.attempt++;
    deliver(sim, &deed);
}

static void
act_other(struct sim *sim)
{
    struct deed deed;

    if (chance_percent(sim, 50)) {
        invent_opening(sim, &deed);
        tell(sim, &deed);
    } else if (invent_event(sim, &deed)) {
        tell(sim, &deed);
    }
}

/* A till without network keeps its receipts; they come later, in any order, some of them twice. */
static void
act_offline(struct sim *sim)
{
    if (sim->queued < queue_max && chance_percent(sim, 75)) {
        invent_purchase(sim, DEED_FACT, &sim->queue[sim->queued++]);
        return;
    }
    while (sim->queued > 0 && !sim->failed) {
        int which = (int)chance(sim, sim->queued);
        struct deed deed = sim->queue[which];
        sim->queue[which] = sim->queue[--sim->queued];
        tell(sim, &deed);
        if (chance_percent(sim, 10))
            deliver(sim, &deed);
    }
}

static void
act_housekeeping(struct sim *sim)
{
    if (chance_percent(sim, 60)) {
        sim->server.now = sim->now;
        server_daily(&sim->server);
    } else if (sim->server.path[0] != 0 && chance_percent(sim, 20)) {
        server_restart(&sim->server);
        sim->now++; /* nobody is back within the millisecond that ids of before are made of */
    } else if (sim->model.member_count < 30) {
        enrol(sim, false);
    }
}

static void
act(struct sim *sim)
{
    static const struct {
        int share;
        void (*what)(struct sim *);
    } actors[] = {
        { 140, act_quote },   { 250, act_buy },         { 60, act_commit_quoted },
        { 75, act_reserve },  { 30, act_capture },      { 20, act_cancel },
        { 160, act_return },  { 70, act_repeat },       { 40, act_other },
        { 30, act_offline },  { 15, act_housekeeping }, { 10, promise_full_return },
        { 4, promise_twins }, { 8, act_brink },         { 20, act_spree },
        { 12, act_tangle },
    };
    int total = 0, at;

    for (size_t i = 0; i < sizeof(actors) / sizeof(actors[0]); i++)
        total += actors[i].share;
    at = (int)chance(sim, total);
    for (size_t i = 0; i < sizeof(actors) / sizeof(actors[0]); i++) {
        at -= actors[i].share;
        if (at < 0) {
            actors[i].what(sim);
            return;
        }
    }
}

/* ---- a seed ---- */

static char *
read_document(const char *folder, const char *file)
{
    char path[600];
    char *text = NULL;
    long size;
    FILE *in;

    snprintf(path, sizeof(path), "%s/%s", folder, file);
    in = fopen(path, "rb");
    if (in == NULL || fseek(in, 0, SEEK_END) != 0 || (size = ftell(in)) < 0) {
        fprintf(stderr, "sim: cannot read '%s'\n", path);
        exit(2);
    }
    rewind(in);
    text = malloc((size_t)size + 1);
    if (text == NULL || fread(text, 1, (size_t)size, in) != (size_t)size)
        abort();
    fclose(in);
    text[size] = 0;
    return text;
}

/* The document with the edits made; each must stand in it exactly once. */
static char *
edited(char *document, const struct m_edit *edits)
{
    for (const struct m_edit *edit = edits; edit != NULL && edit->from != NULL; edit++) {
        char *at = strstr(document, edit->from);
        if (at == NULL || strstr(at + 1, edit->from) != NULL) {
            fprintf(stderr, "sim: '%s' does not stand once in the document\n", edit->from);
            exit(2);
        }
        size_t size = strlen(document) + strlen(edit->to) + 1;
        char *out = malloc(size);
        if (out == NULL)
            abort();
        snprintf(out, size, "%.*s%s%s", (int)(at - document), document, edit->to,
                 at + strlen(edit->from));
        free(document);
        document = out;
    }
    return document;
}

static void
publish(struct sim *sim, const struct m_edit *edits, int64_t from)
{
    char *document = edited(read_document(sim->documents, sim->programme->file), edits);
    size_t size = strlen(document) + 200;
    char *body = malloc(size), instant[64];

    if (body == NULL)
        abort();
    print_instant(instant, sizeof(instant), from);
    int len = snprintf(body, size, "{\"in_force_from\":\"%s\",\"document\":%s}", instant, document);
    sim->server.now = sim->now;
    server_call(&sim->server, CALL_PUBLISH, sim->programme->id, body, (size_t)len, NULL);
    free(document);
    free(body);
    if (sim->server.outcome == OUTCOME_DONE)
        return;
    printf("seed %" PRIu64 ": publishing '%s' was refused: %s\n", sim->seed, sim->programme->id,
           sim->server.answer);
    sim->failed = true;
}

/* About half-way a new version of the programme is published, in force soon. */
static void
publish_second(struct sim *sim)
{
    const struct m_edit *edits;
    int64_t from = sim->now + chance(sim, 4 * M_DAY);

    m_second_edition((int)(sim->seed % m_programme_count), &sim->second, &edits);
    publish(sim, edits, from);
    model_publish(&sim->model, &sim->second, from);
}

static void
begin(struct sim *sim, const struct options *options, uint64_t seed)
{
    char path[64] = "";

    *sim = (struct sim){
        .seed = seed,
        .random = seed * UINT64_C(0x2545f4914f6cdd1d) + 1,
        .ops = options->ops,
        .verbose = options->verbose,
        .documents = options->documents,
        .now = BEGINNING,
        .programme = m_programme((int)(seed % m_programme_count)),
    };
    if (options->sqlite) {
        snprintf(path, sizeof(path), "/tmp/kop-sim-%ld-%" PRIu64 ".db", (long)getpid(), seed);
        unlink(path);
    }
    server_open(&sim->server, options->sqlite ? path : NULL, seed, sim->now);
    model_init(&sim->model, sim->programme);
    sim->recent = calloc(recent_max, sizeof(*sim->recent));
    sim->queue = calloc(queue_max, sizeof(*sim->queue));
    sim->quoted = calloc(quoted_max, sizeof(*sim->quoted));
    sim->claim = calloc(claim_slots, sizeof(*sim->claim));
    if (sim->recent == NULL || sim->queue == NULL || sim->quoted == NULL || sim->claim == NULL)
        abort();
}

static void
finish(struct sim *sim)
{
    char path[80];

    server_close(&sim->server);
    for (const char *const *end = (const char *const[]){ "", "-wal", "-shm", NULL };
         sim->server.path[0] != 0 && *end != NULL; end++) {
        snprintf(path, sizeof(path), "%s%s", sim->server.path, *end);
        unlink(path);
    }
    model_release(&sim->model);
    answer_release(&sim->tree);
    for (int i = 0; i < claim_slots; i++) {
        free(sim->claim[i].key);
        free(sim->claim[i].body);
        free(sim->claim[i].answer);
    }
    free(sim->claim);
    free(sim->recent);
    free(sim->queue);
    free(sim->quoted);
    free(sim->person);
    free(sim->sold);
    free(sim->reserved);
    free(sim->body);
}

/* At the end: everybody's balance, and the server's own audit. */
static void
audit(struct sim *sim)
{
    for (int m = 0; m < sim->model.member_count; m++)
        deliver_balance(sim, m);
    if (!sim->failed && !server_verify(&sim->server)) {
        printf("seed %" PRIu64 ": verify found faults\n", sim->seed);
        sim->failed = true;
    }
}

struct totals {
    long ops, outcome[outcome_count], count[deed_kind_count], repeats, mixed_up;
    struct m_tally rare;
};

static void
add_rare(const struct model *model, struct m_tally *sum)
{
    for (int m = 0; m < model->member_count; m++) {
        const struct m_tally *tally = &model->member[m].tally;
        for (int i = 0; i < m_repaid_count; i++)
            sum->repaid[i] += tally->repaid[i];
        sum->let_go_dead += tally->let_go_dead;
        sum->back_dead += tally->back_dead;
        sum->stood_in += tally->stood_in;
        sum->stood_in_full += tally->stood_in_full;
    }
}

static bool
run_seed(const struct options *options, uint64_t seed, struct totals *totals)
{
    static struct sim sim;
    bool passed;

    begin(&sim, options, seed);
    publish(&sim, NULL, BEGINNING - 365 * M_DAY);
    for (int i = 0; i < 8 && !sim.failed; i++)
        enrol(&sim, false);
    while (sim.op < sim.ops && !sim.failed) {
        move_clock(&sim);
        if (sim.model.edition[1] == NULL && sim.op > sim.ops / 2 && seed % 3 != 0)
            publish_second(&sim);
        act(&sim);
        if (chance_percent(&sim, 12))
            deliver_balance(&sim, some_member(&sim));
    }
    if (!sim.failed)
        audit(&sim);
    passed = !sim.failed;
    if (!passed)
        printf("again: build/tests/sim/sim --seeds 1 --first-seed %" PRIu64 " --ops %ld%s\n\n",
               seed, options->ops, options->sqlite ? " --store sqlite" : "");
    totals->ops += sim.op;
    totals->repeats += sim.repeats;
    totals->mixed_up += sim.mixed_up;
    for (int i = 0; i < outcome_count; i++)
        totals->outcome[i] += sim.outcome_count[i];
    for (int i = 0; i < deed_kind_count; i++)
        totals->count[i] += sim.count[i];
    add_rare(&sim.model, &totals->rare);
    finish(&sim);
    return passed;
}

/* ---- the program ---- */

static _Noreturn void
usage(void)
{
    fprintf(stderr, "usage: sim [--seeds N] [--first-seed S] [--ops M] [--store memory|sqlite] "
                    "[--verbose] [--stop-at-first] [--documents DIR] [--selftest]\n");
    exit(2);
}

static struct options
read_options(int argc, char **argv)
{
    struct options options = {
        .seeds = 200,
        .first_seed = 1,
        .ops = 5000,
        .documents = "tests/sim/programmes",
    };

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--verbose") == 0) {
            options.verbose = true;
            continue;
        }
        if (strcmp(argv[i], "--stop-at-first") == 0) {
            options.stop_at_first = true;
            continue;
        }
        if (strcmp(argv[i], "--selftest") == 0) {
            options.selftest = true;
            continue;
        }
        if (value == NULL)
            usage();
        if (strcmp(argv[i], "--seeds") == 0)
            options.seeds = atol(value);
        else if (strcmp(argv[i], "--first-seed") == 0)
            options.first_seed = atol(value);
        else if (strcmp(argv[i], "--ops") == 0)
            options.ops = atol(value);
        else if (strcmp(argv[i], "--store") == 0 && strcmp(value, "sqlite") == 0)
            options.sqlite = true;
        else if (strcmp(argv[i], "--documents") == 0)
            options.documents = value;
        else if (strcmp(argv[i], "--store") != 0 || strcmp(value, "memory") != 0)
            usage();
        i++;
    }
    return options;
}

static void
print_rare(const struct m_tally *rare)
{
    static const char *const repaid[m_repaid_count] = {
        [M_MADE_ACTIVE] = "a lot made active", [M_ACTIVATED] = "a lot that activated",
        [M_GIVEN_BACK] = "points given back",  [M_HOLD_ENDED] = "a hold that ended",
        [M_HOLD_GIVEN_UP] = "a hold given up",
    };

    printf("debts repaid by\n");
    for (int i = 0; i < m_repaid_count; i++)
        printf("  %-22s %ld\n", repaid[i], rare->repaid[i]);
    printf("with a debt, points that died at once: let go by a hold %ld, given back %ld\n",
           rare->let_go_dead, rare->back_dead);
    printf("returns where another rule stood in: %ld, of them nothing taken back %ld\n",
           rare->stood_in, rare->stood_in_full);
}

/* Did each rare thing come about? Asked of a long run: a load that never does it proves nothing. */
static bool
met_all(const struct m_tally *rare)
{
    bool all = rare->let_go_dead > 0 && rare->back_dead > 0 && rare->stood_in > 0 &&
               rare->stood_in_full > 0;

    for (int i = 0; i < m_repaid_count; i++)
        all = all && rare->repaid[i] > 0;
    if (!all)
        printf("some of these never came about: the load is too tame\n");
    return all;
}

static void
print_totals(const struct totals *totals, double seconds)
{
    printf("%ld operations in %.1f s: %ld repeated, %ld with another body\n", totals->ops, seconds,
           totals->repeats, totals->mixed_up);
    for (int i = 0; i < outcome_count; i++)
        if (totals->outcome[i] > 0)
            printf("  %-22s %ld\n", outcome_name((enum outcome)i), totals->outcome[i]);
    print_rare(&totals->rare);
}

int
main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    struct totals totals = { 0 };
    struct timespec from, until;
    long passed = 0, failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    failed = selftest(&passed);
    if (options.selftest || failed > 0) { /* who cannot count by hand audits nobody */
        printf("%ld passed, %ld failed\n", passed, failed);
        return failed == 0 ? 0 : 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (long s = 0; s < options.seeds; s++) {
        if (run_seed(&options, (uint64_t)(options.first_seed + s), &totals))
            passed++;
        else
            failed++;
        if (failed > 0 && (options.stop_at_first || failed == 10))
            break;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    print_totals(&totals, (double)(until.tv_sec - from.tv_sec) +
                              (double)(until.tv_nsec - from.tv_nsec) / 1e9);
    if (failed == 0 && options.seeds >= 50 && options.ops >= 5000 && !met_all(&totals.rare))
        failed++;
    printf("%ld passed, %ld failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
