/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pkg/update.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"

#define HUB "docker.io/"

static bool is_name_char(char c) {
    return isalnum((unsigned char)c) || strchr("._-/:@", c);
}

/* Not the end of a longer name, such as example.org/ORG/IMAGE. */
static bool stands_alone(const char *text, const char *at) {
    size_t hub = strlen(HUB);

    if (at > text && at - text >= (ptrdiff_t)hub && !strncmp(at - hub, HUB, hub))
        at -= hub;
    return at == text || !is_name_char(at[-1]) || at[-1] == ':' || at[-1] == '@';
}

/* Length of "TAG[@DIGEST]". */
static size_t version_len(const char *p) {
    size_t len = 0;

    while (p[len] && is_name_char(p[len]) && p[len] != '/')
        len++;
    return len;
}

int update_text(const char *text, const char *ref, char **out, size_t *changed, struct err *e) {
    AUTO_BUF struct buf result = BUF_INIT;
    size_t name_len = (size_t)(strrchr(ref, ':') - ref) + 1;
    AUTO_FREE char *name = strndup(ref, name_len);
    int r = name ? 0 : -ENOMEM;
    const char *from = text;

    *changed = 0;
    for (const char *at = text; !r && (at = strstr(at, name));) {
        size_t len = version_len(at + name_len);
        bool same = len == strlen(ref) - name_len && !strncmp(at + name_len, ref + name_len, len);
        if (!len || same || !stands_alone(text, at)) {
            at += name_len;
            continue;
        }
        r = buf_append(&result, from, (size_t)(at - from));
        if (!r)
            r = buf_puts(&result, ref);
        from = at = at + name_len + len;
        ++*changed;
    }
    if (!r)
        r = buf_puts(&result, from);
    if (r < 0)
        return err_errno(e, r, "could not replace %s", ref);
    *out = steal_ptr(&result.data);
    return 0;
}

int update_file(const char *path, const char *const *refs, size_t len, struct err *e) {
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_FREE char *now = NULL;
    struct stat st;
    size_t total = 0;
    int r = read_file(path, UPDATE_FILE_MAX, &text, e);

    if (!r && stat(path, &st) < 0)
        r = err_errno(e, -errno, "could not read %s", path);
    if (!r && !(now = strdup(text.data ? text.data : "")))
        r = err_errno(e, -ENOMEM, "could not read %s", path);
    for (size_t i = 0; i < len && !r; i++) {
        char *next = NULL;
        size_t changed = 0;
        r = update_text(now, refs[i], &next, &changed, e);
        if (!r) {
            free(now);
            now = next;
            total += changed;
        }
    }
    if (!r && total)
        r = write_file_atomic(path, now, strlen(now), st.st_mode & 0777, false, e);
    if (!r && printf("%s: %zu changed\n", path, total) < 0)
        r = err_errno(e, -EIO, "could not write to standard output");
    return r;
}
