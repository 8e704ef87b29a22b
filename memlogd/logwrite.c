/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logwrite: the log in files. Also `logwrite -n NAME COMMAND...` (tee.h).
 *
 * One connection to memlogd, dump and follow. When it ends, a new one, and what was written already is skipped by its
 * time. When a file cannot be written (disk full, read-only), the same line is tried again once a second and nothing
 * is read meanwhile: memlogd then counts what it has to drop, and says so in the log. Signals: none; the files are
 * appended to with one write for a line. Bounds: see client.h and logfiles.h.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "memlogd/client.h"
#include "memlogd/entry.h"
#include "memlogd/logfiles.h"
#include "memlogd/options.h"
#include "memlogd/tee.h"
#include "memlogd/wire.h"

#define RETRY_MS 1000
#define RECONNECT_MIN_MS 50
#define OWN_SOURCE "logwrite" /* a prefix: logwrite.out too */

struct arguments {
    const char *socket, *dir, *name, *sync;
    int64_t max_files, max_size;
};

/* Until it can be written. */
static void append(struct logfiles *files, const struct ring_entry *line) {
    struct err e = {0};
    bool told = false;

    while (logfiles_append(files, line, &e) < 0) {
        if (!told)
            log_error("%s; trying again", e.msg);
        told = true;
        e = (struct err){0};
        (void)poll(NULL, 0, RETRY_MS);
    }
    if (e.code)
        log_error("%s", e.msg);
    else if (told)
        log_notice("writing again");
}

/* Until the connection ends. */
static void copy_log(int fd, struct logfiles *files, struct resume *resume) {
    struct client c = CLIENT_INIT(fd);
    struct ring_entry line;
    char *text;
    size_t len;
    int r;

    while ((r = client_next(&c, &text, &len)) > 0) {
        if (entry_parse(text, len, &line) < 0) {
            log_error("could not understand a line of %zu bytes from memlogd", len);
            continue;
        }
        bool seen = resume_skip(resume, line.time_ns);
        if (!seen && strncmp(line.source, OWN_SOURCE, sizeof(OWN_SOURCE) - 1) != 0)
            append(files, &line);
    }
    if (r < 0)
        log_error("could not read from memlogd: %s", strerror(-r));
    client_fini(&c);
}

/* For ever. */
static _Noreturn void write_files(const struct arguments *a, enum logfiles_sync sync) {
    static struct logfiles files;
    struct resume resume = {0};
    struct err e = {0};
    int pause = RECONNECT_MIN_MS;
    bool told = false;

    if (mkdir_p(a->dir, 0755, &e) < 0)
        log_error("%s", e.msg); /* a read-only disk may change its mind */
    logfiles_init(&files, a->dir, (unsigned)a->max_files, (uint64_t)a->max_size, sync);
    for (;;) {
        AUTO_CLOSE int fd = wire_query(a->socket, WIRE_DUMP_FOLLOW, &e);
        if (fd >= 0) {
            copy_log(fd, &files, &resume);
            resume.skipping = resume.last_time != 0;
            pause = RECONNECT_MIN_MS;
            told = false;
        } else if (!told) {
            log_error("%s; trying again", e.msg);
            told = true;
        }
        (void)poll(NULL, 0, pause);
        pause = pause < RETRY_MS / 2 ? 2 * pause : RETRY_MS;
    }
}

static int parse_sync(const char *text, enum logfiles_sync *sync, struct err *e) {
    static const char *const names[] = {
        [LOGFILES_SYNC_NEVER] = "never", [LOGFILES_SYNC_ROTATE] = "rotate", [LOGFILES_SYNC_LINE] = "line"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!strcmp(text, names[i])) {
            *sync = (enum logfiles_sync)i;
            return 0;
        }
    return err_set(e, -EINVAL, "-fsync is never, rotate or line, not \"%s\"", text);
}

static int run(const struct arguments *a, char **command, int *status, struct err *e) {
    enum logfiles_sync sync = LOGFILES_SYNC_NEVER;

    if (a->name && !*command)
        return err_set(e, -EINVAL, "-n wants a command");
    if (*command)
        return tee_run(a->socket ? a->socket : WIRE_LOG_SOCKET, a->name && *a->name ? a->name : *command, command,
                       status, e);
    int r = parse_sync(a->sync, &sync, e);
    if (r < 0)
        return r;
    struct arguments files = *a;
    if (!files.socket)
        files.socket = WIRE_QUERY_SOCKET;
    write_files(&files, sync);
}

int main(int argc, char **argv) {
    struct arguments a = {.dir = "/var/log", .sync = "never", .max_files = 10, .max_size = 1 << 20};
    struct err e = {0};
    char **rest;
    int status = 0;
    const struct option_def defs[] = {
        {"socket", OPTION_STRING, {.string = &a.socket}, 0, 0, "memlogd's query socket; with a command its log socket"},
        {"log-dir", OPTION_STRING, {.string = &a.dir}, 0, 0, "where the files are (/var/log)"},
        {"max-log-files",
         OPTION_NUMBER,
         {.number = &a.max_files},
         0,
         LOGFILES_MAX_FILES,
         "rotated files that stay (10)"},
        {"max-log-size",
         OPTION_NUMBER,
         {.number = &a.max_size},
         1,
         INT64_MAX,
         "bytes; a file that has more is rotated (1 MiB)"},
        {"fsync", OPTION_STRING, {.string = &a.sync}, 0, 0, "never (default), rotate, or line"},
        {"n", OPTION_STRING, {.string = &a.name}, 0, 0, "with a command: its name in the log"},
        {0}};

    (void)argc;
    log_init("logwrite", LOG_LEVEL_NOTICE);
    int r = options_parse(defs, argv, &rest, &e);
    if (r == -ECANCELED) {
        options_help(defs, "logwrite [OPTION...] [COMMAND...]");
        return 0;
    }
    if (!r)
        r = run(&a, rest, &status, &e);
    if (r < 0)
        log_error("%s", e.msg);
    return r < 0 ? 1 : status;
}
