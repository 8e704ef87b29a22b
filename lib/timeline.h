/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot timeline: /run/keelson/boot.json, one JSON document that init, service and svcd append to under flock:
 *
 *   {"version":1,"stages":[
 *   {"stage":"init","parent":"","start_ns":1200000000,"end_ns":1250000000,"ok":true,"detail":""},
 *   ...
 *   ]}
 *
 * and, as far as it is known, at the end of a stage: "output":"what it last printed", "cpu_ns":980000000 (user and
 * system time of the processes that it waited for, or of the container), "after":["services/db"] (whose end it waited
 * for; empty: nobody's). Without "after" a stage waited for what came before it under the same parent: lib/waits.h.
 *
 * Times are CLOCK_MONOTONIC (0 = the kernel's start). At most TIMELINE_MAX_BYTES; later stages are dropped and the
 * function says so with -EFBIG. Appending never blocks for longer than 20 ms (-EAGAIN then). No allocation.
 */
#ifndef LIB_TIMELINE_H
#define LIB_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TIMELINE_PATH "/run/keelson/boot.json"
#define TIMELINE_MAX_BYTES (256 * 1024)
#define TIMELINE_OUTPUT_MAX 400 /* bytes of output that are kept: its last ones */
#define TIMELINE_AFTER_MAX 4    /* names of others that a stage waited for: the first ones */
#define TIMELINE_MORE_MAX 1024  /* bytes that timeline_more() makes, its NUL included */

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

/* The same with what timeline_more() has made. Apart from the stage: PID 1 has no room for what it does not say. */
int timeline_append_more(const char *path, const struct timeline_stage *s, const char *more);

/* cpu_ns: 0 if not known. after: NULL if nothing is to be said of it. A name that does not fit is left out. */
void timeline_more(char out[TIMELINE_MORE_MAX], uint64_t cpu_ns, const char *const *after, size_t after_len);

/* A part of the document: JSON string contents, escaped as they stand there, all of it ASCII. */
struct timeline_text {
    const char *p;
    size_t len;
};

static inline bool timeline_is_same(struct timeline_text a, struct timeline_text b) {
    return a.len == b.len && !memcmp(a.p, b.p, a.len);
}

struct timeline_entry {
    struct timeline_text stage, parent, detail, output;
    uint64_t start_ns, end_ns, cpu_ns; /* cpu_ns: 0 if not known */
    bool ok, tells_after;
    struct timeline_text after[TIMELINE_AFTER_MAX];
    size_t after_len;
};

/* The entry that begins at or after *pos, which is moved behind it; what is no entry is passed over. False: no more. */
bool timeline_next(const char *text, size_t len, size_t *pos, struct timeline_entry *e);

/*
 * At most cut bytes of s as JSON string contents in out; bytes outside ASCII become '?', so a cut never breaks UTF-8.
 * Returns how long that is. What does not fit whole is left out.
 */
size_t timeline_escape(char *out, size_t out_len, const char *s, size_t cut);

#endif
