/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/config/problems.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/printable.h"

#define EXCERPT_MAX 100 /* characters of a line that are shown */

int problems_add_source(struct problems *p, const char *file, struct buf *text) {
    struct problem_source *grown = reallocarray(p->sources, p->sources_len + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    p->sources = grown;
    grown[p->sources_len] = (struct problem_source){.file = strdup(file), .text = *text};
    if (!grown[p->sources_len].file)
        return -ENOMEM;
    *text = (struct buf)BUF_INIT;
    p->sources_len++;
    return 0;
}

/* ":LINE:COLUMN: " at s; both count from 1. */
static bool parse_place(const char *s, size_t *line, size_t *column) {
    char *end;

    if (*s != ':')
        return false;
    *line = strtoul(s + 1, &end, 10);
    if (*end != ':' || !*line)
        return false;
    *column = strtoul(end + 1, &end, 10);
    return *end == ':' && *column;
}

static bool is_continuation(char c) {
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* The characters [from, from + EXCERPT_MAX) of a line, ASCII's control characters as blanks. */
static int append_excerpt(struct buf *out, const char *line, size_t len, size_t from) {
    size_t character = 0, at = out->len;
    int r = 0;

    for (size_t i = 0; i < len && !r; i++) {
        character += !is_continuation(line[i]);
        if (character > from && character <= from + EXCERPT_MAX)
            r = buf_append(out, (unsigned char)line[i] < ' ' || line[i] == 0x7f ? " " : &line[i], 1);
    }
    make_printable(out, at);
    return r ? r : buf_puts(out, "\n");
}

static int append_line(struct buf *out, const struct buf *text, size_t line, size_t column) {
    const char *start = text->data, *end = text->data + text->len;

    for (size_t i = 1; start && i < line; i++) {
        start = memchr(start, '\n', (size_t)(end - start));
        start = start ? start + 1 : NULL;
    }
    if (!start || start == end)
        return 0;
    const char *stop = memchr(start, '\n', (size_t)(end - start));
    size_t from = column > EXCERPT_MAX ? column - EXCERPT_MAX / 2 : 0;
    int r = buf_printf(out, "%6zu | ", line);
    if (!r)
        r = append_excerpt(out, start, (size_t)((stop ? stop : end) - start), from);
    return r ? r : buf_printf(out, "       | %*s\n", (int)(column - from), "^");
}

static int append_problem(struct problems *p, const char *message) {
    size_t line, column;
    size_t from = p->text.len;
    int r = buf_printf(&p->text, "keelson: %s", message);

    make_printable(&p->text, from);
    if (!r)
        r = buf_puts(&p->text, "\n");
    for (size_t i = 0; i < p->sources_len && !r; i++) {
        size_t len = strlen(p->sources[i].file);
        if (!strncmp(message, p->sources[i].file, len) && parse_place(message + len, &line, &column))
            return append_line(&p->text, &p->sources[i].text, line, column);
    }
    return r;
}

void problems_add(struct problems *p, const struct err *e) {
    AUTO_FREE char *shown = printable_copy(e->msg);

    if (!p->count)
        p->first = *e;
    else if (p->text.data && shown && strstr(p->text.data, shown))
        return;
    if (p->count++ < PROBLEMS_MAX)
        (void)append_problem(p, e->msg); /* without memory the first one is still there */
}

int problems_result(const struct problems *p, struct err *e) {
    if (!p->count)
        return 0;
    if (p->count == 1)
        return err_set(e, p->first.code, "%s", p->first.msg);
    return err_set(e, p->first.code, "%s (and %u more)", p->first.msg, p->count - 1);
}

void problems_free(struct problems *p) {
    for (size_t i = 0; i < p->sources_len; i++) {
        free(p->sources[i].file);
        buf_free(&p->sources[i].text);
    }
    free(p->sources);
    buf_free(&p->text);
    *p = (struct problems){0};
}
