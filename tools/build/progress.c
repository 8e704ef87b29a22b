/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/build/progress.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/fdutil.h"

#define FIRST_MS 1000
#define REDRAW_MS 250
#define TEXT_MAX 120

struct progress_line {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char name[TEXT_MAX];
    struct timespec since;
    /* under the lock */
    char what[TEXT_MAX];
    bool stop, drawn;
};

static void add_ms(struct timespec *t, long ms) {
    t->tv_sec += ms / 1000;
    t->tv_nsec += ms % 1000 * 1000000;
    if (t->tv_nsec >= 1000000000) {
        t->tv_sec++;
        t->tv_nsec -= 1000000000;
    }
}

static void draw(struct progress_line *p) {
    struct timespec now;
    char line[2 * TEXT_MAX + 64];

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int n = snprintf(line, sizeof(line), "\r%s: %s, %lld s\033[K", p->name, p->what,
                     (long long)(now.tv_sec - p->since.tv_sec));
    if (n > 0)
        (void)write_full(STDERR_FILENO, line, (size_t)n);
    p->drawn = true;
}

static void *draw_often(void *data) {
    struct progress_line *p = data;
    struct timespec next = p->since;

    (void)pthread_mutex_lock(&p->lock);
    add_ms(&next, FIRST_MS);
    while (!p->stop)
        if (pthread_cond_timedwait(&p->changed, &p->lock, &next) == ETIMEDOUT) {
            draw(p);
            add_ms(&next, REDRAW_MS);
        }
    if (p->drawn)
        (void)write_full(STDERR_FILENO, "\r\033[K", 4);
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct progress_line *progress_line_start(const char *name, bool quiet) {
    AUTO_FREE struct progress_line *p = quiet || !isatty(STDERR_FILENO) ? NULL : calloc(1, sizeof(*p));
    pthread_condattr_t monotonic;

    if (!p || pthread_condattr_init(&monotonic) != 0)
        return NULL;
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)clock_gettime(CLOCK_MONOTONIC, &p->since);
    (void)snprintf(p->name, sizeof(p->name), "%s", name);
    (void)snprintf(p->what, sizeof(p->what), "reading");
    if (pthread_create(&p->thread, NULL, draw_often, p) != 0)
        return NULL;
    return steal_ptr(&p);
}

void progress_part(struct progress_line *p, size_t i, size_t len, const char *what) {
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    (void)snprintf(p->what, sizeof(p->what), "%s (%zu of %zu)", what, i + 1, len);
    (void)pthread_mutex_unlock(&p->lock);
}

void progress_finish(struct progress_line *p, const char *what) {
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    (void)snprintf(p->what, sizeof(p->what), "writing %s", what);
    (void)pthread_mutex_unlock(&p->lock);
}

void progress_line_end(struct progress_line *p) {
    (void)pthread_mutex_lock(&p->lock);
    p->stop = true;
    (void)pthread_cond_signal(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
    (void)pthread_join(p->thread, NULL);
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_cond_destroy(&p->changed);
    free(p);
}
