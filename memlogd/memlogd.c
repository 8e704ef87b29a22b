/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/memlogd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/fdstore.h"
#include "lib/log.h"

#define STATE_MAGIC 0x6b6c6d656d6c6f67u
#define STATE_ALIGN 4096u
#define NAME_BUFFER 512 /* of a datagram; RING_SOURCE_MAX of it count */
#define FDS_MAX 253     /* what the kernel allows in one message */
#define REPORT_MS 1000  /* cuts and refusals are told together */

/* What the state was made for; another shape means another state. */
struct shape {
    uint64_t magic, max_line_len, ring_bytes, slots;
};

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
                                               .source_len = 7,
                                               .source = "memlogd",
                                               .msg_len = (uint32_t)len,
                                               .msg = text});
}

/* --- state --- */

static size_t aligned(size_t n) {
    return (n + STATE_ALIGN - 1) / STATE_ALIGN * STATE_ALIGN;
}

static struct shape shape_of(const struct memlogd_config *c) {
    return (struct shape){STATE_MAGIC, (uint64_t)c->max_line_len, aligned((size_t)c->max_bytes), INTAKE_SLOTS};
}

static bool has_shape(int fd, const struct shape *shape, size_t size) {
    struct stat st;
    struct shape found;

    return fd >= 0 && fstat(fd, &st) == 0 && (size_t)st.st_size == size &&
           pread(fd, &found, sizeof(found), 0) == (ssize_t)sizeof(found) && !memcmp(&found, shape, sizeof(found));
}

static int new_state(const struct shape *shape, size_t size) {
    AUTO_CLOSE int fd = memfd_create("memlogd", MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
        return -errno;
    if (pwrite(fd, shape, sizeof(*shape), 0) != (ssize_t)sizeof(*shape))
        return -EIO;
    return steal_fd(&fd);
}

int memlogd_open_state(struct memlogd *m, bool *kept, struct err *e) {
    struct shape shape = shape_of(&m->config);
    size_t intake_at = aligned(sizeof(shape));
    size_t ring_at = intake_at + aligned(intake_size((uint32_t)m->config.max_line_len));
    size_t size = ring_at + shape.ring_bytes;

    if (!has_shape(m->state_fd, &shape, size)) {
        if (m->state_fd >= 0)
            (void)close(m->state_fd);
        m->state_fd = new_state(&shape, size);
    }
    char *area = m->state_fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, m->state_fd, 0);
    if (area == MAP_FAILED)
        return err_errno(e, m->state_fd < 0 ? m->state_fd : -errno, "could not make room for %zu bytes of log", size);
    *kept = ring_init(&m->ring, area + ring_at, shape.ring_bytes, (uint32_t)m->config.max_lines);
    intake_init(&m->intake, area + intake_at, (uint32_t)m->config.max_line_len, &m->ring);
    intake_recover(&m->intake, now_ns());
    for (size_t i = 0; i < INTAKE_SLOTS; i++)
        m->sources[i] = (struct memlogd_source){.all = m, .fd = -1};
    return 0;
}

/* --- reports --- */

static void report_cuts(struct memlogd *m, unsigned slot) {
    uint64_t lines, bytes;

    intake_take_cuts(&m->intake, slot, &lines, &bytes);
    if (lines)
        memlogd_say(m, "%llu lines of %.*s cut: %llu bytes beyond %lld of a line lost", (unsigned long long)lines,
                    RING_SOURCE_MAX, intake_name(&m->intake, slot), (unsigned long long)bytes,
                    (long long)m->config.max_line_len);
}

static void on_report(struct loop_source *s, void *data) {
    struct memlogd *m = data;

    (void)s;
    for (unsigned i = 0; m->intake.cuts && i < INTAKE_SLOTS; i++)
        report_cuts(m, i);
    m->intake.cuts = false;
    if (m->refused)
        memlogd_say(m, "%llu more sources refused", (unsigned long long)m->refused);
    m->refused = 0;
    if (m->readers.refused != m->readers_told)
        memlogd_say(m, "%llu readers refused: there are %d already",
                    (unsigned long long)(m->readers.refused - m->readers_told), READERS_MAX);
    m->readers_told = m->readers.refused;
    readers_pump(&m->readers);
}

/* Whoever floods us with what is to be reported gets one report a second. */
static void report_later(struct memlogd *m) {
    if (!loop_has(&m->report) && loop_set_timer(&m->loop, &m->report, REPORT_MS, on_report, m) < 0)
        on_report(NULL, m);
}

static void on_reader_refused(void *data) {
    report_later(data);
}

