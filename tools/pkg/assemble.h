/* SPDX-License-Identifier: Apache-2.0 */
/* From a recipe to an image in the cache. */
#ifndef TOOLS_PKG_ASSEMBLE_H
#define TOOLS_PKG_ASSEMBLE_H

#include "tools/image/image.h"
#include "tools/pkg/debian.h"
#include "tools/pkg/recipe.h"

#define ASSEMBLY_LAYERS_MAX 258
#define LABEL_DEBIAN "org.keelson.debian" /* JSON: package -> version */

/* An image being made: its layers, bottom first, and the Debian versions that went into it. */
struct assembly {
    const struct recipe *recipe;
    const char *cache_dir;
    const char *arch;
    char *deb_dir; /* CACHE/debs */
    struct layer_desc layers[ASSEMBLY_LAYERS_MAX];
    size_t layers_len;
    json_t *made_of;  /* of each layer, what it is of: see LABEL_LAYERS */
    json_t *versions; /* package -> version */
};

/*
 * Makes the image for the architecture, stores it as docker.io/ORG/IMAGE with the tags `latest` and the hash of its
 * contents, beside the other architectures that are there, and gives that hash (TAG_LEN + 1 bytes).
 */
int assemble(const struct recipe *recipe, const char *cache_dir, const char *arch, char *tag, struct err *e);

/* The text with RECIPE_ARCH replaced; to be freed. NULL: no memory. */
char *assembly_expand(const struct assembly *a, const char *text);

/* Opens, fills through fn and closes one layer: of a Debian package, or (NULL) of the recipe's own files. */
typedef int fill_layer_fn(struct layer_writer *w, void *data, struct err *e);
int assembly_layer(struct assembly *a, const struct deb *deb, fill_layer_fn *fn, void *data, struct err *e);

/* One file from memory or from a descriptor, whose own mode says whether it is 0755 or 0644 for MODE_OF_FILE. */
#define MODE_OF_FILE ((mode_t)-1)
int layer_add_text(struct layer_writer *w, const char *path, mode_t mode, const char *text, size_t len, struct err *e);
int layer_add_fd(struct layer_writer *w, const char *path, mode_t mode, int fd, struct err *e);

/* The package's control file, where scanners look for it in images without a package manager. */
int layer_add_deb_record(struct layer_writer *w, const struct deb *deb, struct err *e);

/* The `debian:` section: a layer for each package. */
int assemble_debian(struct assembly *a, struct err *e);

/* The `kernel:` section: `kernel` and `kernel.tar`. */
int assemble_kernel(struct assembly *a, struct err *e);

#endif
