/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/syslog.h"

#include <stdatomic.h>
#include <string.h>

#include "lib/auto.h"
#include "memlogd/name.h"

struct cursor {
    const char *p, *end;
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool take_char(struct cursor *c, char what) {
    if (c->p == c->end || *c->p != what)
        return false;
    c->p++;
    return true;
}

/* Bytes that fit: d a digit, a a letter, _ a digit or a space, others themselves. */
static bool take_pattern(struct cursor *c, const char *pattern) {
    const char *p = c->p;

    for (; *pattern; pattern++, p++) {
        if (p == c->end)
            return false;
        bool fits = *pattern == 'd'   ? is_digit(*p)
                    : *pattern == 'a' ? is_letter(*p)
                    : *pattern == '_' ? is_digit(*p) || *p == ' '
                                      : *p == *pattern;
        if (!fits)
            return false;
    }
    c->p = p;
    return true;
}

/* Up to a space, which is taken too; at least one byte. */
static bool take_word(struct cursor *c, const char **word, size_t *len) {
    const char *space = memchr(c->p, ' ', (size_t)(c->end - c->p));

    if (!space || space == c->p)
        return false;
    *word = c->p;
    *len = (size_t)(space - c->p);
    c->p = space + 1;
    return true;
}

/* <PRIORITY> */
static bool take_priority(struct cursor *c) {
    struct cursor at = *c;
    unsigned digits = 0;

    if (!take_char(&at, '<'))
        return false;
    for (; at.p < at.end && is_digit(*at.p) && digits < 3; at.p++)
        digits++;
    if (digits == 0 || !take_char(&at, '>'))
        return false;
    *c = at;
    return true;
}

/* --- RFC 5424 --- */

/* [ID NAME="VALUE"...], in values \ before ", \ and ] */
static bool skip_element(struct cursor *c) {
    bool quoted = false;

    for (; c->p < c->end; c->p++) {
        if (quoted && *c->p == '\\' && c->p + 1 < c->end)
            c->p++;
        else if (*c->p == '"')
            quoted = !quoted;
        else if (!quoted && *c->p == ']') {
            c->p++;
            return true;
        }
    }
    return false;
}

/* "-", or elements; *has: there are some */
static bool skip_structured_data(struct cursor *c, bool *has) {
    *has = false;
    if (take_char(c, '-'))
        return true;
    while (take_char(c, '[')) {
        if (!skip_element(c))
            return false;
        *has = true;
    }
    return *has;
}

/* What stands behind "<PRIORITY>1 ". Structured data stay in the text. */
static bool parse_5424(struct cursor c, struct syslog_message *m) {
    const char *word, *name;
    size_t len, name_len;
    bool data;

    if (!take_word(&c, &word, &len) || !(is_digit(*word) || (len == 1 && *word == '-')) ||
        !take_word(&c, &word, &len) || !take_word(&c, &name, &name_len) || !take_word(&c, &word, &len) ||
        !take_word(&c, &word, &len))
        return false;
    const char *start = c.p;
    if (!skip_structured_data(&c, &data) || (c.p < c.end && !take_char(&c, ' ')))
        return false;
    if (!data && c.end - c.p >= 3 && !memcmp(c.p, "\xef\xbb\xbf", 3)) /* "UTF-8 follows" */
        c.p += 3;
    m->text = data ? start : c.p;
    m->text_len = (size_t)(c.end - m->text);
    m->tagged = m->text;
    m->tagged_len = m->text_len;
    if (name_len != 1 || *name != '-') {
        m->tag = name;
        m->tag_len = name_len;
    }
    return true;
}

/* --- RFC 3164, and what is sent in its name --- */

/* "Jan  2 03:04:05 ", or RFC 3339 */
static bool skip_time(struct cursor *c) {
    const char *word;
    size_t len;
    struct cursor at = *c;

    if (take_pattern(c, "aaa _d dd:dd:dd "))
        return true;
    return take_pattern(&at, "dddd-dd-ddTdd:dd:dd") && take_word(c, &word, &len);
}

/* NAME: or NAME[PID]: and a space, if there is one */
static bool take_tag(struct cursor *c, const char **tag, size_t *len) {
    struct cursor at = *c;

    while (at.p < at.end && *at.p != ':' && *at.p != '[' && *at.p != ' ' && *at.p != '\n')
        at.p++;
    *tag = c->p;
    *len = (size_t)(at.p - c->p);
    if (*len == 0 || at.p == at.end)
        return false;
    if (*at.p == '[') {
        while (at.p < at.end && *at.p != ']' && *at.p != ' ' && *at.p != '\n')
            at.p++;
        if (!take_char(&at, ']'))
            return false;
    }
    if (!take_char(&at, ':'))
        return false;
    (void)take_char(&at, ' ');
    *c = at;
    return true;
}

static void parse_3164(struct cursor c, struct syslog_message *m) {
    const char *word;
    size_t len;
    bool timed = skip_time(&c);
    struct cursor tag = c, host = c;

    /* What comes over the network has a host in front; it is told from a name by the name behind it. */
    if (!take_tag(&tag, &m->tag, &m->tag_len)) {
        m->tag_len = 0;
        if (timed && take_word(&host, &word, &len)) {
            tag = host;
            if (take_tag(&tag, &m->tag, &m->tag_len))
                c = host;
            else
                m->tag_len = 0;
        }
    }
    m->text = m->tag_len ? tag.p : c.p;
    m->text_len = (size_t)(c.end - m->text);
    m->tagged = c.p;
    m->tagged_len = (size_t)(c.end - c.p);
}

void syslog_parse(const char *data, size_t len, struct syslog_message *m) {
    struct cursor c = {data, data + len};

    *m = (struct syslog_message){0};
    while (c.end > c.p && (c.end[-1] == '\n' || c.end[-1] == '\r' || c.end[-1] == '\0'))
        c.end--;
    bool priority = take_priority(&c);
    struct cursor behind = c;
    if (!priority || !take_pattern(&behind, "1 ") || !parse_5424(behind, m))
        parse_3164(c, m);
}

/* --- whose lines they are --- */

struct syslog_source *syslog_source(struct syslog_sources *s, const struct syslog_message *m) {
    char name[RING_SOURCE_MAX];
    size_t len = name_make(name, NAME_FROM_SYSLOG, m->tag, m->tag_len);

    for (unsigned i = 0; i < s->len && len > 0; i++)
        if (s->v[i].len == len && !memcmp(s->v[i].name, name, len))
            return &s->v[i];
    if (len == 0 || s->len >= SYSLOG_SOURCES)
        return NULL;
    struct syslog_source *new = &s->v[s->len];
    *new = (struct syslog_source){.len = len};
    memcpy(new->name, name, len);
    atomic_signal_fence(memory_order_release);
    s->len++;
    return new;
}
