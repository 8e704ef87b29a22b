/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression in pieces, with fixed settings: the same bytes in give the same bytes out, however many processors there
 * are. Memory: 14 MiB at most (zstd compresses in a thread of its own, in jobs of 1 MiB; xz has a dictionary of 1 MiB).
 */
#ifndef TOOLS_OUTPUT_COMPRESS_H
#define TOOLS_OUTPUT_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

enum compression { COMPRESS_NONE, COMPRESS_ZSTD, COMPRESS_GZIP, COMPRESS_XZ };

struct compressor;

/* Takes compressed bytes. */
typedef int compressor_sink(void *data, const void *bytes, size_t len, struct err *e);

int compressor_new(enum compression how, struct compressor **out, struct err *e);
/* end: these are the last bytes; what is written next begins anew. */
int compressor_write(struct compressor *c, const void *data, size_t len, bool end, compressor_sink *sink,
                     void *sink_data, struct err *e);
void compressor_free(struct compressor *c);
DEFINE_AUTO(struct compressor *, compressor_free)
#define AUTO_COMPRESSOR AUTO(compressor_free_auto)

/* "zstd", and the other way round; -EINVAL. */
const char *compression_name(enum compression how);
int compression_parse(const char *word, enum compression *out);
/* All names, for messages. */
#define COMPRESSION_NAMES "zstd, gzip, xz or none"
/* What the bytes depend on beside the settings: the library's name and version. */
const char *compression_version(enum compression how);

#endif
