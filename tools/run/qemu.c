/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/qemu.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void add_machine(struct qemu_command *q, int *r, const struct run_options *o, const char *accel) {
    bool kvm = strcmp(accel, "kvm") == 0;
    bool x86 = o->arch == RUN_X86_64;
    add(q, r, "-machine");
    add(q, r, "%s,accel=%s", x86 ? "q35" : "virt", accel);
    add(q, r, "-cpu");
    /* An emulated "max" on arm spends seconds on pointer authentication. */
    add(q, r, "%s", kvm ? "host" : x86 ? "max" : "cortex-a57");
    add(q, r, "-smp");
    add(q, r, "%llu", (unsigned long long)o->cpus);
    add(q, r, "-m");
    add(q, r, "%llu", (unsigned long long)o->mem_mib);
}

/* Console and QEMU's monitor share the terminal: Ctrl-A c switches, Ctrl-A x ends. Ctrl-C goes to the guest. */
static void add_console(struct qemu_command *q, int *r) {
    add(q, r, "-nodefaults");
    add(q, r, "-no-user-config");
    add(q, r, "-display");
    add(q, r, "none");
    add(q, r, "-chardev");
    add(q, r, "stdio,id=console,mux=on,signal=off");
    add(q, r, "-serial");
    add(q, r, "chardev:console");
    add(q, r, "-mon");
    add(q, r, "chardev=console,mode=readline");
}

static int add_network(struct qemu_command *q, int *r, const struct run_options *o) {
    if (!o->network)
        return 0;
    AUTO_BUF struct buf net = BUF_INIT;
    if (buf_puts(&net, "user,id=net0") < 0)
        return -ENOMEM;
    for (size_t i = 0; i < o->publish_len; i++) {
        const struct run_publish *p = &o->publish[i];
        bool v6 = strchr(p->address, ':') != NULL;
        if (buf_printf(&net, ",hostfwd=%s:%s%s%s:%u-:%u", p->udp ? "udp" : "tcp", v6 ? "[" : "", p->address,
                       v6 ? "]" : "", p->host, p->guest) < 0)
            return -ENOMEM;
    }
    add(q, r, "-netdev");
    add(q, r, "%s", net.data);
    add(q, r, "-device");
    add(q, r, "virtio-net-pci,netdev=net0,romfile="); /* no network boot, so no ROM to wait for */
    return 0;
}

static int add_disks(struct qemu_command *q, int *r, const struct run_options *o) {
    for (size_t i = 0; i < o->disks_len; i++) {
        AUTO_FREE char *path = comma_quoted(o->disks[i].path);
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
    if (o->channels_len > 0) {
        add(q, r, "-device");
        add(q, r, "virtio-serial-pci");
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

static int add_words(struct qemu_command *q, const struct run_options *o, const char *accel, const char *cmdline) {
    int r = 0;
    add(q, &r, "qemu-system-%s", o->arch == RUN_X86_64 ? "x86_64" : "aarch64");
    add_machine(q, &r, o, accel);
    add_console(q, &r);
    add(q, &r, "-kernel");
    add(q, &r, "%s-kernel", o->name);
    add(q, &r, "-initrd");
    add(q, &r, "%s-initrd.img", o->name);
    add(q, &r, "-append");
    add(q, &r, "%s%s%s", cmdline, o->cmdline_add ? " " : "", o->cmdline_add ? o->cmdline_add : "");
    add(q, &r, "-device");
    add(q, &r, "virtio-rng-pci");
    if (add_network(q, &r, o) < 0 || add_disks(q, &r, o) < 0 || add_channels(q, &r, o) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < o->devices_len; i++) {
        add(q, &r, "-device");
        add(q, &r, "%s", o->devices[i]);
    }
    if (o->no_reboot)
        add(q, &r, "-no-reboot");
    return r;
}

int qemu_command(struct qemu_command *q, const struct run_options *o, const char *accel, const char *cmdline,
                 struct err *e) {
    *q = (struct qemu_command){0};
    int r = add_words(q, o, accel, cmdline);
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
