/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/sbom/sbom.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/array.h"
#include "lib/buf.h"
#include "lib/temp.h"
#include "tools/image/pathindex.h"
#include "tools/image/tar.h"
#include "tools/sbom/sbom_priv.h"

#define PREDICATE "https://spdx.dev/Document"
#define FILES_SOURCE "linuxkit.files"
#define SBOM_MTIME 1492533000 /* LinuxKit's time of all that a builder makes itself */

/* Index of the word in the list, where it is put if it is new; negative: no memory. Mostly it is the last one. */
static ssize_t intern(char ***list, size_t *len, size_t *cap, const char *word) {
    for (size_t i = *len; i-- > 0;)
        if (!strcmp((*list)[i], word))
            return (ssize_t)i;
    if (ARRAY_ROOM(*list, *len, *cap) < 0 || !((*list)[*len] = strdup(word)))
        return -ENOMEM;
    return (ssize_t)(*len)++;
}

/* Contents on their way to the output: hashed, and kept if they are a package database. */
struct tee {
    const struct entry_content *from;
    EVP_MD_CTX *hash;
    struct buf *kept; /* NULL: not wanted */
};

static ssize_t read_tee(void *ctx, void *data, size_t len, struct err *e) {
    const struct tee *t = ctx;
    ssize_t n = t->from->read(t->from->ctx, data, len, e);

    if (n > 0 && EVP_DigestUpdate(t->hash, data, (size_t)n) != 1)
        return err_set(e, -EIO, "could not hash");
    if (n > 0 && t->kept && buf_append(t->kept, data, (size_t)n) < 0)
        return err_set(e, -EFBIG, "a package database is larger than %zu bytes", t->kept->max);
    return n;
}

static int new_record(struct sbom *s, const struct entry *entry, const struct origin *origin, struct record *r) {
    ssize_t location = intern(&s->locations, &s->locations_len, &s->locations_cap, origin->location);

    *r = (struct record){.seq = (uint32_t)s->records_len,
                         .regular = entry->type == ENTRY_FILE || entry->type == ENTRY_HARDLINK,
                         .from_yaml = !strcmp(origin->source, FILES_SOURCE),
                         .location = location < 0 ? 0 : (uint32_t)location};
    if (entry->layer && s->images_len) {
        struct sbom_image *image = &s->images[s->images_len - 1];
        ssize_t layer = intern(&image->layers, &image->layers_len, &image->layers_cap, entry->layer);
        r->image = (uint32_t)s->images_len;
        r->layer = layer < 0 ? 0 : (uint32_t)layer;
        location = layer < 0 ? layer : location;
    }
    if (location < 0 || s->records_len == UINT32_MAX || ARRAY_ROOM(s->records, s->records_len, s->records_cap) < 0)
        return -ENOMEM;
    r->path = entry->kept ? entry->kept : arena_string(&s->paths, entry->path);
    r->link = entry->type == ENTRY_HARDLINK ? arena_string(&s->paths, entry->link) : NULL;
    s->records[s->records_len++] = *r;
    return r->path && (r->link || entry->type != ENTRY_HARDLINK) ? 0 : -ENOMEM;
}

/* The path in the image's root whose package databases are looked at; NULL: it is none of an image's. */
static const char *path_in_image(const struct sbom *s, const struct entry *entry) {
    const char *prefix = s->images_len && entry->layer ? s->images[s->images_len - 1].prefix : NULL;
    size_t len = prefix ? strlen(prefix) : 0;

    if (!prefix || strncmp(entry->path, prefix, len) != 0)
        return NULL;
    return len && entry->path[len] == '/' ? entry->path + len + 1 : len ? NULL : entry->path;
}

