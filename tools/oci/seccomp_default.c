/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default profile, which is what Docker's allows: everything that programs use, save for what only administrators
 * do, which takes the capability for it. In the form of Docker's profiles, so that seccomp.c reads one kind.
 */
#include "tools/oci/oci_priv.h"
#include "tools/oci/seccomp.h"

#define CLONE_NEWANYTHING 0x7e020000 /* CLONE_NEW* of clone(2), without NEWTIME, which clone(2) cannot be asked for */

static const struct rule {
    const char *names;    /* separated by spaces */
    const char *cap;      /* only with it */
    const char *unless;   /* only without this capability */
    const char *arch;     /* only on this architecture */
    const char *op;       /* for the first argument, with `value` */
    json_int_t value;     /* the mask of SCMP_CMP_MASKED_EQ, whose value is 0 */
    json_int_t errno_ret; /* refuse with it instead of allowing */
} rules[] = {
    /* files and folders */
    {.names =
         "_llseek access cachestat chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 "
         "faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 "
         "fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat "
         "fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 "
         "getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown lchown32 "
         "lgetxattr link linkat listmount listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat "
         "lstat64 mkdir mkdirat mknod mknodat mq_unlink name_to_handle_at newfstatat open openat openat2 pipe pipe2 "
         "pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr "
         "removexattrat rename renameat renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64 "
         "statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs tee truncate truncate64 "
         "umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev"},
    /* waiting for files, and asynchronous input and output */
    {.names = "_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
              "epoll_wait_old eventfd eventfd2 io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 "
              "io_setup io_submit poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4 "
              "timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64"},
    /* memory */
    {.names = "brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap "
              "mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect "
              "process_mrelease process_vm_readv process_vm_writev remap_file_pages"},
    /* processes, threads, ids and signals */
    {.names =
         "capget capset execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait "
         "futex_waitv futex_wake get_robust_list get_thread_area getcpu getegid getegid32 geteuid geteuid32 getgid "
         "getgid32 getgroups getgroups32 getpgid getpgrp getpriority getresgid getresgid32 getresuid getresuid32 "
         "getrlimit getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set kill landlock_add_rule "
         "landlock_create_ruleset landlock_restrict_self pause pidfd_open pidfd_send_signal prctl prlimit64 ptrace "
         "restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
         "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min "
         "sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
         "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler "
         "sched_yield seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid "
         "setfsuid32 setgid setgid32 setgroups setgroups32 setpgid setpriority setregid setregid32 setresgid "
         "setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setuid setuid32 sigaltstack "
         "sigprocmask sigreturn tgkill tkill ugetrlimit uretprobe vfork wait4 waitid waitpid"},
    /* sockets, and messages between processes */
    {.names =
         "accept accept4 bind connect getpeername getsockname getsockopt ipc listen mq_getsetattr mq_notify mq_open "
         "mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 msgctl msgget msgrcv msgsnd recv "
         "recvfrom recvmmsg recvmmsg_time64 recvmsg semctl semget semop semtimedop semtimedop_time64 send sendmmsg "
         "sendmsg sendto setsockopt shmat shmctl shmdt shmget shutdown socketcall socketpair"},
    /* time, and the rest */
    {.names = "adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
              "clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer getpid getppid getrandom gettimeofday "
              "nanosleep riscv_hwprobe setitimer sysinfo time timer_create timer_delete timer_getoverrun timer_gettime "
              "timer_gettime64 timer_settime timer_settime64 times uname"},
    /* all families of sockets save for AF_ALG (38) and AF_VSOCK (40) */
    {.names = "socket", .op = "SCMP_CMP_LT", .value = 38},
    {.names = "socket", .op = "SCMP_CMP_EQ", .value = 39},
    {.names = "socket", .op = "SCMP_CMP_GT", .value = 40},
    /* PER_LINUX, PER_LINUX32, these with UNAME26, and the question which it is */
    {.names = "personality", .op = "SCMP_CMP_EQ", .value = 0},
    {.names = "personality", .op = "SCMP_CMP_EQ", .value = 8},
    {.names = "personality", .op = "SCMP_CMP_EQ", .value = 0x20000},
    {.names = "personality", .op = "SCMP_CMP_EQ", .value = 0x20008},
    {.names = "personality", .op = "SCMP_CMP_EQ", .value = 0xffffffff},
    {.names = "arch_prctl modify_ldt", .arch = "amd64"},
    {.names = "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls", .arch = "arm64"},
    /* threads and processes, but no namespaces; clone3's flags cannot be seen, and libc falls back to clone */
    {.names = "clone", .unless = "CAP_SYS_ADMIN", .op = "SCMP_CMP_MASKED_EQ", .value = CLONE_NEWANYTHING},
    {.names = "clone3", .unless = "CAP_SYS_ADMIN", .errno_ret = 38},
    {.names = "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr "
              "lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl "
              "quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare",
     .cap = "CAP_SYS_ADMIN"},
    {.names = "open_by_handle_at", .cap = "CAP_DAC_READ_SEARCH"},
    {.names = "reboot", .cap = "CAP_SYS_BOOT"},
    {.names = "chroot", .cap = "CAP_SYS_CHROOT"},
    {.names = "delete_module init_module finit_module", .cap = "CAP_SYS_MODULE"},
    {.names = "acct", .cap = "CAP_SYS_PACCT"},
    {.names = "kcmp pidfd_getfd process_madvise", .cap = "CAP_SYS_PTRACE"},
    {.names = "iopl ioperm", .cap = "CAP_SYS_RAWIO"},
    {.names = "settimeofday stime clock_settime clock_settime64", .cap = "CAP_SYS_TIME"},
    {.names = "vhangup", .cap = "CAP_SYS_TTY_CONFIG"},
    {.names = "get_mempolicy mbind set_mempolicy set_mempolicy_home_node", .cap = "CAP_SYS_NICE"},
    {.names = "syslog", .cap = "CAP_SYSLOG"},
    {.names = "bpf", .cap = "CAP_BPF"},
    {.names = "perf_event_open", .cap = "CAP_PERFMON"},
};

