/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/inspect/inspect.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"
#include "lib/little.h"
#include "tools/inspect/initrd.h"
#include "tools/inspect/uki.h"
#include "tools/output/bootable.h"
#include "tools/output/kernel_initrd.h"
#include "tools/output/output.h"

#define PAGE 4096
#define CMDLINE_MAX_BYTES ((size_t)64 << 10)
#define CHUNK ((size_t)64 << 10)

/* Which item a path belongs to: containers/KIND/NAME, the modules, or the root. */
static void owner_of(const char *path, char *kind, char *name) {
    static const char *const kinds[] = {"onboot", "onshutdown", "services", "volumes"};
    bool modules = !strncmp(path, "lib/modules/", 12) || !strncmp(path, "usr/lib/modules/", 16);

    (void)snprintf(kind, sizeof(((struct item *)0)->kind), "%s", modules ? "modules" : "root");
    (void)snprintf(name, ITEM_NAME_MAX, "%s", modules ? "lib/modules" : "/");
    for (size_t i = 0; i < ARRAY_SIZE(kinds) && !strncmp(path, "containers/", 11); i++) {
        size_t len = strlen(kinds[i]);
        const char *rest = path + 11;
        if (strncmp(rest, kinds[i], len) != 0 || rest[len] != '/' || !rest[len + 1])
            continue;
        (void)snprintf(kind, sizeof(((struct item *)0)->kind), "%s", kinds[i]);
        (void)snprintf(name, ITEM_NAME_MAX, "%.*s", (int)strcspn(rest + len + 1, "/"), rest + len + 1);
    }
}

static struct item *find_item(struct inspection *in, const char *path, struct err *e) {
    char kind[sizeof(in->items->kind)], name[ITEM_NAME_MAX];

    owner_of(path, kind, name);
    for (size_t i = in->items_len; i-- > 0;)
        if (!strcmp(in->items[i].kind, kind) && !strcmp(in->items[i].name, name))
            return &in->items[i];
    struct item *grown =
        in->items_len < ITEMS_MAX ? reallocarray(in->items, in->items_len + 1, sizeof(*in->items)) : NULL;
    if (!grown) {
        (void)err_set(e, -E2BIG, "it has more than %d containers and volumes", ITEMS_MAX);
        return NULL;
    }
    in->items = grown;
    struct item *item = &in->items[in->items_len++];
    *item = (struct item){0};
    (void)snprintf(item->kind, sizeof(item->kind), "%s", kind);
    (void)snprintf(item->name, sizeof(item->name), "%s", name);
    return item;
}

static int count(struct inspection *in, const char *path, bool regular, uint64_t size, uint64_t archived,
                 struct err *e) {
    struct item *item = find_item(in, path, e);

    if (!item)
        return -E2BIG;
    item->files += regular;
    item->size += regular ? size : 0;
    item->pages += regular ? (size + PAGE - 1) / PAGE * PAGE : 0;
    item->archived += archived;
    return 0;
}

static int on_entry(void *data, const struct initrd_entry *entry, struct err *e) {
    return count(data, entry->path, S_ISREG(entry->mode), entry->size, entry->archived, e);
}

/* The member's bytes in the file are those of the items in it, in proportion. */
static int on_member(void *data, const struct initrd_member *member, struct err *e) {
    struct inspection *in = data;
    uint64_t archived = 0;

    (void)e;
    for (size_t i = 0; i < in->items_len; i++)
        archived += in->items[i].archived;
    for (size_t i = 0; i < in->items_len; i++) {
        struct item *item = &in->items[i];
        if (archived)
            item->compressed += (double)member->stored * (double)item->archived / (double)archived;
        item->archived = 0;
    }
    in->members++;
    return 0;
}

static int read_initrd(struct inspection *in, FILE *f, struct err *e) {
    const struct initrd_reader reader = {.entry = on_entry, .member = on_member, .data = in};
    long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;

    if (size < 0 || fseek(f, 0, SEEK_SET) != 0)
        return err_errno(e, -errno, "could not read the initrd");
    in->has_initrd = true;
    in->initrd_size = (uint64_t)size;
    return initrd_read(f, &reader, e);
}

