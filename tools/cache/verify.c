/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "lib/log.h"
#include "lib/printable.h"
#include "tools/cache/cache_priv.h"
#include "tools/cache/closure.h"
#include "tools/image/layout.h"

struct verify {
    const char *cache_dir;
    bool repair;
    size_t images, blobs, wrong;
    char **seen; /* digests that were read */
    size_t seen_len;
};

static int complain(struct verify *v, const char *name, const char *what, struct err *e) {
    AUTO_FREE char *line = NULL;

    v->wrong++;
    if (asprintf(&line, "%s: %s", name, what) < 0) {
        line = NULL;
        return err_errno(e, -ENOMEM, "could not tell of %s", name);
    }
    make_text_printable(line, strlen(line));
    return printf("%s\n", line) < 0 ? err_errno(e, -EIO, "could not write to standard output") : 0;
}

static int read_blob(const struct verify *v, const struct blob_desc *desc, struct err *e) {
    AUTO_FREE struct blob_reader *b = malloc(sizeof(*b));

    if (!b)
        return err_errno(e, -ENOMEM, "could not read blob %s", desc->digest);
    int r = blob_reader_open(b, v->cache_dir, desc, e);
    if (!r)
        r = blob_reader_end(b, e);
    blob_reader_close(b);
    return r;
}

static bool note_seen(struct verify *v, const char *digest) {
    for (size_t i = 0; i < v->seen_len; i++)
        if (!strcmp(v->seen[i], digest))
            return true;
    char **grown = reallocarray(v->seen, v->seen_len + 1, sizeof(*grown));
    char *copy = strdup(digest);
    if (!grown || !copy) { /* read once more then */
        free(copy);
        v->seen = grown ? grown : v->seen;
        return false;
    }
    v->seen = grown;
    grown[v->seen_len++] = copy;
    return false;
}

static int check_blob(struct verify *v, const char *name, const struct closure_item *item, struct err *e) {
    AUTO_FREE char *path = blob_path(v->cache_dir, item->desc.digest);
    struct err why = {0};

    if (note_seen(v, item->desc.digest))
        return 0;
    v->blobs++;
    int r = read_blob(v, &item->desc, &why);
    if (!r)
        return 0;
    r = complain(v, name, why.msg, e);
    if (!r && v->repair && path && unlink(path) < 0 && errno != ENOENT)
        return err_errno(e, -errno, "could not remove %s", path);
    return r;
}

/* A manifest that is there promises its layers; platforms that were never pulled are no fault. */
static bool is_promised(const struct closure_item *item, const struct blob_desc *root) {
    return item->there || !item->manifest || !strcmp(item->desc.digest, root->digest);
}

static int check_image(struct verify *v, const char *name, const struct blob_desc *root, struct err *e) {
    AUTO_CLOSURE struct closure c = {0};
    AUTO_FREE char *path = blob_path(v->cache_dir, root->digest);
    struct err why = {0};
    int r = closure_add(&c, v->cache_dir, root, NULL, &why);

    v->images++;
    if (r < 0) { /* a document that other documents hang from */
        r = complain(v, name, why.msg, e);
        if (!r && v->repair && path && read_blob(v, root, NULL) < 0 && unlink(path) < 0 && errno != ENOENT)
            return err_errno(e, -errno, "could not remove %s", path);
    }
    for (size_t i = 0; i < c.len && !r; i++)
        if (is_promised(&c.v[i], root))
            r = check_blob(v, name, &c.v[i], e);
    return r;
}

static int check_all(struct verify *v, struct err *e) {
    AUTO_JSON json_t *index = NULL;
    const json_t *entry;
    struct blob_desc desc;
    size_t i;
    int r = layout_load(v->cache_dir, &index, e);

    json_array_foreach(json_object_get(index, "manifests"), i, entry) {
        const char *name = layout_entry_name(entry);
        struct err why = {0};
        if (layout_entry(entry, &desc, &why) < 0)
            log_warning("%s", why.msg);
        else if (!r)
            r = check_image(v, name ? name : desc.digest, &desc, e);
    }
    return r;
}

int cache_verify(const char *cache_dir, bool repair, struct err *e) {
    struct verify v = {.cache_dir = cache_dir, .repair = repair};
    int r = check_all(&v, e);

    for (size_t i = 0; i < v.seen_len; i++)
        free(v.seen[i]);
    free(v.seen);
    if (r < 0)
        return r;
    if (printf("%zu images, %zu blobs, %zu wrong\n", v.images, v.blobs, v.wrong) < 0)
        return err_errno(e, -EIO, "could not write to standard output");
    if (!v.wrong)
        return 0;
    return err_set(e, -EBADMSG, "the cache %s is damaged: %s", cache_dir,
                   repair ? "what was is removed now; pull the images again"
                          : "cache verify --repair removes what is, and a pull brings it back");
}
