/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logwrite: the log in files. Also `logwrite -n NAME COMMAND...` (tee.h).
 *
 * One connection to memlogd. When it ends, a new one, which goes on with the next line; where that is stays in the
 * file PLACE_FILE too, for the next logwrite. When the disk is full or read-only the same line is tried again once a
 * second, and nothing is read meanwhile: memlogd then counts what it has to drop, and says so in the log. A file that
 * cannot be one (a directory has its name) stops nothing: its lines are counted, and told at most once a second.
 * Signals: none; the files are appended to with one write for a line. Descriptors: the connection, LOGFILES_OPEN files,
 * the place. Bounds: see client.h and logfiles.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "memlogd/client.h"
#include "memlogd/compress.h"
#include "memlogd/entry.h"
#include "memlogd/logfiles.h"
#include "memlogd/name.h"
#include "memlogd/options.h"
#include "memlogd/tee.h"
#include "memlogd/wire.h"

#define RETRY_MS 1000
#define RECONNECT_MIN_MS 50
#define ANSWER_MS 2000
#define TOLD_MAX_MS 60000
#define PLACE_FILE ".logwrite.place"
#define PLACE_MAGIC 0x6b6c706c61636531u

struct arguments {
    const char *socket, *dir, *name, *sync;
    int64_t max_files, max_size;
    bool compress;
};

struct writer {
    struct logfiles files;
    uint64_t dropped, told_ms; /* lines that were not written, since that was told */
    uint64_t pause_ms;         /* until it is told again: in the log that may be one more line that is not written */
    struct err why;            /* of the last one */
};

static void tell_dropped(struct writer *w) {
    uint64_t now = clock_ms();

    if (w->dropped == 0 || (w->told_ms && now - w->told_ms < w->pause_ms))
        return;
    log_error("%s; %llu lines are lost", w->why.msg, (unsigned long long)w->dropped);
    bool again = w->told_ms && now - w->told_ms < 2 * w->pause_ms;
    w->pause_ms = !again ? RETRY_MS : w->pause_ms < TOLD_MAX_MS / 2 ? 2 * w->pause_ms : TOLD_MAX_MS;
    w->dropped = 0;
    w->told_ms = now;
}

/* Until it is written, or cannot be. */
static void append(struct writer *w, const struct ring_entry *line) {
    struct err e = {0};
    uint64_t since = 0;
    int r;

    while ((r = logfiles_append(&w->files, line, &e)) < 0 && logfiles_may_pass(&w->files, r)) {
        if (!since)
            log_error("%s; trying again", e.msg);
        since = since ? since : clock_ms();
        e = (struct err){0};
        (void)poll(NULL, 0, RETRY_MS);
    }
    if (since)
        log_notice("writing again, after %llu s", (unsigned long long)(clock_ms() - since) / 1000);
    if (r < 0) {
        w->dropped++;
        w->why = e;
    } else if (e.code) {
        log_error("%s", e.msg);
    }
}

/* Where to go on after a reconnect: by number with our memlogd, by what was read last with LinuxKit's. */
struct place {
    bool by_number;
    struct wire_resume number;
    struct resume seen;
    const char *dir;
    int fd; /* of PLACE_FILE; -1: could not be had */
};

struct place_record {
    uint64_t magic, ring_id, seq;
};

/* What it says counts for the first connection only. */
static void open_place(struct place *at) {
    struct place_record r = {0};
    AUTO_FREE char *path = at->fd < 0 ? path_join(at->dir, PLACE_FILE) : NULL;

    if (!path)
        return;
    at->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
    if (at->fd >= 0 && !at->number.ring_id && pread(at->fd, &r, sizeof(r), 0) == (ssize_t)sizeof(r) &&
        r.magic == PLACE_MAGIC)
        at->number = (struct wire_resume){r.ring_id, r.seq};
}

/* If it cannot be written, a new logwrite would write some lines again: worse has happened to that disk. */
static void keep_place(struct place *at) {
    const struct place_record r = {PLACE_MAGIC, at->number.ring_id, at->number.seq};
    struct stat st;

    if (at->fd >= 0 && fstat(at->fd, &st) == 0 && st.st_nlink == 0) { /* it was removed */
        (void)close(at->fd);
        at->fd = -1;
        open_place(at);
    }
    if (at->fd >= 0)
        (void)!pwrite(at->fd, &r, sizeof(r), 0);
}

