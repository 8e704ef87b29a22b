/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `keelson run`: options, files, accelerator, QEMU, wait.
 *
 * Signals: SIGTERM, SIGHUP and SIGINT are passed on to QEMU as SIGTERM; SIGCHLD is waited for. The terminal belongs to
 * QEMU, which puts it into raw mode; we put it back in case QEMU could not. Descriptors: 0, 1 and 2 only.
 */
#include "tools/run/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/spawn.h"
#include "tools/run/accel.h"
#include "tools/run/disk.h"
#include "tools/run/options.h"
#include "tools/run/qemu.h"

#define CMDLINE_FILE_MAX 65536
#define RUN_MISUSE 100

/* Says which file is missing before QEMU says it less clearly. */
static int check_readable(const char *name, const char *suffix, struct err *e) {
    AUTO_BUF struct buf path = BUF_INIT;
    if (buf_printf(&path, "%s%s", name, suffix) < 0)
        return err_errno(e, -ENOMEM, "could not open %s%s", name, suffix);
    if (access(path.data, R_OK) < 0)
        return err_errno(e, -errno, "could not open %s", path.data);
    return 0;
}

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

/* The blocked signals that wait_qemu() takes one by one. */
static void block_signals(sigset_t *set) {
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGCHLD);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGHUP);
    (void)sigaddset(set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, set, NULL);
}

/* Returns the exit status of this program. */
static int wait_qemu(pid_t pid, const sigset_t *set) {
    int told = 0;
    for (;;) {
        int status;
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got < 0) {
            log_error("could not wait for QEMU: %s", strerror(errno));
            return 1;
        }
        if (got == pid && told)
            return 128 + told;
        if (got == pid && status == 0)
            return 0;
        if (got == pid) {
            char reason[64];
            log_error("QEMU %s", exit_reason(status, reason, sizeof(reason)));
            return 1;
        }
        int sig = sigwaitinfo(set, NULL);
        if (sig > 0 && sig != SIGCHLD) {
            told = sig;
            (void)kill(pid, SIGTERM);
        }
    }
}

static int run_qemu(const struct qemu_command *q) {
    struct termios saved;
    bool terminal = tcgetattr(STDIN_FILENO, &saved) == 0;
    sigset_t set;
    block_signals(&set);
    struct spawn s = SPAWN_INIT;
    s.argv = (const char *const *)q->words;
    s.stdin_fd = STDIN_FILENO;
    s.die_with_us = true;
    struct err e = {0};
    pid_t pid;
    int status = 1;
    if (spawn(&s, &pid, NULL, &e) < 0)
        log_error("%s%s", e.msg, e.code == -ENOENT ? " (Debian package qemu-system-x86 or qemu-system-arm)" : "");
    else
        status = wait_qemu(pid, &set);
    if (terminal)
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
    return status;
}

static int print_command(const struct qemu_command *q, struct err *e) {
    AUTO_BUF struct buf line = BUF_INIT;
    int r = qemu_command_print(q, &line);
    if (r == 0)
        r = write_full(STDOUT_FILENO, line.data, line.len);
    return r < 0 ? err_errno(e, r, "could not print the command") : 0;
}

static int prepare(struct run_options *o, struct qemu_command *q, struct err *e) {
    AUTO_BUF struct buf cmdline = BUF_INIT;
    const char *accel = NULL;
    int r = check_readable(o->name, "-kernel", e);
    if (r == 0)
        r = check_readable(o->name, "-initrd.img", e);
    if (r == 0)
        r = read_cmdline(o->name, &cmdline, e);
    for (size_t i = 0; r == 0 && i < o->disks_len; i++)
        r = disk_prepare(&o->disks[i], o->dry_run, e);
    if (r == 0)
        r = accel_pick(o, &accel, e);
    return r == 0 ? qemu_command(q, o, accel, cmdline.data, e) : r;
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
    int r = prepare(&o, &q, &e);
    if (r == 0 && !o.dry_run)
        return run_qemu(&q);
    if (r == 0)
        r = print_command(&q, &e);
    if (r < 0)
        log_error("%s", e.msg);
    return r < 0 ? 1 : 0;
}
