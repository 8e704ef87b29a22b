/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sequence against a system that is not there: a runc that is a shell script, which writes down how it is called
 * and does what the bundle's file `does` says.
 */
#include "svcd/onboot.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/spawn.h"
#include "runtime-config/namespace_test.h"

static const char fake_runc[] =
    "#!/bin/sh\n"
    "top=${0%/*}\n"
    "log=\n"
    "bundle=\n"
    "pidfile=\n"
    "said=\n"
    "while :; do\n"
    "  case $1 in\n"
    "    --debug) said=\"--debug \"; shift ;;\n"
    "    --log) log=$2; shift 2 ;;\n"
    "    --log-format) shift 2 ;;\n"
    "    *) break ;;\n"
    "  esac\n"
    "done\n"
    "command=$1; shift\n"
    "while :; do\n"
    "  case $1 in\n"
    "    --bundle) bundle=$2; shift 2 ;;\n"
    "    --pid-file) pidfile=$2; shift 2 ;;\n"
    "    --all|--force) shift ;;\n"
    "    *) break ;;\n"
    "  esac\n"
    "done\n"
    "echo \"$said$command $1\" >>$top/calls\n"
    "case $command in\n"
    "  run) cd $bundle && echo $$ >$top/pid && . ./does ;;\n"
    "  create)\n"
    "    [ ! -e $bundle/cannot-create ] || {\n"
    "      echo '{\"level\":\"warning\",\"msg\":\"never mind\"}' >$log\n"
    "      echo '{\"level\":\"error\",\"msg\":\"runc create failed: no such thing\"}' >>$log; exit 1; }\n"
    "    (cd $bundle && while [ ! -e $top/started ]; do sleep 0.01; [ -e $bundle ] || exit; done && . ./does) &\n"
    "    echo $! >$top/pid; printf %d $! >$pidfile ;;\n"
    "  start) echo >$top/started ;;\n"
    "  kill) kill -KILL $(cat $top/pid) ;;\n"
    "  delete) rm -f $top/started; [ ! -e $top/onboot/$1/slow-delete ] || . $top/onboot/$1/slow-delete ;;\n"
    "esac\n";

static const char fake_preparer[] = "#!/bin/sh\n. $1/prepares\n";

static char top[] = "/tmp/onboot_test.XXXXXX";
static char dir[64], log_dir[64], log_link[64], runc[64], run_dir[64], log_socket[64], timeline[64], preparer[64];
static const struct oneshot_dir places = {dir, log_dir, log_link, "onboot", "010-onboot"};
static enum onfail asked;
static bool can_mount;
static char said[16384];

static bool note_onfail(const char *name, enum onfail onfail) {
    (void)name;
    asked = onfail;
    return onfail != ONFAIL_CONTINUE;
}

static const struct oneshot_system sys = {runc, run_dir, log_socket, timeline, note_onfail, preparer};

static void hear(const char *line, size_t len) {
    size_t used = strlen(said);

    (void)snprintf(said + used, sizeof(said) - used, "%.*s", (int)len, line);
}

static void write_file(const char *path, const char *text) {
    assert_int_equal(write_file_atomic(path, text, strlen(text), 0755, false, NULL), 0);
}

