/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/inspect/uki.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/auto.h"
#include "lib/fdutil.h"
#include "lib/little.h"
#include "tools/output/bootable.h"

#define CHUNK ((size_t)64 << 10)

static int copy(FILE *f, uint64_t at, uint64_t size, FILE *out) {
    AUTO_FREE char *chunk = malloc(CHUNK);

    if (!chunk)
        return -ENOMEM;
    if (fseek(f, (long)at, SEEK_SET) != 0)
        return -errno;
    for (size_t left = size, n; left > 0; left -= n) {
        n = fread(chunk, 1, left < CHUNK ? left : CHUNK, f);
        if (n == 0)
            return ferror(f) ? -EIO : -EBADMSG;
        if (fwrite(chunk, 1, n, out) != n)
            return -errno;
    }
    return fflush(out) == 0 && fseek(out, 0, SEEK_SET) == 0 ? 0 : -errno;
}

int uki_section(FILE *f, const char *name, FILE **out, struct err *e) {
    AUTO_FREE unsigned char *head = malloc(BOOTABLE_HEAD);
    size_t len = head && fseek(f, 0, SEEK_SET) == 0 ? fread(head, 1, BOOTABLE_HEAD, f) : 0;
    const unsigned char *section = len ? bootable_section(head, len, name) : NULL;

    *out = NULL;
    if (!section)
        return len ? 0 : err_set(e, -EIO, "could not read its head");
    /* What is in the file is rounded up, and what is in memory may be longer. */
    uint64_t in_memory = little_get(section + 8, 4), in_file = little_get(section + 16, 4);
    AUTO_FCLOSE FILE *to = tmpfile();
    int r = to ? copy(f, little_get(section + 20, 4), in_memory < in_file ? in_memory : in_file, to) : -errno;
    if (r == -EBADMSG)
        return err_set(e, r, "it is cut off in its section %s", name);
    if (r < 0)
        return err_errno(e, r, "could not unpack its section %s", name);
    *out = steal_ptr(&to);
    return 0;
}
