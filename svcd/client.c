/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/loop.h"
#include "svcd/control.h"

#define REPLY_MAX ((size_t)4 << 20)
#define RETRY_MS 10

static int try_connect(void) {
    const struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET};

    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
        return -errno;
    return steal_fd(&fd);
}

/* svcd may be starting, or between two lives. */
static int connect_patiently(unsigned wait_ms) {
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
    uint64_t deadline = clock_ms() + wait_ms;
    int fd;

    while ((fd = try_connect()) < 0 && clock_ms() < deadline)
        (void)nanosleep(&pause, NULL);
    return fd;
}

static int read_reply(int fd, struct buf *text, json_t **reply, struct err *e) {
    for (;;) {
        char *end = text->len ? memchr(text->data, '\n', text->len) : NULL;
        while (end) {
            AUTO_JSON json_t *doc = json_loadb(text->data, (size_t)(end - text->data), 0, NULL);
            if (json_is_true(json_object_get(doc, "done"))) {
                *reply = steal_ptr(&doc);
                return 0;
            }
            buf_consume(text, (size_t)(end - text->data) + 1);
            end = text->len ? memchr(text->data, '\n', text->len) : NULL;
        }
        void *room = buf_reserve(text, 4096);
        ssize_t n = room ? recv(fd, room, 4096, 0) : -1;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, room ? -errno : -E2BIG, "could not read svcd's answer");
        if (n == 0)
            return err_set(e, -ECONNRESET, "svcd ended the connection without an answer");
        buf_commit(text, (size_t)n);
    }
}

int client_request(const char *cmd, const char *name, unsigned wait_ms, json_t **reply, struct err *e) {
    AUTO_BUF struct buf text = {.max = REPLY_MAX};
    AUTO_JSON json_t *request = json_pack("{s:s, s:s*}", "cmd", cmd, "name", name);
    AUTO_FREE char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;

    if (!line)
        return err_errno(e, -ENOMEM, "could not ask svcd");
    AUTO_CLOSE int fd = connect_patiently(wait_ms);
    if (fd < 0)
        return err_errno(e, fd, "could not reach svcd on %s", CONTROL_SOCKET);
    int r = write_full(fd, line, strlen(line));
    if (!r)
        r = write_full(fd, "\n", 1);
    return r < 0 ? err_errno(e, r, "could not ask svcd") : read_reply(fd, &text, reply, e);
}
