/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs on their way: CACHE/.partial/HEX, locked (flock) by the process that fills it. It is renamed to its place when
 * it is whole; a process that is killed leaves a file without a lock, which the next one goes on with.
 */
#ifndef TOOLS_CACHE_PARTIAL_H
#define TOOLS_CACHE_PARTIAL_H

#include "tools/image/blob.h"

#define PARTIAL_DIR ".partial"

struct partial {
    int fd;
    char *path, *final;
};

/* 0: it is ours to fill; 1: the blob is there (nothing is open then). Waits while another process fills it. */
int partial_open(struct partial *p, const char *cache_dir, const struct blob_desc *desc, struct err *e);
/* The file is whole and checked: it becomes the blob. */
int partial_publish(struct partial *p, struct err *e);
/* Removes the file; the lock stays until partial_close(). */
void partial_drop(struct partial *p);
void partial_close(struct partial *p);

/* A lock of that name (a file in CACHE/.partial that stays there); waits. Returns a descriptor: closing it unlocks. */
int cache_lock(const char *cache_dir, const char *name, bool shared, struct err *e);

/*
 * Held shared by whoever adds blobs until they have a name, and exclusively by whoever removes blobs without one.
 */
#define CACHE_USERS "users"

#endif
