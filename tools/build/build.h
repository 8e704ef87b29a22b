/* SPDX-License-Identifier: Apache-2.0 */
/* From a configuration and a cache of images to the file tree of an appliance, streamed into an output. */
#ifndef TOOLS_BUILD_BUILD_H
#define TOOLS_BUILD_BUILD_H

#include "tools/config/config.h"
#include "tools/output/output.h"
#include "tools/registry/ensure.h"
#include "tools/sbom/sbom.h"

struct progress_line;

struct build {
    const struct config *config;
    const char *cache_dir;
    const char *arch;
    struct output *const *outputs;
    size_t outputs_len;
    struct sbom *sbom;              /* of what is built; NULL: there is none */
    const char *sbom_path;          /* where the SBOM goes in the tree */
    int64_t sbom_time;              /* the time that it bears */
    bool anew;                      /* nothing that was kept is used */
    bool decompress_kernel;         /* boot/kernel is what is in it */
    enum compression compression;   /* of the initrd */
    struct progress_line *progress; /* NULL: none is shown */
    const json_t *roots;            /* from build_bring_images() */
    struct problems *problems;      /* where what is wrong with the configuration goes */
    struct output *output;          /* set by build_tree(): where a part's entries go */
};

/*
 * What is wrong with names of images, fields of containers and files, as far as that can be told without images, goes
 * to p. Fields that the reader refused already are left out. Fails only without memory.
 */
int build_check(const struct config *c, const char *arch, struct problems *p, struct err *e);

/*
 * Brings all images that the configuration names into the cache, before anything is written. All that cannot be had
 * goes to problems with the place of its name; the first is in *e. roots, an object, gets for each name the descriptor
 * of the index or manifest that it had when its signature was checked: what is built is that.
 */
int build_bring_images(const struct config *config, const struct image_ensure *how, json_t *roots,
                       struct problems *problems, struct err *e);

/* Kernel, init images, volumes, containers, files, in this order, to all outputs; notes them in the SBOM. Does not
 * finish the outputs. What is wrong with the containers and their images' labels is looked for before anything is
 * written, all of it, and goes to b->problems. */
int build_tree(const struct build *b, struct err *e);

/* `keelson build`: argv[0] is "build". Returns the exit status. */
int build_main(int argc, char **argv);

#endif