static const char *text_of(const char *path) {
    static char text[4096];
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static void put(const char *name, const char *file, const char *text) {
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(mkdir_p(path, 0755, NULL), 0);
    (void)snprintf(path, sizeof(path), "%s/%s/%s", dir, name, file);
    write_file(path, text);
}

static void make_bundle(const char *name, const char *does, const char *runtime_json) {
    char path[256];

    put(name, "does", does);
    put(name, "config.json", "{\"root\":{\"path\":\"rootfs\"}}");
    if (runtime_json)
        put(name, "runtime.json", runtime_json);
    (void)snprintf(path, sizeof(path), "%s/%s/rootfs", dir, name);
    assert_int_equal(mkdir_p(path, 0755, NULL), 0);
}

static unsigned run_with(const struct cmdline *c) {
    said[0] = '\0';
    asked = ONFAIL_CONTINUE;
    log_set_sink(hear);
    unsigned failures = oneshot_run(&places, &sys, c);
    log_set_sink(NULL);
    return failures;
}

static unsigned run(void) {
    const struct cmdline none = {0};

    return run_with(&none);
}

static const char *calls(void) {
    char path[96];

    (void)snprintf(path, sizeof(path), "%s/calls", top);
    return text_of(path);
}

static json_t *record(void) {
    char path[96];
    json_t *doc = NULL;

    (void)snprintf(path, sizeof(path), "%s/onboot.json", run_dir);
    assert_int_equal(json_load_path(path, 1 << 20, &doc, NULL), 0);
    return doc;
}

static void assert_outcome(size_t n, const char *outcome, int number) {
    AUTO_JSON json_t *doc = record();
    const json_t *one = json_array_get(json_object_get(doc, "containers"), n);

    assert_string_equal(json_string_value(json_object_get(one, "outcome")), outcome);
    assert_int_equal(json_integer_value(json_object_get(one, "number")), number);
}

static void assert_said(const char *what) {
    if (!strstr(said, what))
        fail_msg("\"%s\" is not in \"%s\"", what, said);
}

static void one_call_each_in_the_order_of_names(void **state) {
    (void)state;
    make_bundle("001-b", "echo out of b; echo err of b >&2", NULL);
    make_bundle("000-a", "exit 0", NULL);
    make_bundle("010-c", "exit 0", NULL);
    assert_int_equal(run(), 0);
    assert_string_equal(calls(), "run 000-a\nrun 001-b\nrun 010-c\n");
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/onboot.001-b.out.log", log_link);
    assert_string_equal(text_of(path), "out of b\n");
    (void)snprintf(path, sizeof(path), "%s/onboot.001-b.log", log_dir);
    assert_string_equal(text_of(path), "err of b\n");
    assert_outcome(0, "ok", 0);
    assert_string_equal(said, "");
}

/* One that says too much must not take the memory of /run from those behind it: the end of it is what is kept. */
static void a_log_is_bounded(void **state) {
    char path[128], end[8] = {0};
    struct stat st;
    (void)state;
    make_bundle("000-much", "yes much | head -c 3000000; printf 'the end'; head -c 1048576 /dev/zero >&2", NULL);
    assert_int_equal(run(), 0);
    (void)snprintf(path, sizeof(path), "%s/onboot.000-much.out.log", log_dir);
    assert_said("onboot.000-much.out.log: only the last 1048576 of its 3000007 bytes are kept\n");
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 1 << 20);
    assert_int_equal(pread(fd, end, 7, (1 << 20) - 7), 7);
    assert_string_equal(end, "the end");
    (void)snprintf(path, sizeof(path), "%s/onboot.000-much.log", log_dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 1 << 20);
    assert_null(strstr(said, "000-much.log: only"));
}

/* What it took in runc, and here, stands in the timeline and in the record, for each and in all. */
static void time_is_told_apart(void **state) {
    AUTO_JSON json_t *stages = NULL;
    (void)state;
    make_bundle("000-a", "sleep 0.1", NULL);
    assert_int_equal(run(), 0);
    AUTO_JSON json_t *doc = record();
    assert_true(json_integer_value(json_object_get(doc, "runc_ns")) >= 100000000);
    assert_true(json_integer_value(json_object_get(doc, "own_ns")) > 0);
    assert_int_equal(json_load_path(timeline, 1 << 20, &stages, NULL), 0);
    const json_t *list = json_object_get(stages, "stages");
    assert_int_equal(json_array_size(list), 2);
    const char *const names[] = {"onboot/000-a", "onboot/all"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *stage = json_array_get(list, i);
        assert_string_equal(json_string_value(json_object_get(stage, "stage")), names[i]);
        assert_string_equal(json_string_value(json_object_get(stage, "parent")), "010-onboot");
        assert_non_null(strstr(json_string_value(json_object_get(stage, "detail")), "runc 0."));
        assert_non_null(strstr(json_string_value(json_object_get(stage, "detail")), "own 0."));
    }
}

