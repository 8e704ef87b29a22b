/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol over real sockets: a memlogd in a child process, and clients that do what they should not. */
#include "memlogd/memlogd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "memlogd/client.h"
#include "memlogd/entry.h"
#include "memlogd/wire.h"

static char dir[] = "/tmp/memlogd_test.XXXXXX", query[64], logs[64];
static pid_t daemon_pid;

static _Noreturn void serve(int log_fd, int query_fd) {
    static struct memlogd m;
    struct err e = {0};
    struct state_found found;

    m.config = (struct memlogd_config){.max_lines = 1000, .max_line_len = 100, .max_bytes = 1 << 20};
    m.state_fd = m.store = m.syslog_fd = -1;
    m.log_fd = log_fd;
    m.query_fd = query_fd;
    if (loop_init(&m.loop) < 0 || memlogd_open_state(&m, &found, &e) < 0 || memlogd_start(&m, &e) < 0)
        _exit(1);
    memlogd_say(&m, "memlogd started");
    _exit(loop_run(&m.loop) < 0);
}

static int setup(void **state) {
    (void)state;
    memcpy(strrchr(dir, '.'), ".XXXXXX", 7);
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(query, sizeof(query), "%s/q", dir);
    (void)snprintf(logs, sizeof(logs), "%s/l", dir);
    AUTO_CLOSE int log_fd = wire_bind(logs, SOCK_DGRAM, 0600, NULL);
    AUTO_CLOSE int query_fd = wire_bind(query, SOCK_STREAM, 0600, NULL);
    daemon_pid = log_fd < 0 || query_fd < 0 ? -1 : fork();
    if (daemon_pid == 0)
        serve(log_fd, query_fd);
    return daemon_pid > 0 ? 0 : -1;
}

static int teardown(void **state) {
    int status = 0;

    (void)state;
    if (kill(daemon_pid, SIGKILL) < 0 || waitpid(daemon_pid, &status, 0) < 0)
        return -1;
    bool alive_to_the_end = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    return unlink(query) | unlink(logs) | rmdir(dir) | !alive_to_the_end;
}

/* A new source; returns where to write its lines. */
static int source(const char *name) {
    int p[2];

    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    struct err e = {0};
    int r = wire_send_source(logs, name, p[0], &e);
    for (int i = 0; r == -EAGAIN && i < 5000; i++) { /* at most ten messages wait there */
        (void)poll(NULL, 0, 1);
        r = wire_send_source(logs, name, p[0], &e);
    }
    assert_int_equal(r, 0);
    (void)close(p[0]);
    return p[1];
}

static void put(int fd, const char *text) {
    assert_int_equal(write_full(fd, text, strlen(text)), 0);
}

/* Reads on until a line of that source, or any source with NULL. */
static bool next(struct client *c, const char *from, struct ring_entry *e) {
    char *line;
    size_t len;

    while (client_next(c, &line, &len) == 1) {
        assert_int_equal(entry_parse(line, len, e), 0);
        if (!from || !strcmp(e->source, from))
            return true;
    }
    return false;
}

static void assert_next(struct client *c, const char *from, const char *msg) {
    struct ring_entry e = {.msg = ""};

    assert_true(next(c, from, &e));
    assert_string_equal(e.msg, msg);
}

static struct client ask(enum wire_mode mode) {
    struct client c = CLIENT_INIT(wire_query(query, mode, NULL));

    assert_true(c.fd >= 0);
    return c;
}

static void hang_up(struct client *c) {
    (void)close(c->fd);
    client_fini(c);
}

/* Waits until the ring has got that line. */
static void settle(const char *from, const char *msg) {
    for (int i = 0; i < 5000; i++) {
        struct client c = ask(WIRE_DUMP);
        struct ring_entry e;
        bool found = false;
        while (!found && next(&c, from, &e))
            found = !strcmp(e.msg, msg);
        hang_up(&c);
        if (found)
            return;
        (void)poll(NULL, 0, 1);
    }
    fail_msg("no line \"%s\" of %s", msg, from);
}

