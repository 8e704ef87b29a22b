/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.json's "interfaces": network interfaces that a container gets between its creation and its start. */
#ifndef RUNTIME_CONFIG_INTERFACES_H
#define RUNTIME_CONFIG_INTERFACES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

#define INTERFACES_MAX 256

/* Strings are borrowed from the document. */
struct interface {
    const char *name;
    const char *add;  /* the kernel's name of a kind of link; "": it is there and moves in */
    const char *peer; /* of a veth: the end that stays; "" with every other kind */
    bool create_in_root;
    unsigned root_index; /* of what was made for it and has stayed in our namespace; 0: nothing */
};

struct interfaces {
    struct interface *v;
    size_t len;
};

/* From the document's key "interfaces"; errors name the place. `path` is for warnings about what is ignored. */
int interfaces_load(const json_t *doc, const char *path, struct interfaces *out, struct err *e);
void interfaces_free(struct interfaces *list);

/*
 * Makes or moves each, in order, for the network namespace of the process, up to the first failure. An interface that
 * is there already is one. Waits for the kernel at most LINK_DEADLINE_MS for each.
 */
int interfaces_give(struct interfaces *list, int pid, struct err *e);

/* Deletes what interfaces_give() has left in our own namespace, so that it can be called once more; best effort. */
void interfaces_take_back(struct interfaces *list);

#endif
