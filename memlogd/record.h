/* SPDX-License-Identifier: Apache-2.0 */
/* A record of /dev/kmsg: "PRIORITY,SEQUENCE,MICROSECONDS,FLAGS[,...];TEXT\n KEY=VALUE\n...". */
#ifndef MEMLOGD_RECORD_H
#define MEMLOGD_RECORD_H

#include <stddef.h>
#include <stdint.h>

struct kmsg_record {
    uint64_t seq;
    uint64_t us; /* since the machine's start */
    const char *text;
    size_t text_len; /* the first line only: what follows is the dictionary */
};

int kmsg_parse(const char *data, size_t len, struct kmsg_record *r);

#endif
