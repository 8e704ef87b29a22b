/* SPDX-License-Identifier: Apache-2.0 */
#include "rungetty/shadow.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/fdutil.h"

#define HASH                                                                                                           \
    "$6$6tPd2uhHrecCEKug$8mKfcgfwguP7f.BLdZsT1Wz7WIIJOBY1oUFHzIv9/O71M2J0EPdtFqFGTxB1UK5ejqQxRFQ.ZSG9YXR0SNsc11"

static struct buf out = BUF_INIT, notices = BUF_INIT;

static void check(const char *text) {
    char copy[2048];

    (void)snprintf(copy, sizeof(copy), "%s", text);
    buf_reset(&out);
    buf_reset(&notices);
    assert_int_equal(shadow_check(copy, "f", &out, &notices), 0);
}

static const char *text_of(const struct buf *b) {
    return b->len ? b->data : "";
}

static void sound_lines_stay_and_get_their_end(void **state) {
    (void)state;
    check("root:" HASH ":17322:0:::::");
    assert_string_equal(text_of(&out), "root:" HASH ":17322:0:::::\n");
    assert_string_equal(text_of(&notices), "");
    check("# a comment\n\nroot:" HASH ":17322:0:99999:7:::\r\n");
    assert_string_equal(text_of(&out), "root:" HASH ":17322:0:99999:7:::\n");
    assert_string_equal(text_of(&notices), "");
}

static void methods_that_login_knows_are_taken(void **state) {
    static const char *const hashes[] = {
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
        "$1$abcdefgh$G//4keteveJp0qb8z2DxG/", "$5$rounds=5000$salt$sNRdv7aVgOeHVFs1d8pZvDyQU0zVyBYBKMUJFCp2Lj1",
        "$2b$05$abcdefghijklmnopqrstuuTKmUgd3SNyMKNVqXTqGcSLDaZmNw2eS", "abJnggxhB/yWI"};
    char line[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
        (void)snprintf(line, sizeof(line), "root:%s:1::::::", hashes[i]);
        check(line);
        assert_string_equal(text_of(&notices), "");
        assert_non_null(strstr(text_of(&out), hashes[i]));
    }
}

static void broken_lines_are_named_with_their_number(void **state) {
    (void)state;
    check("nonsense\n:" HASH ":::::::\nro ot:" HASH ":::::::\nroot:" HASH ":17322:0:::::\n");
    assert_string_equal(text_of(&out), "root:" HASH ":17322:0:::::\n");
    assert_string_equal(text_of(&notices), "f:1: this is not NAME:PASSWORD:...: left out\n"
                                           "f:2: this is not NAME:PASSWORD:...: left out\n"
                                           "f:3: this is not NAME:PASSWORD:...: left out\n");
}

static void what_can_be_completed_is(void **state) {
    static const char *const lines[] = {"root:" HASH, "root:" HASH ":17322:0::::", "root:" HASH ":today::::::",
                                        "root:" HASH ":1:2:3:4:5:6:7:8", "root:" HASH ":-1::::::"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        check(lines[i]);
        assert_string_equal(text_of(&out), "root:" HASH ":::::::\n");
        assert_non_null(strstr(text_of(&notices), "f:1: what follows the password of root"));
    }
}

