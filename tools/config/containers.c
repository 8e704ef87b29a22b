/* SPDX-License-Identifier: Apache-2.0 */
/* onboot, onshutdown, services: names, and words that belong to one kind only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime-config/words.h"
#include "tools/config/config_priv.h"

#define NAME_LEN_MAX 200 /* with its number before it, the name of a folder */
#define FIRST_USER_ID 100

static void check_name(const struct config_container *c, enum section s, const json_t *services, struct problems *p) {
    if (!*c->name || !strcmp(c->name, ".") || strchr(c->name, '/') || strstr(c->name, "..") ||
        strlen(c->name) > NAME_LEN_MAX) {
        problem(p, c->place, "\"%.200s\" cannot be the name of a container; use at most %d letters, digits, - and _",
                c->name, NAME_LEN_MAX);
        return;
    }
    if (s != SECTION_SERVICES)
        return;
    if (!is_identifier(c->name))
        problem(p, c->place, "containerd refuses \"%s\" as the name of a service; use " IDENTIFIER_RULE, c->name);
    const char *first = string_of(services, c->name);
    if (first)
        problem(p, c->place, "there is another service named \"%s\" at %s; rename one", c->name, first);
}

static const char *place_of(const json_t *object, const char *otherwise) {
    const char *place = yaml_place(object, "", 0);

    return place ? place : otherwise;
}

/* Exactly one of the ways to look. */
static void check_probe(const json_t *runtime, const char *key, const char *const *ways, const char *otherwise,
                        struct problems *p) {
    const json_t *probe = json_object_get(runtime, key), *exec = json_object_get(probe, "exec");
    const char *place = place_of(probe, otherwise);
    unsigned given = 0;

    if (!json_is_object(probe))
        return;
    for (size_t i = 0; ways[i]; i++)
        given += json_object_get(probe, ways[i]) != NULL;
    if (given != 1)
        problem(p, place, "\"%s\" must have one of \"%s\", \"%s\" and \"%s\", and has %s", key, ways[0], ways[1],
                ways[2], given ? "more" : "none");
    if (json_is_array(exec) && !json_array_size(exec))
        problem(p, place, "\"exec\" of \"%s\" is an empty command", key);
}

/* A word that would be silently without effect is an error. */
void config_check_words(enum section s, const json_t *runtime, const char *otherwise, struct problems *p) {
    static const char *const of_services[] = {"restart", "after", "ready", "health", "stop"};
    static const char *const ready[] = {"exec", "tcp", "file", NULL}, *const health[] = {"exec", "tcp", "http", NULL};
    const char *place = place_of(runtime, otherwise);

    for (size_t i = 0; s != SECTION_SERVICES && i < ARRAY_SIZE(of_services); i++)
        if (json_object_get(runtime, of_services[i]))
            problem(p, place, "\"%s\" is for services only; %s containers run once, in their order", of_services[i],
                    section_names[s]);
    if (s == SECTION_SERVICES && json_object_get(runtime, "deadline"))
        problem(p, place, "\"deadline\" is for onboot and onshutdown only; a service has no end");
    check_probe(runtime, "ready", ready, otherwise, p);
    check_probe(runtime, "health", health, otherwise, p);
}

char *config_label_place(const struct config_container *c) {
    char *place;

    return asprintf(&place, "%s: label " CONFIG_LABEL " of %s", c->place, c->image) < 0 ? NULL : place;
}

static int take_section(struct config *c, enum section s, struct problems *p) {
    const json_t *list = json_object_get(c->doc, section_names[s]), *entry;
    AUTO_JSON json_t *services = json_object();
    size_t i;

    c->containers[s] = calloc(json_array_size(list) + 1, sizeof(*c->containers[s]));
    if (!c->containers[s] || !services)
        return -ENOMEM;
    json_array_foreach(list, i, entry) {
        struct config_container container = {
            .section = s,
            .name = string_of(entry, "name"),
            .image = string_of(entry, "image"),
            .place = yaml_place(entry, "", 0),
            .image_place = yaml_place(entry, "image", 0),
            .fields = entry,
        };
        if (!container.name || !container.image)
            continue; /* refused already */
        check_name(&container, s, services, p);
        config_check_words(s, json_object_get(entry, "runtime"), container.place, p);
        c->containers[s][c->containers_len[s]++] = container;
        if (json_object_set_new(services, container.name, json_string(container.place)) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* Numbers in the order of the file, over all sections; of one name the last counts. */
static int number_users(struct config *c) {
    json_int_t next = FIRST_USER_ID;

    for (int s = 0; s < SECTION_COUNT; s++)
        for (size_t i = 0; i < c->containers_len[s]; i++)
            if (json_object_set_new(c->users, c->containers[s][i].name, json_integer(next++)) < 0)
                return -ENOMEM;
    return 0;
}

int take_containers(struct config *c, struct problems *p) {
    int r = 0;

    for (int s = 0; s < SECTION_COUNT && !r; s++)
        r = take_section(c, (enum section)s, p);
    return r ? r : number_users(c);
}

int config_user_id(const struct config *c, const json_t *value, uint32_t *id, struct err *e) {
    const char *name = json_string_value(value);

    *id = 0;
    if (json_is_integer(value)) {
        *id = (uint32_t)json_integer_value(value);
        if (json_integer_value(value) != *id)
            return err_set(e, -EINVAL, "%lld is not a user or group number", (long long)json_integer_value(value));
        return 0;
    }
    if (!name || !*name || !strcmp(name, "root"))
        return 0;
    const json_t *number = json_object_get(c->users, name);
    *id = (uint32_t)json_integer_value(number);
    return number
               ? 0
               : err_set(e, -EINVAL, "no container is named \"%.100s\", so there is no such user; use a number", name);
}
