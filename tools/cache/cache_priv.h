/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CACHE_CACHE_PRIV_H
#define TOOLS_CACHE_CACHE_PRIV_H

#include <archive.h>
#include <jansson.h>
#include <stdbool.h>

#include "lib/err.h"
#include "tools/cache/archive.h"
#include "tools/image/blob.h"
#include "tools/registry/registry.h"

/* One line for each name, or with `json` one array. refs: only these; none: all. */
int cache_ls(const char *cache_dir, char *const *refs, size_t len, bool json, struct err *e);

/* Removes what no name reaches; prints what it freed. Waits for those who add to the cache. */
int cache_gc(const char *cache_dir, struct err *e);
/* Removes the names, signatures and referrers of what nothing is left of, and then what no other name reaches. */
int cache_rm(const char *cache_dir, const char *const *refs, size_t len, struct err *e);
/* Of these images (NULL: of all), those that their registry has under that name, unchanged; says which stay, and why.
 */
int cache_rm_published(const char *cache_dir, struct registry *registry, char *const *refs, size_t len, struct err *e);
/* Removes all that is in the cache. */
int cache_clean(const char *cache_dir, struct err *e);

/*
 * Reads every blob that a name reaches and prints what is wrong; with `repair`, damaged blobs are removed, so that the
 * next pull fetches them. -EBADMSG: something was (and, without repair, is) wrong.
 */
int cache_verify(const char *cache_dir, bool repair, struct err *e);

/* --- gc.c --- */

struct swept {
    uint64_t freed;
    size_t removed;
};

/* Removes what no entry reaches but those (see layout_entry_is()). The caller has the lock CACHE_USERS. */
int cache_sweep(const char *cache_dir, const char *const *but, size_t len, struct swept *done, struct err *e);
int cache_print_swept(const struct swept *s, struct err *e);

/* --- import.c, docker_archive.c --- */

/* A file of the archive, stored as a blob. */
struct import_file {
    char *path;
    struct blob_desc desc;
    bool gzip, zstd; /* what it begins with */
};

struct import {
    const char *cache_dir;
    const char *name; /* for the one image in it; NULL: what the archive says */
    FILE *names;      /* where the names are printed; NULL: nowhere */
    struct import_file *files;
    size_t len, cap;
};

/* Removes those of the files' blobs that no entry reaches (gc.c). The caller has the lock CACHE_USERS. */
int cache_drop(const char *cache_dir, const struct import_file *files, size_t len, struct err *e);

/* NULL: the archive has no such file. */
const struct import_file *import_find(const struct import *im, const char *path);
/* Makes OCI manifests of what manifest.json lists, and names them. */
int import_docker(struct import *im, const json_t *list, struct err *e);
/* Names the descriptor and says so. */
int import_name(struct import *im, const struct blob_desc *desc, const char *name, struct err *e);

/* --- export_docker.c --- */

/* The image for docker load, named `as`, into an archive open for writing. */
int export_docker(struct archive *a, const char *cache_dir, const char *ref, const char *as, const char *arch,
                  struct err *e);

#endif
