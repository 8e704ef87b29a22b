/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/little.h"
#include "tools/inspect/inspect_priv.h"
#include "tools/output/loader.h"

#define CMDLINE_MAX_BYTES ((size_t)64 << 10)
#define CHUNK ((size_t)64 << 10)

/* Documentation/x86/boot.rst of the kernel: where the version is, and how much memory the kernel is given. */
static void read_header(struct inspection *in, const unsigned char *head, size_t n) {
    if (n < 0x268 || memcmp(head + 0x202, "HdrS", 4) != 0)
        return;
    size_t version = little_get(head + 0x20e, 2) + 0x200;
    in->kernel_memory = little_get(head + 0x260, 4);
    if (version < n)
        (void)snprintf(in->kernel, sizeof(in->kernel), "%.*s", (int)strcspn((const char *)head + version, " \n"),
                       (const char *)head + version);
}

int payload_kernel(struct inspection *in, FILE *f, struct err *e) {
    AUTO_FREE unsigned char *chunk = calloc(1, CHUNK + 1);
    size_t n = chunk ? fread(chunk, 1, CHUNK, f) : 0;

    if (!chunk)
        return err_errno(e, -ENOMEM, "could not read the kernel");
    read_header(in, chunk, n);
    in->kernel_size = 0;
    for (; n > 0; n = fread(chunk, 1, CHUNK, f))
        in->kernel_size += n;
    return ferror(f) ? err_errno(e, -EIO, "could not read the kernel") : 0;
}

static int read_text(FILE *f, char **text, struct err *e) {
    *text = calloc(1, CMDLINE_MAX_BYTES + 1);
    size_t n = *text ? fread(*text, 1, CMDLINE_MAX_BYTES, f) : 0;

    (void)n;
    return *text && !ferror(f) ? 0 : err_errno(e, *text ? -EIO : -ENOMEM, "could not read the command line");
}

static int set_cmdline(struct inspection *in, const char *text, struct err *e) {
    size_t len = strlen(text);

    while (len && strchr("\n ", text[len - 1]))
        len--;
    free(in->cmdline);
    in->cmdline = strndup(text, len);
    return in->cmdline ? 0 : err_errno(e, -ENOMEM, "could not read the command line");
}

int payload_cmdline(struct inspection *in, FILE *f, struct err *e) {
    AUTO_FREE char *text = NULL;
    int r = read_text(f, &text, e);

    return r ? r : set_cmdline(in, text, e);
}

int payload_loader_config(struct inspection *in, FILE *f, struct err *e) {
    AUTO_FREE char *text = NULL;
    int r = read_text(f, &text, e);
    const char *cmdline = r ? NULL : syslinux_cmdline(text);

    return cmdline ? set_cmdline(in, cmdline, e) : r;
}

int payload_initrd(struct inspection *in, FILE *f, struct err *e) {
    const struct initrd_reader reader = {.entry = item_on_entry, .member = item_on_member, .data = in};
    uint64_t members = in->members;

    in->has_initrd = true;
    int r = initrd_read(f, &reader, &in->initrd_size, e);
    return !r && in->members == members ? err_set(e, -EBADMSG, "its initrd is empty") : r;
}

payload_fn *payload_on_medium(const char *path) {
    static const struct {
        const char *path;
        payload_fn *read;
    } files[] = {{"boot/kernel", payload_kernel},
                 {"boot/initrd.img", payload_initrd},
                 {"isolinux/isolinux.cfg", payload_loader_config},
                 {"kernel", payload_kernel},
                 {"initrd.img", payload_initrd},
                 {"syslinux.cfg", payload_loader_config},
                 {"cmdline.txt", payload_cmdline},
                 {"EFI/BOOT/BOOTX64.EFI", payload_uki},
                 {"EFI/BOOT/BOOTAA64.EFI", payload_uki}};

    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (!strcasecmp(path, files[i].path))
            return files[i].read;
    return NULL;
}