static void dump_follow_and_both(void **state) {
    struct ring_entry e;

    (void)state;
    int s = source("web.out");
    put(s, "one\ntwo\n");
    settle("web.out", "two");
    struct client dump = ask(WIRE_DUMP);
    assert_next(&dump, NULL, "memlogd started");
    assert_next(&dump, NULL, "one");
    assert_next(&dump, NULL, "two");
    assert_false(next(&dump, NULL, &e)); /* and it is closed */
    struct client follow = ask(WIRE_FOLLOW), both = ask(WIRE_DUMP_FOLLOW);
    assert_next(&both, NULL, "memlogd started"); /* it is in the loop, and so is the one before */
    put(s, "three\n");
    assert_next(&follow, NULL, "three");
    assert_next(&both, NULL, "one");
    assert_next(&both, NULL, "two");
    assert_next(&both, NULL, "three");
    put(s, "no end");
    (void)close(s);
    assert_next(&follow, NULL, "no end");
    hang_up(&dump);
    hang_up(&follow);
    hang_up(&both);
}

static void what_is_cut_off_is_told(void **state) {
    char line[400];

    (void)state;
    struct client c = ask(WIRE_DUMP_FOLLOW);
    int s = source("long");
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    assert_int_equal(write_full(s, line, sizeof(line)), 0);
    line[100] = '\0';
    assert_next(&c, "long", line);
    assert_next(&c, "memlogd", "1 lines of long cut: 299 bytes beyond 100 of a line lost");
    (void)close(s);
    hang_up(&c);
}

/* Sends n descriptors, and a name, in one message. */
static void send_many(const char *name, size_t name_len, const int *fds, size_t n) {
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(64 * sizeof(int))];
    } control = {0};
    struct iovec iov = {(void *)(uintptr_t)name, name_len};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space};

    AUTO_CLOSE int fd = wire_connect(logs, SOCK_DGRAM, false, NULL);
    assert_true(fd >= 0);
    if (n) {
        h.msg_controllen = CMSG_SPACE(n * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    } else {
        h.msg_control = NULL;
    }
    assert_int_equal(sendmsg(fd, &h, 0), (ssize_t)name_len);
}

static void hostile_messages(void **state) {
    static char name[60000];
    struct ring_entry e;
    int p[3][2], ends[3];

    (void)state;
    struct client c = ask(WIRE_DUMP_FOLLOW);
    assert_next(&c, NULL, "memlogd started");
    send_many("nothing", 7, NULL, 0);
    send_many("", 0, NULL, 0);
    AUTO_CLOSE int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    send_many("dir", 3, &directory, 1);
    assert_next(&c, "memlogd", "source dir refused: its descriptor is no pipe and no socket");
    send_many("file", 4, &file, 1);
    assert_next(&c, "memlogd", "1 more sources refused"); /* one report a second */
    memset(name, 'n', sizeof(name));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pipe2(p[i], O_CLOEXEC), 0);
        ends[i] = p[i][0];
    }
    send_many(name, sizeof(name), ends, 3);
    for (size_t i = 0; i < 3; i++) {
        put(p[i][1], "here\n");
        assert_true(next(&c, NULL, &e));
        assert_int_equal(e.source_len, RING_SOURCE_MAX);
        assert_string_equal(e.msg, "here");
        (void)close(p[i][0]);
        (void)close(p[i][1]);
    }
    hang_up(&c);
}

static void a_fifo_without_a_writer_waits_for_one(void **state) {
    char path[80];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/fifo", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    int r = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_int_equal(wire_send_source(logs, "fifo", r, NULL), 0);
    (void)close(r);
    struct client c = ask(WIRE_FOLLOW);
    int other = source("other");
    put(other, "in between\n");
    assert_next(&c, NULL, "in between");
    int w = open(path, O_WRONLY | O_CLOEXEC);
    put(w, "at last\n");
    assert_next(&c, NULL, "at last");
    (void)close(w);
    (void)close(other);
    hang_up(&c);
    assert_int_equal(unlink(path), 0);
}

static void readers_that_ask_for_nothing_good(void **state) {
    char byte = 77;
    struct ring_entry e;

    (void)state;
    struct client c = CLIENT_INIT(wire_connect(query, SOCK_STREAM, false, NULL));
    assert_int_equal(send(c.fd, &byte, 1, MSG_NOSIGNAL), 1);
    assert_false(next(&c, NULL, &e)); /* closed */
    hang_up(&c);
    c = (struct client)CLIENT_INIT(wire_connect(query, SOCK_STREAM, false, NULL));
    assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
    assert_false(next(&c, NULL, &e));
    hang_up(&c);
    c = ask(WIRE_DUMP_FOLLOW);
    assert_int_equal(shutdown(c.fd, SHUT_WR), 0); /* has said all it wanted, and still reads */
    assert_next(&c, NULL, "memlogd started");
    int s = source("s");
    put(s, "on\n");
    assert_next(&c, "s", "on");
    (void)close(s);
    hang_up(&c);
}

