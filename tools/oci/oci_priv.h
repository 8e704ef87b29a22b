/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_OCI_OCI_PRIV_H
#define TOOLS_OCI_OCI_PRIV_H

#include "lib/json.h"
#include "tools/oci/oci.h"

/* Where a container's fields come from. */
struct sources {
    const struct config *config;
    const struct config_container *container;
    const json_t *label; /* NULL: the image has none */
    const json_t *yaml;
    const json_t *image; /* the "config" object of the image configuration, or NULL */
    const char *arch;    /* "amd64", "arm64" */
    const char *place;   /* the container's in the YAML */
    struct problems *problems;
};

/* No limit, in rlimits: 2^64-1 does not fit jansson's numbers; oci_dump() writes it. */
#define RLIMIT_UNLIMITED (-1)

/* The YAML's value if it has one, else the label's, else NULL. */
const json_t *pick(const struct sources *s, const char *key);
/* The same for strings, where "" means not set; else `otherwise`. */
const char *pick_string(const struct sources *s, const char *key, const char *otherwise);
bool pick_bool(const struct sources *s, const char *key);
/* The label's list followed by the YAML's KEY.add, unless the YAML has KEY itself. New reference. */
json_t *pick_merged(const struct sources *s, const char *key);
/*
 * r: what became of a field, or of the i-th value of a list that pick() or pick_merged() gave. If it is wrong, that is
 * noted with its place and 0 returned, so that the others are looked at, too; other failures are returned.
 */
int note(const struct sources *s, const char *key, size_t i, int r, struct err *e);
/* {"destination", "type", "source", "options"}, without what is NULL; takes over options. New reference. */
json_t *mount_new(const char *destination, const char *type, const char *source, json_t *options);
/* A list of id mappings as config.json has them; NULL if there are none. New reference. */
json_t *mappings_new(const json_t *from);
/* A new array of the words of s between separators. */
json_t *split(const char *s, char separator);

/* Whether what is taken from the image's configuration document is of the right types. */
int check_image(const struct sources *s, const json_t *document, struct err *e);
/* *out stays NULL if the image has no org.mobyproject.config label. */
int read_label(const struct sources *s, json_t **out, struct err *e);

int make_mounts(const struct sources *s, json_t **out, struct err *e);
int make_capabilities(const struct sources *s, json_t **out, struct err *e);
bool has_all_capabilities(const json_t *set);
/* For a container with these process.capabilities; *out stays NULL for one without a profile. */
int make_seccomp(const struct sources *s, const json_t *capabilities, json_t **out, struct err *e);
int make_rlimits(const struct sources *s, json_t **out, struct err *e);
int make_linux(const struct sources *s, json_t **out, struct err *e);
int make_runtime(const struct sources *s, json_t **out, struct err *e);

#endif
