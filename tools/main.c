/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keelson, the host command: looks up the sub-command and lets it run. Outputs are written aside and renamed, so that
 * an interrupted command leaves the old files as they were; SIGINT, SIGTERM and SIGHUP remove what was written so far.
 * `run`, `console` and `serve` handle signals themselves.
 * Exit status: 0, 1 (failed, with one line on stderr that says why), 100 (misuse).
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/printable.h"
#include "lib/temp.h"
#include "tools/build/build.h"
#include "tools/cache/cache.h"
#include "tools/completion/completion.h"
#include "tools/inspect/inspect.h"
#include "tools/pkg/pkg.h"
#include "tools/run/detached.h"
#include "tools/run/metadata.h"
#include "tools/run/run.h"
#include "tools/serve/serve.h"

#define EXIT_USAGE 100

static const struct command {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *what;
    bool leaves_temporary; /* files and folders, if nobody removes them at a signal */
} commands[] = {
    {"build", build_main, "build a bootable appliance from linuxkit.yml files", true},
    {"cache", cache_main, "look after the cache of images; pull, push, import, export", true},
    {"completion", completion_main, "print a script that completes words on the command line", false},
    {"console", console_main, "the console of a machine that runs detached", false},
    {"inspect", inspect_main, "say what is in an appliance, and what it takes", true},
    {"metadata", metadata_main, "make a CD with user data for an appliance", true},
    {"pkg", pkg_main, "make images from Debian packages and files", true},
    {"run", run_main, "boot what was built in a virtual machine", false},
    {"serve", serve_main, "serve images to machines that boot from the network", false},
    {"stop", stop_main, "power off a machine that runs detached", false},
};

static void print_usage(FILE *f) {
    (void)fprintf(f, "usage: keelson [-q] [-v [N]] [--config FILE] [--cache DIR] [--mirror [REGISTRY=]URL]\n"
                     "               [--cert-file FILE] COMMAND [ARGUMENT]...\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        (void)fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].what);
    (void)fprintf(f, "  %-10s %s\n", "version", "print the version");
    (void)fprintf(f, "\n`keelson COMMAND --help` lists a command's options.\n");
}

/* Options that go to the commands as what they look into anyway. */
static const struct {
    const char *name, *variable, *linuxkits;
    bool add; /* to what is there */
} passed_on[] = {
    {"-cache", "KEELSON_CACHE", NULL, false},
    {"-cert-file", "KEELSON_CA", NULL, false},
    {"-mirror", "KEELSON_MIRROR", "LINUXKIT_MIRROR", true},
};

static int pass_on(size_t i, const char *value) {
    const char *old = getenv(passed_on[i].variable);
    AUTO_FREE char *both = NULL;

    if ((!old || !*old) && passed_on[i].linuxkits)
        old = getenv(passed_on[i].linuxkits);
    bool add = passed_on[i].add && old && *old;
    if (asprintf(&both, "%s%s%s", add ? old : "", add ? " " : "", value) < 0 ||
        setenv(passed_on[i].variable, both, 1) < 0) {
        log_error("could not use %s", value);
        return -ENOMEM;
    }
    return 0;
}

/* How many words it was, 0: it is none of these; negative: reported. */
static int take_passed_on(const char *word, const char *next) {
    for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++) {
        size_t len = strlen(passed_on[i].name);
        if (strncmp(word, passed_on[i].name, len) != 0 || (word[len] && word[len] != '='))
            continue;
        const char *value = word[len] ? word + len + 1 : next;
        if (!value) {
            log_error("-%s needs a value", word);
            return -EINVAL;
        }
        int r = pass_on(i, value);
        return r < 0 ? r : 1 + !word[len];
    }
    return 0;
}

/* Of `-v N`, or -v alone: how many words it was. */
static int take_verbosity(const char *word, const char *next, enum log_level *level) {
    static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_NOTICE, LOG_LEVEL_DEBUG, LOG_LEVEL_DEBUG};
    const char *rest = !strncmp(word, "-verbose", 8) ? word + 8 : !strncmp(word, "-v", 2) ? word + 2 : NULL;
    uint64_t n = ARRAY_SIZE(levels) - 1;

    if (!rest)
        return 0;
    rest += *rest == '=';
    if (*rest && parse_u64(rest, ARRAY_SIZE(levels) - 1, &n) < 0)
        return 0;
    bool apart = !*rest && next && parse_u64(next, ARRAY_SIZE(levels) - 1, &n) == 0;
    *level = levels[n];
    return apart ? 2 : 1;
}

/* `--config FILE` of LinuxKit's, whose words are for its content trust only: it has to be there. */
static int take_config(const char *word, const char *next) {
    const char *path = !strncmp(word, "-config=", 8) ? word + 8 : !strcmp(word, "-config") ? next : NULL;

    if (!path)
        return 0;
    if (access(path, R_OK) < 0) {
        log_error("could not read the configuration %s: %s", path, strerror(errno));
        return -errno;
    }
    return word[7] ? 1 : 2;
}

static int run_command(const struct command *c, int argc, char **argv) {
    struct err e = {0};

    if (c->leaves_temporary && temp_remove_on_signals(&e) < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    return c->main(argc, argv);
}

int main(int argc, char **argv) {
    enum log_level level = LOG_LEVEL_NOTICE;
    int i = 1, r = hold_standard_fds();

    log_init("keelson", level);
    log_set_printable(make_text_printable);
    if (r < 0)
        return 1; /* there is nothing to say it to */
    for (; i < argc && argv[i][0] == '-'; i++) {
        const char *word = argv[i] + (argv[i][1] == '-');
        if (!strcmp(word, "-q"))
            level = LOG_LEVEL_ERROR;
        else if ((r = take_verbosity(word, argv[i + 1], &level)) != 0)
            i += r == 2;
        else if ((r = take_passed_on(word, argv[i + 1])) != 0 || (r = take_config(word, argv[i + 1])) != 0) {
            if (r < 0)
                return EXIT_USAGE;
            i += r == 2;
        } else if (!strcmp(word, "-help") || !strcmp(word, "-h"))
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
            return run_command(&commands[c], argc - i, argv + i);
    log_error("unknown command \"%s\"; see keelson --help", argv[i]);
    return EXIT_USAGE;
}
