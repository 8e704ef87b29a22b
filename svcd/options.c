/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/options.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *word, *command;
} links[] = {
    {"volumes", "volumes"},        {"onboot", "onboot"},         {"onshutdown", "onshutdown"},
    {"containerd", "system-init"}, {"attributes", "attributes"},
};

const char *options_linked_command(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        if (strstr(name, links[i].word))
            return links[i].command;
    return NULL;
}

/* What stands behind one dash or two; NULL: not an option. */
static const char *option_name(const char *arg) {
    return arg[0] != '-' ? NULL : arg[1] == '-' ? arg + 2 : arg + 1;
}

static bool *find_switch(struct options *o, const char *name) {
    const struct {
        const char *name;
        bool *where;
    } switches[] = {{"q", &o->quiet},  {"v", &o->verbose}, {"json", &o->json}, {"svg", &o->svg},
                    {"f", &o->follow}, {"h", &o->help},    {"help", &o->help}};

    for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
        if (!strcmp(switches[i].name, name))
            return switches[i].where;
    return NULL;
}

/* name may have its value behind an equals sign. */
static const char **find_value(struct options *o, const char *name) {
    const struct {
        const char *name, **where;
    } values[] = {{"sock", &o->sock},
                  {"path", &o->path},
                  {"containerd-namespace", &o->ns},
                  {"dump-spec", &o->dump_spec},
                  {"containerd", &o->containerd}};
    size_t len = strcspn(name, "=");

    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        if (strlen(values[i].name) == len && !strncmp(values[i].name, name, len))
            return values[i].where;
    return NULL;
}

/* *i is moved to the value. */
static int set_value(const char **where, const char *name, int argc, char **argv, int *i, struct err *e) {
    const char *equals = strchr(name, '=');

    *where = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : "";
    return **where ? 0 : err_set(e, -EINVAL, "option \"-%.*s\" needs a value", (int)strcspn(name, "="), name);
}

static int set_option(struct options *o, int argc, char **argv, int *i, struct err *e) {
    const char *name = option_name(argv[*i]);
    bool *on = find_switch(o, name);
    const char **value = find_value(o, name);

    if (value)
        return set_value(value, name, argc, argv, i, e);
    if (!on)
        return err_set(e, -EINVAL, "unknown option \"%s\"; `service help` lists them", argv[*i]);
    *on = true;
    return 0;
}

int options_parse(int argc, char **argv, struct options *o, struct err *e) {
    int kept = 0, r = 0;
    bool options = true;

    *o = (struct options){.level = LOG_LEVEL_NOTICE, .command = ""};
    for (int i = 1; i < argc && !r; i++) {
        if (!options || !option_name(argv[i]))
            argv[kept++] = argv[i];
        else if (!strcmp(argv[i], "--"))
            options = false;
        else
            r = set_option(o, argc, argv, &i, e);
    }
    if (!r && o->quiet && o->verbose)
        r = err_set(e, -EINVAL, "-q and -v contradict each other");
    if (r < 0)
        return r;
    o->level = o->quiet ? LOG_LEVEL_ERROR : o->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE;
    if (kept > 0) {
        o->command = argv[0];
        o->args = argv + 1;
        o->args_len = kept - 1;
    }
    o->help |= !strcmp(o->command, "help");
    return 0;
}
