/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/memlogd.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>

#include "lib/log.h"
#include "memlogd/name.h"

#define NAME_BUFFER 512                 /* of a datagram; RING_SOURCE_MAX of it count */
#define FDS_MAX 253                     /* what the kernel allows in one message */
#define SYSLOG_TURN 64                  /* datagrams before others have their turn */
#define FDS_RESERVED (READERS_MAX + 16) /* not for sources; at most a quarter of all */
#define TICK_S 1                        /* cuts and refusals are told together */

static int64_t now_ns(void) {
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void memlogd_say(struct memlogd *m, const char *fmt, ...) {
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
    ring_append(&m->ring, &(struct ring_entry){.time_ns = now_ns(),
                                               .slot = RING_NO_SLOT,
                                               .source_len = sizeof(NAME_OWN) - 1,
                                               .source = NAME_OWN,
                                               .msg_len = (uint32_t)len,
                                               .msg = text});
}

/* --- what is done a little later, and told at most once a second --- */

static void report_cuts(struct memlogd *m, unsigned who) {
    struct intake_cuts c;

    if (intake_take_cuts(&m->intake, who, &c))
        memlogd_say(m, "%llu lines of %.*s cut: %llu bytes beyond %lld of a line lost", (unsigned long long)c.lines,
                    (int)c.name_len, c.name, (unsigned long long)c.bytes, (long long)m->config.max_line_len);
}

static void report_readers(struct memlogd *m) {
    const struct readers *rs = &m->readers;

    if (rs->refused != m->readers_told)
        memlogd_say(m, "%llu readers refused: there are %d already",
                    (unsigned long long)(rs->refused - m->readers_told), READERS_MAX);
    if (rs->refused_fds != m->readers_told_of_fds)
        memlogd_say(m, "%llu readers refused: too many descriptors are open",
                    (unsigned long long)(rs->refused_fds - m->readers_told_of_fds));
    m->readers_told = rs->refused;
    m->readers_told_of_fds = rs->refused_fds;
}

static void tick_later(struct memlogd *m) {
    const struct itimerspec when = {.it_value = {.tv_sec = TICK_S}};

    m->ticking = m->ticking || timerfd_settime(m->tick_fd, 0, &when, NULL) == 0;
}

static void on_tick(struct loop_source *s, uint32_t events, void *data) {
    struct memlogd *m = data;
    uint64_t expirations;

    (void)s;
    (void)events;
    if (read(m->tick_fd, &expirations, sizeof(expirations)) < 0)
        return;
    m->ticking = false;
    for (unsigned i = 0; m->intake.cuts && i < INTAKE_CUTS_MAX; i++)
        report_cuts(m, i);
    m->intake.cuts = false;
    if (m->refused)
        memlogd_say(m, "%llu more sources refused", (unsigned long long)m->refused);
    m->refused = 0;
    m->refusing = false;
    report_readers(m);
    readers_tick(&m->readers);
    keeper_retry(&m->keeper);
    intake_trim(&m->intake);
    if (m->keeper.untold_len > 0)
        tick_later(m);
    readers_pump(&m->readers);
}

static void on_wants_tick(void *data) {
    tick_later(data);
}

/* After something was read: there may be cuts to tell, and memory to give back. */
static void after_reading(struct memlogd *m) {
    if (m->intake.cuts || m->intake.touched)
        tick_later(m);
    readers_pump(&m->readers);
}

static void refuse(struct memlogd *m, const char *name, size_t len, int why) {
    char shown[RING_SOURCE_MAX];
    size_t shown_len = name_make(shown, NAME_FROM_LOG_SOCKET, name, len);

    if (m->refusing)
        m->refused++;
    else
        memlogd_say(m, "source %.*s refused: %s", (int)shown_len, shown,
                    why == -ENOSPC   ? "there are too many already"
                    : why == -EPERM  ? "its descriptor is no pipe and no socket"
                    : why == -ELOOP  ? "what memlogd writes would come back to it"
                    : why == -EMFILE ? "too many descriptors are open"
                                     : strerror(-why));
    m->refusing = true;
    tick_later(m);
}

/* --- sources --- */

static int descriptor_of(void *data, unsigned place) {
    const struct memlogd *m = data;

    switch (place) {
    case KEEPER_STATE:
        return m->state_fd;
    case KEEPER_LOG:
        return m->log_fd;
    case KEEPER_QUERY:
        return m->query_fd;
    case KEEPER_SYSLOG:
        return m->syslog_fd;
    default:
        return m->sources[place].fd;
    }
}

/* A slot is free for another source only when the next life cannot find the old one's descriptor any more. */
static void on_told(void *data, unsigned place, int error) {
    struct memlogd *m = data;

    if (error < 0)
        log_error("could not have a descriptor kept: %s", strerror(-error));
    if (place < INTAKE_SLOTS && m->sources[place].fd < 0)
        intake_end(&m->intake, place);
}

static void keep(struct memlogd *m, unsigned place) {
    keeper_change(&m->keeper, place);
    if (m->keeper.untold_len > 0)
        tick_later(m);
}

static void end_source(struct memlogd *m, unsigned slot, int why) {
    struct memlogd_source *s = &m->sources[slot];

    intake_flush(&m->intake, slot, now_ns());
    report_cuts(m, slot);
    if (why < 0)
        memlogd_say(m, "source %s ended: %s", intake_name(&m->intake, slot), strerror(-why));
    loop_remove(&m->loop, &s->source);
    receive_close(s->fd);
    s->fd = -1;
    keep(m, slot);
}

/* Of what has nothing though it is said to have (another one has read it, a socket has an error) no more is heard. */
static void set_quiet(struct memlogd_source *s, bool quiet) {
    if (s->quiet != quiet &&
        loop_modify_fd(&s->all->loop, &s->source, EPOLLIN | EPOLLRDHUP | (quiet ? EPOLLET : 0)) == 0)
        s->quiet = quiet;
}

static bool has_ended(const struct memlogd_source *s, ssize_t n, uint32_t events) {
    bool packets = s->kind == RECEIVE_PACKETS || s->kind == RECEIVE_DATAGRAMS; /* an empty one is no end */

    if (n == 0)
        return !packets || events & (EPOLLHUP | EPOLLRDHUP);
    return n < 0 && n != -EAGAIN && s->kind != RECEIVE_DATAGRAMS;
}

static void on_source(struct loop_source *ls, uint32_t events, void *data) {
    struct memlogd_source *s = data;
    struct memlogd *m = s->all;
    unsigned slot = (unsigned)(s - m->sources);

    (void)ls;
    ssize_t n = intake_read(&m->intake, slot, s->kind, s->fd, now_ns());
    if (has_ended(s, n, events))
        end_source(m, slot, (int)n);
    else
        set_quiet(s, n < 0);
    after_reading(m);
}

/* The other end of a connection to our own query socket: every line would make another one. */
static bool leads_back(const struct memlogd *m, int fd) {
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);

    return m->query_address.len > sizeof(sa_family_t) && getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
           len == m->query_address.len && !memcmp(&peer, &m->query_address.address, len);
}

