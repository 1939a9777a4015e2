/*
 * model.h - the naive second implementation that the simulation holds the server against.
 *
 * Owns:      what a programme means, written again from docs/semantics.md alone: plain arrays,
 *            linear scans, __int128, malloc; programmes are C structs written by hand.
 * Must not:  share a line with src/engine, src/ledger or src/flow, or be clever.
 * Invariant: only core/outcome.h of the server is included, for the names of refusals.
 */
#ifndef KOP_TESTS_SIM_MODEL_H
#define KOP_TESTS_SIM_MODEL_H

#include "core/outcome.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    m_lines_max = 8,
    m_currencies_max = 2,
    m_counters_max = 3,
    m_ladders_max = 2,
    m_levels_max = 4,
    m_rules_max = 20,
    m_children_max = 8,
    m_redeems_max = 2,
    m_payments_max = 3,
    m_holds_max = 64,
    m_skew_ms = 5 * 60000, /* a till's clock may run ahead by so much */
};

#define M_DAY   INT64_C(86400000)
#define M_HOUR  INT64_C(3600000)
#define M_NEVER INT64_MAX

/* ---- numbers, days and zones (model_number.c) ---- */

typedef __int128 m_wide;

enum m_rounding { M_HALF_UP, M_HALF_EVEN, M_HALF_DOWN, M_DOWN, M_UP };
enum m_spreading { M_LARGEST_REMAINDER, M_FLOOR_FIRST, M_LAST_REST };

int64_t m_pow10(int digits);
/* num / den, rounded to a multiple of `quantum`. num >= 0. */
int64_t m_round(m_wide num, m_wide den, int64_t quantum, enum m_rounding mode);
int64_t m_floor_share(int64_t amount, int64_t part, int64_t whole); /* floor(a * p / w) */
int64_t m_ceil_share(int64_t amount, int64_t part, int64_t whole);
/* Spread `total` by `weight` within `capacity` (NULL: unlimited). Returns what could not be
 * given. */
int64_t m_spread(enum m_spreading how, int64_t total, const int64_t *weight,
                 const int64_t *capacity, int count, int64_t *result);

enum m_zone { M_UTC, M_MOSCOW, M_LONDON, M_CAIRO, M_NEW_YORK };
enum m_calendar { M_EVER, M_PER_DAY, M_WEEK, M_MONTH, M_QUARTER, M_HALF_YEAR, M_YEAR };
struct m_period {
    int months, days;
    int64_t ms;
};

int64_t m_date(int year, int month, int day); /* days since 1970-01-01 */
void m_civil(int64_t day, int *year, int *month, int *day_of_month);
int64_t m_offset(enum m_zone zone, int64_t at);
int64_t m_local_day(enum m_zone zone, int64_t at);
int64_t m_local_ms(enum m_zone zone, int64_t at);
int64_t m_midnight(enum m_zone zone, int64_t day);
int64_t m_add_date(int64_t day, struct m_period period);
int64_t m_add_period(enum m_zone zone, int64_t at, struct m_period period);
int64_t m_period_number(enum m_calendar kind, int64_t day);
int64_t m_period_first_day(enum m_calendar kind, int64_t number);

/* ---- what happens ---- */

struct m_line {
    const char *article, *category, *brand, *tag; /* "" : none */
    bool service, discounted, express;
    int64_t quantity; /* thousandths */
    int64_t price;    /* millionths */
    bool has_gross;
    int64_t gross;
    int64_t minimum_price; /* millionths; 0: none */
    int64_t floor;
};

struct m_redeem {
    int currency; /* position */
    bool max;
    int64_t points;
};
struct m_payment {
    bool purse; /* else a certificate */
    int64_t money;
};

struct m_event {
    const char *kind; /* "purchase" or another */
    const char *outlet, *till, *channel, *region, *tender, *bin, *code;
    int64_t period;
    char number[24];
    int64_t occurred_at;
    bool for_business, confirmed;
    int64_t steps; /* own attribute, scale 6; negative: not given */
    int line_count;
    struct m_line line[m_lines_max];
    int redeem_count;
    struct m_redeem redeem[m_redeems_max];
    int payment_count;
    struct m_payment payment[m_payments_max];
};

