/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logread: prints what memlogd has kept, and what comes.
 *
 * -n with -f or -F asks twice: a dump for the newest lines, then dump and follow, of which what was in the first dump
 * is skipped (follow.h). Bounds: -n keeps that many lines in memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/log.h"
#include "lib/utf8.h"
#include "memlogd/entry.h"
#include "memlogd/follow.h"
#include "memlogd/notice.h"
#include "memlogd/options.h"
#include "memlogd/output.h"

#define NEWEST_MAX 1000000

struct logread {
    const char *source, *since_text;
    bool follow_only, dump_follow, json;
    int64_t newest; /* -1: all */
    int64_t since;  /* a time */
    bool terminal, mute;
    FILE *out;
    struct follow follow;
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

static void show(const struct logread *l, const char *line, size_t len, const struct ring_entry *e) {
    char time[TIME_TEXT_MAX];

    if (l->json) {
        (void)fwrite(line, 1, len, l->out);
        (void)fputc('\n', l->out);
        return;
    }
    (void)time_format(e->time_ns, 9, time);
    (void)fprintf(l->out, "%s;", time);
    print_source(l, e);
    (void)fputc(';', l->out);
    print_text(l, e->msg, e->msg_len);
    (void)fputc('\n', l->out);
}

static int keep_newest(struct logread *l, const char *line) {
    size_t i = l->next++ % (size_t)l->newest;

    free(l->ring[i]);
    l->ring[i] = strdup(line);
    return l->ring[i] ? 0 : -ENOMEM;
}

static void show_newest(struct logread *l) {
    struct ring_entry e;

    for (size_t i = 0; i < (size_t)l->newest; i++) {
        char *line = l->ring[(l->next + i) % (size_t)l->newest];
        size_t len = line ? strlen(line) : 0;
        if (line && (l->json || entry_parse(line, len, &e) == 0)) /* it was parsed once */
            show(l, line, len, &e);
        free(line);
    }
    free(l->ring);
    l->ring = NULL;
}

/* With l->ring: keeps lines instead of showing them. */
static int on_line(void *data, const char *line, size_t len, const struct ring_entry *entry, struct err *e) {
    struct logread *l = data;

    if (l->mute || entry->time_ns < l->since ||
        (l->source && strcmp(l->source, entry->source) != 0 && !notice_concerns(entry, l->source)))
        return 0;
    if (l->ring)
        return keep_newest(l, line) < 0 ? err_errno(e, -ENOMEM, "could not read the log") : 0;
    show(l, line, len, entry);
    return 0;
}

static int flush(const struct logread *l, struct err *e) {
    if (fflush(l->out) == 0 && !ferror(l->out))
        return 0;
    return err_errno(e, errno ? -errno : -EIO, "could not print the log");
}

static int on_pause(void *data, struct err *e) {
    return flush(data, e);
}

static int read_newest(struct logread *l, struct err *e) {
    if (l->newest > 0) {
        l->ring = calloc((size_t)l->newest, sizeof(*l->ring));
        if (!l->ring)
            return err_errno(e, -ENOMEM, "could not keep %lld lines", (long long)l->newest);
    }
    l->mute = l->newest == 0;
    int r = follow_dump(&l->follow, e);
    if (!l->mute)
        show_newest(l);
    l->mute = false;
    return r;
}

static int run(struct logread *l, struct err *e) {
    bool follows = l->follow_only || l->dump_follow;

    if (l->newest < 0 && !follows)
        return follow_dump(&l->follow, e);
    if (l->newest < 0)
        return follow_on(&l->follow, l->dump_follow ? WIRE_DUMP_FOLLOW : WIRE_FOLLOW, e);
    int r = read_newest(l, e);
    return r < 0 || !follows ? r : follow_on(&l->follow, WIRE_DUMP_FOLLOW, e);
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
    l->since = ((int64_t)time(NULL) - seconds) * 1000000000;
    return 0;
}

int main(int argc, char **argv) {
    static struct logread l;
    struct err e = {0};
    char **rest;
    const struct option_def defs[] = {
        {"socket", OPTION_STRING, {.string = &l.follow.socket}, 0, 0, "memlogd's query socket (" WIRE_QUERY_SOCKET ")"},
        {"f", OPTION_FLAG, {.flag = &l.follow_only}, 0, 0, "print what comes from now on"},
        {"F", OPTION_FLAG, {.flag = &l.dump_follow}, 0, 0, "print what is there, then what comes"},
        {"n", OPTION_NUMBER, {.number = &l.newest}, 0, NEWEST_MAX, "of what is there only the newest so many lines"},
        {"s", OPTION_STRING, {.string = &l.source}, 0, 0, "only lines of this source"},
        {"since", OPTION_STRING, {.string = &l.since_text}, 0, 0, "only lines since a time, or of the last seconds"},
        {"json", OPTION_FLAG, {.flag = &l.json}, 0, 0, "print the lines as memlogd sends them"},
        {0}};

    (void)argc;
    l.follow.socket = WIRE_QUERY_SOCKET;
    l.follow.on_line = on_line;
    l.follow.on_pause = on_pause;
    l.follow.data = &l;
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
