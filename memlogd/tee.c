/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/tee.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/spawn.h"
#include "memlogd/ring.h"
#include "memlogd/wire.h"

#define CHUNK 16384
#define RETRY_MS 1000

struct stream {
    struct tee *all;
    struct loop_source source;
    int from, to; /* the command's output; ours */
    int log;      /* -1: memlogd is not there */
    /* While memlogd is busy, or our output full: nothing is read meanwhile, as by a full pipe. */
    struct loop_source log_source, to_source;
    uint64_t tried_ms, bytes_lost;
    uint64_t to_lost; /* bytes that our output did not take, and why of the last ones */
    int to_error;
    size_t len, done, to_done; /* of chunk: what both get, what memlogd has got, what our output has */
    char chunk[CHUNK];
    char name[RING_SOURCE_MAX + 1];
};

struct tee {
    struct loop loop;
    struct loop_source signals;
    const char *socket;
    struct stream streams[2];
    pid_t pid;
    bool ended;
    int status;
};

static void tell_lost(struct stream *s) {
    if (s->bytes_lost)
        log_warning("%llu bytes of %s did not get into the log", (unsigned long long)s->bytes_lost, s->name);
    s->bytes_lost = 0;
}

static void connect_log(struct stream *s) {
    int pair[2];
    struct err e = {0};

    if (s->tried_ms && clock_ms() - s->tried_ms < RETRY_MS)
        return;
    s->tried_ms = clock_ms();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return;
    if (wire_send_source(s->all->socket, s->name, pair[1], &e) == 0)
        s->log = pair[0];
    else
        (void)close(pair[0]);
    (void)close(pair[1]);
    if (s->log >= 0)
        tell_lost(s);
}

static void lose_log(struct stream *s) {
    loop_remove(&s->all->loop, &s->log_source);
    if (s->log >= 0)
        (void)close(s->log);
    s->log = -1;
}

static void end_stream(struct stream *s) {
    s->bytes_lost += s->len - s->done;
    s->to_lost += s->len - s->to_done;
    s->len = s->done = s->to_done = 0;
    tell_lost(s);
    if (s->to_lost)
        log_warning("%llu bytes of %s did not get out: %s", (unsigned long long)s->to_lost, s->name,
                    s->to_error ? strerror(s->to_error) : "nobody took them");
    s->to_lost = 0;
    loop_remove(&s->all->loop, &s->source);
    loop_remove(&s->all->loop, &s->to_source);
    lose_log(s);
    if (s->from >= 0)
        (void)close(s->from);
    s->from = -1;
}

/* Its children may still be writing when the command has ended. */
static void stop_when_done(struct tee *t) {
    if (t->ended && t->streams[0].from < 0 && t->streams[1].from < 0)
        loop_stop(&t->loop);
}

/* Sends what can be sent of the chunk. False: memlogd is busy. A connection that broke is made anew, once. */
static bool send_some(struct stream *s) {
    for (int attempt = 0; attempt < 2; attempt++) {
        if (s->log < 0)
            connect_log(s);
        while (s->log >= 0 && s->done < s->len) {
            ssize_t n = send(s->log, s->chunk + s->done, s->len - s->done, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0 && errno == EAGAIN)
                return false;
            if (n < 0 && errno == ECONNRESET)
                log_warning("memlogd has ended; what it had not read of %s is lost", s->name);
            if (n < 0)
                lose_log(s);
            else
                s->done += (size_t)n;
        }
        if (s->done == s->len)
            return true;
    }
    s->bytes_lost += s->len - s->done;
    s->done = s->len;
    return true;
}

/*
 * Writes what our output takes of the chunk. False: it is full. It may be somebody else's too, and non-blocking or not:
 * as much as it has room for goes without waiting either way. The log gets what nobody else wants.
 */
static bool write_some(struct stream *s) {
    while (s->to_done < s->len) {
        struct pollfd room = {.fd = s->to, .events = POLLOUT};
        size_t part = s->len - s->to_done < PIPE_BUF ? s->len - s->to_done : PIPE_BUF;
        if (poll(&room, 1, 0) == 0)
            return false;
        ssize_t n = write(s->to, s->chunk + s->to_done, part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n < 0) {
            s->to_error = errno;
            s->to_lost += s->len - s->to_done;
            s->to_done = s->len;
            break;
        }
        s->to_done += (size_t)n;
    }
    return true;
}

