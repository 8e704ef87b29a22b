/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "lib/fdutil.h"
#include "tools/run/metadata.h"

int state_file(const char *state, const char *name, const char *file, char out[RUN_PATH_MAX], struct err *e) {
    int n = state ? snprintf(out, RUN_PATH_MAX, "%s/%s", state, file)
                  : snprintf(out, RUN_PATH_MAX, "%s-state/%s", name ? name : "netboot", file);

    return n >= RUN_PATH_MAX ? err_errno(e, -ENAMETOOLONG, "could not use the state folder") : 0;
}

static int state_path(const struct run_options *o, const char *file, char out[RUN_PATH_MAX], struct err *e) {
    int r = state_file(o->state, o->name, file, out, e);

    if (r < 0 || o->dry_run)
        return r;
    AUTO_FREE char *dir = strndup(out, strlen(out) - strlen(file) - 1);
    return dir ? mkdir_p(dir, 0755, e) : err_errno(e, -ENOMEM, "could not use the state folder");
}

static int write_data(const struct run_options *o, const char *iso, struct err *e) {
    AUTO_BUF struct buf data = BUF_INIT;
    int r = o->data_file ? read_file(o->data_file, METADATA_MAX, &data, e) : buf_puts(&data, o->data);

    if (r < 0)
        return o->data_file ? r : err_errno(e, r, "could not use --data");
    return metadata_write(iso, data.data ? data.data : "", data.len, e);
}

/* QEMU's sockets have the longest names there. */
static int settle_detached(struct run_options *o, struct err *e) {
    char path[RUN_PATH_MAX];
    int r = state_path(o, "console.sock", path, e);

    if (!r && strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        r = err_errno(e, -ENAMETOOLONG, "could not use %s for a socket; see --state", path);
    if (!r)
        (void)snprintf(o->detach_dir, sizeof(o->detach_dir), "%.*s", (int)(strlen(path) - strlen("/console.sock")),
                       path);
    return r;
}

int state_prepare(struct run_options *o, char data_iso[RUN_PATH_MAX], struct err *e) {
    char file[32];
    int r = 0;

    data_iso[0] = '\0';
    for (size_t i = 0; i < o->disks_len && !r; i++) {
        struct run_disk *d = &o->disks[i];
        (void)snprintf(file, sizeof(file), "disk%zu.%s", i, d->format[0] ? d->format : "qcow2");
        if (!d->path[0])
            r = state_path(o, file, d->path, e);
    }
    if (!r && o->detach)
        r = settle_detached(o, e);
    if (r < 0 || (!o->data && !o->data_file))
        return r;
    r = state_path(o, "data.iso", data_iso, e);
    return r || o->dry_run ? r : write_data(o, data_iso, e);
}
