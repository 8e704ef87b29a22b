/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/spec.h"

#include <errno.h>

#include "lib/fdutil.h"
#include "lib/json.h"

#define SPEC_MAX ((size_t)4 << 20)

/* svcd and containerd are the last to go when memory runs out; a container is not, unless its spec says so. */
static int set_oom_score(json_t *spec) {
    json_t *process = json_object_get(spec, "process");

    if (!json_is_object(process) || json_object_get(process, "oomScoreAdj"))
        return 0;
    return json_object_set_new(process, "oomScoreAdj", json_integer(0));
}

int spec_load(const char *bundle, char **out, struct err *e) {
    AUTO_JSON json_t *spec = NULL;
    AUTO_FREE char *path = path_join(bundle, "config.json");
    AUTO_FREE char *absolute = NULL;
    json_t *root = NULL;
    const char *rootfs = "";

    if (!path)
        return err_errno(e, -ENOMEM, "could not read the spec of %s", bundle);
    int r = json_load_path(path, SPEC_MAX, &spec, e);
    if (r < 0)
        return r;
    r = json_get_object(spec, "$", "root", true, &root, e);
    if (!r)
        r = json_get_string(root, "$.root", "path", true, &rootfs, e);
    if (r < 0)
        return err_wrap(e, r, "could not use %s", path);
    if (*rootfs != '/') {
        absolute = path_join(bundle, rootfs);
        if (!absolute || json_object_set_new(root, "path", json_string(absolute)) < 0)
            return err_errno(e, -ENOMEM, "could not read %s", path);
    }
    if (set_oom_score(spec) < 0)
        return err_errno(e, -ENOMEM, "could not read %s", path);
    *out = json_dumps(spec, JSON_COMPACT);
    return *out ? 0 : err_errno(e, -ENOMEM, "could not read %s", path);
}
