/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/fdutil.h"
#include "lib/loop.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#define FD_SCAN_MAX 65536

/* What the child sends up the status pipe when it cannot become the program; nothing arrives if it could. */
struct failure {
    int code; /* negative errno */
    enum { STEP_STDIO, STEP_FDS, STEP_SESSION, STEP_PARENT, STEP_CWD, STEP_EXEC } step;
};

static const char *const step_verb[] = {
    [STEP_STDIO] = "set up stdio for",     [STEP_FDS] = "pass descriptors to",
    [STEP_SESSION] = "make a session for", [STEP_PARENT] = "tie to its parent for",
    [STEP_CWD] = "enter the directory of", [STEP_EXEC] = "run",
};

/* Where there is no /dev/null: a pipe at its end does as well, and a program is not lost for it. */
static int open_nothing(void) {
    int ends[2];
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd >= 0 || pipe2(ends, O_CLOEXEC) < 0)
        return fd;
    (void)close(ends[1]);
    return ends[0];
}

/* Moves the given descriptors out of the way of 0-2 first: they may themselves be among these. */
static int child_stdio(const struct spawn *s) {
    int want[3] = {s->stdin_fd, s->stdout_fd, s->stderr_fd};
    int moved[3] = {-1, -1, -1};

    for (int i = 0; i < 3; i++) {
        if (i == 0 && want[i] < 0)
            moved[i] = open_nothing();
        else if (want[i] >= 0)
            moved[i] = fcntl(want[i], F_DUPFD_CLOEXEC, 3);
        else
            continue;
        if (moved[i] < 0)
            return -errno;
    }
    for (int i = 0; i < 3; i++) {
        bool in_place = moved[i] == i; /* /dev/null, where 0 was closed */
        if (moved[i] >= 0 && (in_place ? fcntl(i, F_SETFD, 0) : dup2(moved[i], i)) < 0)
            return -errno;
    }
    return 0;
}

static int child_fds(const struct spawn *s) {
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
        long end = sysconf(_SC_OPEN_MAX);
        if (end < 0 || end > FD_SCAN_MAX)
            end = FD_SCAN_MAX;
        for (int fd = 3; fd < end; fd++)
            (void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* most are not open */
    }
    for (unsigned i = 0; i < s->keep_fds_len; i++)
        if (fcntl(s->keep_fds[i], F_SETFD, 0) < 0)
            return -errno;
    return 0;
}

static int child_session(const struct spawn *s) {
    if (s->setsid && setsid() < 0)
        return -errno;
    if (s->setsid && s->ctty && ioctl(STDIN_FILENO, TIOCSCTTY, 1) < 0)
        return -errno;
    return 0;
}

static int child_parent(const struct spawn *s, pid_t parent) {
    if (!s->die_with_us)
        return 0;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -errno;
    return getppid() == parent ? 0 : -ESRCH; /* it died before we asked */
}

static void child_signals(void) {
    sigset_t none;

    for (int sig = 1; sig < NSIG; sig++)
        (void)signal(sig, SIG_DFL); /* fails for KILL, STOP and libc's own */
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_fail(int status_fd, int code, int step) {
    struct failure f = {.code = code};

    memcpy(&f.step, &step, sizeof(f.step));
    (void)write_full(status_fd, &f, sizeof(f));
    _exit(127);
}

static _Noreturn void child_main(const struct spawn *s, pid_t parent, int status_fd) {
    int fd = status_fd;
    int r;

    if (fd < 3 && (fd = fcntl(status_fd, F_DUPFD_CLOEXEC, 3)) < 0)
        _exit(127);
    if ((r = child_stdio(s)) < 0)
        child_fail(fd, r, STEP_STDIO);
    if ((r = child_fds(s)) < 0)
        child_fail(fd, r, STEP_FDS);
    if ((r = child_session(s)) < 0)
        child_fail(fd, r, STEP_SESSION);
    if ((r = child_parent(s, parent)) < 0)
        child_fail(fd, r, STEP_PARENT);
    if (s->cwd && chdir(s->cwd) < 0)
        child_fail(fd, -errno, STEP_CWD);
    child_signals();
    (void)execvpe(s->program ? s->program : s->argv[0], (char *const *)(uintptr_t)s->argv,
                  s->envp ? (char *const *)(uintptr_t)s->envp : environ);
    child_fail(fd, -errno, STEP_EXEC);
}

static void reap(pid_t pid) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int fork_child(const struct spawn *s, int status_pipe[2], pid_t *pid) {
    sigset_t all, old;
    pid_t parent = getpid();

    /* No handler of ours may run in the child. */
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &old);
    *pid = fork();
    int r = *pid < 0 ? -errno : 0;
    if (*pid == 0)
        child_main(s, parent, status_pipe[1]);
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
    return r;
}

