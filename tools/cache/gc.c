/* SPDX-License-Identifier: Apache-2.0 */
/* What goes: blobs that no name reaches, what is left of transfers, everything. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/log.h"
#include "tools/build/store.h"
#include "tools/cache/cache_priv.h"
#include "tools/cache/closure.h"
#include "tools/cache/partial.h"
#include "tools/image/layout.h"

struct sweep {
    const char **keep; /* sorted */
    size_t keep_len;
    struct swept *done;
};

static int compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_one_of(const json_t *entry, const char *const *keys, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (layout_entry_is(entry, keys[i]))
            return true;
    return false;
}

static int reach_all(const char *cache_dir, const char *const *but, size_t len, struct closure *c, struct err *e) {
    AUTO_JSON json_t *index = NULL;
    const json_t *entry;
    struct blob_desc desc;
    size_t i;
    int r = layout_load(cache_dir, &index, e);

    json_array_foreach(json_object_get(index, "manifests"), i, entry) {
        if (is_one_of(entry, but, len))
            continue;
        r = layout_entry(entry, &desc, e);
        if (r == -ENODATA) {
            log_warning("%s", e->msg);
            r = 0;
            continue;
        }
        if (!r)
            r = closure_add(c, cache_dir, &desc, NULL, e);
        if (r < 0)
            return err_wrap(e, r, "could not tell what %s needs, so nothing is removed (see cache verify)",
                            layout_entry_name(entry) ? layout_entry_name(entry) : "an image");
    }
    return r;
}

/* The digests' hex digits, sorted, of what is to stay; they are the closure's. */
static int list_kept(struct sweep *s, const struct closure *c) {
    s->keep = calloc(c->len + 1, sizeof(*s->keep));
    if (!s->keep)
        return -ENOMEM;
    for (size_t i = 0; i < c->len; i++)
        s->keep[s->keep_len++] = c->v[i].desc.digest + strlen("sha256:");
    qsort(s->keep, s->keep_len, sizeof(*s->keep), compare);
    return 0;
}

static bool is_kept(const struct sweep *s, const char *hex) {
    return bsearch(&hex, s->keep, s->keep_len, sizeof(*s->keep), compare) != NULL;
}

static int remove_file(struct swept *s, const char *path, struct err *e) {
    struct stat st;

    if (lstat(path, &st) < 0 || unlink(path) < 0)
        return errno == ENOENT ? 0 : err_errno(e, -errno, "could not remove %s", path);
    s->freed += (uint64_t)st.st_size;
    s->removed++;
    return 0;
}

static int sweep_blobs(struct sweep *s, const char *cache_dir, struct err *e) {
    AUTO_FREE char *dir = path_join(cache_dir, "blobs/sha256");
    AUTO_NAMES struct names names = {0};
    int r = dir ? list_dir(dir, &names, e) : err_errno(e, -ENOMEM, "could not clean up %s", cache_dir);

    if (r == -ENOENT)
        return 0;
    for (size_t i = 0; i < names.len && !r; i++) {
        const char *name = names.v[i];
        if (is_kept(s, name))
            continue;
        AUTO_FREE char *path = path_join(dir, name);
        r = path ? remove_file(s->done, path, e) : err_errno(e, -ENOMEM, "could not clean up %s", cache_dir);
    }
    return r;
}

/* Of transfers that broke off; locks of names lie there too, and are held only while somebody is at work. */
static int sweep_partials(struct sweep *s, const char *cache_dir, struct err *e) {
    AUTO_FREE char *dir = path_join(cache_dir, PARTIAL_DIR);
    AUTO_NAMES struct names names = {0};
    int r = dir ? list_dir(dir, &names, e) : err_errno(e, -ENOMEM, "could not clean up %s", cache_dir);

    for (size_t i = 0; i < names.len && !r; i++) {
        if (strlen(names.v[i]) != 64)
            continue;
        AUTO_FREE char *path = path_join(dir, names.v[i]);
        AUTO_CLOSE int fd = path ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            r = remove_file(s->done, path, e);
    }
    return r;
}

int cache_sweep(const char *cache_dir, const char *const *but, size_t len, struct swept *done, struct err *e) {
    AUTO_CLOSURE struct closure c = {0};
    struct sweep s = {.done = done};
    int r = reach_all(cache_dir, but, len, &c, e);

    if (r < 0)
        return r;
    if (list_kept(&s, &c) < 0)
        return err_errno(e, -ENOMEM, "could not clean up %s", cache_dir);
    r = sweep_blobs(&s, cache_dir, e);
    if (!r)
        r = sweep_partials(&s, cache_dir, e);
    free(s.keep);
    return r;
}

int cache_drop(const char *cache_dir, const struct import_file *files, size_t len, struct err *e) {
    AUTO_CLOSURE struct closure c = {0};
    struct swept done = {0};
    struct sweep s = {.done = &done};
    int r = reach_all(cache_dir, NULL, 0, &c, e);

    if (!r && list_kept(&s, &c) < 0)
        r = err_errno(e, -ENOMEM, "could not clean up %s", cache_dir);
    for (size_t i = 0; i < len && !r; i++) {
        AUTO_FREE char *path = *files[i].desc.digest ? blob_path(cache_dir, files[i].desc.digest) : NULL;
        if (path && !is_kept(&s, files[i].desc.digest + strlen("sha256:")))
            r = remove_file(&done, path, e);
    }
    free(s.keep);
    return r;
}

/* Parts of initrds can be made again from the images. */
static int sweep_segments(const char *cache_dir, struct swept *s, struct err *e) {
    AUTO_FREE char *dir = path_join(cache_dir, STORE_FOLDER);
    uint64_t freed = 0;
    size_t removed = 0;
    int r = dir ? store_trim(dir, 0, &freed, &removed, e) : err_errno(e, -ENOMEM, "could not clean up %s", cache_dir);

    s->freed += freed;
    s->removed += removed;
    return r;
}

int cache_print_swept(const struct swept *s, struct err *e) {
    return printf("removed %zu files, %.1f MB\n", s->removed, (double)s->freed / 1e6) < 0
               ? err_errno(e, -EIO, "could not write to standard output")
               : 0;
}

int cache_gc(const char *cache_dir, struct err *e) {
    struct swept s = {0};

    AUTO_CLOSE int lock = cache_lock(cache_dir, CACHE_USERS, false, e);
    int r = lock < 0 ? lock : cache_sweep(cache_dir, NULL, 0, &s, e);
    return r < 0 ? r : cache_print_swept(&s, e);
}

int cache_clean(const char *cache_dir, struct err *e) {
    struct swept s = {0};
    AUTO_FREE char *index = path_join(cache_dir, "index.json");

    if (!index)
        return err_errno(e, -ENOMEM, "could not clean up %s", cache_dir);
    AUTO_CLOSE int lock = cache_lock(cache_dir, CACHE_USERS, false, e);
    int r = lock < 0 ? lock : remove_file(&s, index, e);
    if (!r)
        r = cache_sweep(cache_dir, NULL, 0, &s, e);
    if (!r)
        r = sweep_segments(cache_dir, &s, e);
    return r < 0 ? r : cache_print_swept(&s, e);
}
