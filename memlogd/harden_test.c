/* SPDX-License-Identifier: Apache-2.0 */
/* In a child, which cannot come back: what is allowed after harden(), what fails, and what ends the process. */
#include "memlogd/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define COULD_NOT_HARDEN 200

/* What `body` returns in a child, or minus the signal that ended it. */
static int in_child(int (*before)(struct err *e), int (*body)(void)) {
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct err e = {0};
        (void)signal(SIGSEGV, SIG_DFL); /* the test's own handler has work to do */
        /* Not _exit(2): before that the address sanitizer would make calls of its own. */
        (void)syscall(SYS_exit_group, before && before(&e) < 0 ? COULD_NOT_HARDEN : body());
    }
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int hardened(int (*body)(void)) {
    return in_child(harden, body);
}

/* The number of the first that is refused. */
static int what_it_needs(void) {
    struct timespec t;
    char byte;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool works[] = {memory != MAP_FAILED,
                          mprotect(memory, 4096, PROT_READ) == 0,
                          munmap(memory, 4096) == 0,
                          syscall(SYS_clock_gettime, CLOCK_REALTIME, &t) == 0,
                          syscall(SYS_fcntl, 0, F_DUPFD_CLOEXEC, 0) != -EPERM,
                          recv(-1, &byte, 1, MSG_DONTWAIT) < 0 && errno == EBADF,
                          send(-1, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EBADF,
                          accept4(-1, NULL, NULL, SOCK_CLOEXEC) < 0 && errno == EBADF,
                          vmsplice(-1, NULL, 0, SPLICE_F_NONBLOCK) < 0 && errno == EBADF,
                          epoll_ctl(-1, EPOLL_CTL_DEL, -1, NULL) < 0 && errno == EBADF};

    for (size_t i = 0; i < ARRAY_SIZE(works); i++)
        if (!works[i])
            return (int)i + 1;
    return 0;
}

static bool refused(long result) {
    return result == -1 && errno == EPERM;
}

/* The number of the first that is not refused. */
static int what_it_does_not(void) {
    const bool fails[] = {refused(syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY)),
                          refused(syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0)),
                          refused(syscall(SYS_connect, -1, NULL, 0)),
                          refused(syscall(SYS_execve, "/bin/true", NULL, NULL)),
                          refused(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)),
                          refused(syscall(SYS_kill, getppid(), 0)),
                          refused(syscall(SYS_ptrace, 0, 0, NULL, NULL)),
                          refused(syscall(SYS_ioctl, 0, 0, NULL)),
                          refused(syscall(SYS_unlinkat, AT_FDCWD, "/nothing", 0)),
                          refused(syscall(SYS_getpid))};

    for (size_t i = 0; i < ARRAY_SIZE(fails); i++)
        if (!fails[i])
            return (int)i + 1;
    return 0;
}

static int executable_memory(void) {
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (!refused(syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)))
        return 1;
    return refused(syscall(SYS_mprotect, memory, 4096, PROT_READ | PROT_EXEC)) ? 0 : 2;
}

static void test_what_it_needs_works(void **state) {
    (void)state;
    assert_int_equal(hardened(what_it_needs), 0);
}

static void test_all_else_is_refused(void **state) {
    (void)state;
    assert_int_equal(hardened(what_it_does_not), 0);
}

static void test_no_memory_to_execute(void **state) {
    (void)state;
    assert_int_equal(hardened(executable_memory), 0);
}

#ifdef __x86_64__
/* getpid by i386's number, and write by x32's: the filter knows neither. */
static int call_as_i386(void) {
    int r = 20;

    __asm__ volatile("int $0x80" : "+a"(r) : : "memory");
    return 0;
}

static int call_as_x32(void) {
    (void)syscall(0x40000000 | SYS_write, -1, NULL, 0);
    return 0;
}

static void test_other_numbers_end_it(void **state) {
    /* A kernel that was built without i386's calls ends it before any filter is asked. */
    const bool has_i386 = in_child(NULL, call_as_i386) != -SIGSEGV;

    (void)state;
    assert_int_equal(hardened(call_as_i386), has_i386 ? -SIGSYS : -SIGSEGV);
    assert_int_equal(hardened(call_as_x32), -SIGSYS);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_needs_works),
        cmocka_unit_test(test_all_else_is_refused),
        cmocka_unit_test(test_no_memory_to_execute),
#ifdef __x86_64__
        cmocka_unit_test(test_other_numbers_end_it),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
