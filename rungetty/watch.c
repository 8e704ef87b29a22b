/* SPDX-License-Identifier: Apache-2.0 */
#include "rungetty/watch.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS_BYTES 4096

static void on_events(struct loop_source *s, uint32_t events, void *data) {
    struct watch *w = data;
    char names[EVENTS_BYTES] __attribute__((aligned(8)));
    ssize_t n;

    (void)events;
    do
        n = read(s->fd, names, sizeof(names)); /* which ones does not matter: all are looked at */
    while (n > 0 || (n < 0 && errno == EINTR));
    w->fn(w->data);
}

int watch_start(struct watch *w, struct loop *l, const char *dir, watch_fn *fn, void *data) {
    *w = (struct watch){.fn = fn, .data = data};
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0)
        return -errno;
    int r = inotify_add_watch(w->fd, dir, IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR) < 0 ? -errno : 0;
    if (!r)
        r = loop_add_fd(l, &w->source, w->fd, EPOLLIN, on_events, w);
    if (r < 0)
        watch_stop(w, l);
    return r;
}

void watch_stop(struct watch *w, struct loop *l) {
    loop_remove(l, &w->source);
    if (w->fd >= 0)
        (void)close(w->fd);
    w->fd = -1;
}