static void who_cannot_log_in_is_told_why(void **state) {
    static const struct {
        const char *text, *notice;
    } cases[] = {
        {"", "f:0: there is no line for root"},
        {"# only this\n", "f:1: there is no line for root"},
        {"Root:" HASH ":::::::", "f:1: there is no line for root"},
        {"root:*::0:::::", "f:1: root is locked"},
        {"root:!" HASH ":::::::", "f:1: root is locked"},
        {"root:x:::::::", "f:1: the password of root is not a whole hash"},
        {"root:abcdefgh:::::::", "f:1: the password of root is not a whole hash"},
        {"root:$6$salt:::::::", "f:1: the password of root is not a whole hash"},
        {"root:$6$salt$cutoff:::::::", "f:1: the password of root is not a whole hash"},
        {"root:$:::::::", "f:1: the password of root is not a whole hash"},
        {"root:$$:::::::", "f:1: the password of root is not a whole hash"},
        {"root:$y$j9T$:::::::", "f:1: the password of root is not a whole hash"},
        {"root:$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9ag", "f:1: the password of root is not a whole hash"},
        {"root:$2b$05$abcdefghijklmnopqrstuuTKmUgd3", "f:1: the password of root is not a whole hash"},
        {"root:" HASH "\x01:::::::", "f:1: the password of root is not a whole hash"},
        {"root::::::::", "f:1: root has no password: anybody can log in"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        check(cases[i].text);
        assert_non_null(strstr(text_of(&notices), cases[i].notice));
    }
}

static int make_large(const char *path, size_t len) {
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    return fd < 0 ? fd : ftruncate(fd, (off_t)len);
}

/* What a file that is cut off says must never be more than what the whole one said. */
static void no_cut_opens_the_machine(void **state) {
    static const char whole[] = "daemon:*:19000:0:99999:7:::\nroot:" HASH ":17322:0:::::\n";
    char part[sizeof(whole)];

    (void)state;
    for (size_t len = 0; len < sizeof(whole); len++) {
        (void)snprintf(part, sizeof(part), "%.*s", (int)len, whole);
        check(part);
        assert_null(strstr(text_of(&notices), "anybody can log in"));
        assert_null(strstr(text_of(&out), "root::"));
        if (!strstr(text_of(&out), "root:" HASH ":"))
            assert_non_null(strstr(text_of(&notices), "root"));
    }
    check("root:");
    assert_string_equal(text_of(&out), "");
    assert_non_null(strstr(text_of(&notices), "f:1: it may be cut off before the password"));
    check("root::no numbers:::::");
    assert_string_equal(text_of(&out), "");
}

static void of_two_lines_for_root_the_first_counts(void **state) {
    (void)state;
    check("root:" HASH ":::::::\nroot::::::::\n");
    assert_string_equal(text_of(&out), "root:" HASH ":::::::\n");
    assert_string_equal(text_of(&notices), "f:2: root has a line already, and the first one counts: left out\n");
}

/* People copy the /etc/shadow of a whole system. */
static void what_is_said_of_others_does_not_hide_root(void **state) {
    char text[2048];
    size_t used = 0;

    (void)state;
    check("daemon:*:19000:0:99999:7:::\nbin:!:19000::::::\nroot:" HASH ":::::::\n");
    assert_string_equal(text_of(&notices), "");
    for (int i = 0; i < 40; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "this is nothing\n");
    (void)snprintf(text + used, sizeof(text) - used, "root:cut");
    check(text);
    assert_non_null(strstr(text_of(&notices), "f:1: this is not"));
    assert_non_null(strstr(text_of(&notices), "f:41: the password of root is not a whole hash"));
    assert_non_null(strstr(text_of(&notices), "f:41: what follows the password of root"));
    assert_non_null(strstr(text_of(&notices), "\nf: that is not all: "));
    assert_true(notices.len < SHADOW_NOTICES_MAX + 64);
}

static void a_file_is_installed_whole_and_for_root_only(void **state) {
    char dir[] = "/tmp/shadow_test.XXXXXX", from[64], to[64];
    struct err e = {0};
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(from, sizeof(from), "%s/getty.shadow", dir);
    (void)snprintf(to, sizeof(to), "%s/shadow", dir);
    assert_int_equal(write_file_atomic(to, "old\n", 4, 0644, false, NULL), 0);
    /* Without a source, and with one that is no file, what is there stays. */
    assert_int_equal(shadow_install(from, "label", to, &notices, &e), -ENOENT);
    assert_int_equal(mkdir(from, 0700), 0);
    assert_int_equal(shadow_install(from, "label", to, &notices, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "not a regular file"));
    assert_int_equal(rmdir(from), 0);
    assert_int_equal(mkfifo(from, 0600), 0);
    assert_int_equal(shadow_install(from, "label", to, &notices, &e), -EINVAL);
    assert_int_equal(unlink(from), 0);
    assert_int_equal(symlink("nowhere", from), 0);
    assert_int_equal(shadow_install(from, "label", to, &notices, &e), -ELOOP);
    assert_non_null(strstr(e.msg, "could not read label: it is a link that leads nowhere"));
    assert_int_equal(unlink(from), 0);
    assert_int_equal(make_large(from, SHADOW_MAX + 1), 0);
    assert_int_equal(shadow_install(from, "label", to, &notices, &e), -EFBIG);
    assert_int_equal(unlink(from), 0);
    assert_int_equal(write_file_atomic(from, "root:\0:", 7, 0644, false, NULL), 0);
    assert_int_equal(shadow_install(from, "label", to, &notices, &e), -EINVAL);
    buf_reset(&out);
    assert_int_equal(read_file(to, 100, &out, NULL), 0);
    assert_string_equal(text_of(&out), "old\n");

    buf_reset(&notices);
    assert_int_equal(write_file_atomic(from, "root:" HASH, strlen("root:" HASH), 0644, false, NULL), 0);
    assert_int_equal(shadow_install(from, "label", to, &notices, &e), 0);
    buf_reset(&out);
    assert_int_equal(read_file(to, 1000, &out, NULL), 0);
    assert_string_equal(text_of(&out), "root:" HASH ":::::::\n");
    assert_int_equal(stat(to, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_non_null(strstr(text_of(&notices), "label:1: "));
    assert_int_equal(shadow_examine(to, &notices, &e), 0);
    assert_int_equal(unlink(from) | unlink(to) | rmdir(dir), 0);
}

static int free_bufs(void **state) {
    (void)state;
    buf_free(&out);
    buf_free(&notices);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_lines_stay_and_get_their_end),
        cmocka_unit_test(methods_that_login_knows_are_taken),
        cmocka_unit_test(broken_lines_are_named_with_their_number),
        cmocka_unit_test(what_can_be_completed_is),
        cmocka_unit_test(who_cannot_log_in_is_told_why),
        cmocka_unit_test(no_cut_opens_the_machine),
        cmocka_unit_test(of_two_lines_for_root_the_first_counts),
        cmocka_unit_test(what_is_said_of_others_does_not_hide_root),
        cmocka_unit_test(a_file_is_installed_whole_and_for_root_only),
    };
    return cmocka_run_group_tests(tests, NULL, free_bufs);
}
