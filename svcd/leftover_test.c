/* SPDX-License-Identifier: Apache-2.0 */
/* What a killed shim leaves is removed at once; what somebody may be about to remove is waited for. */
#include "svcd/leftover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/fdutil.h"
#include "lib/loop.h"
#include "lib/spawn.h"
#include "svcd/shim_test.h"

#define NS "leftover_test.linuxkit" /* no shim of this machine is of it */

static char dir[32];
static char tasks[64], containers[64], runc[64], task[128], container[128];
static struct leftover_place place;

/* A runc that notes how it was called. */
static int make_runc(void) {
    char script[256];
    int n = snprintf(script, sizeof(script), "#!/bin/sh\necho \"$@\" >%s/called\nrm -r \"$2/$5\"\n", dir);

    return write_file_atomic(runc, script, (size_t)n, 0755, false, NULL);
}

static int setup(void **state) {
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/leftover_test.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(tasks, sizeof(tasks), "%s/tasks", dir);
    (void)snprintf(containers, sizeof(containers), "%s/containers", dir);
    (void)snprintf(runc, sizeof(runc), "%s/runc", dir);
    (void)snprintf(task, sizeof(task), "%s/" NS "/www", tasks);
    (void)snprintf(container, sizeof(container), "%s/" NS "/www", containers);
    place = (struct leftover_place){tasks, containers, runc, 86400000};
    (void)alarm(120); /* whoever waits in vain ends by it */
    return make_runc();
}

static int teardown(void **state) {
    struct spawn s = SPAWN_INIT;
    int status;
    (void)state;
    s.argv = (const char *const[]){"rm", "-rf", dir, NULL};
    return spawn_wait(&s, 0, &status, NULL);
}

static void put(const char *name, const char *text) {
    AUTO_FREE char *path = path_join(task, name);
    assert_non_null(path);
    assert_int_equal(write_file_atomic(path, text, strlen(text), 0644, false, NULL), 0);
}

/* The folder of a task as containerd makes it, with a socket that somebody may listen on. */
static int make_task(bool listening) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    AUTO_FREE char *rootfs = path_join(task, "rootfs");
    char address[160];

    assert_non_null(rootfs);
    assert_int_equal(mkdir_p(rootfs, 0711, NULL), 0);
    put("config.json", "{}");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", dir);
    assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
    if (listening)
        assert_int_equal(listen(fd, 1), 0);
    (void)snprintf(address, sizeof(address), "unix://%s", addr.sun_path);
    put("address", address);
    return fd;
}

static void nothing_is_nothing(void **state) {
    (void)state;
    assert_false(leftover_is_there(&place, NS, "www"));
    assert_int_equal(leftover_remove(&place, NS, "www", NULL), 0);
}

/* With a day of patience: it would be seen if it were used. */
static void what_a_killed_shim_left_goes_at_once(void **state) {
    (void)state;
    (void)close(make_task(true));
    assert_true(leftover_is_there(&place, NS, "www"));
    assert_false(leftover_is_there(&place, NS, "w"));
    assert_false(leftover_is_there(&place, "default", "www"));
    assert_int_equal(leftover_remove(&place, NS, "www", NULL), 0);
    assert_int_equal(access(task, F_OK), -1);
    assert_false(leftover_is_there(&place, NS, "www"));
}

static void its_container_is_ended_by_the_runtime(void **state) {
    AUTO_BUF struct buf called = BUF_INIT;
    char path[64], expected[128];
    (void)state;
    assert_int_equal(mkdir_p(container, 0711, NULL), 0);
    assert_true(leftover_is_there(&place, NS, "www"));
    assert_int_equal(leftover_remove(&place, NS, "www", NULL), 0);
    (void)snprintf(path, sizeof(path), "%s/called", dir);
    (void)snprintf(expected, sizeof(expected), "--root %s/" NS " delete --force www\n", containers);
    assert_int_equal(read_file(path, 1024, &called, NULL), 0);
    assert_string_equal(called.data, expected);
    assert_false(leftover_is_there(&place, NS, "www"));
}

