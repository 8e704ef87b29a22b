/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of the made-up system that need nothing of it but to be written down, and to fail. */
#include "init/fake_calls.h"

#include <errno.h>
#include <linux/input.h>
#include <linux/rtc.h>
#include <linux/watchdog.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>

/* Devices. */

static const char *request_name(unsigned long request, void *data) {
    unsigned char *bits = data;

    switch ((unsigned)request) {
    case RTC_RD_TIME:
        *(struct rtc_time *)data = (struct rtc_time){.tm_mday = 1, .tm_year = 126};
        return "RTC_RD_TIME";
    case SIOCSIFADDR:
        return "SIOCSIFADDR";
    case SIOCSIFFLAGS:
        return "SIOCSIFFLAGS";
    case WDIOC_SETTIMEOUT:
        return "WDIOC_SETTIMEOUT";
    case WDIOC_GETTIMEOUT:
        return "WDIOC_GETTIMEOUT";
    default:
        bits[KEY_POWER / 8] |= 1 << KEY_POWER % 8;
        return "EVIOCGBIT";
    }
}

CALL(int, ioctl, int fd, unsigned long request, ...) {
    va_list ap;

    va_start(ap, request);
    void *data = va_arg(ap, void *);
    va_end(ap);
    if (!fake_is_on())
        return REAL(ioctl)(fd, request, data);
    return -fake_fails("ioctl %s %s", fake_fd_name(fd), request_name(request, data));
}

/* What a process is and has. */

CALL(int, sethostname, const char *name, size_t len) {
    return fake_is_on() ? -fake_fails("sethostname %s", name) : REAL(sethostname)(name, len);
}

CALL(int, gethostname, char *name, size_t len) {
    if (!fake_is_on())
        return REAL(gethostname)(name, len);
    (void)snprintf(name, len, "(none)");
    return -fake_fails("gethostname");
}

CALL(int, setrlimit, __rlimit_resource_t resource, const struct rlimit *limit) {
    if (!fake_is_on())
        return REAL(setrlimit)(resource, limit);
    return -fake_fails("setrlimit %s %lld", resource == RLIMIT_NOFILE ? "NOFILE" : "NPROC", (long long)limit->rlim_cur);
}

CALL(int, settimeofday, const struct timeval *now, const void *zone) {
    if (!fake_is_on())
        return REAL(settimeofday)(now, zone);
    return -fake_fails("settimeofday %lld", (long long)now->tv_sec);
}

CALL(int, prctl, int option, ...) {
    va_list ap;

    va_start(ap, option);
    unsigned long argument = va_arg(ap, unsigned long);
    va_end(ap);
    return fake_is_on() ? -fake_fails("prctl") : REAL(prctl)(option, argument, 0UL, 0UL, 0UL);
}

CALL(unsigned, alarm, unsigned seconds) {
    if (!fake_is_on())
        return REAL(alarm)(seconds);
    if (seconds)
        (void)fake_fails("alarm %u", seconds);
    return 0;
}

CALL(int, socket, int family, int type, int protocol) {
    if (!fake_is_on())
        return REAL(socket)(family, type, protocol);
    const char *name = family == AF_NETLINK ? "uevents" : "inet";
    return fake_fails("socket %s", name) ? -1 : fake_new_fd(name, NULL);
}

CALL(int, bind, int fd, const struct sockaddr *address, socklen_t len) {
    return fake_is_on() ? -fake_fails("bind %s", fake_fd_name(fd)) : REAL(bind)(fd, address, len);
}

CALL(int, socketpair, int family, int type, int protocol, int ends[2]) {
    if (!fake_is_on())
        return REAL(socketpair)(family, type, protocol, ends);
    if (fake_fails("socketpair"))
        return -1;
    ends[0] = fake_new_fd("store", NULL);
    ends[1] = fake_new_fd("store's other end", NULL);
    return 0;
}

/* The loop: it is never run, tests call what it would call. */

CALL(int, epoll_create1, int flags) {
    if (!fake_is_on())
        return REAL(epoll_create1)(flags);
    return fake_fails("epoll_create1") ? -1 : fake_new_fd("epoll", NULL);
}

CALL(int, epoll_ctl, int epoll, int operation, int fd, struct epoll_event *event) {
    if (!fake_is_on())
        return REAL(epoll_ctl)(epoll, operation, fd, event);
    errno = EBADF;
    return epoll < 0 || (operation != EPOLL_CTL_DEL && fake_fails("epoll_ctl %s", fake_fd_name(fd))) ? -1 : 0;
}

CALL(int, inotify_init1, int flags) {
    if (!fake_is_on())
        return REAL(inotify_init1)(flags);
    return fake_fails("inotify_init1") ? -1 : fake_new_fd("inotify", NULL);
}

CALL(int, inotify_add_watch, int fd, const char *path, uint32_t mask) {
    if (!fake_is_on())
        return REAL(inotify_add_watch)(fd, path, mask);
    return fake_fails("inotify_add_watch %s", path) ? -1 : 1;
}

CALL(int, timerfd_create, int clock, int flags) {
    if (!fake_is_on())
        return REAL(timerfd_create)(clock, flags);
    return fake_fails("timerfd_create") ? -1 : fake_new_fd("timer", NULL);
}

CALL(int, timerfd_settime, int fd, int flags, const struct itimerspec *value, struct itimerspec *old) {
    if (!fake_is_on())
        return REAL(timerfd_settime)(fd, flags, value, old);
    return -fake_fails("timerfd_settime");
}

CALL(int, signalfd, int fd, const sigset_t *set, int flags) {
    if (!fake_is_on())
        return REAL(signalfd)(fd, set, flags);
    return fake_fails("signalfd") ? -1 : fake_new_fd("signals", NULL);
}

CALL(int, sigprocmask, int how, const sigset_t *set, sigset_t *old) {
    return fake_is_on() ? -fake_fails("sigprocmask") : REAL(sigprocmask)(how, set, old);
}

/* Time stands still. */

CALL(uint64_t, clock_ms, void) {
    return fake_is_on() ? 5000 : REAL(clock_ms)();
}

CALL(uint64_t, clock_ns, void) {
    return fake_is_on() ? 5000000000 : REAL(clock_ns)();
}

/* Memory: it fails in one way only. */

static bool memory_fails(const char *call) {
    bool failed = fake_is_on() && fake_fails("%s", call);

    if (failed)
        errno = ENOMEM;
    return failed;
}

CALL(void *, malloc, size_t len) {
    return memory_fails("malloc") ? NULL : REAL(malloc)(len);
}

CALL(void *, calloc, size_t n, size_t len) {
    return memory_fails("calloc") ? NULL : REAL(calloc)(n, len);
}

CALL(void *, realloc, void *old, size_t len) {
    return memory_fails("realloc") ? NULL : REAL(realloc)(old, len);
}

CALL(void *, reallocarray, void *old, size_t n, size_t len) {
    return memory_fails("reallocarray") ? NULL : REAL(reallocarray)(old, n, len);
}

CALL(char *, strdup, const char *text) {
    return memory_fails("strdup") ? NULL : REAL(strdup)(text);
}

int WRAP(asprintf)(char **out, const char *fmt, ...) PRINTF_LIKE(2, 3);
CALL(int, asprintf, char **out, const char *fmt, ...) {
    va_list ap;

    if (memory_fails("asprintf"))
        return -1;
    va_start(ap, fmt);
    int n = vasprintf(out, fmt, ap);
    va_end(ap);
    return n;
}
