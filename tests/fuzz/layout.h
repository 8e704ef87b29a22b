/* SPDX-License-Identifier: Apache-2.0 */
/* A cache of images in a folder of its own, for targets that read images. */
#ifndef TESTS_FUZZ_LAYOUT_H
#define TESTS_FUZZ_LAYOUT_H

#include "lib/temp.h"
#include "tests/fuzz/fuzz.h"
#include "tools/image/blob.h"

/* In memory, if that is possible: what is stored is synced. */
static inline void fuzz_folder(struct temp_dir *dir) {
    struct err e = {0};

    FUZZ_CHECK(temp_dir_make(dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NULL, "keelson-fuzz-", &e) == 0);
}

static inline void fuzz_blob(const char *cache_dir, const void *data, size_t size, struct blob_desc *out) {
    struct blob_writer w;
    struct err e = {0};

    FUZZ_CHECK(blob_writer_open(&w, cache_dir, &e) == 0);
    FUZZ_CHECK(blob_writer_write(&w, data, size, &e) == 0);
    FUZZ_CHECK(blob_writer_finish(&w, out->digest, &out->size, &e) == 0);
}

#endif
