/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/entry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/auto.h"
#include "lib/utf8.h"

#define NS 1000000000

/* --- time --- */

static char *put_digits(char *to, unsigned value, unsigned digits) {
    for (unsigned i = digits; i > 0; i--, value /= 10)
        to[i - 1] = (char)('0' + value % 10);
    return to + digits;
}

/* "2024-01-02T03:04:05" of the second that was asked for last: lines come many to a second. */
struct second_text {
    time_t second;
    size_t len; /* 0: none yet */
    char text[TIME_TEXT_MAX];
};

static void put_second(struct second_text *s, time_t second) {
    struct tm tm = {0};
    char *p = s->text;

    (void)gmtime_r(&second, &tm);
    p = put_digits(p, (unsigned)(tm.tm_year + 1900), 4);
    *p++ = '-';
    p = put_digits(p, (unsigned)tm.tm_mon + 1, 2);
    *p++ = '-';
    p = put_digits(p, (unsigned)tm.tm_mday, 2);
    *p++ = 'T';
    p = put_digits(p, (unsigned)tm.tm_hour, 2);
    *p++ = ':';
    p = put_digits(p, (unsigned)tm.tm_min, 2);
    *p++ = ':';
    p = put_digits(p, (unsigned)tm.tm_sec, 2);
    s->len = (size_t)(p - s->text);
    s->second = second;
}

size_t time_format(int64_t time_ns, unsigned digits, char to[TIME_TEXT_MAX]) {
    static struct second_text last;
    time_t second = (time_t)(time_ns / NS - (time_ns % NS < 0));

    if (!last.len || last.second != second)
        put_second(&last, second);
    memcpy(to, last.text, last.len);
    char *p = to + last.len;
    if (digits) {
        *p++ = '.';
        p = put_digits(p, (unsigned)(time_ns - (int64_t)second * NS), 9);
    }
    *p++ = 'Z';
    *p = '\0';
    return (size_t)(p - to);
}

