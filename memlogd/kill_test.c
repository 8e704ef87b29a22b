/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real programs, with this test as PID 1: writers that never stop, logwrite, and a memlogd that is killed again and
 * again. Every line is in the files, once and in order; where the ring is too small for that, in the files or in what
 * was reported lost.
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
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/fdstore.h"
#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/respawn.h"
#include "memlogd/client.h"
#include "memlogd/entry.h"
#include "memlogd/wire.h"

#define WRITERS 3
#define KILLS 200
#define KILLS_FLOOD 40
#define BURST 20         /* lines; then a pause */
#define CALM_NS 20000000 /* a pause with which logwrite can follow */
#define QUIET_STEP_MS 50
#define KEPT 3 /* the state and the sockets */
#define FILE_MAX_BYTES ((size_t)64 << 20)

static struct loop loop;
static struct fdstore store;
static struct respawn memlogd;
static struct loop_source signals, timer;
static char bin[PATH_MAX], dir[] = "/tmp/kill_test.XXXXXX", query[64], logs[64];
static unsigned kills_left;
static pid_t logwrite;

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
    assert_int_equal(loop_set_timer(&loop, &timer, 5 + (uint64_t)random() % 60, on_timer, NULL), 0);
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
static pid_t start_writer(int number, int counts, long pause_ns) {
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
    const struct timespec pause = {0, pause_ns};
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

static char *read_log(const char *name, struct buf *text) {
    char path[96];

    (void)snprintf(path, sizeof(path), "%s/%s.log", dir, name);
    assert_int_equal(read_file(path, FILE_MAX_BYTES, text, NULL), 0);
    return text->data;
}

/* Lines of a writer that are in its file: in order, and none twice. */
static unsigned delivered(unsigned number, unsigned written) {
    AUTO_BUF struct buf text = BUF_INIT;
    char name[16];
    unsigned lines = 0;
    unsigned long least = 0;

    (void)snprintf(name, sizeof(name), "w%u", number);
    for (char *pos = read_log(name, &text), *line; (line = next_line(&pos)); lines++) {
        const char *value = strrchr(line, ' ');
        assert_non_null(value);
        unsigned long n = strtoul(value + 1, NULL, 10);
        assert_true(n >= least && n < written);
        least = n + 1;
    }
    return lines;
}

/* What memlogd said: its own lines, and how many of all were lost. */
static void read_reports(unsigned long *own, unsigned long *lost) {
    AUTO_BUF struct buf text = BUF_INIT;

    *own = *lost = 0;
    for (char *pos = read_log("memlogd", &text), *line; (line = next_line(&pos));) {
        const char *said = strstr(line, " memlogd ");
        assert_non_null(said);
        unsigned long n = strtoul(said + strlen(" memlogd "), NULL, 10);
        *lost += n;
        *own += n == 0;
    }
}

static bool is_there(const void *name) {
    char path[96];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, (const char *)name);
    return access(path, F_OK) == 0;
}

static bool store_has(const void *len) {
    return store.len == *(const unsigned *)len;
}

/* However long it takes; the loop runs meanwhile. */
static void wait_until(bool (*condition)(const void *data), const void *data) {
    while (!condition(data))
        wait_ms(QUIET_STEP_MS);
}

static void wait_for_file(const char *name) {
    wait_until(is_there, name);
}

/*
 * A last line, of a source of its own: what comes behind all others. Returns how many lines ever were in the ring, once
 * logwrite has come to it. Whoever is slow is waited for; only who hangs fails.
 */
