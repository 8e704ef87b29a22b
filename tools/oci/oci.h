/* SPDX-License-Identifier: Apache-2.0 */
/* The two files of a container's bundle: config.json (OCI runtime specification) and runtime.json (LinuxKit's own). */
#ifndef TOOLS_OCI_OCI_H
#define TOOLS_OCI_OCI_H

#include "tools/config/config.h"

struct oci_spec {
    json_t *config;
    json_t *runtime; /* without the mounts that make the root: see oci_add_root_mounts() */
    bool readonly;
};

/*
 * Defaults, overridden by the image's org.mobyproject.config label, overridden by the YAML. image_config is the OCI
 * image configuration document; arch ("amd64", "arm64") that of the machine. Each field that is wrong goes to problems
 * (NULL: the first is in *e, and how many more) with its place in the YAML, or the container's if the label has it.
 */
int oci_spec_make(const struct config *c, const struct config_container *container, const json_t *image_config,
                  const char *arch, struct problems *problems, struct oci_spec *out, struct err *e);
void oci_spec_free(struct oci_spec *s);
#define AUTO_OCI_SPEC AUTO(oci_spec_free)

/*
 * Puts the mounts that make BUNDLE/rootfs before the container's own runtime mounts: an overlay over `root` (both
 * without leading slash), or for a read-only container a bind of it.
 */
int oci_add_root_mounts(struct oci_spec *s, const char *bundle, const char *root, struct err *e);

/* The document as text, malloc'd; NULL: no memory. */
char *oci_dump(const json_t *doc);

#endif
