/* SPDX-License-Identifier: Apache-2.0 */
/* The document: lines, keys, headers, tables and arrays. */
#include "runtime-config/toml.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "runtime-config/toml_priv.h"

/* The part of a dotted key that was read last. */
struct key {
    struct buf text;
    size_t at;
    struct toml_position position;
};

static void key_free(struct key *k) {
    buf_free(&k->text);
}

/* The table that keys go to. */
struct place {
    json_t *table;
    unsigned depth; /* containers around it */
};

static int read_value(struct toml_parser *p, unsigned depth, json_t **out);

bool toml_accept(struct toml_parser *p, const char *text) {
    size_t len = strlen(text);

    if (p->len - p->pos < len || memcmp(p->text + p->pos, text, len) != 0)
        return false;
    p->pos += len;
    return true;
}

struct toml_position toml_locate(struct toml_parser *p, size_t at) {
    struct toml_position *here = &p->at_seen;

    if (at < p->seen || here->line == 0) {
        p->seen = 0;
        *here = (struct toml_position){1, 1};
    }
    for (; p->seen < at; p->seen++)
        if (p->text[p->seen] == '\n')
            *here = (struct toml_position){here->line + 1, 1};
        else
            here->column += ((unsigned char)p->text[p->seen] & 0xc0) != 0x80; /* not the rest of a character */
    return *here;
}