static uint64_t end_the_log(void) {
    struct client c = CLIENT_INIT(wire_query_resume(query, (struct wire_resume){0}, NULL));
    struct ring_entry e = {.source = ""};
    char *line;
    size_t len;
    int p[2];

    assert_true(c.fd >= 0);
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(wire_send_source(logs, "end", p[0], NULL), 0);
    assert_int_equal(write_full(p[1], "end\n", 4), 0);
    assert_int_equal(close(p[0]) | close(p[1]), 0);
    while (strcmp(e.source, "end") != 0) {
        assert_int_equal(client_next(&c, &line, &len), 1);
        if (len > 0)
            assert_int_equal(entry_parse(line, len, &e), 0);
    }
    assert_int_equal(close(c.fd), 0);
    client_fini(&c);
    wait_for_file("end.log");
    return e.seq;
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

static void start_memlogd(const char *max_lines) {
    static const char *argv[] = {NULL, "-socket-query", query,       "-socket-log", logs, "-max-lines",
                                 NULL, "-max-bytes",    "134217728", NULL};
    sigset_t set;

    argv[0] = program("memlogd");
    argv[6] = max_lines;
    assert_int_equal(loop_init(&loop), 0);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    assert_int_equal(loop_add_signals(&loop, &signals, &set, on_child, NULL), 0);
    assert_int_equal(fdstore_init(&store, &loop), 0);
    respawn_start_with_store(&memlogd, &loop, argv, &store);
    wait_for_file("q");
}

static void begin(const char *max_lines) {
    log_set_fd(-1);
    find_programs();
    memcpy(strrchr(dir, '.'), ".XXXXXX", 7);
    assert_non_null(mkdtemp(dir));
    (void)snprintf(query, sizeof(query), "%s/q", dir);
    (void)snprintf(logs, sizeof(logs), "%s/l", dir);
    start_memlogd(max_lines);
}

/* After a failure too: nothing is left running. */
static int end(void **state) {
    (void)state;
    (void)respawn_stop(&memlogd, SIGKILL);
    if (logwrite > 0)
        (void)kill(logwrite, SIGKILL);
    logwrite = 0;
    fdstore_fini(&store, &loop);
    loop_remove(&loop, &signals);
    loop_remove(&loop, &timer);
    loop_fini(&loop);
    while (waitpid(-1, NULL, 0) > 0) /* the writers' pipes are broken now */
        ;
    remove_dir();
    return 0;
}

/* Has each writer said how much it wrote? */
static bool all_counted(int counts) {
    int bytes = 0;

    assert_int_equal(ioctl(counts, FIONREAD, &bytes), 0);
    return (size_t)bytes == WRITERS * 2 * sizeof(unsigned);
}

/* Writers, kills, the writers' end; until all is in the files. counts: number and lines of each
 * writer. Returns the number of all lines and the last one. */
static uint64_t write_and_kill(unsigned kills, long pause_ns, unsigned counts[WRITERS][2]) {
    pid_t writers[WRITERS];
    int p[2];

    logwrite = start((const char *const[]){program("logwrite"), "-socket", query, "-log-dir", dir, "-max-log-size",
                                           "1000000000", NULL});
    wait_for_file("memlogd.log"); /* only who is there can lose something */
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    for (int i = 0; i < WRITERS; i++)
        writers[i] = start_writer(i, p[1], pause_ns);
    const unsigned with_writers = KEPT + WRITERS, without = KEPT;
    wait_until(store_has, &with_writers); /* a source that is only just being given may get lost */
    kills_left = kills;
    assert_int_equal(loop_set_timer(&loop, &timer, 100, on_timer, NULL), 0);
    assert_int_equal(loop_run(&loop), 0);
    for (int i = 0; i < WRITERS; i++)
        (void)kill(writers[i], SIGTERM);
    while (!all_counted(p[0]))
        wait_ms(QUIET_STEP_MS); /* memlogd comes back, and a writer that waits for it gets on */
    assert_int_equal(read_full(p[0], counts, WRITERS * sizeof(counts[0])), WRITERS * sizeof(counts[0]));
    assert_int_equal(close(p[0]) | close(p[1]), 0);
    wait_until(store_has, &without); /* the sources have ended, and so all of theirs has been read */
    return end_the_log();
}

static void a_killed_memlogd_loses_nothing(void **state) {
    unsigned counts[WRITERS][2];
    size_t total = 0;

    (void)state;
    begin("1000000");
    (void)write_and_kill(KILLS, CALM_NS, counts);
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(delivered(counts[i][0], counts[i][1]), counts[i][1]);
        total += counts[i][1];
    }
    assert_true(total > 1000);
}

static void a_flood_is_delivered_or_reported(void **state) {
    unsigned counts[WRITERS][2];
    unsigned long in_files = 0, written = 0, own, lost;

    (void)state;
    begin("2000");
    uint64_t all = write_and_kill(KILLS_FLOOD, 0, counts) - 1; /* but for the last one */
    for (int i = 0; i < WRITERS; i++) {
        in_files += delivered(counts[i][0], counts[i][1]);
        written += counts[i][1];
    }
    read_reports(&own, &lost);
    assert_true(lost > 0);
    assert_int_equal(in_files + own + lost, all);
    assert_in_range(all - written, 1, KILLS_FLOOD + 1); /* memlogd's own: started, restarted */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_killed_memlogd_loses_nothing, end),
        cmocka_unit_test_teardown(a_flood_is_delivered_or_reported, end),
    };

    srandom((unsigned)getpid());
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
