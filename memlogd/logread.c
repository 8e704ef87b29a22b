/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logread: prints what memlogd has kept, and what comes.
 *
 * -n with -f or -F asks twice: a dump for the newest lines, then dump and follow, of which what was in the first dump
 * is skipped (struct resume). In the same way it goes on when memlogd has ended and is there again. Bounds: -n keeps
 * that many lines in memory.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/log.h"
#include "lib/utf8.h"
#include "memlogd/client.h"
#include "memlogd/entry.h"
#include "memlogd/notice.h"
#include "memlogd/options.h"
#include "memlogd/output.h"
#include "memlogd/wire.h"

#define NEWEST_MAX 1000000
#define GONE_MS 3000 /* a memlogd that is away for that long does not come back */
#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 1000

struct logread {
    const char *socket, *source, *since_text;
    bool follow, dump_follow, json;
    int64_t newest; /* -1: all */
    int64_t since;  /* a time */
    bool terminal, mute;
    FILE *out;
    struct resume resume;
    bool unsure; /* whether the line that was printed last is still there */
    char **ring; /* the newest lines: NEWEST entries, some NULL */
    size_t next;
};

/* What a source wrote must not steer somebody's terminal: control characters, and what is no UTF-8, as \xHH. */
static void print_text(const struct logread *l, const char *text, size_t len) {
    for (size_t i = 0, n; i < len; i += n) {
        unsigned char c = (unsigned char)text[i];
        n = utf8_length(text + i, len - i);
        bool c1 = n == 2 && c == 0xc2 && (unsigned char)text[i + 1] < 0xa0;
        if (l->terminal && (n == 0 || c1 || (c < 0x20 && c != '\t') || c == 0x7f))
            (void)fprintf(l->out, "\\x%02x", (unsigned char)text[i + c1]);
        else
            (void)fwrite(text + i, 1, n ? n : 1, l->out);
        n = n ? n : 1;
    }
}

static void print_source(const struct logread *l, const struct ring_entry *e) {
    for (size_t i = 0; i < e->source_len;) {
        size_t part = strcspn(e->source + i, ";");
        part = part < e->source_len - i ? part : e->source_len - i;
        print_text(l, e->source + i, part);
        i += part;
        if (i < e->source_len) {
            (void)fputs("\\;", l->out);
            i++;
        }
    }
}

/* The line as it came is needed for --json, and is changed by being read. */
static int show(const struct logread *l, char *line, size_t len) {
    struct ring_entry e;
    char time[TIME_TEXT_MAX];

    if (l->json) {
        (void)fwrite(line, 1, len, l->out);
        (void)fputc('\n', l->out);
        return 0;
    }
    int r = entry_parse(line, len, &e);
    if (r < 0)
        return r;
    (void)time_format(e.time_ns, 9, time);
    (void)fprintf(l->out, "%s;", time);
    print_source(l, &e);
    (void)fputc(';', l->out);
    print_text(l, e.msg, e.msg_len);
    (void)fputc('\n', l->out);
    return 0;
}

static int wanted(struct logread *l, const char *line, size_t len, bool *yes, bool *seen) {
    struct ring_entry e;
    AUTO_FREE char *copy = malloc(len + 1);

    if (!copy)
        return -ENOMEM;
    memcpy(copy, line, len + 1);
    int r = entry_parse(copy, len, &e);
    if (r < 0)
        return r;
    *seen = resume_skip(&l->resume, &e);
    if (l->unsure && !*seen)
        log_warning("memlogd was restarted, and lines may be missing here");
    l->unsure = false;
    *yes = !*seen && !l->mute && e.time_ns >= l->since &&
           (!l->source || !strcmp(l->source, e.source) || notice_concerns(&e, l->source));
    return 0;
}

static int keep_newest(struct logread *l, const char *line) {
    size_t i = l->next++ % (size_t)l->newest;

    free(l->ring[i]);
    l->ring[i] = strdup(line);
    return l->ring[i] ? 0 : -ENOMEM;
}

static int show_newest(struct logread *l) {
    int r = 0;

    for (size_t i = 0; i < (size_t)l->newest; i++) {
        char *line = l->ring[(l->next + i) % (size_t)l->newest];
        if (line && !r)
            r = show(l, line, strlen(line));
        free(line);
    }
    free(l->ring);
    l->ring = NULL;
    return r;
}

static int flush(const struct logread *l, struct err *e) {
    if (fflush(l->out) == 0 && !ferror(l->out))
        return 0;
    return err_errno(e, errno ? -errno : -EIO, "could not print the log");
}

/* Until the connection ends, which it closes. With l->ring: keeps lines instead of showing them. */
static int read_lines(struct logread *l, int connection, struct err *e) {
    AUTO_CLOSE int fd = connection;
    struct client c = CLIENT_INIT(fd);
    char *line;
    size_t len;
    int r = 0, printed = 0;

    while (printed == 0 && (r = client_next(&c, &line, &len)) > 0) {
        bool yes = false, seen = false;
        r = wanted(l, line, len, &yes, &seen);
        if (!r && yes)
            r = l->ring ? keep_newest(l, line) : show(l, line, len);
        if (r < 0)
            break;
        bool more = c.done < c.text.len; /* flush when there is a pause */
        if (!more && !l->ring)
            printed = flush(l, e);
    }
    client_fini(&c);
    return printed < 0 ? printed : r < 0 ? err_errno(e, r, "could not read the log") : 0;
}