static bool get_digits(const char **p, unsigned digits, int *out) {
    *out = 0;
    for (unsigned i = 0; i < digits; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

static bool get_char(const char **p, const char *any) {
    return **p && strchr(any, **p) ? (*p)++, true : false;
}

/* ".123", up to nine digits count */
static int64_t get_fraction(const char **p) {
    int64_t ns = 0, unit = NS;

    if (!get_char(p, "."))
        return 0;
    for (; **p >= '0' && **p <= '9'; (*p)++)
        if (unit > 1) {
            unit /= 10;
            ns += unit * (**p - '0');
        }
    return ns;
}

static bool get_zone(const char **p, int64_t *seconds) {
    int h, m;
    bool west = **p == '-';

    *seconds = 0;
    if (get_char(p, "Zz"))
        return **p == '\0';
    if (!get_char(p, "+-") || !get_digits(p, 2, &h) || !get_char(p, ":") || !get_digits(p, 2, &m))
        return false;
    *seconds = (west ? -60 : 60) * (int64_t)(60 * h + m);
    return h < 24 && m < 60 && **p == '\0';
}

static bool is_date(const struct tm *tm) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (tm->tm_year % 4 == 0 && tm->tm_year % 100 != 0) || tm->tm_year % 400 == 0;

    if (tm->tm_mon < 1 || tm->tm_mon > 12 || tm->tm_mday < 1)
        return false;
    return tm->tm_mday <= days[tm->tm_mon - 1] + (leap && tm->tm_mon == 2) && tm->tm_hour < 24 && tm->tm_min < 60 &&
           tm->tm_sec <= 60; /* a leap second */
}

int time_parse(const char *text, int64_t *time_ns) {
    struct tm tm = {0};
    int64_t zone;
    const char *p = text;

    if (!get_digits(&p, 4, &tm.tm_year) || !get_char(&p, "-") || !get_digits(&p, 2, &tm.tm_mon) || !get_char(&p, "-") ||
        !get_digits(&p, 2, &tm.tm_mday) || !get_char(&p, "Tt ") || !get_digits(&p, 2, &tm.tm_hour) ||
        !get_char(&p, ":") || !get_digits(&p, 2, &tm.tm_min) || !get_char(&p, ":") || !get_digits(&p, 2, &tm.tm_sec))
        return -EINVAL;
    int64_t ns = get_fraction(&p);
    if (!get_zone(&p, &zone) || !is_date(&tm) || tm.tm_year < 1678 || tm.tm_year > 2261) /* what fits */
        return -EINVAL;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *time_ns = ((int64_t)timegm(&tm) - zone) * NS + ns;
    return 0;
}

/* --- writing --- */

static char *put(char *to, const char *text, size_t len) {
    memcpy(to, text, len);
    return to + len;
}

static char *put_escape(char *to, unsigned code) {
    static const char hex[] = "0123456789abcdef";

    to = put(to, "\\u", 2);
    for (int shift = 12; shift >= 0; shift -= 4)
        *to++ = hex[code >> shift & 15];
    return to;
}

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u

/* Is one of eight bytes below 0x20 or above 0x7e, or " or \? May say yes to others, but never no to these. */
static bool has_special(uint64_t eight) {
    uint64_t control = (eight - ONES * 0x20) | eight | (eight + ONES);
    uint64_t quote = eight ^ ONES * '"', backslash = eight ^ ONES * '\\';

    return ((control | ((quote - ONES) & ~quote) | ((backslash - ONES) & ~backslash)) & HIGHS) != 0;
}

/* How many bytes at the start are copied as they are; not all that could be. */
static size_t plain_length(const char *text, size_t len) {
    size_t n = 0;
    uint64_t eight;

    for (; n + sizeof(eight) <= len; n += sizeof(eight)) {
        memcpy(&eight, text + n, sizeof(eight));
        if (has_special(eight))
            break;
    }
    return n;
}

static char *put_string(char *to, const char *text, size_t len) {
    *to++ = '"';
    for (size_t i = 0; i < len;) {
        size_t n = plain_length(text + i, len - i);
        to = put(to, text + i, n);
        i += n;
        if (i == len)
            break;
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c < 0x7f) {
            if (c == '"' || c == '\\')
                *to++ = '\\';
            *to++ = (char)c;
            i++;
        } else if (c == '\t') {
            to = put(to, "\\t", 2);
            i++;
        } else if (c < 0x20 || c == 0x7f) {
            to = put_escape(to, c);
            i++;
        } else if ((n = utf8_length(text + i, len - i)) == 0) {
            to = put_escape(to, 0xfffd);
            i++;
        } else {
            bool c1 = c == 0xc2 && (unsigned char)text[i + 1] < 0xa0;
            to = c1 ? put_escape(to, (unsigned char)text[i + 1]) : put(to, text + i, n);
            i += n;
        }
    }
    *to++ = '"';
    return to;
}

#define PUT(to, literal) put((to), (literal), sizeof(literal) - 1)

/* All but the end of the object. */
static char *put_entry(const struct ring_entry *e, char *to) {
    char *p = PUT(to, "{\"time\":\"");

    p += time_format(e->time_ns, 9, p);
    p = PUT(p, "\",\"source\":");
    p = put_string(p, e->source, e->source_len);
    p = PUT(p, ",\"msg\":");
    return put_string(p, e->msg, e->msg_len);
}

size_t entry_format(const struct ring_entry *e, char *to) {
    char *p = put_entry(e, to);

    p = PUT(p, "}\n");
    return (size_t)(p - to);
}

size_t entry_format_numbered(const struct ring_entry *e, char *to) {
    char *p = put_entry(e, to);

    p += snprintf(p, 64, ",\"ring\":%llu,\"seq\":%llu}\n", (unsigned long long)e->ring_id, (unsigned long long)e->seq);
    return (size_t)(p - to);
}

/* --- reading --- */

struct cursor {
    char *p, *end;
};

static void skip_space(struct cursor *c) {
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\r' || *c->p == '\n'))
        c->p++;
}

static bool take(struct cursor *c, char what) {
    skip_space(c);
    if (c->p >= c->end || *c->p != what)
        return false;
    c->p++;
    return true;
}

static bool take_hex4(struct cursor *c, unsigned *code) {
    *code = 0;
    if (c->end - c->p < 4)
        return false;
    for (int i = 0; i < 4; i++, c->p++) {
        char ch = *c->p;
        unsigned digit = ch >= '0' && ch <= '9'                 ? (unsigned)(ch - '0')
                         : (ch | 32) >= 'a' && (ch | 32) <= 'f' ? (unsigned)((ch | 32) - 'a' + 10)
                                                                : 16;
        if (digit > 15)
            return false;
        *code = *code << 4 | digit;
    }
    return true;
}

