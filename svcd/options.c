/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/options.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *word, *command;
} links[] = {
    {"volumes", "volumes"},
    {"onboot", "onboot"},
    {"onshutdown", "onshutdown"},
    {"containerd", "system-init"},
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

static bool set_option(struct options *o, const char *name) {
    if (!strcmp(name, "q"))
        o->level = LOG_LEVEL_ERROR;
    else if (!strcmp(name, "v"))
        o->level = LOG_LEVEL_DEBUG;
    else if (!strcmp(name, "json"))
        o->json = true;
    else if (!strcmp(name, "h") || !strcmp(name, "help"))
        o->help = true;
    else
        return false;
    return true;
}

int options_parse(int argc, char **argv, struct options *o, struct err *e) {
    int kept = 0;
    bool options = true;

    *o = (struct options){.level = LOG_LEVEL_NOTICE, .command = ""};
    for (int i = 1; i < argc; i++) {
        const char *name = options ? option_name(argv[i]) : NULL;
        if (!name)
            argv[kept++] = argv[i];
        else if (!strcmp(argv[i], "--"))
            options = false;
        else if (!set_option(o, name))
            return err_set(e, -EINVAL, "unknown option \"%s\"; `service help` lists them", argv[i]);
    }
    if (kept > 0) {
        o->command = argv[0];
        o->args = argv + 1;
        o->args_len = kept - 1;
    }
    o->help |= !strcmp(o->command, "help");
    return 0;
}