static int add_file(struct sbom *s, const struct entry *entry, const struct entry_content *content,
                    const struct origin *origin, struct err *e) {
    const char *inside = path_in_image(s, entry);
    AUTO_BUF struct buf kept = {.max = PACKAGE_DATABASE_MAX};
    struct tee tee = {
        .from = content, .hash = EVP_MD_CTX_new(), .kept = inside && packages_want(inside) ? &kept : NULL};
    const struct entry_content both = {.read = read_tee, .ctx = &tee};
    int r = tee.hash && EVP_DigestInit_ex(tee.hash, EVP_sha1(), NULL) == 1 ? 0 : -ENOMEM;

    if (r < 0)
        (void)err_errno(e, r, "could not hash %s", entry->path);
    if (!r)
        r = output_add(s->inner, entry, &both, origin, e);
    while (!r) { /* what the output had no use for */
        char rest[4096];
        ssize_t n = read_tee(&tee, rest, sizeof(rest), e);
        if (n <= 0) {
            r = (int)n;
            break;
        }
    }
    if (!r && EVP_DigestFinal_ex(tee.hash, s->records[s->records_len - 1].sha1, NULL) != 1)
        r = err_set(e, -EIO, "could not hash %s", entry->path);
    EVP_MD_CTX_free(tee.hash);
    if (!r && entry->sha1)
        memcpy(s->records[s->records_len - 1].sha1, entry->sha1, SHA_DIGEST_LENGTH);
    if (!r && kept.data)
        r = packages_take(&s->images[s->images_len - 1].packages, inside, kept.data, e);
    return r;
}

static int add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e) {
    struct sbom *s = (struct sbom *)o;
    struct record record;

    if (new_record(s, entry, origin, &record) < 0)
        return err_errno(e, -ENOMEM, "could not list %s", entry->path);
    return entry->type == ENTRY_FILE ? add_file(s, entry, content, origin, e)
                                     : output_add(s->inner, entry, content, origin, e);
}

/* Both belong to whoever called sbom_new(). */
static int finish(struct output *o, struct err *e) {
    return output_finish(((struct sbom *)o)->inner, e);
}

static void free_nothing(struct output *o) {
    (void)o;
}

int sbom_new(const char *cache_dir, struct sbom **out, struct err *e) {
    static const struct output_type type = {.add = add, .finish = finish, .free = free_nothing};
    struct sbom *s = calloc(1, sizeof(*s));

    *out = s;
    if (!s || !(s->cache_dir = strdup(cache_dir)))
        return err_errno(e, -ENOMEM, "could not start an SBOM");
    s->output.type = &type;
    return 0;
}

struct output *sbom_output(struct sbom *s) {
    return &s->output;
}

void sbom_pass_to(struct sbom *s, struct output *inner) {
    s->inner = inner;
}

int sbom_begin_image(struct sbom *s, const char *name, const char *prefix, const struct image *img, struct err *e) {
    if (!s)
        return 0;
    if (ARRAY_ROOM(s->images, s->images_len, s->images_cap) < 0)
        return err_errno(e, -ENOMEM, "could not list image %s", name);
    struct sbom_image *image = &s->images[s->images_len++];
    *image = (struct sbom_image){
        .name = strdup(name), .prefix = strdup(prefix), .digest = img ? strdup(image_digest(img)) : NULL};
    if (!image->name || !image->prefix || (img && !image->digest))
        return err_errno(e, -ENOMEM, "could not list image %s", name);
    if (img && layers_read(image, img) < 0)
        return err_errno(e, -ENOMEM, "could not list the layers of image %s", name);
    return img ? image_attestations(img, PREDICATE, &image->statements, e) : 0;
}

static int by_path(const void *a, const void *b) {
    const struct record *left = a, *right = b;
    int order = strcmp(left->path, right->path);

    return order ? order : left->seq < right->seq ? -1 : 1;
}

/* Of each path what came last stays. */
static void sort_records(struct sbom *s) {
    size_t kept = 0;

    if (s->records_len)
        qsort(s->records, s->records_len, sizeof(*s->records), by_path);
    for (size_t i = 0; i < s->records_len; i++) {
        if (i + 1 == s->records_len || strcmp(s->records[i].path, s->records[i + 1].path) != 0)
            s->records[kept++] = s->records[i];
    }
    s->records_len = kept;
}