static int read_all(struct logread *l, enum wire_mode mode, struct err *e) {
    int fd = wire_query(l->socket, mode, e);

    return fd < 0 ? fd : read_lines(l, fd, e);
}

static int read_newest(struct logread *l, struct err *e) {
    if (l->newest > 0) {
        l->ring = calloc((size_t)l->newest, sizeof(*l->ring));
        if (!l->ring)
            return err_errno(e, -ENOMEM, "could not keep %lld lines", (long long)l->newest);
    }
    l->mute = l->newest == 0;
    int r = read_all(l, WIRE_DUMP, e);
    if (!l->mute) {
        int shown = show_newest(l);
        if (!r && shown < 0)
            r = err_errno(e, shown, "could not print the log");
    }
    l->mute = false;
    return r;
}

static int64_t now_ns(void) {
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A new connection, or -1: it is gone for good. */
static int connect_again(const struct logread *l) {
    for (int waited = 0; waited < GONE_MS; waited += PAUSE_MIN_MS) {
        int fd = wire_query(l->socket, WIRE_DUMP_FOLLOW, NULL);
        if (fd >= 0)
            return fd;
        (void)poll(NULL, 0, PAUSE_MIN_MS);
    }
    return -1;
}

/* Reset: it ended before it looked at this connection. */
static bool memlogd_ended(int r) {
    return r == 0 || r == -ECONNRESET;
}

static int follow(struct logread *l, enum wire_mode mode, struct err *e) {
    int pause = PAUSE_MIN_MS, fd;

    if (mode == WIRE_FOLLOW)
        l->resume.start_ns = now_ns();
    int r = read_all(l, mode, e);
    while (memlogd_ended(r) && (fd = connect_again(l)) >= 0) {
        l->resume.skipping = l->unsure = l->resume.len || l->resume.start_ns;
        r = read_lines(l, fd, e);
        /* A memlogd that has no room for another reader ends the connection at once. */
        bool nothing_came = l->unsure;
        pause = !nothing_came ? PAUSE_MIN_MS : pause < PAUSE_MAX_MS / 2 ? 2 * pause : PAUSE_MAX_MS;
        (void)poll(NULL, 0, pause);
    }
    return memlogd_ended(r) ? 0 : r;
}

static int run(struct logread *l, struct err *e) {
    bool follows = l->follow || l->dump_follow;

    if (l->newest < 0 && !follows)
        return read_all(l, WIRE_DUMP, e);
    if (l->newest < 0)
        return follow(l, l->dump_follow ? WIRE_DUMP_FOLLOW : WIRE_FOLLOW, e);
    int r = read_newest(l, e);
    if (r < 0 || !follows)
        return r;
    l->resume.skipping = l->resume.len != 0;
    return follow(l, WIRE_DUMP_FOLLOW, e);
}

/* A time, or a number of seconds before now. */
static int parse_since(struct logread *l, struct err *e) {
    char *end = NULL;

    if (!l->since_text || time_parse(l->since_text, &l->since) == 0)
        return 0;
    errno = 0;
    long long seconds = strtoll(l->since_text, &end, 10);
    if (errno || end == l->since_text || *end || seconds < 0 || seconds > 1000000000)
        return err_set(e, -EINVAL, "-since wants a time like 2024-01-02T03:04:05Z, or seconds, not \"%s\"",
                       l->since_text);
    l->since = now_ns() - seconds * 1000000000;
    return 0;
}

int main(int argc, char **argv) {
    static struct logread l;
    struct err e = {0};
    char **rest;
    const struct option_def defs[] = {
        {"socket", OPTION_STRING, {.string = &l.socket}, 0, 0, "memlogd's query socket (" WIRE_QUERY_SOCKET ")"},
        {"f", OPTION_FLAG, {.flag = &l.follow}, 0, 0, "print what comes from now on"},
        {"F", OPTION_FLAG, {.flag = &l.dump_follow}, 0, 0, "print what is there, then what comes"},
        {"n", OPTION_NUMBER, {.number = &l.newest}, 0, NEWEST_MAX, "of what is there only the newest so many lines"},
        {"s", OPTION_STRING, {.string = &l.source}, 0, 0, "only lines of this source"},
        {"since", OPTION_STRING, {.string = &l.since_text}, 0, 0, "only lines since a time, or of the last seconds"},
        {"json", OPTION_FLAG, {.flag = &l.json}, 0, 0, "print the lines as memlogd sends them"},
        {0}};

    (void)argc;
    l.socket = WIRE_QUERY_SOCKET;
    l.newest = -1;
    l.since = INT64_MIN;
    log_init("logread", LOG_LEVEL_NOTICE);
    l.terminal = isatty(STDOUT_FILENO);
    int r = options_parse(defs, argv, &rest, &e);
    if (r == -ECANCELED) {
        options_help(defs, "logread [OPTION...]");
        return 0;
    }
    if (!r && *rest)
        r = err_set(&e, -EINVAL, "there is no use for \"%s\"", *rest);
    if (!r)
        r = parse_since(&l, &e);
    if (!r && !(l.out = output_open(STDOUT_FILENO)))
        r = err_errno(&e, -errno, "could not print the log");
    if (!r)
        r = run(&l, &e);
    if (!r)
        r = flush(&l, &e);
    if (r < 0)
        log_error("%s", e.msg);
    return r < 0;
}