/*
 * Our memlogd says at once, with an empty line, that it knows what was asked for; from LinuxKit's nothing comes. One
 * that is busy is told from that by what it is asked afterwards: it answers in the order in which it was asked.
 */
static bool is_understood(const struct arguments *a, int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};

    if (poll(&p, 1, ANSWER_MS) == 1)
        return true;
    AUTO_CLOSE int other = wire_query(a->socket, WIRE_DUMP, NULL);
    struct pollfd answer = {.fd = other, .events = POLLIN};
    return other < 0 || poll(&answer, 1, -1) < 0 || poll(&p, 1, 0) == 1;
}

/* Asks for numbered lines, or, of who does not know them, for all. */
static int ask(const struct arguments *a, struct place *at, struct err *e) {
    AUTO_CLOSE int fd = wire_query_resume(a->socket, at->number, e);
    bool before = at->by_number;

    if (fd < 0)
        return fd;
    at->by_number = is_understood(a, fd);
    at->seen.skipping = at->seen.len > 0 && !(before && at->by_number);
    return at->by_number ? steal_fd(&fd) : wire_query(a->socket, WIRE_DUMP_FOLLOW, e);
}

static bool dealt_with(struct place *at, const struct ring_entry *line) {
    bool seen = resume_skip(&at->seen, line);

    if (line->ring_id)
        at->number = (struct wire_resume){line->ring_id, line->seq + 1};
    return seen;
}

/* Until the connection ends. */
static void copy_log(int fd, struct writer *w, struct place *at) {
    struct client c = CLIENT_INIT(fd);
    struct ring_entry line;
    char *text;
    size_t len;
    int r;

    while ((r = client_next(&c, &text, &len)) > 0) {
        if (len == 0)
            continue;
        if (entry_parse(text, len, &line) < 0) {
            log_error("could not understand a line of %zu bytes from memlogd", len);
            continue;
        }
        bool seen = dealt_with(at, &line);
        if (!seen && !name_is_logwrite(line.source, line.source_len))
            append(w, &line);
        keep_place(at);
        tell_dropped(w); /* what is not told yet is told with a later line */
    }
    if (r < 0 && r != -ECONNRESET) /* it ended */
        log_error("could not read from memlogd: %s", strerror(-r));
    client_fini(&c);
}

/* For ever. */
static _Noreturn void write_files(const struct arguments *a, enum logfiles_sync sync) {
    static struct writer w;
    static struct place at;
    struct err e = {0};
    int pause = RECONNECT_MIN_MS;
    bool told = false;

    while (mkdir_p(a->dir, 0755, &e) < 0) { /* a read-only disk may change its mind */
        if (!told)
            log_error("%s; trying again", e.msg);
        told = true;
        (void)poll(NULL, 0, RETRY_MS);
    }
    told = false;
    at.fd = -1;
    at.dir = a->dir;
    logfiles_init(&w.files,
                  &(struct logfiles_config){a->dir, (unsigned)a->max_files, (uint64_t)a->max_size, sync, a->compress});
    for (;;) {
        open_place(&at); /* again: the disk may be writable by now */
        AUTO_CLOSE int fd = ask(a, &at, &e);
        if (fd >= 0) {
            copy_log(fd, &w, &at);
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
    if (a->compress && !compress_available())
        return err_set(e, -ENOTSUP,
                       "could not use -compress: this program is built without zstd, the one in the image "
                       "keelson/logwrite has it");
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
        {"compress", OPTION_FLAG, {.flag = &a.compress}, 0, 0, "rotated files with zstd"},
        {"n", OPTION_STRING, {.string = &a.name}, 0, 0, "with a command: its name in the log"},
        {0}};

    (void)argc;
    log_init("logwrite", LOG_LEVEL_NOTICE);
    if (hold_standard_fds() < 0)
        return 1;
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit is an error of that file */
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
