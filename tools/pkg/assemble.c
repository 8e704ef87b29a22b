/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer for each Debian package, then one for the recipe's own files, so that images share the layers of packages
 * they have in common. Files that we make have no time stamp (1970), those of packages keep theirs: the same inputs
 * give the same digests.
 */
#include "tools/pkg/assemble.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "tools/cache/merge.h"
#include "tools/cache/partial.h"
#include "tools/config/config.h"
#include "tools/image/blob.h"
#include "tools/image/content.h"
#include "tools/image/layout.h"
#include "tools/image/tar.h"
#include "tools/pkg/tag.h"

#define LABEL_CONFIG "org.mobyproject.config"

static int note_layer(struct assembly *a, const struct deb *deb, struct err *e) {
    json_t *name = deb ? json_sprintf("%s=%s", deb->package, deb->version)
                       : json_sprintf("%s/%s", a->recipe->org, a->recipe->image);

    if (json_array_append_new(a->made_of, name) < 0 ||
        (deb && json_object_set_new(a->versions, deb->package, json_string(deb->version)) < 0))
        return err_errno(e, -ENOMEM, "could not note what a layer is of");
    return 0;
}

int assembly_layer(struct assembly *a, const struct deb *deb, fill_layer_fn *fn, void *data, struct err *e) {
    struct layer_writer *w;

    if (a->layers_len == ASSEMBLY_LAYERS_MAX)
        return err_set(e, -E2BIG, "it has more than %d layers", ASSEMBLY_LAYERS_MAX);
    int r = layer_writer_new(a->cache_dir, &w, e);
    if (r < 0)
        return r;
    r = fn(w, data, e);
    if (r < 0) {
        layer_writer_abort(w);
        return r;
    }
    r = layer_writer_finish(w, &a->layers[a->layers_len], e);
    a->layers_len += r == 0;
    return r ? r : note_layer(a, deb, e);
}

int layer_add_text(struct layer_writer *w, const char *path, mode_t mode, const char *text, size_t len, struct err *e) {
    struct content_source source = content_text(path, text, len);
    const struct entry_content content = {content_read, &source};
    const struct entry entry = {.type = ENTRY_FILE, .path = path, .mode = mode, .size = len};

    return layer_writer_add(w, &entry, &content, e);
}

int layer_add_fd(struct layer_writer *w, const char *path, mode_t mode, int fd, struct err *e) {
    struct content_source source = content_fd(path, fd);
    const struct entry_content content = {content_read, &source};
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(e, -errno, "could not read %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, -EINVAL, "could not add %s: it is not a regular file", path);
    const struct entry entry = {.type = ENTRY_FILE,
                                .path = path,
                                .mode = mode != MODE_OF_FILE ? mode : (st.st_mode & 0111 ? 0755 : 0644),
                                .size = (uint64_t)st.st_size};
    return layer_writer_add(w, &entry, &content, e);
}

char *assembly_expand(const struct assembly *a, const char *text) {
    AUTO_BUF struct buf out = BUF_INIT;
    const char *found;

    for (; (found = strstr(text, RECIPE_ARCH)); text = found + strlen(RECIPE_ARCH))
        if (buf_printf(&out, "%.*s%s", (int)(found - text), text, a->arch) < 0)
            return NULL;
    return buf_printf(&out, "%s", text) < 0 ? NULL : steal_ptr(&out.data);
}

/* --- the recipe's own files --- */

static int clean(const char *raw, char *out, struct err *e) {
    return entry_path_clean(raw, out, ENTRY_PATH_MAX, e);
}

static int add_copy(const struct assembly *a, struct layer_writer *w, const json_t *item, struct err *e) {
    char to[ENTRY_PATH_MAX];
    AUTO_FREE char *from = assembly_expand(a, json_string_value(json_object_get(item, "from")));
    AUTO_FREE char *path = !from ? NULL : *from == '/' ? strdup(from) : path_join(a->recipe->dir, from);
    mode_t mode = 0;

    if (!path)
        return err_errno(e, -ENOMEM, "could not copy a file");
    int r = clean(json_string_value(json_object_get(item, "to")), to, e);
    if (!r)
        r = recipe_mode(item, MODE_OF_FILE, &mode, e);
    if (r < 0)
        return r;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, -errno, "could not open %s", path);
    return layer_add_fd(w, to, mode, fd, e);
}

