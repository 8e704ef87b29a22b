/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/containerd_log.h"

#include <string.h>

#include "lib/log.h"
#include "svcd/acts.h"

/* Something was written in one of the directories. */
static void on_written(void *data) {
    const struct containerd_log *l = data;

    for (size_t i = 0; i < CONTAINERD_LOGS; i++) {
        const char *path = l->files[i].path;
        uint64_t kept, lost;
        struct err e = {0};
        int r = path ? logbound_cut(path, SERVICE_LOG_MAX, &kept, &lost, &e) : 0;
        if (r < 0 || *e.msg)
            log_warning("%s", e.msg);
        if (r > 0 && lost > 0)
            log_warning("containerd writes more than %s can hold: %llu bytes are lost, %llu are in %s.0", path,
                        (unsigned long long)lost, (unsigned long long)kept, path);
    }
}

static void watch_file(struct containerd_log *l, size_t i, struct loop *loop, const char *to) {
    const char *slash = to && *to == '/' ? strrchr(to, '/') : NULL;
    struct err e = {0};

    if (!slash || slash == to || (i > 0 && l->files[0].path && !strcmp(l->files[0].path, to)))
        return;
    l->files[i].path = strdup(to);
    l->files[i].dir = strndup(to, (size_t)(slash - to));
    if (!l->files[i].path || !l->files[i].dir) {
        log_warning("could not watch %s: out of memory", to);
        return;
    }
    logbound_init(&l->files[i].bound, loop, l->files[i].dir, on_written, l);
    if (logbound_watch(&l->files[i].bound, &e) < 0)
        log_warning("%s", e.msg);
}

void containerd_log_watch(struct containerd_log *l, struct loop *loop, const struct containerd_conf *conf) {
    const char *const to[CONTAINERD_LOGS] = {conf->stdout_to, conf->stderr_to};

    if (l->files[0].path || l->files[1].path)
        return;
    for (size_t i = 0; i < CONTAINERD_LOGS; i++)
        watch_file(l, i, loop, to[i]);
    on_written(l); /* what another svcd, or the life before, has left */
}

void containerd_log_fini(struct containerd_log *l) {
    for (size_t i = 0; i < CONTAINERD_LOGS; i++) {
        logbound_fini(&l->files[i].bound);
        free(l->files[i].path);
        free(l->files[i].dir);
    }
    *l = (struct containerd_log){0};
}
