/*
 * postgres.c - a PostgreSQL server of a test's own.
 *
 * Owns:      see postgres.h. PostgreSQL refuses to run as root, so root becomes `postgres` or
 *            `nobody` first. The server listens on a socket in its folder only: no port to choose.
 * Invariant: the server dies with the program: by atexit, and by the kernel's signal where that is
 *            not reached. In the test's own death nothing is left but files in the folder of
 *            temporary files.
 */
#include "contract/postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { servers_max = 4, start_ms_max = 30 * 1000, port_own = 5432 };

static struct server *running[servers_max];

static void
give_up(const char *what)
{
    fprintf(stderr, "PostgreSQL for the test: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The folder of initdb and postgres. */
static const char *
programs(void)
{
    static const char *const places[] = { "/usr/lib/postgresql/15/bin",
                                          "/usr/lib/postgresql/16/bin",
                                          "/usr/lib/postgresql/17/bin" };
    const char *given = getenv("KOPILKA_POSTGRES");
    char path[256];

    if (given != NULL)
        return given;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(path, sizeof path, "%s/initdb", places[i]);
        if (access(path, X_OK) == 0)
            return places[i];
    }
    fprintf(stderr, "PostgreSQL is not installed; tools/setup does it\n");
    exit(1);
}

static const struct passwd *
ordinary_user(void)
{
    const struct passwd *user = getpwnam("postgres");

    return user != NULL ? user : getpwnam("nobody");
}

/* In the child: no longer root, dead when the test is dead, output to the log. */
static void
become_server(const struct server *server)
{
    char log[96];
    pid_t parent = getppid();

    setsid();
    snprintf(log, sizeof log, "%s/log", server->folder);
    if (geteuid() == 0) {
        const struct passwd *user = ordinary_user();
        if (user == NULL || setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 ||
            setuid(user->pw_uid) != 0)
            _exit(126);
    }
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (getppid() != parent)
        _exit(126);
    int file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file >= 0) {
        dup2(file, 1);
        dup2(file, 2);
    }
    if (chdir(server->folder) != 0)
        _exit(126);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static pid_t
launch(const struct server *server, const char *program, const char *const *argument)
{
    char path[256];
    char *words[32] = { path };

    snprintf(path, sizeof path, "%s/%s", programs(), program);
    for (size_t i = 0; argument[i] != NULL && i < 30; i++)
        words[i + 1] = (char *)(size_t)argument[i];
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child == 0) {
        become_server(server);
        execv(path, words);
        _exit(127);
    }
    return child;
}

static void
stop_all(void)
{
    for (size_t i = 0; i < servers_max; i++) {
        if (running[i] != NULL)
            server_stop(running[i]);
    }
}

static bool
answers(const struct server *server)
{
    char conninfo[conninfo_bytes];

    server_conninfo(server, "postgres", 0, conninfo);
    return PQping(conninfo) == PQPING_OK;
}

/*
 * Starts it and waits until it answers. After a kill its orphans may live a moment longer, and
 * while they hold the shared memory a new server ends at once: then another is launched.
 */
void
server_revive(struct server *server)
{
    const char *const argument[] = {
        "-D", "data", "-k", server->folder, "-c", "listen_addresses=", "-c", "fsync=off", "-c",
        "max_connections=200", "-c", "shared_buffers=64MB", "-c", "unix_socket_permissions=0777",
        "-c", "full_page_writes=off", "-c", "log_min_messages=warning", NULL
    };
    server->pid = launch(server, "postgres", argument);
    for (int waited = 0; !answers(server); waited += 20) {
        if (waited > start_ms_max) {
            fprintf(stderr, "the server in %s does not start, see its log\n", server->folder);
            exit(1);
        }
        usleep(20 * 1000);
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
            server->pid = launch(server, "postgres", argument);
    }
}

