/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/debian.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/spawn.h"
#include "tools/image/tar.h"

#define PACKAGES_MAX 256
#define APT_OUTPUT_MAX ((size_t)1 << 20)
#define APT_TIMEOUT_MS (10 * 60 * 1000)
#define CONTROL_MAX ((size_t)1 << 20)

/* --- fetching --- */

static int run_apt(const char *const *argv, const char *cwd, struct buf *out, struct err *e) {
    char aside[] = "/tmp/keelson-apt.XXXXXX";
    char reason[96];
    int status = 0;

    AUTO_CLOSE int fd = mkostemp(aside, O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, -errno, "could not create %s", aside);
    (void)unlink(aside);
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.cwd = cwd;
    s.stdout_fd = fd;
    int r = spawn_wait(&s, APT_TIMEOUT_MS, &status, e);
    if (r < 0)
        return err_wrap(e, r, "could not ask apt for packages");
    if (status != 0)
        return err_set(e, -EIO,
                       "could not ask apt for packages: apt-get %s; see its words above, and try apt-get update",
                       exit_reason(status, reason, sizeof(reason)));
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(e, -errno, "could not read apt-get's output");
    for (;;) {
        void *room = buf_reserve(out, 65536);
        ssize_t n = room ? read_full(fd, room, 65536) : -E2BIG;
        if (n < 0)
            return err_errno(e, (int)n, "could not read apt-get's output");
        buf_commit(out, (size_t)n);
        if (n == 0)
            return 0;
    }
}

static int apt_download(bool print_only, const char *dir, const char *const *packages, size_t len, struct buf *out,
                        struct err *e) {
    const char *argv[PACKAGES_MAX + 5] = {"apt-get", "-qq", "download"};
    size_t n = 3;

    if (len > PACKAGES_MAX)
        return err_set(e, -E2BIG, "%zu packages in one image: at most %d", len, PACKAGES_MAX);
    if (print_only)
        argv[n++] = "--print-uris";
    for (size_t i = 0; i < len; i++)
        argv[n++] = packages[i];
    return run_apt(argv, dir, out, e);
}

/* A line of --print-uris: 'URI' NAME_VERSION_ARCH.deb SIZE HASH. Cuts the file name out of it. */
static char *file_name_of(char *line) {
    char *start = strstr(line, "' ");
    char *end = start ? strchr(start + 2, ' ') : NULL;

    if (!end)
        return NULL;
    *end = '\0';
    return start + 2;
}

static int fill_deb(const char *dir, const char *package, const char *file, struct deb *deb, struct err *e) {
    const char *version = strchr(file, '_');
    const char *end = version ? strchr(version + 1, '_') : NULL;

    if (!end)
        return err_set(e, -EINVAL, "could not understand apt's file name %s", file);
    deb->package = strdup(package);
    deb->path = path_join(dir, file);
    deb->version = strndup(version + 1, (size_t)(end - version - 1));
    return deb->package && deb->path && deb->version ? 0 : err_errno(e, -ENOMEM, "could not fetch %s", package);
}

/* apt prints a line for each package, in an order of its own. */
static int match_lines(char *text, const char *dir, const char *const *packages, size_t len, struct deb *debs,
                       struct err *e) {
    char *save = NULL;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const char *file = file_name_of(line);
        for (size_t i = 0; file && i < len; i++) {
            size_t name_len = strlen(packages[i]);
            if (debs[i].path || strncmp(file, packages[i], name_len) != 0 || file[name_len] != '_')
                continue;
            int r = fill_deb(dir, packages[i], file, &debs[i], e);
            if (r < 0)
                return r;
        }
    }
    for (size_t i = 0; i < len; i++)
        if (!debs[i].path)
            return err_set(e, -ENOENT, "could not find package %s: apt names no file for it", packages[i]);
    return 0;
}

int debian_fetch(const char *deb_dir, const char *const *packages, size_t len, struct deb *debs, struct err *e) {
    AUTO_BUF struct buf text = {.max = APT_OUTPUT_MAX};
    AUTO_BUF struct buf ignored = {.max = APT_OUTPUT_MAX};
    AUTO_FREE const char **missing = calloc(len + 1, sizeof(*missing));
    size_t missing_len = 0;

    memset(debs, 0, len * sizeof(*debs));
    if (!missing)
        return err_errno(e, -ENOMEM, "could not fetch packages");
    int r = mkdir_p(deb_dir, 0755, e);
    /* apt says nothing of files that lie in its working directory already. */
    if (!r)
        r = apt_download(true, "/", packages, len, &text, e);
    if (!r)
        r = match_lines(text.data ? text.data : (char[]){""}, deb_dir, packages, len, debs, e);
    for (size_t i = 0; i < len && !r; i++)
        if (access(debs[i].path, R_OK) < 0)
            missing[missing_len++] = packages[i];
    if (!r && missing_len > 0)
        r = apt_download(false, deb_dir, missing, missing_len, &ignored, e);
    if (r < 0)
        debs_free(debs, len);
    return r;
}

