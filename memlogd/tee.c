/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/tee.h"

#include <errno.h>
#include <fcntl.h>
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
    uint64_t tried_ms, bytes_lost;
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
    if (s->log >= 0 && s->bytes_lost)
        log_warning("%llu bytes of %s did not get into the log", (unsigned long long)s->bytes_lost, s->name);
    if (s->log >= 0)
        s->bytes_lost = 0;
}

/* Waits for a busy memlogd, as a pipe would: nothing is lost by being fast. */
static void copy_to_log(struct stream *s, const char *data, size_t len) {
    for (int attempt = 0; attempt < 2; attempt++) {
        size_t done = 0;
        if (s->log < 0)
            connect_log(s);
        while (s->log >= 0 && done < len) {
            ssize_t n = send(s->log, data + done, len - done, MSG_NOSIGNAL);
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0) {
                (void)close(s->log);
                s->log = -1;
                break;
            }
            done += (size_t)n;
        }
        if (done == len)
            return;
    }
    s->bytes_lost += len;
}

static void end_stream(struct stream *s) {
    loop_remove(&s->all->loop, &s->source);
    if (s->from >= 0)
        (void)close(s->from);
    if (s->log >= 0)
        (void)close(s->log);
    s->from = s->log = -1;
}

static void stop_when_done(struct tee *t) {
    if (t->ended && t->streams[0].from < 0 && t->streams[1].from < 0)
        loop_stop(&t->loop);
}

static void on_output(struct loop_source *ls, uint32_t events, void *data) {
    struct stream *s = data;
    char chunk[CHUNK];

    (void)ls;
    (void)events;
    ssize_t n = read(s->from, chunk, sizeof(chunk));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        struct tee *t = s->all;
        end_stream(s);
        stop_when_done(t);
        return;
    }
    (void)write_full(s->to, chunk, (size_t)n); /* the log gets it even if nobody else wants it */
    copy_to_log(s, chunk, (size_t)n);
}

/* When the command has ended only what is in the pipes counts: its children may have them open for ever. */
static void drain(struct stream *s) {
    if (s->from < 0)
        return;
    int flags = fcntl(s->from, F_GETFL);
    if (flags >= 0)
        (void)fcntl(s->from, F_SETFL, flags | O_NONBLOCK);
    char chunk[CHUNK];
    ssize_t n;
    while ((n = read(s->from, chunk, sizeof(chunk))) > 0) {
        (void)write_full(s->to, chunk, (size_t)n);
        copy_to_log(s, chunk, (size_t)n);
    }
    end_stream(s);
}

static void on_signal(struct loop_source *ls, const struct signalfd_siginfo *info, void *data) {
    struct tee *t = data;
    int status;

    (void)ls;
    if (info->ssi_signo != SIGCHLD) {
        (void)kill(t->pid, (int)info->ssi_signo);
        return;
    }
    if (waitpid(t->pid, &status, WNOHANG) != t->pid)
        return;
    t->ended = true;
    t->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    for (size_t i = 0; i < 2; i++)
        drain(&t->streams[i]);
    loop_stop(&t->loop);
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
    for (const int *sig = (const int[]){SIGCHLD, SIGTERM, SIGINT, SIGHUP, 0}; *sig; sig++)
        sigaddset(&set, *sig);
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
