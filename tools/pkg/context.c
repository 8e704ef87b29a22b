/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/context.h"

#include <errno.h>
#include <string.h>

#include "lib/capture.h"
#include "lib/fdutil.h"
#include "lib/json.h"
#include "tools/cache/archive.h"
#include "tools/registry/ensure.h"

#define LIST_MAX ((size_t)1 << 20)

struct context {
    const struct package *package;
    const char *cache_dir, *arch;
    struct registry *registry;
    const char *dir;
};

/* Contents of `from` into `to`, which is made. */
static int copy_tree(const char *from, const char *to, struct err *e) {
    AUTO_FREE char *inside = path_join(from, ".");
    int r = inside ? mkdir_p(to, 0755, e) : err_errno(e, -ENOMEM, "could not copy %s", from);

    if (r < 0)
        return r;
    r = capture((const char *const[]){"cp", "-a", "--", inside, to, NULL}, false, NULL, e);
    return r > 0 ? err_set(e, -EIO, "could not copy %s to %s: see the words of cp above", from, to) : r;
}

static int copy_extra(const struct context *c, const char *source, struct err *e) {
    const char *colon = strchr(source, ':');
    AUTO_FREE char *from = strndup(source, (size_t)(colon - source));
    AUTO_FREE char *path = !from ? NULL : *from == '/' ? strdup(from) : path_join(c->package->dir, from);
    AUTO_FREE char *to = path_join(c->dir, colon + 1 + strspn(colon + 1, "/"));

    return path && to ? copy_tree(path, to, e) : err_errno(e, -ENOMEM, "could not copy %s", source);
}

/* Must stay inside the package, and not be the package. */
static int inside(const struct context *c, const char *key, const char *path, char **out, struct err *e) {
    if (*path == '/' || strstr(path, "..") || !*path || !strcmp(path, "."))
        return err_set(e, -EINVAL, "depends: %s \"%s\" must lie in the package's folder", key, path);
    *out = path_join(c->dir, path);
    return *out ? 0 : err_errno(e, -ENOMEM, "could not use %s", path);
}

static int save_image(const struct context *c, const char *ref, const char *dir, const char *file, struct err *e) {
    const struct image_ensure ensure = {.cache_dir = c->cache_dir, .arch = c->arch, .registry = c->registry};
    AUTO_FREE char *path = NULL, *name = NULL;
    struct blob_desc root;

    if (!strchr(ref, '@'))
        return err_set(e, -EINVAL, "depends: image %s needs a digest (NAME@sha256:...)", ref);
    int r = image_ensure(&ensure, ref, &root, e);
    if (r < 0)
        return r;
    if (file)
        return cache_export(c->cache_dir, ref, c->arch, EXPORT_DOCKER, NULL, file, e);
    if (asprintf(&name, "%s.tar", ref) < 0) {
        name = NULL;
        return err_errno(e, -ENOMEM, "could not save %s", ref);
    }
    path = path_join(dir, name);
    char *slash = path ? strrchr(path, '/') : NULL;
    if (!slash)
        return err_errno(e, -ENOMEM, "could not save %s", ref);
    *slash = '\0'; /* LinuxKit keeps the slashes of an image's name as folders */
    r = mkdir_p(path, 0755, e);
    *slash = '/';
    return r < 0 ? r : cache_export(c->cache_dir, ref, c->arch, EXPORT_DOCKER, NULL, path, e);
}

/* The images to save: `list`, or the lines of `from-file`. */
static int list_images(const struct context *c, const json_t *section, json_t *out, struct err *e) {
    const char *file = json_string_value(json_object_get(section, "from-file"));
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_FREE char *path = NULL;
    int r = file ? inside(c, "from-file", file, &path, e) : 0;

    if (!file)
        return json_array_extend(out, json_object_get(section, "list")) < 0 && json_object_get(section, "list")
                   ? err_errno(e, -ENOMEM, "could not list the images")
                   : 0;
    if (!r)
        r = read_file(path, LIST_MAX, &text, e);
    char *pos = text.data, *line;
    while (!r && pos && (line = next_line(&pos)))
        if (*line && *line != '#' && json_array_append_new(out, json_string(line)) < 0)
            r = err_set(e, -EINVAL, "%s: a line is not UTF-8", path);
    return r;
}

static int save_images(const struct context *c, const json_t *section, struct err *e) {
    const char *dir_word = json_string_value(json_object_get(section, "target-dir"));
    const char *file_word = json_string_value(json_object_get(section, "target"));
    AUTO_JSON json_t *images = json_array();
    AUTO_FREE char *dir = NULL, *file = NULL;
    const json_t *image;
    size_t i;
    int r = images ? list_images(c, section, images, e) : err_errno(e, -ENOMEM, "could not list the images");

    if (!r && !dir_word == !file_word)
        r = err_set(e, -EINVAL, "depends: docker-images needs one of \"target\" and \"target-dir\"");
    if (!r && file_word && json_array_size(images) > 1)
        r = err_set(e, -EINVAL, "depends: %zu images do not go into one \"target\"; use \"target-dir\"",
                    json_array_size(images));
    if (!r)
        r = dir_word ? inside(c, "target-dir", dir_word, &dir, e) : inside(c, "target", file_word, &file, e);
    json_array_foreach(images, i, image) {
        if (!r)
            r = save_image(c, json_string_value(image), dir, file, e);
    }
    return r;
}

int context_make(const struct package *p, const char *cache_dir, const char *arch, struct registry *registry,
                 const char *temp, char **out, struct err *e) {
    const json_t *sources = json_object_get(p->recipe.doc, "extra-sources"), *source;
    const json_t *images = json_object_get(json_object_get(p->recipe.doc, "depends"), "docker-images");
    size_t i;

    if (!json_array_size(sources) && !images) {
        *out = strdup(p->dir);
        return *out ? 0 : err_errno(e, -ENOMEM, "could not use %s", p->dir);
    }
    *out = path_join(temp, "context");
    if (!*out)
        return err_errno(e, -ENOMEM, "could not use %s", p->dir);
    const struct context c = {.package = p, .cache_dir = cache_dir, .arch = arch, .registry = registry, .dir = *out};
    int r = copy_tree(p->dir, *out, e);
    json_array_foreach(sources, i, source) {
        if (!r)
            r = copy_extra(&c, json_string_value(source), e);
    }
    return r || !images ? r : save_images(&c, images, e);
}