static void a_reader_resumes_by_number(void **state) {
    struct ring_entry e;
    char *line;
    size_t len;

    (void)state;
    int s = source("s");
    put(s, "one\ntwo\nthree\n");
    settle("s", "three");
    struct client c = CLIENT_INIT(wire_query_resume(query, (struct wire_resume){0}, NULL));
    assert_int_equal(client_next(&c, &line, &len), 1);
    assert_int_equal(len, 0); /* it is understood */
    assert_true(next(&c, "s", &e));
    const struct wire_resume after_one = {e.ring_id, e.seq + 1};
    assert_true(e.ring_id != 0);
    hang_up(&c);
    c = (struct client)CLIENT_INIT(wire_query_resume(query, after_one, NULL));
    assert_int_equal(client_next(&c, &line, &len), 1);
    assert_next(&c, NULL, "two");
    assert_next(&c, NULL, "three");
    hang_up(&c);

    /* 1000 lines fit: with 1500 more, "two", "three" and 500 of them are gone. */
    for (int i = 0; i < 1500; i++)
        put(s, i == 1499 ? "end\n" : "x\n");
    settle("s", "end");
    c = (struct client)CLIENT_INIT(wire_query_resume(query, after_one, NULL));
    assert_int_equal(client_next(&c, &line, &len), 1);
    assert_next(&c, NULL, "502 lines lost: pushed out before this reader came back");
    hang_up(&c);

    const struct wire_resume other = {after_one.ring_id + 2, 5}; /* of another life: from the oldest line on */
    c = (struct client)CLIENT_INIT(wire_query_resume(query, other, NULL));
    assert_int_equal(client_next(&c, &line, &len), 1);
    for (int i = 0; i < 1000; i++)
        assert_true(next(&c, "s", &e));
    assert_string_equal(e.msg, "end");
    (void)close(s);
    hang_up(&c);
}

#define FLOOD 200000u

/* Counts lines of a source, and what memlogd says was lost of it, until the last one has come. */
static void count(struct client *c, const char *from, unsigned *delivered, unsigned *lost) {
    struct ring_entry e;
    unsigned n, last = 0;
    char name[64];

    *delivered = *lost = 0;
    while (last != FLOOD - 1 && next(c, NULL, &e)) {
        if (!strcmp(e.source, from)) {
            last = (unsigned)strtoul(e.msg, NULL, 10);
            assert_int_equal(last, *delivered + *lost); /* told where it is missing */
            (*delivered)++;
        } else if (!strcmp(e.source, "memlogd") && sscanf(e.msg, "%u lines of %63s lost", &n, name) == 2) {
            assert_string_equal(name, from);
            *lost += n;
        }
    }
}

static void a_stuck_reader_is_told_and_stops_nobody(void **state) {
    unsigned delivered, lost;

    (void)state;
    struct client stuck = ask(WIRE_FOLLOW), sync = ask(WIRE_DUMP);
    struct ring_entry e;
    while (next(&sync, NULL, &e)) /* the one before is in the loop then */
        ;
    hang_up(&sync);
    int s = source("flood");
    for (unsigned i = 0; i < FLOOD; i++) {
        char line[16];
        int n = snprintf(line, sizeof(line), "%u\n", i);
        assert_int_equal(write_full(s, line, (size_t)n), 0); /* never waits for the reader */
    }
    char last[16];
    (void)snprintf(last, sizeof(last), "%u", FLOOD - 1);
    settle("flood", last);
    count(&stuck, "flood", &delivered, &lost);
    assert_true(delivered > 1000 && lost > 1000);
    assert_int_equal(delivered + lost, FLOOD);
    (void)close(s);
    hang_up(&stuck);
}

/* Notices take the numbers of the lines they are about: whoever resumes behind one is told the rest, and nothing twice.
 */
