/*
 * stage.h - two servers of ours on one PostgreSQL, and a hand that lets each take a step at a time.
 *
 * Owns:      struct session: a store with the inline runner, a service on it, a thread that does
 *            what it is told; the gate in front of every message to the database.
 * Must not:  know what is done.
 *
 * A step is what goes to the database in one message and is waited for: the queries of a run() that
 * brings rows, with the writes that waited before it, or the last writes with COMMIT.
 */
#ifndef KOP_TESTS_CONTRACT_STAGE_H
#define KOP_TESTS_CONTRACT_STAGE_H

#include "contract/postgres.h"
#include "service/service.h"
#include "store/backend.h"

#include <libpq-fe.h>
#include <pthread.h>

enum session_state { SESSION_IDLE, SESSION_RUNS, SESSION_AT_GATE, SESSION_DONE };
enum { answer_bytes = 1 << 15 };
/* Where a session loses its connection: before a step, or when a COMMIT's answer is due. */
enum session_cut { SESSION_WHOLE, SESSION_CUT_BEFORE, SESSION_CUT_AFTER };

struct session {
    struct backend backend; /* what the store sees; it passes on to `real` */
    struct backend_type type;
    struct backend *real;
    struct store *store;
    struct service *service;
    uint32_t number, tenant;
    unix_ms now;
    uint64_t chance;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    enum session_state state;
    bool gated, permit, leave;
    void (*deed)(struct session *session);
    uint32_t steps, transactions, cuts; /* since the deed began */
    int backend_pid; /* of its connection, under `lock` */
    const struct server *server;
    enum session_cut cut; /* for stage_play_alone() */
    uint32_t cut_at;      /* the step */
    /* The last answer. */
    int status;
    char answer[answer_bytes];
};

enum { sessions = 2 };
struct stage {
    struct server *server;
    PGconn *control;
    struct session session[sessions];
};

void stage_open(struct stage *stage, struct server *server, const char *conninfo);
void stage_close(struct stage *stage);

/* A request at `at`, on the caller's thread; ' stands for " in the body. The answer is kept. */
int session_ask(struct session *session, enum route_name route, const char *param, const char *key,
                unix_ms at, const char *body);

/*
 * Do both deeds. Bit i of `picks` (of `count`) says who takes step i; who waits for the other or
 * has come to the end is passed over. Then whoever can goes on. Fails the test after a minute.
 */
void stage_play(struct stage *stage, void (*const deed[sessions])(struct session *), uint64_t picks,
                uint32_t count);
/*
 * One deed of session 0. At step `cut_at` (from 1) it loses its connection; session->cuts tells
 * whether there was such a step, and a COMMIT for CUT_AFTER.
 */
void stage_play_alone(struct stage *stage, void (*deed)(struct session *), enum session_cut cut,
                      uint32_t cut_at);
/* One after the other. */
void stage_play_serial(struct stage *stage, void (*const deed[sessions])(struct session *),
                       uint32_t first);

#endif
