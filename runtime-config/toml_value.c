/* SPDX-License-Identifier: Apache-2.0 */
/* Strings, booleans, numbers, dates and times. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "runtime-config/toml_priv.h"

/* What stands where a value is, up to the first character that no number, date or word has. */
struct word {
    const char *s;
    size_t len, pos;
};

static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}

static bool is_word_char(int c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c > 0 && strchr("+-_.:", c));
}

static bool word_is(const struct word *w, const char *text) {
    return w->len - w->pos == strlen(text) && !memcmp(w->s + w->pos, text, w->len - w->pos);
}

static int word_peek(const struct word *w) {
    return w->pos < w->len ? (unsigned char)w->s[w->pos] : -1;
}

static bool word_accept(struct word *w, const char *any_of) {
    int c = word_peek(w);

    if (c <= 0 || !strchr(any_of, c))
        return false;
    w->pos++;
    return true;
}

/* --- dates and times --- */

static bool read_field(struct word *w, unsigned digits, unsigned min, unsigned max, unsigned *out) {
    unsigned v = 0;

    for (unsigned i = 0; i < digits; i++, w->pos++) {
        if (!is_digit(word_peek(w)))
            return false;
        v = 10 * v + (unsigned)(word_peek(w) - '0');
    }
    *out = v;
    return v >= min && v <= max;
}

static unsigned days_of(unsigned month, unsigned year) {
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[month - 1];
}

static bool read_date(struct word *w) {
    unsigned year, month, day;

    return read_field(w, 4, 0, 9999, &year) && word_accept(w, "-") && read_field(w, 2, 1, 12, &month) &&
           word_accept(w, "-") && read_field(w, 2, 1, days_of(month, year), &day);
}

static bool read_time(struct word *w) {
    unsigned hour, minute, second;

    if (!read_field(w, 2, 0, 23, &hour) || !word_accept(w, ":") || !read_field(w, 2, 0, 59, &minute) ||
        !word_accept(w, ":") || !read_field(w, 2, 0, 60, &second)) /* 60: a leap second */
        return false;
    if (!word_accept(w, "."))
        return true;
    if (!is_digit(word_peek(w)))
        return false;
    while (is_digit(word_peek(w)))
        w->pos++;
    return true;
}

static bool read_offset(struct word *w) {
    unsigned hour, minute;

    return word_accept(w, "Zz") || (word_accept(w, "+-") && read_field(w, 2, 0, 23, &hour) && word_accept(w, ":") &&
                                    read_field(w, 2, 0, 59, &minute));
}

static bool classify_time(struct word *w, enum mark_kind *kind) {
    if (w->len > 2 && w->s[2] == ':') {
        *kind = MARK_LOCAL_TIME;
        return read_time(w) && w->pos == w->len;
    }
    *kind = MARK_LOCAL_DATE;
    if (!read_date(w))
        return false;
    if (w->pos == w->len)
        return true;
    *kind = MARK_LOCAL_DATETIME;
    if (!word_accept(w, "Tt ") || !read_time(w))
        return false;
    if (w->pos == w->len)
        return true;
    *kind = MARK_OFFSET_DATETIME;
    return read_offset(w) && w->pos == w->len;
}

static bool looks_like_time(const struct word *w) {
    size_t i = 0;

    while (i < w->len && is_digit((unsigned char)w->s[i]))
        i++;
    return i > 0 && i < w->len && (w->s[i] == '-' || w->s[i] == ':');
}

/* A string that is not one, to jansson: the mark says so. */
static int make_marked(struct toml_parser *p, const char *s, size_t len, enum mark_kind kind, json_t **out) {
    const struct toml_mark mark = {.of = *out = json_stringn_nocheck(s, len), .kind = kind};

    return !*out || toml_mark_add(p->t, &mark) < 0 ? toml_no_memory(p) : 0;
}

static int read_time_value(struct toml_parser *p, struct word *w, json_t **out) {
    enum mark_kind kind;

    /* A space may stand between date and time: it is part of the word only if a time follows. */
    if (w->len == 10 && toml_peek(p, w->len) == ' ' && is_digit(toml_peek(p, w->len + 1)))
        do
            w->len++;
        while (is_word_char(toml_peek(p, w->len)));
    if (!classify_time(w, &kind))
        return toml_fail(p, p->pos, "\"%.*s\" is not a date or time that there is", (int)(w->len < 40 ? w->len : 40),
                         w->s);
    int r = make_marked(p, w->s, w->len, kind, out);
    p->pos += w->len;
    return r;
}

/* --- numbers --- */

static bool is_digit_of(int c, unsigned base) {
    int v = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;

    return (unsigned)v < base;
}

/* Digits, with single underscores between them; what they are without these goes to out. */
static bool read_digits(struct word *w, unsigned base, struct buf *out, bool *no_memory) {
    size_t begin = w->pos;

    while (is_digit_of(word_peek(w), base)) {
        *no_memory |= buf_append(out, w->s + w->pos, 1) < 0;
        w->pos++;
        if (word_peek(w) == '_' && w->pos + 1 < w->len && is_digit_of((unsigned char)w->s[w->pos + 1], base))
            w->pos++;
    }
    return w->pos > begin;
}

