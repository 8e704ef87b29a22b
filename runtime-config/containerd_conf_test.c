/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime-config/containerd_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/log.h"

static char dir[] = "/tmp/containerd_conf_test.XXXXXX";
static char path[64], output[64];
static char logged[2048];

static void keep_log(const char *line, size_t len) {
    size_t used = strlen(logged);

    if (used + len < sizeof(logged)) {
        memcpy(logged + used, line, len);
        logged[used + len] = '\0';
    }
}

static int load(const char *text, struct containerd_conf *c, struct err *e) {
    assert_int_equal(write_file_atomic(path, text, strlen(text), 0644, false, NULL), 0);
    logged[0] = '\0';
    return containerd_conf_load(path, "/prog", c, e);
}

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/x.toml", dir);
    (void)snprintf(output, sizeof(output), "%s/out", dir);
    log_init("test", LOG_LEVEL_NOTICE);
    log_set_sink(keep_log);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    log_set_sink(NULL);
    return unlink(path) | unlink(output) | rmdir(dir);
}

static void assert_defaults(const struct containerd_conf *c) {
    assert_string_equal(c->argv[0], "/prog");
    assert_null(c->argv[1]);
    assert_null(c->stdout_to);
    assert_null(c->stderr_to);
}

static void absent_and_empty_files_are_the_defaults(void **state) {
    struct containerd_conf c;
    (void)state;
    assert_int_equal(containerd_conf_load("/nonexistent/x.toml", "/prog", &c, NULL), 0);
    assert_defaults(&c);
    containerd_conf_free(&c);
    assert_int_equal(load("", &c, NULL), 0);
    assert_defaults(&c);
    containerd_conf_free(&c);
}

static void options_are_split_on_all_white_space(void **state) {
    static const char *const want[] = {"/prog", "--log-level", "debug", "--name=\"a", "b\"", "'c", "d'", "e"};
    struct containerd_conf c;
    (void)state;
    assert_int_equal(load("cliopts = \"\"\"  --log-level\\t debug\n --name=\"a b\"\r\n'c\\u000bd'\\f\\re\"\"\"\n"
                          "stdout = \"stdout\"\nstderr = '/var/log/containerd.log'",
                          &c, NULL),
                     0);
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        assert_string_equal(c.argv[i], want[i]);
    assert_null(c.argv[ARRAY_SIZE(want)]);
    assert_string_equal(c.stdout_to, "stdout");
    assert_string_equal(c.stderr_to, "/var/log/containerd.log");
    assert_string_equal(logged, "");
    containerd_conf_free(&c);
    assert_int_equal(load("cliopts = \" \\n\"", &c, NULL), 0);
    assert_defaults(&c);
    containerd_conf_free(&c);
}

static void unknown_keys_are_warned_about(void **state) {
    struct containerd_conf c;
    (void)state;
    assert_int_equal(load("stdout = \"stderr\"\n color = 1\n[plugins]\nstderr = 7\n[\"\\u001bX\"]\n", &c, NULL), 0);
    assert_string_equal(c.stdout_to, "stderr");
    assert_null(c.stderr_to);
    assert_non_null(strstr(logged, "x.toml:2:2: unknown key \"color\" is ignored"));
    assert_non_null(strstr(logged, "x.toml:3:2: unknown key \"plugins\" is ignored"));
    assert_non_null(strstr(logged, "unknown key \"?X\" is ignored"));
    containerd_conf_free(&c);
}

