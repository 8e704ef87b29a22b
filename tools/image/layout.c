/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/image/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/json.h"

static char *layout_path(const char *cache_dir, const char *name) {
    return path_join(cache_dir, name);
}

static int load_index(const char *path, json_t **index, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a FIFO there must not hold us */
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(e, -errno, "could not open %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, -EINVAL, "could not open %s: it is not a regular file", path);
    int r = read_rest(fd, BLOB_JSON_MAX, &text);
    if (r == -EFBIG)
        return err_set(e, r, "could not read %s: it is larger than %zu bytes", path, BLOB_JSON_MAX);
    return r < 0 ? err_errno(e, r, "could not read %s", path) : json_parse(path, &text, 0, index, e);
}

int layout_load(const char *cache_dir, json_t **index, struct err *e) {
    AUTO_FREE char *path = layout_path(cache_dir, "index.json");
    json_t *manifests = NULL;

    if (!path)
        return err_errno(e, -ENOMEM, "could not read the cache %s", cache_dir);
    int r = load_index(path, index, e);
    if (r == -ENOENT) {
        *index = json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType",
                           "application/vnd.oci.image.index.v1+json", "manifests");
        return *index ? 0 : err_errno(e, -ENOMEM, "could not read the cache %s", cache_dir);
    }
    if (r < 0)
        return r;
    r = json_get_array(*index, "$", "manifests", true, &manifests, e);
    if (r < 0) {
        json_decref(*index);
        *index = NULL;
        return err_wrap(e, r, "could not use %s", path);
    }
    return 0;
}

const char *layout_entry_name(const json_t *entry) {
    return json_string_value(json_object_get(json_object_get(entry, "annotations"), REF_NAME));
}

bool layout_entry_is(const json_t *entry, const char *key) {
    const char *name = layout_entry_name(entry), *digest = json_string_value(json_object_get(entry, "digest"));

    return name ? !strcmp(name, key) : digest && *key == '@' && !strcmp(digest, key + 1);
}

int layout_entry(const json_t *entry, struct blob_desc *out, struct err *e) {
    const char *name = layout_entry_name(entry);
    int r = json_object_get(entry, "digest") ? blob_desc_parse(entry, "$", out, e)
                                             : err_set(e, -ENODATA, "$.digest is missing");

    return r < 0 ? err_wrap(e, r, "could not use %s in index.json", name ? name : "an entry without a name") : 0;
}

/* A digest that no entry has the name of is found where it is: as an entry's, or as a blob that an index refers to. */
static int find_digest(const char *cache_dir, const json_t *index, const char *digest, struct blob_desc *out) {
    AUTO_FREE char *path = blob_path(cache_dir, digest);
    const json_t *entry;
    struct stat st;
    size_t i;

    json_array_foreach(json_object_get(index, "manifests"), i, entry) {
        const char *own = json_string_value(json_object_get(entry, "digest"));
        if (own && !strcmp(own, digest))
            return blob_desc_parse(entry, "$.manifests[]", out, NULL);
    }
    if (!path || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return -ENOENT;
    *out = (struct blob_desc){.size = (uint64_t)st.st_size};
    (void)snprintf(out->digest, sizeof(out->digest), "%s", digest);
    return 0;
}

static const json_t *find_name(const json_t *index, const char *ref, size_t len) {
    const json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(index, "manifests"), i, entry) {
        const char *name = layout_entry_name(entry);
        if (name && strlen(name) == len && !memcmp(name, ref, len))
            return entry;
    }
    return NULL;
}

/* The length of a name without ":latest", 0: it has another tag. */
static size_t bare_len(const char *ref) {
    static const char latest[] = ":latest";
    size_t len = strlen(ref), tag = strlen(latest);

    return len > tag && !strcmp(ref + len - tag, latest) ? len - tag : 0;
}

static const json_t *find_entry(const json_t *index, const char *ref) {
    const json_t *entry = find_name(index, ref, strlen(ref));
    size_t bare = bare_len(ref);

    /* LinuxKit's cache keeps a name as it was written. */
    return entry || !bare ? entry : find_name(index, ref, bare);
}

const char *layout_stored_name(const json_t *index, const char *ref) {
    return layout_entry_name(find_entry(index, ref));
}

static int find(const char *cache_dir, const char *ref, bool bare, struct blob_desc *out, struct err *e) {
    AUTO_JSON json_t *index = NULL;

    int r = layout_load(cache_dir, &index, e);
    if (r < 0)
        return r;
    const json_t *entry = bare ? find_name(index, ref, bare_len(ref)) : NULL;
    if (!entry)
        entry = find_entry(index, ref);
    if (entry)
        return layout_entry(entry, out, e);
    const char *at = strchr(ref, '@');
    if (at && digest_valid(at + 1) && find_digest(cache_dir, index, at + 1, out) == 0)
        return 0;
    return err_set(e, -ENOENT, "could not find image %s in the cache %s", ref, cache_dir);
}

