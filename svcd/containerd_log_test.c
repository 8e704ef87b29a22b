/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/containerd_log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "lib/temp.h"
#include "svcd/acts.h"

#define LOOK_MS 20

static struct temp_dir dir;
static struct loop loop;
static struct loop_source timer;
static struct containerd_log l;
static char path[PATH_MAX + 16], old[PATH_MAX + 24];

static void write_much(off_t size) {
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    assert_int_equal(ftruncate(fd, size), 0);
}

static off_t size_of(const char *file) {
    struct stat st;

    return stat(file, &st) < 0 ? -1 : st.st_size;
}

/* Nobody tells when it was cut: it is looked at. */
static void look(struct loop_source *src, void *data) {
    if (size_of(path) == 0)
        loop_stop(&loop);
    else
        assert_int_equal(loop_set_timer(&loop, src, LOOK_MS, look, data), 0);
}

static void until_cut(void) {
    loop.stopped = false;
    assert_int_equal(loop_set_timer(&loop, &timer, LOOK_MS, look, NULL), 0);
    assert_int_equal(loop_run(&loop), 0);
}

static int begin(void **state) {
    (void)state;
    log_set_fd(-1);
    if (temp_dir_make(&dir, NULL, "containerd_log_test.", NULL) < 0 || loop_init(&loop) < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/containerd.log", dir.path);
    (void)snprintf(old, sizeof(old), "%s.0", path);
    return 0;
}

static int finish(void **state) {
    (void)state;
    containerd_log_fini(&l);
    loop_fini(&loop);
    log_set_fd(2);
    temp_dir_remove(&dir);
    return 0;
}

static void both_outputs_in_one_file_are_one_log(void **state) {
    const struct containerd_conf conf = {.stdout_to = path, .stderr_to = path};
    (void)state;
    write_much(SERVICE_LOG_MAX + 1); /* before svcd came */
    containerd_log_watch(&l, &loop, &conf);
    assert_int_equal(size_of(path), 0);
    assert_int_equal(size_of(old), SERVICE_LOG_MAX + 1);
    assert_null(l.files[1].path);
    containerd_log_watch(&l, &loop, &conf); /* containerd is started again */
    write_much(3 * SERVICE_LOG_MAX);
    until_cut();
    assert_int_equal(size_of(old), 2 * SERVICE_LOG_MAX);
}

static void what_is_no_file_is_not_watched(void **state) {
    char out[] = "stdout", root[] = "/x";
    (void)state;
    containerd_log_watch(&l, &loop, &(const struct containerd_conf){.stdout_to = out, .stderr_to = NULL});
    containerd_log_watch(&l, &loop, &(const struct containerd_conf){.stdout_to = root});
    assert_null(l.files[0].path);
    assert_null(l.files[1].path);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(both_outputs_in_one_file_are_one_log),
        T(what_is_no_file_is_not_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
