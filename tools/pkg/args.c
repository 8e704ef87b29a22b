/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/args.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "tools/config/config.h"
#include "tools/pkg/git.h"
#include "tools/pkg/pkg.h"

#define ONE_PACKAGE "@lkt:pkg:"
#define PACKAGES "@lkt:pkgs:"
#define FILE_MAX ((size_t)1 << 20)

static int set(json_t *args, const char *name, const char *value, struct err *e) {
    return json_object_set_new(args, name, json_string(value)) < 0
               ? err_set(e, -EINVAL, "build argument %s: its value is not UTF-8", name)
               : 0;
}

/* "linuxkit/my-image:tag" and "DEP_%" -> "DEP_LINUXKIT_MY_IMAGE"; malloc'd. */
static char *expand_name(const char *name, const char *ref) {
    AUTO_BUF struct buf out = BUF_INIT;
    size_t len = (size_t)(strrchr(ref, ':') - ref);

    for (const char *p = name; *p; p++) {
        if (*p != '%') {
            if (buf_append(&out, p, 1) < 0)
                return NULL;
            continue;
        }
        for (size_t i = 0; i < len; i++) {
            char c = strchr("/-:", ref[i]) ? '_' : (char)toupper((unsigned char)ref[i]);
            if (buf_append(&out, &c, 1) < 0)
                return NULL;
        }
    }
    return steal_ptr(&out.data);
}

static int add_matches(json_t *args, const struct args_context *c, const char *name, const glob_t *found,
                       struct err *e) {
    int r = 0;

    for (size_t i = 0; i < found->gl_pathc && !r; i++) {
        AUTO_FREE char *ref = NULL;
        const char *base = strrchr(found->gl_pathv[i], '/');
        struct stat st;
        if (*(base ? base + 1 : found->gl_pathv[i]) == '.' || stat(found->gl_pathv[i], &st) < 0 || !S_ISDIR(st.st_mode))
            continue;
        r = pkg_ref(found->gl_pathv[i], c->cache_dir, c->arch, &ref, e);
        AUTO_FREE char *full = r ? NULL : expand_name(name, ref);
        if (!r)
            r = full ? set(args, full, ref, e) : err_errno(e, -ENOMEM, "could not make build argument %s", name);
    }
    return r;
}

static int add_packages(json_t *args, const struct args_context *c, const char *name, const char *pattern,
                        struct err *e) {
    glob_t found = {0};

    if (!strchr(name, '%') || *name == '%')
        return err_set(e, -EINVAL, "build argument %s: its name needs a %% after its first characters", name);
    int r = glob(pattern, GLOB_BRACE | GLOB_NOSORT, NULL, &found);
    if (r == 0)
        r = add_matches(args, c, name, &found, e);
    else
        r = err_set(e, -ENOENT, "build argument %s: no packages match %s", name, pattern);
    globfree(&found);
    return r;
}

/* line: NAME=VALUE; relative folders are relative to dir. */
static int add_line(json_t *args, const struct args_context *c, const char *line, const char *dir, struct err *e) {
    const char *equals = strchr(line, '=');
    AUTO_FREE char *name = equals ? strndup(line, (size_t)(equals - line)) : NULL, *path = NULL, *ref = NULL;

    if (!equals)
        return err_set(e, -EINVAL, "build argument \"%s\" must be NAME=VALUE", line);
    const char *value = equals + 1;
    bool one = !strncmp(value, ONE_PACKAGE, strlen(ONE_PACKAGE)), many = !strncmp(value, PACKAGES, strlen(PACKAGES));
    if (name && !one && !many)
        return strncmp(value, "@lkt:", 5) ? set(args, name, value, e)
                                          : err_set(e, -EINVAL, "build argument %s: %s is unknown", name, value);
    const char *folder = value + (one ? strlen(ONE_PACKAGE) : strlen(PACKAGES));
    path = *folder == '/' ? strdup(folder) : path_join(dir, folder);
    if (!name || !path)
        return err_errno(e, -ENOMEM, "could not make build argument %s", line);
    if (many)
        return add_packages(args, c, name, path, e);
    int r = pkg_ref(path, c->cache_dir, c->arch, &ref, e);
    return r < 0 ? err_wrap(e, r, "build argument %s", name) : set(args, name, ref, e);
}

