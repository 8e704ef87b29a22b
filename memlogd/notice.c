/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/notice.h"

#include <string.h>

#include "memlogd/name.h"

static bool skip(const char **p, const char *what) {
    size_t len = strlen(what);

    if (strncmp(*p, what, len) != 0)
        return false;
    *p += len;
    return true;
}

bool notice_concerns(const struct ring_entry *line, const char *source) {
    const char *p = line->msg;

    if (strcmp(line->source, NAME_OWN) != 0)
        return false;
    if (skip(&p, "source "))
        return skip(&p, source) && (skip(&p, " refused: ") || skip(&p, " ended: "));
    size_t digits = strspn(p, "0123456789");
    p += digits;
    if (!digits || !skip(&p, " lines "))
        return false;
    if (skip(&p, "lost: ")) /* of which sources is not known */
        return true;
    const char *others = p;
    return skip(&others, "of other sources lost: ") ||
           (skip(&p, "of ") && skip(&p, source) && (skip(&p, " lost: ") || skip(&p, " cut: ")));
}