/* Somebody is at it: what appears under this name afterwards is the next task's, and nobody else's to remove. */
static void what_goes_by_itself_is_waited_for(void **state) {
    struct spawn s = SPAWN_INIT;
    char command[192];
    pid_t pid;
    (void)state;
    AUTO_CLOSE int fd = make_task(true);
    (void)snprintf(command, sizeof(command), "sleep 0.2; mv %s %s/aside", task, dir);
    s.argv = (const char *const[]){"sh", "-c", command, NULL};
    struct fake_shim shim = fake_shim_begin(dir, FAKE_SHIM, NS, "www");
    assert_int_equal(spawn(&s, &pid, NULL, NULL), 0);
    assert_int_equal(leftover_remove(&place, NS, "www", NULL), 0);
    (void)snprintf(command, sizeof(command), "%s/aside/config.json", dir);
    assert_int_equal(access(command, F_OK), 0); /* it went as it was */
    fake_shim_end(&shim, false);
    (void)fd;
}

/* containerd denies a task whose container somebody has deleted, and holds it: without its folder it would for ever. */
static void a_shim_that_lives_on_is_killed_before_its_folder_goes(void **state) {
    (void)state;
    place.patience_ms = 100;
    AUTO_CLOSE int fd = make_task(true);
    struct fake_shim shim = fake_shim_begin(dir, FAKE_SHIM, NS, "www");
    struct fake_shim other = fake_shim_begin(dir, FAKE_SHIM, NS, "ftp");
    assert_int_equal(leftover_remove(&place, NS, "www", NULL), 0);
    fake_shim_end(&shim, true);
    fake_shim_end(&other, false);
    assert_int_equal(access(task, F_OK), -1);
    (void)fd;
}

/* And containerd cleans up behind it, with the task's folder, and under its name. */
static void what_is_cleaned_up_behind_a_killed_shim_is_waited_for(void **state) {
    struct spawn s = SPAWN_INIT;
    char command[192];
    pid_t pid;
    (void)state;
    place.patience_ms = 1500;
    AUTO_CLOSE int fd = make_task(true);
    struct fake_shim shim = fake_shim_begin(dir, FAKE_SHIM, NS, "www");
    (void)snprintf(command, sizeof(command), "cat; sleep 0.2; mv %s %s/aside", task, dir);
    s.argv = (const char *const[]){"sh", "-c", command, NULL};
    s.stdin_fd = shim.life;
    assert_int_equal(spawn(&s, &pid, NULL, NULL), 0);
    assert_int_equal(leftover_remove(&place, NS, "www", NULL), 0);
    (void)snprintf(command, sizeof(command), "%s/aside/config.json", dir);
    assert_int_equal(access(command, F_OK), 0);
    fake_shim_end(&shim, true);
    (void)fd;
}

/* Then there is nothing that containerd could delete it with. */
static void a_shim_without_a_folder_is_killed(void **state) {
    AUTO_FREE char *aside = path_join(dir, "aside");
    (void)state;
    assert_false(leftover_free(&place, NS, "www"));
    struct fake_shim shim = fake_shim_begin(dir, FAKE_SHIM, NS, "www");
    AUTO_CLOSE int fd = make_task(true);
    assert_false(leftover_free(&place, NS, "www"));
    assert_int_equal(rename(task, aside), 0);
    assert_true(leftover_free(&place, NS, "www"));
    fake_shim_end(&shim, true);
    (void)fd;
}

static void patience_has_an_end(void **state) {
    (void)state;
    place.patience_ms = 100;
    assert_int_equal(mkdir_p(task, 0711, NULL), 0); /* no address: who knows */
    uint64_t before = clock_ms();
    assert_int_equal(leftover_remove(&place, NS, "www", NULL), 0);
    assert_true(clock_ms() - before >= 100);
    assert_int_equal(access(task, F_OK), -1);
}

/* Not a socket's name, or one that is too long for one. */
static void an_address_that_is_none_proves_nothing(void **state) {
    char text[240];
    (void)state;
    place.patience_ms = 1;
    memset(text, 'x', sizeof(text));
    memcpy(text, "unix://", 7);
    text[sizeof(text) - 1] = '\0';
    for (const char *const *a = (const char *const[]){"", "unix", "tcp://127.0.0.1:1", text, NULL}; *a; a++) {
        assert_int_equal(mkdir_p(task, 0711, NULL), 0);
        put("address", *a);
        assert_int_equal(leftover_remove(&place, NS, "www", NULL), 0);
        assert_int_equal(access(task, F_OK), -1);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(nothing_is_nothing),
        T(what_a_killed_shim_left_goes_at_once),
        T(its_container_is_ended_by_the_runtime),
        T(what_goes_by_itself_is_waited_for),
        T(a_shim_that_lives_on_is_killed_before_its_folder_goes),
        T(what_is_cleaned_up_behind_a_killed_shim_is_waited_for),
        T(a_shim_without_a_folder_is_killed),
        T(patience_has_an_end),
        T(an_address_that_is_none_proves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