/* What follows "\u": with its second half, if it is a surrogate that has one. */
static bool take_unicode(struct cursor *c, unsigned *code) {
    unsigned low;

    if (!take_hex4(c, code))
        return false;
    if (*code < 0xd800 || *code > 0xdfff)
        return true;
    struct cursor ahead = *c;
    if (*code < 0xdc00 && ahead.end - ahead.p >= 6 && ahead.p[0] == '\\' && ahead.p[1] == 'u') {
        ahead.p += 2;
        if (take_hex4(&ahead, &low) && low >= 0xdc00 && low <= 0xdfff) {
            *code = 0x10000 + ((*code - 0xd800) << 10 | (low - 0xdc00));
            *c = ahead;
            return true;
        }
    }
    *code = 0xfffd;
    return true;
}

static bool take_escape(struct cursor *c, char **to) {
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    unsigned code;

    if (c->p >= c->end)
        return false;
    char ch = *c->p++;
    if (ch == 'u') {
        if (!take_unicode(c, &code))
            return false;
        *to += utf8_put(*to, code);
        return true;
    }
    const char *known = ch ? strchr(from, ch) : NULL;
    if (!known)
        return false;
    *(*to)++ = into[known - from];
    return true;
}

/* Decodes over itself: an escape is never shorter than what it stands for. */
static bool take_string(struct cursor *c, const char **text, size_t *len) {
    if (!take(c, '"'))
        return false;
    char *to = c->p;
    *text = to;
    while (c->p < c->end && *c->p != '"') {
        char ch = *c->p++;
        if (ch != '\\')
            *to++ = ch;
        else if (!take_escape(c, &to))
            return false;
    }
    if (c->p >= c->end)
        return false;
    c->p++;
    *len = (size_t)(to - *text);
    *to = '\0';
    return true;
}

/* A value that nobody asked for. */
static bool skip_value(struct cursor *c) {
    const char *text;
    size_t len;
    int depth = 0;

    do {
        skip_space(c);
        if (c->p >= c->end)
            return false;
        if (*c->p == '"') {
            if (!take_string(c, &text, &len))
                return false;
            continue;
        }
        if (*c->p == '{' || *c->p == '[')
            depth++;
        else if (*c->p == '}' || *c->p == ']')
            depth--;
        if (depth < 0)
            return false;
        c->p++;
    } while (depth > 0 || (c->p < c->end && *c->p != ',' && *c->p != '}'));
    return true;
}

static bool take_u64(struct cursor *c, uint64_t *value) {
    skip_space(c);
    const char *start = c->p;
    for (*value = 0; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++) {
        unsigned digit = (unsigned)(*c->p - '0');
        if (*value > (UINT64_MAX - digit) / 10)
            return false;
        *value = *value * 10 + digit;
    }
    return c->p > start;
}

static bool take_member(struct cursor *c, struct ring_entry *e, unsigned *found) {
    static const char *const names[] = {"time", "source", "msg"};
    const char *key, *value;
    size_t len;
    unsigned i = 0;

    if (!take_string(c, &key, &len) || !take(c, ':'))
        return false;
    if (!strcmp(key, "seq") || !strcmp(key, "ring"))
        return take_u64(c, *key == 's' ? &e->seq : &e->ring_id);
    while (i < ARRAY_SIZE(names) && strcmp(key, names[i]) != 0)
        i++;
    if (i == ARRAY_SIZE(names))
        return skip_value(c);
    if (!take_string(c, &value, &len))
        return false;
    *found |= 1u << i;
    if (i == 0)
        return time_parse(value, &e->time_ns) == 0;
    if (i == 1) {
        e->source = value;
        e->source_len = (uint16_t)(len < UINT16_MAX ? len : UINT16_MAX);
    } else {
        e->msg = value;
        e->msg_len = (uint32_t)len;
    }
    return true;
}

int entry_parse(char *line, size_t len, struct ring_entry *e) {
    struct cursor c = {line, line + len};
    unsigned found = 0;

    *e = (struct ring_entry){.slot = RING_NO_SLOT};
    if (!take(&c, '{'))
        return -EINVAL;
    do
        if (!take_member(&c, e, &found))
            return -EINVAL;
    while (take(&c, ','));
    if (!take(&c, '}') || found != 7)
        return -EINVAL;
    skip_space(&c);
    return c.p == c.end ? 0 : -EINVAL;
}