/* Not how much: only that who works uses more than who sleeps. */
static void who_used_the_processor_is_told(void **state) {
    AUTO_JSON json_t *doc = NULL;
    json_int_t used[3];
    (void)state;
    make_bundle("000-sleeps", "sleep 0.1", NULL);
    make_bundle("001-works", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done", NULL);
    assert_int_equal(run(), 0);
    assert_int_equal(json_load_path(timeline, 1 << 20, &doc, NULL), 0);
    for (size_t i = 0; i < 3; i++)
        used[i] = json_integer_value(json_object_get(json_array_get(json_object_get(doc, "stages"), i), "cpu_ns"));
    assert_true(used[0] > 0 && used[1] > used[0]);
    assert_true(used[2] >= used[0] + used[1]);
}

/* A disk that one of them mounts on /var hides the link to the logs. */
static void the_link_to_the_logs_is_made_again(void **state) {
    (void)state;
    make_bundle("000-a", "rm ../../link && echo out of a", NULL);
    assert_int_equal(run(), 0);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/onboot.000-a.out.log", log_link);
    assert_string_equal(text_of(path), "out of a\n");
}

static void ends_are_told_apart_and_counted(void **state) {
    (void)state;
    make_bundle("000-exit", "exit 3", NULL);
    make_bundle("001-signal", "exit 137", NULL);
    make_bundle("002-late", "exec sleep 100", "{\"deadline\":\"50ms\"}");
    make_bundle("003-ok", "exit 0", NULL);
    make_bundle("004-error", "echo '{\"level\":\"error\",\"msg\":\"runc run failed: no such program\"}' >$log; exit 1",
                NULL);
    assert_int_equal(run(), 4);
    assert_said("onboot container 000-exit failed: it exited with status 3\n");
    assert_said("onboot container 001-signal failed: it was killed by signal 9 (Killed)\n");
    assert_said("onboot container 002-late failed: it was killed: it took longer than its deadline of 50 ms\n");
    assert_said("onboot container 004-error failed: runc run failed: no such program\n");
    assert_said("onboot containers: 1 ok, 1 error, 1 exit, 1 signal, 1 deadline, runc ");
    assert_outcome(0, "exit", 3);
    assert_outcome(1, "signal", 9);
    assert_outcome(2, "deadline", 0);
    assert_outcome(3, "ok", 0);
    assert_outcome(4, "error", 0);
    assert_non_null(strstr(calls(), "run 002-late\nkill 002-late\ndelete 002-late\n"));
}

static void what_needs_the_process_is_created_and_started(void **state) {
    const struct cmdline debug = {.runc_debug = true};
    (void)state;
    if (!can_mount)
        skip();
    char runtime[128];
    (void)snprintf(runtime, sizeof(runtime), "{\"bindNS\":{\"uts\":\"%s/uts\"}}", top);
    make_bundle("000-ns", "exit 4", runtime);
    assert_int_equal(run(), 1);
    assert_string_equal(calls(), "create 000-ns\nstart 000-ns\ndelete 000-ns\n");
    assert_outcome(0, "exit", 4);
    char left[128];
    (void)snprintf(left, sizeof(left), "onboot container 000-ns: this stays for inspection: namespace %s/uts\n", top);
    assert_said(left);
    (void)umount2(strchr(left, '/'), MNT_DETACH);
    make_bundle("000-ns", "kill -TERM $(cat ../../pid)", runtime);
    assert_int_equal(run_with(&debug), 1);
    assert_outcome(0, "signal", SIGTERM);
    assert_non_null(strstr(calls(), "--debug create 000-ns\n--debug start"));
    const char *p = said;
    for (const char *const *stage =
             (const char *const[]){"creating", "preparing", "starting", "waiting", "cleaning up", NULL};
         *stage; stage++) {
        p = strstr(p, *stage);
        assert_non_null(p);
    }
    (void)snprintf(left, sizeof(left), "%s/uts", top);
    assert_int_equal(umount2(left, MNT_DETACH), 0);
}

/* The deadline is the container's, and not that of what is to be done behind it. */
static void who_ends_in_time_is_cleaned_up_in_peace(void **state) {
    char runtime[128];
    (void)state;
    if (!can_mount)
        skip();
    (void)snprintf(runtime, sizeof(runtime), "{\"deadline\":\"3s\",\"bindNS\":{\"uts\":\"%s/uts\"}}", top);
    make_bundle("000-quick", "exit 0", runtime);
    put("000-quick", "slow-delete", "sleep 3.2\n");
    (void)snprintf(runtime, sizeof(runtime), "{\"deadline\":\"300ms\",\"bindNS\":{\"uts\":\"%s/uts\"}}", top);
    make_bundle("001-late", "exec sleep 100", runtime);
    assert_int_equal(run(), 1);
    assert_outcome(0, "ok", 0);
    assert_outcome(1, "deadline", 0);
    assert_string_equal(calls(), "create 000-quick\nstart 000-quick\ndelete 000-quick\n"
                                 "create 001-late\nstart 001-late\nkill 001-late\ndelete 001-late\n");
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/uts", top);
    assert_int_equal(umount2(path, MNT_DETACH), 0);
}

static void what_cannot_be_created_is_named_by_runc(void **state) {
    (void)state;
    make_bundle("000-ns", "exit 0", "{\"bindNS\":{\"uts\":\"/nosuch/uts\"}}");
    put("000-ns", "cannot-create", "");
    assert_int_equal(run(), 1);
    assert_said("onboot container 000-ns failed: runc create failed: no such thing\n");
    assert_string_equal(calls(), "create 000-ns\n");
}

static void a_process_that_cannot_be_prepared_is_not_started(void **state) {
    (void)state;
    make_bundle("000-ns", "exit 0", "{\"bindNS\":{\"uts\":\"/proc/nosuch/uts\"}}");
    make_bundle("001-next", "exit 0", NULL);
    assert_int_equal(run(), 1);
    assert_said("onboot container 000-ns failed: $.bindNS.uts: could not create directory /proc/nosuch");
    assert_string_equal(calls(), "create 000-ns\ndelete 000-ns\nrun 001-next\n");
}

/* A mount that waits for another machine must not hold up the boot beyond the deadline. */
static void what_may_block_is_prepared_by_a_child(void **state) {
    static const char runtime[] = "{\"mounts\":[{\"destination\":\"/x\",\"type\":\"nfs\"}],\"deadline\":\"200ms\"}";
    (void)state;
    make_bundle("000-refused", "exit 0", runtime);
    put("000-refused", "prepares", "printf '$.mounts[0]: could not mount it'; exit 1\n");
    make_bundle("001-hangs", "exit 0", runtime);
    put("001-hangs", "prepares", "exec sleep 100\n");
    make_bundle("002-dies", "exit 0", runtime);
    put("002-dies", "prepares", "kill -SEGV $$\n");
    make_bundle("003-works", "exit 0", "{\"mounts\":[{\"destination\":\"/x\",\"type\":\"nfs\"}]}");
    put("003-works", "prepares", "exit 0\n");
    assert_int_equal(run(), 3);
    assert_said("onboot container 000-refused failed: $.mounts[0]: could not mount it\n");
    assert_said(
        "onboot container 001-hangs failed: could not prepare it: it was killed: it took longer than its deadline "
        "of 200 ms\n");
    assert_said("onboot container 002-dies failed: what prepares it was killed by signal 11");
    assert_string_equal(calls(), "run 003-works\n");
    assert_outcome(0, "error", 0);
    assert_outcome(1, "deadline", 0);
    assert_outcome(3, "ok", 0);
}

static void bad_bundles_are_named_with_the_key(void **state) {
    (void)state;
    put("000-no-config", "does", "exit 1");
    make_bundle("001-broken", "exit 1", NULL);
    put("001-broken", "config.json", "{\"root\":");
    put("002-no-root", "does", "exit 1");
    put("002-no-root", "config.json", "{\"root\":{\"path\":\"rootfs\"}}");
    make_bundle("003-type", "exit 0", "{\"mounts\":[{\"destination\":\"/a\",\"options\":\"ro\"}]}");
    make_bundle("004-json", "exit 0", "{\"mounts\":[");
    make_bundle("005 blank", "exit 0", NULL);
    make_bundle("006-new\nline", "exit 0", NULL);
    make_bundle("007-good", "exit 0", NULL);
    make_bundle("--help", "exit 0", NULL);
    assert_int_equal(run(), 8);
    assert_said("onboot container --help failed: runc takes a name that begins with - for an option");
    assert_said("onboot container 000-no-config failed: could not open ");
    assert_said("000-no-config/config.json: No such file or directory\n");
    assert_said("onboot container 001-broken failed: could not parse ");
    assert_said("001-broken/config.json: line 1, column ");
    assert_said("002-no-root/config.json: $.root.path: ");
    assert_said("002-no-root/rootfs: No such file or directory\n");
    assert_said("003-type/runtime.json: $.mounts[0].options is not a");
    assert_said("004-json/runtime.json: line 1, column ");
    assert_said("onboot container 005 blank failed: runc takes letters");
    assert_said("onboot container 006-new?line failed: runc takes letters");
    assert_outcome(0, "error", 0);
    assert_outcome(7, "error", 0);
    assert_outcome(8, "ok", 0);
}

static void a_failure_may_ask_init_for_the_end(void **state) {
    static const struct {
        const char *word;
        enum onfail onfail;
    } cases[] = {
        {"poweroff", ONFAIL_POWEROFF}, {"reboot", ONFAIL_REBOOT}, {"halt", ONFAIL_HALT}, {"continue", ONFAIL_CONTINUE}};
    (void)state;
    make_bundle("001-next", "exit 0", NULL);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char runtime[64], path[96];
        (void)snprintf(path, sizeof(path), "%s/calls", top);
        (void)unlink(path);
        (void)snprintf(runtime, sizeof(runtime), "{\"onfail\":\"%s\"}", cases[i].word);
        make_bundle("000-fails", "exit 1", runtime);
        assert_int_equal(run(), 1);
        assert_int_equal(asked, cases[i].onfail);
        assert_string_equal(calls(), cases[i].onfail ? "run 000-fails\n" : "run 000-fails\nrun 001-next\n");
        make_bundle("000-fails", "exit 0", runtime);
        assert_int_equal(run(), 0);
        assert_int_equal(asked, ONFAIL_CONTINUE);
    }
}

