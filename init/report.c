/* SPDX-License-Identifier: Apache-2.0 */
#include "init/report.h"

#include <errno.h>
#include <string.h>

#include "lib/log.h"

void report_failed(const char *verb, const char *what) {
    log_error("could not %s %s: %s", verb, what, strerror(errno));
}

void report_unless_absent(const char *verb, const char *what) {
    if (errno != ENOENT && errno != ENODEV && errno != ENXIO)
        report_failed(verb, what);
}

void report_stage(const struct timeline_stage *s) {
    static int said; /* until it works again */

    int r = timeline_append(TIMELINE_PATH, s);
    if (r < 0 && r != said && r != -ENOENT)
        log_error("could not write %s: %s", TIMELINE_PATH, strerror(-r));
    said = r;
}
