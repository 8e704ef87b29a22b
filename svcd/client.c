/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/client.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/loop.h"
#include "svcd/control.h"

#define REPLY_MAX ((size_t)4 << 20)
#define RETRY_MS 10

/* Blocking calls on it end with -EAGAIN in their time: also a connect(2) to one whose queue is full. */
static int limit(int fd, unsigned ms) {
    const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
        return -errno;
    return 0;
}

static int try_connect(const char *path, unsigned ms) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    memcpy(addr.sun_path, path, strlen(path) + 1);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || limit(fd, ms) < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
        return -errno;
    return steal_fd(&fd);
}

static unsigned sign_ms(const struct client_ask *ask) {
    return ask->sign_ms ? ask->sign_ms : CLIENT_SIGN_MS;
}

/* svcd may be starting, or between two lives. */
static int connect_patiently(const char *path, unsigned wait_ms, unsigned sign_ms) {
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
    uint64_t deadline = clock_ms() + wait_ms;
    int fd;

    while ((fd = try_connect(path, sign_ms)) < 0 && fd != -EAGAIN && clock_ms() < deadline)
        (void)nanosleep(&pause, NULL);
    return fd;
}

bool client_is_served(const char *path) {
    AUTO_FREE char *lock = NULL;

    if (asprintf(&lock, "%s.lock", path) < 0) {
        lock = NULL;
        return false;
    }
    AUTO_CLOSE int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* Who is turned away (too many clients) must hear of it, and not die of SIGPIPE. */
static int send_line(int fd, const char *line, size_t len) {
    while (len > 0) {
        ssize_t n = send(fd, line, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            line += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* True: it was the last one, and *reply has it. */
static bool take_line(const struct client_ask *ask, const char *line, size_t len, json_t **reply) {
    AUTO_JSON json_t *doc = json_loadb(line, len, 0, NULL);
    const char *note = json_string_value(json_object_get(doc, "note"));

    if (json_is_true(json_object_get(doc, "done"))) {
        *reply = steal_ptr(&doc);
        return true;
    }
    if (note && ask->note)
        ask->note(note);
    return false;
}

/* Turned away is as good as answered. */
static bool gives_a_sign(const char *path, unsigned ms) {
    static const char ping[] = "{\"cmd\":\"ping\"}\n";
    AUTO_CLOSE int fd = try_connect(path, ms);
    char c;

    if (fd < 0)
        return false;
    int r = send_line(fd, ping, strlen(ping));
    return r == -EPIPE || r == -ECONNRESET || (r == 0 && (recv(fd, &c, 1, 0) >= 0 || errno == ECONNRESET));
}

static int silent(struct err *e) {
    return err_set(e, -ETIMEDOUT, "svcd does not answer");
}

/* It waits longer each time: for days, perhaps. */
static int wait_on(int fd, const char *path, unsigned *ms, struct err *e) {
    if (!gives_a_sign(path, *ms))
        return silent(e);
    *ms = *ms >= CLIENT_SIGN_MAX_MS / 2 ? CLIENT_SIGN_MAX_MS : 2 * *ms;
    int r = limit(fd, *ms);
    return r < 0 ? err_errno(e, r, "could not wait for svcd's answer") : 0;
}

static int read_reply(int fd, const struct client_ask *ask, const char *path, struct buf *text, json_t **reply,
                      struct err *e) {
    unsigned ms = sign_ms(ask);

    for (;;) {
        char *end = text->len ? memchr(text->data, '\n', text->len) : NULL;
        while (end) {
            if (take_line(ask, text->data, (size_t)(end - text->data), reply))
                return 0;
            buf_consume(text, (size_t)(end - text->data) + 1);
            end = text->len ? memchr(text->data, '\n', text->len) : NULL;
        }
        void *room = buf_reserve(text, 4096);
        ssize_t n = room ? recv(fd, room, 4096, 0) : -1;
        if (n < 0 && room && errno == EINTR)
            continue;
        if (n < 0 && room && errno == EAGAIN) {
            if (wait_on(fd, path, &ms, e) < 0)
                return e->code;
            continue;
        }
        if (n < 0)
            return err_errno(e, room ? -errno : -E2BIG, "could not read svcd's answer");
        if (n == 0)
            return err_set(e, -ECONNRESET, "svcd ended the connection without an answer");
        buf_commit(text, (size_t)n);
    }
}

int client_request(const char *path, const struct client_ask *ask, json_t **reply, struct err *e) {
    AUTO_BUF struct buf text = {.max = REPLY_MAX};
    AUTO_BUF struct buf line = BUF_INIT;
    AUTO_JSON json_t *request =
        json_pack("{s:s, s:s*, s:s*}", "cmd", ask->cmd, "name", ask->name, "signal", ask->signal);
    AUTO_FREE char *dump = request ? json_dumps(request, JSON_COMPACT) : NULL;

    if (!request)
        return err_set(e, -EINVAL, "could not ask svcd: \"%s\" is not UTF-8", ask->name ? ask->name : "");
    if (!dump || buf_puts(&line, dump) < 0 || buf_puts(&line, "\n") < 0)
        return err_errno(e, -ENOMEM, "could not ask svcd");
    AUTO_CLOSE int fd = connect_patiently(path, ask->wait_ms, sign_ms(ask));
    if (fd == -EAGAIN)
        return silent(e);
    if (fd < 0)
        return err_errno(e, fd, "could not reach svcd on %s", path);
    int r = send_line(fd, line.data, line.len);
    if (r == -EPIPE || r == -ECONNRESET)
        return err_set(e, -EACCES, "svcd has turned us away: only root may ask, and at most %d at a time",
                       CONTROL_CLIENTS_MAX);
    if (r == -EAGAIN)
        return silent(e);
    return r < 0 ? err_errno(e, r, "could not ask svcd") : read_reply(fd, ask, path, &text, reply, e);
}