/* What was asked of the machine is done; the other onshutdown containers have their turn. */
static void a_failure_on_the_way_down_changes_nothing(void **state) {
    const struct oneshot_dir down = {dir, log_dir, log_link, "shutdown", NULL};
    const struct cmdline none = {0};
    (void)state;
    make_bundle("000-fails", "exit 1", "{\"onfail\":\"reboot\"}");
    make_bundle("001-next", "exit 0", NULL);
    asked = ONFAIL_CONTINUE;
    *said = '\0';
    log_set_sink(hear);
    assert_int_equal(oneshot_run(&down, &sys, &none), 1);
    log_set_sink(NULL);
    assert_int_equal(asked, ONFAIL_CONTINUE);
    assert_string_equal(calls(), "run 000-fails\nrun 001-next\n");
    assert_non_null(strstr(said, "000-fails asks for reboot: the machine is on its way down"));
}

static void an_absent_directory_is_nothing_to_do(void **state) {
    (void)state;
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(run(), 0);
    assert_string_equal(said, "");
    assert_true(access(run_dir, F_OK) < 0 && access(timeline, F_OK) < 0);
}

static int name_places(void) {
    (void)snprintf(dir, sizeof(dir), "%s/onboot", top);
    (void)snprintf(log_dir, sizeof(log_dir), "%s/logs", top);
    (void)snprintf(log_link, sizeof(log_link), "%s/link", top);
    (void)snprintf(runc, sizeof(runc), "%s/runc", top);
    (void)snprintf(run_dir, sizeof(run_dir), "%s/run", top);
    (void)snprintf(log_socket, sizeof(log_socket), "%s/nosocket", top);
    (void)snprintf(timeline, sizeof(timeline), "%s/boot.json", top);
    (void)snprintf(preparer, sizeof(preparer), "%s/preparer", top);
    return 0;
}

