/*
 * proxy.c - stands between a store and its PostgreSQL, and cuts the connection at a COMMIT.
 *
 * Owns:      see proxy.h. The word is looked for in what the client sends at once; a store sends
 *            its last statements and COMMIT in one piece.
 */
#include "contract/proxy.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct link {
    struct proxy *proxy;
    int client, server;
};

static int
dial(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int
pass_on(int to, const char *bytes, ssize_t size)
{
    for (ssize_t done = 0; done < size;) {
        ssize_t sent = send(to, bytes + done, (size_t)(size - done), MSG_NOSIGNAL);
        if (sent <= 0)
            return -1;
        done += sent;
    }
    return 0;
}

/* Bytes of the client. -1: the connection ends here. */
static int
from_client(struct link *link)
{
    char bytes[65536];
    ssize_t size = read(link->client, bytes, sizeof bytes);

    if (size <= 0)
        return -1;
    enum proxy_cut cut = CUT_NOTHING;
    if (memmem(bytes, (size_t)size, "COMMIT", 7) != NULL)
        cut = (enum proxy_cut)atomic_exchange(&link->proxy->cut, CUT_NOTHING);
    if (cut == CUT_NOTHING)
        return pass_on(link->server, bytes, size);
    if (cut == CUT_AFTER && pass_on(link->server, bytes, size) == 0 &&
        read(link->server, bytes, sizeof bytes) <= 0)
        fprintf(stderr, "the server did not answer the COMMIT\n");
    atomic_fetch_add(&link->proxy->cuts, 1);
    return -1;
}

static int
from_server(struct link *link)
{
    char bytes[65536];
    ssize_t size = read(link->server, bytes, sizeof bytes);

    return size > 0 ? pass_on(link->client, bytes, size) : -1;
}

static void *
link_main(void *context)
{
    struct link *link = context;
    struct pollfd fd[] = { { link->client, POLLIN, 0 }, { link->server, POLLIN, 0 } };
    int rc = 0;

    while (rc == 0 && !atomic_load(&link->proxy->stop)) {
        if (poll(fd, 2, 50) <= 0)
            continue;
        if (fd[0].revents != 0)
            rc = from_client(link);
        if (rc == 0 && fd[1].revents != 0)
            rc = from_server(link);
    }
    close(link->client);
    close(link->server);
    free(link);
    return NULL;
}

static void *
listen_main(void *context)
{
    struct proxy *proxy = context;
    struct pollfd fd = { proxy->listener, POLLIN, 0 };

    while (!atomic_load(&proxy->stop)) {
        if (poll(&fd, 1, 50) <= 0)
            continue;
        struct link *link = calloc(1, sizeof *link);
        if (link == NULL || proxy->links == links_max)
            abort();
        link->proxy = proxy;
        link->client = accept(proxy->listener, NULL, NULL);
        link->server = dial(proxy->server_path);
        if (pthread_create(&proxy->link[proxy->links], NULL, link_main, link) != 0)
            abort();
        atomic_fetch_add(&proxy->links, 1);
    }
    return NULL;
}

void
proxy_start(struct proxy *proxy, const char *folder, int server_port, int port)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    memset(proxy, 0, sizeof *proxy);
    snprintf(proxy->server_path, sizeof proxy->server_path, "%s/.s.PGSQL.%d", folder, server_port);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.%d", folder, port);
    unlink(address.sun_path);
    proxy->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (proxy->listener < 0 ||
        bind(proxy->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(proxy->listener, links_max) != 0 ||
        pthread_create(&proxy->thread, NULL, listen_main, proxy) != 0)
        abort();
}

void
proxy_stop(struct proxy *proxy)
{
    atomic_store(&proxy->stop, true);
    pthread_join(proxy->thread, NULL);
    for (int i = 0; i < proxy->links; i++)
        pthread_join(proxy->link[i], NULL);
    close(proxy->listener);
}

void
proxy_cut(struct proxy *proxy, enum proxy_cut cut)
{
    atomic_store(&proxy->cuts, 0);
    atomic_store(&proxy->cut, (int)cut);
}

int
proxy_cuts(struct proxy *proxy)
{
    return atomic_load(&proxy->cuts);
}
