/* SPDX-License-Identifier: Apache-2.0 */
/* Who is started when: containerd comes and goes, svcd is started again, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/temp.h"
#include "svcd/probe.h"
#include "svcd/svcd.c" /* NOLINT(bugprone-suspicious-include): its static functions are what is tested */

static char dir[] = "/tmp/svcd_test.XXXXXX";
static struct svcd d;
static char up_file[64];

static void fake_enter(struct service *s, enum life l) {
    if (l == LIFE_PREPARE || l == LIFE_ATTACH)
        service_event(s, LIFE_EV_OK);
}

static const struct service_ops fake = {
    .enter = fake_enter, .probe = probe_start, .stop_probe = probe_stop, .now_ms = clock_ms, .set_timer = service_arm};

/* A svcd that has just been started, with containerd on its way. */
static void fresh_with(const char *const *names, size_t len) {
    struct err e = {0};

    d = (struct svcd){.memory_dir = dir};
    assert_int_equal(loop_init(&d.loop), 0);
    containerd_init(&d.containerd, &d.loop, on_containerd_ready, on_containerd_lost, on_containerd_ended, &d);
    d.containerd.wanted = true; /* it is not started here */
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        d.control.clients[i].fd = -1;
    d.services = calloc(len + 1, sizeof(*d.services));
    assert_non_null(d.services);
    for (size_t i = 0; i < len; i++) {
        struct service *s = &d.services[i];
        assert_int_equal(service_init(s, "/x", names[i], &d.loop, &d.containerd.grpc, on_service_changed, &d, &e), 0);
        s->ops = &fake;
        s->turn = has_a_turn;
    }
    d.services_len = len;
    (void)snprintf(up_file, sizeof(up_file), "%s.up", dir);
    up_init(&d.up, &d, up_file, "/nowhere/boot.json");
    logbound_init(&d.logs, &d.loop, dir, on_logs_written, &d);
}

static void fresh(void) {
    fresh_with((const char *const[]){"oneshot", "www"}, 2);
}

static void gone(void) {
    for (size_t i = 0; i < d.services_len; i++)
        service_fini(&d.services[i]);
    free(d.services);
    (void)unlink(up_file);
    loop_remove(&d.loop, &d.up.timer);
    logbound_fini(&d.logs);
    loop_fini(&d.loop);
}

static void comes_up(struct service *s) {
    service_event(s, LIFE_EV_NOT_FOUND);
    service_event(s, LIFE_EV_NOT_FOUND);
    for (int i = 0; i < 3; i++)
        service_event(s, LIFE_EV_OK);
    assert_int_equal(s->life, LIFE_RUNNING);
}

static void ends(struct service *s, uint32_t status) {
    service_exited(s, status, false);
    service_event(s, LIFE_EV_OK);
    service_event(s, LIFE_EV_OK);
}

/* system-init is asked for, containerd answers, both run, the one-shot has done its work. */
static void boot(void) {
    fresh();
    svcd_system_init(&d);
    assert_int_equal(d.services[1].life, LIFE_DOWN);
    on_containerd_ready(&d);
    comes_up(&d.services[0]);
    comes_up(&d.services[1]);
    ends(&d.services[0], 0);
    assert_int_equal(d.services[0].life, LIFE_DOWN);
}

static char said[1024];

static void hear(const char *line, size_t len) {
    size_t used = strlen(said);

    (void)snprintf(said + used, sizeof(said) - used, "%.*s", (int)len, line);
}

static int begin(void **state) {
    (void)state;
    log_init("svcd_test", LOG_LEVEL_NOTICE);
    log_set_fd(-1);
    return 0;
}

static int finish(void **state) {
    AUTO_NAMES struct names names = {0};
    (void)state;
    gone();
    log_set_fd(2);
    if (list_dir(dir, &names, NULL) < 0)
        return -1;
    for (size_t i = 0; i < names.len; i++) {
        AUTO_FREE char *path = path_join(dir, names.v[i]);
        if (!path || unlink(path) < 0)
            return -1;
    }
    return 0;
}

static void nothing_starts_unasked(void **state) {
    (void)state;
    fresh();
    on_containerd_ready(&d);
    assert_int_equal(d.services[0].life, LIFE_DOWN);
    assert_int_equal(d.services[1].life, LIFE_DOWN);
}

