/* SPDX-License-Identifier: Apache-2.0 */
/* From a recipe to an image in the cache. */
#ifndef TOOLS_PKG_ASSEMBLE_H
#define TOOLS_PKG_ASSEMBLE_H

#include "tools/image/image.h"
#include "tools/pkg/debian.h"
#include "tools/pkg/recipe.h"

#define ASSEMBLY_LAYERS_MAX 258

/* An image being made: its layers, bottom first, and the Debian versions that went into it. */
struct assembly {
    const struct recipe *recipe;
    const char *cache_dir;
    char *deb_dir; /* CACHE/debs */
    struct layer_desc layers[ASSEMBLY_LAYERS_MAX];
    size_t layers_len;
    json_t *versions; /* package -> version */
};

/*
 * Makes the image, stores it as docker.io/ORG/IMAGE with the tags `latest` and the hash of its contents, and gives that
 * hash (TAG_LEN + 1 bytes).
 */
int assemble(const struct recipe *recipe, const char *cache_dir, const char *arch, char *tag, struct err *e);

/* Opens, fills through fn and closes one layer. */
typedef int fill_layer_fn(struct layer_writer *w, void *data, struct err *e);
int assembly_layer(struct assembly *a, fill_layer_fn *fn, void *data, struct err *e);

/* One file from memory or from a descriptor, whose own mode says whether it is 0755 or 0644 for MODE_OF_FILE. */
#define MODE_OF_FILE ((mode_t)-1)
int layer_add_text(struct layer_writer *w, const char *path, mode_t mode, const char *text, size_t len, struct err *e);
int layer_add_fd(struct layer_writer *w, const char *path, mode_t mode, int fd, struct err *e);

/* The package's control file, where scanners look for it in images without a package manager. */
int layer_add_deb_record(struct layer_writer *w, const struct deb *deb, struct err *e);
int assembly_note_version(struct assembly *a, const struct deb *deb, struct err *e);

/* The `debian:` section: a layer for each package. */
int assemble_debian(struct assembly *a, struct err *e);

/* The `kernel:` section: `kernel` and `kernel.tar`. */
int assemble_kernel(struct assembly *a, struct err *e);

#endif
