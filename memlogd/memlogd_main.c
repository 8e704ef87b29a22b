/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memlogd: keeps the last lines of whatever it is given descriptors of. See memlogd/README.md.
 *
 * Started by PID 1 it never goes into the background. Called by a name with "logging" in it (/etc/init.d/002-logging),
 * it makes sure that there is a log daemon before the next step: it waits for the one that keelson's PID 1 has started,
 * or, under another PID 1, becomes one in the background.
 *
 * Signals: SIGTERM and SIGINT end it. Descriptors: epoll, signalfd, the two sockets, the state's memfd, the store's
 * socket, one for each source and reader, a timer for each reader that has not asked yet, one for reports.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "lib/fdstore.h"
#include "lib/log.h"
#include "memlogd/harden.h"
#include "memlogd/memlogd.h"
#include "memlogd/options.h"
#include "memlogd/wire.h"

#define WAIT_MS 5000
#define WAIT_STEP_MS 5

struct arguments {
    const char *query_socket, *log_socket;
    int64_t query_fd, log_fd;
    bool daemonize;
};

static int parse(char **argv, struct arguments *a, struct memlogd_config *c, struct err *e) {
    const struct option_def defs[] = {
        {"socket-query",
         OPTION_STRING,
         {.string = &a->query_socket},
         0,
         0,
         "where readers ask (" WIRE_QUERY_SOCKET ")"},
        {"socket-log", OPTION_STRING, {.string = &a->log_socket}, 0, 0, "where sources come in (" WIRE_LOG_SOCKET ")"},
        {"fd-query",
         OPTION_NUMBER,
         {.number = &a->query_fd},
         -1,
         INT32_MAX,
         "an inherited listening stream socket instead"},
        {"fd-log", OPTION_NUMBER, {.number = &a->log_fd}, -1, INT32_MAX, "an inherited datagram socket instead"},
        {"max-lines", OPTION_NUMBER, {.number = &c->max_lines}, 1, 10000000, "lines that are kept (5000)"},
        {"max-line-len",
         OPTION_NUMBER,
         {.number = &c->max_line_len},
         1,
         RING_MSG_MAX,
         "bytes of a line that are kept (1024)"},
        {"max-bytes",
         OPTION_NUMBER,
         {.number = &c->max_bytes},
         RING_BYTES_MIN,
         (int64_t)1 << 31,
         "bytes of all lines (2 MiB)"},
        {"daemonize", OPTION_FLAG, {.flag = &a->daemonize}, 0, 0, "go into the background once the sockets are there"},
        {0}};
    char **rest;

    int r = options_parse(defs, argv, &rest, e);
    if (r == -ECANCELED)
        options_help(defs, "memlogd [OPTION...]");
    if (!r && *rest)
        r = err_set(e, -EINVAL, "there is no use for \"%s\"", *rest);
    return r;
}

static bool somebody_answers(const char *path, int type) {
    AUTO_CLOSE int fd = wire_connect(path, type, true, NULL);

    return fd >= 0 || fd == -EAGAIN;
}

/* keelson's PID 1 has started a memlogd, which needs a moment. */
static bool wait_for_ours(const struct arguments *a) {
    if (access("/run/keelson", F_OK) < 0)
        return false;
    for (int waited = 0; waited < WAIT_MS; waited += WAIT_STEP_MS) {
        if (somebody_answers(a->log_socket, SOCK_DGRAM) && somebody_answers(a->query_socket, SOCK_STREAM))
            return true;
        (void)poll(NULL, 0, WAIT_STEP_MS);
    }
    return false;
}

/* --- what an earlier life left --- */

struct left {
    struct memlogd *m;
    bool sources;
};

static void on_left(void *data, uint32_t key, int fd) {
    const struct left *l = data;
    struct memlogd *m = l->m;
    int *mine = key == MEMLOGD_KEY_STATE   ? &m->state_fd
                : key == MEMLOGD_KEY_LOG   ? &m->log_fd
                : key == MEMLOGD_KEY_QUERY ? &m->query_fd
                                           : NULL;

    if (l->sources && !mine)
        memlogd_adopt_source(m, key, fd);
    else if (!l->sources && mine)
        *mine = fd;
}

static int open_socket(int64_t inherited, const char *path, int type, int *fd, struct err *e) {
    if (inherited >= 0) {
        int flags = fcntl((int)inherited, F_GETFL);
        if (flags < 0 || fcntl((int)inherited, F_SETFL, flags | O_NONBLOCK) < 0)
            return err_errno(e, -errno, "could not use descriptor %lld", (long long)inherited);
        *fd = (int)inherited;
    } else if (*fd < 0) {
        *fd = wire_bind(path, type, 0600, e);
    }
    return *fd < 0 ? *fd : 0;
}

static void on_signal(struct loop_source *s, const struct signalfd_siginfo *info, void *data) {
    struct memlogd *m = data;

    (void)s;
    (void)info;
    loop_stop(&m->loop);
}

static void raise_limit(void) {
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l); /* fewer sources, then */
    }
}

static int begin(struct memlogd *m, const struct arguments *a, struct loop_source *signals, struct err *e) {
    struct left sockets = {m, false}, sources = {m, true};
    sigset_t set;
    bool kept = false;

    raise_limit();
    m->log_fd = m->query_fd = m->state_fd = -1;
    m->store = fdstore_socket();
    fdstore_each(on_left, &sockets);
    int r = open_socket(a->log_fd, a->log_socket, SOCK_DGRAM, &m->log_fd, e);
    if (!r)
        r = open_socket(a->query_fd, a->query_socket, SOCK_STREAM, &m->query_fd, e);
    if (!r && a->daemonize && daemon(0, 0) < 0)
        r = err_errno(e, -errno, "could not go into the background");
    if (!r && (r = loop_init(&m->loop)) < 0)
        r = err_errno(e, r, "could not start the event loop");
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (!r && (r = loop_add_signals(&m->loop, signals, &set, on_signal, m)) < 0)
        r = err_errno(e, r, "could not wait for signals");
    if (!r)
        r = memlogd_open_state(m, &kept, e);
    if (r < 0)
        return r;
    fdstore_each(on_left, &sources);
    r = memlogd_start(m, e);
    memlogd_say(m, kept ? "memlogd restarted" : "memlogd started");
    return r < 0 ? r : harden(e);
}

int main(int argc, char **argv) {
    static struct memlogd m = {.config = {.max_lines = 5000, .max_line_len = 1024, .max_bytes = 2 << 20}};
    static struct loop_source signals;
    struct arguments a = {WIRE_QUERY_SOCKET, WIRE_LOG_SOCKET, -1, -1, false};
    struct err e = {0};

    log_init("memlogd", LOG_LEVEL_NOTICE);
    bool step = argc > 0 && strstr(argv[0], "logging");
    int r = parse(argv, &a, &m.config, &e);
    if (r == -ECANCELED)
        return 0;
    if (!r && step && wait_for_ours(&a))
        return 0;
    a.daemonize = a.daemonize || step;
    (void)signal(SIGPIPE, SIG_IGN);
    if (!r)
        r = begin(&m, &a, &signals, &e);
    if (r < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    r = loop_run(&m.loop);
    if (r < 0)
        log_error("the event loop ended: %s", strerror(-r));
    return r < 0;
}
