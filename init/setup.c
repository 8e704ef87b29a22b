/* SPDX-License-Identifier: Apache-2.0 */
#include "init/setup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/rtc.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#include "init/report.h"
#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/request.h"

#define NOFILE_MAX 1048576
#ifndef HOST_NAME_MAX
#define HOST_NAME_MAX 64
#endif
#define ISSUE_MAX 4096

int setup_console(void) {
    int r = 0;
    int fd = open("/dev/console", O_RDWR | O_NOCTTY);

    if (fd < 0) {
        r = -errno;
        fd = open("/dev/null", O_RDWR);
    }
    for (int i = 0; i < 3 && fd >= 0; i++)
        if (fd != i && dup2(fd, i) < 0 && !r)
            r = -errno;
    if (fd > 2)
        (void)close(fd);
    return r;
}

void setup_clock(void) {
    struct rtc_time rt;

    AUTO_CLOSE int fd = open("/dev/rtc0", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        report_unless_absent("open", "/dev/rtc0");
        return;
    }
    if (ioctl(fd, IOCTL_REQUEST(RTC_RD_TIME), &rt) < 0) {
        report_failed("read", "/dev/rtc0");
        return;
    }
    struct tm tm = {.tm_sec = rt.tm_sec,
                    .tm_min = rt.tm_min,
                    .tm_hour = rt.tm_hour,
                    .tm_mday = rt.tm_mday,
                    .tm_mon = rt.tm_mon,
                    .tm_year = rt.tm_year};
    const struct timeval now = {.tv_sec = timegm(&tm)};
    if (settimeofday(&now, NULL) < 0)
        report_failed("set", "the clock from /dev/rtc0");
}

void setup_loopback(void) {
    struct ifreq req = {.ifr_name = "lo"};
    struct sockaddr_in *addr = (struct sockaddr_in *)(void *)&req.ifr_addr;

    AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    addr->sin_family = AF_INET;
    addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) {
        report_failed("set up", "lo");
        return;
    }
    if (ioctl(fd, SIOCSIFADDR, &req) < 0) /* the class gives the netmask: /8 */
        report_failed("give an address to", "lo");
    req.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(fd, SIOCSIFFLAGS, &req) < 0)
        report_failed("bring up", "lo");
}

void setup_limits(void) {
    const struct rlimit files = {NOFILE_MAX, NOFILE_MAX};
    const struct rlimit processes = {RLIM_INFINITY, RLIM_INFINITY};

    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        report_failed("set", "RLIMIT_NOFILE");
    if (setrlimit(RLIMIT_NPROC, &processes) < 0)
        report_failed("set", "RLIMIT_NPROC");
}

/* The file's first line without white space at its end; "" if there is none. */
static void read_word(const char *path, char *out, size_t len) {
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read_full(fd, out, len - 1);

    if (fd < 0 || n < 0)
        report_unless_absent("read", path);
    out[n < 0 ? 0 : n] = '\0';
    out[strcspn(out, " \t\r\n")] = '\0';
}

static void name_from_mac(char *name, size_t len) {
    char mac[32];
    size_t used = strlen("linuxkit-");

    read_word("/sys/class/net/eth0/address", mac, sizeof(mac));
    if (!*mac)
        return;
    (void)snprintf(name, len, "linuxkit-");
    for (const char *p = mac; *p && used + 1 < len; p++)
        if (*p != ':')
            name[used++] = *p;
    name[used] = '\0';
}

void setup_hostname(void) {
    char name[HOST_NAME_MAX + 1];
    char now[HOST_NAME_MAX + 1] = "";

    read_word("/etc/hostname", name, sizeof(name));
    (void)gethostname(now, sizeof(now));
    if (!*name && (!*now || !strcmp(now, "(none)")))
        name_from_mac(name, sizeof(name));
    if (*name && sethostname(name, strlen(name)) < 0)
        report_failed("set the host name to", name);
}

void setup_resolv_conf(void) {
    char target[512], relative[520];
    struct err e = {0};
    ssize_t n = readlink("/etc/resolv.conf", target, sizeof(target) - 1);

    if (n < 0 && errno != EINVAL) /* that is: no link */
        report_unless_absent("read", "/etc/resolv.conf");
    if (n <= 0)
        return;
    target[n] = '\0';
    if (*target != '/' && snprintf(relative, sizeof(relative), "/etc/%s", target) < (int)sizeof(target))
        memcpy(target, relative, strlen(relative) + 1);
    char *slash = strrchr(target, '/');
    if (slash && slash != target) {
        *slash = '\0';
        if (mkdir_p(target, 0755, &e) < 0)
            log_error("%s", e.msg);
        *slash = '/';
    }
    AUTO_CLOSE int fd = open("/etc/resolv.conf", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        report_failed("create", target);
}

void setup_issue(const struct cmdline *c) {
    AUTO_BUF struct buf issue = {.max = ISSUE_MAX};
    char path[48];
    struct err e = {0};

    int r = read_file("/etc/issue", ISSUE_MAX / 2, &issue, &e);
    if (r < 0 && r != -ENOENT)
        log_error("%s", e.msg);
    if (r < 0 || !issue.data)
        return;
    for (size_t i = 0; i < c->consoles_len; i++) {
        (void)snprintf(path, sizeof(path), "/dev/%s", c->consoles[i].name);
        AUTO_CLOSE int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
            report_unless_absent("open", path);
        else
            (void)write_full(fd, issue.data, issue.len); /* a console that takes no more does without */
    }
}