struct m_view {
    bool known;
    int level[m_ladders_max]; /* 0: none, else from 1 */
    int64_t counter[m_counters_max];
    int64_t available[m_currencies_max];
    int64_t enrolled_at;
};

struct m_part {
    int64_t gross, discount, rounding, points, certificate, purse, money;
};
struct m_earning {
    int rule, currency;
    int64_t points;
    int64_t share[m_lines_max];
};
struct m_redemption {
    int currency;
    int64_t points, money;
    int64_t line_points[m_lines_max], line_money[m_lines_max];
};
struct m_decision {
    enum outcome outcome;
    int64_t limit; /* of a refusal that has one */
    int line_count;
    struct m_part line[m_lines_max], total;
    int64_t given[m_rules_max][m_lines_max]; /* discounts: by rule and line */
    int earning_count;
    struct m_earning earning[m_rules_max];
    int redemption_count;
    struct m_redemption redemption[m_redeems_max];
    int64_t counter_add[m_counters_max];
};

/* ---- programmes ---- */

struct m_programme;

/* What a condition may look at. */
struct m_look {
    const struct m_programme *programme;
    const struct m_event *event;
    const struct m_view *view;
    int64_t base, after_lines, net, money, certificate;
    int64_t line_net[m_lines_max]; /* after the steps so far */
    bool discounted[m_lines_max];
};
typedef bool m_when(const struct m_look *look);
typedef bool m_lines(const struct m_look *look, int line);

enum m_scope { M_LINE, M_RECEIPT, M_EARN };
enum m_kind { M_PERCENT, M_AMOUNT, M_FIXED_PRICE, M_PER_AMOUNT, M_FIXED };
enum m_per { M_PER_DEFAULT, M_PER_LINE, M_PER_PIECE, M_PER_RECEIPT };
enum m_base { M_OF_MONEY, M_OF_NET, M_OF_GROSS };

struct m_rule {
    const char *code;
    const char *on; /* NULL: purchase */
    enum m_scope scope;
    int priority;
    int64_t valid_from, valid_until; /* 0, 0: always */
    m_when *when;                    /* NULL: always */
    m_lines *lines;                  /* NULL: all */
    enum m_kind kind;
    int64_t value; /* per cent: millionths; amounts: steps of money or points */
    enum m_per per;
    bool has_rounding;
    enum m_rounding rounding; /* of an earning: M_DOWN unless has_rounding */
    int64_t quantum;          /* 0: the programme's, or one step of points */
    int currency;             /* of an earning */
    int64_t points;           /* PER_AMOUNT: `points` for each `value` of money */
    enum m_base of;
};

enum m_operator { M_MAX, M_MIN, M_SUM, M_MULTIPLY, M_FIRST };
struct m_node {
    int rule; /* position, or -1: a group */
    const char *code;
    int priority;
    enum m_operator operator;
    int count;
    const struct m_node *child[m_children_max];
};

enum m_expiry { M_EXPIRY_NONE, M_EXPIRY_PERIOD, M_EXPIRY_PERIOD_END };
struct m_currency {
    const char *code;
    int scale;
    int64_t worth_e6; /* money of one whole point, millionths; 0: not money */
    bool has_pending;
    struct m_period pending;
    enum m_expiry expiry;
    struct m_period expiry_period;
    enum m_calendar expiry_round;
    int expiry_following;
    bool debt_refused;
    int grace_days;
    /* Paying with it. */
    bool may_pay;
    int64_t max_percent; /* millionths of a per cent */
    m_lines *pays_for;
    int64_t money_min, step;
    bool confirm;
};

enum m_source { M_SUM_GROSS, M_SUM_NET, M_SUM_MONEY, M_COUNT };
struct m_counter {
    const char *code;
    enum m_source source;
    enum m_calendar period;
    int rolling_days; /* > 0: rolling */
};
struct m_ladder {
    const char *code;
    int counter;
    bool downgrade;
    int level_count;
    const char *level[m_levels_max];
    int64_t from[m_levels_max];
};

