/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_SBOM_SBOM_PRIV_H
#define TOOLS_SBOM_SBOM_PRIV_H

#include <jansson.h>
#include <openssl/sha.h>

#include "tools/image/arena.h"
#include "tools/sbom/packages.h"
#include "tools/sbom/sbom.h"

/* What is attested of an image, with ids of ours; arrays, NULL: nothing is attested. */
struct attested {
    json_t *packages, *relationships, *licenses, *references, *annotations;
};

struct sbom_image {
    char *name, *prefix;
    char *digest; /* NULL: only its blobs are stored */
    char **layers;
    size_t layers_len, layers_cap;
    struct packages packages;
    json_t *made_of;    /* of an image of keelson's: a layer's digest -> what it is of, see LABEL_LAYERS */
    json_t *statements; /* descriptors, see image_attestations() */
    struct attested attested;
};

/* One path of the tree; several of one path: the last counts. */
struct record {
    const char *path;
    const char *link;  /* a hard link's target */
    uint32_t image;    /* index + 1; 0: no image's */
    uint32_t layer;    /* index in the image's layers */
    uint32_t location; /* index: the part of the YAML that it comes from */
    uint32_t seq;
    bool regular;   /* or a hard link */
    bool from_yaml; /* of the files: section */
    bool claimed;   /* by an attested package */
    unsigned char sha1[SHA_DIGEST_LENGTH];
};

struct sbom {
    struct output output;
    struct output *inner;
    struct arena paths;
    char *cache_dir;
    struct sbom_image *images;
    size_t images_len, images_cap;
    struct record *records;
    size_t records_len, records_cap;
    char **locations;
    size_t locations_len, locations_cap;
};

/* What is said of the layers of an image that keelson made; NULL: of another. A new reference; -ENOMEM. */
int layers_read(struct sbom_image *image, const struct image *img);
/* Their packages, where no database has them. */
int layers_add_packages(struct sbom_image *image, struct err *e);
/* Index of the package that the layer is of, or PACKAGE_UNKNOWN. */
size_t layer_owner(const struct sbom_image *image, size_t layer);

/* The path's record, once they are sorted; NULL: there is none that is a regular file. */
struct record *sbom_find(const struct sbom *s, const char *path);

/*
 * Reads what is attested of image number i into its `attested`, and claims the files that attested packages contain.
 * What cannot be used is told, and left out.
 */
int attested_read(struct sbom *s, size_t i, struct err *e);
void attested_free(struct attested *a);

/* The document into f, from sorted records. */
int document_write(const struct sbom *s, int64_t created, FILE *f, struct err *e);

#endif
