/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/log.h"
#include "lib/spawn.h"

#define PROBE_OUTPUT_MAX ((size_t)1 << 20)
#define REAP_MS 1000 /* what a killed probe gets to disappear */

/* Without a root the kernel panics after its last initcall; one with an initramfs inside frees its start-up memory. */
static const char *const STARTED[] = {"Kernel panic - not syncing", "Freeing unused kernel"};

static bool has_started(const struct buf *out) {
    for (size_t i = 0; i < ARRAY_SIZE(STARTED); i++)
        if (out->len > 0 && memmem(out->data, out->len, STARTED[i], strlen(STARTED[i])))
            return true;
    return false;
}

static int64_t now_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Like poll(2) for reading on one descriptor, until `deadline`; 0 when that has come. */
static int wait_readable(int fd, int64_t deadline) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int r;
    do {
        int64_t left = deadline - now_ms();
        r = poll(&p, 1, left > 0 ? (int)left : 0);
    } while (r < 0 && errno == EINTR);
    return r;
}

static int watch(int fd, unsigned timeout_ms, struct err *e) {
    AUTO_BUF struct buf out = {.max = PROBE_OUTPUT_MAX};
    int64_t deadline = now_ms() + timeout_ms;
    while (!has_started(&out)) {
        int r = wait_readable(fd, deadline);
        if (r == 0)
            return err_set(e, -ETIMEDOUT, "the kernel does not start within %u ms", timeout_ms);
        char *room = r < 0 ? NULL : buf_reserve(&out, 4096);
        if (!room)
            return err_set(e, -EIO, "could not watch the kernel start");
        ssize_t n = read(fd, room, 4096);
        if (n == 0)
            return err_set(e, -EIO, "QEMU ended before the kernel had started");
        if (n < 0 && errno != EINTR)
            return err_errno(e, -errno, "could not watch the kernel start");
        buf_commit(&out, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

int accel_probe(const char *const *argv, unsigned timeout_ms, struct err *e) {
    int ends[2];
    AUTO_CLOSE int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(e, -errno, "could not make a pipe");
    AUTO_CLOSE int read_end = ends[0];
    AUTO_CLOSE int write_end = ends[1];
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.stdout_fd = write_end;
    s.stderr_fd = null; /* what QEMU says of an accelerator that does not work is no news */
    s.die_with_us = true;
    pid_t pid;
    AUTO_CLOSE int pidfd = -1;
    int r = spawn(&s, &pid, &pidfd, e);
    if (r < 0)
        return r;
    (void)close(steal_fd(&write_end));
    r = watch(read_end, timeout_ms, e);
    (void)kill(pid, SIGKILL);
    if (wait_readable(pidfd, now_ms() + REAP_MS) > 0)
        (void)waitpid(pid, NULL, 0);
    return r;
}

int accel_try(const struct run_options *o, const char *accel, unsigned timeout_ms, struct err *e) {
    bool x86 = o->arch == RUN_X86_64;
    char kernel[RUN_PATH_MAX], machine[64];
    if (snprintf(kernel, sizeof(kernel), "%s-kernel", o->name) >= (int)sizeof(kernel))
        return err_errno(e, -ENAMETOOLONG, "could not open %s-kernel", o->name);
    (void)snprintf(machine, sizeof(machine), "%s,accel=%s", x86 ? "q35" : "virt", accel);
    const char *const argv[] = {
        x86 ? "qemu-system-x86_64" : "qemu-system-aarch64",
        "-machine",
        machine,
        "-cpu",
        strcmp(accel, "kvm") == 0 ? "host" : "max",
        "-m",
        "256",
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        "-display",
        "none",
        "-serial",
        "stdio",
        "-kernel",
        kernel,
        "-append",
        x86 ? "console=ttyS0 panic=-1" : "console=ttyAMA0 panic=-1",
        NULL,
    };
    return accel_probe(argv, timeout_ms, e);
}

static enum run_arch host_arch(void) {
#ifdef __aarch64__
    return RUN_AARCH64;
#else
    return RUN_X86_64;
#endif
}

static int check_kvm(const struct run_options *o, struct err *e) {
    if (o->arch != host_arch())
        return err_set(e, -ENOTSUP, "the machine is not of the host's architecture");
    if (access("/dev/kvm", R_OK | W_OK) < 0)
        return err_errno(e, -errno, "could not open /dev/kvm");
    return 0;
}

static int try_kvm(const struct run_options *o, struct err *e) {
    int r = check_kvm(o, e);

    return r ? r : accel_try(o, "kvm", ACCEL_DEADLINE_MS, e);
}

int accel_pick(const struct run_options *o, bool kernel, const char **accel, struct err *e) {
    bool automatic = strcmp(o->accel, "auto") == 0;
    struct err why = {0};
    if (automatic && !kernel && o->arch == host_arch() && access("/dev/kvm", R_OK | W_OK) == 0)
        log_notice("emulating the CPU: whether kvm works cannot be tried with an image; see --accel kvm");
    for (const char *word = automatic ? kernel ? "kvm:tcg" : "tcg" : o->accel; word;) {
        if (strncmp(word, "tcg", 3) == 0) {
            if (why.code == -ETIMEDOUT || why.code == -EIO || why.code == -EACCES)
                log_notice("emulating the CPU, since kvm does not work: %s", why.msg);
            *accel = "tcg";
            return 0;
        }
        if ((kernel ? try_kvm(o, &why) : check_kvm(o, &why)) == 0) {
            *accel = "kvm";
            return 0;
        }
        const char *colon = strchr(word, ':');
        word = colon ? colon + 1 : NULL;
    }
    return err_set(e, why.code, "could not use accelerator kvm: %s", why.msg);
}
