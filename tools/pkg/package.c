/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/package.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#include "lib/fdutil.h"
#include "tools/pkg/git.h"
#include "tools/pkg/pkg.h"
#include "tools/pkg/tag.h"
#include "tools/registry/reference.h"

#define DEFAULT_BUILD_YML "build.yml"
#define DEFAULT_COMMIT "HEAD"
#define DEFAULT_TAG "{{.Hash}}"
#define DOCKERFILE_ORG "linuxkit"

static const char *text_of(const struct package *p, const char *key) {
    return json_string_value(json_object_get(p->recipe.doc, key));
}

int package_expand_tag(const char *template, const char *hash, char **out, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    int r = 0;

    for (const char *p = template; *p && !r;) {
        const char *open = strstr(p, "{{");
        size_t plain = open ? (size_t)(open - p) : strlen(p);
        r = buf_append(&text, p, plain);
        if (!open || r)
            break;
        const char *close = strstr(open, "}}");
        const char *word = open + 2 + strspn(open + 2, " ");
        if (!close || strncmp(word, ".Hash", 5) != 0 || word + 5 + strspn(word + 5, " ") != close)
            return err_set(e, -EINVAL, "tag \"%s\": only {{.Hash}} may stand in braces", template);
        r = buf_puts(&text, hash);
        p = close + 2;
    }
    if (r < 0)
        return err_errno(e, r, "could not make the tag");
    *out = text.data ? steal_ptr(&text.data) : strdup("");
    return *out ? 0 : err_errno(e, -ENOMEM, "could not make the tag");
}

/* sha1 over the hash of the package's tree and those of the extra sources' trees, as LinuxKit has it. */
static int mix_in_sources(struct package *p, const char *commit, struct err *e) {
    const json_t *sources = json_object_get(p->recipe.doc, "extra-sources"), *source;
    AUTO_BUF struct buf hashes = BUF_INIT;
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    size_t i;
    int r = buf_puts(&hashes, p->hash);

    if (!json_array_size(sources))
        return 0;
    json_array_foreach(sources, i, source) {
        const char *text = json_string_value(source);
        AUTO_FREE char *from = strndup(text, strcspn(text, ":")), *hash = NULL;
        AUTO_FREE char *path = !from ? NULL : *from == '/' ? strdup(from) : path_join(p->dir, from);
        if (!r)
            r = path ? git_tree_hash(path, commit, &hash, e) : err_errno(e, -ENOMEM, "could not hash %s", text);
        if (!r)
            r = buf_puts(&hashes, hash);
    }
    if (r < 0)
        return r;
    if (EVP_Digest(hashes.data, hashes.len, raw, &len, EVP_sha1(), NULL) != 1)
        return err_set(e, -EIO, "could not hash the sources");
    for (unsigned k = 0; k < 20 && k < len; k++)
        (void)snprintf(p->hash + 2 * (size_t)k, 3, "%02x", raw[k]);
    return 0;
}

static int mark_dirty(struct package *p, struct err *e) {
    char contents[65], *longer = NULL;
    int r = git_content_hash(p->dir, contents, e);

    if (r < 0)
        return r;
    if (asprintf(&longer, "%s-dirty-%.*s", p->hash, GIT_SHORT_LEN, contents) < 0)
        return err_errno(e, -ENOMEM, "could not make the tag");
    free(p->hash);
    p->hash = longer;
    return 0;
}

static int hash_folder(const struct package *p, const struct package_options *o, char **out, struct err *e) {
    *out = realpath(o->hash_path ? o->hash_path : p->dir, NULL);
    if (!*out)
        return err_errno(e, -errno, "could not find %s", o->hash_path ? o->hash_path : p->dir);
    size_t len = strlen(*out);
    return strncmp(p->dir, *out, len) != 0 || (p->dir[len] && p->dir[len] != '/')
               ? err_set(e, -EINVAL, "--hash-path %s does not contain the package %s", *out, p->dir)
               : 0;
}

static int hash_tree(struct package *p, const struct package_options *o, struct err *e) {
    const char *commit = o->hash_commit ? o->hash_commit : DEFAULT_COMMIT;
    AUTO_FREE char *folder = NULL;
    bool dirty = false;
    int r = hash_folder(p, o, &folder, e);

    if (!r)
        r = git_is_dirty(folder, commit, &dirty, e);
    p->dirty = o->force_dirty || dirty;
    if (r < 0 || p->hash)
        return r;
    r = git_tree_hash(folder, commit, &p->hash, e);
    if (!r)
        r = mix_in_sources(p, commit, e);
    return !r && p->dirty ? mark_dirty(p, e) : r;
}

