/* SPDX-License-Identifier: Apache-2.0 */
/* A linuxkit.yml, or several of them merged, as typed structs. */
#ifndef TOOLS_CONFIG_CONFIG_H
#define TOOLS_CONFIG_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "tools/config/problems.h"

#define CONFIG_LABEL "org.mobyproject.config" /* of an image: defaults of its containers' fields */

enum section { SECTION_ONBOOT, SECTION_ONSHUTDOWN, SECTION_SERVICES, SECTION_COUNT };

struct config_image {
    const char *image;
    const char *place; /* FILE:LINE:COLUMN, for messages */
};

struct config_container {
    enum section section;
    const char *name;
    const char *image;
    const char *place, *image_place; /* FILE:LINE:COLUMN, for messages */
    const json_t *fields;            /* all of the entry's fields, checked against the schema */
};

struct config_volume {
    const char *name;
    const char *image; /* NULL: an empty volume */
    const char *place, *image_place;
    bool readonly;
    bool layout;             /* format "oci": the image as an OCI layout instead of its files */
    const json_t *platforms; /* with layout: those of the image that are wanted; NULL or empty: all */
};

struct config_file {
    const char *path;                                   /* without leading slash */
    const char *spelling;                               /* the path as written, if it has ".."; else NULL */
    const char *symlink, *contents, *source, *metadata; /* NULL: not there */
    const char *place;
    bool directory, optional;
    uint32_t mode;
    const json_t *uid, *gid; /* NULL, a number or the name of a container */
};

struct config {
    struct {
        const char *image, *cmdline, *binary, *tar, *ucode; /* NULL: not there */
        const char *place, *binary_place, *tar_place;       /* the first is the image's */
    } kernel;
    struct config_image *init;
    size_t init_len;
    struct config_volume *volumes;
    size_t volumes_len;
    struct config_container *containers[SECTION_COUNT];
    size_t containers_len[SECTION_COUNT];
    struct config_file *files;
    size_t files_len;
    json_t *users; /* names of containers -> numbers: see config_user_id() */
    json_t *doc;   /* owns every string above */
};

extern const char *const section_names[SECTION_COUNT]; /* "onboot", "onshutdown", "services" */

/* What the reader asks others. */
struct config_resolver {
    /* what `@pkg:FOLDER` stands for: malloc'd in *out */
    int (*package)(void *data, const char *folder, char **out, struct err *e);
    /* What else is wrong with all that was read, noted in p; values that were refused are null. Fails only without
     * memory. NULL: nobody looks. */
    int (*check)(void *data, const struct config *c, struct problems *p, struct err *e);
    void *data;
};

/*
 * Reads the files in order and merges them: lists are appended, kernel fields of later files win. "-" is stdin, and
 * what begins with http:// or https:// is fetched. All that is wrong goes to problems (may be NULL), the first of it
 * to *e. Without a resolver (NULL) templates stay as they are.
 */
int config_read(const char *const *paths, size_t paths_len, const struct config_resolver *resolver, struct config *out,
                struct problems *problems, struct err *e);
void config_free(struct config *c);
#define AUTO_CONFIG AUTO(config_free)

/* A deep copy without the members that the reader added to say where a thing stands (yaml_is_place()). */
json_t *config_copy_plain(const json_t *value);

/* The merged configuration as YAML, appended to out. */
int config_print(const struct config *c, struct buf *out, struct err *e);

/*
 * Words of `runtime:` that a container of this section cannot have, and probes that do not look in exactly one way, go
 * to p. `otherwise` is the place of what has none of its own.
 */
void config_check_words(enum section s, const json_t *runtime, const char *otherwise, struct problems *p);

/*
 * The start order that `after` gives services: unknown names and circles go to p. after: what each service has, by its
 * name, from the YAML or else from its image's label; NULL: what the YAML alone says. Fails only without memory.
 */
int config_check_order(const struct config *c, const json_t *after, struct problems *p);

/* Where a container's image's label is, for messages: malloc'd. */
char *config_label_place(const struct config_container *c);

/* Users named after containers: 100 and up, over onboot, onshutdown and services; of one name the last counts. */
int config_user_id(const struct config *c, const json_t *value, uint32_t *id, struct err *e);

/* The file that a `source:` names: "~/" is the home folder, else it is relative to where keelson runs. malloc'd. */
char *config_source_path(const char *source);

/* Whether two places are in one YAML file. */
bool config_same_yaml(const char *place, const char *other);

/* NULL: there is no volume of that name. */
const struct config_volume *config_volume(const struct config *c, const char *name);

#endif