static void notices_have_numbers(void **state) {
    struct ring_entry e = {0};
    char *line, last[16];
    size_t len;
    int sources[3];
    uint64_t seq = 0, ring_id = 0;
    unsigned notices = 0, n;

    (void)state;
    struct client c = CLIENT_INIT(wire_query_resume(query, (struct wire_resume){0}, NULL));
    assert_int_equal(client_next(&c, &line, &len), 1);
    assert_next(&c, NULL, "memlogd started");
    for (int i = 0; i < 3; i++)
        sources[i] = source((const char *[]){"a", "b", "c"}[i]);
    for (unsigned i = 0; i < FLOOD / 4; i++) {
        int n_text = snprintf(last, sizeof(last), "%u\n", i);
        assert_int_equal(write_full(sources[i % 3], last, (size_t)n_text), 0);
    }
    for (int i = 0, left = 1; i < 3; i += left == 0) /* all is read before the end comes */
        assert_int_equal(ioctl(sources[i], FIONREAD, &left), 0);
    put(sources[0], "end\n");
    settle("a", "end");
    for (seq = 1; !e.msg || strcmp(e.msg, "end") != 0; notices += e.source[0] == 'm') {
        assert_true(next(&c, NULL, &e));
        bool lost = e.source[0] == 'm' && sscanf(e.msg, "%u lines of", &n) == 1;
        seq += lost ? n : 1;
        assert_int_equal(e.seq, seq);
        ring_id = e.ring_id;
    }
    assert_true(notices >= 3);
    hang_up(&c);

    /* As if it had got only the first of two notices. */
    const struct wire_resume middle = {ring_id, seq - 1000 - 7};
    c = (struct client)CLIENT_INIT(wire_query_resume(query, middle, NULL));
    assert_int_equal(client_next(&c, &line, &len), 1);
    assert_true(next(&c, NULL, &e));
    assert_int_equal(sscanf(e.msg, "%u lines lost: pushed out before", &n), 1);
    assert_int_equal(e.seq, middle.seq + n - 1);
    assert_true(next(&c, NULL, &e));
    assert_int_equal(e.seq, middle.seq + n);
    for (int i = 0; i < 3; i++)
        (void)close(sources[i]);
    hang_up(&c);
}

#define SOURCES 200
#define READERS 50
#define EACH 4

static void many_sources_and_readers(void **state) {
    static struct client readers[READERS];
    int sources[SOURCES];
    char text[32];

    (void)state;
    for (size_t i = 0; i < READERS; i++)
        readers[i] = ask(WIRE_DUMP_FOLLOW);
    for (size_t i = 0; i < READERS; i++)
        assert_next(&readers[i], NULL, "memlogd started");
    for (int i = 0; i < SOURCES; i++) {
        (void)snprintf(text, sizeof(text), "s%d", i);
        sources[i] = source(text);
    }
    for (int k = 0; k < EACH; k++)
        for (int i = 0; i < SOURCES; i++) {
            (void)snprintf(text, sizeof(text), "%d\n", k);
            put(sources[i], text);
        }
    for (size_t i = 0; i < READERS; i++) {
        int seen[SOURCES] = {0};
        for (int k = 0; k < SOURCES * EACH; k++) {
            struct ring_entry e;
            assert_true(next(&readers[i], NULL, &e));
            unsigned long who = strtoul(e.source + 1, NULL, 10);
            assert_true(who < SOURCES);
            (void)snprintf(text, sizeof(text), "%d", seen[who]++);
            assert_string_equal(e.msg, text);
        }
        hang_up(&readers[i]);
    }
    for (int i = 0; i < SOURCES; i++)
        (void)close(sources[i]);
}

static void one_reader_too_many_is_closed(void **state) {
    static struct client readers[READERS_MAX];
    struct ring_entry e;

    (void)state;
    for (size_t i = 0; i < READERS_MAX; i++)
        readers[i] = ask(WIRE_DUMP_FOLLOW);
    for (size_t i = 0; i < READERS_MAX; i++)
        assert_next(&readers[i], NULL, "memlogd started");
    struct client c = CLIENT_INIT(wire_connect(query, SOCK_STREAM, false, NULL));
    assert_true(c.fd >= 0);
    assert_false(next(&c, NULL, &e));
    hang_up(&c);
    assert_next(&readers[0], NULL, "1 readers refused: there are 128 already");
    for (size_t i = 0; i < READERS_MAX; i++)
        hang_up(&readers[i]);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(dump_follow_and_both),
        TEST(what_is_cut_off_is_told),
        TEST(hostile_messages),
        TEST(a_fifo_without_a_writer_waits_for_one),
        TEST(readers_that_ask_for_nothing_good),
        TEST(a_reader_resumes_by_number),
        TEST(a_stuck_reader_is_told_and_stops_nobody),
        TEST(notices_have_numbers),
        TEST(many_sources_and_readers),
        TEST(one_reader_too_many_is_closed),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
