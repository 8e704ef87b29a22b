/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot timeline: /run/keelson/boot.json, one JSON document that init, service and svcd append to under flock:
 *
 *   {"version":1,"stages":[
 *   {"stage":"init","parent":"","start_ns":1200000000,"end_ns":1250000000,"ok":true,"detail":""},
 *   ...
 *   ]}
 *
 * and, if there is one, "output":"what it last printed" at the end of a stage.
 *
 * Times are CLOCK_MONOTONIC (0 = the kernel's start). At most TIMELINE_MAX_BYTES; later stages are dropped and the
 * function says so with -EFBIG. Appending never blocks for longer than 20 ms (-EAGAIN then). No allocation.
 */
#ifndef LIB_TIMELINE_H
#define LIB_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMELINE_PATH "/run/keelson/boot.json"
#define TIMELINE_MAX_BYTES (256 * 1024)
#define TIMELINE_OUTPUT_MAX 400 /* bytes of output that are kept: its last ones */

struct timeline_stage {
    const char *stage;  /* "mounts", "010-onboot", "onboot/000-dhcpcd", "services/www" */
    const char *parent; /* stage it is part of: "" (top), "init.d", "010-onboot", ...: gives the indent */
    uint64_t start_ns;
    uint64_t end_ns;
    bool ok;
    const char *detail; /* "" or why it failed; JSON-escaped by the callee; of more than 200 bytes
                         * the middle is left out */
    const char *output; /* the last that a failed step printed; NULL: not known */
};

int timeline_append(const char *path, const struct timeline_stage *s);

/* A part of the document: JSON string contents, escaped as they stand there, all of it ASCII. */
struct timeline_text {
    const char *p;
    size_t len;
};

struct timeline_entry {
    struct timeline_text stage, parent, detail, output;
    uint64_t start_ns, end_ns;
    bool ok;
};

/* The entry that begins at or after *pos, which is moved behind it; what is no entry is passed over. False: no more. */
bool timeline_next(const char *text, size_t len, size_t *pos, struct timeline_entry *e);

/*
 * At most cut bytes of s as JSON string contents in out; bytes outside ASCII become '?', so a cut never breaks UTF-8.
 * Returns how long that is. What does not fit whole is left out.
 */
size_t timeline_escape(char *out, size_t out_len, const char *s, size_t cut);

#endif
