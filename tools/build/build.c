/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "tools/build/build_priv.h"
#include "tools/build/claims.h"
#include "tools/build/plan.h"
#include "tools/build/progress.h"
#include "tools/build/store.h"
#include "tools/build/workers.h"
#include "tools/image/content.h"
#include "tools/output/tee.h"

int add_bytes_at(const struct build *b, const struct origin *origin, const char *path, mode_t mode, int64_t mtime,
                 const void *data, size_t len, struct err *e) {
    struct content_source source = content_text(path, len ? data : "", len);
    const struct entry_content content = {.read = content_read, .ctx = &source};
    const struct entry entry = {.type = ENTRY_FILE, .path = path, .mode = mode, .size = len, .mtime = mtime};

    return output_add(b->output, &entry, &content, origin, e);
}

int add_bytes(const struct build *b, const struct origin *origin, const char *path, mode_t mode, const void *data,
              size_t len, struct err *e) {
    return add_bytes_at(b, origin, path, mode, DEFAULT_MTIME, data, len, e);
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

int image_missing(const struct build *b, const char *ref, const char *place, struct err *e) {
    return err_set(
        e, -ENOENT,
        "%s: could not find image %s for linux/%s in the cache %s: make it with keelson pkg build, or name the "
        "cache that has it with --cache",
        place, ref, b->arch, b->cache_dir);
}

int open_image(const struct build *b, const char *ref, const char *place, struct image **out, struct err *e) {
    struct blob_desc root;
    int r = build_image_root(b, ref, &root, e);

    if (!r)
        r = image_open_root(b->cache_dir, ref, &root, b->arch, out, e);
    if (r == -ENOENT)
        return image_missing(b, ref, place, e);
    return r < 0 ? err_wrap(e, r, "%s: could not use image %s", place, ref) : 0;
}

/* Who wants to know of every entry, once; and where entries go from there. */
struct way {
    struct claims *claims;
    struct sbom *sbom;
    struct output *all;     /* every output */
    struct output *entries; /* those that do not take segments */
};

static void way_free(struct way *w) {
    claims_free(w->claims);
    if (w->all)
        output_free(w->all);
    if (w->entries)
        output_free(w->entries);
}

static int way_open(const struct build *b, struct way *w, struct err *e) {
    int r = claims_new(&w->claims, e);

    w->sbom = b->sbom;
    if (!r)
        r = output_tee_new(b->outputs, b->outputs_len, true, &w->all, e);
    return r ? r : output_tee_new(b->outputs, b->outputs_len, false, &w->entries, e);
}

static struct output *by_way_of(struct way *w, struct output *to) {
    if (w->sbom) {
        sbom_pass_to(w->sbom, to);
        to = sbom_output(w->sbom);
    }
    return claims_output(w->claims, to);
}

/* A part that was made apart: its archive to who takes it, and its entries without their contents to who has to know.
 */
static int add_segment(const struct build *b, const struct way *way, struct workers *workers, const struct plan *plan,
                       size_t i, struct err *e) {
    struct segment segment;
    int r = workers_take(workers, i, &segment, e);

    for (size_t k = 0; k < b->outputs_len && !r; k++)
        if (output_takes_segments(b->outputs[k]))
            r = output_add_segment(b->outputs[k], &segment, e);
    if (!r && output_tee_len(way->entries) == 0)
        r = segment_list(&segment, b->output, &plan->v[i].origin, e);
    if (segment.fd >= 0)
        (void)close(segment.fd);
    return r;
}

static int add_part(struct build *b, struct way *way, struct workers *workers, const struct plan *plan, size_t i,
                    struct err *e) {
    struct part *p = &plan->v[i];
    bool apart = workers && p->key;
    int r = 0;

    b->output = by_way_of(way, apart ? way->entries : way->all);
    if (p->img)
        r = sbom_begin_image(b->sbom, p->source, p->path ? p->path : "", p->img, e);
    if (!r && apart)
        r = add_segment(b, way, workers, plan, i, e);
    return r || (apart && output_tee_len(way->entries) == 0) ? r : p->emit(b, plan, p, e);
}

static bool any_takes_segments(const struct build *b) {
    for (size_t i = 0; i < b->outputs_len; i++)
        if (output_takes_segments(b->outputs[i]))
            return true;
    return false;
}

static int add_parts(struct build *b, struct way *way, struct plan *plan, struct err *e) {
    AUTO_STORE struct store store = {0};
    AUTO_WORKERS struct workers *workers = NULL;
    bool segments = any_takes_segments(b);
    int r = segments ? store_open(&store, b->cache_dir, b->anew, e) : 0;

    if (!r && segments)
        r = workers_start(b, plan, &store, &workers, e);
    for (size_t i = 0; i < plan->len && !r; i++) {
        progress_part(b->progress, i, plan->len, plan->v[i].location);
        r = add_part(b, way, workers, plan, i, e);
    }
    return r;
}

int build_tree(const struct build *wanted, struct err *e) {
    AUTO_PLAN struct plan plan = {0};
    AUTO(way_free) struct way way = {0};
    struct build b = *wanted;
    int r = plan_make(&b, &plan, e);

    if (!r)
        r = way_open(&b, &way, e);
    if (!r)
        r = add_parts(&b, &way, &plan, e);
    if (!r && b.sbom) {
        sbom_pass_to(b.sbom, claims_output(way.claims, way.all));
        r = sbom_add_document(b.sbom, b.sbom_path, b.sbom_time, e);
    }
    return r;
}
