/* SPDX-License-Identifier: Apache-2.0 */
#include "bootrecord/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/spawn.h"

static char root[] = "/tmp/record_test.XXXXXX";
static char out[256];

static int setup(void **state) {
    (void)state;
    memcpy(root + sizeof(root) - 7, "XXXXXX", 6);
    return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state) {
    struct spawn s = SPAWN_INIT;
    int status;
    (void)state;
    s.argv = (const char *const[]){"rm", "-r", root, NULL};
    return spawn_wait(&s, 0, &status, NULL);
}

static void put(const char *path, const char *text) {
    AUTO_FREE char *full = path_join(root, path);
    AUTO_FREE char *dir = strdup(full);
    *strrchr(dir, '/') = '\0';
    assert_int_equal(mkdir_p(dir, 0755, NULL), 0);
    assert_int_equal(write_file_atomic(full, text, strlen(text), 0644, false, NULL), 0);
}

static void each_kind_of_step_has_its_log(void **state) {
    (void)state;
    put("run/log/onboot/onboot.000-x.log", "one\ntwo\n");
    put("var/log/www.log", "www\n");
    put("var/log/containerd.log", "refused\n");
    record_log_tail(root, "onboot/000-x", out, sizeof(out));
    assert_string_equal(out, "one\ntwo");
    record_log_tail(root, "services/www", out, sizeof(out));
    assert_string_equal(out, "www");
    record_log_tail(root, "containerd", out, sizeof(out));
    assert_string_equal(out, "refused");
    record_log_tail(root, "005-volumes", out, sizeof(out));
    assert_string_equal(out, "");
    record_log_tail(root, "services/../../etc/x", out, sizeof(out));
    assert_string_equal(out, "");
}

static void other_output_counts_if_there_are_no_errors(void **state) {
    (void)state;
    put("var/log/www.log", "\n");
    put("var/log/www.out.log", "said\n");
    record_log_tail(root, "services/www", out, sizeof(out));
    assert_string_equal(out, "said");
}

static void only_the_end_is_taken_and_no_link_is_followed(void **state) {
    (void)state;
    char path[128];
    put("var/log/www.log", "first\nlast\n");
    record_log_tail(root, "services/www", out, 6);
    assert_string_equal(out, "last");
    put("secret", "secret\n");
    (void)snprintf(path, sizeof(path), "%s/var/log/b.log", root);
    assert_int_equal(symlink("../../secret", path), 0);
    record_log_tail(root, "services/b", out, sizeof(out));
    assert_string_equal(out, "");
}

static void the_one_shot_that_runs_is_named(void **state) {
    (void)state;
    record_running(root, "010-onboot", out, sizeof(out));
    assert_string_equal(out, "010-onboot");
    put("run/keelson/onboot.running", "000-hangs");
    record_running(root, "010-onboot", out, sizeof(out));
    assert_string_equal(out, "010-onboot: 000-hangs");
    record_running(root, "", out, sizeof(out));
    assert_string_equal(out, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_kind_of_step_has_its_log, setup, teardown),
        cmocka_unit_test_setup_teardown(other_output_counts_if_there_are_no_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(only_the_end_is_taken_and_no_link_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_one_shot_that_runs_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
