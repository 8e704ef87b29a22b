/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive is read once, front to back, as it may be a pipe: every file becomes a blob, and at the end index.json (an
 * OCI layout) or manifest.json (docker save) says what they are. If it fails, what it brought goes again, unless
 * somebody else adds to the cache at the time, and may count on it: that is left to `cache gc`, as is what nobody
 * refers to.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/array.h"
#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/log.h"
#include "tools/cache/cache_priv.h"
#include "tools/cache/closure.h"
#include "tools/cache/partial.h"
#include "tools/image/image.h"
#include "tools/image/layout.h"
#include "tools/image/tar.h"

#define READ_BLOCK ((size_t)64 << 10)

const struct import_file *import_find(const struct import *im, const char *path) {
    for (size_t i = im->len; i-- > 0;)
        if (!strcmp(im->files[i].path, path))
            return &im->files[i];
    return NULL;
}

static int add_file(struct import *im, const char *path, struct import_file **out, struct err *e) {
    if (im->len == IMPORT_FILES_MAX)
        return err_set(e, -E2BIG, "it has more than %d files", IMPORT_FILES_MAX);
    if (ARRAY_ROOM(im->files, im->len, im->cap) < 0)
        return err_errno(e, -ENOMEM, "could not list its files");
    struct import_file *f = &im->files[im->len];
    *f = (struct import_file){.path = strdup(path)};
    if (!f->path)
        return err_errno(e, -ENOMEM, "could not list its files");
    im->len++;
    *out = f;
    return 0;
}

static void sniff(struct import_file *f, const unsigned char *data, size_t len) {
    f->gzip = len >= 2 && data[0] == 0x1f && data[1] == 0x8b;
    f->zstd = len >= 4 && !memcmp(data, "\x28\xb5\x2f\xfd", 4);
}

static int copy_blob(struct import_file *f, const struct entry_content *content, struct blob_writer *w, struct err *e) {
    char chunk[65536];
    bool first = true;
    ssize_t n;

    while ((n = content->read(content->ctx, chunk, sizeof(chunk), e)) > 0) {
        if (first)
            sniff(f, (const unsigned char *)chunk, (size_t)n);
        first = false;
        int r = blob_writer_write(w, chunk, (size_t)n, e);
        if (r < 0)
            return r;
    }
    return (int)n;
}

/* A path that is a digest must be the one of its contents. */
static int check_path(const struct import_file *f, struct err *e) {
    static const char dir[] = "blobs/sha256/";

    if (strncmp(f->path, dir, strlen(dir)) != 0 || !strcmp(f->path + strlen(dir), f->desc.digest + strlen("sha256:")))
        return 0;
    return err_set(e, -EBADMSG, "%s is damaged: its contents have digest %s", f->path, f->desc.digest);
}

static int take_file(struct import *im, const char *path, const struct entry_content *content, struct err *e) {
    struct import_file *f = NULL;
    struct blob_writer w;
    int r = add_file(im, path, &f, e);

    if (!r)
        r = blob_writer_open(&w, im->cache_dir, e);
    if (r < 0)
        return r;
    r = copy_blob(f, content, &w, e);
    if (r < 0) {
        blob_writer_abort(&w);
        return r;
    }
    r = blob_writer_finish(&w, f->desc.digest, &f->desc.size, e);
    return r < 0 ? r : check_path(f, e);
}

/* docker save writes a layer that several images share as a link to the first: ID/layer.tar -> ../OTHER/layer.tar */
static int take_link(struct import *im, const struct entry *entry, struct err *e) {
    const char *target = entry->link;
    struct import_file *f = NULL;

    while (!strncmp(target, "../", 3))
        target += 3;
    const struct import_file *old = import_find(im, target);
    if (!old)
        return 0;
    struct import_file copy = *old; /* add_file() may move the list */
    int r = add_file(im, entry->path, &f, e);
    if (!r) {
        copy.path = f->path;
        *f = copy;
    }
    return r;
}

static int on_entry(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    struct import *im = data;

    if (entry->type == ENTRY_FILE)
        return take_file(im, entry->path, content, e);
    return entry->type == ENTRY_SYMLINK || entry->type == ENTRY_HARDLINK ? take_link(im, entry, e) : 0;
}

static int read_tar(struct import *im, int fd, struct err *e) {
    struct archive *a = archive_read_new();
    int r;

    if (!a)
        return err_errno(e, -ENOMEM, "could not read it");
    if (archive_read_support_filter_gzip(a) != ARCHIVE_OK || archive_read_support_filter_zstd(a) != ARCHIVE_OK ||
        archive_read_support_filter_xz(a) != ARCHIVE_OK || archive_read_support_format_tar(a) != ARCHIVE_OK ||
        archive_read_support_format_empty(a) != ARCHIVE_OK || archive_read_open_fd(a, fd, READ_BLOCK) != ARCHIVE_OK)
        r = err_set(e, -EBADMSG, "it is not a tar archive: %s", archive_error_string(a));
    else
        r = tar_read(a, "it", on_entry, im, e);
    (void)archive_read_free(a);
    return r;
}

static ssize_t read_fd(void *ctx, void *data, size_t len, struct err *e) {
    ssize_t n = read_full(*(const int *)ctx, data, len);

    return n < 0 ? err_errno(e, (int)n, "could not read") : n;
}

static int read_path(struct import *im, const char *dir, const char *name, struct err *e) {
    AUTO_FREE char *path = path_join(dir, name);
    AUTO_CLOSE int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    const struct entry_content content = {read_fd, &fd};
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(e, path ? -errno : -ENOMEM, "could not open %s", name);
    /* A device may have no end. */
    return S_ISREG(st.st_mode) ? take_file(im, name, &content, e)
                               : err_set(e, -EINVAL, "%s is not a regular file", name);
}

