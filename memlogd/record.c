/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/record.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool number(const char **p, const char *end, uint64_t *value) {
    const char *start = *p;

    for (*value = 0; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
        unsigned digit = (unsigned)(**p - '0');
        if (*value > (UINT64_MAX - digit) / 10)
            return false;
        *value = *value * 10 + digit;
    }
    return *p > start;
}

static bool comma(const char **p, const char *end) {
    return *p < end && *(*p)++ == ',';
}

int kmsg_parse(const char *data, size_t len, struct kmsg_record *r) {
    const char *p = data, *end = data + len;
    uint64_t priority;

    if (!number(&p, end, &priority) || !comma(&p, end) || !number(&p, end, &r->seq) || !comma(&p, end) ||
        !number(&p, end, &r->us))
        return -EINVAL;
    const char *text = memchr(p, ';', (size_t)(end - p)); /* flags, and what later kernels may add */
    if (!text)
        return -EINVAL;
    r->text = text + 1;
    const char *stop = memchr(r->text, '\n', (size_t)(end - r->text));
    r->text_len = (size_t)((stop ? stop : end) - r->text);
    return 0;
}