static void what_is_wrong_is_named_and_the_defaults_stand(void **state) {
    static const char *const cases[][2] = {
        {"cliopts = \"-l debug\"\nstderr = /var/log/x\n", "x.toml:2:10: a value cannot begin with '/'"},
        {"cliopts = \"-l debug\"\n stdout = 5", "x.toml:2:2: stdout is not a string but an integer"},
        {"stderr = true", "x.toml:1:1: stderr is not a string but a boolean"},
        {"cliopts = [\"-l\"]", "x.toml:1:1: cliopts is not a string but an array"},
        {"[cliopts]", "x.toml:1:2: cliopts is not a string but a table"},
        {"stdout = 1979-05-27", "x.toml:1:1: stdout is not a string but a local date"},
        {"cliopts = inf", "x.toml:1:1: cliopts is not a string but a float"},
        {"stdout = '/x'\nstderr = 'log/x'", "x.toml:2:1: stderr is neither \"stdout\" nor \"stderr\" nor an absolute"},
        {"stderr = ''", "x.toml:1:1: stderr is neither"},
        {"stderr = \"/x\\u0000y\"", "x.toml:1:1: stderr has a NUL character in it"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct containerd_conf c;
        struct err e = {0};
        assert_int_equal(load(cases[i][0], &c, &e), -EINVAL);
        if (!strstr(e.msg, cases[i][1]))
            fail_msg("%s\nsays %s", cases[i][0], e.msg);
        assert_defaults(&c);
        containerd_conf_free(&c);
    }
}

static void more_options_than_the_bound_are_refused(void **state) {
    char text[2 * CONTAINERD_OPTIONS_MAX + 32];
    struct containerd_conf c;
    struct err e = {0};
    (void)state;
    for (size_t n = CONTAINERD_OPTIONS_MAX; n <= CONTAINERD_OPTIONS_MAX + 1; n++) {
        size_t len = (size_t)snprintf(text, sizeof(text), "cliopts = '");
        for (size_t i = 0; i < n; i++, len += 2)
            memcpy(text + len, "x ", 2);
        memcpy(text + len, "'", 2);
        int r = load(text, &c, &e);
        assert_int_equal(r, n == CONTAINERD_OPTIONS_MAX ? 0 : -EINVAL);
        containerd_conf_free(&c);
    }
    assert_non_null(strstr(e.msg, "cliopts has more than 256 words"));
}

static void files_are_appended_to_and_created(void **state) {
    AUTO_BUF struct buf text = BUF_INIT;
    struct stat st;
    (void)state;
    for (int i = 0; i < 2; i++) {
        AUTO_CLOSE int fd = -1;
        assert_int_equal(containerd_conf_open(output, &fd, NULL), 0);
        assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0); /* containerd must not find it so */
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(write_full(fd, "ab", 2), 0);
    }
    assert_int_equal(read_file(output, 16, &text, NULL), 0);
    assert_string_equal(text.data, "abab");
    assert_int_equal(stat(output, &st), 0);
    assert_int_equal(st.st_mode & 0133, 0);
}

static void outputs_that_cannot_be_used_do_not_hang(void **state) {
    struct err e = {0};
    int fd;
    (void)state;
    assert_int_equal(unlink(output), 0);
    assert_int_equal(mkfifo(output, 0600), 0);
    assert_int_equal(containerd_conf_open(output, &fd, &e), -ENXIO); /* and does not wait for a reader */
    assert_int_equal(fd, -1);
    assert_int_equal(unlink(output), 0);
    assert_int_equal(symlink("x.toml", output), 0); /* a container that shares /var/log may have put it there */
    assert_int_equal(containerd_conf_open(output, &fd, &e), -ELOOP);
    assert_int_equal(containerd_conf_open("/nonexistent/log", &fd, &e), -ENOENT);
    assert_string_equal(e.msg, "could not open /nonexistent/log for containerd's output: No such file or directory");
}

static void words_mean_our_own_outputs(void **state) {
    static const struct {
        const char *to;
        int same_as;
    } cases[] = {{"stdout", STDOUT_FILENO}, {"stderr", STDERR_FILENO}};
    int none;
    (void)state;
    assert_int_equal(containerd_conf_open(NULL, &none, NULL), 0);
    assert_int_equal(none, -1);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_CLOSE int fd = -1;
        struct stat want, got;
        assert_int_equal(containerd_conf_open(cases[i].to, &fd, NULL), 0);
        assert_true(fd > 2);
        assert_int_equal(fstat(cases[i].same_as, &want), 0);
        assert_int_equal(fstat(fd, &got), 0);
        assert_true(want.st_ino == got.st_ino && want.st_dev == got.st_dev);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_and_empty_files_are_the_defaults),
        cmocka_unit_test(options_are_split_on_all_white_space),
        cmocka_unit_test(unknown_keys_are_warned_about),
        cmocka_unit_test(what_is_wrong_is_named_and_the_defaults_stand),
        cmocka_unit_test(more_options_than_the_bound_are_refused),
        cmocka_unit_test(files_are_appended_to_and_created),
        cmocka_unit_test(outputs_that_cannot_be_used_do_not_hang),
        cmocka_unit_test(words_mean_our_own_outputs),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
