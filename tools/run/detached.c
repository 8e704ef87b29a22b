/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/detached.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/spawn.h"
#include "tools/run/state.h"
#include "tools/run/watch.h"

#define START_MS 60000
#define LEAVE_KEY 0x1d /* Ctrl-] */
#define TIMEOUT_MAX 86400

struct words {
    const char *name, *state;
    uint64_t timeout_s;
    bool force;
};

int detached_start(const struct qemu_command *q, const struct run_options *o) {
    struct spawn s = SPAWN_INIT;
    struct err e = {0};
    char reason[64];
    int status;

    s.argv = (const char *const *)q->words;
    int r = spawn_wait(&s, START_MS, &status, &e);
    if (r == -ENOENT)
        (void)err_set(&e, r, "could not find %s: install the Debian package %s", q->words[0],
                      o->arch == RUN_AARCH64 ? "qemu-system-arm" : "qemu-system-x86");
    if (!r && status != 0)
        r = err_set(&e, -EIO, "QEMU %s", exit_reason(status, reason, sizeof(reason)));
    if (r < 0)
        log_error("%s", e.msg);
    return r < 0;
}

static int connect_to(const struct words *w, const char *file, struct err *e) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char path[RUN_PATH_MAX];
    int r = state_file(w->state, w->name, file, path, e);

    if (!r && strlen(path) >= sizeof(addr.sun_path))
        r = err_errno(e, -ENAMETOOLONG, "could not connect to %s", path);
    if (r < 0)
        return r;
    memcpy(addr.sun_path, path, strlen(path) + 1);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(e, -errno, "could not connect to %s", path);
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
        return errno == ENOENT || errno == ECONNREFUSED
                   ? err_set(e, -ESRCH, "no machine of that name runs detached: nobody listens at %s", path)
                   : err_errno(e, -errno, "could not connect to %s", path);
    return steal_fd(&fd);
}

static int parse_words(int argc, char **argv, const char *usage, bool stops, struct words *w) {
    static const struct option options[] = {{"state", required_argument, NULL, 's'},
                                            {"timeout", required_argument, NULL, 't'},
                                            {"force", no_argument, NULL, 'f'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;

    *w = (struct words){.timeout_s = STOP_SECONDS};
    optind = 0;
    while ((option = getopt_long_only(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return write_full(STDOUT_FILENO, usage, strlen(usage)) < 0 ? -EIO : 1;
        if (option == 's')
            w->state = optarg;
        else if (stops && option == 'f')
            w->force = true;
        else if (!stops || option != 't' || parse_u64(optarg, TIMEOUT_MAX, &w->timeout_s) < 0)
            return -EINVAL;
    }
    if (optind < argc)
        w->name = argv[optind++];
    return optind < argc || (!w->name && !w->state) ? -EINVAL : 0;
}

/* --- stop --- */

/* True: the machine is gone. What QEMU says meanwhile is not looked at. */
static bool wait_for_end(int fd, uint64_t ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t end = clock_ms() + ms;
    char said[4096];

    for (uint64_t now = clock_ms(); now <= end; now = clock_ms()) {
        int r = poll(&p, 1, (int)(end - now));
        if (r < 0 && errno != EINTR)
            return false;
        if (r > 0 && read(fd, said, sizeof(said)) <= 0)
            return true;
    }
    return false;
}

static int tell(int fd, const char *command, struct err *e) {
    AUTO_BUF struct buf line = BUF_INIT;
    int r = buf_printf(&line, "{\"execute\":\"%s\"}\n", command);

    if (!r)
        r = send(fd, line.data, line.len, MSG_NOSIGNAL) == (ssize_t)line.len ? 0 : -errno;
    return r < 0 ? err_errno(e, r, "could not tell the machine to stop") : 0;
}

static int stop(const struct words *w, struct err *e) {
    AUTO_CLOSE int fd = connect_to(w, "qmp.sock", e);
    int r = fd < 0 ? fd : tell(fd, "qmp_capabilities", e);

    if (!r && !w->force)
        r = tell(fd, "system_powerdown", e);
    if (r < 0 || (!w->force && wait_for_end(fd, w->timeout_s * 1000)))
        return r;
    r = tell(fd, "quit", e);
    if (!r && !wait_for_end(fd, START_MS))
        return err_set(e, -ETIMEDOUT, "could not stop the machine: QEMU does not end");
    return r || w->force ? r
                         : err_set(e, -ETIMEDOUT, "it did not power off within %llu seconds: it was ended",
                                   (unsigned long long)w->timeout_s);
}

int stop_main(int argc, char **argv) {
    static const char usage[] = "usage: keelson stop [--state DIR] [--timeout SECONDS] [--force] NAME\n"
                                "Powers off a machine that `keelson run --detach` has started, and waits for its end.\n"
                                "  --state DIR        its state folder (NAME-state)\n"
                                "  --timeout SECONDS  then it is ended (90), and the exit status is 1\n"
                                "  --force            end it at once\n";
    struct words w;
    struct err e = {0};
    int r = parse_words(argc, argv, usage, true, &w);

    if (r > 0)
        return 0;
    if (r < 0) {
        (void)write_full(STDERR_FILENO, usage, strlen(usage));
        return RUN_MISUSE;
    }
    if ((r = stop(&w, &e)) < 0)
        log_error("%s", e.msg);
    return r < 0;
}

/* --- console --- */

/* False: the end of `from`, or the key that leaves. */
static bool pass_on(int from, int to, bool keys) {
    char chunk[4096];
    ssize_t n = read(from, chunk, sizeof(chunk));
    const char *leave = keys && n > 0 ? memchr(chunk, LEAVE_KEY, (size_t)n) : NULL;
    size_t len = leave ? (size_t)(leave - chunk) : n > 0 ? (size_t)n : 0;

    return write_full(to, chunk, len) == 0 && !leave && (n > 0 || (n < 0 && errno == EINTR));
}

/* Without a terminal the end of standard input is no reason to leave: the console is read to the machine's end. */
static void connect_terminal(int fd, bool terminal) {
    struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};

    for (;;) {
        if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
            return;
        if (p[0].revents && !pass_on(fd, STDOUT_FILENO, false))
            return;
        if (p[1].revents && !pass_on(STDIN_FILENO, fd, true)) {
            if (terminal)
                return;
            p[1].fd = -1;
        }
    }
}

int console_main(int argc, char **argv) {
    static const char usage[] = "usage: keelson console [--state DIR] NAME\n"
                                "The console of a machine that `keelson run --detach` has started. Ctrl-] leaves it.\n";
    struct termios saved, raw;
    struct words w;
    struct err e = {0};
    int r = parse_words(argc, argv, usage, false, &w);

    if (r > 0)
        return 0;
    if (r < 0) {
        (void)write_full(STDERR_FILENO, usage, strlen(usage));
        return RUN_MISUSE;
    }
    AUTO_CLOSE int fd = connect_to(&w, "console.sock", &e);
    if (fd < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    bool terminal = tcgetattr(STDIN_FILENO, &saved) == 0;
    if (terminal) {
        raw = saved;
        cfmakeraw(&raw);
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
        log_notice("connected; Ctrl-] leaves");
    }
    connect_terminal(fd, terminal);
    if (terminal)
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
    return 0;
}
