/* SPDX-License-Identifier: Apache-2.0 */
/* An inspection as text and as JSON, and the memory that it takes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/json.h"
#include "lib/printable.h"
#include "tools/inspect/inspect.h"

#define MIB (1024.0 * 1024.0)

/*
 * What a kernel of Debian 12 and the services' own programs (containerd, its shims, runc, init and the supervisor) were
 * seen to take, in MiB: see tests/vm/test_inspect.py, which holds this against a machine.
 */
#define KERNEL_MIB 44.0
#define RUNNING_MIB 48.0
/* Of all memory: the kernel keeps 64 bytes for each page of 4096. */
#define PAGE_TABLE_SHARE (64.0 / 4096.0)
#define ROOT_SHARE 0.5
#define ROOT_OPTIONS "initramfs_options="

uint64_t inspect_size(const struct inspection *in) {
    uint64_t sum = 0;

    for (size_t i = 0; i < in->items_len; i++)
        sum += in->items[i].size;
    return sum;
}

uint64_t inspect_pages(const struct inspection *in) {
    uint64_t sum = 0;

    for (size_t i = 0; i < in->items_len; i++)
        sum += in->items[i].pages;
    return sum;
}

const char *inspect_firmware(const struct inspection *in) {
    return in->bios && in->efi ? "bios+efi" : in->bios ? "bios" : in->efi ? "efi" : NULL;
}

static bool has_word(const char *text, const char *word) {
    const char *at = text ? strstr(text, word) : NULL;

    return at && (at == text || at[-1] == ' ');
}

/*
 * Of the memory that there is beside the initrd, what the tmpfs may take into which the kernel unpacks: half, unless
 * initramfs_options=size=N% says otherwise. It is no tmpfs with root= or rootfstype=ramfs.
 */
static double root_share(const char *cmdline) {
    unsigned percent = 0;
    int whole = 0; /* set behind the percent sign only */

    if (has_word(cmdline, "root=") || has_word(cmdline, "rootfstype=ramfs"))
        return 1;
    if (!has_word(cmdline, ROOT_OPTIONS))
        return ROOT_SHARE;
    const char *options = strstr(cmdline, ROOT_OPTIONS) + strlen(ROOT_OPTIONS);
    const char *end = options + strcspn(options, " "), *size = strstr(options, "size=");
    bool known = size && size < end && sscanf(size, "size=%3u%%%n", &percent, &whole) == 1 && whole > 0 &&
                 percent > 0 && percent <= 100;
    return known ? percent / 100.0 : ROOT_SHARE;
}

/* The initrd and what is unpacked from it are in memory at once, until all is unpacked. */
uint64_t inspect_least_mib(const struct inspection *in) {
    double unpacked = (double)inspect_pages(in) / MIB, initrd = (double)in->initrd_size / MIB;
    double unpacking = unpacked / root_share(in->cmdline) + initrd, running = unpacked + RUNNING_MIB;
    double least = ((unpacking > running ? unpacking : running) + KERNEL_MIB) / (1 - PAGE_TABLE_SHARE);

    return in->has_initrd && (in->bios || !in->efi) ? (uint64_t)(least + 0.999) : 0;
}

/* Names, versions and command lines are whoever's who has made the image. */
static int end_line(struct buf *out, size_t from) {
    make_printable(out, from);
    return buf_puts(out, "\n");
}

static int put_size(struct buf *out, double bytes) {
    return buf_printf(out, " %9.1f", bytes / 1e6);
}

static int put_items(const struct inspection *in, struct buf *out) {
    int r = buf_printf(out, "\n%-11s %-28s %7s %9s%s\n", "part", "name", "files", "MB",
                       in->has_initrd ? " compressed" : "");

    for (size_t i = 0; i < in->items_len && !r; i++) {
        const struct item *item = &in->items[i];
        size_t from = out->len;
        r = buf_printf(out, "%-11s %-28s %7llu", item->kind, item->name, (unsigned long long)item->files);
        if (!r)
            r = put_size(out, (double)item->size);
        if (!r && in->has_initrd)
            r = buf_printf(out, " %10.1f", item->compressed / 1e6);
        if (!r)
            r = end_line(out, from);
    }
    return r;
}

