/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run while building: has libseccomp make the filter of harden.c, for each architecture that keelson knows, and prints
 * it as C. So memlogd, which is static and stays in memory, has libseccomp's filter but not libseccomp.
 */
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/auto.h"
#include "lib/log.h"

/* What a daemon on lib/loop.h with Unix sockets needs when it has started. */
static const char *const allowed[] = {"read",           "write",      "writev",      "close",
                                      "fcntl",          "epoll_wait", "epoll_pwait", "epoll_ctl",
                                      "accept4",        "recvfrom",   "recvmsg",     "sendto",
                                      "sendmsg",        "poll",       "ppoll",       "timerfd_settime",
                                      "clock_gettime",  "getsockopt", "setsockopt",  "getpeername",
                                      "vmsplice",       "splice",     "pipe2",       "munmap",
                                      "mremap",         "madvise",    "brk",         "rt_sigprocmask",
                                      "rt_sigreturn",   "exit",       "exit_group",  "futex",
                                      "restart_syscall"};
/* Memory, but none that can be executed. */
static const char *const allowed_without_exec[] = {"mmap", "mprotect"};

static const struct {
    uint32_t token;
    const char *condition;
} arches[] = {{SCMP_ARCH_X86_64, "defined(__x86_64__)"},
              {SCMP_ARCH_AARCH64, "defined(__aarch64__)"},
              {SCMP_ARCH_RISCV64, "defined(__riscv) && __riscv_xlen == 64"}};

/* A call that this architecture has not (epoll_wait, poll) is left out by libseccomp. */
static int add_rules(scmp_filter_ctx ctx) {
    int r = 0;

    for (size_t i = 0; !r && i < ARRAY_SIZE(allowed); i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(allowed[i]), 0);
    for (size_t i = 0; !r && i < ARRAY_SIZE(allowed_without_exec); i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(allowed_without_exec[i]), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return r;
}

/* Everything else fails; what is called by another architecture's numbers ends the process. */
static int build(scmp_filter_ctx ctx, uint32_t arch) {
    int r = 0;

    if (arch != seccomp_arch_native()) {
        r = seccomp_arch_add(ctx, arch);
        r = r ? r : seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE);
    }
    r = r ? r : seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    r = r ? r : seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* by a tree, not one after the other */
    return r ? r : add_rules(ctx);
}

static int print(scmp_filter_ctx ctx) {
    AUTO_CLOSE int fd = memfd_create("filter", MFD_CLOEXEC);
    struct sock_filter f;
    ssize_t n;

    int r = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
    if (r < 0)
        return r;
    for (off_t at = 0; (n = pread(fd, &f, sizeof(f), at)) == (ssize_t)sizeof(f); at += n)
        (void)printf("    {0x%x, %u, %u, 0x%x},\n", f.code, f.jt, f.jf, f.k);
    return n == 0 ? 0 : -EIO;
}

int main(void) {
    int r = 0;

    log_init("filter_make", LOG_LEVEL_NOTICE);
    for (size_t i = 0; !r && i < ARRAY_SIZE(arches); i++) {
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        (void)printf("#%s %s\n", i ? "elif" : "if", arches[i].condition);
        r = ctx ? build(ctx, arches[i].token) : -ENOMEM;
        r = r ? r : print(ctx);
        seccomp_release(ctx);
    }
    (void)puts("#else\n#error \"no filter for this architecture: add it to memlogd/filter_make.c\"\n#endif");
    if (!r && fflush(stdout) < 0)
        r = -errno;
    if (r < 0)
        log_error("could not make the filter: %s", strerror(-r));
    return r < 0;
}
