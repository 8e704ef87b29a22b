/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/qemu.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bootrecord.h"

/* Adds formatted words; errors stick in *r so that the story below reads without an if per line. */
PRINTF_LIKE(3, 4) static void add(struct qemu_command *q, int *r, const char *fmt, ...) {
    if (*r < 0)
        return;
    if (q->len + 1 >= QEMU_WORDS_MAX) {
        *r = -E2BIG;
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&q->words[q->len], fmt, ap) < 0) {
        q->words[q->len] = NULL;
        *r = -ENOMEM;
    } else {
        q->len++;
    }
    va_end(ap);
}

/* A comma ends a value in QEMU's option lists, two stand for one. malloc'd; NULL: no memory. */
static char *comma_quoted(const char *text) {
    char *out = malloc(2 * strlen(text) + 1);
    char *p = out;
    for (; out && *text; text++) {
        *p++ = *text;
        if (*text == ',')
            *p++ = ',';
    }
    if (out)
        *p = '\0';
    return out;
}

/* The same for a file: before the first slash a colon would make a protocol of what comes before it. */
static char *file_quoted(const char *path) {
    AUTO_FREE char *from_here = NULL;

    if (path[strcspn(path, "/:")] != ':')
        return comma_quoted(path);
    if (asprintf(&from_here, "./%s", path) < 0) {
        from_here = NULL;
        return NULL;
    }
    return comma_quoted(from_here);
}

static void add_machine(struct qemu_command *q, int *r, const struct run_options *o, const char *accel) {
    bool kvm = strcmp(accel, "kvm") == 0;
    bool x86 = o->arch == RUN_X86_64;
    add(q, r, "-machine");
    add(q, r, "%s,accel=%s%s", x86 ? "q35" : "virt", accel, o->shares_len > 0 ? ",memory-backend=ram" : "");
    add(q, r, "-cpu");
    /* An emulated "max" on arm spends seconds on pointer authentication. */
    add(q, r, "%s", kvm ? "host" : x86 ? "max" : "cortex-a57");
    add(q, r, "-smp");
    add(q, r, "%llu", (unsigned long long)o->cpus);
    add(q, r, "-m");
    add(q, r, "%llu", (unsigned long long)o->mem_mib);
    if (o->shares_len > 0) { /* their daemons read and write the guest's memory */
        add(q, r, "-object");
        add(q, r, "memory-backend-memfd,id=ram,share=on,size=%lluM", (unsigned long long)o->mem_mib);
    }
}

/* detached.h says what is in the folder. */
static int add_detached_console(struct qemu_command *q, int *r, const struct run_options *o) {
    AUTO_FREE char *dir = comma_quoted(o->detach_dir);

    if (!dir)
        return -ENOMEM;
    add(q, r, "-daemonize");
    add(q, r, "-pidfile");
    add(q, r, "%s/pid", o->detach_dir);
    add(q, r, "-chardev");
    add(q, r, "socket,id=console,path=%s/console.sock,server=on,wait=off,logfile=%s/console.log", dir, dir);
    add(q, r, "-serial");
    add(q, r, "chardev:console");
    add(q, r, "-qmp");
    add(q, r, "unix:%s/qmp.sock,server=on,wait=off", dir);
    return 0;
}

/* Console and QEMU's monitor share the terminal: Ctrl-A c switches, Ctrl-A x ends. Ctrl-C goes to the guest. */
static int add_console(struct qemu_command *q, int *r, const struct run_options *o) {
    add(q, r, "-nodefaults");
    add(q, r, "-no-user-config");
    add(q, r, "-display");
    add(q, r, o->gui ? "gtk" : "none");
    if (o->gui) {
        add(q, r, "-vga");
        add(q, r, o->arch == RUN_X86_64 ? "std" : "virtio");
    }
    if (o->detach)
        return add_detached_console(q, r, o);
    add(q, r, "-chardev");
    add(q, r, "stdio,id=console,mux=on,signal=off");
    add(q, r, "-serial");
    add(q, r, "chardev:console");
    add(q, r, "-mon");
    add(q, r, "chardev=console,mode=readline");
    return 0;
}

static bool is_efi_file(const char *netboot) {
    size_t len = strlen(netboot);

    return !strstr(netboot, "://") && len > 4 && !strcmp(netboot + len - 4, ".efi");
}

/* A URL is handed to the ROM, which is iPXE; a file is served by QEMU's own TFTP. */
static int add_netboot(struct buf *net, const char *netboot) {
    const char *slash = strrchr(netboot, '/');

    if (strstr(netboot, "://"))
        return buf_printf(net, ",bootfile=%s", netboot);
    return buf_printf(net, ",tftp=%.*s,bootfile=%s", slash ? (int)(slash - netboot) : 1, slash ? netboot : ".",
                      slash ? slash + 1 : netboot);
}

