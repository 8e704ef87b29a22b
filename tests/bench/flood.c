/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log benches are made with. Each subcommand prints one line of NAME=NUMBER pairs.
 *
 *   flood give SOCKET LINES LEN    gives memlogd a pipe, writes LINES lines of LEN bytes: ns= until all are taken
 *   flood syslog SOCKET LINES LEN  the same as one syslog datagram a line
 *   flood floor LINES LEN          the same into a pipe whose reader only reads: its CPU time is cpu_ns=
 *   flood floor-syslog LINES LEN   the same as datagrams, one a line
 *   flood follow SOCKET LINES LEN  follows memlogd and counts lines of a flood: delivered=, reported=, until the last
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "memlogd/client.h"
#include "memlogd/entry.h"
#include "memlogd/wire.h"

#define SOURCE "flood"
#define CHUNK 65536
#define LEN_MAX 1024
#define HEAD "<14>Jan  2 03:04:05 " SOURCE ": "

struct flood {
    uint64_t lines;
    size_t len; /* of a line with its newline */
};

/* Line number n: the number, then filling, then a newline. */
static void put_line(char *to, uint64_t n, size_t len) {
    memset(to, 'x', len);
    for (size_t i = 10; i > 0; i--, n /= 10)
        to[i - 1] = (char)('0' + n % 10);
    to[10] = ' ';
    to[len - 1] = '\n';
}

static int write_pipe(int fd, const struct flood *f) {
    static char chunk[CHUNK];
    uint64_t n = 0;
    int r = 0;

    while (n < f->lines && !r) {
        size_t len = 0;
        for (; n < f->lines && len + f->len <= sizeof(chunk); len += f->len)
            put_line(chunk + len, n++, f->len);
        r = write_full(fd, chunk, len);
    }
    return r;
}

static int write_datagrams(int fd, const struct flood *f) {
    char message[sizeof(HEAD) + LEN_MAX];
    size_t head = sizeof(HEAD) - 1;

    memcpy(message, HEAD, head);
    for (uint64_t n = 0; n < f->lines; n++) {
        put_line(message + head, n, f->len);
        while (send(fd, message, head + f->len - 1, MSG_NOSIGNAL) < 0)
            if (errno != EINTR && errno != ENOBUFS)
                return -errno;
    }
    return 0;
}

/* Until the other side has taken everything. */
static void wait_until_taken(int fd, unsigned long question) {
    int left = 1;

    while (ioctl(fd, question, &left) == 0 && left > 0)
        (void)poll(NULL, 0, 1);
}

static int give(const char *socket, const struct flood *f, struct err *e) {
    int p[2];

    if (pipe2(p, O_CLOEXEC) < 0)
        return err_errno(e, -errno, "could not make a pipe");
    int r = wire_send_source(socket, SOURCE, p[0], e);
    (void)close(p[0]);
    if (r < 0)
        return r;
    uint64_t start = clock_ns();
    r = write_pipe(p[1], f);
    wait_until_taken(p[1], FIONREAD);
    (void)printf("ns=%llu\n", (unsigned long long)(clock_ns() - start));
    (void)close(p[1]);
    return r < 0 ? err_errno(e, r, "could not write") : 0;
}

static int give_syslog(const char *socket, const struct flood *f, struct err *e) {
    AUTO_CLOSE int fd = wire_connect(socket, SOCK_DGRAM, false, e);

    if (fd < 0)
        return fd;
    uint64_t start = clock_ns();
    int r = write_datagrams(fd, f);
    wait_until_taken(fd, TIOCOUTQ);
    (void)printf("ns=%llu\n", (unsigned long long)(clock_ns() - start));
    return r < 0 ? err_errno(e, r, "could not send") : 0;
}

static _Noreturn void only_read(int fd) {
    static char data[CHUNK];
    ssize_t n;

    while ((n = read(fd, data, sizeof(data))) > 0)
        ;
    _exit(n < 0);
}

/* The least that a log daemon must do: read. */
static int floor_of(bool datagrams, const struct flood *f, struct err *e) {
    int p[2], status;
    struct rusage use;

    if (datagrams ? socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p) < 0 : pipe2(p, O_CLOEXEC) < 0)
        return err_errno(e, -errno, "could not make a pipe");
    pid_t pid = fork();
    if (pid < 0)
        return err_errno(e, -errno, "could not fork");
    if (pid == 0) {
        (void)close(p[1]);
        only_read(p[0]);
    }
    (void)close(p[0]);
    uint64_t start = clock_ns();
    int r = datagrams ? write_datagrams(p[1], f) : write_pipe(p[1], f);
    (void)close(p[1]);
    if (wait4(pid, &status, 0, &use) < 0)
        return err_errno(e, -errno, "could not wait");
    uint64_t cpu = (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000000 +
                   (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000;
    (void)printf("ns=%llu cpu_ns=%llu\n", (unsigned long long)(clock_ns() - start), (unsigned long long)cpu);
    return r < 0 ? err_errno(e, r, "could not write") : 0;
}

static int follow(const char *socket, const struct flood *f, struct err *e) {
    uint64_t delivered = 0, reported = 0, last = 0;
    struct ring_entry entry;
    char *line, of[64];
    size_t len;
    unsigned long long n;

    AUTO_CLOSE int fd = wire_query(socket, WIRE_FOLLOW, e);
    if (fd < 0)
        return fd;
    (void)printf("ready=1\n");
    (void)fflush(stdout);
    struct client c = CLIENT_INIT(fd);
    while (last + 1 < f->lines && client_next(&c, &line, &len) == 1) {
        if (entry_parse(line, len, &entry) < 0)
            return err_set(e, -EINVAL, "could not understand a line of %zu bytes", len);
        if (!strcmp(entry.source, SOURCE)) {
            delivered++;
            last = strtoull(entry.msg, NULL, 10);
        } else if (!strcmp(entry.source, "memlogd") && sscanf(entry.msg, "%llu lines of %63s lost", &n, of) == 2 &&
                   !strcmp(of, SOURCE)) {
            reported += n;
        }
    }
    client_fini(&c);
    (void)printf("delivered=%llu reported=%llu\n", (unsigned long long)delivered, (unsigned long long)reported);
    return 0;
}

static int run(char **argv, int argc, struct err *e) {
    bool no_socket = argc == 4 && !strncmp(argv[1], "floor", 5);
    struct flood f;
    uint64_t len;

    if ((argc != 5 && !no_socket) || parse_u64(argv[argc - 2], UINT32_MAX, &f.lines) < 0 ||
        parse_u64(argv[argc - 1], LEN_MAX, &len) < 0 || len < 12 || f.lines == 0)
        return err_set(e, -EINVAL, "usage: flood give|syslog|follow SOCKET LINES LEN | flood floor[-syslog] LINES LEN");
    f.len = (size_t)len;
    if (no_socket)
        return floor_of(!strcmp(argv[1], "floor-syslog"), &f, e);
    if (!strcmp(argv[1], "give"))
        return give(argv[2], &f, e);
    if (!strcmp(argv[1], "syslog"))
        return give_syslog(argv[2], &f, e);
    if (!strcmp(argv[1], "follow"))
        return follow(argv[2], &f, e);
    return err_set(e, -EINVAL, "there is no %s", argv[1]);
}

int main(int argc, char **argv) {
    struct err e = {0};

    log_init("flood", LOG_LEVEL_NOTICE);
    (void)signal(SIGPIPE, SIG_IGN);
    int r = run(argv, argc, &e);
    if (r < 0)
        log_error("%s", e.msg);
    return r < 0;
}