struct m_programme {
    const char *id, *file;
    enum m_zone zone;
    int money_scale;
    int currency_count;
    struct m_currency currency[m_currencies_max];
    int counter_count;
    struct m_counter counter[m_counters_max];
    int ladder_count;
    struct m_ladder ladder[m_ladders_max];
    int rule_count;
    struct m_rule rule[m_rules_max];
    const struct m_node *line_tree, *receipt_tree, *earn_tree;
    enum m_rounding rounding;
    int64_t quantum;
    enum m_spreading spreading;
    int64_t receipt_quantum; /* 0: none */
    bool trace;              /* returns by trace, else by requote */
    int return_days;         /* 0: no limit */
    int64_t hold_ms, quote_ms;
    int late_days;
    /* What the workload may send. */
    const char *event_kind; /* NULL: purchases only */
    int price_unit;         /* typical price of a piece, whole money */
    bool has_steps;         /* event.steps is declared */
    bool has_express;       /* line.express is declared */
};

enum { m_programme_count = 5 };
const struct m_programme *m_programme(int number);
/* The same programme a version later: the struct, and how its document differs. */
struct m_edit {
    const char *from, *to;
};
void m_second_edition(int number, struct m_programme *out, const struct m_edit **edits);
/* The worked example of SYSTEMS: 3 / 4 / 5 % by level, half may be paid with bonuses. */
const struct m_programme *m_programme_awn(void);

/* ---- deciding (model_decide.c) ---- */

enum m_mode { M_ORDINARY, M_FACT };

/* gross and floor of every line. */
void m_normalise(const struct m_programme *programme, struct m_event *event);
void m_decide(const struct m_programme *programme, const struct m_event *event,
              const struct m_view *view, enum m_mode mode, struct m_decision *out);
/* Steps 1-3 and 8-9 with certificates, points and purse fixed by line (`kept`: those three). */
void m_requote(const struct m_programme *programme, const struct m_event *event,
               const struct m_view *view, const struct m_part *kept, struct m_decision *out);
/* Steps 8-9 alone, the rest of `decision` stands. */
void m_earn_again(const struct m_programme *programme, const struct m_event *event,
                  const struct m_view *view, struct m_decision *decision);
/* Money worth of points; -1 when it is not whole. */
int64_t m_worth(const struct m_programme *programme, int currency, int64_t points);

/* ---- keeping books (model.c) ---- */

struct m_lot {
    int currency;
    bool pending, graced;
    bool regiven; /* taken back from it came again: it may hold more than it was made with */
    int64_t size, left, held;
    int64_t active_from, expires_at, made_expires_at;
};
struct m_take {
    int lot;
    int64_t points;
    bool graced; /* the lot as it was then: so it is made again when it is closed */
    int64_t expires_at;
};
struct m_hold {
    int reserve;
    int64_t ends_at;
    int take_count;
    struct m_take *take;
};
struct m_count {
    int counter;
    int64_t bucket, value;
};

/* What made points available that repaid a debt; also: dead when they were let go. */
enum m_repaid {
    M_MADE_ACTIVE,
    M_ACTIVATED,
    M_GIVEN_BACK,
    M_HOLD_ENDED,
    M_HOLD_GIVEN_UP,
    m_repaid_count
};

/* How often what is rare came about: a load that never does it proves nothing. */
struct m_tally {
    long repaid[m_repaid_count];
    long let_go_dead;   /* a hold let points go that died with it, and a debt stood */
    long back_dead;     /* points given back died at once, and a debt stood */
    long stood_in;      /* another rule gave what one had lost: less was taken than rules lost */
    long stood_in_full; /* nothing at all was taken, though a rule lost */
};

struct m_member {
    int64_t enrolled_at;
    struct m_tally tally;
    int lot_count, lot_cap;
    struct m_lot *lot; /* for ever, in order of making */
    int hold_count;
    struct m_hold hold[m_holds_max];
    int count_count, count_cap;
    struct m_count *count;
    int level[m_ladders_max];
    int64_t debt[m_currencies_max];
};

