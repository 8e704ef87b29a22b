/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds of links that the kernel wants to know more of: a parent, a number, a mode. A table, pure. Of a kind that is
 * not in it nothing is known: it may have a parent, and has neither number nor mode.
 */
#ifndef RUNTIME_CONFIG_LINK_KIND_H
#define RUNTIME_CONFIG_LINK_KIND_H

#include <stdbool.h>

#include "lib/err.h"
#include "runtime-config/link.h"

#define LINK_NO_ID INT64_MIN

/* What is asked for. */
struct link_words {
    bool has_parent;
    int64_t id;       /* LINK_NO_ID: none */
    const char *mode; /* NULL: none */
};

/*
 * Turns the words into what link_msg_create() takes. -EINVAL: the kind lacks one, does not have it, or it is not a
 * value that there is; *e begins with `where`, the link's JSON path, and the key.
 */
int link_kind_take(const char *kind, const struct link_words *words, const char *where, struct link_data *out,
                   struct err *e);

#endif
