/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder of .deb files. A file has its name there only after its SHA256 was seen to be the one of apt's list; it is
 * checked again before each use, since disks fill up and people copy caches. Who has something to fetch holds a lock on
 * the folder, so that builds at the same time fetch a package once; readers need none, since files come by rename.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/temp.h"
#include "tools/image/blob.h"
#include "tools/pkg/apt.h"
#include "tools/pkg/debian.h"

#define NEW_PREFIX ".new-"

static int hash_file(const char *path, char *digest, struct err *e) {
    char chunk[65536];
    ssize_t n;

    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, -errno, "could not open %s", path);
    EVP_MD_CTX *hash = digest_new();
    bool ok = hash != NULL;
    while ((n = read_full(fd, chunk, sizeof(chunk))) > 0 && ok)
        ok = EVP_DigestUpdate(hash, chunk, (size_t)n) == 1;
    int r = n < 0 ? err_errno(e, (int)n, "could not read %s", path)
            : ok  ? digest_final(hash, digest, e)
                  : err_errno(e, -ENOMEM, "could not hash %s", path);
    EVP_MD_CTX_free(hash);
    return r;
}

/* 0: the file is what apt's list says. -ENOENT: it is not there. -EBADMSG: it is something else. */
static int check(const char *path, const char *sha256, struct err *e) {
    char digest[DIGEST_MAX];

    int r = hash_file(path, digest, e);
    if (!r && strcmp(digest + strlen("sha256:"), sha256) != 0)
        r = err_set(e, -EBADMSG, "could not use %s: its SHA256 is not %s", path, sha256);
    return r;
}

/* Those that are missing or damaged, which `tell` reports; how many. */
static size_t find_missing(const struct deb *debs, size_t len, bool tell, const struct deb **missing) {
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        struct err e = {0};
        int r = check(debs[i].path, debs[i].sha256, &e);
        if (r < 0)
            missing[n++] = &debs[i];
        if (r < 0 && r != -ENOENT && tell)
            log_notice("%s; fetching it again", e.msg);
    }
    return n;
}

/* What an interrupted build left. The lock is ours, so nobody is at work in there. */
static void remove_leftovers(const char *deb_dir) {
    AUTO_NAMES struct names names = {0};

    if (list_dir(deb_dir, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.len; i++)
        if (!strncmp(names.v[i], NEW_PREFIX, strlen(NEW_PREFIX))) {
            struct temp_dir left;
            if (snprintf(left.path, sizeof(left.path), "%s/%s", deb_dir, names.v[i]) < (int)sizeof(left.path))
                temp_dir_remove(&left);
        }
}

static int take_in(const struct temp_dir *dir, const struct deb *deb, struct err *e) {
    AUTO_FREE char *fetched = path_join(dir->path, strrchr(deb->path, '/') + 1);

    if (!fetched)
        return err_errno(e, -ENOMEM, "could not fetch %s", deb->package);
    int r = check(fetched, deb->sha256, e);
    if (!r && rename(fetched, deb->path) < 0)
        r = err_errno(e, -errno, "could not create %s", deb->path);
    return r < 0 ? err_wrap(e, r, "could not fetch package %s", deb->package) : 0;
}

static int fetch(const char *deb_dir, const char *arch, const struct deb *const *missing, size_t len, struct err *e) {
    AUTO_FREE const char **names = calloc(len, sizeof(*names));
    AUTO_TEMP_DIR struct temp_dir dir = {""};

    if (!names)
        return err_errno(e, -ENOMEM, "could not fetch packages");
    for (size_t i = 0; i < len; i++)
        names[i] = missing[i]->package;
    int r = temp_dir_make(&dir, deb_dir, NEW_PREFIX, e);
    if (!r)
        r = apt_download(deb_dir, arch, dir.path, names, len, e);
    for (size_t i = 0; i < len && !r; i++)
        r = take_in(&dir, missing[i], e);
    return r;
}

static int fetch_missing(const char *deb_dir, const char *arch, const struct deb *debs, size_t len, struct err *e) {
    AUTO_FREE const struct deb **missing = calloc(len + 1, sizeof(*missing));

    if (!missing)
        return err_errno(e, -ENOMEM, "could not fetch packages");
    if (find_missing(debs, len, false, missing) == 0)
        return 0;
    AUTO_CLOSE int lock = open(deb_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return err_errno(e, -errno, "could not lock %s", deb_dir);
    remove_leftovers(deb_dir);
    /* Another build may have fetched them meanwhile. */
    size_t n = find_missing(debs, len, true, missing);
    return n > 0 ? fetch(deb_dir, arch, missing, n, e) : 0;
}

int debian_fetch(const char *deb_dir, const char *arch, const char *const *packages, size_t len, struct deb *debs,
                 struct err *e) {
    memset(debs, 0, len * sizeof(*debs));
    int r = mkdir_p(deb_dir, 0755, e);
    if (!r)
        r = apt_list(deb_dir, arch, packages, len, debs, e);
    if (!r)
        r = fetch_missing(deb_dir, arch, debs, len, e);
    if (r < 0)
        debs_free(debs, len);
    return r;
}

void debs_free(struct deb *debs, size_t len) {
    for (size_t i = 0; i < len; i++) {
        free(debs[i].package);
        free(debs[i].path);
        free(debs[i].version);
        free(debs[i].sha256);
        debs[i] = (struct deb){0};
    }
}
