/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/build/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "tools/image/blob.h"

#define NEW_PREFIX ".new.keelson-" /* as temp_file_make() has it */

static uint64_t bound(void) {
    const char *word = getenv("KEELSON_SEGMENTS_MIB");
    uint64_t mib = STORE_MIB;

    if (word && *word && parse_u64(word, (uint64_t)1 << 30, &mib) < 0) {
        log_warning("could not understand KEELSON_SEGMENTS_MIB=%s: want a number of MiB; taking %d", word, STORE_MIB);
        mib = STORE_MIB;
    }
    return mib << 20;
}

int store_open(struct store *s, const char *cache_dir, bool anew, struct err *e) {
    AUTO_FREE char *dir = path_join(cache_dir, STORE_FOLDER);

    *s = (struct store){.max = bound()};
    if (!dir)
        return err_errno(e, -ENOMEM, "could not open the cache");
    if (!anew && mkdir_p(dir, 0755, NULL) == 0 && access(dir, W_OK) == 0) {
        s->dir = steal_ptr(&dir);
        return 0;
    }
    if (!anew)
        log_debug("%s cannot be written to: parts of initrds are not kept", dir);
    int r = temp_dir_make(&s->temporary, NULL, "keelson-segments.", e);
    if (r < 0)
        return r;
    s->dir = strdup(s->temporary.path);
    return s->dir ? 0 : err_errno(e, -ENOMEM, "could not open a temporary folder");
}

void store_close(struct store *s) {
    struct err e = {0};
    uint64_t freed = 0;
    size_t removed = 0;

    if (s->dir && !*s->temporary.path && store_trim(s->dir, s->max, &freed, &removed, &e) < 0)
        log_warning("%s", e.msg);
    temp_dir_remove(&s->temporary);
    free(s->dir);
    s->dir = NULL;
}

int store_name(const char *key, char *name, struct err *e) {
    char digest[DIGEST_MAX] = "";
    EVP_MD_CTX *hash = digest_new();
    int r = hash && EVP_DigestUpdate(hash, key, strlen(key)) == 1 ? digest_final(hash, digest, e)
                                                                  : err_errno(e, -ENOMEM, "could not start sha256");

    EVP_MD_CTX_free(hash);
    (void)snprintf(name, STORE_NAME_LEN + 1, "%.*s", STORE_NAME_LEN, r ? "" : digest + strlen("sha256:"));
    return r;
}

int store_find(const struct store *s, const char *name) {
    AUTO_FREE char *path = path_join(s->dir, name);
    AUTO_CLOSE int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY) : -1;
    struct stat st;

    if (fd < 0)
        return -ENOENT;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        log_warning("%s is damaged (it is no file): it is made anew", path);
        return -ENOENT;
    }
    if (futimens(fd, NULL) < 0)
        log_debug("could not mark %s as used: %s", path, strerror(errno));
    return steal_fd(&fd);
}

int store_begin(const struct store *s, char **path, struct err *e) {
    AUTO_FREE char *new = path_join(s->dir, "new");
    int fd = new ? temp_file_make(new, path) : -ENOMEM;

    return fd < 0 ? err_errno(e, fd, "could not create a file in %s", s->dir) : fd;
}

int store_keep(const struct store *s, const char *path, const char *name, struct err *e) {
    AUTO_FREE char *to = path_join(s->dir, name);
    int r = to ? temp_file_keep(path, to, 0644) : -ENOMEM;

    return r < 0 ? err_errno(e, r, "could not keep %s/%s", s->dir, name) : 0;
}

struct kept {
    char *path;
    uint64_t size;
    struct timespec used;
};

static int by_use(const void *a, const void *b) {
    const struct kept *x = a, *y = b;

    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    return x->used.tv_nsec < y->used.tv_nsec ? -1 : x->used.tv_nsec > y->used.tv_nsec;
}

/* What has gone. */
struct gone {
    uint64_t bytes;
    size_t files;
};

/* Somebody else may be faster. */
static void remove_kept(const struct kept *k, struct gone *gone) {
    if (unlink(k->path) < 0)
        return;
    gone->bytes += k->size;
    gone->files++;
}

/* A new file whose lock is free is a dead build's. */
static void remove_dead(const struct kept *k, struct gone *gone) {
    AUTO_CLOSE int fd = open(k->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        remove_kept(k, gone);
}

static int look(const char *dir, const struct names *names, struct kept *v, size_t *len, struct gone *gone,
                struct err *e) {
    for (size_t i = 0; i < names->len; i++) {
        struct kept k = {.path = path_join(dir, names->v[i])};
        struct stat st;
        if (!k.path)
            return err_errno(e, -ENOMEM, "could not clean up %s", dir);
        if (lstat(k.path, &st) < 0 || !S_ISREG(st.st_mode)) {
            free(k.path);
            continue;
        }
        k.size = (uint64_t)st.st_size;
        k.used = st.st_mtim;
        if (!strncmp(names->v[i], NEW_PREFIX, strlen(NEW_PREFIX))) {
            remove_dead(&k, gone);
            free(k.path);
        } else {
            v[(*len)++] = k;
        }
    }
    return 0;
}

int store_trim(const char *dir, uint64_t max, uint64_t *freed, size_t *removed, struct err *e) {
    AUTO_NAMES struct names names = {0};
    struct gone gone = {0, 0};
    uint64_t total = 0;
    size_t len = 0;
    int r = list_dir(dir, &names, e);

    if (r < 0)
        return r == -ENOENT ? 0 : r;
    AUTO_FREE struct kept *v = calloc(names.len + 1, sizeof(*v));
    r = v ? look(dir, &names, v, &len, &gone, e) : err_errno(e, -ENOMEM, "could not clean up %s", dir);
    if (!r)
        qsort(v, len, sizeof(*v), by_use);
    for (size_t i = 0; i < len; i++)
        total += v[i].size;
    for (size_t i = 0; i < len && !r && total > max; i++) {
        remove_kept(&v[i], &gone);
        total -= v[i].size;
    }
    for (size_t i = 0; i < len; i++)
        free(v[i].path);
    *freed = gone.bytes;
    *removed = gone.files;
    return r;
}
