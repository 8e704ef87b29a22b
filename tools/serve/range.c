/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/serve/range.h"

#include <string.h>

#include "lib/fdutil.h"

static int number(const char *text, size_t len, uint64_t *out) {
    char digits[24];

    if (len == 0 || len >= sizeof(digits))
        return -EINVAL;
    memcpy(digits, text, len);
    digits[len] = '\0';
    return parse_u64(digits, UINT64_MAX / 2, out);
}

enum range_kind range_parse(const char *header, uint64_t size, uint64_t *first, uint64_t *len) {
    uint64_t from = 0, to = UINT64_MAX / 2;

    if (!header || strncmp(header, "bytes=", 6) != 0 || strchr(header, ','))
        return RANGE_ALL;
    const char *spec = header + 6, *dash = strchr(spec, '-');
    if (!dash || !*spec || (dash == spec && !dash[1]) ||
        (dash != spec && number(spec, (size_t)(dash - spec), &from) < 0) ||
        (dash[1] && number(dash + 1, strlen(dash + 1), &to) < 0) || (dash != spec && to < from))
        return RANGE_ALL;
    if (dash == spec) { /* the last `to` bytes */
        if (to == 0 || size == 0)
            return RANGE_NONE;
        from = to < size ? size - to : 0;
        to = size - 1;
    }
    if (from >= size)
        return RANGE_NONE;
    *first = from;
    *len = (to < size ? to + 1 : size) - from;
    return RANGE_PART;
}