static int add_network(struct qemu_command *q, int *r, const struct run_options *o) {
    if (!o->network)
        return 0;
    AUTO_BUF struct buf net = BUF_INIT;
    if (buf_puts(&net, "user,id=net0") < 0)
        return -ENOMEM;
    for (size_t i = 0; i < o->publish_len; i++) {
        const struct run_publish *p = &o->publish[i];
        if (buf_printf(&net, ",hostfwd=%s:%s:%u-:%u", p->udp ? "udp" : "tcp", p->address, p->host, p->guest) < 0)
            return -ENOMEM;
    }
    if (o->netboot && add_netboot(&net, o->netboot) < 0)
        return -ENOMEM;
    add(q, r, "-netdev");
    add(q, r, "%s", net.data);
    add(q, r, "-device");
    /* Without network boot there is no ROM to wait for; an EFI program by TFTP is what UEFI does itself. */
    bool rom = o->netboot && !(o->uefi && is_efi_file(o->netboot));
    add(q, r, "virtio-net-pci,netdev=net0%s%s", rom ? "" : ",romfile=", o->netboot ? ",bootindex=0" : "");
    return 0;
}

static int add_disks(struct qemu_command *q, int *r, const struct run_options *o) {
    for (size_t i = 0; i < o->disks_len; i++) {
        AUTO_FREE char *path = file_quoted(o->disks[i].path);
        if (!path)
            return -ENOMEM;
        add(q, r, "-drive");
        add(q, r, "if=none,id=disk%zu,format=%s,file=%s", i, o->disks[i].format, path);
        add(q, r, "-device");
        add(q, r, "virtio-blk-pci,drive=disk%zu", i);
    }
    return 0;
}

static int add_channels(struct qemu_command *q, int *r, const struct run_options *o) {
    bool has_record = o->record_fd >= 0 || o->detach;
    AUTO_FREE char *dir = comma_quoted(o->detach_dir);

    if (!dir)
        return -ENOMEM;
    if (o->channels_len > 0 || has_record) {
        add(q, r, "-device");
        add(q, r, "virtio-serial-pci");
    }
    if (has_record) {
        add(q, r, "-chardev");
        if (o->detach)
            add(q, r, "file,id=record,path=%s/record.json", dir);
        else
            add(q, r, "socket,id=record,fd=%d", o->record_fd);
        add(q, r, "-device");
        add(q, r, "virtserialport,chardev=record,name=" BOOTRECORD_PORT);
    }
    for (size_t i = 0; i < o->channels_len; i++) {
        AUTO_FREE char *path = comma_quoted(o->channels[i].path);
        if (!path)
            return -ENOMEM;
        add(q, r, "-chardev");
        add(q, r, "socket,id=channel%zu,path=%s,server=on,wait=off", i, path);
        add(q, r, "-device");
        add(q, r, "virtserialport,chardev=channel%zu,name=%s", i, o->channels[i].name);
    }
    return 0;
}

/* LinuxKit's names for them in the guest. */
static int add_shares(struct qemu_command *q, int *r, const struct run_options *o) {
    for (size_t i = 0; i < o->shares_len; i++) {
        AUTO_FREE char *path = comma_quoted(o->shares[i].socket);
        if (!path)
            return -ENOMEM;
        add(q, r, "-chardev");
        add(q, r, "socket,id=share%zu,path=%s", i, path);
        add(q, r, "-device");
        add(q, r, "vhost-user-fs-pci,chardev=share%zu,tag=virtiofs%zu", i, i);
    }
    return 0;
}

static int add_firmware(struct qemu_command *q, int *r, const struct run_boot *b) {
    AUTO_FREE char *code = comma_quoted(b->firmware);
    AUTO_FREE char *variables = comma_quoted(b->variables);

    if (!code || !variables)
        return -ENOMEM;
    if (!b->efi)
        return 0;
    add(q, r, "-drive");
    add(q, r, "if=pflash,unit=0,format=raw,readonly=on,file=%s", code);
    if (*variables) { /* what the guest sets is forgotten: no file of this machine's is needed */
        add(q, r, "-drive");
        add(q, r, "if=pflash,unit=1,format=raw,snapshot=on,file=%s", variables);
    }
    return 0;
}

/* The appliance runs from memory: a disk image is never written to. */
static int add_medium(struct qemu_command *q, int *r, const struct run_options *o, const struct run_boot *b) {
    AUTO_FREE char *path = file_quoted(b->path);
    bool cd = b->is.kind == BOOTABLE_ISO && !o->usb;

    if (!path)
        return -ENOMEM;
    if (o->usb || (cd && o->arch == RUN_AARCH64)) {
        add(q, r, "-device");
        add(q, r, o->usb ? "qemu-xhci" : "virtio-scsi-pci");
    }
    add(q, r, "-drive");
    add(q, r, "if=none,id=boot,format=%s,%s,file=%s", *b->format ? b->format : "raw",
        cd ? "media=cdrom,readonly=on" : "snapshot=on", path);
    add(q, r, "-device");
    add(q, r, "%s,drive=boot,bootindex=0",
        o->usb                   ? "usb-storage"
        : !cd                    ? "virtio-blk-pci"
        : o->arch == RUN_AARCH64 ? "scsi-cd"
                                 : "ide-cd");
    return 0;
}

