/* SPDX-License-Identifier: Apache-2.0 */
/* From a configuration and a cache of images to the file tree of an appliance, streamed into an output. */
#ifndef TOOLS_BUILD_BUILD_H
#define TOOLS_BUILD_BUILD_H

#include "tools/config/config.h"
#include "tools/output/output.h"

struct build {
    const struct config *config;
    const char *cache_dir;
    const char *arch;
    struct output *output;
};

/* Kernel, init images, containers, files, in this order. Does not finish the output. */
int build_tree(const struct build *b, struct err *e);

/* `keelson build`: argv[0] is "build". Returns the exit status. */
int build_main(int argc, char **argv);

#endif