static void only_so_many_start_at_once_and_all_do_in_the_end(void **state) {
    static char numbers[200][8];
    const char *names[ARRAY_SIZE(numbers)];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        (void)snprintf(numbers[i], sizeof(numbers[i]), "s%03zu", i);
        names[i] = numbers[i];
    }
    fresh_with(names, ARRAY_SIZE(names));
    svcd_system_init(&d);
    d.containerd.ready = true;
    on_containerd_ready(&d);
    assert_true(starts_max() < ARRAY_SIZE(names));
    for (size_t i = 0; i < d.services_len; i++) {
        size_t left = d.services_len - i;
        assert_int_equal(on_their_way(&d), left < starts_max() ? left : starts_max());
        comes_up(&d.services[i]);
    }
    assert_int_equal(on_their_way(&d), 0);
}

/* All at once, as after the death of all shims: they come up again a few at a time, in the order of their ends. */
static void only_so_many_start_again_at_once(void **state) {
    const char *names[40];
    static char numbers[ARRAY_SIZE(names)][8];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        (void)snprintf(numbers[i], sizeof(numbers[i]), "s%02zu", i);
        names[i] = numbers[i];
    }
    fresh_with(names, ARRAY_SIZE(names));
    d.containerd.ready = true;
    svcd_system_init(&d);
    for (size_t i = 0; i < d.services_len; i++)
        comes_up(&d.services[i]);
    for (size_t i = d.services_len; i-- > 0;)
        ends(&d.services[i], 1);
    for (size_t i = 0; i < d.services_len; i++)
        service_timeout(&d.services[i], TIMER_LIFE);
    assert_true(starts_max() < d.services_len);
    assert_int_equal(on_their_way(&d), starts_max());
    for (size_t i = 0; i < d.services_len - starts_max(); i++) {
        struct service *s = next_due(&d);
        assert_non_null(s);
        for (size_t k = 0; k < d.services_len; k++)
            assert_true(!d.services[k].due || d.services[k].entered_ns >= s->entered_ns);
        for (size_t k = 0; k < d.services_len; k++)
            if (d.services[k].life == LIFE_ADOPT) {
                comes_up(&d.services[k]);
                break;
            }
        assert_int_equal(s->life, LIFE_ADOPT);
        assert_int_equal(on_their_way(&d), starts_max());
    }
    assert_null(next_due(&d));
}

static void a_containerd_that_comes_back_starts_nothing_that_is_down(void **state) {
    (void)state;
    boot();
    on_containerd_lost(&d);
    assert_int_equal(d.services[1].life, LIFE_DETACHED);
    on_containerd_ready(&d);
    assert_int_equal(d.services[0].life, LIFE_DOWN);
    assert_int_equal(d.services[1].life, LIFE_ADOPT);
}

/* svcd was killed: a one-shot that is done is not run once more, what was stopped stays so, the rest is adopted. */
static void the_next_svcd_starts_nothing_that_was_down(void **state) {
    (void)state;
    boot();
    gone();
    fresh();
    svcd_resume(&d);
    on_containerd_ready(&d);
    assert_int_equal(d.services[0].life, LIFE_DOWN);
    assert_true(d.services[0].settled);
    assert_int_equal(d.services[1].life, LIFE_ADOPT);
    svcd_system_init(&d); /* who asks by name gets it */
    on_containerd_ready(&d);
    assert_int_equal(d.services[0].life, LIFE_ADOPT);
}

/* While containerd does not answer, too: what runs is not called stopped. */
static void the_next_svcd_knows_them_at_once(void **state) {
    (void)state;
    boot();
    d.services[1].pid = 4711;
    memory_keep(dir, &d.services[1]);
    gone();
    fresh();
    svcd_resume(&d);
    assert_string_equal(service_state_name(&d.services[0]), "stopped");
    assert_string_equal(d.services[0].exit_reason, "exited with status 0");
    assert_string_equal(service_state_name(&d.services[1]), "detached");
    assert_int_equal(d.services[1].pid, 4711);
    service_stop(&d.services[1]); /* and can be stopped */
    assert_int_equal(d.services[1].life, LIFE_LONE_STOPPING);
}

/* svcd was killed and is started again. */
static void next_life(void) {
    gone();
    fresh();
    svcd_resume(&d);
    on_containerd_ready(&d);
}