static int group_setup(void **state) {
    (void)state;
    can_mount = test_enter_namespace();
    if (!can_mount)
        print_message("no mount namespace to be had: namespaces are not bound\n");
    log_init("service", LOG_LEVEL_NOTICE);
    return mkdtemp(top) ? name_places() : -1;
}

static int setup(void **state) {
    (void)state;
    return mkdir_p(dir, 0755, NULL) || write_file_atomic(runc, fake_runc, sizeof(fake_runc) - 1, 0755, false, NULL) ||
           write_file_atomic(preparer, fake_preparer, sizeof(fake_preparer) - 1, 0755, false, NULL);
}

static int teardown(void **state) {
    struct spawn s = SPAWN_INIT;
    int status = 0;
    (void)state;
    s.argv = (const char *const[]){"sh", "-c", "rm -rf \"$0\"/*", top, NULL};
    return spawn_wait(&s, 10000, &status, NULL) < 0 || status;
}

static int group_teardown(void **state) {
    (void)state;
    return rmdir(top);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(one_call_each_in_the_order_of_names),
        TEST(a_log_is_bounded),
        TEST(time_is_told_apart),
        TEST(who_used_the_processor_is_told),
        TEST(the_link_to_the_logs_is_made_again),
        TEST(ends_are_told_apart_and_counted),
        TEST(what_needs_the_process_is_created_and_started),
        TEST(who_ends_in_time_is_cleaned_up_in_peace),
        TEST(what_cannot_be_created_is_named_by_runc),
        TEST(a_process_that_cannot_be_prepared_is_not_started),
        TEST(bad_bundles_are_named_with_the_key),
        TEST(a_failure_may_ask_init_for_the_end),
        TEST(a_failure_on_the_way_down_changes_nothing),
        TEST(what_may_block_is_prepared_by_a_child),
        TEST(an_absent_directory_is_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