int toml_fail(struct toml_parser *p, size_t at, const char *fmt, ...) {
    struct toml_position where = toml_locate(p, at);
    char why[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    return err_set(p->e, -EINVAL, "%s:%u:%u: %s", p->name, where.line, where.column, why);
}

int toml_no_memory(struct toml_parser *p) {
    return err_errno(p->e, -ENOMEM, "could not read %s", p->name);
}

static void skip_blanks(struct toml_parser *p) {
    while (toml_accept(p, " ") || toml_accept(p, "\t"))
        ;
}

static int skip_comment(struct toml_parser *p) {
    if (!toml_accept(p, "#"))
        return 0;
    for (int c; (c = toml_peek(p, 0)) >= 0 && c != '\n' && !(c == '\r' && toml_peek(p, 1) == '\n'); p->pos++)
        if (toml_is_control(c))
            return toml_fail(p, p->pos, "control character 0x%02x in a comment", (unsigned)c);
    return 0;
}

static bool accept_newline(struct toml_parser *p) {
    return toml_accept(p, "\n") || toml_accept(p, "\r\n");
}

/* Blanks, a comment, and the end of the line or of the document. */
static int read_line_end(struct toml_parser *p, const char *behind) {
    skip_blanks(p);
    int r = skip_comment(p);
    if (r < 0 || accept_newline(p) || p->pos == p->len)
        return r;
    if (toml_peek(p, 0) == '\r')
        return toml_fail(p, p->pos, "a carriage return without a newline");
    return toml_fail(p, p->pos, "nothing but a comment may follow %s on its line", behind);
}

/* Inside of an array. */
static int skip_lines(struct toml_parser *p) {
    int r;

    do {
        skip_blanks(p);
        r = skip_comment(p);
    } while (!r && accept_newline(p));
    return r;
}

/* --- keys --- */

static json_t *get_child(const json_t *table, const struct key *k) {
    return json_object_getn(table, k->text.data, k->text.len);
}

static int already_there(struct toml_parser *p, const json_t *table, const struct key *k, const char *what) {
    struct toml_position at = {0, 0};
    char shown[48];

    (void)toml_show_key(k->text.data, k->text.len, shown, sizeof(shown));
    if (!memchr(k->text.data, '\0', k->text.len))
        at = toml_position(p->t, table, k->text.data);
    if (at.line == 0)
        return toml_fail(p, k->at, "\"%s\" %s", shown, what);
    return toml_fail(p, k->at, "\"%s\" %s (line %u, column %u)", shown, what, at.line, at.column);
}

static int count_value(struct toml_parser *p, size_t at) {
    return ++p->values > TOML_VALUES_MAX ? toml_fail(p, at, "more than %d values", TOML_VALUES_MAX) : 0;
}

/* Takes the reference to child in any case; NULL stands for no memory. */
static int add_child(struct toml_parser *p, json_t *table, const struct key *k, json_t *child) {
    if (json_object_setn_new_nocheck(table, k->text.data, k->text.len, child) < 0)
        return toml_no_memory(p);
    if (!memchr(k->text.data, '\0', k->text.len)) {
        struct toml_mark mark = {toml_key_address(table, k->text.data), MARK_KEY, k->position};
        if (toml_mark_add(p->t, &mark) < 0)
            return toml_no_memory(p);
    }
    return count_value(p, k->at);
}

/* *container is borrowed from its table. */
static int add_container(struct toml_parser *p, json_t *table, const struct key *k, enum mark_kind kind,
                         json_t **container) {
    struct toml_mark mark = {.of = kind == MARK_OF_TABLES ? json_array() : json_object(), .kind = kind};
    json_t *child = (json_t *)(uintptr_t)mark.of;
    int r = add_child(p, table, k, child);

    if (!r && toml_mark_add(p->t, &mark) < 0)
        r = toml_no_memory(p);
    *container = child;
    return r;
}

static bool is_bare(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static int read_key_part(struct toml_parser *p, struct key *k) {
    size_t n = 0;

    skip_blanks(p);
    k->at = p->pos;
    k->position = toml_locate(p, k->at);
    buf_reset(&k->text);
    if (buf_append(&k->text, "", 0) < 0)
        return toml_no_memory(p);
    if (toml_peek(p, 0) == '"' || toml_peek(p, 0) == '\'')
        return toml_read_string(p, true, &k->text);
    while (is_bare(toml_peek(p, n)))
        n++;
    if (n == 0)
        return toml_fail(p, p->pos, "a key is missing, or has to be quoted");
    p->pos += n;
    return buf_append(&k->text, p->text + k->at, n) < 0 ? toml_no_memory(p) : 0;
}

static int go_deeper(struct toml_parser *p, struct place *place, size_t at, json_t *table, unsigned by) {
    place->table = table;
    place->depth += by;
    return place->depth > TOML_DEPTH_MAX ? toml_fail(p, at, "nested deeper than %d", TOML_DEPTH_MAX) : 0;
}

/* Steps into the table that a dotted key names before its last part. */
static int step_dotted(struct toml_parser *p, struct place *place, const struct key *k) {
    json_t *child = get_child(place->table, k);
    struct toml_mark *mark = toml_mark_find(p->t, child);
    int r = 0;

    if (!child)
        r = add_container(p, place->table, k, MARK_DOTTED, &child);
    else if (mark && mark->kind == MARK_IMPLICIT)
        mark->kind = MARK_DOTTED; /* it has got its definition herewith */
    else if (!mark || mark->kind != MARK_DOTTED)
        return already_there(p, place->table, k, "cannot be added to by a dotted key: it is defined elsewhere");
    return r < 0 ? r : go_deeper(p, place, k->at, child, 1);
}

/* The same for a header; an array of tables stands for its last one. */
static int step_header(struct toml_parser *p, struct place *place, const struct key *k) {
    json_t *child = get_child(place->table, k);
    const struct toml_mark *mark = toml_mark_find(p->t, child);
    int r = 0;

    if (!child)
        r = add_container(p, place->table, k, MARK_IMPLICIT, &child);
    else if (mark && mark->kind == MARK_OF_TABLES)
        return go_deeper(p, place, k->at, json_array_get(child, json_array_size(child) - 1), 2);
    else if (!mark || !json_is_object(child))
        return already_there(p, place->table, k, "is not a table that headers can add to");
    return r < 0 ? r : go_deeper(p, place, k->at, child, 1);
}

/* A whole key: the last part stays in *k, *place becomes the table that it belongs to. */
static int read_key(struct toml_parser *p, int (*step)(struct toml_parser *, struct place *, const struct key *),
                    struct place *place, struct key *k) {
    int r = read_key_part(p, k);

    for (skip_blanks(p); !r && toml_accept(p, "."); skip_blanks(p)) {
        r = step(p, place, k);
        if (!r)
            r = read_key_part(p, k);
    }
    return r;
}

/* --- tables and arrays --- */

static int read_pair(struct toml_parser *p, struct place place) {
    AUTO(key_free) struct key k = {0};
    json_t *value = NULL;

    int r = read_key(p, step_dotted, &place, &k);
    if (r < 0)
        return r;
    if (get_child(place.table, &k))
        return already_there(p, place.table, &k, "is defined already");
    if (!toml_accept(p, "="))
        return toml_fail(p, p->pos, "a key must be followed by = and a value");
    skip_blanks(p);
    r = read_value(p, place.depth + 1, &value);
    if (r < 0) {
        json_decref(value);
        return r;
    }
    return add_child(p, place.table, &k, value);
}

static int read_inline_table(struct toml_parser *p, unsigned depth, json_t *table) {
    size_t opened = p->pos++;

    skip_blanks(p);
    if (toml_accept(p, "}"))
        return 0;
    for (;;) {
        int r = read_pair(p, (struct place){table, depth});
        if (r < 0)
            return r;
        skip_blanks(p);
        if (toml_accept(p, "}"))
            return 0;
        if (!toml_accept(p, ","))
            return toml_fail(p, p->pos, "the inline table of column %u must go on with , or } on this line",
                             toml_locate(p, opened).column);
    }
}

static int read_array(struct toml_parser *p, unsigned depth, json_t *array) {
    size_t opened = p->pos++;

    for (;;) {
        json_t *value = NULL;
        int r = skip_lines(p);
        if (r < 0 || toml_accept(p, "]"))
            return r;
        r = count_value(p, p->pos);
        if (!r)
            r = read_value(p, depth + 1, &value);
        if (r < 0) {
            json_decref(value);
            return r;
        }
        if (json_array_append_new(array, value) < 0)
            return toml_no_memory(p);
        r = skip_lines(p);
        if (r < 0 || toml_accept(p, "]"))
            return r;
        if (!toml_accept(p, ","))
            return toml_fail(p, p->pos, "the array of line %u must go on with , or ]", toml_locate(p, opened).line);
    }
}

/* *out may hold a reference after an error too. depth: containers around the value, itself included if it is one. */
static int read_value(struct toml_parser *p, unsigned depth, json_t **out) {
    bool is_array = toml_peek(p, 0) == '[';

    if (!is_array && toml_peek(p, 0) != '{')
        return toml_read_scalar(p, out);
    if (depth > TOML_DEPTH_MAX)
        return toml_fail(p, p->pos, "nested deeper than %d", TOML_DEPTH_MAX);
    *out = is_array ? json_array() : json_object();
    if (!*out)
        return toml_no_memory(p);
    return is_array ? read_array(p, depth, *out) : read_inline_table(p, depth, *out);
}

/* [a.b]: makes it, or defines what a longer header made. */
static int open_table(struct toml_parser *p, struct place *place, const struct key *k) {
    json_t *table = get_child(place->table, k);
    struct toml_mark *mark = toml_mark_find(p->t, table);
    int r = 0;

    if (!table)
        r = add_container(p, place->table, k, MARK_DEFINED, &table);
    else if (mark && mark->kind == MARK_IMPLICIT)
        mark->kind = MARK_DEFINED;
    else
        return already_there(p, place->table, k, "is defined already");
    return r < 0 ? r : go_deeper(p, place, k->at, table, 1);
}

/* [[a.b]]: one table more in it. */
static int open_array_table(struct toml_parser *p, struct place *place, const struct key *k) {
    json_t *array = get_child(place->table, k);
    struct toml_mark *mark = toml_mark_find(p->t, array);
    int r = 0;

    if (!array)
        r = add_container(p, place->table, k, MARK_OF_TABLES, &array);
    else if (!mark || mark->kind != MARK_OF_TABLES)
        return already_there(p, place->table, k, "is not an array of tables");
    if (r < 0)
        return r;
    struct toml_mark added = {.of = json_object(), .kind = MARK_DEFINED};
    json_t *table = (json_t *)(uintptr_t)added.of;
    if (json_array_append_new(array, table) < 0 || toml_mark_add(p->t, &added) < 0)
        return toml_no_memory(p);
    r = count_value(p, k->at);
    return r < 0 ? r : go_deeper(p, place, k->at, table, 2);
}

static int read_header(struct toml_parser *p, struct place *place) {
    AUTO(key_free) struct key k = {0};
    bool is_array = toml_accept(p, "[[");

    if (!is_array)
        p->pos++;
    *place = (struct place){p->t->root, 0};
    int r = read_key(p, step_header, place, &k);
    if (r < 0)
        return r;
    if (!toml_accept(p, is_array ? "]]" : "]"))
        return toml_fail(p, p->pos, "the header must end with %s", is_array ? "]]" : "]");
    return is_array ? open_array_table(p, place, &k) : open_table(p, place, &k);
}

static int read_document(struct toml_parser *p) {
    struct place place = {p->t->root, 0};
    int r = toml_check_utf8(p);

    (void)toml_accept(p, "\xef\xbb\xbf"); /* a byte order mark is no harm */
    while (!r && p->pos < p->len) {
        skip_blanks(p);
        int c = toml_peek(p, 0);
        const char *what = "white space";
        if (c == '[') {
            what = "a header";
            r = read_header(p, &place);
        } else if (c >= 0 && c != '#' && c != '\n' && c != '\r') {
            what = "a value";
            r = read_pair(p, place);
        }
        if (!r)
            r = read_line_end(p, what);
    }
    return r;
}

int toml_parse(struct toml *t, const char *name, const char *text, size_t len, struct err *e) {
    struct toml_parser p = {.t = t, .name = name, .text = text, .len = len, .e = e};

    *t = (struct toml){.root = json_object()};
    int r = t->root ? read_document(&p) : toml_no_memory(&p);
    if (r < 0)
        toml_free(t);
    return r;
}

int toml_load(struct toml *t, const char *path, size_t max, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;

    *t = (struct toml){0};
    int r = read_file(path, max, &text, e);
    return r < 0 ? r : toml_parse(t, path, text.data ? text.data : "", text.len, e);
}

void toml_free(struct toml *t) {
    json_decref(t->root);
    free(t->marks);
    *t = (struct toml){0};
}

/* --- what the document's values are --- */

static enum toml_type string_type(const struct toml_mark *mark) {
    switch (mark ? mark->kind : MARK_KEY) {
    case MARK_FLOAT:
        return TOML_FLOAT;
    case MARK_OFFSET_DATETIME:
        return TOML_OFFSET_DATETIME;
    case MARK_LOCAL_DATETIME:
        return TOML_LOCAL_DATETIME;
    case MARK_LOCAL_DATE:
        return TOML_LOCAL_DATE;
    case MARK_LOCAL_TIME:
        return TOML_LOCAL_TIME;
    default:
        return TOML_STRING;
    }
}

enum toml_type toml_type(const struct toml *t, const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return TOML_TABLE;
    case JSON_ARRAY:
        return TOML_ARRAY;
    case JSON_INTEGER:
        return TOML_INTEGER;
    case JSON_REAL:
        return TOML_FLOAT;
    case JSON_TRUE:
    case JSON_FALSE:
        return TOML_BOOLEAN;
    default:
        return string_type(toml_mark_find(t, value));
    }
}

const char *toml_type_name(enum toml_type type) {
    static const char *const names[] = {
        [TOML_STRING] = "a string",
        [TOML_INTEGER] = "an integer",
        [TOML_FLOAT] = "a float",
        [TOML_BOOLEAN] = "a boolean",
        [TOML_OFFSET_DATETIME] = "a date and time with offset",
        [TOML_LOCAL_DATETIME] = "a local date and time",
        [TOML_LOCAL_DATE] = "a local date",
        [TOML_LOCAL_TIME] = "a local time",
        [TOML_ARRAY] = "an array",
        [TOML_TABLE] = "a table",
    };
    return names[type];
}

const char *toml_show_key(const char *key, size_t len, char *shown, size_t size) {
    size_t n = len < size - 1 ? len : size - 1;

    for (size_t i = 0; i < n; i++)
        shown[i] = (char)(toml_is_control((unsigned char)key[i]) ? '?' : key[i]);
    shown[n] = '\0';
    return shown;
}

struct toml_position toml_position(const struct toml *t, const json_t *table, const char *key) {
    const struct toml_mark *mark = toml_mark_find(t, toml_key_address(table, key));

    return mark ? mark->position : (struct toml_position){0, 0};
}