static int add_file(json_t *args, const struct args_context *c, const char *path, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *dir = slash ? strndup(path, (size_t)(slash - path + 1)) : strdup(".");
    int r = dir ? read_file(path, FILE_MAX, &text, e) : err_errno(e, -ENOMEM, "could not read %s", path);
    char *pos = text.data, *line;

    while (!r && pos && (line = next_line(&pos)))
        if (*line && *line != '#')
            r = add_line(args, c, line, dir, e);
    return r < 0 ? err_wrap(e, r, "%s", path) : 0;
}

/* Unless somebody has set it. */
static int preset(json_t *args, const char *name, const char *value, struct err *e) {
    return !value || !*value || json_object_get(args, name) ? 0 : set(args, name, value, e);
}

static int add_presets(json_t *args, const struct package *p, struct err *e) {
    AUTO_FREE char *commit = NULL, *version = NULL;
    const char *source = json_string_value(json_object_get(p->recipe.doc, "gitrepo"));

    if (p->in_git && !p->dirty)
        (void)git_commit(p->dir, &commit, NULL);
    if (p->in_git)
        (void)git_go_version(p->dir, &version, NULL);
    int r = preset(args, "SOURCE", source, e);
    if (!r)
        r = preset(args, "REVISION", commit, e);
    if (!r)
        r = preset(args, "GOPKGVERSION", version, e);
    if (!r)
        r = preset(args, "PKG_HASH", p->hash, e);
    return r ? r : preset(args, "PKG_IMAGE", p->name, e);
}

static int add_proxies(json_t *args, struct err *e) {
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ftp_proxy",
                                        "FTP_PROXY",  "no_proxy",   "NO_PROXY",    "all_proxy",   "ALL_PROXY"};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(names) && !r; i++)
        r = preset(args, names[i], getenv(names[i]), e);
    return r;
}

int args_build(const struct package *p, const struct args_context *c, char *const *files, size_t files_len,
               json_t **out, struct err *e) {
    AUTO_JSON json_t *args = json_object();
    const json_t *line;
    size_t i;
    int r = args ? 0 : err_errno(e, -ENOMEM, "could not make the build arguments");

    json_array_foreach(json_object_get(p->recipe.doc, "buildArgs"), i, line) {
        if (!r)
            r = add_line(args, c, json_string_value(line), p->dir, e);
    }
    for (i = 0; i < files_len && !r; i++)
        r = add_file(args, c, files[i], e);
    if (!r)
        r = add_presets(args, p, e);
    if (!r)
        r = add_proxies(args, e);
    if (!r)
        *out = steal_ptr(&args);
    return r;
}

int args_labels(const struct package *p, json_t **out, struct err *e) {
    AUTO_JSON json_t *labels = json_object();
    AUTO_JSON json_t *config = config_copy_plain(json_object_get(p->recipe.doc, "config"));
    AUTO_FREE char *text = config ? json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS) : NULL, *commit = NULL;
    const char *source = json_string_value(json_object_get(p->recipe.doc, "gitrepo"));

    if (p->in_git && !p->dirty)
        (void)git_commit(p->dir, &commit, NULL);
    int r = labels ? set(labels, "org.keelson.version", KEELSON_VERSION, e)
                   : err_errno(e, -ENOMEM, "could not make the labels");
    if (!r && text)
        r = set(labels, "org.mobyproject.config", text, e);
    if (!r && source && p->in_git)
        r = set(labels, "org.opencontainers.image.source", source, e);
    if (!r && commit)
        r = set(labels, "org.opencontainers.image.revision", commit, e);
    if (!r)
        *out = steal_ptr(&labels);
    return r;
}
