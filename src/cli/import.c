/*
 * import.c - members, cards and receipts from a table, by the same calls that tills make.
 *
 * Owns:      the command `import`; which call a row becomes and which one follows it; making room
 *            for a server that works on the same book.
 * Must not:  read cells (service/import_row.h does) or decide.
 * Invariant: each row is accepted, or stands among the refused with the reason; the same file again
 *            changes nothing.
 * Tests:     tests/stories/import
 */
#include "cli/import.h"

#include "base/json_tree.h"
#include "service/pump.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    window = 256,
    slice_ms = 20,      /* work, when a server has the book open as well */
    pause_ms = 30,      /* and then let it work */
    receipt_block_bytes = 16 * 1024,
    receipt_bytes_max = 64 << 20,
};

/* What a call in flight is about. Its text lies in the slot's arena, or in the follow-up's. */
enum stage { STAGE_ENROL, STAGE_BALANCE, STAGE_FIND, STAGE_CARD, STAGE_RECEIPT };
struct sent {
    enum stage stage;
    uint32_t row_count;
    uint64_t row;          /* the first */
    struct text *original; /* of each row */
    struct import_member member;
    uint32_t balance; /* which one is next */
    struct text member_id;
    struct import_card card;
};

/* A call that can be made once another was answered. */
struct follow {
    struct follow *next;
    struct arena arena;
    struct sent sent;
};

struct import {
    const struct import_options *options;
    const struct import_table *table;
    struct refused_rows *refused;
    struct csv *csv;
    struct pump *pump;
    struct follow *first, **last;
    uint64_t rows, accepted;
    struct progress progress;
    char label[32]; /* what it says: a file's bytes are counted, not its rows */
    bool shared; /* another program has the book open */
    int64_t slice_began_ms;
    /* The receipt whose rows are being gathered. */
    struct arena receipt_arena;
    struct import_receipt receipt;
    uint64_t receipt_row;
    uint32_t original_count, original_cap;
    struct text *original;
};

/* ---- refusing ---- */

static void
refuse_sent(struct import *import, const struct sent *sent, struct text outcome,
            struct text pointer, struct text sentence)
{
    for (uint32_t i = 0; i < sent->row_count; i++)
        refused_put(import->refused, import->csv, sent->original[i], sent->row + i, outcome,
                    pointer, sentence);
}

static void
refuse_early(struct import *import, const struct sent *sent, const struct refusal *refusal,
             struct arena *arena)
{
    struct text title = text_of(outcome_sentence(refusal->outcome, import->options->russian));

    refuse_sent(import, sent, text_of(outcome_name(refusal->outcome)), refusal->pointer,
                refused_sentence(title, refusal->detail, arena));
}

static struct text
member_of(const struct json_node *node, const char *name)
{
    const struct json_node *found = node ? json_member(node, text_of(name)) : NULL;

    return found ? found->value : (struct text){ 0 };
}

/* A problem+json answer: its outcome, pointer and sentence. */
static void
refuse_answer(struct import *import, const struct sent *sent, struct pump_call *slot)
{
    struct text pointer;
    struct json_node *node = NULL;
    struct buf column;
    struct err err;

    if (json_tree_parse(&slot->arena, slot->call.answer, &node, &err))
        node = NULL;
    pointer = member_of(node, "pointer");
    if (sent->stage == STAGE_BALANCE) { /* the file's own name for it */
        buf_init(&column, &slot->arena, 64);
        buf_add_text(&column, TEXT("/balance."));
        buf_add_text(&column, sent->member.balance[sent->balance].currency);
        pointer = buf_text(&column);
    }
    refuse_sent(
        import, sent, text_of(outcome_name(slot->call.outcome)), pointer,
        refused_sentence(member_of(node, "title"), member_of(node, "detail"), &slot->arena));
}

/* ---- calls ---- */

static struct text *
copy_originals(const struct text *from, uint32_t count, struct arena *arena)
{
    struct text *copy = arena_array(arena, struct text, count);

    for (uint32_t i = 0; copy && i < count; i++)
        copy[i] = text_copy(arena, from[i]);
    return copy;
}