static bool read_and_copy(struct word *w, const char *any_of, struct buf *out, bool *no_memory) {
    if (!word_accept(w, any_of))
        return false;
    *no_memory |= buf_append(out, w->s + w->pos - 1, 1) < 0;
    return true;
}

/* What is behind the digits before the point. */
static bool read_fraction(struct word *w, struct buf *out, bool *no_memory) {
    if (read_and_copy(w, ".", out, no_memory) && !read_digits(w, 10, out, no_memory))
        return false;
    if (read_and_copy(w, "eE", out, no_memory)) {
        (void)read_and_copy(w, "+-", out, no_memory);
        if (!read_digits(w, 10, out, no_memory))
            return false;
    }
    return w->pos == w->len;
}

static int make_integer(struct toml_parser *p, const char *digits, unsigned base, json_t **out) {
    errno = 0;
    long long v = strtoll(digits, NULL, (int)base);
    if (errno == ERANGE)
        return toml_fail(p, p->pos, "the integer does not fit 64 bits");
    *out = json_integer(v);
    return *out ? 0 : toml_no_memory(p);
}

static int make_float(struct toml_parser *p, const char *digits, json_t **out) {
    double v = strtod(digits, NULL);

    if (isinf(v)) /* as others read it: beyond the largest double */
        return make_marked(p, v < 0 ? "-inf" : "inf", v < 0 ? 4 : 3, MARK_FLOAT, out);
    *out = json_real(v);
    return *out ? 0 : toml_no_memory(p);
}

static int not_a_value(struct toml_parser *p, const struct word *w) {
    int c = toml_peek(p, 0);

    if (w->len > 0)
        return toml_fail(p, p->pos, "\"%.*s\" is not a value%s", (int)(w->len < 40 ? w->len : 40), w->s,
                         (w->s[0] | 0x20) >= 'a' ? " (a string needs quotes)" : "");
    if (c < 0 || c == '\n' || c == '\r' || c == '#')
        return toml_fail(p, p->pos, "a value is missing");
    if (c > 0x20 && c < 0x7f)
        return toml_fail(p, p->pos, "a value cannot begin with '%c'", c);
    return toml_fail(p, p->pos, "this is not a value");
}

static int read_decimal(struct toml_parser *p, struct word *w, json_t **out) {
    AUTO_BUF struct buf digits = BUF_INIT;
    bool no_memory = false;

    (void)read_and_copy(w, "+-", &digits, &no_memory);
    if (word_is(w, "inf") || word_is(w, "nan"))
        return make_marked(p, w->s, w->len, MARK_FLOAT, out);
    size_t first = w->pos;
    bool good = read_digits(w, 10, &digits, &no_memory);
    if (good && w->s[first] == '0' && w->pos - first > 1)
        return toml_fail(p, p->pos, "a decimal number cannot begin with zeros");
    bool whole = w->pos == w->len;
    good = good && (whole || read_fraction(w, &digits, &no_memory));
    if (no_memory)
        return toml_no_memory(p);
    if (!good)
        return not_a_value(p, w);
    return whole ? make_integer(p, digits.data, 10, out) : make_float(p, digits.data, out);
}

/* 0x, 0o, 0b: without a sign, zeros may lead. */
static int read_based(struct toml_parser *p, struct word *w, unsigned base, json_t **out) {
    AUTO_BUF struct buf digits = BUF_INIT;
    bool no_memory = false;

    w->pos = 2;
    bool good = read_digits(w, base, &digits, &no_memory) && w->pos == w->len;
    if (no_memory)
        return toml_no_memory(p);
    return good ? make_integer(p, digits.data, base, out) : not_a_value(p, w);
}

static int read_word(struct toml_parser *p, struct word *w, json_t **out) {
    int base_char = w->len > 2 && w->s[0] == '0' ? w->s[1] : 0;

    if (word_is(w, "true") || word_is(w, "false")) {
        *out = json_boolean(w->len == 4);
        return 0;
    }
    if (base_char == 'x' || base_char == 'o' || base_char == 'b')
        return read_based(p, w, base_char == 'x' ? 16 : base_char == 'o' ? 8 : 2, out);
    return w->len ? read_decimal(p, w, out) : not_a_value(p, w);
}

static int read_string_value(struct toml_parser *p, json_t **out) {
    AUTO_BUF struct buf text = BUF_INIT;
    int r = toml_read_string(p, false, &text);

    if (r < 0)
        return r;
    *out = json_stringn_nocheck(text.data ? text.data : "", text.len);
    return *out ? 0 : toml_no_memory(p);
}

int toml_read_scalar(struct toml_parser *p, json_t **out) {
    struct word w = {p->text + p->pos, 0, 0};

    if (toml_peek(p, 0) == '"' || toml_peek(p, 0) == '\'')
        return read_string_value(p, out);
    while (is_word_char(toml_peek(p, w.len)))
        w.len++;
    if (looks_like_time(&w))
        return read_time_value(p, &w, out);
    int r = read_word(p, &w, out);
    if (!r)
        p->pos += w.len;
    return r;
}
