/* SPDX-License-Identifier: Apache-2.0 */
/* The boot timeline (lib/timeline.h) in the order in which people read it: each stage under the one it is part of. */
#ifndef SVCD_BOOT_STAGES_H
#define SVCD_BOOT_STAGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/auto.h"
#include "lib/err.h"
#include "lib/timeline.h"

struct boot_stage {
    const char *name, *parent, *detail; /* of the timeline's document */
    int64_t start_ns, end_ns;           /* since the kernel's start */
    int64_t cpu_ns;                     /* 0: not known */
    bool ok;
    unsigned depth;
    const json_t *after;              /* names of those that it waited for; NULL: it does not say */
    size_t waits[TIMELINE_AFTER_MAX]; /* where those are: lib/waits.h */
    size_t waits_len;
};

struct boot_stages {
    struct boot_stage *v;
    size_t len;
};

/* *out's strings are the timeline's, which must outlive it. An error names the place in the document. */
int boot_stages_read(const json_t *timeline, struct boot_stages *out, struct err *e);
void boot_stages_free(struct boot_stages *s);
#define AUTO_BOOT_STAGES AUTO(boot_stages_free)

#endif
