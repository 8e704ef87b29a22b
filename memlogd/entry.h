/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line on the wire: {"time":"2024-01-02T03:04:05.000000006Z","source":"NAME","msg":"TEXT"} and a newline. Writing
 * makes every byte harmless: control characters (C0, DEL, C1) become \u escapes, what is not UTF-8 becomes U+FFFD.
 * Reading takes any JSON object with these members in any order, and skips others. No allocation.
 */
#ifndef MEMLOGD_ENTRY_H
#define MEMLOGD_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memlogd/ring.h"

/* Bytes that entry_format() may need for a line with msg_len bytes. */
#define ENTRY_JSON_MAX(msg_len) (6 * ((size_t)(msg_len) + RING_SOURCE_MAX) + 128)
#define TIME_TEXT_MAX 48

/* Returns the number of bytes; `to` has room for ENTRY_JSON_MAX(e->msg_len). */
size_t entry_format(const struct ring_entry *e, char *to);

/* Decodes line (len bytes, without its newline) in place: e's strings are in it, NUL-terminated. -EINVAL. */
int entry_parse(char *line, size_t len, struct ring_entry *e);

/* RFC 3339 in UTC, with digits (0 or 9) of a second's fraction. Returns the length. */
size_t time_format(int64_t time_ns, unsigned digits, char to[TIME_TEXT_MAX]);
int time_parse(const char *text, int64_t *time_ns);

#endif
