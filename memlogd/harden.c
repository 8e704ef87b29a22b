/* SPDX-License-Identifier: Apache-2.0 */
/* The filter is written out: libseccomp has no static library for musl, and this is all it would say. */
#include "memlogd/harden.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#endif /* others: does not compile */

static const int allowed[] = {
    SYS_read,           SYS_write,        SYS_writev,  SYS_close,          SYS_fcntl,
    SYS_epoll_pwait,    SYS_epoll_ctl,    SYS_accept4, SYS_recvfrom,       SYS_recvmsg,
    SYS_sendto,         SYS_sendmsg,      SYS_ppoll,   SYS_timerfd_create, SYS_timerfd_settime,
    SYS_clock_gettime,  SYS_munmap,       SYS_mremap,  SYS_madvise,        SYS_brk,
    SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_exit,    SYS_exit_group,     SYS_restart_syscall,
    SYS_futex,
#ifdef SYS_epoll_wait
    SYS_epoll_wait,     SYS_poll,
#endif
};

/* Memory, but none that can be executed. */
static const int allowed_without_exec[] = {SYS_mmap, SYS_mprotect};

#define LOAD(field)                                                                                                    \
    (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, field))
#define JUMP(op, k, yes, no) (struct sock_filter) BPF_JUMP(BPF_JMP | (op) | BPF_K, (unsigned)(k), (yes), (no))
#define RETURN(what) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, (what))
#define REFUSE RETURN(SECCOMP_RET_ERRNO | EPERM)
/* The low half of an argument. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOW_HALF 0
#else
#define LOW_HALF 4
#endif
#define PROT_ARG (offsetof(struct seccomp_data, args) + 2 * sizeof(__u64) + LOW_HALF)

static int filter_syscalls(void) {
    struct sock_filter f[8 + 2 * ARRAY_SIZE(allowed) + 5 * ARRAY_SIZE(allowed_without_exec)];
    unsigned short n = 0;

    f[n++] = LOAD(arch);
    f[n++] = JUMP(BPF_JEQ, ARCH, 1, 0);
    f[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
    f[n++] = LOAD(nr);
    for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
        f[n++] = JUMP(BPF_JEQ, allowed[i], 0, 1);
        f[n++] = RETURN(SECCOMP_RET_ALLOW);
    }
    for (size_t i = 0; i < ARRAY_SIZE(allowed_without_exec); i++) {
        f[n++] = JUMP(BPF_JEQ, allowed_without_exec[i], 0, 4);
        f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)PROT_ARG);
        f[n++] = JUMP(BPF_JSET, PROT_EXEC, 1, 0);
        f[n++] = RETURN(SECCOMP_RET_ALLOW);
        f[n++] = REFUSE;
    }
    f[n++] = REFUSE;
    const struct sock_fprog program = {n, f};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

static int drop_root(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(HARDEN_ID, HARDEN_ID, HARDEN_ID) < 0 ||
                           setresuid(HARDEN_ID, HARDEN_ID, HARDEN_ID) < 0))
        return -errno;
    return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

int harden(struct err *e) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_errno(e, -errno, "could not give up new privileges");
    int r = drop_root();
    if (r < 0)
        return err_errno(e, r, "could not give up root's powers");
    r = filter_syscalls();
    return r < 0 ? err_errno(e, r, "could not filter system calls") : 0;
}