/* All of `from` into an arena that lives longer. */
static void
copy_sent(struct sent *to, const struct sent *from, struct arena *arena)
{
    *to = *from;
    to->original = copy_originals(from->original, from->row_count, arena);
    to->row_count = to->original ? from->row_count : 0;
    to->member_id = text_copy(arena, from->member_id);
    to->member.identity = text_copy(arena, from->member.identity);
    to->member.balance_at = text_copy(arena, from->member.balance_at);
    for (uint32_t i = 0; i < from->member.balance_count; i++)
        to->member.balance[i].points = text_copy(arena, from->member.balance[i].points);
    to->card.number = text_copy(arena, from->card.number);
    to->card.member = text_copy(arena, from->card.member);
    to->card.phone = text_copy(arena, from->card.phone);
    to->card.state = text_copy(arena, from->card.state);
}

static void
send(struct import *import, struct pump_call *slot, struct sent *sent)
{
    static const enum route_name routes[] = {
        [STAGE_ENROL] = CALL_ENROL, [STAGE_BALANCE] = CALL_OPENING, [STAGE_FIND] = CALL_FIND,
        [STAGE_CARD] = CALL_CARD,   [STAGE_RECEIPT] = CALL_COMMIT,
    };
    struct call *call = &slot->call;

    slot->tag = (uint64_t)(uintptr_t)sent;
    call->route = routes[sent->stage];
    call->priority = PRIORITY_LOW;
    call->russian = import->options->russian;
    if (sent->stage == STAGE_ENROL) {
        call->body = sent->member.body;
        call->idempotency_key = sent->member.key;
        call->now = sent->member.enrolled_at;
    } else if (sent->stage == STAGE_BALANCE) {
        call->now = sent->member.opened_at;
        import_balance_body(import->table, &sent->member, sent->balance, sent->member_id,
                            &slot->arena, &call->body, &call->idempotency_key);
    } else if (sent->stage == STAGE_FIND) {
        call->body = import_find_body(import->table, sent->card.phone, &slot->arena);
    } else if (sent->stage == STAGE_CARD) {
        call->body = import_card_body(import->table, &sent->card, &slot->arena);
    }
    pump_send(import->pump, slot);
}

/* Queue a call that follows the answered one. */
static void
follow(struct import *import, const struct sent *sent)
{
    struct follow *made = calloc(1, sizeof(*made));

    if (!made)
        abort();
    arena_init_heap(&made->arena);
    copy_sent(&made->sent, sent, &made->arena);
    *import->last = made;
    import->last = &made->next;
}

static void
send_follow_ups(struct import *import)
{
    while (import->first) {
        struct follow *made = import->first;
        struct pump_call *slot = pump_slot(import->pump); /* may answer, and so add to the queue */
        struct sent *sent = arena_new(&slot->arena, struct sent);
        if (!sent)
            abort();
        copy_sent(sent, &made->sent, &slot->arena);
        import->first = made->next;
        if (!import->first)
            import->last = &import->first;
        arena_release(&made->arena);
        free(made);
        send(import, slot, sent);
    }
}

static void
answered(void *context, struct pump_call *slot)
{
    struct import *import = context;
    struct sent *sent = (struct sent *)(uintptr_t)slot->tag;
    struct json_node *node = NULL;
    struct err err;

    if (slot->call.status != 200) {
        refuse_answer(import, sent, slot);
        return;
    }
    bool tells_member = sent->stage == STAGE_ENROL || sent->stage == STAGE_FIND;
    if (tells_member && json_tree_parse(&slot->arena, slot->call.answer, &node, &err))
        node = NULL;
    if (sent->stage == STAGE_ENROL) {
        sent->member_id = member_of(node, "member");
        sent->stage = STAGE_BALANCE;
    } else if (sent->stage == STAGE_BALANCE) {
        sent->balance++;
    } else if (sent->stage == STAGE_FIND) {
        sent->card.member = member_of(node, "member");
        sent->stage = STAGE_CARD;
        follow(import, sent);
        return;
    }
    if (sent->stage == STAGE_BALANCE && sent->balance < sent->member.balance_count)
        follow(import, sent);
    else
        import->accepted += sent->row_count;
}

/* ---- rows ---- */

static struct sent *
begin_sent(struct import *import, struct pump_call *slot, bool broken)
{
    struct sent *sent = arena_new(&slot->arena, struct sent);

    if (!sent || !(sent->original = arena_new(&slot->arena, struct text)))
        abort(); /* the first bytes of a fresh arena */
    sent->row = csv_row(import->csv);
    sent->row_count = 1;
    sent->original[0] = refused_original(import->csv, broken, &slot->arena);
    return sent;
}

