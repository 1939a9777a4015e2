/*
 * small.c - commands of a few lines: key, verify, daily, upgrade.
 *
 * Owns:      their options and what they print.
 * Tests:     tests/stories/
 */
#include "cli/cli.h"

#include "service/crypto.h"

static const struct option key_options[] = {
    BOOK_OPTIONS,
    { "scopes", "LIST", "of till, read, members, admin (default: till,read,members)" },
    { "outlet", "CODE", "only for this outlet" },
    { "till", "CODE", "only for this till" },
    { "revoke", "ID", "end a key instead: ID stands between kop_ and the next _" },
    { 0 },
};

static int
run_key(const struct arguments *arguments)
{
    const char *revoked = argument(arguments, "revoke", NULL);
    struct book_wish wish = { .create = !revoked };
    char token[key_token_bytes];
    struct book book;
    struct err err;

    if (book_open(arguments, &wish, &book, &err))
        return complain(&err);
    enum code rc =
        revoked ? service_revoke_key(book.service, book.tenant, text_of(revoked), &err)
                : service_new_key(book.service, book.tenant,
                                  argument(arguments, "scopes", "till,read,members"),
                                  argument(arguments, "outlet", ""),
                                  argument(arguments, "till", ""), token, &err);
    if (!rc)
        printf("%s\n", revoked ? revoked : token);
    book_close(&book);
    return rc ? complain(&err) : 0;
}

const struct command command_key = {
    .name = "key",
    .summary = "make an API key and print it once, or end one",
    .help = "Only a hash of it is kept. Servers that run already know it at once,\n"
            "and stop taking one that was revoked within a second or two.",
    .option = key_options,
    .run = run_key,
};

/* ---- verify ---- */

static const struct option book_options[] = { BOOK_OPTIONS, { 0 } };

static void
verify_progress(void *context, uint64_t done)
{
    progress_step(context, done);
}

static int
run_verify(const struct arguments *arguments)
{
    struct book_wish wish = { 0 };
    struct verify_result result;
    struct progress progress;
    char hash[2 * 32 + 1] = "";
    struct book book;
    struct err err;

    if (book_open(arguments, &wish, &book, &err))
        return complain(&err);
    progress_begin(&progress, "verify", 0);
    enum code rc = service_verify(book.service, verify_progress, &progress, &result, &err);
    book_close(&book);
    if (rc)
        return complain(&err);
    hex_encode(result.state_hash, sizeof(result.state_hash), hash);
    printf("owners %llu, movements %llu, faults %llu\nstate %s\n",
           (unsigned long long)result.owners, (unsigned long long)result.movements,
           (unsigned long long)result.faults, hash);
    if (result.faults == 0)
        return 0;
    printf("first fault: owner %llu, movement %u: %s\n", (unsigned long long)result.owner_id,
           result.movement_no, result.what);
    return 1;
}

const struct command command_verify = {
    .name = "verify",
    .summary = "check every owner: movements, lots, chains, rows",
    .help =
        "Exit status 0: the books are right. 1: the first fault is named by owner and movement.",
    .option = book_options,
    .run = run_verify,
};

/* ---- daily ---- */

static const struct option daily_options[] = {
    BOOK_OPTIONS,
    { "now", "TIME", "as if it were then (RFC 3339)" },
    { 0 },
};

static int
run_daily(const struct arguments *arguments)
{
    const char *written = argument(arguments, "now", NULL);
    struct host host = host_system();
    struct daily_result result;
    struct book_wish wish = { 0 };
    struct book book;
    struct err err;
    unix_ms now = host.now(host.context);

    if (written && !instant_parse(text_of(written), &now)) {
        fprintf(stderr, "kopilka: --now takes a time such as 2026-02-28T12:00:00Z\n");
        return 2;
    }
    if (book_open(arguments, &wish, &book, &err))
        return complain(&err);
    enum code rc = service_daily(book.service, now, &result, &err);
    book_close(&book);
    if (rc)
        return complain(&err);
    printf("due %llu, settled %llu, swept %llu\n", (unsigned long long)result.looked_at,
           (unsigned long long)result.settled, (unsigned long long)result.swept);
    return 0;
}

const struct command command_daily = {
    .name = "daily",
    .summary = "settle what is due, sweep up what broken enrolments left",
    .help = "A server does this by itself; running it twice changes nothing more. Due: owners with "
            "an\nactivation, expiry or end of a hold. Swept: persons of a day ago and more whose "
            "enrolment did\nnot end; nobody names them, and they are deleted.",
    .option = daily_options,
    .run = run_daily,
};

/* ---- upgrade ---- */

static int
run_upgrade(const struct arguments *arguments)
{
    struct book_wish wish = { .upgrade = true };
    struct book book;
    struct err err;

    if (book_open(arguments, &wish, &book, &err))
        return complain(&err);
    book_close(&book);
    printf("the book has the schema of this program\n");
    return 0;
}

const struct command command_upgrade = {
    .name = "upgrade",
    .summary = "bring a book of an older version up to this one",
    .help = "Stop the servers and make a backup first: an older version opens the book no more. It "
            "is one\ntransaction; cut short at any point, nothing has changed, say it again. Run "
            "twice it does\nnothing more. A book that is up to date stays as it is.",
    .option = book_options,
    .run = run_upgrade,
};