static void refuse(struct memlogd *m, const char *name, size_t len, int why) {
    int shown = (int)(len < RING_SOURCE_MAX ? len : RING_SOURCE_MAX);

    if (loop_has(&m->report))
        m->refused++;
    else
        memlogd_say(m, "source %.*s refused: %s", shown, name,
                    why == -ENOSPC  ? "there are too many already"
                    : why == -EPERM ? "its descriptor is not one that can be waited for"
                                    : strerror(-why));
    report_later(m);
}

/* --- sources --- */

static void end_source(struct memlogd *m, unsigned slot) {
    struct memlogd_source *s = &m->sources[slot];

    intake_flush(&m->intake, slot, now_ns());
    report_cuts(m, slot);
    intake_end(&m->intake, slot);
    loop_remove(&m->loop, &s->source);
    (void)close(s->fd);
    s->fd = -1;
    if (m->store >= 0)
        (void)fdstore_remove(m->store, slot); /* else the next life finds an end of file */
}

static void on_source(struct loop_source *ls, uint32_t events, void *data) {
    struct memlogd_source *s = data;
    struct memlogd *m = s->all;
    unsigned slot = (unsigned)(s - m->sources);

    (void)ls;
    (void)events;
    ssize_t n = intake_read(&m->intake, slot, s->fd, now_ns());
    if (n == 0 || (n < 0 && n != -EAGAIN))
        end_source(m, slot);
    if (m->intake.cuts)
        report_later(m);
    readers_pump(&m->readers);
}

static int watch_source(struct memlogd *m, unsigned slot, int fd) {
    struct memlogd_source *s = &m->sources[slot];
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return flags < 0 ? -errno : -EBADF;
    int r = loop_add_fd(&m->loop, &s->source, fd, EPOLLIN, on_source, s);
    if (!r)
        s->fd = fd;
    return r;
}

void memlogd_adopt_source(struct memlogd *m, unsigned slot, int fd) {
    bool known = intake_taken(&m->intake, slot) && m->sources[slot].fd < 0;

    if (known && watch_source(m, slot, fd) == 0)
        return;
    (void)close(fd);
    if (slot < INTAKE_SLOTS && m->store >= 0)
        (void)fdstore_remove(m->store, slot);
}

static void add_source(struct memlogd *m, const char *name, size_t len, int fd) {
    int slot = intake_prepare(&m->intake, name, len);
    int r = slot < 0 ? slot : watch_source(m, (unsigned)slot, fd);

    if (r < 0) {
        (void)close(fd);
        refuse(m, name, len, r);
        return;
    }
    /* In this order: a slot that is taken has a descriptor that is kept. */
    if (m->store >= 0 && (r = fdstore_add(m->store, (uint32_t)slot, fd)) < 0)
        memlogd_say(m, "source %s will not outlive a restart: %s", intake_name(&m->intake, (unsigned)slot),
                    strerror(-r));
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
    readers_pump(&m->readers);
}

/* --- start and end --- */

static void keep(struct memlogd *m, uint32_t key, int fd) {
    int r = m->store < 0 ? 0 : fdstore_add(m->store, key, fd);

    if (r < 0)
        log_error("could not have a descriptor kept: %s", strerror(-r));
}

/* What was in the slots but whose descriptors did not come with it. */
static void end_orphans(struct memlogd *m) {
    for (unsigned i = 0; i < INTAKE_SLOTS; i++)
        if (intake_taken(&m->intake, i) && m->sources[i].fd < 0) {
            intake_flush(&m->intake, i, now_ns());
            report_cuts(m, i);
            intake_end(&m->intake, i);
        }
}

int memlogd_start(struct memlogd *m, struct err *e) {
    end_orphans(m);
    keep(m, MEMLOGD_KEY_STATE, m->state_fd);
    keep(m, MEMLOGD_KEY_LOG, m->log_fd);
    keep(m, MEMLOGD_KEY_QUERY, m->query_fd);
    int r = loop_add_fd(&m->loop, &m->log, m->log_fd, EPOLLIN, on_log_message, m);
    if (!r)
        r = readers_init(&m->readers, &m->loop, &m->ring, m->query_fd, (uint32_t)m->config.max_line_len);
    m->readers.on_refused = on_reader_refused;
    m->readers.refused_data = m;
    return r < 0 ? err_errno(e, r, "could not watch the sockets") : 0;
}

void memlogd_fini(struct memlogd *m) {
    for (unsigned i = 0; i < INTAKE_SLOTS; i++)
        if (m->sources[i].fd >= 0) {
            loop_remove(&m->loop, &m->sources[i].source);
            (void)close(m->sources[i].fd);
        }
    readers_fini(&m->readers);
    loop_remove(&m->loop, &m->log);
    loop_remove(&m->loop, &m->report);
    (void)close(m->state_fd);
    loop_fini(&m->loop);
}