/* Documentation/x86/boot.rst of the kernel: where the version is, and how much memory the kernel is given. */
static void read_kernel(struct inspection *in, FILE *f) {
    AUTO_FREE unsigned char *head = calloc(1, CHUNK + 1);
    size_t n = head && fseek(f, 0, SEEK_SET) == 0 ? fread(head, 1, CHUNK, f) : 0;
    long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : 0;

    in->kernel_size = size > 0 ? (uint64_t)size : 0;
    if (n < 0x268 || memcmp(head + 0x202, "HdrS", 4) != 0)
        return;
    size_t version = little_get(head + 0x20e, 2) + 0x200;
    in->kernel_memory = little_get(head + 0x260, 4);
    if (version < n)
        (void)snprintf(in->kernel, sizeof(in->kernel), "%.*s", (int)strcspn((char *)head + version, " \n"),
                       (char *)head + version);
}

/* A file that may not be there. */
static FILE *open_part(const char *name, const char *suffix) {
    AUTO_FREE char *path = NULL;

    if (asprintf(&path, "%s%s", name, suffix) < 0) {
        path = NULL;
        return NULL;
    }
    return fopen(path, "re");
}

static int read_cmdline(struct inspection *in, FILE *f, struct err *e) {
    AUTO_FREE char *text = calloc(1, CMDLINE_MAX_BYTES + 1);

    if (!text)
        return err_errno(e, -ENOMEM, "could not read the command line");
    size_t n = fread(text, 1, CMDLINE_MAX_BYTES, f);
    while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
        text[--n] = '\0';
    free(in->cmdline);
    in->cmdline = strdup(text);
    return in->cmdline ? 0 : err_errno(e, -ENOMEM, "could not read the command line");
}

static int read_parts(struct inspection *in, const char *name, struct err *e) {
    AUTO_FCLOSE FILE *kernel = open_part(name, KERNEL_SUFFIX);
    AUTO_FCLOSE FILE *initrd = open_part(name, INITRD_SUFFIX);
    AUTO_FCLOSE FILE *cmdline = open_part(name, CMDLINE_SUFFIX);

    if (!initrd)
        return err_errno(e, -errno, "could not open %s" INITRD_SUFFIX, name);
    if (kernel)
        read_kernel(in, kernel);
    int r = cmdline ? read_cmdline(in, cmdline, e) : 0;
    if (!r)
        r = read_initrd(in, initrd, e);
    return r < 0 ? err_wrap(e, r, "%s" INITRD_SUFFIX, name) : 0;
}

/* The contents of a tar's entry, in a temporary file. */
static FILE *extract(struct archive *a, struct err *e) {
    AUTO_FCLOSE FILE *f = tmpfile();
    AUTO_FREE char *chunk = malloc(CHUNK);
    la_ssize_t n = -1;

    while (f && chunk && (n = archive_read_data(a, chunk, CHUNK)) > 0)
        if (fwrite(chunk, 1, (size_t)n, f) != (size_t)n)
            break;
    if (n == 0 && fflush(f) == 0 && fseek(f, 0, SEEK_SET) == 0)
        return steal_ptr(&f);
    (void)err_set(e, -EIO, "could not unpack it: %s", n < 0 && f ? archive_error_string(a) : "no room");
    return NULL;
}

/* The kernel's files stand below boot/ in a tar of the tree, and alone in a tar-kernel-initrd. */
static int tar_entry(struct inspection *in, struct archive *a, struct archive_entry *ae, struct err *e) {
    const char *path = archive_entry_pathname(ae);
    bool kernel = path && (!strcmp(path, BOOT_KERNEL) || !strcmp(path, "kernel"));
    bool cmdline = path && (!strcmp(path, BOOT_CMDLINE) || !strcmp(path, "cmdline"));
    bool initrd = path && !strcmp(path, "initrd.img");
    int r = 0;

    if (!path)
        return err_set(e, -EBADMSG, "it has an entry without a name");
    if (!kernel && !cmdline && !initrd)
        return count(in, path, archive_entry_filetype(ae) == AE_IFREG && !archive_entry_hardlink(ae),
                     (uint64_t)archive_entry_size(ae), 0, e);
    AUTO_FCLOSE FILE *f = extract(a, e);
    if (!f)
        return -EIO;
    if (kernel)
        read_kernel(in, f);
    else
        r = cmdline ? read_cmdline(in, f, e) : read_initrd(in, f, e);
    return r;
}

