/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uki: one EFI program that has kernel, initrd and command line as sections behind systemd's stub. Written here because
 * objcopy knows the host's architecture only and puts the time into the header.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/little.h"
#include "tools/image/content.h"
#include "tools/output/stream.h"
#include "tools/output/uki.h"

#define STUB_MAX ((size_t)4 << 20)
#define SECTION_HEADER 40
#define SECTION_FLAGS 0x40000040U /* initialised data, readable */
#define SECTIONS_MAX 4

struct section {
    char name[8];
    const char *text; /* or NULL */
    const char *path;
    uint64_t size;
    uint64_t address, at; /* in memory; in the file */
};

struct pe {
    unsigned char *data; /* the stub */
    size_t len;
    size_t head; /* of "PE\0\0" */
    uint32_t align_memory, align_file;
    uint64_t end_memory, end_file;
};

/* What is beyond the end is 0: measure() finds that it does not fit. */
static uint32_t get(const struct pe *pe, size_t at, size_t bytes) {
    return at < pe->len && bytes <= pe->len - at ? (uint32_t)little_get(pe->data + at, bytes) : 0;
}

static uint64_t align(uint64_t v, uint32_t to) {
    return (v + to - 1) / to * to;
}

static size_t table(const struct pe *pe) {
    return pe->head + 24 + get(pe, pe->head + 20, 2);
}

/* Where the stub ends, in memory and in the file; what is behind its sections (symbols) is left out. */
static int measure(struct pe *pe, const char *path, struct err *e) {
    pe->head = get(pe, 0x3c, 4);
    size_t count = get(pe, pe->head + 6, 2), first = table(pe), headers = get(pe, pe->head + 24 + 60, 4);

    pe->align_memory = get(pe, pe->head + 24 + 32, 4);
    pe->align_file = get(pe, pe->head + 24 + 36, 4);
    if (get(pe, pe->head, 4) != 0x4550 || !pe->align_memory || !pe->align_file ||
        first + (count + SECTIONS_MAX) * SECTION_HEADER > headers || headers > pe->len)
        return err_set(e, -EINVAL, "could not use the EFI stub %s: no room for sections in it", path);
    pe->end_file = headers;
    for (size_t i = 0, at = first; i < count; i++, at += SECTION_HEADER) {
        uint64_t memory = (uint64_t)get(pe, at + 12, 4) + get(pe, at + 8, 4);
        uint64_t file = (uint64_t)get(pe, at + 20, 4) + get(pe, at + 16, 4);
        pe->end_memory = memory > pe->end_memory ? memory : pe->end_memory;
        pe->end_file = file > pe->end_file ? file : pe->end_file;
    }
    if (pe->end_file > pe->len)
        return err_set(e, -EINVAL, "could not use the EFI stub %s: it is cut off", path);
    return 0;
}

/* Places the sections one behind the other and notes them in the header. */
static int place(struct pe *pe, struct section *sections, size_t len, struct err *e) {
    size_t count = get(pe, pe->head + 6, 2);
    uint64_t memory = pe->end_memory, file = pe->end_file;

    for (size_t i = 0; i < len; i++) {
        struct section *s = &sections[i];
        unsigned char *header = pe->data + table(pe) + (count + i) * SECTION_HEADER;
        s->address = align(memory, pe->align_memory);
        s->at = align(file, pe->align_file);
        memory = s->address + s->size;
        file = s->at + align(s->size, pe->align_file);
        if (memory > INT32_MAX || file > INT32_MAX)
            return err_set(e, -EFBIG, "could not make the EFI program: it would be larger than 2 GiB");
        memset(header, 0, SECTION_HEADER);
        memcpy(header, s->name, sizeof(s->name));
        little_put(header + 8, s->size, 4);
        little_put(header + 12, s->address, 4);
        little_put(header + 16, align(s->size, pe->align_file), 4);
        little_put(header + 20, s->at, 4);
        little_put(header + 36, SECTION_FLAGS, 4);
    }
    little_put(pe->data + pe->head + 6, count + len, 2);
    little_put(pe->data + pe->head + 8, 0, 4);       /* its time */
    little_put(pe->data + pe->head + 12, 0, 8);      /* symbols, which are left out */
    little_put(pe->data + pe->head + 24 + 64, 0, 4); /* checksum: EFI does not look at it */
    little_put(pe->data + pe->head + 24 + 56, align(memory, pe->align_memory), 4);
    return 0;
}

static int write_section(struct stream *out, const struct section *s, struct err *e) {
    if (s->text)
        return stream_write(out, s->text, (size_t)s->size, e);
    AUTO_CLOSE int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, -errno, "could not open %s", s->path);
    struct content_source source = content_fd(s->path, fd);
    const struct entry_content content = {.read = content_read, .ctx = &source};
    return stream_copy(out, &content, s->size, s->path, e);
}

static int write_all(const struct pe *pe, const struct section *sections, size_t len, const char *path, struct err *e) {
    AUTO_STREAM struct stream *out = NULL;
    int r = stream_open(path, &out, e);

    if (!r)
        r = stream_write(out, pe->data, (size_t)pe->end_file, e);
    for (size_t i = 0; i < len && !r; i++) {
        r = stream_pad(out, pe->align_file, e);
        if (!r)
            r = write_section(out, &sections[i], e);
    }
    if (!r)
        r = stream_pad(out, pe->align_file, e);
    if (!r)
        r = stream_end(out, e);
    return r ? r : stream_commit(out, e);
}

int uki_write(const char *stub, const struct parts *p, const char *path, struct err *e) {
    static const char os_release[] = "NAME=keelson\nID=keelson\nPRETTY_NAME=\"keelson appliance\"\n";
    AUTO_BUF struct buf text = {.max = STUB_MAX};
    struct section sections[SECTIONS_MAX] = {
        {.name = ".osrel", .text = os_release, .size = sizeof(os_release) - 1},
        {.name = ".cmdline", .text = p->cmdline, .size = strlen(p->cmdline) + 1},
        {.name = ".linux", .path = p->kernel},
        {.name = ".initrd", .path = p->initrd},
    };
    int r = read_file(stub, STUB_MAX, &text, e);
    if (!r)
        r = parts_size(p->kernel, &sections[2].size, e);
    if (!r)
        r = parts_size(p->initrd, &sections[3].size, e);
    struct pe pe = {.data = (unsigned char *)text.data, .len = text.len};
    if (!r)
        r = measure(&pe, stub, e);
    if (!r)
        r = place(&pe, sections, SECTIONS_MAX, e);
    return r ? r : write_all(&pe, sections, SECTIONS_MAX, path, e);
}

int make_uki(const struct parts *p, const char *out, struct err *e) {
    return uki_write(strcmp(p->arch, "arm64") ? EFI_STUB_AMD64 : EFI_STUB_ARM64, p, out, e);
}