struct m_balance {
    int64_t active, pending, held, debt;
};

/* What one return gave and took. */
struct m_returned {
    int64_t refund, certificate, purse, shortfall;
    int64_t restored[m_currencies_max];
    int64_t revoked[m_rules_max]; /* by earning; negative: given again */
    int64_t debt[m_rules_max];
};

struct m_receipt {
    int member;                          /* -1: nobody's */
    const struct m_programme *programme; /* the version it was decided by */
    struct m_event event;
    struct m_view view;
    struct m_decision decision;
    int64_t uncovered;
    int take_count;
    struct m_take *take;
    int lot[m_rules_max]; /* of each earning */
    /* Returned so far. */
    int64_t quantity[m_lines_max];
    int64_t refunded, certificate, purse, shortfall;
    int64_t *restored;            /* by take */
    int64_t revoked[m_rules_max]; /* by earning */
    int64_t counter_sub[m_counters_max];
    bool any_return;
};

enum m_reserve_state { M_LIVE, M_USED, M_CANCELLED };
struct m_reserve {
    int member;
    const struct m_programme *programme;
    struct m_event event;
    struct m_view view;
    struct m_decision decision;
    enum m_reserve_state state;
    int64_t valid_until;
};

struct model {
    const struct m_programme *edition[2]; /* versions of the programme; the second may be NULL */
    int64_t second_from;
    const struct m_programme *programme; /* that the operation at hand goes by */
    int member_count, member_cap;
    struct m_member *member;
    int receipt_count, receipt_cap;
    struct m_receipt *receipt;
    int reserve_count, reserve_cap;
    struct m_reserve *reserve;
};

void model_init(struct model *model, const struct m_programme *programme);
void model_release(struct model *model);
/* From `from` on another version is in force. */
void model_publish(struct model *model, const struct m_programme *second, int64_t from);
const struct m_programme *model_in_force(const struct model *model, int64_t at);

/* A new member; its number. */
int model_enrol(struct model *model, int64_t now);
void model_settle(struct model *model, int member, int64_t now);
void model_balance(const struct model *model, int member, int currency, struct m_balance *out);
/* Value of a counter now. */
int64_t model_counter(const struct model *model, int member, int counter, int64_t now);
/* What the engine may know of a member who is settled to now. */
void model_view(const struct model *model, int member, int64_t now, struct m_view *view);
/* Open lots of a member in the order in which they are spent; their number. */
int model_open_lots(const struct model *model, int member, int *lots, int cap);

/* What a commit would decide now, by the same words. */
void model_would(struct model *model, int member, const struct m_event *event, enum m_mode mode,
                 int64_t now, struct m_decision *out);
/* member -1: nobody. What a quote decides; writes nothing. `out->outcome` tells. */
void model_quote(struct model *model, int member, const struct m_event *event, enum m_mode mode,
                 int64_t now, struct m_decision *out);
/* DONE: `*receipt` is the new receipt's number. */
enum outcome model_commit(struct model *model, int member, const struct m_event *event,
                          enum m_mode mode, int64_t now, struct m_decision *out, int *receipt);
enum outcome model_reserve(struct model *model, int member, const struct m_event *event,
                           int64_t now, struct m_decision *out, int *reserve);
enum outcome model_commit_reserve(struct model *model, int member, int reserve,
                                  const struct m_event *key, int64_t now, struct m_decision *out,
                                  int *receipt);
enum outcome model_cancel(struct model *model, int reserve, int64_t now);
/* quantity NULL: everything that is left. */
enum outcome model_return(struct model *model, int receipt, const int64_t *quantity,
                          int64_t occurred_at, int64_t now, struct m_returned *out);
enum outcome model_opening(struct model *model, int member, int currency, int64_t points,
                           int64_t at, int64_t now);
enum outcome model_event(struct model *model, int member, const struct m_event *event, int64_t now,
                         struct m_decision *out);

#endif