static int read_folder(struct import *im, const char *dir, struct err *e) {
    AUTO_FREE char *blobs = path_join(dir, "blobs/sha256"), *index = path_join(dir, "index.json");
    AUTO_NAMES struct names names = {0};

    if (index && access(index, F_OK) < 0 && errno == ENOENT)
        return err_set(e, -ENOENT, "it is a folder without index.json, and so no OCI layout");
    int r = blobs && index ? list_dir(blobs, &names, e) : err_errno(e, -ENOMEM, "could not read it");

    for (size_t i = 0; i < names.len && !r; i++) {
        char name[128];
        (void)snprintf(name, sizeof(name), "blobs/sha256/%.100s", names.v[i]);
        if (*names.v[i] != '.')
            r = read_path(im, dir, name, e);
    }
    return r ? r : read_path(im, dir, "index.json", e);
}

int import_name(struct import *im, const struct blob_desc *desc, const char *name, struct err *e) {
    AUTO_FREE char *full = NULL;
    int r = image_ref_normalize(im->name ? im->name : name, &full, e);
    const char *const names[] = {full};
    const char *at = r ? NULL : strchr(full, '@');

    /* Docker's own store, from which nobody prints names, gives images other digests on the way. */
    if (at && im->names && strcmp(at + 1, desc->digest) != 0)
        r = err_set(e, -EBADMSG, "%s is not its digest, which is %s: give it another name with --name", full,
                    desc->digest);
    if (!r)
        r = layout_name(im->cache_dir, desc, names, 1, e);
    if (!r && im->names && fprintf(im->names, "%s\n", full) < 0)
        r = err_errno(e, -EIO, "could not write to standard output");
    return r;
}

static int import_entry(struct import *im, const json_t *entry, struct err *e) {
    AUTO_CLOSURE struct closure c = {0};
    const json_t *annotations = json_object_get(entry, "annotations");
    const char *name = json_string_value(json_object_get(annotations, "io.containerd.image.name"));
    struct blob_desc desc;
    int r = layout_entry(entry, &desc, e);

    if (r == -ENODATA) {
        log_warning("%s", e->msg);
        return 0;
    }
    if (!name)
        name = layout_entry_name(entry);
    if (!r && !name && !im->name)
        return err_set(e, -EINVAL, "it does not name its image %s: give it one with --name", desc.digest);
    if (!r)
        r = closure_add(&c, im->cache_dir, &desc, NULL, e);
    for (size_t i = 0; i < c.len && !r; i++)
        if (!c.v[i].there && (!c.v[i].manifest || !strcmp(c.v[i].desc.digest, desc.digest)))
            r = err_set(e, -EBADMSG, "it lacks blob %s", c.v[i].desc.digest);
    return r < 0 ? r : import_name(im, &desc, name, e);
}

static int load(const struct import *im, const char *path, json_t **doc, struct err *e) {
    const struct import_file *f = import_find(im, path);

    return f ? blob_load_json(im->cache_dir, &f->desc, doc, e) : -ENOENT;
}

static int finish(struct import *im, struct err *e) {
    AUTO_JSON json_t *index = NULL, *list = NULL;
    const json_t *manifests, *entry;
    size_t i;
    int r = load(im, "index.json", &index, e);

    if (r == -ENOENT) {
        r = load(im, "manifest.json", &list, e);
        return r == -ENOENT ? err_set(e, r, "it has neither index.json nor manifest.json: it holds no images")
               : r < 0      ? r
                            : import_docker(im, list, e);
    }
    if (r < 0)
        return r;
    manifests = json_object_get(index, "manifests");
    if (json_array_size(manifests) == 0)
        return err_set(e, -EINVAL, "its index.json lists no images");
    if (im->name && json_array_size(manifests) > 1)
        return err_set(e, -EINVAL, "it has %zu images, and --name is for one", json_array_size(manifests));
    json_array_foreach(manifests, i, entry) {
        if (!r)
            r = import_entry(im, entry, e);
    }
    return r;
}

static int read_source(struct import *im, const char *source, struct err *e) {
    struct stat st;

    if (!strcmp(source, "-"))
        return read_tar(im, STDIN_FILENO, e);
    AUTO_CLOSE int fd = open(source, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(e, -errno, "could not open it");
    return S_ISDIR(st.st_mode) ? read_folder(im, source, e) : read_tar(im, fd, e);
}

static int drop(const struct import *im, int users, int code, struct err *e) {
    bool alone = flock(users, LOCK_EX | LOCK_NB) == 0;

    if ((!alone || cache_drop(im->cache_dir, im->files, im->len, NULL) < 0) && im->len && e) {
        struct err why = *e;
        return err_set(e, code, "%s; what came of it stays until keelson cache gc", why.msg);
    }
    return code;
}

int cache_import(const char *cache_dir, const char *source, const char *name, FILE *names, struct err *e) {
    struct import im = {.cache_dir = cache_dir, .name = name, .names = names};
    AUTO_CLOSE int users = cache_lock(cache_dir, CACHE_USERS, true, e);
    int r = users < 0 ? users : read_source(&im, source, e);

    if (!r)
        r = finish(&im, e);
    if (r < 0 && users >= 0)
        r = drop(&im, users, r, e);
    for (size_t i = 0; i < im.len; i++)
        free(im.files[i].path);
    free(im.files);
    return r < 0 ? err_wrap(e, r, "could not import %s", strcmp(source, "-") ? source : "standard input") : 0;
}
