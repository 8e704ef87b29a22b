/* SPDX-License-Identifier: Apache-2.0 */
#include "init/lastend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "init/report.h"
#include "lib/fdutil.h"
#include "lib/log.h"

#define RECORD_READ_MAX ((size_t)256 << 10)
#define PANIC "Kernel panic"

static bool was_watchdog(const char *root) {
    char path[256], text[24] = "";

    (void)snprintf(path, sizeof(path), "%s/sys/class/watchdog/watchdog0/bootstatus", root);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read_full(fd, text, sizeof(text) - 1) < 0) {
        report_unless_absent("read", path);
        return false;
    }
    return strtoul(text, NULL, 10) & WDIOF_CARDRESET;
}

static void report_pstore(const char *root) {
    AUTO_NAMES struct names records = {0};
    char path[256];
    struct err e = {0};

    (void)snprintf(path, sizeof(path), "%s/sys/fs/pstore", root);
    int r = list_dir(path, &records, &e);
    if (r < 0 && r != -ENOENT)
        log_error("%s", e.msg);
    if (records.len == 0)
        return;
    log_notice("the last kernel left %zu record%s of its end in /sys/fs/pstore: %s%s", records.len,
               records.len > 1 ? "s" : "", records.v[0], records.len > 1 ? ", ..." : "");
}

void lastend_report(const char *root) {
    if (was_watchdog(root))
        log_notice("the last reset was the watchdog's");
    report_pstore(root);
}

/* What begins with `begin` where it is found last, up to the end of its line; "". */
static void last_words(char *text, const char *begin, char *out, size_t len) {
    const char *last = NULL;

    for (const char *found = text; (found = strstr(found, begin)); found++)
        last = found;
    (void)snprintf(out, len, "%.*s", last ? (int)strcspn(last, "\n") : 0, last ? last : "");
}

/* The kernel's log of its last moments: dmesg-BACKEND-N. */
static void describe_pstore(const char *root, char *out, size_t len) {
    AUTO_NAMES struct names records = {0};
    char dir[256], panic[120] = "", said[200] = "";

    *out = '\0';
    (void)snprintf(dir, sizeof(dir), "%s/sys/fs/pstore", root);
    if (list_dir(dir, &records, NULL) < 0)
        return;
    for (size_t i = 0; i < records.len; i++) {
        AUTO_BUF struct buf text = BUF_INIT;
        AUTO_FREE char *path = strncmp(records.v[i], "dmesg-", 6) == 0 ? path_join(dir, records.v[i]) : NULL;
        if (!path || read_file(path, RECORD_READ_MAX, &text, NULL) < 0 || !text.data)
            continue;
        if (!*panic)
            last_words(text.data, PANIC, panic, sizeof(panic));
        if (!*said)
            last_words(text.data, LASTEND_MARK, said, sizeof(said));
    }
    const char *words = *said ? said + strlen(LASTEND_MARK) : "";
    (void)snprintf(out, len, "%s%s%s", panic, *panic && *words ? "; " : "", words);
}

void lastend_describe(const char *root, char *out, size_t len) {
    char left[320];

    describe_pstore(root, left, sizeof(left));
    const char *reset = was_watchdog(root) ? "the watchdog's reset" : "";
    (void)snprintf(out, len, "%s%s%s", reset, *reset && *left ? "; " : "", left);
}