static int read_tar(struct inspection *in, const char *path, struct err *e) {
    struct archive *a = archive_read_new();
    struct archive_entry *ae;
    int status, r = 0;

    if (!a || archive_read_support_format_tar(a) != ARCHIVE_OK ||
        archive_read_open_filename(a, path, CHUNK) != ARCHIVE_OK)
        r = err_set(e, -EBADMSG, "could not open %s: %s", path, a ? archive_error_string(a) : "no memory");
    while (!r && (status = archive_read_next_header(a, &ae)) != ARCHIVE_EOF)
        r = status == ARCHIVE_OK || status == ARCHIVE_WARN
                ? tar_entry(in, a, ae, e)
                : err_set(e, -EBADMSG, "could not read %s: %s", path, archive_error_string(a));
    (void)archive_read_free(a);
    return r < 0 ? err_wrap(e, r, "%s", path) : 0;
}

static int read_uki(struct inspection *in, FILE *f, struct err *e) {
    AUTO_FCLOSE FILE *kernel = NULL;
    AUTO_FCLOSE FILE *cmdline = NULL;
    AUTO_FCLOSE FILE *initrd = NULL;
    int r = uki_section(f, ".linux", &kernel, e);

    in->efi = true;
    if (!r)
        r = uki_section(f, ".cmdline", &cmdline, e);
    if (!r)
        r = uki_section(f, ".initrd", &initrd, e);
    if (!r && kernel)
        read_kernel(in, kernel);
    if (!r && cmdline)
        r = read_cmdline(in, cmdline, e);
    return r || !initrd ? r : read_initrd(in, initrd, e);
}

static bool is_tar(const char *path) {
    char magic[5] = "";
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd >= 0 && pread(fd, magic, sizeof(magic), 257) == (ssize_t)sizeof(magic) && !memcmp(magic, "ustar", 5);
}

static int read_file_of(struct inspection *in, const char *path, struct err *e) {
    AUTO_FCLOSE FILE *f = fopen(path, "re");
    struct bootable b;
    int r = bootable_look(path, &b, e);

    if (r < 0 || !f)
        return r < 0 ? r : err_errno(e, -errno, "could not open %s", path);
    if (b.kind != BOOTABLE_UNKNOWN && b.kind != BOOTABLE_UKI)
        return err_set(e, -ENOTSUP,
                       "could not look into %s: it is %s; build the appliance as kernel+initrd or tar, too, and "
                       "inspect that",
                       path, bootable_name(b.kind));
    r = b.kind == BOOTABLE_UKI ? read_uki(in, f, e) : read_initrd(in, f, e);
    return r < 0 ? err_wrap(e, r, "%s", path) : 0;
}

static int by_size(const void *a, const void *b) {
    const struct item *x = a, *y = b;

    return x->size != y->size ? (x->size < y->size ? 1 : -1) : strcmp(x->name, y->name);
}

int inspect_read(const char *name, struct inspection *in, struct err *e) {
    AUTO_FREE char *initrd = NULL;
    struct stat st;
    int r;

    *in = (struct inspection){.name = strdup(name)};
    if (!in->name || asprintf(&initrd, "%s" INITRD_SUFFIX, name) < 0) {
        initrd = NULL;
        return err_errno(e, -ENOMEM, "could not inspect %s", name);
    }
    bool file = stat(name, &st) == 0 && S_ISREG(st.st_mode);
    if (access(initrd, F_OK) == 0)
        r = read_parts(in, name, e);
    else if (!file)
        r = err_set(e, -ENOENT, "could not inspect %s: there is neither %s nor a file of that name", name, initrd);
    else
        r = is_tar(name) ? read_tar(in, name, e) : read_file_of(in, name, e);
    if (!r && in->items_len)
        qsort(in->items, in->items_len, sizeof(*in->items), by_size);
    return r;
}

void inspect_free(struct inspection *in) {
    free(in->name);
    free(in->cmdline);
    free(in->items);
    *in = (struct inspection){0};
}
