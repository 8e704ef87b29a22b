/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/spawn.h"

#define GUEST_PAGE 4096

#ifdef __x86_64__
static const bool HOST_IS_X86 = true;

/* Real mode, one page of memory at 0 that begins with HLT. */
static int load_halt(int vm, int vcpu, void *page, struct err *e) {
    *(unsigned char *)page = 0xf4;
    struct kvm_userspace_memory_region region = {.memory_size = GUEST_PAGE, .userspace_addr = (uintptr_t)page};
    struct kvm_sregs sregs;
    struct kvm_regs regs = {.rflags = 2};
    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0 || ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
        return err_errno(e, -errno, "could not set up a machine");
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
        return err_errno(e, -errno, "could not set registers");
    return 0;
}

static int run_halt(int kvm, int vm, int vcpu, struct err *e) {
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (size < (int)sizeof(struct kvm_run))
        return err_set(e, -EIO, "could not learn the size of a CPU's page");
    struct kvm_run *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    void *page = mmap(NULL, GUEST_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int r = 0;
    if (run == MAP_FAILED || page == MAP_FAILED)
        r = err_errno(e, -errno, "could not map a CPU's page");
    if (r == 0)
        r = load_halt(vm, vcpu, page, e);
    if (r == 0 && ioctl(vcpu, KVM_RUN, 0) < 0)
        r = err_errno(e, -errno, "could not run an instruction");
    if (r == 0 && run->exit_reason != KVM_EXIT_HLT)
        r = err_set(e, -EIO, "could not run an instruction: KVM exit reason %u", run->exit_reason);
    if (run != MAP_FAILED)
        (void)munmap(run, (size_t)size);
    if (page != MAP_FAILED)
        (void)munmap(page, GUEST_PAGE);
    return r;
}
#else
static const bool HOST_IS_X86 = false;

static int run_halt(int kvm, int vm, int vcpu, struct err *e) {
    (void)kvm, (void)vm, (void)vcpu, (void)e;
    return 0; /* a CPU that could be made is all that is asked of other machines */
}
#endif

int accel_try_kvm(const char *device, struct err *e) {
    AUTO_CLOSE int kvm = open(device, O_RDWR | O_CLOEXEC);
    if (kvm < 0)
        return err_errno(e, -errno, "could not open %s", device);
    int version = ioctl(kvm, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION)
        return err_set(e, -ENOTSUP, "could not use %s: it does not speak KVM's API version %d", device,
                       KVM_API_VERSION);
    AUTO_CLOSE int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0)
        return err_errno(e, -errno, "could not make a machine with %s", device);
    AUTO_CLOSE int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    if (vcpu < 0)
        return err_errno(e, -errno, "could not make a CPU with %s", device);
    return run_halt(kvm, vm, vcpu, e);
}

int accel_probe(const char *const *argv, unsigned timeout_ms, struct err *e) {
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.die_with_us = true;
    pid_t pid;
    AUTO_CLOSE int pidfd = -1;
    int r = spawn(&s, &pid, &pidfd, e);
    if (r < 0)
        return r;
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    do
        r = poll(&ended, 1, (int)timeout_ms);
    while (r < 0 && errno == EINTR);
    if (r <= 0) {
        (void)kill(pid, SIGKILL);
        return err_set(e, -ETIMEDOUT, "no answer within %u ms", timeout_ms);
    }
    int status;
    if (waitpid(pid, &status, 0) != pid)
        return err_errno(e, -errno, "could not wait for the probe");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    char reason[64];
    return err_set(e, -EIO, "the probe %s", exit_reason(status, reason, sizeof(reason)));
}

/* This program again, as the probe. */
static int probe_kvm(const struct run_options *o, struct err *e) {
    if ((o->arch == RUN_X86_64) != HOST_IS_X86)
        return err_set(e, -ENOTSUP, "the machine is not of the host's architecture");
    if (access("/dev/kvm", F_OK) < 0)
        return err_set(e, -ENOENT, "there is no /dev/kvm");
    const char *const argv[] = {"/proc/self/exe", "run", "--check-accel", "kvm", NULL};
    return accel_probe(argv, ACCEL_DEADLINE_MS, e);
}

int accel_pick(const struct run_options *o, const char **accel, struct err *e) {
    bool automatic = strcmp(o->accel, "auto") == 0;
    struct err why = {0};
    for (const char *word = automatic ? "kvm:tcg" : o->accel; word;) {
        if (strncmp(word, "tcg", 3) == 0) {
            if (why.code == -ETIMEDOUT || why.code == -EIO)
                log_notice("emulating the CPU: kvm does not work: %s", why.msg);
            *accel = "tcg";
            return 0;
        }
        if (probe_kvm(o, &why) == 0) {
            *accel = "kvm";
            return 0;
        }
        const char *colon = strchr(word, ':');
        word = colon ? colon + 1 : NULL;
    }
    return err_set(e, why.code, "could not use accelerator kvm: %s", why.msg);
}