static json_t *args_of(const struct rule *r) {
    return r->op ? json_pack("[{s:i, s:I, s:s}]", "index", 0, "value", r->value, "op", r->op) : NULL;
}

/* {"KIND": [VALUE]}, or nothing without a value. */
static json_t *condition(const char *kind, const char *value) {
    return value ? json_pack("{s:[s]}", kind, value) : NULL;
}

static json_t *rule_document(const struct rule *r) {
    return json_pack("{s:o, s:s, s:o*, s:o*, s:o*, s:o*}", "names", split(r->names, ' '), "action",
                     r->errno_ret ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW", "args", args_of(r), "includes",
                     r->cap ? condition("caps", r->cap) : condition("arches", r->arch), "excludes",
                     condition("caps", r->unless), "errnoRet", r->errno_ret ? json_integer(r->errno_ret) : NULL);
}

/*
 * Without Docker's x32: every architecture costs the runtime a third of the filter's making at each start of a
 * container, which is as long as the rest of the start, and Debian's kernel has x32 switched off.
 */
json_t *seccomp_default_profile(void) {
    AUTO_JSON json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (json_array_append_new(list, rule_document(&rules[i])) < 0)
            return NULL;
    return json_pack("{s:s, s:i, s:[{s:s, s:[s]}, {s:s, s:[s]}], s:O}", "defaultAction", "SCMP_ACT_ERRNO",
                     "defaultErrnoRet", 1, "archMap", "architecture", "SCMP_ARCH_X86_64", "subArchitectures",
                     "SCMP_ARCH_X86", "architecture", "SCMP_ARCH_AARCH64", "subArchitectures", "SCMP_ARCH_ARM",
                     "syscalls", list);
}
