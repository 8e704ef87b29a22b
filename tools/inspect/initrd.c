/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/inspect/initrd.h"

#include <errno.h>
#include <string.h>

#define HEADER 110
#define NAME_MAX_LEN 4096
#define TRAILER "TRAILER!!!"

struct member {
    struct unpack *u;
    uint64_t read; /* bytes of the archive so far */
};

/* All of len bytes, or -EBADMSG; data NULL: they are passed over. */
static int take(struct member *m, void *data, uint64_t len, struct err *e) {
    char skipped[16384] = "";
    char *to = data;

    while (len > 0) {
        size_t want = !to && len > sizeof(skipped) ? sizeof(skipped) : (size_t)len;
        ssize_t n = unpack_read(m->u, to ? to : skipped, want, e);
        if (n <= 0)
            return n < 0 ? (int)n : err_set(e, -EBADMSG, "a cpio archive is cut off");
        to = to ? to + n : NULL;
        len -= (uint64_t)n;
        m->read += (uint64_t)n;
    }
    return 0;
}

static int align(struct member *m, struct err *e) {
    return take(m, NULL, (4 - m->read % 4) % 4, e);
}

/* The i-th number of the header: eight hexadecimal digits. */
static int number(const char *header, unsigned i, uint32_t *out) {
    char text[9] = "", *end;

    memcpy(text, header + 6 + 8 * (size_t)i, 8);
    if (strspn(text, "0123456789abcdefABCDEF") != 8)
        return -EBADMSG;
    *out = (uint32_t)strtoul(text, &end, 16);
    return 0;
}

/* 1: a header was read; 0: the member has ended. Zeros before it are passed over. */
static int next_header(struct member *m, char *header, struct err *e) {
    ssize_t n;

    do {
        n = unpack_read(m->u, header, 1, e);
        m->read += n > 0;
    } while (n > 0 && !*header);
    if (n <= 0)
        return (int)n;
    int r = take(m, header + 1, HEADER - 1, e);
    if (!r && memcmp(header, "070701", 6) != 0 && memcmp(header, "070702", 6) != 0)
        r = err_set(e, -EBADMSG, "a cpio archive is not in the newc format");
    return r < 0 ? r : 1;
}

/* 1: go on; 0: that was the trailer. */
static int one_entry(struct member *m, const char *header, const struct initrd_reader *reader, struct err *e) {
    uint32_t mode, size, name_len;
    char name[NAME_MAX_LEN + 1];
    uint64_t start = m->read - HEADER;

    if (number(header, 1, &mode) < 0 || number(header, 6, &size) < 0 || number(header, 11, &name_len) < 0 ||
        !name_len || name_len > NAME_MAX_LEN)
        return err_set(e, -EBADMSG, "a cpio archive has a header that is damaged");
    int r = take(m, name, name_len, e);
    if (!r)
        r = align(m, e);
    if (r < 0)
        return r;
    name[name_len] = '\0';
    if (!strcmp(name, TRAILER))
        return 0;
    r = take(m, NULL, size, e);
    if (!r)
        r = align(m, e);
    const char *path = name;
    while (*path == '/' || (*path == '.' && path[1] == '/'))
        path++;
    const struct initrd_entry entry = {.path = path, .mode = mode, .size = size, .archived = m->read - start};
    if (!r)
        r = reader->entry(reader->data, &entry, e);
    return r < 0 ? r : 1;
}

static int read_member(struct member *m, enum compression how, const struct initrd_reader *reader, struct err *e) {
    char header[HEADER];
    uint64_t from = unpack_position(m->u);
    int r, more;

    m->read = 0;
    do {
        r = next_header(m, header, e);
        if (r <= 0)
            break;
        more = one_entry(m, header, reader, e);
        r = more < 0 ? more : 0;
        /* behind the trailer of what is not compressed another member may begin */
    } while (!r && (more || how != COMPRESS_NONE));
    const struct initrd_member member = {.how = how, .stored = unpack_position(m->u) - from, .unpacked = m->read};
    return r < 0 ? r : reader->member(reader->data, &member, e);
}

int initrd_read(FILE *f, const struct initrd_reader *reader, uint64_t *size, struct err *e) {
    AUTO_UNPACK struct unpack *u = NULL;
    struct member m;
    enum compression how;
    int r = unpack_new(f, &u, e), there = 0;

    m.u = u;
    while (!r && (there = unpack_next(u, &how, e)) > 0)
        r = read_member(&m, how, reader, e);
    *size = u ? unpack_position(u) : 0;
    return r ? r : there;
}
