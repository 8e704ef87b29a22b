/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/inspect/uki.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/auto.h"
#include "lib/fdutil.h"
#include "tools/output/bootable.h"

#define CHUNK ((size_t)64 << 10)
#define SECTION_HEADER 40
#define SECTION_NAME 8

static uint32_t le(const unsigned char *p, size_t bytes) {
    uint32_t v = 0;

    for (size_t i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

/* Its header in the head of the file; NULL: there is none. */
static const unsigned char *find_section(const unsigned char *head, size_t len, const char *name) {
    char padded[SECTION_NAME + 1] = "";
    size_t pe = len > 0x40 ? le(head + 0x3c, 4) : len;

    (void)snprintf(padded, sizeof(padded), "%s", name);
    if (pe > len || len - pe < 24)
        return NULL;
    size_t count = le(head + pe + 6, 2), at = pe + 24 + le(head + pe + 20, 2);
    for (size_t i = 0; i < count && at + SECTION_HEADER <= len; i++, at += SECTION_HEADER)
        if (!memcmp(head + at, padded, SECTION_NAME))
            return head + at;
    return NULL;
}

static int copy(FILE *f, uint32_t at, uint32_t size, FILE *out) {
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
    const unsigned char *section = len ? find_section(head, len, name) : NULL;

    *out = NULL;
    if (!section)
        return len ? 0 : err_set(e, -EIO, "could not read its head");
    /* What is in the file is rounded up, and what is in memory may be longer. */
    uint32_t in_memory = le(section + 8, 4), in_file = le(section + 16, 4);
    AUTO_FCLOSE FILE *to = tmpfile();
    int r = to ? copy(f, le(section + 20, 4), in_memory < in_file ? in_memory : in_file, to) : -errno;
    if (r == -EBADMSG)
        return err_set(e, r, "it is cut off in its section %s", name);
    if (r < 0)
        return err_errno(e, r, "could not unpack its section %s", name);
    *out = steal_ptr(&to);
    return 0;
}