static int find_tag(struct package *p, const struct package_options *o, struct err *e) {
    const char *given = o->hash ? o->hash : o->dev ? "dev" : NULL;
    const char *template = o->tag ? o->tag : text_of(p, "tag");
    int r = 0;

    p->hash = given ? strdup(given) : NULL;
    if (given && !p->hash)
        return err_errno(e, -ENOMEM, "could not make the tag");
    if (p->in_git && p->dockerfile)
        r = hash_tree(p, o, e);
    if (r < 0)
        return r;
    if (p->dockerfile && !p->hash)
        return err_set(e, -EINVAL, "could not make a tag for %s: it is in no git repository; give it one with --hash",
                       p->dir);
    if (!p->hash) /* our own builder: the contents will tell, unless the tag does not ask */
        return template && !strstr(template, "{{") ? package_expand_tag(template, "", &p->tag, e) : 0;
    return package_expand_tag(template && *template ? template : DEFAULT_TAG, p->hash, &p->tag, e);
}

static bool has_own_sections(const json_t *doc) {
    static const char *const keys[] = {"debian", "kernel", "copy", "files", "links"};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (json_object_get(doc, keys[i]))
            return true;
    return false;
}

static int find_dockerfile(struct package *p, const char *wanted, struct err *e) {
    const char *named = wanted ? wanted : text_of(p, "dockerfile");
    AUTO_FREE char *path = path_join(p->dir, named ? named : "Dockerfile");

    if (!path)
        return err_errno(e, -ENOMEM, "could not look for a Dockerfile");
    if (named && (*named == '/' || strstr(named, "..")))
        return err_set(e, -EINVAL, "dockerfile \"%s\" must lie in the package's folder", named);
    if (!named && (has_own_sections(p->recipe.doc) || access(path, F_OK) < 0))
        return 0;
    if (access(path, R_OK) < 0)
        return err_errno(e, -errno, "could not read %s", path);
    p->dockerfile = steal_ptr(&path);
    return 0;
}

static int find_names(struct package *p, const struct package_options *o, struct err *e) {
    const char *env = getenv("KEELSON_PKG_ORG"), *user = getenv("USER");
    const char *org = p->dockerfile && !text_of(p, "org") ? DOCKERFILE_ORG : p->recipe.org;

    if (!env || !*env)
        env = getenv("LINUXKIT_PKG_ORG");
    if (o->dev && user && *user)
        org = user;
    if (env && *env)
        org = env;
    p->org = strdup(o->org ? o->org : org);
    if (!p->org || asprintf(&p->name, "%s/%s", p->org, p->recipe.image) < 0) {
        p->name = NULL;
        return err_errno(e, -ENOMEM, "could not name the package");
    }
    p->recipe.org = p->org;
    return 0;
}

/* Whatever is done with it, it has to be one that an image can have. */
static int check_name(const struct package *p, struct err *e) {
    AUTO_REFERENCE struct reference ref = {0};
    AUTO_FREE char *name = NULL;

    if (asprintf(&name, "%s:%s", p->name, p->tag ? p->tag : "latest") < 0) {
        name = NULL;
        return err_errno(e, -ENOMEM, "could not name the package");
    }
    int r = reference_parse(name, &ref, e);
    return r < 0 ? err_wrap(e, r, "could not name the package in %s", p->dir) : 0;
}

int package_load(const char *dir, const struct package_options *o, struct package *p, struct err *e) {
    *p = (struct package){0};
    if (!*dir)
        return err_set(e, -EINVAL, "the name of the package's folder is empty");
    int r = recipe_load_file(dir, o->build_yml ? o->build_yml : DEFAULT_BUILD_YML, &p->recipe, e);

    if (r < 0)
        return r;
    p->dir = realpath(dir, NULL);
    if (!p->dir)
        return err_errno(e, -errno, "could not find %s", dir);
    p->network = o->network || (json_is_true(json_object_get(p->recipe.doc, "network")) && !o->no_network);
    p->no_cache =
        o->disable_cache || (json_is_true(json_object_get(p->recipe.doc, "disable-cache")) && !o->enable_cache);
    p->in_git = git_has(p->dir);
    r = find_dockerfile(p, o->dockerfile, e);
    if (!r)
        r = find_names(p, o, e);
    if (!r)
        r = find_tag(p, o, e);
    return r ? r : check_name(p, e);
}

void package_free(struct package *p) {
    recipe_free(&p->recipe);
    free(p->dir);
    free(p->dockerfile);
    free(p->org);
    free(p->hash);
    free(p->tag);
    free(p->name);
    *p = (struct package){0};
}

int package_ref(const struct package *p, const char *cache_dir, const char *arch, char **out, struct err *e) {
    char built[TAG_LEN + 1];
    int r = p->tag ? 0 : tag_find(cache_dir, p->org, p->recipe.image, arch, built, e);

    if (!r && asprintf(out, "%s:%s", p->name, p->tag ? p->tag : built) < 0) {
        *out = NULL;
        r = err_errno(e, -ENOMEM, "could not name %s", p->name);
    }
    return r;
}

int pkg_ref(const char *dir, const char *cache_dir, const char *arch, char **out, struct err *e) {
    const struct package_options defaults = {0};
    AUTO_PACKAGE struct package p;
    int r = package_load(dir, &defaults, &p, e);

    return r < 0 ? r : package_ref(&p, cache_dir, arch, out, e);
}
