/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/fdutil.h"

#define CHUNK ((size_t)64 << 10)

static int compare(const char *one, const char *two, struct err *e) {
    AUTO_CLOSE int a = open(one, O_RDONLY | O_CLOEXEC);
    AUTO_CLOSE int b = open(two, O_RDONLY | O_CLOEXEC);
    AUTO_FREE char *chunks = malloc(2 * CHUNK);
    unsigned long long at = 0;

    if (a < 0 || b < 0 || !chunks)
        return err_errno(e, chunks ? -errno : -ENOMEM, "could not compare %s", one);
    for (;;) {
        ssize_t n = read_full(a, chunks, CHUNK), m = read_full(b, chunks + CHUNK, CHUNK);
        if (n < 0 || m < 0)
            return err_errno(e, (int)(n < 0 ? n : m), "could not compare %s", one);
        ssize_t same = 0;
        while (same < n && same < m && chunks[same] == chunks[CHUNK + (size_t)same])
            same++;
        if (same < n || same < m)
            return err_set(e, -EILSEQ, "%s is not the same when built again: byte %llu differs", one,
                           at + (unsigned long long)same);
        if (n == 0)
            return 0;
        at += (unsigned long long)n;
    }
}

int verify_same(const char *dir, const char *again, struct err *e) {
    AUTO_NAMES struct names names = {0};
    int r = list_dir(again, &names, e);

    if (!r && names.len == 0)
        return err_set(e, -ENOENT, "could not compare the second build: there is nothing in %s", again);
    for (size_t i = 0; i < names.len && !r; i++) {
        AUTO_FREE char *one = path_join(dir, names.v[i]);
        AUTO_FREE char *two = path_join(again, names.v[i]);
        r = one && two ? compare(one, two, e) : err_errno(e, -ENOMEM, "could not compare %s", names.v[i]);
    }
    return r;
}
