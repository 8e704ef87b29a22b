/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/attend.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/spawn.h"

struct child {
    pid_t pid;
    int pidfd;
    int out[2], log[2], console[2];
    struct tee tee;
    struct tail tail;
};

static void start(struct child *c, const char *script) {
    struct err e = {0};
    struct spawn s = SPAWN_INIT;

    assert_int_equal(pipe2(c->out, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(pipe2(c->log, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(pipe2(c->console, O_CLOEXEC | O_NONBLOCK), 0);
    s.argv = (const char *const[]){"/bin/sh", "-c", script, NULL};
    s.stdout_fd = c->out[1];
    assert_int_equal(spawn(&s, &c->pid, &c->pidfd, &e), 0);
    (void)close(c->out[1]);
}

static struct attend attend_to(struct child *c) {
    c->tail.len = 0;
    c->tee = (struct tee){.from = c->out[0], .log = c->log[1], .console = c->console[1], .tail = &c->tail};
    return (struct attend){.who = "test", .tees = {&c->tee, NULL}};
}

static void finish(const struct child *c) {
    (void)kill(c->pid, SIGKILL);
    assert_int_equal(waitpid(c->pid, NULL, 0), c->pid);
    for (int i = 0; i < 2; i++) {
        (void)close(c->log[i]);
        (void)close(c->console[i]);
    }
    (void)close(c->out[0]);
    (void)close(c->pidfd);
}

static const char *took(int fd) {
    static char text[256];
    ssize_t n = read(fd, text, sizeof(text) - 1);

    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static void output_goes_to_both(void **state) {
    struct child c;
    (void)state;
    start(&c, "echo one; echo two");
    const struct attend a = attend_to(&c);
    assert_int_equal(attend_end(&a, c.pidfd), 0);
    assert_string_equal(took(c.log[0]), "one\ntwo\n");
    assert_string_equal(took(c.console[0]), "one\ntwo\n");
    finish(&c);
}

/* What was written stays as it is; but a container does not drive the terminal of whoever watches the boot. */
static void the_console_gets_no_escape_sequences(void **state) {
    struct child c;
    (void)state;
    start(&c, "printf 'a\\033[2Jb\\302\\233c\\r\\n\\302\\260\\t\\302'");
    const struct attend a = attend_to(&c);
    assert_int_equal(attend_end(&a, c.pidfd), 0);
    assert_string_equal(took(c.log[0]), "a\033[2Jb\302\233c\r\n\302\260\t\302");
    assert_string_equal(took(c.console[0]), "a?[2Jb??c\r\n\302\260\t?");
    assert_memory_equal(c.tail.text, "a\033[2Jb", 6);
    finish(&c);
}

static void a_deadline_ends_the_wait(void **state) {
    struct child c;
    (void)state;
    start(&c, "exec sleep 100");
    struct attend a = attend_to(&c);
    a.deadline_ms = clock_ms() + 20;
    assert_int_equal(attend_end(&a, c.pidfd), -ETIMEDOUT);
    finish(&c);
}

static void a_slow_one_is_named(void **state) {
    struct child c;
    int said[2];
    (void)state;
    start(&c, "exec sleep 100");
    assert_int_equal(pipe2(said, O_CLOEXEC | O_NONBLOCK), 0);
    log_set_fd(said[1]);
    struct attend a = attend_to(&c);
    a.notice_ms = 10;
    a.deadline_ms = clock_ms() + 100;
    assert_int_equal(attend_end(&a, c.pidfd), -ETIMEDOUT);
    log_set_fd(2);
    assert_non_null(strstr(took(said[0]), "test has been running for 0 s\n"));
    (void)close(said[0]);
    (void)close(said[1]);
    finish(&c);
}

static void who_closes_its_output_is_still_waited_for(void **state) {
    struct child c;
    (void)state;
    start(&c, "echo bye; exec >&-; sleep 0.1");
    const struct attend a = attend_to(&c);
    assert_int_equal(attend_end(&a, c.pidfd), 0);
    assert_string_equal(took(c.log[0]), "bye\n");
    assert_int_equal(waitid(P_PID, (id_t)c.pid, &(siginfo_t){0}, WEXITED | WNOHANG | WNOWAIT), 0);
    finish(&c);
}

static void the_end_is_kept(void **state) {
    struct child c;
    (void)state;
    start(&c, "echo one; echo two; echo three; printf end");
    const struct attend a = attend_to(&c);
    assert_int_equal(attend_end(&a, c.pidfd), 0);
    assert_memory_equal(tail_last_lines(&c.tail, 2), "three\nend", 9);
    assert_int_equal(c.tail.len, 9);
    finish(&c);
}

static void a_tail_has_the_last_bytes(void **state) {
    struct tail t = {.len = 0};
    char much[TAIL_MAX + 100];
    (void)state;
    memset(much, 'a', sizeof(much));
    much[sizeof(much) - 1] = 'z';
    tail_add(&t, much, sizeof(much));
    assert_int_equal(t.len, TAIL_MAX);
    assert_int_equal(t.text[TAIL_MAX - 1], 'z');
    tail_add(&t, "\nlast\n", 6);
    assert_int_equal(t.len, TAIL_MAX);
    assert_memory_equal(t.text + TAIL_MAX - 7, "z\nlast\n", 7);
    assert_memory_equal(tail_last_lines(&t, 1), "last\n", 5);
    assert_int_equal(t.len, 5);
    assert_memory_equal(tail_last_lines(&t, 10), "last\n", 5); /* fewer than that */
    assert_int_equal(t.len, 5);
}

/* As of a log daemon that hangs: the one-shot goes on, and so does its deadline. */
static void a_log_that_takes_nothing_loses_what_comes(void **state) {
    struct child c;
    char full[4096] = {0};
    (void)state;
    start(&c, "echo lost; echo more");
    struct attend a = attend_to(&c);
    while (write(c.log[1], full, sizeof(full)) > 0)
        ;
    assert_int_equal(attend_end(&a, c.pidfd), 0);
    assert_int_equal(c.tee.lost, 10);
    assert_string_equal(took(c.console[0]), "lost\nmore\n");
    finish(&c);
}

static void who_writes_without_end_has_a_deadline(void **state) {
    struct child c;
    (void)state;
    start(&c, "while :; do echo y; done 2>/dev/null");
    struct attend a = attend_to(&c);
    c.tee.log = c.tee.console = -1;
    a.deadline_ms = clock_ms() + 50;
    assert_int_equal(attend_end(&a, c.pidfd), -ETIMEDOUT);
    finish(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_is_kept),
        cmocka_unit_test(a_tail_has_the_last_bytes),
        cmocka_unit_test(a_log_that_takes_nothing_loses_what_comes),
        cmocka_unit_test(who_writes_without_end_has_a_deadline),
        cmocka_unit_test(output_goes_to_both),
        cmocka_unit_test(the_console_gets_no_escape_sequences),
        cmocka_unit_test(a_deadline_ends_the_wait),
        cmocka_unit_test(a_slow_one_is_named),
        cmocka_unit_test(who_closes_its_output_is_still_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
