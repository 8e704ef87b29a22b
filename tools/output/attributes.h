/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes of entries on their way to where there is no place for them. Holds all that entries still have.
 */
#ifndef TOOLS_OUTPUT_ATTRIBUTES_H
#define TOOLS_OUTPUT_ATTRIBUTES_H

#include <stdbool.h>

#include "lib/buf.h"
#include "tools/image/pathmap.h"
#include "tools/output/output.h"

struct attributes_of;

struct attributes {
    struct pathmap names; /* -> index into v, from 1; holds the attributes, too */
    struct attributes_of *v;
    size_t len, cap;
};

void attributes_fini(struct attributes *a);
/* What stood under that path before is forgotten. A hard link has what the name has that it leads to. */
int attributes_note(struct attributes *a, const struct entry *entry, struct err *e);

/* Which of them are meant; NULL: all. */
typedef bool attributes_are_fn(const char *name);
/* Those that a tmpfs takes. */
bool attributes_are_for_tmpfs(const char *name);
bool attributes_are_not_for_tmpfs(const char *name);

/* The table of lib/attributes.h, sorted by path, appended to out; nothing: there are none of them. */
int attributes_put_table(const struct attributes *a, attributes_are_fn *are, struct buf *out, struct err *e);
/* A warning with how many files lose them, the first of these, and why; none: no warning. */
int attributes_warn(const struct attributes *a, attributes_are_fn *are, const char *why, struct err *e);

#endif