/* As a SCSI CD: Debian's kernel for virtual machines has no driver for the one that the firmware knows. */
static int add_data(struct qemu_command *q, int *r, const struct run_boot *b) {
    AUTO_FREE char *path = file_quoted(b->data_iso);

    if (!path)
        return -ENOMEM;
    if (!*path)
        return 0;
    add(q, r, "-device");
    add(q, r, "virtio-scsi-pci,id=scsi-data");
    add(q, r, "-drive");
    add(q, r, "if=none,id=data,format=raw,media=cdrom,readonly=on,file=%s", path);
    add(q, r, "-device");
    add(q, r, "scsi-cd,bus=scsi-data.0,drive=data");
    return 0;
}

/* The first of the virtio disks. */
static int add_root(struct qemu_command *q, int *r, const struct run_boot *b) {
    AUTO_FREE char *path = file_quoted(b->root);

    if (!path)
        return -ENOMEM;
    add(q, r, "-drive");
    add(q, r, "if=none,id=root,format=raw,readonly=on,file=%s", path);
    add(q, r, "-device");
    add(q, r, "virtio-blk-pci,drive=root");
    return 0;
}

static int add_boot(struct qemu_command *q, int *r, const struct run_options *o, const struct run_boot *b,
                    const char *cmdline) {
    if (add_firmware(q, r, b) < 0)
        return -ENOMEM;
    if (o->netboot)
        return 0;
    if (b->is.kind != BOOTABLE_KERNEL && b->is.kind != BOOTABLE_UKI && b->is.kind != BOOTABLE_EFI)
        return add_medium(q, r, o, b);
    bool kernel = b->is.kind == BOOTABLE_KERNEL;
    add(q, r, "-kernel");
    add(q, r, "%s%s", b->path, kernel ? "-kernel" : "");
    if (!kernel)
        return 0;
    if (*b->root) {
        if (add_root(q, r, b) < 0)
            return -ENOMEM;
    } else {
        add(q, r, "-initrd");
        add(q, r, "%s-initrd.img", b->path);
    }
    add(q, r, "-append");
    add(q, r, "%s%s%s%s", cmdline, *b->root ? " root=/dev/vda ro" : "", o->cmdline_add ? " " : "",
        o->cmdline_add ? o->cmdline_add : "");
    return 0;
}

static int add_words(struct qemu_command *q, const struct run_options *o, const struct run_boot *b, const char *accel,
                     const char *cmdline) {
    int r = 0;
    add(q, &r, "qemu-system-%s", o->arch == RUN_X86_64 ? "x86_64" : "aarch64");
    add_machine(q, &r, o, accel);
    if (add_console(q, &r, o) < 0)
        return -ENOMEM;
    if (add_boot(q, &r, o, b, cmdline) < 0)
        return -ENOMEM;
    add(q, &r, "-device");
    add(q, &r, "virtio-rng-pci");
    if (add_network(q, &r, o) < 0 || add_disks(q, &r, o) < 0 || add_data(q, &r, b) < 0 || add_channels(q, &r, o) < 0 ||
        add_shares(q, &r, o) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < o->devices_len; i++) {
        add(q, &r, "-device");
        add(q, &r, "%s", o->devices[i]);
    }
    if (o->no_reboot)
        add(q, &r, "-no-reboot");
    return r;
}

int qemu_command(struct qemu_command *q, const struct run_options *o, const struct run_boot *b, const char *accel,
                 const char *cmdline, struct err *e) {
    *q = (struct qemu_command){0};
    int r = add_words(q, o, b, accel, cmdline);
    return r < 0 ? err_errno(e, r, "could not put QEMU's command line together") : 0;
}

void qemu_command_free(struct qemu_command *q) {
    for (size_t i = 0; i < q->len; i++)
        free(q->words[i]);
    q->len = 0;
}

static bool is_plain(const char *word) {
    return *word &&
           strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_") == strlen(word);
}

static int print_quoted(const char *word, struct buf *out) {
    int r = buf_puts(out, "'");
    for (; r == 0 && *word; word++)
        r = *word == '\'' ? buf_puts(out, "'\\''") : buf_append(out, word, 1);
    return r == 0 ? buf_puts(out, "'") : r;
}

int qemu_command_print(const struct qemu_command *q, struct buf *out) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < q->len; i++) {
        if (i > 0)
            r = buf_puts(out, " ");
        if (r == 0)
            r = is_plain(q->words[i]) ? buf_puts(out, q->words[i]) : print_quoted(q->words[i], out);
    }
    return r == 0 ? buf_puts(out, "\n") : r;
}