static void on_output(struct loop_source *ls, uint32_t events, void *data);
static void on_room(struct loop_source *ls, uint32_t events, void *data);

/* Watches fd while that is wanted. */
static int watch(struct stream *s, struct loop_source *ls, bool wanted, int fd, uint32_t events, loop_fd_fn *fn) {
    if (!wanted)
        loop_remove(&s->all->loop, ls);
    return wanted && !loop_has(ls) ? loop_add_fd(&s->all->loop, ls, fd, events, fn, s) : 0;
}

/* Hands the chunk on as far as it goes, and sees to what is waited for then. */
static void push(struct stream *s) {
    bool out = write_some(s), log = send_some(s);

    int r = watch(s, &s->to_source, !out, s->to, EPOLLOUT, on_room);
    if (!r)
        r = watch(s, &s->log_source, !log, s->log, EPOLLOUT, on_room);
    if (!r)
        r = watch(s, &s->source, out && log, s->from, EPOLLIN, on_output);
    if (r < 0)
        end_stream(s);
}

static void on_room(struct loop_source *ls, uint32_t events, void *data) {
    (void)ls;
    (void)events;
    push(data);
}

static void on_output(struct loop_source *ls, uint32_t events, void *data) {
    struct stream *s = data;

    (void)ls;
    (void)events;
    ssize_t n = read(s->from, s->chunk, sizeof(s->chunk));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        end_stream(s);
        stop_when_done(s->all);
        return;
    }
    s->len = (size_t)n;
    s->done = s->to_done = 0;
    push(s);
}

static void on_signal(struct loop_source *ls, const struct signalfd_siginfo *info, void *data) {
    struct tee *t = data;
    int status;

    (void)ls;
    if (info->ssi_signo != SIGCHLD && t->ended) {
        loop_stop(&t->loop);
    } else if (info->ssi_signo != SIGCHLD) {
        (void)kill(t->pid, (int)info->ssi_signo);
    } else if (waitpid(t->pid, &status, WNOHANG) == t->pid) {
        t->ended = true;
        t->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        stop_when_done(t);
    }
}

static int start(struct tee *t, char *const *command, struct err *e) {
    struct spawn s = SPAWN_INIT;
    int ends[2] = {-1, -1}, r = 0;

    for (size_t i = 0; i < 2 && !r; i++) {
        int p[2];
        r = pipe2(p, O_CLOEXEC) < 0 ? err_errno(e, -errno, "could not make a pipe") : 0;
        if (r < 0)
            break;
        t->streams[i].from = p[0];
        ends[i] = p[1];
        r = loop_add_fd(&t->loop, &t->streams[i].source, p[0], EPOLLIN, on_output, &t->streams[i]);
        if (r < 0)
            err_errno_raw(e, r, "could not watch a pipe");
    }
    s.argv = (const char *const *)(uintptr_t)command;
    s.stdin_fd = STDIN_FILENO;
    s.stdout_fd = ends[0];
    s.stderr_fd = ends[1];
    if (!r)
        r = spawn(&s, &t->pid, NULL, e);
    for (size_t i = 0; i < 2; i++)
        if (ends[i] >= 0)
            (void)close(ends[i]);
    return r;
}

int tee_run(const char *socket, const char *name, char *const *command, int *status, struct err *e) {
    static const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
    static struct tee t;
    sigset_t set;

    t = (struct tee){.socket = socket};
    for (size_t i = 0; i < 2; i++) {
        struct stream *s = &t.streams[i];
        *s = (struct stream){.all = &t, .from = -1, .log = -1, .to = i == 0 ? STDOUT_FILENO : STDERR_FILENO};
        (void)snprintf(s->name, sizeof(s->name), "%s%s", name, i == 0 ? ".out" : "");
    }
    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaddset(&set, signals[i]);
    int r = loop_init(&t.loop);
    if (!r)
        r = loop_add_signals(&t.loop, &t.signals, &set, on_signal, &t);
    if (r < 0)
        return err_errno(e, r, "could not start the event loop");
    for (size_t i = 0; i < 2; i++)
        connect_log(&t.streams[i]);
    if (t.streams[0].log < 0)
        log_warning("memlogd does not answer on %s", socket);
    r = start(&t, command, e);
    if (!r)
        r = loop_run(&t.loop);
    for (size_t i = 0; i < 2; i++)
        end_stream(&t.streams[i]);
    loop_remove(&t.loop, &t.signals);
    loop_fini(&t.loop);
    *status = t.status;
    return r;
}
