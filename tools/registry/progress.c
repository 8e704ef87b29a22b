/* SPDX-License-Identifier: Apache-2.0 */
/* A line for each layer on the way, redrawn in place on a terminal at most ten times a second. */
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/buf.h"
#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "tools/registry/registry_priv.h"

#define DRAW_MS 100
#define BAR_WIDTH 30u
#define LINES_MAX 16u

struct progress {
    pthread_mutex_t lock;
    const struct blob_desc *blobs;
    uint64_t *done;
    size_t len;
    unsigned lines; /* drawn last time */
    uint64_t drawn_ms;
    bool titled;
    char title[256];
};

struct progress *progress_new(const char *title, const struct blob_desc *blobs, size_t len) {
    if (!log_shows(LOG_LEVEL_NOTICE) || !isatty(STDERR_FILENO))
        return NULL;
    struct progress *p = calloc(1, sizeof(*p));
    if (p)
        p->done = calloc(len, sizeof(*p->done));
    if (!p || !p->done || pthread_mutex_init(&p->lock, NULL) != 0) {
        if (p)
            free(p->done);
        free(p);
        return NULL;
    }
    p->blobs = blobs;
    p->len = len;
    p->drawn_ms = clock_ms();
    (void)snprintf(p->title, sizeof(p->title), "%s", title);
    return p;
}

static int draw_line(struct buf *out, const struct blob_desc *desc, uint64_t done) {
    unsigned filled = desc->size ? (unsigned)((double)done / (double)desc->size * BAR_WIDTH) : BAR_WIDTH;
    char bar[BAR_WIDTH + 1];

    filled = filled < BAR_WIDTH ? filled : BAR_WIDTH;
    memset(bar, '=', filled);
    memset(bar + filled, ' ', BAR_WIDTH - filled);
    bar[BAR_WIDTH] = '\0';
    return buf_printf(out, "\r\033[K%.12s [%s] %.1f/%.1f MB\n", desc->digest + strlen("sha256:"), bar,
                      (double)done / 1e6, (double)desc->size / 1e6);
}

/* Those on the way, and at the end all of them together in one line. */
static void draw(struct progress *p, bool last) {
    AUTO_BUF struct buf out = BUF_INIT;
    uint64_t done = 0, total = 0;
    unsigned lines = 0;
    int r = p->lines ? buf_printf(&out, "\033[%uA", p->lines) : 0;

    if (!p->titled)
        r |= buf_printf(&out, "%s\n", p->title);
    p->titled = true;
    for (size_t i = 0; i < p->len; i++) {
        done += p->done[i];
        total += p->blobs[i].size;
        if (!last && p->done[i] && p->done[i] < p->blobs[i].size && lines + 1 < LINES_MAX) {
            r |= draw_line(&out, &p->blobs[i], p->done[i]);
            lines++;
        }
    }
    r |= buf_printf(&out, "\r\033[K%zu layers: %.1f/%.1f MB\n\033[J", p->len, (double)done / 1e6, (double)total / 1e6);
    p->lines = lines + 1;
    if (!r)
        (void)write_full(STDERR_FILENO, out.data, out.len);
}

void progress_set(struct progress *p, size_t index, uint64_t bytes) {
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->done[index] = bytes;
    uint64_t now = clock_ms();
    if (now - p->drawn_ms >= DRAW_MS) {
        p->drawn_ms = now;
        draw(p, false);
    }
    (void)pthread_mutex_unlock(&p->lock);
}

void progress_free(struct progress *p) {
    if (!p)
        return;
    if (p->titled)
        draw(p, true);
    (void)pthread_mutex_destroy(&p->lock);
    free(p->done);
    free(p);
}
