/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rungetty: a getty on every console= of the kernel command line that is a terminal, respawned for ever.
 *
 * Environment: INSECURE=true logs root in without a password. INITGETTY: run from /etc/init.d as a debugging aid; goes
 * into the background. Signals: SIGCHLD; SIGTERM and SIGINT hang up the consoles and end it. Files: the appliance's
 * /etc/getty.shadow (/hostroot/etc/getty.shadow in a container) becomes /etc/shadow; /etc/securetty only leads to a
 * warning; /run/keelson/rungetty.lock is locked while it runs. Bounds: at most 16 consoles, 1 KiB of notices.
 * Descriptors: standard error opened anew without waiting, an epoll, a signalfd, an inotify, the lock, at most three
 * timers and one for each getty that waits to be started again.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "cmdline/cmdline.h"
#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "rungetty/lines.h"
#include "rungetty/shadow.h"

#define HOST_SHADOW "/hostroot/etc/getty.shadow"
#define HOST_SHADOW_LABEL (HOST_SHADOW + sizeof("/hostroot") - 1)
#define SHADOW "/etc/shadow"
#define SECURETTY "/etc/securetty"
#define SECURETTY_MAX 65536
#define LOCK_DIR "/run/keelson"
#define LOCK LOCK_DIR "/rungetty.lock"
#define LOCK_AGAIN_MS 2000

struct rungetty {
    struct loop loop;
    struct loop_source signals, lock_again;
    int lock;
    struct cmdline cmdline;
    struct lines lines;
    struct buf notices, securetty;
    bool insecure;
};

/* A console or a log that takes nothing must not hold up the logins on the others. */
static void log_without_waiting(void) {
    int fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0)
        log_set_fd(fd);
}

static void log_notices(const struct buf *notices) {
    for (const char *p = notices->data; p && *p;) {
        size_t len = strcspn(p, "\n");
        log_warning("%.*s", (int)len, p);
        p += len + (p[len] == '\n');
    }
}

static void add_notice(struct rungetty *r, const char *what) {
    if (buf_printf(&r->notices, "%s\n", what) < 0)
        log_warning("%s", what); /* the console has been told enough */
}

/* What is wrong with the password file is said where somebody waits for a login that will not come. */
static void replace_shadow(struct rungetty *r) {
    struct err e = {0};

    int result = shadow_install(HOST_SHADOW, HOST_SHADOW_LABEL, SHADOW, &r->notices, &e);
    bool replaced = result == 0;
    if (result == -ENOENT)
        result = r->insecure ? 0 : shadow_examine(SHADOW, &r->notices, &e);
    if (result < 0)
        add_notice(r, e.msg);
    else if (!replaced && r->notices.len > 0)
        add_notice(r, "there is no /etc/getty.shadow that says otherwise");
}

/* Whoever writes another word than true means it, but opening a machine is not for a guess. */
static bool wants_insecure(struct rungetty *r) {
    const char *value = getenv("INSECURE");
    char said[128];

    if (!value || !*value || !strcmp(value, "false"))
        return false;
    if (!strcmp(value, "true"))
        return true;
    (void)snprintf(said, sizeof(said), "INSECURE=%.32s is not INSECURE=true: a password is asked for", value);
    add_notice(r, said);
    return false;
}

static void start_lines(struct rungetty *r) {
    struct lines_config config = {.dev = "/dev", .program = GETTY_PROGRAM, .notices = "", .again_ms = LINES_AGAIN_MS};

    r->notices.max = GETTY_NOTICE_MAX;
    r->insecure = config.insecure = wants_insecure(r);
    replace_shadow(r);
    log_notices(&r->notices);
    if (!r->insecure && r->notices.data)
        config.notices = r->notices.data;
    if (read_file(SECURETTY, SECURETTY_MAX, &r->securetty, NULL) == 0)
        config.securetty = r->securetty.data ? r->securetty.data : "";
    if (access(GETTY_PROGRAM, X_OK) < 0)
        log_error("could not run " GETTY_PROGRAM ": %s: nobody can log in", strerror(errno));
    if (r->cmdline.consoles_len == 0)
        log_error("there is no console= on the kernel command line: nobody can log in");
    if (r->cmdline.dropped > 0)
        log_warning("%u words of the kernel command line are left out: too many, too long or not understood",
                    r->cmdline.dropped);
    lines_start(&r->lines, &r->loop, &config, &r->cmdline);
}

static void start_alone(struct rungetty *r);

static void on_lock_again(struct loop_source *s, void *data) {
    (void)s;
    start_alone(data);
}

/* One from /etc/init.d and one as a service would both answer on each console. Without /run/keelson: no lock. */
static void start_alone(struct rungetty *r) {
    bool first = r->lock < 0;

    if (first && (mkdir_p(LOCK_DIR, 0755, NULL) < 0 || (r->lock = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0))
        log_warning("could not open " LOCK ": nothing keeps a second rungetty off");
    if (r->lock < 0 || flock(r->lock, LOCK_EX | LOCK_NB) == 0) {
        start_lines(r);
        return;
    }
    if (first)
        log_notice("another rungetty has the consoles: waiting for its end");
    if (loop_set_timer(&r->loop, &r->lock_again, LOCK_AGAIN_MS, on_lock_again, r) < 0)
        log_error("could not set a timer: no login from this rungetty");
}

static void on_signal(struct loop_source *s, const struct signalfd_siginfo *info, void *data) {
    struct rungetty *r = data;
    int status;
    pid_t pid;

    (void)s;
    if (info->ssi_signo == SIGCHLD) {
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
            lines_reaped(&r->lines, pid, status);
        return;
    }
    lines_hang_up(&r->lines);
    loop_stop(&r->loop);
}

static int start_loop(struct rungetty *r) {
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    int result = loop_init(&r->loop);
    return result < 0 ? result : loop_add_signals(&r->loop, &r->signals, &set, on_signal, r);
}

int main(void) {
    static struct rungetty r = {.lock = -1};
    const char *from_initd = getenv("INITGETTY");

    log_init("rungetty", LOG_LEVEL_NOTICE);
    if (from_initd && *from_initd && daemon(1, 1) < 0)
        log_error("could not go into the background: %s", strerror(errno));
    log_without_waiting();
    int result = cmdline_read(&r.cmdline, NULL);
    if (result < 0)
        log_error("could not read the kernel command line: %s", strerror(-result));
    result = start_loop(&r);
    if (result < 0) {
        log_error("could not start the event loop: %s", strerror(-result));
        return 1;
    }
    start_alone(&r);
    return loop_run(&r.loop) < 0;
}
