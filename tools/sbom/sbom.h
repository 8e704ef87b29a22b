/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SBOM of an appliance: an SPDX 2.3 document that lists the images, their layers and packages, and every regular
 * file of the tree with its SHA-1 and where it comes from. It is collected while the tree passes to an output: sizes
 * are bounded by the number of paths. The same tree has the same document.
 *
 * Packages are those of the image's SPDX attestations; if it has none that can be used, those of its dpkg and apk
 * databases. A file that no package is known to have brought says so.
 */
#ifndef TOOLS_SBOM_SBOM_H
#define TOOLS_SBOM_SBOM_H

#include <stdbool.h>

#include "tools/image/image.h"
#include "tools/output/output.h"

struct sbom;

int sbom_new(const char *cache_dir, struct sbom **out, struct err *e);
/* What is added to it is noted and goes on to the output of sbom_pass_to(). */
struct output *sbom_output(struct sbom *s);
/* From here on; inner stays the caller's. */
void sbom_pass_to(struct sbom *s, struct output *inner);

/*
 * From here on entries that have a layer are of this image, and lie below prefix ("" or a path). name: as it is told;
 * img: NULL if only its blobs are stored. Without an SBOM (s is NULL) nothing happens.
 */
int sbom_begin_image(struct sbom *s, const char *name, const char *prefix, const struct image *img, struct err *e);

/* Writes the document into the tree, at path. `created`: seconds since 1970. Nothing may be added afterwards. */
int sbom_add_document(struct sbom *s, const char *path, int64_t created, struct err *e);

void sbom_free(struct sbom *s);
DEFINE_AUTO(struct sbom *, sbom_free)
#define AUTO_SBOM AUTO(sbom_free_auto)

#endif
