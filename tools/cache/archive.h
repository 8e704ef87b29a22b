/* SPDX-License-Identifier: Apache-2.0 */
/* Images in and out of the cache as archives. */
#ifndef TOOLS_CACHE_ARCHIVE_H
#define TOOLS_CACHE_ARCHIVE_H

#include <stdio.h>

#include "lib/err.h"

#define IMPORT_FILES_MAX 65536

/*
 * An OCI layout or docker-archive as a tar (compressed or not) from a file or "-", or an OCI layout's folder. name: for
 * the one image in it; NULL: as the archive says. The names are printed to `names`, unless that is NULL.
 */
int cache_import(const char *cache_dir, const char *source, const char *name, FILE *names, struct err *e);

enum export_format { EXPORT_OCI, EXPORT_DOCKER, EXPORT_FILESYSTEM };
/*
 * A tar to the file, or to stdout if it is "-". arch: NULL with EXPORT_OCI: all platforms. name: the image's in the
 * archive; NULL: as it is.
 */
int cache_export(const char *cache_dir, const char *ref, const char *arch, enum export_format format, const char *name,
                 const char *out, struct err *e);

#endif