static void
send_member(struct import *import)
{
    struct pump_call *slot = pump_slot(import->pump);
    struct sent *sent = begin_sent(import, slot, false);
    struct refusal refusal;

    sent->stage = STAGE_ENROL;
    if (import_member_read(import->table, &slot->arena, &sent->member, &refusal)) {
        send(import, slot, sent);
        return;
    }
    refuse_early(import, sent, &refusal, &slot->arena);
    pump_release(import->pump, slot);
}

static void
send_card(struct import *import)
{
    struct pump_call *slot = pump_slot(import->pump);
    struct sent *sent = begin_sent(import, slot, false);

    import_card_read(import->table, &slot->arena, &sent->card);
    sent->stage = sent->card.phone.len && !sent->card.member.len ? STAGE_FIND : STAGE_CARD;
    send(import, slot, sent);
}

static void
refuse_broken(struct import *import)
{
    struct pump_call *slot = pump_slot(import->pump);
    struct refusal refusal = { .outcome = OUTCOME_FIELD_FORMAT,
                               .detail = text_of(csv_problem(import->csv)) };

    refuse_early(import, begin_sent(import, slot, true), &refusal, &slot->arena);
    pump_release(import->pump, slot);
}

/* The receipt that was gathered, as one call. */
static void
send_receipt(struct import *import)
{
    struct pump_call *slot;
    struct sent *sent;
    unix_ms at;

    if (!import->receipt.arena)
        return;
    slot = pump_slot(import->pump);
    sent = arena_new(&slot->arena, struct sent);
    if (!sent)
        abort();
    sent->stage = STAGE_RECEIPT;
    sent->row = import->receipt_row;
    sent->original = copy_originals(import->original, import->original_count, &slot->arena);
    sent->row_count = sent->original ? import->original_count : 0;
    import->receipt.arena = NULL;
    if (import->receipt.refusal.outcome != OUTCOME_DONE) {
        refuse_early(import, sent, &import->receipt.refusal, &slot->arena);
        pump_release(import->pump, slot);
        return;
    }
    slot->call.body = import_receipt_body(import->table, &import->receipt, &slot->arena, &at);
    if (import->options->history)
        slot->call.now = at;
    send(import, slot, sent);
}

static void
gather_receipt(struct import *import)
{
    if (!import_receipt_goes_on(import->table, &import->receipt)) {
        send_receipt(import);
        import_receipt_begin(import->table, &import->receipt, &import->receipt_arena);
        import->receipt_row = csv_row(import->csv);
        import->original_count = 0;
    }
    if (import->original_count == import->original_cap) {
        import->original_cap = import->original_cap ? 2 * import->original_cap : 64;
        import->original = realloc(import->original,
                                   import->original_cap * sizeof(*import->original));
        if (!import->original)
            abort();
    }
    import->original[import->original_count++] = refused_original(import->csv, false,
                                                                  &import->receipt_arena);
    import_receipt_add(import->table, &import->receipt);
}

/* ---- making room for others ---- */

static int64_t
milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Has another program the book open? SQLite's connections of a process hold a lock on byte 128 of
 * the file beside the log ("deadman switch" of its file format). To be asked before the book is
 * opened here: closing the file would drop this process's own locks.
 */
static bool
is_shared(const char *db)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 128, .l_len = 1 };
    char path[1024];

    snprintf(path, sizeof(path), "%s-shm", db);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return false;
    bool shared = fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(file);
    return shared;
}

/* Beside a server: work for a slice, then answer everything and leave the book for a while. */
static void
give_way(struct import *import)
{
    const struct timespec pause = { .tv_nsec = pause_ms * 1000000L };

    if (!import->shared || milliseconds() - import->slice_began_ms < slice_ms)
        return;
    pump_drain(import->pump);
    nanosleep(&pause, NULL);
    import->slice_began_ms = milliseconds();
}

/* ---- the whole ---- */