void
server_start(struct server *server)
{
    static const char *const argument[] = { "-D", "data", "-U", "kopilka", "--auth=trust",
                                            "--no-sync", "-E", "UTF8", "--locale=C.UTF-8", NULL };
    static bool hooked;
    int status;

    snprintf(server->folder, sizeof server->folder, "/tmp/kopilka-pg-XXXXXX");
    if (mkdtemp(server->folder) == NULL || chmod(server->folder, 0711) != 0)
        give_up("a folder");
    const struct passwd *user = ordinary_user();
    if (geteuid() == 0 && user != NULL && chown(server->folder, user->pw_uid, user->pw_gid) != 0)
        give_up("a folder's owner");
    if (!hooked)
        atexit(stop_all);
    hooked = true;
    for (size_t i = 0; i < servers_max; i++) {
        if (running[i] == NULL) {
            running[i] = server;
            break;
        }
    }
    pid_t child = launch(server, "initdb", argument);
    if (waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "initdb failed, see %s/log\n", server->folder);
        exit(1);
    }
    server_revive(server);
}

/*
 * Its children lead groups of their own, and left alone they live on for a moment and may commit.
 * A stopped parent makes no more of them.
 */
void
server_kill(struct server *server)
{
    char path[64];
    long child;

    if (server->pid == 0)
        return;
    kill(server->pid, SIGSTOP);
    waitpid(server->pid, NULL, WUNTRACED);
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)server->pid,
             (long)server->pid);
    FILE *children = fopen(path, "r");
    if (children == NULL)
        give_up(path);
    while (fscanf(children, "%ld", &child) == 1)
        kill((pid_t)child, SIGKILL);
    fclose(children);
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static int
remove_one(const char *path, const struct stat *stat, int flag, struct FTW *place)
{
    (void)stat;
    (void)flag;
    (void)place;
    return remove(path);
}

void
server_stop(struct server *server)
{
    if (server->pid != 0) {
        kill(server->pid, SIGQUIT);
        for (int waited = 0; waitpid(server->pid, NULL, WNOHANG) == 0; waited++) {
            if (waited > 500)
                kill(-server->pid, SIGKILL);
            usleep(10 * 1000);
        }
        server->pid = 0;
    }
    for (size_t i = 0; i < servers_max; i++) {
        if (running[i] == server)
            running[i] = NULL;
    }
    if (server->folder[0] != '\0')
        nftw(server->folder, remove_one, 32, FTW_DEPTH | FTW_PHYS);
    server->folder[0] = '\0';
}

/* ---- talking to it ---- */

void
server_conninfo(const struct server *server, const char *name, int port,
                char conninfo[conninfo_bytes])
{
    snprintf(conninfo, conninfo_bytes, "host=%s port=%d user=kopilka dbname=%s", server->folder,
             port == 0 ? port_own : port, name);
}

void
server_url(const struct server *server, const char *name, char conninfo[conninfo_bytes])
{
    snprintf(conninfo, conninfo_bytes, "postgres://kopilka@/%s?host=%s&port=%d", name,
             server->folder, port_own);
}

static PGresult *
query(const struct server *server, const char *name, const char *sql)
{
    char conninfo[conninfo_bytes];

    server_conninfo(server, name, 0, conninfo);
    PGconn *conn = PQconnectdb(conninfo);
    PGresult *result = PQexec(conn, sql);
    PQfinish(conn);
    return result;
}

bool
server_do(const struct server *server, const char *name, const char *sql, char *state)
{
    PGresult *result = query(server, name, sql);
    ExecStatusType status = PQresultStatus(result);
    const char *given = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (state != NULL)
        snprintf(state, 6, "%s", given != NULL ? given : "");
    PQclear(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

long
server_ask(const struct server *server, const char *name, const char *sql)
{
    PGresult *result = query(server, name, sql);
    long number = PQntuples(result) == 1 ? strtol(PQgetvalue(result, 0, 0), NULL, 10) : -1;

    PQclear(result);
    return number;
}
