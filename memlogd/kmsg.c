/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kmsg: forwards /dev/kmsg to stderr, a line a record: "(SEQUENCE) - TIME: TEXT". Records that the kernel overwrote
 * before they were read are counted and told. The kernel writes control characters as \xHH itself. One descriptor; one
 * buffer of the longest record that the kernel has.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "memlogd/entry.h"
#include "memlogd/options.h"
#include "memlogd/output.h"
#include "memlogd/record.h"

#define RECORD_MAX 8192 /* CONSOLE_EXT_LOG_MAX */

/* When the machine started; asked for each time, as the clock may be set. */
static int64_t start_ns(void) {
    struct timespec real, boot;

    (void)clock_gettime(CLOCK_REALTIME, &real);
    (void)clock_gettime(CLOCK_BOOTTIME, &boot);
    return (int64_t)(real.tv_sec - boot.tv_sec) * 1000000000 + (real.tv_nsec - boot.tv_nsec);
}

static int print(const struct kmsg_record *r, uint64_t *expected) {
    char line[RECORD_MAX + 256], time[TIME_TEXT_MAX];
    size_t n = 0;

    if (r->seq > *expected)
        n = (size_t)snprintf(line, sizeof(line), "kmsg: %llu records lost%s\n",
                             (unsigned long long)(r->seq - *expected), *expected ? "" : " before it was started");
    *expected = r->seq + 1;
    (void)time_format(start_ns() + (int64_t)r->us * 1000, 9, time);
    n += (size_t)snprintf(line + n, sizeof(line) - n, "(%llu) - %s: ", (unsigned long long)r->seq, time);
    memcpy(line + n, r->text, r->text_len);
    n += r->text_len;
    line[n++] = '\n';
    return output_write(STDERR_FILENO, line, n);
}

static int forward(const char *path, bool once, struct err *e) {
    char data[RECORD_MAX];
    struct kmsg_record r;
    uint64_t expected = 0;

    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | (once ? O_NONBLOCK : 0));
    if (fd < 0)
        return err_errno(e, -errno, "could not open %s", path);
    for (;;) {
        ssize_t n = read(fd, data, sizeof(data));
        if (n < 0 && (errno == EINTR || errno == EPIPE)) /* EPIPE: overwritten; the next one is the oldest there is */
            continue;
        if (n == 0 || (n < 0 && once && errno == EAGAIN))
            return 0;
        if (n < 0)
            return err_errno(e, -errno, "could not read %s", path);
        if (kmsg_parse(data, (size_t)n, &r) < 0) {
            log_error("could not understand a record of %zd bytes", n);
            continue;
        }
        int w = print(&r, &expected);
        if (w < 0)
            return err_errno(e, w, "could not write");
    }
}

int main(int argc, char **argv) {
    const char *path = "/dev/kmsg";
    bool once = false;
    struct err e = {0};
    char **rest;
    const struct option_def defs[] = {{"device", OPTION_STRING, {.string = &path}, 0, 0, "what to read (/dev/kmsg)"},
                                      {"once", OPTION_FLAG, {.flag = &once}, 0, 0, "end after what is there"},
                                      {0}};

    (void)argc;
    log_init("kmsg", LOG_LEVEL_NOTICE);
    int r = options_parse(defs, argv, &rest, &e);
    if (r == -ECANCELED) {
        options_help(defs, "kmsg [OPTION...]");
        return 0;
    }
    if (!r && *rest)
        r = err_set(&e, -EINVAL, "there is no use for \"%s\"", *rest);
    if (!r)
        r = forward(path, once, &e);
    if (r < 0)
        log_error("%s", e.msg);
    return r < 0;
}