static int watch_source(struct memlogd *m, unsigned slot, int fd) {
    struct memlogd_source *s = &m->sources[slot];
    int kind = receive_kind(fd);

    if (kind < 0 || leads_back(m, fd))
        return kind < 0 ? kind : -ELOOP;
    if (fd >= m->source_fds)
        return -EMFILE;
    int r = loop_add_fd(&m->loop, &s->source, fd, EPOLLIN | EPOLLRDHUP, on_source, s);
    if (r < 0)
        return r;
    s->fd = fd;
    s->kind = (enum receive_kind)kind;
    s->quiet = false;
    return 0;
}

void memlogd_adopt_source(struct memlogd *m, unsigned slot, int fd) {
    bool known = intake_taken(&m->intake, slot) && m->sources[slot].fd < 0;

    if (known && watch_source(m, slot, fd) == 0)
        return;
    receive_close(fd);
    if (slot < INTAKE_SLOTS)
        keep(m, slot);
}

static void add_source(struct memlogd *m, const char *name, size_t len, int fd) {
    int slot = intake_prepare(&m->intake, name, len);
    int r = slot < 0 ? slot : watch_source(m, (unsigned)slot, fd);

    if (r < 0) {
        receive_close(fd);
        refuse(m, name, len, r);
        return;
    }
    keep(m, (unsigned)slot); /* before it is taken: what is taken is kept, unless the keeper is stuck */
    intake_take(&m->intake, (unsigned)slot);
}

