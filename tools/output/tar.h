/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_OUTPUT_TAR_H
#define TOOLS_OUTPUT_TAR_H

#include "tools/output/stream.h"

/* The tree as a PAX tar in `path`, boot/ included; "-" is stdout. docker: with a Dockerfile, for `docker build -`. */
int output_tar_new(const char *path, bool docker, struct output **out, struct err *e);

/* One entry into a tar; origin: NULL for none. */
int tar_put(struct stream *s, const struct entry *entry, const struct entry_content *content,
            const struct origin *origin, struct err *e);
/* A file of the host as `name`, with mode 0644 and IMAGE_TIME. -ENOENT: there is none. */
int tar_put_file(struct stream *s, const char *name, const char *path, struct err *e);
/* Ends the tar; the file has not got its name yet. */
int tar_end(struct stream *s, struct err *e);

#endif
