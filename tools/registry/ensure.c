/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/registry/ensure.h"

#include <errno.h>
#include <string.h>

#include "lib/capture.h"
#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/temp.h"
#include "tools/cache/archive.h"
#include "tools/cache/closure.h"
#include "tools/cache/partial.h"
#include "tools/image/layout.h"
#include "tools/registry/registry_priv.h"

/* An image as it was asked for. */
struct wish {
    const char *written;
    struct reference ref;
};

static int find(const struct image_ensure *o, const struct wish *w, struct blob_desc *root, struct err *e) {
    return layout_find_written(o->cache_dir, w->written, w->ref.name, root, e);
}

/* Whether the cache has the whole of it for the platform. */
static bool is_cached(const struct image_ensure *o, const struct wish *w) {
    AUTO_CLOSURE struct closure c = {0};
    struct blob_desc desc;

    return find(o, w, &desc, NULL) == 0 && closure_add(&c, o->cache_dir, &desc, o->arch, NULL) == 0 && !c.missing;
}

/* "ref-" and the digest of the name: a file name, whatever the name. */
static int lock_name(const struct image_ensure *o, const struct reference *ref, struct err *e) {
    char name[DIGEST_MAX + 8], digest[DIGEST_MAX];
    EVP_MD_CTX *hash = digest_new();
    int r = hash && EVP_DigestUpdate(hash, ref->name, strlen(ref->name)) == 1
                ? digest_final(hash, digest, e)
                : err_errno(e, -ENOMEM, "could not lock %s", ref->name);

    EVP_MD_CTX_free(hash);
    if (r < 0)
        return r;
    (void)snprintf(name, sizeof(name), "ref-%s", digest + strlen("sha256:"));
    return cache_lock(o->cache_dir, name, false, e);
}

/* Whether Docker's store had it: it is in the cache then. */
static bool from_docker(const struct image_ensure *o, const struct reference *ref) {
    AUTO_TEMP_DIR struct temp_dir temp = {0};
    struct err e = {0};

    if (temp_dir_make(&temp, NULL, "keelson-docker-", &e) < 0)
        return false;
    AUTO_FREE char *tar = path_join(temp.path, "image.tar");
    const char *const argv[] = {"docker", "image", "save", "--output", tar, ref->name, NULL};
    int r = tar ? capture(argv, true, NULL, &e) : -ENOMEM;
    if (!r)
        r = cache_import(o->cache_dir, tar, ref->name, NULL, &e);
    if (r != 0)
        log_info("Docker does not have %s%s%s", ref->name, e.code ? ": " : "", e.msg);
    return r == 0;
}

static int bring(const struct image_ensure *o, const struct wish *w, struct err *e) {
    const struct reference *ref = &w->ref;
    const char *arch = o->arch ? o->arch : "";
    bool refresh = o->pull && !ref->digest && !o->offline && !registry_has_asked(o->registry, ref->name);
    struct blob_desc desc;
    int r;

    if (o->docker && !registry_has_asked(o->registry, ref->name) && from_docker(o, ref) && is_cached(o, w))
        return registry_note_asked(o->registry, ref->name, e);
    if (!refresh && is_cached(o, w))
        return 0;
    if (o->offline && (r = find(o, w, &desc, e)) < 0 && r != -ENOENT)
        return r;
    if (o->offline)
        return err_set(e, -ENOENT,
                       "image %s for %s%s is not in the cache %s, and --offline forbids to pull it: keelson cache "
                       "pull --arch %s %s",
                       ref->name, o->arch ? "linux/" : "all platforms", arch, o->cache_dir, o->arch ? arch : "all",
                       ref->name);
    AUTO_CLOSE int lock = lock_name(o, ref, e);
    if (lock < 0)
        return lock;
    if (!refresh && is_cached(o, w)) /* by the one that we waited for */
        return 0;
    r = registry_pull(o->registry, o->cache_dir, ref, o->arch, e);
    if (r < 0)
        return err_wrap(e, r, "could not find image %s for %s%s in the cache %s", ref->name,
                        o->arch ? "linux/" : "all platforms", arch, o->cache_dir);
    return registry_note_asked(o->registry, ref->name, e);
}

int image_ensure(const struct image_ensure *o, const char *ref, struct blob_desc *root, struct err *e) {
    const struct trust trust = {.policy = o->policy,
                                .listed = o->trust,
                                .cache_dir = o->cache_dir,
                                .arch = o->arch,
                                .registry = o->offline ? NULL : o->registry};
    struct wish w = {.written = ref};
    int r = reference_parse(ref, &w.ref, e);

    if (!r)
        r = bring(o, &w, e);
    if (!r)
        r = find(o, &w, root, e);
    if (!r)
        r = trust_check(&trust, &w.ref, root, e);
    reference_free(&w.ref);
    return r;
}
