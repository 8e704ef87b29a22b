/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.json's "interfaces": network interfaces that a container gets between its creation and its start. */
#ifndef RUNTIME_CONFIG_INTERFACES_H
#define RUNTIME_CONFIG_INTERFACES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "runtime-config/link.h"

#define INTERFACES_MAX 256

/* Strings are borrowed from the document. */
struct interface {
    const char *name;
    const char *add;  /* the kernel's name of a kind of link; "": it is there and moves in */
    const char *peer; /* of a veth: the end that stays; "" with every other kind */
    bool create_in_root;
    const char *parent; /* in the root; NULL: none */
    struct link_data data;
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
 * is there already is one. Waits for the kernel's answer at most LINK_DEADLINE_MS for each. What was made and is in our
 * own namespace is noted in the file `notes`, unless that is NULL: an index a line.
 */
int interfaces_give(const struct interfaces *list, int pid, const char *notes, struct err *e);

/* Appends the names of those that are noted there and are still in our namespace. */
void interfaces_noted(const char *notes, json_t *names);

/* Deletes the interfaces that are noted there, and the file: they can be given once more. Best effort. */
void interfaces_take_back(const char *notes);

#endif
