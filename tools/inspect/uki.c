/* SPDX-License-Identifier: Apache-2.0 */
/* A UKI, read once from its head to its end: it may come from a pipe. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/little.h"
#include "tools/inspect/inspect_priv.h"
#include "tools/output/bootable.h"

#define CHUNK ((size_t)64 << 10)

/* The head is kept: sections may begin in it. */
struct source {
    FILE *f;
    unsigned char head[BOOTABLE_HEAD];
    size_t head_len;
    uint64_t at;
};

/* A section: `left` bytes from where the source is. */
struct window {
    struct source *s;
    uint64_t left;
};

static size_t take(struct source *s, char *data, size_t len) {
    size_t n;

    if (s->at < s->head_len) {
        n = len < s->head_len - s->at ? len : s->head_len - (size_t)s->at;
        memcpy(data, s->head + s->at, n);
    } else {
        n = fread(data, 1, len, s->f);
    }
    s->at += n;
    return n;
}

static ssize_t read_window(void *cookie, char *data, size_t len) {
    struct window *w = cookie;
    size_t n = w->left ? take(w->s, data, len < w->left ? len : (size_t)w->left) : 0;

    w->left -= n;
    return ferror(w->s->f) ? -1 : (ssize_t)n;
}

/* Passes over what is left. */
static int skip(struct window *w) {
    AUTO_FREE char *chunk = malloc(CHUNK);
    ssize_t n = 1;

    while (chunk && w->left && n > 0)
        n = read_window(w, chunk, CHUNK);
    return !chunk ? -ENOMEM : n < 0 ? -EIO : n == 0 ? -EBADMSG : 0;
}

static int read_section(struct inspection *in, struct source *s, const unsigned char *header, payload_fn *read,
                        struct err *e) {
    /* What is in the file is rounded up, and what is in memory may be longer. */
    uint64_t in_memory = little_get(header + 8, 4), in_file = little_get(header + 16, 4);
    uint64_t at = little_get(header + 20, 4);
    struct window before = {.s = s, .left = at > s->at ? at - s->at : 0};
    struct window w = {.s = s, .left = in_memory < in_file ? in_memory : in_file};

    if (at < s->at)
        return err_set(e, -EBADMSG, "its sections lie over each other");
    int cut = skip(&before), r = 0;
    AUTO_FCLOSE FILE *f = cut ? NULL : fopencookie(&w, "r", (cookie_io_functions_t){.read = read_window});
    if (f)
        r = read(in, f, e);
    else if (!cut)
        return err_errno(e, -ENOMEM, "could not read its section %.8s", (const char *)header);
    if (!cut)
        cut = skip(&w);
    if (cut == -EBADMSG)
        return err_set(e, cut, "it is cut off in its section %.8s", (const char *)header);
    return cut < 0 ? err_errno(e, cut, "could not read its section %.8s", (const char *)header) : r;
}

/* As they come in the file, whichever way round that is. */
int payload_uki(struct inspection *in, FILE *f, struct err *e) {
    static const struct {
        const char *name;
        payload_fn *read;
    } wanted[] = {{".linux", payload_kernel}, {".cmdline", payload_cmdline}, {".initrd", payload_initrd}};
    const unsigned char *headers[ARRAY_SIZE(wanted)] = {NULL};
    AUTO_FREE struct source *s = calloc(1, sizeof(*s));
    int r = 0;

    if (!s)
        return err_errno(e, -ENOMEM, "could not read a UKI");
    s->f = f;
    s->head_len = fread(s->head, 1, sizeof(s->head), f);
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        headers[i] = bootable_section(s->head, s->head_len, wanted[i].name);
    in->efi = true;
    for (size_t done = 0; done < ARRAY_SIZE(wanted) && !r; done++) {
        size_t next = ARRAY_SIZE(wanted);
        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
            if (headers[i] &&
                (next == ARRAY_SIZE(wanted) || little_get(headers[i] + 20, 4) < little_get(headers[next] + 20, 4)))
                next = i;
        if (next == ARRAY_SIZE(wanted))
            break;
        r = read_section(in, s, headers[next], wanted[next].read, e);
        headers[next] = NULL;
    }
    return r;
}