static void the_next_svcd_goes_on_counting(void **state) {
    (void)state;
    boot();
    d.containerd.ready = true;
    d.services[1].policy.delay_ms = 1;
    ends(&d.services[1], 3);
    service_timeout(&d.services[1], TIMER_LIFE);
    comes_up(&d.services[1]);
    uint64_t started = d.services[1].started_ms;
    next_life();
    assert_int_equal(d.services[1].life, LIFE_ADOPT);
    service_event(&d.services[1], LIFE_EV_OK);
    assert_int_equal(d.services[1].restarts, 1);
    assert_int_equal(d.services[1].record.attempts, 1);
    assert_int_equal(d.services[1].started_ms, started);
    assert_int_equal(d.services[1].exit_status, 3);
    assert_string_equal(d.services[0].exit_reason, "exited with status 0");
}

static void the_next_svcd_goes_on_stopping(void **state) {
    (void)state;
    boot();
    service_stop(&d.services[1]);
    next_life();
    service_event(&d.services[1], LIFE_EV_OK); /* it is still there */
    assert_int_equal(d.services[1].life, LIFE_STOPPING);
    ends(&d.services[1], 143);
    assert_int_equal(d.services[1].life, LIFE_DOWN);
}

/* Its shim was killed as well: its end is noticed, and its policy applies. */
static void the_next_svcd_misses_what_is_gone(void **state) {
    (void)state;
    boot();
    next_life();
    service_not_found(&d.services[1]);
    assert_int_equal(d.services[1].life, LIFE_CLEAN_KILL);
    assert_true(d.services[1].record.failed);
}

/* What was on its way up when svcd died takes its turn, and its restarts count on. */
static void the_next_svcd_goes_on_starting(void **state) {
    (void)state;
    boot();
    ends(&d.services[1], 3);
    assert_int_equal(d.services[1].life, LIFE_BACKOFF);
    next_life();
    comes_up(&d.services[1]);
    assert_int_equal(d.services[1].record.attempts, 1);
}

static void what_was_started_again_is_not_remembered_as_down(void **state) {
    (void)state;
    boot();
    service_start(&d.services[0]);
    gone();
    fresh();
    svcd_resume(&d);
    on_containerd_ready(&d);
    assert_int_equal(d.services[0].life, LIFE_ADOPT);
}

static void the_end_waits_for_the_services_then_for_containerd(void **state) {
    (void)state;
    boot();
    d.containerd.ready = true;
    stop(&d);
    assert_int_equal(d.services[1].life, LIFE_LONE_STOPPING);
    assert_true(d.containerd.wanted);
    on_containerd_ready(&d);                     /* it was away for a moment: nothing is looked at any more */
    service_event(&d.services[1], LIFE_EV_EXIT); /* not its removal: that may take long */
    assert_false(d.containerd.wanted);           /* told to stop */
    assert_true(d.loop.stopped);                 /* and there is no process to wait for */
}

/* Its process, if it has one, is not containerd's to end. */
static void who_is_looked_at_does_not_hold_up_the_end_for_long(void **state) {
    (void)state;
    boot();
    d.containerd.ready = true;
    service_event(&d.services[1], LIFE_EV_ERROR); /* it runs, and is looked at once more */
    assert_int_equal(d.services[1].life, LIFE_ADOPT);
    stop(&d);
    assert_int_equal(d.services[1].life, LIFE_ADOPT);
    on_still_there(&d.still_there, &d);
    assert_int_equal(d.services[1].life, LIFE_LONE_STOPPING);
    service_event(&d.services[1], LIFE_EV_EXIT);
    assert_true(d.loop.stopped);
}

/* The svcd before may have been killed when containerd was starting a task for it. */
static void what_may_run_is_not_called_stopped(void **state) {
    (void)state;
    boot();
    gone();
    fresh();
    d.services[1].record.wanted = true;
    d.services[1].life = LIFE_CREATE_TASK;
    memory_keep(d.memory_dir, &d.services[1]);
    svcd_resume(&d);
    assert_true(d.services[1].queued);
    service_stop(&d.services[1]);
    assert_int_equal(d.services[1].life, LIFE_LONE_STOPPING); /* containerd is not there yet */
}

/* Told to end while the machine goes on, svcd is started again, and what ran comes back. */
static void what_the_end_of_svcd_took_down_comes_back(void **state) {
    (void)state;
    boot();
    d.containerd.ready = true;
    stop(&d);
    service_event(&d.services[1], LIFE_EV_EXIT);
    gone();
    fresh();
    svcd_resume(&d);
    on_containerd_ready(&d);
    assert_int_equal(d.services[0].life, LIFE_DOWN);
    assert_int_equal(d.services[1].life, LIFE_ADOPT);
    assert_true(d.services[1].returns);
    service_not_found(&d.services[1]); /* that it is gone is no failure of its own */
    assert_int_equal(d.services[1].life, LIFE_CLEAN_CONTAINER);
    assert_false(d.services[1].record.failed);
}

