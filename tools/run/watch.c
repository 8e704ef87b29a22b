/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/watch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/printable.h"
#include "lib/spawn.h"
#include "lib/temp.h"
#include "tools/run/verdict.h"

struct watch {
    const struct run_options *o;
    struct loop loop;
    struct loop_source signals, deadline, guest, end;
    pid_t pid;
    int pidfd, guest_fd;
    int told;   /* the signal that ends it; SIGALRM: its time is over */
    bool heard; /* the guest has said what was waited for */
    int status; /* of QEMU, once it has ended */
    struct verdict_reader verdict;
};

static void end_machine(const struct watch *w) {
    (void)kill(w->pid, SIGTERM);
}

static void on_signal(struct loop_source *s, const struct signalfd_siginfo *info, void *data) {
    struct watch *w = data;

    (void)s;
    w->told = (int)info->ssi_signo;
    end_machine(w);
}

static void on_deadline(struct loop_source *s, void *data) {
    struct watch *w = data;

    (void)s;
    if (w->told || w->heard)
        return;
    log_error("the machine's %llu seconds are over", (unsigned long long)w->o->timeout_s);
    w->told = SIGALRM;
    end_machine(w);
}

static void on_end(struct loop_source *s, uint32_t events, void *data) {
    struct watch *w = data;

    (void)s;
    (void)events;
    if (waitpid(w->pid, &w->status, 0) < 0)
        w->status = 1;
    loop_stop(&w->loop);
}

static void read_guest(struct watch *w) {
    char chunk[4096];
    ssize_t n;

    while ((n = recv(w->guest_fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
        if (verdict_feed(&w->verdict, chunk, (size_t)n) && w->o->wait == RUN_WAIT_UP &&
            verdict_of(w->verdict.record) != VERDICT_NONE && !w->heard) {
            w->heard = true;
            end_machine(w);
        }
    if (n == 0)
        loop_remove(&w->loop, &w->guest); /* QEMU is gone */
}

static void on_guest(struct loop_source *s, uint32_t events, void *data) {
    (void)s;
    (void)events;
    read_guest(data);
}

static int start_watching(struct watch *w, const sigset_t *set) {
    int r = loop_add_signals(&w->loop, &w->signals, set, on_signal, w);

    if (!r)
        r = loop_add_fd(&w->loop, &w->end, w->pidfd, EPOLLIN, on_end, w);
    if (!r && w->guest_fd >= 0)
        r = loop_add_fd(&w->loop, &w->guest, w->guest_fd, EPOLLIN, on_guest, w);
    if (!r && w->o->timeout_s)
        r = loop_set_timer(&w->loop, &w->deadline, w->o->timeout_s * 1000, on_deadline, w);
    return r;
}

/* Returns the exit status of this program, as far as the guest has no say in it. */
static int conclude(const struct watch *w) {
    char reason[64];

    if (w->told)
        return w->told == SIGALRM ? RUN_TIMED_OUT : 128 + w->told;
    if (w->heard || w->status == 0)
        return 0;
    log_error("QEMU %s", exit_reason(w->status, reason, sizeof(reason)));
    return 1;
}

static int judge(const struct watch *w) {
    int status = conclude(w);
    enum verdict v = verdict_of(w->verdict.record);

    if (status || w->o->wait == RUN_WAIT_NOT)
        return status;
    return v == VERDICT_OK ? 0 : v == VERDICT_FAILED ? RUN_GUEST_FAILED : RUN_NO_VERDICT;
}

static int report(const struct watch *w, int status) {
    AUTO_BUF struct buf text = BUF_INIT;
    int r = w->o->json ? verdict_print_json(w->verdict.record, status, &text) : verdict_print(w->verdict.record, &text);

    if (!r && !w->o->json && text.len)
        make_lines_printable(text.data, text.len);
    if (!r)
        r = write_full(w->o->json ? STDOUT_FILENO : STDERR_FILENO, text.data, text.len);
    if (r < 0)
        log_error("could not print what the guest has said: %s", strerror(-r));
    return r < 0 ? 1 : status;
}

int watch_not_started(const struct run_options *o) {
    const struct watch nothing = {.o = o};

    return o->json && !o->dry_run ? report(&nothing, 1) : 1;
}

static int draw(const struct watch *w, int status) {
    AUTO_BUF struct buf picture = BUF_INIT;
    struct err e = {0};

    if (!w->verdict.record) {
        log_error("could not draw %s: the guest has said nothing", w->o->boot_chart);
        return status ? status : 1;
    }
    int r = verdict_draw(w->verdict.record, &picture);
    if (r < 0)
        (void)err_errno(&e, r, "could not draw %s", w->o->boot_chart);
    else
        r = temp_file_write(w->o->boot_chart, picture.data, picture.len, &e);
    if (r < 0)
        log_error("%s", e.msg);
    return r < 0 && !status ? 1 : status;
}

/* With --json the console goes to standard error: the verdict is all that is on standard output. */
static int spawn_qemu(struct watch *w, const struct qemu_command *q, int inherited_fd, struct err *e) {
    struct spawn s = SPAWN_INIT;

    s.argv = (const char *const *)q->words;
    s.stdin_fd = STDIN_FILENO;
    s.stdout_fd = w->o->json ? STDERR_FILENO : -1;
    s.keep_fds = &inherited_fd;
    s.keep_fds_len = inherited_fd >= 0;
    s.die_with_us = true;
    int r = spawn(&s, &w->pid, &w->pidfd, e);
    if (inherited_fd >= 0)
        (void)close(inherited_fd);
    return r == -ENOENT ? err_set(e, r, "could not find %s: install the Debian package %s", q->words[0],
                                  w->o->arch == RUN_AARCH64 ? "qemu-system-arm" : "qemu-system-x86")
                        : r;
}

static int watch_to_end(struct watch *w, const sigset_t *set) {
    int r = start_watching(w, set);

    if (!r)
        r = loop_run(&w->loop);
    if (r < 0) {
        log_error("could not wait for QEMU: %s", strerror(-r));
        end_machine(w);
        return watch_not_started(w->o);
    }
    if (w->guest_fd >= 0)
        read_guest(w); /* its last words */
    int status = judge(w);
    if (w->o->wait == RUN_WAIT_NOT)
        return status;
    status = report(w, status);
    return w->o->boot_chart ? draw(w, status) : status;
}

int watch_run(const struct qemu_command *q, const struct run_options *o, int guest_fd, int inherited_fd) {
    struct watch w = {.o = o, .pidfd = -1, .guest_fd = guest_fd, .verdict = VERDICT_READER_INIT};
    struct termios saved;
    bool terminal = tcgetattr(STDIN_FILENO, &saved) == 0;
    struct err e = {0};
    sigset_t set;
    int status;

    (void)sigemptyset(&set);
    for (const int *sig = (const int[]){SIGTERM, SIGHUP, SIGINT, 0}; *sig; sig++)
        (void)sigaddset(&set, *sig);
    (void)sigprocmask(SIG_BLOCK, &set, NULL); /* before QEMU is there: none is missed */
    if (loop_init(&w.loop) < 0)
        log_error("could not start the event loop: %s", strerror(errno));
    else if (spawn_qemu(&w, q, inherited_fd, &e) < 0)
        log_error("%s", e.msg);
    status = w.pidfd >= 0 ? watch_to_end(&w, &set) : watch_not_started(o);
    if (terminal)
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
    if (w.pidfd >= 0)
        (void)close(w.pidfd);
    verdict_reader_free(&w.verdict);
    loop_fini(&w.loop);
    return status;
}