void debs_free(struct deb *debs, size_t len) {
    for (size_t i = 0; i < len; i++) {
        free(debs[i].package);
        free(debs[i].path);
        free(debs[i].version);
        debs[i] = (struct deb){0};
    }
}

/* --- reading: an ar archive with control.tar.* and data.tar.* in it --- */

struct member {
    struct archive *ar;
    char chunk[65536];
};

static la_ssize_t on_read(struct archive *a, void *data, const void **bytes) {
    struct member *m = data;
    la_ssize_t n = archive_read_data(m->ar, m->chunk, sizeof(m->chunk));

    if (n < 0)
        archive_set_error(a, EIO, "%s", archive_error_string(m->ar));
    *bytes = m->chunk;
    return n;
}

/* Goes to the member whose name starts with the prefix. */
static int find_member(struct archive *ar, const char *prefix, const char *path, struct err *e) {
    struct archive_entry *ae;

    while (archive_read_next_header(ar, &ae) == ARCHIVE_OK) {
        const char *name = archive_entry_pathname(ae);
        if (name && !strncmp(name, prefix, strlen(prefix)))
            return 0;
    }
    return err_set(e, -EBADMSG, "could not read %s: it has no %s", path, prefix);
}

static int walk_member(struct member *m, const char *path, entry_fn *fn, void *data, struct err *e) {
    struct archive *tar = archive_read_new();
    int r = 0;

    if (!tar || archive_read_support_format_tar(tar) != ARCHIVE_OK ||
        archive_read_support_filter_all(tar) < ARCHIVE_WARN ||
        archive_read_open(tar, m, NULL, on_read, NULL) != ARCHIVE_OK)
        r = err_set(e, -EBADMSG, "could not read %s: %s", path, tar ? archive_error_string(tar) : strerror(ENOMEM));
    if (!r)
        r = tar_read(tar, path, fn, data, e);
    if (tar)
        (void)archive_read_free(tar);
    return r;
}

static int walk_part(const struct deb *deb, const char *part, entry_fn *fn, void *data, struct err *e) {
    AUTO_FREE struct member *m = calloc(1, sizeof(*m));
    int r = 0;

    if (!m || !(m->ar = archive_read_new()))
        return err_errno(e, -ENOMEM, "could not read %s", deb->path);
    if (archive_read_support_format_ar(m->ar) != ARCHIVE_OK ||
        archive_read_open_filename(m->ar, deb->path, 65536) != ARCHIVE_OK)
        r = err_set(e, -EIO, "could not read %s: %s", deb->path, archive_error_string(m->ar));
    if (!r)
        r = find_member(m->ar, part, deb->path, e);
    if (!r)
        r = walk_member(m, deb->path, fn, data, e);
    (void)archive_read_free(m->ar);
    return r;
}

int deb_walk(const struct deb *deb, entry_fn *fn, void *data, struct err *e) {
    return walk_part(deb, "data.tar", fn, data, e);
}

static int take_control(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct buf *out = data;

    if (strcmp(entry->path, "control") != 0 || !content)
        return 0;
    if (entry->size > CONTROL_MAX)
        return err_set(e, -EFBIG, "its control file is larger than %zu bytes", CONTROL_MAX);
    char *room = buf_reserve(out, entry->size);
    if (!room)
        return err_errno(e, -ENOMEM, "could not read a control file");
    for (uint64_t done = 0; done < entry->size;) {
        ssize_t n = content->read(content->ctx, room + done, entry->size - done, e);
        if (n <= 0)
            return n < 0 ? (int)n : err_set(e, -EBADMSG, "its control file is cut off");
        done += (uint64_t)n;
    }
    buf_commit(out, entry->size);
    return 0;
}

int deb_control(const struct deb *deb, struct buf *out, struct err *e) {
    size_t before = out->len;
    int r = walk_part(deb, "control.tar", take_control, out, e);

    if (!r && out->len == before)
        r = err_set(e, -EBADMSG, "could not read %s: it has no control file", deb->path);
    return r;
}
