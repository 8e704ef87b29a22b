/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/spec.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/utf8.h"

#define SPEC_MAX ((size_t)4 << 20)

/* svcd and containerd are the last to go when memory runs out; a container is not, unless its spec says so. */
static int set_oom_score(json_t *spec) {
    json_t *process = json_object_get(spec, "process");

    if (!json_is_object(process) || json_object_get(process, "oomScoreAdj"))
        return 0;
    return json_object_set_new(process, "oomScoreAdj", json_integer(0));
}

int spec_read(const char *bundle, json_t **out, struct err *e) {
    AUTO_FREE char *path = path_join(bundle, "config.json");

    return path ? json_load_path(path, SPEC_MAX, out, e)
                : err_errno(e, -ENOMEM, "could not read the spec of %s", bundle);
}

/* *spec is a new reference; *root is its root, whose path is absolute then. */
static int load(const char *bundle, json_t **spec, json_t **root, struct err *e) {
    AUTO_FREE char *absolute = NULL;
    const char *rootfs = "";
    int r = spec_read(bundle, spec, e);

    if (r < 0)
        return r;
    r = json_get_object(*spec, "$", "root", true, root, e);
    if (!r)
        r = json_get_string(*root, "$.root", "path", true, &rootfs, e);
    if (r < 0)
        return err_wrap(e, r, "could not use %s/config.json", bundle);
    if (*rootfs == '/')
        return 0;
    absolute = path_join(bundle, rootfs);
    if (absolute && !is_utf8(absolute))
        return err_set(e, -EILSEQ, "could not use %s/config.json: its path is no UTF-8", bundle);
    if (!absolute || json_object_set_new(*root, "path", json_string(absolute)) < 0)
        return err_errno(e, -ENOMEM, "could not read %s/config.json", bundle);
    return 0;
}

int spec_load(const char *bundle, char **out, struct err *e) {
    AUTO_JSON json_t *spec = NULL;
    json_t *root = NULL;
    int r = load(bundle, &spec, &root, e);

    if (r < 0)
        return r;
    *out = set_oom_score(spec) < 0 ? NULL : json_dumps(spec, JSON_COMPACT);
    return *out ? 0 : err_errno(e, -ENOMEM, "could not read the spec of %s", bundle);
}

int spec_dump(const char *path, const char *name, const char *file, struct err *e) {
    AUTO_FREE char *bundle = path_join(path, name);
    AUTO_FREE char *compact = NULL;
    int r = bundle ? spec_load(bundle, &compact, e) : err_errno(e, -ENOMEM, "could not read the spec of %s", name);

    if (r < 0)
        return r;
    AUTO_JSON json_t *spec = json_loads(compact, 0, NULL);
    AUTO_FREE char *text = json_dumps(spec, JSON_INDENT(4));
    if (!text)
        return err_errno(e, -ENOMEM, "could not write %s", file);
    return write_file_atomic(file, text, strlen(text), 0644, false, e);
}

int spec_check(const char *bundle, struct err *e) {
    AUTO_JSON json_t *spec = NULL;
    json_t *root = NULL;
    struct stat st;
    int r = load(bundle, &spec, &root, e);

    if (r < 0)
        return r;
    const char *path = json_string_value(json_object_get(root, "path"));
    r = stat(path, &st) < 0 ? -errno : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
    return r < 0 ? err_errno(e, r, "could not use %s/config.json: $.root.path: %s", bundle, path) : 0;
}

int spec_process(const char *bundle, const char *const *args, size_t args_len, char **out, struct err *e) {
    AUTO_JSON json_t *spec = NULL;
    AUTO_JSON json_t *command = json_array();
    json_t *process = NULL;

    if (!command)
        return err_errno(e, -ENOMEM, "could not read the spec of %s", bundle);
    int r = spec_read(bundle, &spec, e);
    if (!r)
        r = json_get_object(spec, "$", "process", true, &process, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < args_len; i++)
        if (json_array_append_new(command, json_string(args[i])) < 0)
            return err_errno(e, -ENOMEM, "could not read %s/config.json", bundle);
    if (json_object_set(process, "args", command) < 0 || json_object_set_new(process, "terminal", json_false()) < 0)
        return err_errno(e, -ENOMEM, "could not read %s/config.json", bundle);
    *out = json_dumps(process, JSON_COMPACT);
    return *out ? 0 : err_errno(e, -ENOMEM, "could not read %s/config.json", bundle);
}

bool spec_has_own(const json_t *spec, const char *type) {
    const json_t *ns;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(spec, "linux"), "namespaces"), i, ns) {
        const char *is = json_string_value(json_object_get(ns, "type"));
        const char *of = json_string_value(json_object_get(ns, "path"));
        if (is && !strcmp(is, type))
            return !of || !*of;
    }
    return false;
}

bool spec_has_own_pids(const char *bundle) {
    AUTO_JSON json_t *spec = NULL;

    return spec_read(bundle, &spec, NULL) == 0 && spec_has_own(spec, "pid");
}