/* web starts behind db: the other way round at the end. */
static void who_starts_behind_another_stops_before_it(void **state) {
    static const char *after[] = {"db"};
    (void)state;
    fresh_with((const char *const[]){"db", "web"}, 2);
    d.services[1].policy.after = (struct strings){after, 1};
    assert_int_equal(order_resolve(d.services, 2), 0);
    svcd_system_init(&d);
    d.containerd.ready = true;
    on_containerd_ready(&d);
    assert_true(d.services[1].queued); /* db is not up yet */
    assert_int_equal(d.services[1].life, LIFE_DOWN);
    comes_up(&d.services[0]);
    assert_int_equal(d.services[1].life, LIFE_ADOPT);
    comes_up(&d.services[1]);
    stop(&d);
    assert_int_equal(d.services[1].life, LIFE_LONE_STOPPING);
    assert_int_equal(d.services[0].life, LIFE_RUNNING);
    service_event(&d.services[1], LIFE_EV_EXIT);
    assert_int_equal(d.services[0].life, LIFE_LONE_STOPPING);
    assert_false(d.loop.stopped);
    service_event(&d.services[0], LIFE_EV_EXIT);
    assert_true(d.loop.stopped);
    d.services[1].policy.after = (struct strings){0};
}

static void a_failure_for_good_is_remembered_with_its_reason(void **state) {
    (void)state;
    fresh();
    d.services[1].policy.restart = RESTART_NEVER;
    svcd_system_init(&d);
    d.containerd.ready = true;
    on_containerd_ready(&d);
    comes_up(&d.services[1]);
    ends(&d.services[1], 4);
    assert_int_equal(d.services[1].life, LIFE_FAILED);
    assert_false(d.services[1].onfail_due); /* its policy is to go on: nothing more is due */
    gone();
    fresh();
    svcd_resume(&d);
    on_containerd_ready(&d);
    assert_int_equal(d.services[1].life, LIFE_FAILED);
    assert_string_equal(d.services[1].error, "it exited with status 4");
}

static void what_strangers_do_is_said(void **state) {
    struct ctrd_event ev = {.kind = CTRD_EV_PAUSED, .id = "www", .ns = "others"};
    (void)state;
    boot();
    said[0] = '\0';
    log_set_sink(hear);
    on_containerd_event(&d, &ev);
    assert_string_equal(said, ""); /* it is somebody else's container of this name */
    assert_false(svcd_find(&d, "www")->paused);
    (void)snprintf(ev.ns, sizeof(ev.ns), "%s", SERVICES_NAMESPACE);
    on_containerd_event(&d, &ev);
    assert_true(svcd_find(&d, "www")->paused);
    ev.kind = CTRD_EV_RESUMED;
    on_containerd_event(&d, &ev);
    assert_false(svcd_find(&d, "www")->paused);
    ev.kind = CTRD_EV_TASK_DELETED;
    on_containerd_event(&d, &ev);
    (void)snprintf(ev.id, sizeof(ev.id), "oneshot"); /* it is down: that was us */
    on_containerd_event(&d, &ev);
    (void)snprintf(ev.id, sizeof(ev.id), "nobody");
    on_containerd_event(&d, &ev);
    log_set_sink(NULL);
    assert_string_equal(said, "svcd_test: warning: service www: somebody has paused it\n"
                              "svcd_test: warning: service www: somebody has resumed it\n"
                              "svcd_test: warning: service www: somebody else has deleted its task\n");
}

/* The services have their grace all the same. */
static void without_containerd_the_end_is_the_same(void **state) {
    (void)state;
    boot();
    on_containerd_lost(&d);
    stop(&d);
    assert_int_equal(d.services[1].life, LIFE_LONE_STOPPING);
    assert_false(d.loop.stopped);
    service_event(&d.services[1], LIFE_EV_EXIT);
    assert_true(d.loop.stopped);
}

/* The number in its note is nobody's any more: where its process has ended, and where it was to end with svcd. */
static void who_is_queued_has_no_process_that_is_gone(void **state) {
    (void)state;
    boot();
    d.services[1].pid = (uint32_t)getpid(); /* in no control group of the service's */
    stop(&d);
    service_event(&d.services[1], LIFE_EV_EXIT);
    gone();
    fresh();
    svcd_resume(&d);
    assert_true(d.services[1].queued);
    assert_int_equal(d.services[1].pid, 0);
}

