/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `keelson run`: options, files, accelerator, QEMU, wait.
 *
 * The terminal belongs to QEMU, which puts it into raw mode; we put it back in case QEMU could not. Signals and
 * descriptors are those of watch.h.
 */
#include "tools/run/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/temp.h"
#include "tools/run/accel.h"
#include "tools/run/boot.h"
#include "tools/run/detached.h"
#include "tools/run/disk.h"
#include "tools/run/options.h"
#include "tools/run/qemu.h"
#include "tools/run/shares.h"
#include "tools/run/state.h"
#include "tools/run/watch.h"

#define CMDLINE_FILE_MAX 65536

/* The text of NAME-cmdline on one line. */
static int read_cmdline(const char *name, struct buf *out, struct err *e) {
    AUTO_BUF struct buf path = BUF_INIT;
    if (buf_printf(&path, "%s-cmdline", name) < 0 || buf_puts(out, "") < 0)
        return err_errno(e, -ENOMEM, "could not open %s-cmdline", name);
    int r = read_file(path.data, CMDLINE_FILE_MAX, out, e);
    if (r < 0)
        return r;
    while (out->len > 0 && strchr("\n ", out->data[out->len - 1]))
        out->data[--out->len] = '\0';
    for (size_t i = 0; i < out->len; i++)
        if (out->data[i] == '\n')
            out->data[i] = ' ';
    return 0;
}

/* The guest's port, and what QEMU inherits of it; closed if QEMU does not run. */
static int open_guest_port(struct run_options *o, int *guest_fd, int *inherited_fd, struct err *e) {
    int ends[2];

    if (o->wait == RUN_WAIT_NOT || o->dry_run)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return err_errno(e, -errno, "could not make a port for the guest");
    *guest_fd = ends[0];
    *inherited_fd = o->record_fd = ends[1];
    return 0;
}

static int print_command(const struct qemu_command *q, struct err *e) {
    AUTO_BUF struct buf line = BUF_INIT;
    int r = qemu_command_print(q, &line);
    if (r == 0)
        r = write_full(STDOUT_FILENO, line.data, line.len);
    return r < 0 ? err_errno(e, r, "could not print the command") : 0;
}

/* Whether the picture can be written: to hear that behind a boot would be late. */
static int check_boot_chart(const struct run_options *o, struct err *e) {
    AUTO_FREE char *made = NULL;
    AUTO_CLOSE int fd = -1;
    int r = 0;

    if (!o->boot_chart || o->dry_run)
        return 0;
    if (temp_is_special(o->boot_chart))
        r = access(o->boot_chart, W_OK) < 0 ? -errno : 0;
    else if ((fd = temp_file_make(o->boot_chart, &made)) >= 0)
        temp_file_remove(made);
    else
        r = fd;
    return r < 0 ? err_errno(e, r, "could not write %s", o->boot_chart) : 0;
}

static int prepare(struct run_options *o, struct shares *shares, struct qemu_command *q, struct err *e) {
    AUTO_BUF struct buf cmdline = BUF_INIT;
    const char *accel = NULL;
    static struct run_boot boot; /* static for its size, as the options are */
    int r = boot_find(o, &boot, e);
    bool kernel = boot.is.kind == BOOTABLE_KERNEL;
    if (r == 0 && kernel)
        r = read_cmdline(o->name, &cmdline, e);
    if (r == 0 && !o->dry_run)
        r = boot_check(o, &boot, e);
    if (r == 0)
        r = state_prepare(o, boot.data_iso, e);
    for (size_t i = 0; r == 0 && i < o->disks_len; i++)
        r = disk_prepare(&o->disks[i], o->dry_run, e);
    if (r == 0)
        r = accel_pick(o, kernel, &accel, e);
    if (r == 0 && !o->dry_run)
        r = shares_start(shares, o, e);
    return r == 0 ? qemu_command(q, o, &boot, accel, cmdline.data, e) : r;
}

int run_main(int argc, char **argv) {
    static struct run_options o; /* static for its size: paths are held in it */
    struct err e = {0};
    if (run_options_parse(&o, argc, argv, &e) < 0) {
        log_error("%s", e.msg);
        log_error("`keelson run --help` lists the options");
        return RUN_MISUSE;
    }
    if (o.help)
        return write_full(STDOUT_FILENO, run_usage(), strlen(run_usage())) < 0 ? 1 : 0;
    AUTO_QEMU_COMMAND struct qemu_command q = {0};
    AUTO_SHARES struct shares shares = {0};
    AUTO_CLOSE int guest_fd = -1;
    AUTO_CLOSE int inherited_fd = -1;
    int r = check_boot_chart(&o, &e);
    if (r == 0)
        r = open_guest_port(&o, &guest_fd, &inherited_fd, &e);
    if (r == 0)
        r = prepare(&o, &shares, &q, &e);
    if (r == 0 && !o.dry_run && o.detach)
        return detached_start(&q, &o);
    if (r == 0 && !o.dry_run)
        return watch_run(&q, &o, guest_fd, steal_fd(&inherited_fd));
    if (r == 0)
        r = print_command(&q, &e);
    if (r < 0)
        log_error("%s", e.msg);
    return r < 0 ? watch_not_started(&o) : 0;
}
