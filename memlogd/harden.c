/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/harden.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* libseccomp's, made for each architecture while building: filter_make.c says what is allowed. */
static const struct sock_filter filter[] = {
#include "memlogd/filter.inc"
};

static int filter_syscalls(void) {
    const struct sock_fprog program = {ARRAY_SIZE(filter), (struct sock_filter *)(uintptr_t)filter};

    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

/* In a container it may lack the capability for that (EPERM), or the user namespace the number (EINVAL). */
static int take_own_user(void) {
    if (geteuid() != 0 || (setgroups(0, NULL) == 0 && setresgid(HARDEN_ID, HARDEN_ID, HARDEN_ID) == 0 &&
                           setresuid(HARDEN_ID, HARDEN_ID, HARDEN_ID) == 0))
        return 0;
    return errno == EPERM || errno == EINVAL ? 0 : -errno;
}

static int drop_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

int harden(struct err *e) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_errno(e, -errno, "could not give up new privileges");
    int r = take_own_user();
    if (!r)
        r = drop_capabilities();
    if (r < 0)
        return err_errno(e, r, "could not give up root's powers");
    r = filter_syscalls();
    return r < 0 ? err_errno(e, r, "could not filter system calls") : 0;
}
