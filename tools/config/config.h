/* SPDX-License-Identifier: Apache-2.0 */
/* A linuxkit.yml, or several of them merged, as typed structs. */
#ifndef TOOLS_CONFIG_CONFIG_H
#define TOOLS_CONFIG_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

enum section { SECTION_ONBOOT, SECTION_ONSHUTDOWN, SECTION_SERVICES, SECTION_COUNT };

struct config_container {
    const char *name;
    const char *image;
    const char *place;    /* FILE:LINE:COLUMN, for messages */
    const json_t *fields; /* all of the entry's fields, checked against the schema */
};

struct config_file {
    const char *path;                                   /* without leading slash */
    const char *symlink, *contents, *source, *metadata; /* NULL: not there */
    const char *place;
    bool directory, optional;
    uint32_t mode;
    const json_t *uid, *gid; /* NULL, a number or the name of a container */
};

struct config {
    struct {
        const char *image, *cmdline, *binary, *tar, *ucode; /* NULL: not there */
    } kernel;
    const char **init;
    size_t init_len;
    struct config_container *containers[SECTION_COUNT];
    size_t containers_len[SECTION_COUNT];
    struct config_file *files;
    size_t files_len;
    json_t *doc; /* owns every string above */
};

extern const char *const section_names[SECTION_COUNT]; /* "onboot", "onshutdown", "services" */

/* Reads the files in order and merges them: lists are appended, kernel fields of later files win. "-" is stdin. */
int config_read(const char *const *paths, size_t paths_len, struct config *out, struct err *e);
void config_free(struct config *c);
#define AUTO_CONFIG AUTO(config_free)

/* A deep copy without the members (their names start with "@") that the reader added to say where a thing stands. */
json_t *config_copy_plain(const json_t *value);

/* Users named after containers: 100 and up, over onboot, onshutdown and services; of one name the last counts. */
int config_user_id(const struct config *c, const json_t *value, uint32_t *id, struct err *e);

#endif
