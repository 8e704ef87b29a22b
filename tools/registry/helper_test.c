/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/registry/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/temp.h"

#define LONG_MS 60000u

struct asked {
    struct buf answer;
    char words[HELPER_WORDS_MAX];
    int result, status;
    struct err e;
};

/* A helper that is this script. */
static void ask(const char *dir, const char *script, unsigned timeout_ms, struct asked *a) {
    AUTO_FREE char *path = path_join(dir, "docker-credential-x"), *text = NULL;

    *a = (struct asked){.answer = {.max = HELPER_ANSWER_MAX}};
    assert_non_null(path);
    assert_true(asprintf(&text, "#!/bin/sh\ncd '%s'\n%s\n", dir, script) > 0);
    assert_int_equal(write_file_atomic(path, text, strlen(text), 0700, false, NULL), 0);
    a->result = helper_ask(path, "x.io", timeout_ms, &a->answer, a->words, &a->status, &a->e);
}

static void the_answer_and_the_words_are_kept_apart(void **state) {
    static const struct {
        const char *script, *answer, *words;
        int status;
    } cases[] = {
        {"read host; echo \"$1 $host\"", "get x.io\n", "get x.io", 0},
        {"echo answer; echo words >&2", "answer\n", "words", 0},
        {"printf 'two\\nlines \\033[1m\\n\\n' >&2; exit 3", NULL, "two lines ?[1m", 3},
        {"echo '{\"Secret\":\"s\"}'; exit 1", "{\"Secret\":\"s\"}\n", "", 1},
        {"sleep 5 & echo ended", "ended\n", "ended", 0}, /* whoever holds the pipes is not waited for */
    };
    AUTO_TEMP_DIR struct temp_dir dir = {""};

    (void)state;
    assert_int_equal(temp_dir_make(&dir, NULL, "helper-test-", NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct asked a;
        ask(dir.path, cases[i].script, LONG_MS, &a);
        assert_int_equal(a.result, 0);
        assert_true(WIFEXITED(a.status) && WEXITSTATUS(a.status) == cases[i].status);
        assert_string_equal(a.answer.data ? a.answer.data : "-", cases[i].answer ? cases[i].answer : "-");
        assert_string_equal(a.words, cases[i].words);
        buf_free(&a.answer);
    }
}

static void what_is_too_long_is_not_kept(void **state) {
    AUTO_TEMP_DIR struct temp_dir dir = {""};
    struct asked a;

    (void)state;
    assert_int_equal(temp_dir_make(&dir, NULL, "helper-test-", NULL), 0);
    ask(dir.path, "head -c 3000000 /dev/zero", LONG_MS, &a);
    assert_int_equal(a.result, -EFBIG);
    assert_true(a.answer.len <= HELPER_ANSWER_MAX);
    buf_free(&a.answer);
    ask(dir.path, "head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 1", LONG_MS, &a);
    assert_int_equal(a.result, 0);
    assert_int_equal(strlen(a.words), HELPER_WORDS_MAX - 1);
    buf_free(&a.answer);
}

/* What it has started holds the FIFO open for as long as it lives. */
static void one_that_hangs_is_killed_with_what_it_started(void **state) {
    AUTO_TEMP_DIR struct temp_dir dir = {""};
    struct asked a;

    (void)state;
    assert_int_equal(temp_dir_make(&dir, NULL, "helper-test-", NULL), 0);
    AUTO_FREE char *fifo = path_join(dir.path, "fifo");
    assert_true(fifo && mkfifo(fifo, 0600) == 0);
    AUTO_CLOSE int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    ask(dir.path, "exec 3>fifo; echo up >&3; sleep 1000 & sleep 1000", 1000, &a);
    assert_int_equal(a.result, -ETIMEDOUT);
    assert_non_null(strstr(a.e.msg, "docker-credential-x did not answer within 1 s"));
    struct pollfd p = {.fd = reader, .events = POLLIN};
    char up[8];
    assert_int_equal(read(reader, up, sizeof(up)), 3);
    assert_int_equal(poll(&p, 1, (int)LONG_MS), 1);
    assert_int_equal(read(reader, up, sizeof(up)), 0);
    buf_free(&a.answer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_and_the_words_are_kept_apart),
        cmocka_unit_test(what_is_too_long_is_not_kept),
        cmocka_unit_test(one_that_hangs_is_killed_with_what_it_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