static void
import_rows(struct import *import)
{
    enum csv_result result;

    import->slice_began_ms = milliseconds();
    while ((result = csv_next(import->csv)) != CSV_END) {
        import->rows++;
        if (result == CSV_BROKEN)
            refuse_broken(import);
        else if (import->table->kind == IMPORT_MEMBERS)
            send_member(import);
        else if (import->table->kind == IMPORT_CARDS)
            send_card(import);
        else
            gather_receipt(import);
        send_follow_ups(import);
        give_way(import);
        progress_step(&import->progress, csv_bytes_read(import->csv));
    }
    send_receipt(import);
    pump_drain(import->pump);
    while (import->first) { /* an answer may ask for one more call */
        send_follow_ups(import);
        pump_drain(import->pump);
    }
}

static int
finish(struct import *import)
{
    struct err err;

    progress_end(&import->progress, csv_bytes_total(import->csv));
    uint64_t count = import->refused->count;
    if (refused_close(import->refused, &err))
        return complain(&err);
    printf("%s: %llu rows, %llu accepted, %llu refused\n", import->options->what,
           (unsigned long long)import->rows, (unsigned long long)import->accepted,
           (unsigned long long)count);
    return count ? 1 : 0;
}

static int
import_online(struct book *book, struct import_options *options, struct refused_rows *refused,
              bool shared)
{
    struct import import = {
        .options = options,
        .table = &options->table,
        .refused = refused,
        .shared = shared,
    };
    struct err err;
    int status;

    import.last = &import.first;
    if (csv_open(options->path, &import.csv, &err))
        return complain(&err);
    if (import_check_programme(book, options, &err) ||
        import_table_open(&options->table, import.csv, options->ignore, &err) ||
        pump_open(book->service, book->tenant, window, answered, &import, &import.pump, &err)) {
        csv_close(import.csv);
        return complain(&err);
    }
    arena_init_heap(&import.receipt_arena);
    snprintf(import.label, sizeof(import.label), "%s (bytes)", options->what);
    progress_begin(&import.progress, import.label, csv_bytes_total(import.csv));
    import_rows(&import);
    status = finish(&import);
    pump_close(import.pump);
    arena_release(&import.receipt_arena);
    free(import.original);
    csv_close(import.csv);
    return status;
}

enum code
import_check_programme(const struct book *book, const struct import_options *options,
                       struct err *err)
{
    struct text programme = options->table.programme, answer;
    struct arena arena;

    arena_init_heap(&arena);
    int status = book_call(book, CALL_PROGRAMME, programme.ptr, (struct text){ 0 }, NULL, &arena,
                           &answer);
    arena_release(&arena);
    if (status == 200)
        return OK;
    return err_set(err, CODE_NOT_FOUND, "the book has no programme '%s': publish it first",
                   programme.ptr);
}

static const struct option options[] = {
    BOOK_OPTIONS,
    { "programme", "CODE", "the programme that they belong to" },
    { "refused", "FILE", "write the rows that were refused, with the reasons, as CSV" },
    { "offline", NULL, "members only: into a book without members and without a server, fast" },
    { "history", NULL, "receipts only: book each as of its own time (oldest first)" },
    { "offset", "+HH:MM", "of times in the file that have none, such as +03:00" },
    { "ignore", "LIST", "columns that mean nothing here, with commas between them" },
    { "russian", NULL, "sentences of refusals in Russian" },
    { 0 },
};

static bool
is_offset(const char *text)
{
    return strlen(text) == 6 && (text[0] == '+' || text[0] == '-') && text[3] == ':';
}

/* What the words and options ask for; 2 with a sentence when they make no sense. */
static int
read_options(const struct arguments *arguments, struct import_options *out)
{
    static const char *const kinds[] = { "members", "cards", "receipts" };
    const char *programme = argument(arguments, "programme", NULL);
    const char *offset = argument(arguments, "offset", NULL);
    struct host clock = host_system();
    int kind = 0;

    while (kind < 3 && strcmp(arguments->word[0], kinds[kind]) != 0)
        kind++;
    const char *wrong = kind == 3                      ? "import knows members, cards and receipts"
                        : !programme                   ? "import needs --programme CODE"
                        : offset && !is_offset(offset) ? "--offset takes hours and minutes: +03:00"
                        : argument_given(arguments, "offline") && kind != IMPORT_MEMBERS
                            ? "--offline is for members; cards and receipts come after them"
                        : argument_given(arguments, "history") && kind != IMPORT_RECEIPTS
                            ? "--history is for receipts"
                            : NULL;
    if (wrong) {
        fprintf(stderr, "kopilka: %s\n", wrong);
        return 2;
    }
    *out = (struct import_options){
        .table = { .kind = (enum import_kind)kind,
                   .programme = text_of(programme),
                   .offset = text_of(offset),
                   .now = clock.now(clock.context) },
        .ignore = text_of(argument(arguments, "ignore", NULL)),
        .path = arguments->word[1],
        .what = kinds[kind],
        .history = argument_given(arguments, "history"),
        .russian = argument_given(arguments, "russian"),
    };
    return 0;
}

