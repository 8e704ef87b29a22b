/* SPDX-License-Identifier: Apache-2.0 */
/* Content-addressed files of an OCI layout: blobs/sha256/HEX. */
#ifndef TOOLS_IMAGE_BLOB_H
#define TOOLS_IMAGE_BLOB_H

#include <jansson.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"

#define DIGEST_MAX 80 /* "sha256:" and 64 hex digits, with room */
#define BLOB_JSON_MAX ((size_t)8 << 20)

/* What a descriptor says of a blob. */
struct blob_desc {
    char digest[DIGEST_MAX];
    char media_type[128];
    uint64_t size;
};

/* "sha256:" and 64 lower-case hexadecimal digits: what may become a file name. */
bool digest_valid(const char *digest);

/* Reads digest, size and mediaType of a descriptor object; -EINVAL names what is wrong. */
int blob_desc_parse(const json_t *obj, const char *where, struct blob_desc *out, struct err *e);

/* True if the cache has a file of that digest and size; its contents are not looked at. */
bool blob_exists(const char *cache_dir, const struct blob_desc *desc);
/* CACHE/blobs/sha256/HEX, malloc'd; NULL: no memory. */
char *blob_path(const char *cache_dir, const char *digest);

/* --- reading: every byte is hashed; blob_reader_end() reads the rest and compares digest and size --- */
struct blob_reader {
    int fd;
    uint64_t seen;
    EVP_MD_CTX *hash;
    struct blob_desc desc;
    char chunk[65536];
};
int blob_reader_open(struct blob_reader *b, const char *cache_dir, const struct blob_desc *desc, struct err *e);
ssize_t blob_reader_read(struct blob_reader *b, const void **data, struct err *e); /* 0 at the end */
int blob_reader_end(struct blob_reader *b, struct err *e);
void blob_reader_close(struct blob_reader *b);

/* A whole verified JSON document; *out is a new reference. */
int blob_load_json(const char *cache_dir, const struct blob_desc *desc, json_t **out, struct err *e);

/* --- writing: into a temporary file in blobs/sha256, renamed to its digest at the end --- */
struct blob_writer {
    int fd;
    char *path;
    char *dir;
    uint64_t size;
    EVP_MD_CTX *hash;
};
int blob_writer_open(struct blob_writer *w, const char *cache_dir, struct err *e);
int blob_writer_write(struct blob_writer *w, const void *data, size_t len, struct err *e);
/* digest gets "sha256:..." (DIGEST_MAX bytes). The writer is closed in any case. */
int blob_writer_finish(struct blob_writer *w, char *digest, uint64_t *size, struct err *e);
void blob_writer_abort(struct blob_writer *w);

/* Compact JSON with sorted keys, so that equal documents have equal digests. */
int blob_store_json(const char *cache_dir, const json_t *doc, struct blob_desc *out, struct err *e);

/* "sha256:..." of what the context has seen; frees nothing. */
int digest_final(EVP_MD_CTX *hash, char *digest, struct err *e);
EVP_MD_CTX *digest_new(void); /* NULL: no memory */

#endif
