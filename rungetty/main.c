/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rungetty: a getty on every console= of the kernel command line that is a character device, respawned for ever.
 *
 * Environment: INSECURE=true logs root in without a password. INITGETTY: run from /etc/init.d as a debugging aid; goes
 * into the background. Signals: SIGCHLD; SIGTERM ends it and its gettys. Files: /etc/getty.shadow of the host
 * (/hostroot/etc/getty.shadow in a container) becomes /etc/shadow; /etc/securetty only leads to a warning. Bounds: at
 * most 16 consoles. Descriptors: an epoll, a signalfd, a timer for each getty that waits to be started again.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cmdline/cmdline.h"
#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/respawn.h"
#include "rungetty/getty.h"

#define SHADOW_FROM "/hostroot/etc/getty.shadow"
#define SHADOW_MAX ((size_t)1 << 20)
#define SECURETTY "/etc/securetty"

struct rungetty {
    struct loop loop;
    struct loop_source signals;
    struct getty gettys[CMDLINE_CONSOLES_MAX];
    struct respawn children[CMDLINE_CONSOLES_MAX];
    size_t len;
};

static void replace_shadow(void) {
    AUTO_BUF struct buf text = {.max = SHADOW_MAX + 1};
    struct err e = {0};

    int r = read_file(SHADOW_FROM, SHADOW_MAX, &text, &e);
    if (r == -ENOENT)
        return;
    if (!r && text.len > 0 && text.data[text.len - 1] != '\n')
        r = buf_puts(&text, "\n"); /* login overlooks a last line without its end */
    if (!r)
        r = write_file_atomic("/etc/shadow", text.data, text.len, 0600, false, &e);
    if (r < 0)
        log_error("%s", *e.msg ? e.msg : strerror(-r));
}

static bool is_char_device(const char *tty) {
    char path[48];
    struct stat st;

    (void)snprintf(path, sizeof(path), "/dev/%s", tty);
    return stat(path, &st) == 0 && S_ISCHR(st.st_mode);
}

static void warn_on(const char *tty) {
    char path[48], text[160];

    (void)snprintf(path, sizeof(path), "/dev/%s", tty);
    int n = snprintf(text, sizeof(text),
                     "rungetty: console=%s is not in " SECURETTY ": root cannot log in with a password here\r\n", tty);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        (void)write_full(fd, text, (size_t)n); /* a console that takes no more does without */
}

static void start_gettys(struct rungetty *r, const struct cmdline *c) {
    const char *insecure = getenv("INSECURE");
    AUTO_BUF struct buf securetty = BUF_INIT;
    bool listed = read_file(SECURETTY, 65536, &securetty, NULL) == 0;

    for (size_t i = 0; i < c->consoles_len; i++) {
        if (!is_char_device(c->consoles[i].name))
            continue;
        struct getty *g = &r->gettys[r->len];
        getty_plan(g, &c->consoles[i], insecure && !strcmp(insecure, "true"));
        if (listed && !securetty_has(securetty.data ? securetty.data : "", g->tty))
            warn_on(g->tty);
        respawn_start(&r->children[r->len], &r->loop, g->argv);
        r->len++;
    }
    if (access(GETTY_PROGRAM, X_OK) < 0)
        log_error("could not run " GETTY_PROGRAM ": %s: nobody can log in", strerror(errno));
    if (r->len == 0)
        log_error("no console= of the kernel command line is a terminal: nobody can log in");
}

static void reap_all(struct rungetty *r) {
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i < r->len; i++)
            if (respawn_reaped(&r->children[i], pid, status))
                break;
}

static void on_signal(struct loop_source *s, const struct signalfd_siginfo *info, void *data) {
    struct rungetty *r = data;

    (void)s;
    if (info->ssi_signo == SIGCHLD) {
        reap_all(r);
        return;
    }
    for (size_t i = 0; i < r->len; i++)
        (void)respawn_stop(&r->children[i], SIGHUP);
    loop_stop(&r->loop);
}

int main(void) {
    static struct rungetty r;
    struct cmdline c;
    sigset_t set;

    log_init("rungetty", LOG_LEVEL_NOTICE);
    if (getenv("INITGETTY") && daemon(1, 1) < 0)
        log_error("could not go into the background: %s", strerror(errno));
    int result = cmdline_read(&c, NULL);
    if (result < 0)
        log_error("could not read the kernel command line: %s", strerror(-result));
    replace_shadow();
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    result = loop_init(&r.loop);
    if (!result)
        result = loop_add_signals(&r.loop, &r.signals, &set, on_signal, &r);
    if (result < 0) {
        log_error("could not start the event loop: %s", strerror(-result));
        return 1;
    }
    start_gettys(&r, &c);
    return loop_run(&r.loop) < 0;
}