static struct record *find_record(const struct sbom *s, const char *path) {
    size_t low = 0, high = s->records_len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(s->records[middle].path, path);
        if (order == 0)
            return &s->records[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

struct record *sbom_find(const struct sbom *s, const char *path) {
    struct record *r = find_record(s, path);

    return r && r->regular ? r : NULL;
}

static const char *path_of(const void *data, size_t i) {
    return ((const struct sbom *)data)->records[i].path;
}

/*
 * Before they are sorted: a hard link's contents are those that its target had when it came. That may be a link itself,
 * and be replaced later.
 */
static int resolve_links(struct sbom *s) {
    struct pathindex paths;
    int r = pathindex_make(&paths, s->records_len, path_of, s);

    for (size_t i = 0, to; i < s->records_len && !r; i++) {
        struct record *link = &s->records[i];
        if (!link->link || !pathindex_find(&paths, link->link, i, &to))
            continue;
        link->regular = s->records[to].regular;
        memcpy(link->sha1, s->records[to].sha1, sizeof(link->sha1));
    }
    pathindex_free(&paths);
    return r;
}

static ssize_t read_file_stream(void *ctx, void *data, size_t len, struct err *e) {
    FILE *f = ctx;
    size_t n = fread(data, 1, len, f);

    return n || !ferror(f) ? (ssize_t)n : err_set(e, -EIO, "could not read the SBOM back");
}

static const struct origin sbom_origin = {.source = "linuxkit.sbom", .location = "sbom"};

/* The path must be free; parents that are not there are made. */
static int make_place(struct sbom *s, const char *path, struct err *e) {
    const struct record *taken = find_record(s, path);
    int r = 0;

    if (taken)
        return err_set(e, -EEXIST, "could not put the SBOM at /%s: %s has put something there; see --sbom-output", path,
                       s->locations[taken->location]);
    for (const char *slash = strchr(path, '/'); slash && !r; slash = strchr(slash + 1, '/')) {
        AUTO_FREE char *parent = strndup(path, (size_t)(slash - path));
        const struct entry entry = {.type = ENTRY_DIR, .path = parent, .mode = 0755, .mtime = SBOM_MTIME};
        if (!parent)
            return err_errno(e, -ENOMEM, "could not add %s", path);
        r = find_record(s, parent) ? 0 : output_add(s->inner, &entry, NULL, &sbom_origin, e);
    }
    return r;
}

int sbom_add_document(struct sbom *s, const char *raw_path, int64_t created, struct err *e) {
    AUTO_FCLOSE FILE *f = NULL;
    char path[ENTRY_PATH_MAX];
    int r = temp_unnamed_stream(&f, e);

    if (r < 0)
        return r;
    if (resolve_links(s) < 0)
        return err_errno(e, -ENOMEM, "could not list the files for the SBOM");
    sort_records(s);
    for (size_t i = 0; i < s->images_len && !r; i++) {
        packages_end(&s->images[i].packages);
        r = layers_add_packages(&s->images[i], e);
        if (!r)
            r = attested_read(s, i, e);
    }
    if (!r)
        r = document_write(s, created, f, e);
    if (!r)
        r = entry_path_clean(raw_path, path, sizeof(path), e);
    if (!r)
        r = make_place(s, path, e);
    if (r < 0)
        return r;
    long size = fflush(f) == 0 ? ftell(f) : -1;
    if (size < 0 || fseek(f, 0, SEEK_SET) < 0)
        return err_errno(e, -errno, "could not write the SBOM");
    const struct entry entry = {
        .type = ENTRY_FILE, .path = path, .mode = 0644, .size = (uint64_t)size, .mtime = SBOM_MTIME};
    const struct entry_content content = {.read = read_file_stream, .ctx = f};
    return output_add(s->inner, &entry, &content, &sbom_origin, e);
}

static void free_image(struct sbom_image *image) {
    for (size_t i = 0; i < image->layers_len; i++)
        free(image->layers[i]);
    free(image->layers);
    free(image->name);
    free(image->prefix);
    free(image->digest);
    packages_free(&image->packages);
    json_decref(image->made_of);
    json_decref(image->statements);
    attested_free(&image->attested);
}

void sbom_free(struct sbom *s) {
    if (!s)
        return;
    for (size_t i = 0; i < s->images_len; i++)
        free_image(&s->images[i]);
    for (size_t i = 0; i < s->locations_len; i++)
        free(s->locations[i]);
    free(s->images);
    free(s->records);
    arena_free(&s->paths);
    free(s->locations);
    free(s->cache_dir);
    free(s);
}
