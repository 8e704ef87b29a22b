/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real programs, with this test as PID 1: writers that never stop, logwrite, and a memlogd that is killed again and
 * again. Every line is in the files, once and in order.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/fdstore.h"
#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/respawn.h"
#include "memlogd/wire.h"

#define WRITERS 3
#define KILLS 40
#define BURST 20 /* lines; then a pause, so that logwrite can follow and the ring is never too small */
#define FILE_MAX_BYTES ((size_t)64 << 20)

static struct loop loop;
static struct fdstore store;
static struct respawn memlogd;
static struct loop_source signals, timer;
static char bin[PATH_MAX], dir[] = "/tmp/kill_test.XXXXXX", query[64], logs[64];
static unsigned kills_left;

/* build/bin, from build/test/kill_test */
static void find_programs(void) {
    ssize_t n = readlink("/proc/self/exe", bin, sizeof(bin) - 1);

    assert_true(n > 0);
    bin[n] = '\0';
    for (int i = 0; i < 2; i++)
        *strrchr(bin, '/') = '\0';
    size_t len = strlen(bin);
    (void)snprintf(bin + len, sizeof(bin) - len, "/bin");
}

static const char *program(const char *name) {
    static char path[2][PATH_MAX + 32];
    static unsigned i;
    char *p = path[i++ % 2];

    (void)snprintf(p, sizeof(path[0]), "%s/%s", bin, name);
    return p;
}

static void on_child(struct loop_source *s, const struct signalfd_siginfo *info, void *data) {
    int status;
    pid_t pid;

    (void)s;
    (void)info;
    (void)data;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (respawn_reaped(&memlogd, pid, status))
            memlogd.delay_ms = 0; /* no pause that grows */
}

static void on_timer(struct loop_source *s, void *data) {
    (void)s;
    (void)data;
    if (kills_left == 0) {
        loop_stop(&loop);
        return;
    }
    if (memlogd.pid > 0) {
        (void)kill(memlogd.pid, SIGKILL);
        kills_left--;
    }
    assert_int_equal(loop_set_timer(&loop, &timer, 100 + (uint64_t)random() % 60, on_timer, NULL), 0);
}

static void wait_ms(uint64_t ms) {
    kills_left = 0;
    assert_int_equal(loop_set_timer(&loop, &timer, ms, on_timer, NULL), 0);
    assert_int_equal(loop_run(&loop), 0);
}

static pid_t start(const char *const *argv) {
    struct spawn s = SPAWN_INIT;
    pid_t pid;

    s.argv = argv;
    assert_int_equal(spawn(&s, &pid, NULL, NULL), 0);
    return pid;
}

/* Writes "0\n" "1\n" ... until SIGTERM, and then how many it were, into the pipe `counts`. */
static pid_t start_writer(int number, int counts) {
    char name[16];
    int p[2];

    (void)snprintf(name, sizeof(name), "w%d", number);
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(wire_send_source(logs, name, p[0], NULL), 0);
    (void)close(p[0]);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        (void)close(p[1]);
        return pid;
    }
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &term, NULL);
    const struct timespec pause = {0, 2000000};
    unsigned n[2] = {(unsigned)number, 0};
    do {
        char text[BURST * 16];
        size_t len = 0;
        for (int i = 0; i < BURST; i++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%u\n", n[1]++);
        if (write_full(p[1], text, len) < 0)
            _exit(1);
    } while (sigtimedwait(&term, NULL, &pause) < 0);
    _exit(write_full(counts, n, sizeof(n)) < 0);
}

static size_t check_file(unsigned number, unsigned lines) {
    AUTO_BUF struct buf text = BUF_INIT;
    char path[96];
    unsigned expected = 0;

    (void)snprintf(path, sizeof(path), "%s/w%u.log", dir, number);
    assert_int_equal(read_file(path, FILE_MAX_BYTES, &text, NULL), 0);
    for (char *pos = text.data, *line; (line = next_line(&pos));) {
        const char *value = strrchr(line, ' ');
        assert_non_null(value);
        assert_int_equal(strtoul(value + 1, NULL, 10), expected);
        expected++;
    }
    assert_int_equal(expected, lines);
    return expected;
}

static void remove_dir(void) {
    AUTO_NAMES struct names names = {0};

    assert_int_equal(list_dir(dir, &names, NULL), 0);
    for (size_t i = 0; i < names.len; i++) {
        AUTO_FREE char *path = path_join(dir, names.v[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(dir), 0);
}

static void start_memlogd(void) {
    static const char *argv[] = {NULL,         "-socket-query", query,        "-socket-log", logs,
                                 "-max-lines", "100000",        "-max-bytes", "16777216",    NULL};
    sigset_t set;

    argv[0] = program("memlogd");
    assert_int_equal(loop_init(&loop), 0);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    assert_int_equal(loop_add_signals(&loop, &signals, &set, on_child, NULL), 0);
    assert_int_equal(fdstore_init(&store, &loop), 0);
    respawn_start_with_store(&memlogd, &loop, argv, &store);
    for (int i = 0; i < 5000 && access(query, F_OK) < 0; i++)
        (void)poll(NULL, 0, 1);
}

static void a_killed_memlogd_loses_nothing(void **state) {
    pid_t writers[WRITERS];
    int counts[2];

    (void)state;
    log_set_fd(-1);
    find_programs();
    assert_non_null(mkdtemp(dir));
    (void)snprintf(query, sizeof(query), "%s/q", dir);
    (void)snprintf(logs, sizeof(logs), "%s/l", dir);
    start_memlogd();
    pid_t logwrite = start((const char *const[]){program("logwrite"), "-socket", query, "-log-dir", dir,
                                                 "-max-log-size", "1000000000", NULL});
    assert_int_equal(pipe2(counts, O_CLOEXEC), 0);
    for (int i = 0; i < WRITERS; i++)
        writers[i] = start_writer(i, counts[1]);
    kills_left = KILLS;
    assert_int_equal(loop_set_timer(&loop, &timer, 100, on_timer, NULL), 0);
    assert_int_equal(loop_run(&loop), 0);
    assert_int_equal(kills_left, 0);

    size_t total = 0;
    for (int i = 0; i < WRITERS; i++)
        (void)kill(writers[i], SIGTERM);
    unsigned n[WRITERS][2];
    assert_int_equal(read_full(counts[0], n, sizeof(n)), sizeof(n));
    wait_ms(2500); /* memlogd comes back, logwrite finds it, and the rest is written */
    for (int i = 0; i < WRITERS; i++)
        total += check_file(n[i][0], n[i][1]);
    assert_true(total > 1000);
    assert_int_equal(store.len, 3); /* the sources have ended: only the state and the sockets are kept */

    (void)respawn_stop(&memlogd, SIGKILL);
    (void)kill(logwrite, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    fdstore_fini(&store, &loop);
    loop_remove(&loop, &signals);
    loop_fini(&loop);
    remove_dir();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_killed_memlogd_loses_nothing)};

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