static void on_log_message(struct loop_source *s, uint32_t events, void *data) {
    static union {
        struct cmsghdr align;
        char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct memlogd *m = data;
    char name[NAME_BUFFER];
    struct iovec iov = {name, sizeof(name)};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space};

    (void)s;
    (void)events;
    h.msg_controllen = sizeof(control.space);
    ssize_t n = recvmsg(m->log_fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&h); /* the kernel makes one of all that was sent */
    bool rights = c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len >= CMSG_LEN(0);
    size_t fds = rights ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
    for (size_t i = 0; i < fds; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
        add_source(m, name, (size_t)n, fd);
    }
    if (h.msg_flags & MSG_CTRUNC)
        refuse(m, name, (size_t)n, -EMFILE); /* the kernel has dropped them */
    readers_pump(&m->readers);
}

static void on_syslog(struct loop_source *s, uint32_t events, void *data) {
    struct memlogd *m = data;
    ssize_t n = 0;

    (void)s;
    (void)events;
    for (int i = 0; i < SYSLOG_TURN && n >= 0; i++)
        n = intake_receive(&m->intake, m->syslog_fd, now_ns());
    after_reading(m);
}

/* --- start and end --- */

/* Sources do not get all descriptors: who reads the log wants to know why there are so many. */
static void reserve_fds(struct memlogd *m) {
    struct rlimit l = {.rlim_cur = INT_MAX};

    (void)getrlimit(RLIMIT_NOFILE, &l);
    rlim_t reserve = l.rlim_cur / 4 < FDS_RESERVED ? l.rlim_cur / 4 : FDS_RESERVED;
    m->source_fds = l.rlim_cur > INT_MAX ? INT_MAX : (int)(l.rlim_cur - reserve);
}

int memlogd_open_state(struct memlogd *m, struct state_found *found, struct err *e) {
    int r = state_open(&m->state_fd, &m->config, &m->ring, &m->intake, now_ns(), found, e);

    reserve_fds(m);
    for (size_t i = 0; i < INTAKE_SLOTS; i++)
        m->sources[i] = (struct memlogd_source){.all = m, .fd = -1};
    m->keeper.descriptor = descriptor_of;
    m->keeper.told = on_told;
    m->keeper.data = m;
    keeper_init(&m->keeper, &m->loop, m->store);
    return r;
}

/* What was in the slots but whose descriptors did not come with it. */
static void end_orphans(struct memlogd *m) {
    for (unsigned i = 0; i < INTAKE_SLOTS; i++)
        if (intake_taken(&m->intake, i) && m->sources[i].fd < 0) {
            intake_flush(&m->intake, i, now_ns());
            report_cuts(m, i);
            keep(m, i);
        }
}

static int start_tick(struct memlogd *m) {
    m->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return m->tick_fd < 0 ? -errno : loop_add_fd(&m->loop, &m->tick, m->tick_fd, EPOLLIN, on_tick, m);
}

static int listen_to_all(struct memlogd *m) {
    int r = loop_add_fd(&m->loop, &m->log, m->log_fd, EPOLLIN, on_log_message, m);

    if (!r && m->syslog_fd >= 0)
        r = loop_add_fd(&m->loop, &m->syslog, m->syslog_fd, EPOLLIN, on_syslog, m);
    if (!r)
        r = readers_init(&m->readers, &m->loop, &m->ring, m->query_fd);
    m->readers.wants_tick = on_wants_tick;
    m->readers.wants_tick_data = m;
    return r;
}

int memlogd_start(struct memlogd *m, struct err *e) {
    m->query_address.len = sizeof(m->query_address.address);
    if (getsockname(m->query_fd, (struct sockaddr *)&m->query_address.address, &m->query_address.len) < 0)
        m->query_address.len = 0;
    int r = start_tick(m);
    if (!r)
        r = listen_to_all(m);
    if (r < 0)
        return err_errno(e, r, "could not watch the sockets");
    end_orphans(m);
    for (unsigned place = KEEPER_STATE; place < KEEPER_PLACES; place++)
        if (descriptor_of(m, place) >= 0)
            keep(m, place);
    tick_later(m); /* what the life before has not told yet */
    return 0;
}
