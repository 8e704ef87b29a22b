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

/* One that may be given: a switch, or with a value. */
struct option {
    const char *name;
    bool *on;
    const char **value;
    enum option_bit bit; /* 0: with every command */
};

#define OPTIONS_LEN 12

static void all_options(struct options *o, struct option to[OPTIONS_LEN]) {
    const struct option all[OPTIONS_LEN] = {
        {"q", &o->quiet, NULL, 0},
        {"v", &o->verbose, NULL, 0},
        {"h", &o->help, NULL, 0},
        {"help", &o->help, NULL, 0},
        {"json", &o->json, NULL, OPTION_JSON},
        {"svg", &o->svg, NULL, OPTION_SVG},
        {"f", &o->follow, NULL, OPTION_FOLLOW},
        {"sock", NULL, &o->sock, OPTION_SOCK},
        {"path", NULL, &o->path, OPTION_PATH},
        {"containerd-namespace", NULL, &o->ns, OPTION_NAMESPACE},
        {"dump-spec", NULL, &o->dump_spec, OPTION_DUMP_SPEC},
        {"containerd", NULL, &o->containerd, OPTION_CONTAINERD},
    };

    memcpy(to, all, sizeof(all));
}

/* name may have its value behind an equals sign. */
static bool find_option(struct options *o, const char *name, struct option *found) {
    struct option all[OPTIONS_LEN];
    size_t len = strcspn(name, "=");

    all_options(o, all);
    for (size_t i = 0; i < OPTIONS_LEN; i++) {
        *found = all[i];
        if (strlen(all[i].name) == len && !strncmp(all[i].name, name, len) && (all[i].value || !name[len]))
            return true;
    }
    return false;
}

/* *i is moved to the value. */
static int set_value(const char **where, const char *name, int argc, char **argv, int *i, struct err *e) {
    const char *equals = strchr(name, '=');

    *where = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : "";
    return **where ? 0 : err_set(e, -EINVAL, "option \"-%.*s\" needs a value", (int)strcspn(name, "="), name);
}

static int set_option(struct options *o, int argc, char **argv, int *i, struct err *e) {
    const char *name = option_name(argv[*i]);
    struct option option;

    if (!find_option(o, name, &option))
        return err_set(e, -EINVAL, "unknown option \"%s\"; `service help` lists them", argv[*i]);
    if (option.value)
        return set_value(option.value, name, argc, argv, i, e);
    *option.on = true;
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

int options_check(struct options *o, unsigned takes, int args_min, int args_max, struct err *e) {
    struct option all[OPTIONS_LEN];

    all_options(o, all);
    for (size_t i = 0; i < OPTIONS_LEN; i++) {
        bool given = all[i].on ? *all[i].on : *all[i].value != NULL;
        if (given && all[i].bit && !(takes & all[i].bit))
            return err_set(e, -EINVAL, "could not %s: it takes no option \"-%s\"", o->command, all[i].name);
    }
    if (args_max == 0 && o->args_len > 0)
        return err_set(e, -EINVAL, "could not %s: there is no use for \"%.100s\"", o->command, o->args[0]);
    if (o->args_len < args_min || o->args_len > args_max)
        return err_set(e, -EINVAL, "could not %s: give the name of one service; `service list` shows them", o->command);
    return 0;
}
