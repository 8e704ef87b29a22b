/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "tools/build/build_priv.h"

#define RESOLV_LINK "/run/resolvconf/resolv.conf"

struct bytes {
    const char *data;
    size_t left;
};

static ssize_t read_bytes(void *ctx, void *data, size_t len, struct err *e) {
    struct bytes *b = ctx;
    size_t n = len < b->left ? len : b->left;

    (void)e;
    memcpy(data, b->data, n);
    b->data += n;
    b->left -= n;
    return (ssize_t)n;
}

int add_bytes(const struct build *b, const struct origin *origin, const char *path, mode_t mode, const void *data,
              size_t len, struct err *e) {
    struct bytes bytes = {.data = len ? data : "", .left = len};
    const struct entry_content content = {.read = read_bytes, .ctx = &bytes};
    const struct entry entry = {.type = ENTRY_FILE, .path = path, .mode = mode, .size = len, .mtime = DEFAULT_MTIME};

    return output_add(b->output, &entry, &content, origin, e);
}

int add_dir(const struct build *b, const struct origin *origin, const char *path, struct err *e) {
    const struct entry entry = {.type = ENTRY_DIR, .path = path, .mode = 0755, .mtime = DEFAULT_MTIME};

    return output_add(b->output, &entry, NULL, origin, e);
}

int add_dirs(const struct build *b, const struct origin *origin, const char *path, struct err *e) {
    int r = 0;

    for (const char *slash = strchr(path, '/'); slash && !r; slash = strchr(slash + 1, '/')) {
        AUTO_FREE char *parent = strndup(path, (size_t)(slash - path));
        r = parent ? add_dir(b, origin, parent, e) : err_errno(e, -ENOMEM, "could not add %s", path);
    }
    return r ? r : add_dir(b, origin, path, e);
}

char *image_name(const char *ref) {
    const char *base = strrchr(ref, '/');
    AUTO_FREE char *full = NULL;
    size_t tag = strlen(":latest");

    if (image_ref_normalize(ref, &full, NULL) < 0)
        return strdup(ref);
    size_t len = strlen(full);
    if (!strpbrk(base ? base : ref, ":@") && len > tag && !strcmp(full + len - tag, ":latest"))
        len -= tag;
    return strndup(full, len);
}

int open_image(const struct build *b, const char *ref, struct image **out, struct err *e) {
    int r = image_open(b->cache_dir, ref, b->arch, out, e);

    if (r == -ENOENT)
        return err_set(e, r,
                       "could not find image %s for linux/%s in the cache %s: make it with keelson pkg build, or "
                       "name the cache that has it with --cache",
                       ref, b->arch, b->cache_dir);
    return r < 0 ? err_wrap(e, r, "could not use image %s", ref) : 0;
}

/* Init images share the root: later ones win, and their package databases are put together. */
static int add_init(const struct build *b, struct err *e) {
    static const struct origin apk = {.source = "LINUXKIT.apkinit", .location = "init"};
    AUTO_BUF struct buf apk_db = BUF_INIT;
    unsigned apk_dbs = 0;
    char location[32];
    int r = 0;

    for (size_t i = 0; i < b->config->init_len && !r; i++) {
        AUTO_IMAGE struct image *img = NULL;
        (void)snprintf(location, sizeof(location), "init[%zu]", i);
        r = open_image(b, b->config->init[i], &img, e);
        AUTO_FREE char *source = image_name(b->config->init[i]);
        const struct origin origin = {.source = source, .location = location};
        if (!r)
            r = source ? add_image_root(b, img, "", &origin, RESOLV_LINK, &apk_db, &apk_dbs, e)
                       : err_errno(e, -ENOMEM, "could not add image %s", b->config->init[i]);
    }
    if (r < 0 || apk_dbs < 2)
        return r;
    struct bytes bytes = {.data = apk_db.data, .left = apk_db.len};
    const struct entry_content content = {.read = read_bytes, .ctx = &bytes};
    const struct entry entry = {.type = ENTRY_FILE, .path = APK_DB, .mode = 0644, .size = apk_db.len};
    return output_add(b->output, &entry, &content, &apk, e);
}

int build_tree(const struct build *b, struct err *e) {
    int r = add_kernel(b, e);

    if (!r)
        r = add_init(b, e);
    if (!r)
        r = add_containers(b, e);
    return r ? r : add_files(b, e);
}
