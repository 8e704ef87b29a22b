/* SPDX-License-Identifier: Apache-2.0 */
/* Fetching packages, and reading them. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/fdutil.h"
#include "tools/image/image.h"
#include "tools/pkg/debian.h"
#include "tools/pkg/fixture_test.h"

#define DEB "debs/one_1.0_amd64.deb"

static void make_one(void) {
    fixture_deb("one", "1.0", NULL, LINES("d usr", "f usr/one hello"));
}

static int fetch_one(struct deb *deb, struct err *e) {
    return debian_fetch(fixture_path("debs"), image_host_arch(), (const char *const[]){"one"}, 1, deb, e);
}

/* Fetches it, and sees that what came is whole. */
static void fetch_good(void) {
    AUTO_BUF struct buf out = BUF_INIT;
    struct deb deb;

    assert_int_equal(fetch_one(&deb, NULL), 0);
    assert_int_equal(deb_walk(&deb, fixture_describe, &out, NULL), 0);
    assert_string_equal(out.data, "d usr\nf usr/one=hello\n");
    debs_free(&deb, 1);
}

/* Names in the folder of .deb files. */
static size_t count_names(void) {
    AUTO_NAMES struct names names = {0};

    assert_int_equal(list_dir(fixture_path("debs"), &names, NULL), 0);
    return names.len;
}

static void a_package_is_fetched_once(void **state) {
    (void)state;
    make_one();
    fetch_good();
    fetch_good();
    assert_int_equal(fixture_downloads(), 1);
    assert_true(fixture_has(DEB));
    assert_int_equal(count_names(), 1);
}

static void several_come_in_the_order_asked_for(void **state) {
    struct deb debs[3];

    (void)state;
    make_one();
    fixture_deb("one-b", "3%3a4-5", NULL, LINES("f b x"));
    fixture_deb("zero", "1%3a0~rc1+dfsg-1", NULL, LINES("f z x"));
    assert_int_equal(debian_fetch(fixture_path("debs"), image_host_arch(),
                                  (const char *const[]){"zero", "one-b", "one"}, 3, debs, NULL),
                     0);
    assert_string_equal(debs[0].package, "zero");
    assert_string_equal(debs[0].version, "1:0~rc1+dfsg-1");
    assert_string_equal(debs[1].package, "one-b");
    assert_string_equal(debs[2].package, "one");
    assert_string_equal(debs[2].version, "1.0");
    assert_int_equal(strlen(debs[2].sha256), 64);
    assert_int_equal(fixture_downloads(), 3);
    debs_free(debs, 3);
}

/* With lists of its own, which are asked for once. */
static void another_architecture_has_its_own_packages(void **state) {
    const char *arch = strcmp(image_host_arch(), "arm64") ? "arm64" : "amd64";
    char file[64];
    struct deb deb;

    (void)state;
    make_one();
    assert_int_not_equal(debian_fetch(fixture_path("debs"), arch, (const char *const[]){"one"}, 1, &deb, NULL), 0);
    (void)snprintf(file, sizeof(file), "archive/one_1.0_%s.deb", arch);
    assert_int_equal(rename(fixture_path("archive/one_1.0_amd64.deb"), fixture_path(file)), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(debian_fetch(fixture_path("debs"), arch, (const char *const[]){"one"}, 1, &deb, NULL), 0);
        assert_string_equal(strrchr(deb.path, '_') + 1, strrchr(file, '_') + 1);
        debs_free(&deb, 1);
    }
    assert_int_equal(fixture_downloads(), 2); /* one update, one package */
}

static void a_damaged_file_is_fetched_again(void **state) {
    struct stat st;

    (void)state;
    make_one();
    fetch_good();
    assert_int_equal(stat(fixture_path(DEB), &st), 0);
    assert_int_equal(truncate(fixture_path(DEB), st.st_size - 1), 0);
    fetch_good();
    assert_int_equal(fixture_downloads(), 2);
    /* of the same size, but not the same */
    fixture_write(DEB, "");
    assert_int_equal(truncate(fixture_path(DEB), st.st_size), 0);
    fetch_good();
    assert_int_equal(fixture_downloads(), 3);
}

static void a_download_that_is_cut_off_is_refused(void **state) {
    struct deb deb;
    struct err e = {0};

    (void)state;
    make_one();
    fixture_write("cut", "");
    assert_int_equal(fetch_one(&deb, &e), -EBADMSG);
    assert_non_null(strstr(e.msg, "could not fetch package one: "));
    assert_non_null(strstr(e.msg, "its SHA256 is not"));
    assert_int_equal(count_names(), 0);
    assert_int_equal(unlink(fixture_path("cut")), 0);
    fetch_good();
}

static void leftovers_of_dead_builds_go(void **state) {
    (void)state;
    make_one();
    assert_int_equal(mkdir(fixture_path("debs"), 0755), 0);
    assert_int_equal(mkdir(fixture_path("debs/.new-abcdef"), 0700), 0);
    fixture_write("debs/.new-abcdef/one_1.0_amd64.deb", "half");
    fetch_good();
    assert_int_equal(count_names(), 1);
}

