/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logread: prints what memlogd has kept, and what comes.
 *
 * -n with -f or -F asks twice: a dump for the newest lines, then dump and follow, of which what was in the first dump
 * is skipped by its time. Bounds: -n keeps that many lines in memory.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/log.h"
#include "memlogd/client.h"
#include "memlogd/entry.h"
#include "memlogd/options.h"
#include "memlogd/wire.h"

#define NEWEST_MAX 1000000

struct logread {
    const char *socket, *source, *since_text;
    bool follow, dump_follow, json;
    int64_t newest; /* -1: all */
    int64_t since;  /* a time */
    bool terminal;
    struct resume resume;
    char **ring; /* the newest lines: NEWEST entries, some NULL */
    size_t next;
};

/* What a source wrote must not steer somebody's terminal. */
static void print_text(const struct logread *l, const char *text, size_t len) {
    if (!l->terminal) {
        (void)fwrite(text, 1, len, stdout);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool c1 = c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0;
        if (c1)
            (void)printf("\\x%02x", (unsigned char)text[++i]);
        else if ((c < 0x20 && c != '\t') || c == 0x7f)
            (void)printf("\\x%02x", c);
        else
            (void)putchar(c);
    }
}

static void print_source(const struct logread *l, const struct ring_entry *e) {
    for (size_t i = 0; i < e->source_len; i++) {
        if (e->source[i] == ';')
            (void)putchar('\\');
        print_text(l, e->source + i, 1);
    }
}

/* The line as it came is needed for --json, and is changed by being read. */
static int show(const struct logread *l, char *line, size_t len) {
    struct ring_entry e;
    char time[TIME_TEXT_MAX];

    if (l->json) {
        (void)fwrite(line, 1, len, stdout);
        (void)putchar('\n');
        return 0;
    }
    int r = entry_parse(line, len, &e);
    if (r < 0)
        return r;
    (void)time_format(e.time_ns, 9, time);
    (void)printf("%s;", time);
    print_source(l, &e);
    (void)putchar(';');
    print_text(l, e.msg, e.msg_len);
    (void)putchar('\n');
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
    *seen = resume_skip(&l->resume, e.time_ns);
    *yes = !*seen && e.time_ns >= l->since && (!l->source || !strcmp(l->source, e.source));
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

/* Until the connection ends. With l->ring: keeps lines instead of showing them. */
static int read_all(struct logread *l, enum wire_mode mode, struct err *e) {
    AUTO_CLOSE int fd = wire_query(l->socket, mode, e);
    struct client c = CLIENT_INIT(fd);
    char *line;
    size_t len;
    int r;

    if (fd < 0)
        return fd;
    while ((r = client_next(&c, &line, &len)) > 0) {
        bool yes = false, seen = false;
        r = wanted(l, line, len, &yes, &seen);
        if (!r && yes)
            r = l->ring ? keep_newest(l, line) : show(l, line, len);
        if (r < 0)
            break;
        bool more = c.done < c.text.len; /* flush when there is a pause */
        if (!more && !l->ring && fflush(stdout) < 0) {
            r = -errno;
            break;
        }
    }
    client_fini(&c);
    return r < 0 ? err_errno(e, r, "could not read the log") : 0;
}

static int read_newest(struct logread *l, struct err *e) {
    if (l->newest > 0) {
        l->ring = calloc((size_t)l->newest, sizeof(*l->ring));
        if (!l->ring)
            return err_errno(e, -ENOMEM, "could not keep %lld lines", (long long)l->newest);
    }
    bool nothing = l->newest == 0;
    const char *only = l->source;
    if (nothing)
        l->source = "\n"; /* no source's name */
    int r = read_all(l, WIRE_DUMP, e);
    l->source = only;
    if (!nothing) {
        int shown = show_newest(l);
        if (!r && shown < 0)
            r = err_errno(e, shown, "could not print the log");
    }
    return r;
}

static int run(struct logread *l, struct err *e) {
    bool follows = l->follow || l->dump_follow;

    if (l->newest >= 0) {
        int r = read_newest(l, e);
        if (r < 0 || !follows)
            return r;
        l->resume.skipping = l->resume.last_time != 0;
        return read_all(l, WIRE_DUMP_FOLLOW, e);
    }
    return read_all(l, l->dump_follow ? WIRE_DUMP_FOLLOW : l->follow ? WIRE_FOLLOW : WIRE_DUMP, e);
}

/* A time, or a number of seconds before now. */
static int parse_since(struct logread *l, struct err *e) {
    struct timespec now;
    char *end = NULL;

    if (!l->since_text || time_parse(l->since_text, &l->since) == 0)
        return 0;
    errno = 0;
    long long seconds = strtoll(l->since_text, &end, 10);
    if (errno || end == l->since_text || *end || seconds < 0 || seconds > 1000000000)
        return err_set(e, -EINVAL, "-since wants a time like 2024-01-02T03:04:05Z, or seconds, not \"%s\"",
                       l->since_text);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    l->since = ((int64_t)now.tv_sec - seconds) * 1000000000 + now.tv_nsec;
    return 0;
}

int main(int argc, char **argv) {
    struct logread l = {.socket = WIRE_QUERY_SOCKET, .newest = -1, .since = INT64_MIN};
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
    if (!r)
        r = run(&l, &e);
    if (!r && fflush(stdout) < 0)
        r = err_errno(&e, -errno, "could not print the log");
    if (r < 0)
        log_error("%s", e.msg);
    return r < 0;
}
