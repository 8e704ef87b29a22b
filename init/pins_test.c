/* SPDX-License-Identifier: Apache-2.0 */
/* A tmpfs in a mount namespace of the test's own, kept busy in every way that needs no root. */
#include "init/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "init/loops.h"
#include "init/unmount.h"
#include "lib/auto.h"
#include "lib/fdutil.h"
#include "lib/log.h"

static char where[] = "/tmp/pins_test.XXXXXX", said[16384];
static dev_t dev;
static pid_t children[32];
static size_t children_len;

static void hear(const char *line, size_t len) {
    size_t used = strlen(said);

    (void)snprintf(said + used, sizeof(said) - used, "%.*s", (int)len, line);
}

/* Starts a process that does `prepare` and stays; returns once it has done it. */
static pid_t start(void (*prepare)(void)) {
    int ready[2];
    char byte;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        prepare();
        (void)write_full(ready[1], "x", 1);
        for (;;)
            (void)pause();
    }
    children[children_len++] = pid;
    (void)close(ready[1]);
    assert_int_equal(read_full(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    return pid;
}

static void stand_in_it(void) {
    if (chdir(where) < 0)
        _exit(1);
}

static void open_two(void) {
    char path[64];

    (void)snprintf(path, sizeof(path), "%s/file", where);
    if (open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) < 0 || open(path, O_RDONLY | O_CLOEXEC) < 0)
        _exit(1);
}

static void map_it(void) {
    char path[64];

    (void)snprintf(path, sizeof(path), "%s/map", where);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, 4096) < 0 || mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
        _exit(1);
    (void)close(fd);
}

static void leave_for_another_namespace(void) {
    if (unshare(CLONE_NEWNS) < 0)
        _exit(1);
}

static int begin(void **state) {
    struct stat st;
    (void)state;
    said[0] = '\0';
    log_set_sink(hear);
    if (mount("pins_test", where, "tmpfs", 0, NULL) < 0 || stat(where, &st) < 0)
        return -1;
    dev = st.st_dev;
    return 0;
}

static int finish(void **state) {
    (void)state;
    log_set_sink(NULL);
    while (children_len > 0) {
        (void)kill(children[--children_len], SIGKILL);
        (void)waitpid(children[children_len], NULL, 0);
    }
    return umount2(where, MNT_DETACH) < 0 && errno != EINVAL ? -1 : 0;
}

static PRINTF_LIKE(1, 2) void expect_said(const char *fmt, ...) {
    char text[128];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (!strstr(said, text))
        fail_msg("no \"%s\" in \"%s\"", text, said);
}

static void processes_are_named_with_what_they_use(void **state) {
    (void)state;
    pid_t stands = start(stand_in_it), opens = start(open_two), maps = start(map_it);
    assert_int_equal(pins_report(where, dev), 3);
    expect_said("%s is kept by pid %d (pins_test): cwd; state S", where, stands);
    expect_said("%s is kept by pid %d (pins_test): fd 5 and 1 more; state", where, opens);
    expect_said("%s is kept by pid %d (pins_test): maps; state S", where, maps);
}

static void nobody_is_named_for_nothing(void **state) {
    (void)state;
    assert_int_equal(pins_report(where, dev), 0);
    assert_string_equal(said, "");
}

static void what_is_mounted_below_is_named(void **state) {
    char below[64], text[160];
    (void)state;
    (void)snprintf(below, sizeof(below), "%s/a b", where);
    assert_int_equal(mkdir(below, 0755), 0);
    assert_int_equal(mount("below", below, "tmpfs", 0, NULL), 0);
    assert_int_equal(pins_report(where, dev), 1);
    (void)snprintf(text, sizeof(text), "%s is kept by %s, a mount of type tmpfs\n", where, below);
    assert_non_null(strstr(said, text));
    assert_int_equal(umount(below), 0);
}

static void ten_are_named_and_the_others_counted(void **state) {
    size_t lines = 0;
    (void)state;
    for (int i = 0; i < PINS_MAX + 4; i++)
        (void)start(stand_in_it);
    assert_int_equal(pins_report(where, dev), PINS_MAX + 4);
    for (const char *p = said; (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, PINS_MAX + 1);
    expect_said("%s is kept by 4 more\n", where);
}

static void another_mount_namespace_keeps_what_we_have_unmounted(void **state) {
    (void)state;
    pid_t pid = start(leave_for_another_namespace);
    assert_int_equal(umount(where), 0);
    assert_int_equal(pins_report_namespaces(where, dev), 1);
    expect_said("%s is kept by the mount namespace of pid %d (pins_test)", where, pid);
}

static void a_path_is_below_by_its_names(void **state) {
    (void)state;
    assert_true(path_is_at_or_below("/a/b", "/a"));
    assert_true(path_is_at_or_below("/a", "/a"));
    assert_false(path_is_at_or_below("/ab", "/a"));
    assert_false(path_is_at_or_below("/", "/a"));
}

static int map_to_root(const char *path, unsigned id) {
    char map[32];

    (void)snprintf(map, sizeof(map), "0 %u 1", id);
    return write_sysfile(path, map, NULL);
}

/* Who is not root is it in a namespace. */
static int become_root(void) {
    unsigned user = geteuid(), group = getegid();

    if (unshare(CLONE_NEWUSER) < 0 || write_sysfile("/proc/self/setgroups", "deny", NULL) < 0)
        return -1;
    return map_to_root("/proc/self/uid_map", user) < 0 ? -1 : map_to_root("/proc/self/gid_map", group);
}

static int make_namespace(void **state) {
    (void)state;
    if ((geteuid() && become_root() < 0) || unshare(CLONE_NEWNS) < 0)
        return -1;
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mkdtemp(where) ? 0 : -1;
}

static int remove_dir(void **state) {
    (void)state;
    return rmdir(where);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(processes_are_named_with_what_they_use),
        T(nobody_is_named_for_nothing),
        T(what_is_mounted_below_is_named),
        T(ten_are_named_and_the_others_counted),
        T(another_mount_namespace_keeps_what_we_have_unmounted),
        T(a_path_is_below_by_its_names),
    };
    return cmocka_run_group_tests(tests, make_namespace, remove_dir);
}
