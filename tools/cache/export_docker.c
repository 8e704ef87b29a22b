/* SPDX-License-Identifier: Apache-2.0 */
/* For docker load: layers are plain tars there, and a tar's header tells a size, so each is unpacked aside first. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/temp.h"
#include "tools/cache/cache_priv.h"
#include "tools/image/content.h"
#include "tools/image/image.h"
#include "tools/image/image_priv.h"
#include "tools/image/tar.h"

static la_ssize_t on_read(struct archive *a, void *data, const void **bytes) {
    struct err e = {0};
    ssize_t n = blob_reader_read(data, bytes, &e);

    if (n < 0)
        archive_set_error(a, (int)-n, "%s", e.msg);
    return n;
}

static int unpack(struct blob_reader *b, int fd, uint64_t *size, struct err *e) {
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    char chunk[65536];
    la_ssize_t n = -1;
    int r = 0;

    *size = 0;
    if (a && archive_read_support_filter_gzip(a) == ARCHIVE_OK && archive_read_support_filter_zstd(a) == ARCHIVE_OK &&
        archive_read_support_format_raw(a) == ARCHIVE_OK && archive_read_support_format_empty(a) == ARCHIVE_OK &&
        archive_read_open(a, b, NULL, on_read, NULL) == ARCHIVE_OK)
        n = archive_read_next_header(a, &entry);
    if (n == ARCHIVE_EOF) /* there is nothing in it, which is a layer, too */
        n = 0;
    else if (n == ARCHIVE_OK)
        while ((n = archive_read_data(a, chunk, sizeof(chunk))) > 0 && !r) {
            r = write_full(fd, chunk, (size_t)n);
            *size += (uint64_t)n;
        }
    if (r < 0)
        (void)err_errno(e, r, "could not write a temporary file");
    else if (n < 0)
        r = err_set(e, -EBADMSG, "could not unpack layer %s: %s", b->desc.digest, a ? archive_error_string(a) : "");
    if (a)
        (void)archive_read_free(a);
    return r ? r : blob_reader_end(b, e);
}

static int add_layer(struct archive *a, const struct image *img, size_t i, const char *path, struct err *e) {
    AUTO_FREE struct blob_reader *b = malloc(sizeof(*b));
    AUTO_CLOSE int fd = temp_unnamed(e);
    uint64_t size = 0;

    if (fd < 0 || !b)
        return fd < 0 ? fd : err_errno(e, -ENOMEM, "could not unpack a layer");
    int r = blob_reader_open(b, img->cache_dir, &img->layers[i], e);
    if (!r)
        r = unpack(b, fd, &size, e);
    blob_reader_close(b);
    if (!r && lseek(fd, 0, SEEK_SET) < 0)
        r = err_errno(e, -errno, "could not read a temporary file");
    struct content_source source = content_fd(path, fd);
    const struct entry_content content = {content_read, &source};
    const struct entry entry = {.type = ENTRY_FILE, .path = path, .mode = 0644, .size = size};
    return r ? r : tar_write_entry(a, &entry, &content, e);
}

static int add_text(struct archive *a, const char *path, const char *text, struct err *e) {
    struct content_source source = content_text(path, text, strlen(text));
    const struct entry_content content = {content_read, &source};
    const struct entry entry = {.type = ENTRY_FILE, .path = path, .mode = 0644, .size = strlen(text)};

    return tar_write_entry(a, &entry, &content, e);
}

static int add_layers(struct archive *a, const struct image *img, json_t *paths, struct err *e) {
    const json_t *ids = json_object_get(json_object_get(img->config, "rootfs"), "diff_ids");
    char path[128];
    int r = 0;

    if (json_array_size(ids) != img->layers_len)
        return err_set(e, -EBADMSG, "its configuration lists %zu layers and its manifest %zu", json_array_size(ids),
                       img->layers_len);
    for (size_t i = 0; i < img->layers_len && !r; i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        if (!id || !digest_valid(id))
            return err_set(e, -EBADMSG, "its configuration has a diff_id that is no digest");
        (void)snprintf(path, sizeof(path), "%s.tar", id + strlen("sha256:"));
        bool again = false; /* equal layers are one file */
        for (size_t k = 0; k < i && !again; k++)
            again = !strcmp(json_string_value(json_array_get(paths, k)), path);
        if (!again)
            r = add_layer(a, img, i, path, e);
        if (!r && json_array_append_new(paths, json_string(path)) < 0)
            r = err_errno(e, -ENOMEM, "could not list its layers");
    }
    return r;
}

/* Named after its digest. */
static int add_config(struct archive *a, const struct image *img, char *path, size_t len, struct err *e) {
    AUTO_FREE char *text = json_dumps(img->config, JSON_COMPACT | JSON_SORT_KEYS);
    char digest[DIGEST_MAX];
    EVP_MD_CTX *hash = digest_new();
    int r = text && hash && EVP_DigestUpdate(hash, text, strlen(text)) == 1
                ? digest_final(hash, digest, e)
                : err_errno(e, -ENOMEM, "could not write its configuration");

    EVP_MD_CTX_free(hash);
    if (r < 0)
        return r;
    (void)snprintf(path, len, "%s.json", digest + strlen("sha256:"));
    return add_text(a, path, text, e);
}

int export_docker(struct archive *a, const char *cache_dir, const char *ref, const char *as, const char *arch,
                  struct err *e) {
    AUTO_IMAGE struct image *img = NULL;
    AUTO_JSON json_t *paths = json_array();
    char config[128];
    int r = paths ? image_open(cache_dir, ref, arch, &img, e) : err_errno(e, -ENOMEM, "could not list its layers");

    if (!r)
        r = add_config(a, img, config, sizeof(config), e);
    if (!r)
        r = add_layers(a, img, paths, e);
    if (r < 0)
        return r;
    AUTO_JSON json_t *tags = strchr(as, '@') ? json_array() : json_pack("[s]", as);
    AUTO_JSON json_t *list = json_pack("[{s:s, s:O, s:O}]", "Config", config, "RepoTags", tags, "Layers", paths);
    AUTO_FREE char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
    return text ? add_text(a, "manifest.json", text, e) : err_errno(e, -ENOMEM, "could not write manifest.json");
}