int spawn(const struct spawn *s, pid_t *pid, int *pidfd, struct err *e) {
    int status_pipe[2];
    struct failure f = {0};

    *pid = 0;
    if (pipe2(status_pipe, O_CLOEXEC) < 0)
        return err_errno(e, -errno, "could not run %s", s->argv[0]);
    AUTO_CLOSE int read_end = status_pipe[0];
    int r = fork_child(s, status_pipe, pid);
    (void)close(status_pipe[1]);
    if (r < 0)
        return err_errno(e, r, "could not run %s", s->argv[0]);

    ssize_t n = read_full(read_end, &f, sizeof(f));
    if (n != 0) {
        reap(*pid);
        return n == (ssize_t)sizeof(f) ? err_errno(e, f.code, "could not %s %s", step_verb[f.step], s->argv[0])
                                       : err_errno(e, -EIO, "could not run %s", s->argv[0]);
    }
    if (!pidfd)
        return 0;
    *pidfd = (int)syscall(SYS_pidfd_open, *pid, 0U); /* close-on-exec by definition */
    if (*pidfd < 0) {
        r = -errno;
        (void)kill(*pid, SIGKILL);
        reap(*pid);
        return err_errno(e, r, "could not watch %s", s->argv[0]);
    }
    return 0;
}

/* 0: it ended; -ETIMEDOUT; or another negative errno. */
static int wait_readable(int fd, unsigned timeout_ms) {
    uint64_t deadline = clock_ms() + timeout_ms;
    struct pollfd p = {.fd = fd, .events = POLLIN};

    for (;;) {
        uint64_t now = clock_ms();
        int left = timeout_ms == 0 ? -1 : now >= deadline ? 0 : (int)(deadline - now);
        int n = poll(&p, 1, left);
        if (n > 0)
            return 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

int spawn_wait(const struct spawn *s, unsigned timeout_ms, int *status, struct err *e) {
    pid_t pid;
    AUTO_CLOSE int pidfd = -1;

    if (timeout_ms > INT32_MAX)
        timeout_ms = INT32_MAX;
    int r = spawn(s, &pid, &pidfd, e);
    if (r < 0)
        return r;
    int waited = wait_readable(pidfd, timeout_ms);
    if (waited < 0)
        (void)kill(pid, SIGKILL);
    do
        r = waitpid(pid, status, 0) < 0 ? -errno : 0;
    while (r == -EINTR);
    if (waited == -ETIMEDOUT)
        return err_set(e, waited, "could not wait for %s: it did not end within %u ms", s->argv[0], timeout_ms);
    if (waited < 0 || r < 0)
        return err_errno(e, waited < 0 ? waited : r, "could not wait for %s", s->argv[0]);
    return 0;
}

const char *exit_reason(int status, char *buf, size_t len) {
    if (WIFEXITED(status))
        (void)snprintf(buf, len, "exited with status %d", WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        (void)snprintf(buf, len, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        (void)snprintf(buf, len, "ended with wait status %#x", (unsigned)status);
    return buf;
}
