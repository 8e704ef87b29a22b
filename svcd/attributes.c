/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/attributes.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "lib/attributes.h"
#include "lib/fdutil.h"
#include "lib/log.h"

#define VALUE_MAX ((size_t)64 << 10) /* XATTR_SIZE_MAX: Linux takes no longer one */

/* The next text of the table; NULL: its end, or it is cut off. */
static const char *next_text(const char **at, const char *end) {
    const char *text = *at, *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

    if (nul)
        *at = nul + 1;
    return nul ? text : NULL;
}

static int digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int set_one(const char *root, const char *path, const char *name, const char *hex, struct err *e) {
    size_t len = strlen(hex) / 2;
    AUTO_FREE char *full = path_join(root, path);
    AUTO_FREE unsigned char *value = len <= VALUE_MAX ? malloc(len + 1) : NULL;
    int r = full && value ? 0 : -ENOMEM;

    for (size_t i = 0; i < len && !r; i++) {
        int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
        value[i] = (unsigned char)((unsigned)high << 4 | (unsigned)low);
        r = high < 0 || low < 0 ? -EBADMSG : 0;
    }
    if (!r && lsetxattr(full, name, value, len, 0) < 0)
        r = -errno;
    return r < 0 ? err_errno(e, r, "could not set %s of /%s", name, path) : 0;
}

static unsigned set_all(const char *root, const struct buf *table) {
    const char *at = table->data, *end = at + table->len;
    unsigned failures = 0;

    while (at < end) {
        const char *path = next_text(&at, end), *name = next_text(&at, end), *hex = next_text(&at, end);
        struct err e = {0};
        int r = path && name && hex
                    ? set_one(root, path, name, hex, &e)
                    : err_set(&e, -EBADMSG, "could not set all attributes: /%s is cut off", ATTRIBUTES_TABLE);
        if (r < 0) {
            failures++;
            log_error("%s", e.msg);
        }
        if (!hex)
            break;
    }
    return failures;
}

static unsigned remove_file(const char *path) {
    if (!path || (unlink(path) < 0 && errno != ENOENT)) {
        log_error("could not remove %s: %s", path ? path : "the table of attributes", strerror(path ? errno : ENOMEM));
        return 1;
    }
    return 0;
}

int attributes_open_root(struct err *e) {
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) < 0)
        return err_errno(e, -errno, "could not make / writable to set attributes");
    return 0;
}

unsigned attributes_set(const char *root) {
    AUTO_FREE char *path = path_join(root, ATTRIBUTES_TABLE);
    AUTO_FREE char *step = path_join(root, ATTRIBUTES_STEP);
    AUTO_BUF struct buf table = BUF_INIT;
    struct err e = {0};
    unsigned failures = 0;

    int r =
        path ? read_file(path, ATTRIBUTES_TABLE_MAX, &table, &e) : err_errno(&e, -ENOMEM, "could not set attributes");
    if (r < 0 && r != -ENOENT) {
        log_error("%s", e.msg);
        failures++;
    }
    if (!r && table.len)
        failures += set_all(root, &table);
    return failures + remove_file(path) + remove_file(step);
}
