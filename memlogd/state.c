/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/state.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_MAGIC 0x6b6c6d656d6c6f68u
#define STATE_ALIGN 4096u
#define RING_BYTES_MAX ((uint64_t)1 << 31)

/* At the beginning of the memory. */
struct shape {
    uint64_t magic, max_line_len, ring_bytes;
    uint64_t intake_bytes; /* follows from max_line_len, in this version of the program */
};

/* A state that is mapped. */
struct mapping {
    char *area;
    size_t size;
    struct ring ring;
    struct intake intake;
};

static size_t aligned(size_t n) {
    return (n + STATE_ALIGN - 1) / STATE_ALIGN * STATE_ALIGN;
}

static struct shape shape_of(uint64_t max_line_len, uint64_t max_bytes) {
    return (struct shape){STATE_MAGIC, max_line_len, aligned((size_t)max_bytes),
                          aligned(intake_size((uint32_t)max_line_len))};
}

static size_t size_of(const struct shape *s) {
    return STATE_ALIGN + (size_t)s->intake_bytes + (size_t)s->ring_bytes;
}

/* True if this program could have made it. */
static bool read_shape(int fd, struct shape *s) {
    struct stat st;

    if (fstat(fd, &st) < 0 || pread(fd, s, sizeof(*s), 0) != (ssize_t)sizeof(*s) || s->max_line_len < 1 ||
        s->max_line_len > RING_MSG_MAX || s->ring_bytes < RING_BYTES_MIN || s->ring_bytes > RING_BYTES_MAX)
        return false;
    const struct shape own = shape_of(s->max_line_len, s->ring_bytes);
    return !memcmp(s, &own, sizeof(own)) && (uint64_t)st.st_size == size_of(s);
}

static int make(const struct shape *s) {
    AUTO_CLOSE int fd = memfd_create("memlogd", MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, (off_t)size_of(s)) < 0)
        return -errno;
    if (pwrite(fd, s, sizeof(*s), 0) != (ssize_t)sizeof(*s))
        return -EIO;
    return steal_fd(&fd);
}

static int map(int fd, const struct shape *s, uint32_t max_lines, int64_t now_ns, struct mapping *m) {
    m->size = size_of(s);
    m->area = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (m->area == MAP_FAILED)
        return -errno;
    (void)ring_init(&m->ring, m->area + STATE_ALIGN + s->intake_bytes, s->ring_bytes, max_lines);
    intake_init(&m->intake, m->area + STATE_ALIGN, (uint32_t)s->max_line_len, &m->ring);
    intake_recover(&m->intake, now_ns);
    return 0;
}

/* A new state with what is in the old one. Returns its descriptor. */
static int take_over(int old_fd, const struct shape *old_shape, const struct shape *shape, uint32_t max_lines,
                     int64_t now_ns, struct mapping *m, struct state_found *found) {
    struct mapping old;
    AUTO_CLOSE int fd = make(shape);

    int r = fd < 0 ? fd : map(old_fd, old_shape, UINT32_MAX, now_ns, &old);
    if (r < 0)
        return r;
    r = map(fd, shape, max_lines, now_ns, m);
    if (!r) {
        ring_copy(&m->ring, &old.ring);
        intake_copy(&m->intake, &old.intake);
        found->too_many = old.ring.lines - m->ring.lines;
    }
    (void)munmap(old.area, old.size);
    return r < 0 ? r : steal_fd(&fd);
}

int state_open(int *fd, const struct memlogd_config *c, struct ring *ring, struct intake *intake, int64_t now_ns,
               struct state_found *found, struct err *e) {
    const struct shape shape = shape_of((uint64_t)c->max_line_len, (uint64_t)c->max_bytes);
    uint32_t max_lines = (uint32_t)c->max_lines;
    struct shape old = {0};
    struct mapping m = {0};

    *found = (struct state_found){.unknown = *fd >= 0 && !read_shape(*fd, &old)};
    found->changed = *fd >= 0 && !found->unknown && memcmp(&old, &shape, sizeof(shape)) != 0;
    AUTO_CLOSE int other = found->changed              ? take_over(*fd, &old, &shape, max_lines, now_ns, &m, found)
                           : *fd < 0 || found->unknown ? make(&shape)
                                                       : -1;
    if (other < 0 && (found->changed || found->unknown || *fd < 0))
        return err_errno(e, other, "could not make room for %zu bytes of log", size_of(&shape));
    int r = found->changed ? 0 : map(other >= 0 ? other : *fd, &shape, max_lines, now_ns, &m);
    if (r < 0)
        return err_errno(e, r, "could not make room for %zu bytes of log", size_of(&shape));
    if (other >= 0) {
        if (*fd >= 0)
            (void)close(*fd);
        *fd = steal_fd(&other);
    }
    found->lines = m.ring.lines > 0;
    *ring = m.ring;
    *intake = m.intake;
    intake->ring = ring;
    return 0;
}
