/* SPDX-License-Identifier: Apache-2.0 */
/* An image as one tar: an OCI layout, what docker load reads, or its files. Written aside and renamed. */
#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/temp.h"
#include "tools/cache/cache_priv.h"
#include "tools/cache/closure.h"
#include "tools/cache/merge.h"
#include "tools/image/content.h"
#include "tools/image/image.h"
#include "tools/image/layout.h"
#include "tools/image/tar.h"

static int add_text(struct archive *a, const char *path, const char *text, struct err *e) {
    struct content_source source = content_text(path, text, strlen(text));
    const struct entry_content content = {content_read, &source};
    const struct entry entry = {.type = ENTRY_FILE, .path = path, .mode = 0644, .size = strlen(text)};

    return tar_write_entry(a, &entry, &content, e);
}

static int add_blob(struct archive *a, const char *cache_dir, const struct blob_desc *desc, struct err *e) {
    AUTO_FREE char *from = blob_path(cache_dir, desc->digest);
    AUTO_CLOSE int fd = from ? open(from, O_RDONLY | O_CLOEXEC) : -1;
    char path[128];

    if (fd < 0)
        return err_errno(e, from ? -errno : -ENOMEM, "could not open blob %s", desc->digest);
    (void)snprintf(path, sizeof(path), "blobs/sha256/%s", desc->digest + strlen("sha256:"));
    struct content_source source = content_fd(path, fd);
    const struct entry_content content = {content_read, &source};
    const struct entry entry = {.type = ENTRY_FILE, .path = path, .mode = 0644, .size = desc->size};
    return tar_write_entry(a, &entry, &content, e);
}

static int add_index(struct archive *a, const char *name, const struct blob_desc *root, struct err *e) {
    AUTO_JSON json_t *index =
        json_pack("{s:i, s:s, s:[{s:s, s:s, s:I, s:{s:s}}]}", "schemaVersion", 2, "mediaType",
                  "application/vnd.oci.image.index.v1+json", "manifests", "mediaType", root->media_type, "digest",
                  root->digest, "size", (json_int_t)root->size, "annotations", REF_NAME, name);
    AUTO_FREE char *text = index ? json_dumps(index, JSON_INDENT(2)) : NULL;

    return text ? add_text(a, "index.json", text, e) : err_errno(e, -ENOMEM, "could not write index.json");
}

/* name: in the cache; as: in the archive. */
struct order {
    const char *cache_dir, *name, *as, *arch;
};

static int export_oci(struct archive *a, const struct order *o, struct err *e) {
    AUTO_CLOSURE struct closure c = {0};
    struct blob_desc root;
    int r = layout_find(o->cache_dir, o->name, &root, e);

    if (!r && o->arch)
        r = index_narrow(o->cache_dir, o->arch, &root, e);
    if (!r)
        r = closure_add(&c, o->cache_dir, &root, NULL, e);
    if (!r && c.missing)
        r = err_set(e, -ENOENT, "the cache has it in part only: name one platform with --arch, or pull --arch all");
    if (!r)
        r = add_text(a, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}\n", e);
    if (!r)
        r = add_index(a, o->as, &root, e);
    for (size_t i = 0; i < c.len && !r; i++)
        r = add_blob(a, o->cache_dir, &c.v[i].desc, e);
    return r;
}

static int on_entry(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    return tar_write_entry(data, entry, content, e);
}

static int export_files(struct archive *a, const struct order *o, struct err *e) {
    AUTO_IMAGE struct image *img = NULL;
    int r = image_open(o->cache_dir, o->name, o->arch, &img, e);

    return r < 0 ? r : image_walk(img, on_entry, a, e);
}

static int export_for_docker(struct archive *a, const struct order *o, struct err *e) {
    return export_docker(a, o->cache_dir, o->name, o->as, o->arch, e);
}

static int write_tar(int fd, const struct order *o, enum export_format format, struct err *e) {
    static int (*const writers[])(struct archive *, const struct order *, struct err *) = {
        [EXPORT_OCI] = export_oci, [EXPORT_DOCKER] = export_for_docker, [EXPORT_FILESYSTEM] = export_files};
    struct archive *a = archive_write_new();
    int r;

    if (!a || archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
        /* Files may have any name; ours are ASCII, and GNU tar complains of the word. */
        (format == EXPORT_FILESYSTEM && archive_write_set_options(a, "hdrcharset=BINARY") != ARCHIVE_OK) ||
        tar_open_fd(a, &fd) < 0)
        r = err_errno(e, -ENOMEM, "could not write a tar");
    else
        r = writers[format](a, o, e);
    if (!r && archive_write_close(a) != ARCHIVE_OK)
        r = tar_error(a, "the end", e);
    if (r < 0 && a)
        (void)archive_write_fail(a); /* no end: a reader must not take it for a whole one */
    if (a)
        (void)archive_write_free(a);
    return r;
}

static int export_file(const struct order *o, enum export_format format, const char *out, struct err *e) {
    AUTO_CLOSE int special = temp_special_open(out);
    AUTO_FREE char *aside = NULL;

    if (special >= 0)
        return write_tar(special, o, format, e);
    if (special != -ENOENT)
        return err_errno(e, special, "could not open %s", out);
    AUTO_CLOSE int fd = temp_file_make(out, &aside);
    if (fd < 0)
        return err_errno(e, fd, "could not create %s", out);
    int r = write_tar(fd, o, format, e);
    if (!r) {
        r = temp_file_rename(aside, out);
        if (r < 0)
            (void)err_errno(e, r, "could not write %s", out);
    }
    if (r < 0)
        temp_file_remove(aside);
    return r;
}

int cache_export(const char *cache_dir, const char *ref, const char *arch, enum export_format format, const char *name,
                 const char *out, struct err *e) {
    AUTO_FREE char *full = NULL, *as = NULL;
    int r = image_ref_normalize(ref, &full, e);

    if (!r)
        r = image_ref_normalize(name ? name : ref, &as, e);
    const struct order o = {.cache_dir = cache_dir, .name = full, .as = as, .arch = arch};
    if (!r)
        r = strcmp(out, "-") ? export_file(&o, format, out, e) : write_tar(STDOUT_FILENO, &o, format, e);
    return r < 0 ? err_wrap(e, r, "could not export %s", ref) : 0;
}
