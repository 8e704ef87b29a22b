/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memlogd: keeps the last lines of whatever it is given descriptors of. See memlogd/README.md.
 *
 * Started by keelson's PID 1, which keeps its descriptors and waits for its end, it never goes into the background.
 * Called by a name with "logging" in it (/etc/init.d/002-logging),
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

#define OPTIONS_FILE "/etc/memlogd.options" /* PID 1 gives none */
#define OPTIONS_MAX 64
#define MAX_BYTES                                                                                                      \
    (1400 << 10) /* with all sources in the middle of a line and all readers stuck, 3 MiB are not reached */
#define WAIT_MS 5000
#define WAIT_STEP_MS 5

struct arguments {
    const char *query_socket, *log_socket, *syslog_socket;
    int64_t query_fd, log_fd;
    bool daemonize;
};

/* What the strings point to is in argv or *text. */
static int parse(char **argv, struct buf *text, struct arguments *a, struct memlogd_config *c, struct err *e) {
    const struct option_def defs[] = {
        {"socket-query",
         OPTION_STRING,
         {.string = &a->query_socket},
         0,
         0,
         "where readers ask (" WIRE_QUERY_SOCKET ")"},
        {"socket-log", OPTION_STRING, {.string = &a->log_socket}, 0, 0, "where sources come in (" WIRE_LOG_SOCKET ")"},
        {"socket-syslog", OPTION_STRING, {.string = &a->syslog_socket}, 0, 0, "take syslog messages there: /dev/log"},
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
         "bytes of all lines (1433600)"},
        {"daemonize", OPTION_FLAG, {.flag = &a->daemonize}, 0, 0, "go into the background once the sockets are there"},
        {0}};
    char **rest;

    char *from_file[OPTIONS_MAX] = {argv[0]};

    int r = argv[0] && !argv[1] ? options_read(OPTIONS_FILE, text, from_file, OPTIONS_MAX, e) : 0;
    if (!r)
        r = options_parse(defs, argv[0] && !argv[1] ? from_file : argv, &rest, e);
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
    int place = keeper_place_of(key);
    int *mine = place == KEEPER_STATE    ? &m->state_fd
                : place == KEEPER_LOG    ? &m->log_fd
                : place == KEEPER_QUERY  ? &m->query_fd
                : place == KEEPER_SYSLOG ? &m->syslog_fd
                                         : NULL;

    if (l->sources && place >= 0 && place < INTAKE_SLOTS)
        memlogd_adopt_source(m, (unsigned)place, fd);
    else if (!l->sources && mine)
        *mine = fd;
    else if (l->sources && !mine)
        (void)close(fd); /* nobody's */
}

/* Everybody may send there. Without it, the rest of the log is worth having. */
static void open_syslog(struct memlogd *m, const char *path) {
    struct err e = {0};

    if (!path && m->syslog_fd >= 0) {
        (void)close(m->syslog_fd);
        m->syslog_fd = -1;
        if (m->store >= 0)
            (void)fdstore_remove(m->store, keeper_key(KEEPER_SYSLOG));
    } else if (path && m->syslog_fd < 0) {
        m->syslog_fd = wire_bind(path, SOCK_DGRAM, 0666, &e);
        if (m->syslog_fd < 0)
            log_error("%s", e.msg);
    }
}

static int check_inherited(int fd, int type, struct err *e) {
    int found = 0, listens = 0;
    socklen_t len = sizeof(found);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &found, &len) < 0)
        return err_errno(e, -errno, "could not use descriptor %d", fd);
    len = sizeof(listens);
    if (found != type ||
        (type == SOCK_STREAM && (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || !listens)))
        return err_set(e, -EINVAL, "could not use descriptor %d: it is no %s", fd,
                       type == SOCK_STREAM ? "stream socket that listens" : "datagram socket");
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_errno(e, -errno, "could not use descriptor %d", fd);
    return 0;
}

static int open_socket(int64_t inherited, const char *path, int type, int *fd, struct err *e) {
    if (inherited >= 0) {
        int r = check_inherited((int)inherited, type, e);
        if (r < 0)
            return r;
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

/* How this life begins. */
static void say_hello(struct memlogd *m, const struct state_found *found) {
    memlogd_say(m, found->lines ? "memlogd restarted" : "memlogd started");
    if (found->unknown)
        memlogd_say(m, "the log and the sources of before are lost: their memory could not be understood");
    if (found->too_many)
        memlogd_say(m, "the log has less room since this restart: its oldest %llu lines went",
                    (unsigned long long)found->too_many);
}

static int begin(struct memlogd *m, const struct arguments *a, struct loop_source *signals, struct err *e) {
    struct left sockets = {m, false}, sources = {m, true};
    sigset_t set;
    struct state_found found = {0};

    raise_limit();
    m->log_fd = m->query_fd = m->state_fd = m->syslog_fd = -1;
    m->store = fdstore_socket();
    fdstore_each(on_left, &sockets);
    int r = open_socket(a->log_fd, a->log_socket, SOCK_DGRAM, &m->log_fd, e);
    if (!r)
        r = open_socket(a->query_fd, a->query_socket, SOCK_STREAM, &m->query_fd, e);
    if (!r)
        open_syslog(m, a->syslog_socket);
    if (!r && a->daemonize && m->store < 0 && daemon(0, 0) < 0)
        r = err_errno(e, -errno, "could not go into the background");
    if (!r && (r = loop_init(&m->loop)) < 0)
        r = err_errno(e, r, "could not start the event loop");
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (!r && (r = loop_add_signals(&m->loop, signals, &set, on_signal, m)) < 0)
        r = err_errno(e, r, "could not wait for signals");
    if (!r)
        r = memlogd_open_state(m, &found, e);
    if (r < 0)
        return r;
    fdstore_each(on_left, &sources);
    r = memlogd_start(m, e);
    say_hello(m, &found);
    return r < 0 ? r : harden(e);
}

int main(int argc, char **argv) {
    static struct memlogd m; /* large: no initialiser, so that it takes no room in the file */
    static struct loop_source signals;
    struct arguments a = {WIRE_QUERY_SOCKET, WIRE_LOG_SOCKET, NULL, -1, -1, false};
    AUTO_BUF struct buf text = BUF_INIT;
    struct err e = {0};

    log_init("memlogd", LOG_LEVEL_NOTICE);
    m.config = (struct memlogd_config){.max_lines = 5000, .max_line_len = 1024, .max_bytes = MAX_BYTES};
    bool step = argc > 0 && strstr(argv[0], "logging");
    int r = parse(argv, &text, &a, &m.config, &e);
    if (r == -ECANCELED)
        return 0;
    bool ours = step && access("/run/keelson", F_OK) == 0;
    if (!r && ours && wait_for_ours(&a))
        return 0;
    if (!r && ours) /* a second one would only be in the way of the one that comes */
        r = err_set(&e, -ETIMEDOUT, "the memlogd that PID 1 has started does not answer yet");
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
