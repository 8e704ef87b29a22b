/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keelson, the host command: looks up the sub-command and lets it run. No signals are handled and no descriptors kept;
 * outputs are written aside and renamed, so that an interrupted command leaves the old files as they were.
 * Exit status: 0, 1 (failed, with one line on stderr that says why), 100 (misuse).
 */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "tools/build/build.h"
#include "tools/pkg/pkg.h"
#include "tools/run/run.h"

#define EXIT_USAGE 100

static const struct command {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *what;
} commands[] = {
    {"build", build_main, "build a bootable appliance from linuxkit.yml files"},
    {"pkg", pkg_main, "make images from Debian packages and files"},
    {"run", run_main, "boot what was built in a virtual machine"},
};

static void print_usage(FILE *f) {
    (void)fprintf(f, "usage: keelson [-q] [-v] COMMAND [ARGUMENT]...\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        (void)fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].what);
    (void)fprintf(f, "  %-10s %s\n", "version", "print the version");
    (void)fprintf(f, "\n`keelson COMMAND --help` lists a command's options.\n");
}

int main(int argc, char **argv) {
    enum log_level level = LOG_LEVEL_NOTICE;
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        const char *word = argv[i] + (argv[i][1] == '-');
        if (!strcmp(word, "-q"))
            level = LOG_LEVEL_ERROR;
        else if (!strcmp(word, "-v"))
            level = LOG_LEVEL_DEBUG;
        else if (!strcmp(word, "-help") || !strcmp(word, "-h"))
            return print_usage(stdout), 0;
        else
            break;
    }
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* libarchive's file names are UTF-8 */
    log_init("keelson", level);
    if (i == argc || argv[i][0] == '-') {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (!strcmp(argv[i], "version"))
        return printf("keelson %s\n", KEELSON_VERSION) < 0 || fflush(stdout) != 0;
    for (size_t c = 0; c < ARRAY_SIZE(commands); c++)
        if (!strcmp(argv[i], commands[c].name))
            return commands[c].main(argc - i, argv + i);
    log_error("unknown command \"%s\"; see keelson --help", argv[i]);
    return EXIT_USAGE;
}