static int add_file(const struct assembly *a, struct layer_writer *w, const json_t *item, struct err *e) {
    char path[ENTRY_PATH_MAX];
    const char *link = json_string_value(json_object_get(item, "symlink"));
    const char *text = json_string_value(json_object_get(item, "contents"));
    bool directory = json_is_true(json_object_get(item, "directory"));
    struct entry entry = {.path = path, .type = directory ? ENTRY_DIR : ENTRY_SYMLINK, .link = link};

    (void)a;
    int r = clean(json_string_value(json_object_get(item, "path")), path, e);
    if (!r)
        r = recipe_mode(item, directory ? 0755 : link ? 0777 : 0644, &entry.mode, e);
    if (r < 0)
        return r;
    return text ? layer_add_text(w, path, entry.mode, text, strlen(text), e) : layer_writer_add(w, &entry, NULL, e);
}

static int add_links(const struct assembly *a, struct layer_writer *w, const json_t *item, struct err *e) {
    char path[ENTRY_PATH_MAX];
    const struct entry entry = {
        .type = ENTRY_SYMLINK, .path = path, .link = json_string_value(json_object_get(item, "target")), .mode = 0777};
    const json_t *name;
    size_t i;
    int r;

    (void)a;
    json_array_foreach(json_object_get(item, "paths"), i, name) {
        r = clean(json_string_value(name), path, e);
        if (!r)
            r = layer_writer_add(w, &entry, NULL, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int fill_own(struct layer_writer *w, void *data, struct err *e) {
    static const struct {
        const char *key;
        int (*add)(const struct assembly *a, struct layer_writer *w, const json_t *item, struct err *e);
    } lists[] = {{"copy", add_copy}, {"files", add_file}, {"links", add_links}};
    const struct assembly *a = data;
    const json_t *item;
    size_t i;

    for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
        json_array_foreach(json_object_get(a->recipe->doc, lists[l].key), i, item) {
            int r = recipe_blame(item, lists[l].add(a, w, item, e), e);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

/* --- configuration and names --- */

static int set_if(json_t *to, const char *key, json_t *value) {
    return value ? json_object_set(to, key, value) : 0;
}

static json_t *make_labels(const struct assembly *a) {
    AUTO_JSON json_t *config = config_copy_plain(json_object_get(a->recipe->doc, "config"));
    AUTO_JSON json_t *labels = json_object();
    AUTO_FREE char *config_text = config ? json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    AUTO_FREE char *versions = json_dumps(a->versions, JSON_COMPACT | JSON_SORT_KEYS);
    AUTO_FREE char *made_of = json_dumps(a->made_of, JSON_COMPACT);

    if (!labels || !versions || !made_of || (config && !config_text))
        return NULL;
    if (config_text && json_object_set_new(labels, LABEL_CONFIG, json_string(config_text)) < 0)
        return NULL;
    if (json_object_size(a->versions) > 0 && json_object_set_new(labels, LABEL_DEBIAN, json_string(versions)) < 0)
        return NULL;
    if (json_array_size(a->made_of) > 0 && json_object_set_new(labels, LABEL_LAYERS, json_string(made_of)) < 0)
        return NULL;
    return steal_ptr(&labels);
}

static json_t *make_config(const struct assembly *a) {
    const json_t *doc = a->recipe->doc;
    json_t *labels = make_labels(a);
    AUTO_JSON json_t *config = labels ? json_pack("{s:o}", "Labels", labels) : NULL;

    if (!config || set_if(config, "Cmd", json_object_get(doc, "command")) < 0 ||
        set_if(config, "Entrypoint", json_object_get(doc, "entrypoint")) < 0 ||
        set_if(config, "Env", json_object_get(doc, "env")) < 0 ||
        set_if(config, "WorkingDir", json_object_get(doc, "workdir")) < 0)
        return NULL;
    return json_pack("{s:O}", "config", config);
}

static json_t *list_diff_ids(const struct assembly *a) {
    AUTO_JSON json_t *ids = json_array();

    for (size_t i = 0; i < a->layers_len; i++)
        if (json_array_append_new(ids, json_string(a->layers[i].diff_id)) < 0)
            return NULL;
    return steal_ptr(&ids);
}

/* suffix: NULL for none. */
static int name_image(const struct assembly *a, const char *tag, const char *suffix, char **out, struct err *e) {
    AUTO_FREE char *name = NULL;

    if (asprintf(&name, "%s/%s:%s%s%s", a->recipe->org, a->recipe->image, tag, suffix ? "-" : "",
                 suffix ? suffix : "") < 0) {
        name = NULL;
        return err_errno(e, -ENOMEM, "could not name the image");
    }
    return image_ref_normalize(name, out, e);
}

static int store(const struct assembly *a, char *tag, struct err *e) {
    char digest[DIGEST_MAX]; /* of the index; not needed here */
    struct blob_desc manifest;
    AUTO_JSON json_t *config = make_config(a);
    AUTO_JSON json_t *diff_ids = list_diff_ids(a);
    AUTO_FREE char *single = NULL, *tagged = NULL, *latest = NULL;

    if (!config || !diff_ids)
        return err_errno(e, -ENOMEM, "could not make the image's configuration");
    int r = tag_make(json_object_get(config, "config"), diff_ids, tag, e);
    if (r < 0)
        return r;
    r = name_image(a, tag, a->arch, &single, e);
    if (!r)
        r = name_image(a, tag, NULL, &tagged, e);
    if (!r)
        r = name_image(a, "latest", NULL, &latest, e);
    if (!r)
        r = image_store(a->cache_dir, a->arch, config, a->layers, a->layers_len, (const char *const[]){single}, 1,
                        digest, e);
    if (!r)
        r = index_manifest(a->cache_dir, single, a->arch, &manifest, e);
    if (!r)
        r = index_put(a->cache_dir, tagged, &manifest, a->arch, NULL, e);
    if (!r)
        r = index_put(a->cache_dir, latest, &manifest, a->arch, NULL, e);
    return r < 0 ? r : layout_unname(a->cache_dir, (const char *const[]){single}, 1, e);
}

static bool has_own_files(const json_t *doc) {
    return json_object_get(doc, "copy") || json_object_get(doc, "files") || json_object_get(doc, "links");
}

int assemble(const struct recipe *recipe, const char *cache_dir, const char *arch, char *tag, struct err *e) {
    AUTO_FREE struct assembly *a = calloc(1, sizeof(*a));
    AUTO_FREE char *deb_dir = path_join(cache_dir, "debs");
    AUTO_JSON json_t *versions = json_object(), *made_of = json_array();

    if (!a || !deb_dir || !versions || !made_of)
        return err_errno(e, -ENOMEM, "could not make image %s", recipe->image);
    a->recipe = recipe;
    a->cache_dir = cache_dir;
    a->arch = arch;
    a->deb_dir = deb_dir;
    a->versions = versions;
    a->made_of = made_of;
    AUTO_CLOSE int users = cache_lock(cache_dir, CACHE_USERS, true, e);
    if (users < 0)
        return users;
    const json_t *debian = json_object_get(recipe->doc, "debian"), *kernel = json_object_get(recipe->doc, "kernel");
    int r = debian ? recipe_blame(debian, assemble_debian(a, e), e) : 0;
    if (!r && kernel)
        r = recipe_blame(kernel, assemble_kernel(a, e), e);
    if (!r && has_own_files(recipe->doc))
        r = assembly_layer(a, NULL, fill_own, a, e);
    return r < 0 ? r : recipe_blame(recipe->doc, store(a, tag, e), e);
}