int layout_find(const char *cache_dir, const char *ref, struct blob_desc *out, struct err *e) {
    return find(cache_dir, ref, false, out, e);
}

int layout_find_written(const char *cache_dir, const char *written, const char *full, struct blob_desc *out,
                        struct err *e) {
    return find(cache_dir, full, bare_len(full) && !bare_len(written), out, e);
}

static int lock_layout(const char *cache_dir, struct err *e) {
    AUTO_FREE char *path = layout_path(cache_dir, ".lock");
    int r;

    if (!path)
        return err_errno(e, -ENOMEM, "could not lock the cache %s", cache_dir);
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(e, -errno, "could not open %s", path);
    do
        r = flock(fd, LOCK_EX);
    while (r < 0 && errno == EINTR);
    return r < 0 ? err_errno(e, -errno, "could not lock %s", path) : steal_fd(&fd);
}

/* How many entries had it. */
static int drop_name(json_t *manifests, const char *ref) {
    int dropped = 0;

    for (size_t i = json_array_size(manifests); i-- > 0;) {
        if (!layout_entry_is(json_array_get(manifests, i), ref))
            continue;
        if (json_array_remove(manifests, i) < 0)
            return -ENOMEM;
        dropped++;
    }
    return dropped;
}

static int set_name(json_t *index, const struct blob_desc *desc, const char *ref) {
    json_t *manifests = json_object_get(index, "manifests");
    int r = drop_name(manifests, ref);

    if (r < 0)
        return r;
    json_t *entry = json_pack("{s:s, s:s, s:I, s:{s:s}}", "mediaType", desc->media_type, "digest", desc->digest, "size",
                              (json_int_t)desc->size, "annotations", REF_NAME, ref);
    return json_array_append_new(manifests, entry) < 0 ? -ENOMEM : 0;
}

static int write_layout_file(const char *cache_dir, const char *name, const char *text, struct err *e) {
    AUTO_FREE char *path = layout_path(cache_dir, name);

    if (!path)
        return err_errno(e, -ENOMEM, "could not write the cache %s", cache_dir);
    return write_file_atomic(path, text, strlen(text), 0644, true, e);
}

/* Blobs are in their place before a name leads to them, also after a power cut. */
static int sync_blobs(const char *cache_dir, struct err *e) {
    AUTO_FREE char *path = layout_path(cache_dir, "blobs/sha256");
    AUTO_CLOSE int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    return fd < 0 || fsync(fd) < 0 ? err_errno(e, -errno, "could not write %s/blobs/sha256 to disk", cache_dir) : 0;
}

static int write_index(const char *cache_dir, const json_t *index, struct err *e) {
    AUTO_FREE char *text = json_dumps(index, JSON_INDENT(2));

    return text ? write_layout_file(cache_dir, "index.json", text, e)
                : err_errno(e, -ENOMEM, "could not write the cache %s", cache_dir);
}

int layout_name(const char *cache_dir, const struct blob_desc *desc, const char *const *refs, size_t refs_len,
                struct err *e) {
    AUTO_JSON json_t *index = NULL;

    int r = mkdir_p(cache_dir, 0755, e);
    if (!r)
        r = sync_blobs(cache_dir, e);
    if (r < 0)
        return r;
    AUTO_CLOSE int lock = lock_layout(cache_dir, e);
    if (lock < 0)
        return lock;
    r = layout_load(cache_dir, &index, e);
    for (size_t i = 0; i < refs_len && !r; i++) {
        AUTO_FREE char *bare = strndup(refs[i], bare_len(refs[i]));
        r = !bare ? -ENOMEM : *bare && find_name(index, bare, strlen(bare)) ? set_name(index, desc, bare) : 0;
        if (!r)
            r = set_name(index, desc, refs[i]);
        if (r < 0)
            (void)err_errno(e, r, "could not name %s", refs[i]);
    }
    if (!r)
        r = write_layout_file(cache_dir, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}\n", e);
    return r < 0 ? r : write_index(cache_dir, index, e);
}

int layout_unname(const char *cache_dir, const char *const *refs, size_t refs_len, struct err *e) {
    AUTO_JSON json_t *index = NULL;

    if (!refs_len)
        return 0;
    AUTO_CLOSE int lock = lock_layout(cache_dir, e);
    if (lock == -ENOENT)
        return err_set(e, lock, "could not find image %s: there is no cache %s", refs[0], cache_dir);
    if (lock < 0)
        return lock;
    int r = layout_load(cache_dir, &index, e);
    for (size_t i = 0; i < refs_len && !r; i++) {
        int dropped = drop_name(json_object_get(index, "manifests"), refs[i]);
        if (dropped < 1)
            r = err_set(e, dropped < 0 ? dropped : -ENOENT, "could not find image %s in the cache %s", refs[i],
                        cache_dir);
    }
    return r < 0 ? r : write_index(cache_dir, index, e);
}