static int
run(const struct arguments *arguments)
{
    struct book_wish wish = { 0 };
    struct import_options import;
    struct refused_rows refused;
    struct book book;
    struct err err;

    int status = read_options(arguments, &import);
    if (status)
        return status;
    if (refused_open(&refused, argument(arguments, "refused", NULL), import.path, &err))
        return complain(&err);
    if (argument_given(arguments, "offline"))
        return import_offline(arguments, &import, &refused);
    bool shared = is_shared(argument(arguments, "db", "kopilka.db"));
    if (book_open(arguments, &wish, &book, &err))
        return complain(&err);
    status = import_online(&book, &import, &refused, shared);
    book_close(&book);
    return status;
}

static const char help[] =
    "FILE is a table with a header: CSV with commas, semicolons or tabs, UTF-8 or Windows-1251,\n"
    "plain or gzipped. An empty cell is a field that is not given. Amounts have a point (12.50),\n"
    "dates are 1990-12-31 or 31.12.1990, times 2026-02-28T12:00:00+03:00, flags yes or no. An\n"
    "unknown column stops the import before anything is changed; --ignore passes it over.\n"
    "Examples: docs/examples/members.csv, cards.csv, receipts.csv.\n"
    "\n"
    "members   external_id, surname, name, patronymic, birthday, sex, town, phone, email,\n"
    "          card (several: A|B), consent, enrolled_at, balance.CURRENCY, balance_at\n"
    "          Each row enrols a member and brings its balances in. What the programme demands\n"
    "          of a member (age, fields) is demanded here too. enrolled_at: since when one is\n"
    "          a member. balance_at: since when the balance counts as earned, for its expiry.\n"
    "          Without them, from now.\n"
    "cards     number, and member or phone (whose card it is; neither: a card to be given out),\n"
    "          state (active, blocked)\n"
    "receipts  one line of a receipt a row; rows that follow one another with the same outlet,\n"
    "          till, period and number are one receipt. These four and occurred_at are needed.\n"
    "          Of the receipt: card, phone or member, mode (fact: booked as it was, refused by\n"
    "          no rule), channel, region, tender, codes (A|B), confirmed, for_business,\n"
    "          redeem.CURRENCY. Of the line: article, quantity, price, amount, category, brand,\n"
    "          tags (A|B), discounted, service.\n"
    "          With --history a receipt is booked as of its own time: points activate and\n"
    "          expire between the receipts as they would have then. Its member must have been\n"
    "          one by then (enrolled_at), for an owner's time never runs back.\n"
    "\n"
    "Each row is accepted or refused by itself. With --refused FILE the refused rows are written\n"
    "down with four columns more: row, outcome, pointer (which field), sentence. Put them right\n"
    "and import that file. Saying it twice is safe: a member is known by external_id, else card,\n"
    "phone or e-mail, a receipt by its key, and what is there already is not made again. A row\n"
    "that has changed since is refused (KEY_REUSED), not merged.\n"
    "\n"
    "A server may run meanwhile: the import then works in slices of 20 ms with pauses between\n"
    "them. --offline is for the first filling of a book:\n"
    "the programme is published, nobody is enrolled, no server runs. It makes the same book many\n"
    "times faster; if it is cut short, the book must be made anew.\n"
    "\n"
    "Exit status: 0 everything accepted, 1 some rows refused or a failure, 2 a wrong command.\n"
    "\n"
    "  kopilka import members docs/examples/members.csv --programme awn --refused refused.csv";

const struct command command_import = {
    .name = "import",
    .words = "members|cards|receipts FILE --programme CODE",
    .words_min = 2,
    .words_max = 2,
    .summary = "bring members, cards or receipts in from a table (CSV)",
    .help = help,
    .option = options,
    .run = run,
};
