/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/containerd/runtime-config.toml: how containerd is started. */
#ifndef RUNTIME_CONFIG_CONTAINERD_CONF_H
#define RUNTIME_CONFIG_CONTAINERD_CONF_H

#include <stddef.h>

#include "lib/err.h"

#define CONTAINERD_CONF_PATH "/etc/containerd/runtime-config.toml"
#define CONTAINERD_CONF_MAX ((size_t)64 << 10)
#define CONTAINERD_OPTIONS_MAX 256

struct containerd_conf {
    const char *argv[CONTAINERD_OPTIONS_MAX + 2]; /* the program, cliopts' words, NULL */
    char *cliopts;                                /* what they are cut from */
    char *stdout_to, *stderr_to;                  /* NULL: the console; "stdout", "stderr", or an absolute path */
};

/*
 * An absent file is an empty one. Unknown keys are warned about. On an error *c holds the defaults, fit for a start:
 * -EINVAL, the file is not TOML or a value is not what it should be (the error names line and column), -EFBIG, ...
 */
int containerd_conf_load(const char *path, const char *program, struct containerd_conf *c, struct err *e);
void containerd_conf_free(struct containerd_conf *c);

/*
 * The descriptor that `to` means, to be closed by the caller; *out is -1 for the console: what this program has. A file
 * is created if need be and appended to; a symbolic link is not followed (-ELOOP). Does not wait, not even for the
 * reader of a FIFO (-ENXIO).
 */
int containerd_conf_open(const char *to, int *out, struct err *e);

#endif
