/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the TOML reader share: toml.c (tables), toml_value.c (scalars), toml_string.c, toml_mark.c. */
#ifndef RUNTIME_CONFIG_TOML_PRIV_H
#define RUNTIME_CONFIG_TOML_PRIV_H

#include "lib/buf.h"
#include "runtime-config/toml.h"

struct toml_parser {
    struct toml *t;
    const char *name, *text;
    size_t len, pos;
    size_t values;
    size_t seen; /* toml_locate() has counted up to here */
    struct toml_position at_seen;
    struct err *e;
};

/* The byte `ahead` of the next one; -1 behind the end. */
static inline int toml_peek(const struct toml_parser *p, size_t ahead) {
    return ahead < p->len - p->pos ? (unsigned char)p->text[p->pos + ahead] : -1;
}

/* Steps over the character or the text if it comes next. */
bool toml_accept(struct toml_parser *p, const char *text);

/* Cheap if it is asked in order. */
struct toml_position toml_locate(struct toml_parser *p, size_t at);
/* Reports what is wrong at a position of the text; returns -EINVAL. */
int toml_fail(struct toml_parser *p, size_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);
int toml_no_memory(struct toml_parser *p);

/* --- toml_string.c --- */

/* -EINVAL: a byte that is not part of well-formed UTF-8, reported. */
int toml_check_utf8(struct toml_parser *p);
/* True for what may not stand in comments and strings: control characters but tab. */
bool toml_is_control(int c);
/* Reads one of the string forms, the next character being its quote. A key may not be a multi-line one. */
int toml_read_string(struct toml_parser *p, bool is_key, struct buf *out);

/* --- toml_value.c --- */

/* Anything but a table and an array. *out is a new reference. */
int toml_read_scalar(struct toml_parser *p, json_t **out);

/* --- toml_mark.c: notes on values and keys, found by their address --- */

enum mark_kind {
    MARK_KEY,       /* of is jansson's copy of the key: its position */
    MARK_IMPLICIT,  /* table that a longer header made: may still be defined */
    MARK_DEFINED,   /* table that has its header: sub-tables may be added by headers */
    MARK_DOTTED,    /* table that a dotted key made: dotted keys may add, headers may add sub-tables */
    MARK_OF_TABLES, /* array of tables */
    MARK_FLOAT,     /* the string is inf or nan */
    MARK_OFFSET_DATETIME,
    MARK_LOCAL_DATETIME,
    MARK_LOCAL_DATE,
    MARK_LOCAL_TIME,
}; /* tables and arrays without a mark are written out in place, and closed; strings without one are strings */

struct toml_mark {
    const void *of;
    enum mark_kind kind;
    struct toml_position position;
};

/* NULL: it has none. The pointer is good until the next toml_mark_add(). */
struct toml_mark *toml_mark_find(const struct toml *t, const void *of);
/* `of` must not have a mark yet. */
int toml_mark_add(struct toml *t, const struct toml_mark *mark);
/* Jansson's own copy of a key, which stays where it is as long as the key does; NULL: not there. */
const char *toml_key_address(const json_t *table, const char *key);

#endif
