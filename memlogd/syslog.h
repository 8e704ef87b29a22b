/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs send to /dev/log: RFC 5424, RFC 3164 and what is more or less like it. Nothing is refused: what cannot
 * be made out is text.
 */
#ifndef MEMLOGD_SYSLOG_H
#define MEMLOGD_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memlogd/ring.h"

#define SYSLOG_SOURCES 128     /* names of programs that become sources of their own */
#define SYSLOG_OTHERS "syslog" /* the source of what has no name, or one too many */

struct syslog_message {
    const char *tag; /* the program's name; tag_len 0: none */
    size_t tag_len;
    const char *text; /* behind the tag, without line ends or NULs at its end */
    size_t text_len;
    const char *tagged; /* the same with the tag: for where it does not become the source */
    size_t tagged_len;
};

/* Points into data. */
void syslog_parse(const char *data, size_t len, struct syslog_message *m);

/* May be in memory that outlives the process: a name counts from the moment that len is raised. */
struct syslog_sources {
    unsigned len;
    struct syslog_source {
        size_t len;
        uint64_t cut_lines, cut_bytes; /* for the caller */
        char name[RING_SOURCE_MAX];
    } v[SYSLOG_SOURCES];
};

/*
 * The source that m's lines are of; NULL: SYSLOG_OTHERS. Any local user may send: names are made by name_make(), and
 * after SYSLOG_SOURCES names there are no new ones.
 */
struct syslog_source *syslog_source(struct syslog_sources *s, const struct syslog_message *m);

#endif