static void two_builds_at_once_fetch_once(void **state) {
    int status;

    (void)state;
    make_one();
    fixture_write("slow", "");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct deb deb;
        _exit(fetch_one(&deb, NULL) < 0);
    }
    fetch_good();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(fixture_downloads(), 1);
    assert_int_equal(count_names(), 1);
}

static void an_unknown_package_is_an_error(void **state) {
    struct deb deb;
    struct err e = {0};

    (void)state;
    assert_int_equal(fetch_one(&deb, &e), -EIO);
    assert_non_null(strstr(e.msg, "apt-get exited with status 100"));
    assert_null(deb.path);
}

static void only_the_very_package_will_do(void **state) {
    struct deb deb;
    struct err e = {0};

    (void)state;
    /* as if apt had answered for another package: the file's name does not start with one_ */
    fixture_write("bin/apt-get", "#!/bin/sh\necho \"'u' one-more_1_amd64.deb 1 SHA256:00\"\n");
    assert_int_equal(chmod(fixture_path("bin/apt-get"), 0755), 0);
    assert_int_equal(fetch_one(&deb, &e), -ENOENT);
    assert_string_equal(e.msg, "could not find package one: apt names no file for it");
}

static void odd_answers_are_refused(void **state) {
    static const struct {
        const char *answer, *message;
    } cases[] = {
        {"'u' one_1_amd64.deb 1 MD5Sum:00", "could not check one_1_amd64.deb: apt knows no SHA256 of it, but"},
        {"'u' one_/../../x_amd64.deb 1 SHA256:00", "could not understand apt's file name one_/../../x_amd64.deb"},
        {"'u' one_1.deb 1 SHA256:00", "could not understand apt's file name one_1.deb"},
        {"one_1_amd64.deb", "could not find package one"},
        {"", "could not find package one"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_FREE char *script = NULL;
        struct deb deb;
        struct err e = {0};

        assert_true(asprintf(&script, "#!/bin/sh\necho \"%s\"\n", cases[i].answer) > 0);
        fixture_write("bin/apt-get", script);
        assert_int_equal(chmod(fixture_path("bin/apt-get"), 0755), 0);
        assert_true(fetch_one(&deb, &e) < 0);
        assert_int_equal(strncmp(e.msg, cases[i].message, strlen(cases[i].message)), 0);
    }
}

static void a_package_is_read(void **state) {
    AUTO_BUF struct buf out = BUF_INIT, control = BUF_INIT;
    struct deb deb;

    (void)state;
    fixture_deb("one", "1.0", "libc6 (>= 2.36)",
                LINES("d .", "d bin", "f bin/a contents of a", "h bin/b bin/a", "l bin/c ../x"));
    assert_int_equal(fetch_one(&deb, NULL), 0);
    assert_int_equal(deb_walk(&deb, fixture_describe, &out, NULL), 0);
    assert_string_equal(out.data, "d \nd bin\nf bin/a=contents of a\nh bin/b -> bin/a\nl bin/c -> ../x\n");
    assert_int_equal(deb_control(&deb, &control, NULL), 0);
    assert_string_equal(control.data, "Package: one\nVersion: 1.0\nDepends: libc6 (>= 2.36)\nArchitecture: amd64\n");
    debs_free(&deb, 1);
}

static int ignore(void *data, const struct entry *entry, const struct entry_content *content, struct err *e) {
    (void)data;
    (void)entry;
    (void)content;
    (void)e;
    return 0;
}

static void what_is_no_package_is_an_error(void **state) {
    AUTO_FREE char *path = strdup(fixture_path("x.deb"));
    struct deb deb = {.path = path};
    struct stat st;
    struct err e = {0};

    (void)state;
    assert_true(deb_walk(&deb, ignore, NULL, &e) < 0); /* not there */
    fixture_write("x.deb", "!<arch>\n");
    assert_int_equal(deb_walk(&deb, ignore, NULL, &e), -EBADMSG);
    assert_non_null(strstr(e.msg, "it has no data.tar"));
    make_one();
    deb.path = (char *)(uintptr_t)fixture_path("archive/one_1.0_amd64.deb");
    assert_int_equal(stat(deb.path, &st), 0);
    for (off_t len = st.st_size - 8; len > 0; len -= 8) { /* wherever it is cut off */
        assert_int_equal(truncate(deb.path, len), 0);
        e = (struct err){0};
        assert_true(deb_walk(&deb, ignore, NULL, &e) < 0);
        assert_true(*e.msg);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_package_is_fetched_once),
        FIXTURE_TEST(several_come_in_the_order_asked_for),
        FIXTURE_TEST(another_architecture_has_its_own_packages),
        FIXTURE_TEST(a_damaged_file_is_fetched_again),
        FIXTURE_TEST(a_download_that_is_cut_off_is_refused),
        FIXTURE_TEST(leftovers_of_dead_builds_go),
        FIXTURE_TEST(two_builds_at_once_fetch_once),
        FIXTURE_TEST(an_unknown_package_is_an_error),
        FIXTURE_TEST(only_the_very_package_will_do),
        FIXTURE_TEST(odd_answers_are_refused),
        FIXTURE_TEST(a_package_is_read),
        FIXTURE_TEST(what_is_no_package_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