static void who_was_not_started_leaves_no_process(void **state) {
    struct service *s;
    (void)state;
    boot();
    s = &d.services[0];
    service_start(s);
    for (int i = 0; i < 2; i++)
        service_event(s, LIFE_EV_NOT_FOUND);
    service_event(s, LIFE_EV_OK);
    s->pid = (uint32_t)getpid();
    service_event(s, LIFE_EV_OK);
    service_fail(s, "start its task", "no such program");
    for (int i = 0; i < 3; i++)
        service_event(s, LIFE_EV_NOT_FOUND);
    assert_int_equal(s->life, LIFE_BACKOFF);
    assert_int_equal(s->pid, 0);
}

static void www_is_the_only_service_of(const char *bundles) {
    struct err e = {0};

    fresh_with(NULL, 0);
    free(d.services);
    said[0] = '\0';
    log_set_sink(hear);
    assert_int_equal(load_services(&d, bundles, &e), 0);
    log_set_sink(NULL);
    assert_int_equal(d.services_len, 1);
    assert_string_equal(d.services[0].name, "www");
}

/* Said once, and not tried again and again; the others are services. */
static void what_containerd_would_refuse_is_no_service(void **state) {
    AUTO_TEMP_DIR struct temp_dir bundles = {0};
    struct err e = {0};
    (void)state;
    assert_int_equal(temp_dir_make(&bundles, NULL, "svcd_test.", &e), 0);
    for (const char *const *name = (const char *const[]){"w\xe9", "a--b", "www", NULL}; *name; name++) {
        AUTO_FREE char *path = path_join(bundles.path, *name);
        assert_non_null(path);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    www_is_the_only_service_of(bundles.path);
    assert_non_null(strstr(said, "could not use service \"a--b\": "));
    assert_non_null(strstr(said, "could not use service \"w"));
}

/* Said once; the others are services. */
static void what_is_no_directory_is_no_service(void **state) {
    AUTO_TEMP_DIR struct temp_dir bundles = {0};
    struct err e = {0};
    char path[PATH_MAX + 16];
    (void)state;
    assert_int_equal(temp_dir_make(&bundles, NULL, "svcd_test.", &e), 0);
    (void)snprintf(path, sizeof(path), "%s/readme", bundles.path);
    assert_int_equal(write_file_atomic(path, "x", 1, 0644, false, &e), 0);
    (void)snprintf(path, sizeof(path), "%s/gone", bundles.path);
    assert_int_equal(symlink("nowhere", path), 0);
    (void)snprintf(path, sizeof(path), "%s/www", bundles.path);
    assert_int_equal(mkdir(path, 0755), 0);
    www_is_the_only_service_of(bundles.path);
    assert_non_null(strstr(said, "/readme as a service: Not a directory\n"));
    assert_non_null(strstr(said, "/gone as a service: No such file or directory\n"));
}

static int make_dir(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state) {
    (void)state;
    return rmdir(dir);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(nothing_starts_unasked),
        T(only_so_many_start_at_once_and_all_do_in_the_end),
        T(only_so_many_start_again_at_once),
        T(a_containerd_that_comes_back_starts_nothing_that_is_down),
        T(the_next_svcd_starts_nothing_that_was_down),
        T(the_next_svcd_knows_them_at_once),
        T(the_next_svcd_goes_on_counting),
        T(the_next_svcd_goes_on_stopping),
        T(the_next_svcd_misses_what_is_gone),
        T(the_next_svcd_goes_on_starting),
        T(what_was_started_again_is_not_remembered_as_down),
        T(the_end_waits_for_the_services_then_for_containerd),
        T(who_is_looked_at_does_not_hold_up_the_end_for_long),
        T(what_may_run_is_not_called_stopped),
        T(what_the_end_of_svcd_took_down_comes_back),
        T(who_starts_behind_another_stops_before_it),
        T(a_failure_for_good_is_remembered_with_its_reason),
        T(what_strangers_do_is_said),
        T(without_containerd_the_end_is_the_same),
        T(who_is_queued_has_no_process_that_is_gone),
        T(who_was_not_started_leaves_no_process),
        T(what_containerd_would_refuse_is_no_service),
        T(what_is_no_directory_is_no_service),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