/* Its name, and what it boots. */
static int put_head(const struct inspection *in, struct buf *out) {
    int r = buf_puts(out, in->name);

    if (!r)
        r = end_line(out, 0);
    if (!r && inspect_firmware(in))
        r = buf_printf(out, "firmware      %s%s%s\n", in->bios ? "BIOS" : "", in->bios && in->efi ? ", " : "",
                       in->efi ? "UEFI" : "");
    size_t from = out->len;
    if (!r && in->kernel_size)
        r = buf_printf(out, "kernel        %s, %.1f MB", *in->kernel ? in->kernel : "of an unknown version",
                       (double)in->kernel_size / 1e6);
    if (!r && in->kernel_size)
        r = end_line(out, from);
    from = out->len;
    if (!r && in->cmdline)
        r = buf_printf(out, "command line  %s", in->cmdline);
    return !r && in->cmdline ? end_line(out, from) : r;
}

int inspect_text(const struct inspection *in, struct buf *out, struct err *e) {
    uint64_t least = inspect_least_mib(in);
    int r = put_head(in, out);

    if (!r && in->has_initrd)
        r = buf_printf(out, "initrd        %.1f MB in %llu parts, %.1f MB unpacked\n", (double)in->initrd_size / 1e6,
                       (unsigned long long)in->members, (double)inspect_size(in) / 1e6);
    if (!r && in->root)
        r = buf_printf(out, "root          %s, %.1f MB, %.1f MB unpacked\n", in->root, (double)in->root_size / 1e6,
                       (double)inspect_size(in) / 1e6);
    else if (!r && !in->has_initrd)
        r = buf_printf(out, "tree          %.1f MB\n", (double)inspect_size(in) / 1e6);
    if (!r && least)
        r = buf_printf(out, "memory        %llu MiB at least, to get to the services\n", (unsigned long long)least);
    if (!r)
        r = put_items(in, out);
    return r < 0 ? err_errno(e, r, "could not describe %s", in->name) : 0;
}

static json_t *json_items(const struct inspection *in) {
    json_t *list = json_array();

    for (size_t i = 0; list && i < in->items_len; i++) {
        const struct item *item = &in->items[i];
        json_t *o = json_pack("{s:s, s:o, s:I, s:I}", "part", item->kind, "name", json_text(item->name), "files",
                              (json_int_t)item->files, "size", (json_int_t)item->size);
        if (o && in->has_initrd)
            (void)json_object_set_new(o, "compressed", json_integer((json_int_t)(item->compressed + 0.5)));
        if (!o || json_array_append_new(list, o) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

int inspect_json(const struct inspection *in, struct buf *out, struct err *e) {
    json_t *items = json_items(in);
    AUTO_JSON json_t *doc = items ? json_pack("{s:o, s:I, s:o}", "name", json_text(in->name), "size",
                                              (json_int_t)inspect_size(in), "parts", items)
                                  : NULL;
    int r = doc ? 0 : -ENOMEM;

    if (!r && in->kernel_size)
        r = json_object_set_new(doc, "kernel",
                                json_pack("{s:o, s:I, s:I}", "version", json_text(in->kernel), "size",
                                          (json_int_t)in->kernel_size, "memory", (json_int_t)in->kernel_memory));
    if (!r && in->cmdline)
        r = json_object_set_new(doc, "cmdline", json_text(in->cmdline));
    if (!r && in->has_initrd)
        r = json_object_set_new(
            doc, "initrd",
            json_pack("{s:I, s:I}", "size", (json_int_t)in->initrd_size, "members", (json_int_t)in->members));
    if (!r && in->root)
        r = json_object_set_new(doc, "root",
                                json_pack("{s:s, s:I}", "format", in->root, "size", (json_int_t)in->root_size));
    if (!r && inspect_firmware(in))
        r = json_object_set_new(doc, "firmware", json_string(inspect_firmware(in)));
    if (!r && inspect_least_mib(in))
        r = json_object_set_new(doc, "least_memory_mib", json_integer((json_int_t)inspect_least_mib(in)));
    AUTO_FREE char *text = r ? NULL : json_dumps(doc, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    r = text ? buf_printf(out, "%s\n", text) : -ENOMEM;
    return r < 0 ? err_errno(e, r, "could not describe %s", in->name) : 0;
}
