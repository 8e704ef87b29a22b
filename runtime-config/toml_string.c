/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 and the four forms of strings. */
#include <errno.h>

#include "runtime-config/toml_priv.h"

/* Bytes of the well-formed sequence at s (Unicode 15, table 3-7); 0: there is none. */
static size_t utf8_sequence(const unsigned char *s, size_t len) {
    unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

    if (n == 0 || n > len)
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0; /* not what two bytes can say */
    else if (s[0] == 0xed)
        high = 0x9f; /* no surrogates */
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f; /* nothing above U+10FFFF */
    for (size_t i = 1; i < n; i++, low = 0x80, high = 0xbf)
        if (s[i] < low || s[i] > high)
            return 0;
    return n;
}

int toml_check_utf8(struct toml_parser *p) {
    for (size_t i = 0, n; i < p->len; i += n) {
        n = utf8_sequence((const unsigned char *)p->text + i, p->len - i);
        if (n == 0)
            return toml_fail(p, i, "byte 0x%02x is not UTF-8", (unsigned char)p->text[i]);
    }
    return 0;
}

bool toml_is_control(int c) {
    return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f;
}

static int add(struct toml_parser *p, struct buf *out, const char *bytes, size_t len) {
    return buf_append(out, bytes, len) < 0 ? toml_no_memory(p) : 0;
}

static int add_code_point(struct toml_parser *p, struct buf *out, unsigned long c) {
    char s[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        s[i] = (char)(0x80 | (c & 0x3f));
    s[0] = (char)(lead[n] | c);
    return add(p, out, s, n);
}

static int hex_value(int c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Behind \u or \U; start is where the backslash stands. */
static int read_code_point(struct toml_parser *p, size_t start, unsigned digits, struct buf *out) {
    unsigned long c = 0;

    for (unsigned i = 0; i < digits; i++, p->pos++) {
        int v = hex_value(toml_peek(p, 0));
        if (v < 0)
            return toml_fail(p, start, "\\%c needs %u hexadecimal digits", digits == 4 ? 'u' : 'U', digits);
        c = c << 4 | (unsigned long)v;
    }
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return toml_fail(p, start, "U+%04lX is not a Unicode scalar value", c);
    return add_code_point(p, out, c);
}

static int read_escape(struct toml_parser *p, struct buf *out) {
    static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
    size_t start = p->pos++;
    int c = toml_peek(p, 0);

    for (size_t i = 0; names[i]; i++)
        if (c == names[i]) {
            p->pos++;
            return add(p, out, &values[i], 1);
        }
    if (c == 'u' || c == 'U') {
        p->pos++;
        return read_code_point(p, start, c == 'u' ? 4 : 8, out);
    }
    if (c > 0x20 && c < 0x7f)
        return toml_fail(p, start, "\\%c is not an escape sequence", c);
    return toml_fail(p, start, "a backslash must begin an escape sequence");
}

/* A backslash at the end of a line takes all white space and newlines behind it away. False: it is not at the end. */
static bool skip_line_end(struct toml_parser *p) {
    size_t i = 1;

    while (toml_peek(p, i) == ' ' || toml_peek(p, i) == '\t')
        i++;
    if (toml_peek(p, i) != '\n' && !(toml_peek(p, i) == '\r' && toml_peek(p, i + 1) == '\n'))
        return false;
    p->pos += i;
    while (toml_accept(p, " ") || toml_accept(p, "\t") || toml_accept(p, "\n") || toml_accept(p, "\r\n"))
        ;
    return true;
}

/* What a string holds at this point: an escape sequence, or bytes as they are up to the next one of interest. */
static int read_piece(struct toml_parser *p, int quote, size_t opened, struct buf *out) {
    int c = toml_peek(p, 0);
    size_t n = 1;

    if (c < 0)
        return toml_fail(p, opened, "the string is not closed");
    if (c == '\\' && quote == '"')
        return read_escape(p, out);
    if (toml_is_control(c))
        return toml_fail(p, p->pos, "control character 0x%02x in a string", (unsigned)c);
    for (int next; (next = toml_peek(p, n)) >= 0 && next != quote && next != '\\' && !toml_is_control(next);)
        n++;
    p->pos += n;
    return add(p, out, p->text + p->pos - n, n);
}

static int read_one_line(struct toml_parser *p, int quote, struct buf *out) {
    size_t opened = p->pos++;
    int r = 0;

    for (int c; !r && (c = toml_peek(p, 0)) != quote;) {
        if (c == '\n' || (c == '\r' && toml_peek(p, 1) == '\n'))
            return toml_fail(p, opened, "the string is not closed on its line");
        r = read_piece(p, quote, opened, out);
    }
    p->pos += !r;
    return r;
}

/* Up to two quotes may stand anywhere in it, also right before the three that close it. */
static int read_lines(struct toml_parser *p, int quote, struct buf *out) {
    char text[] = {(char)quote, (char)quote, '\0'};
    size_t opened = p->pos;
    int r = 0;

    p->pos += 3;
    if (!toml_accept(p, "\n"))
        (void)toml_accept(p, "\r\n");
    while (!r) {
        size_t quotes = 0;
        while (quotes < 5 && toml_peek(p, quotes) == quote)
            quotes++;
        p->pos += quotes;
        if (quotes > 0)
            r = add(p, out, text, quotes >= 3 ? quotes - 3 : quotes);
        if (quotes >= 3)
            return r;
        if (quotes > 0)
            continue;
        if (toml_accept(p, "\n") || toml_accept(p, "\r\n"))
            r = add(p, out, "\n", 1);
        else if (quote == '\'' || toml_peek(p, 0) != '\\' || !skip_line_end(p))
            r = read_piece(p, quote, opened, out);
    }
    return r;
}

int toml_read_string(struct toml_parser *p, bool is_key, struct buf *out) {
    int quote = toml_peek(p, 0);

    if (toml_peek(p, 1) != quote || toml_peek(p, 2) != quote)
        return read_one_line(p, quote, out);
    if (is_key)
        return toml_fail(p, p->pos, "a key cannot be a multi-line string");
    return read_lines(p, quote, out);
}
