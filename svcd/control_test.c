/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket with services that are walked through their lives by hand. */
#include "svcd/control.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/json.h"
#include "lib/log.h"
#include "lib/spawn.h"
#include "svcd/cgroup.h"
#include "svcd/probe.h"
#include "svcd/svcd.h"

#define MANY 400 /* services, whose list is more than a socket holds */

static char dir[] = "/tmp/control_test.XXXXXX", path[64];
static struct svcd d;
static struct grpc *connection;
static unsigned inits;

/* --- what stands below --- */

struct service *svcd_find(struct svcd *svcd, const char *name) {
    for (size_t i = 0; i < svcd->services_len; i++)
        if (!strcmp(svcd->services[i].name, name))
            return &svcd->services[i];
    return NULL;
}

void svcd_system_init(struct svcd *svcd) {
    inits++;
    for (size_t i = 0; i < svcd->services_len; i++)
        service_start(&svcd->services[i]);
}

static void fake_enter(struct service *s, enum life l) {
    if (l == LIFE_PREPARE || l == LIFE_ATTACH)
        service_event(s, LIFE_EV_OK);
}

static const struct service_ops fake = {
    .enter = fake_enter, .probe = probe_start, .stop_probe = probe_stop, .now_ms = clock_ms, .set_timer = service_arm};

static void changed(struct service *s, void *data) {
    (void)data;
    control_service_changed(&d.control, s);
}

static void add_service(const char *name) {
    struct service *s = &d.services[d.services_len];
    struct err e = {0};

    assert_int_equal(service_init(s, "/containers/services", name, &d.loop, &connection, changed, NULL, &e), 0);
    s->ops = &fake;
    d.services_len++;
}

static void comes_up(struct service *s) {
    service_event(s, LIFE_EV_NOT_FOUND); /* no task, */
    service_event(s, LIFE_EV_NOT_FOUND); /* no container */
    for (int i = 0; i < 3; i++)
        service_event(s, LIFE_EV_OK);
    assert_int_equal(s->life, LIFE_RUNNING);
}

static void goes_down(struct service *s, uint32_t status) {
    service_exited(s, status, false);
    service_event(s, LIFE_EV_OK);
    service_event(s, LIFE_EV_OK);
}

/* --- clients --- */

static void stop_loop(struct loop_source *s, void *data) {
    (void)s;
    (void)data;
    loop_stop(&d.loop);
}

/* Lets the loop do what there is to do now. */
static void turn(void) {
    struct loop_source timer = LOOP_SOURCE_INIT;

    assert_int_equal(loop_set_timer(&d.loop, &timer, 5, stop_loop, NULL), 0);
    assert_int_equal(loop_run(&d.loop), 0);
}

static int client(void) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static void say(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    turn();
}

static bool is_closed(int fd) {
    char c;
    ssize_t n = recv(fd, &c, 1, 0);

    assert_true(n <= 0);
    return n == 0 || errno == ECONNRESET;
}

static bool is_silent(int fd) {
    char c;

    return recv(fd, &c, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

/* The answer, which must be one whole line at whose end the connection is closed; closes fd. */
static json_t *heard(int fd) {
    AUTO_BUF struct buf text = BUF_INIT;
    json_t *reply;

    for (int turns = 0;;) {
        char *room = buf_reserve(&text, 65536);
        assert_non_null(room);
        ssize_t n = recv(fd, room, 65536, 0);
        if (n < 0 && errno == EAGAIN) {
            assert_true(turns++ < 1000);
            turn();
            continue;
        }
        assert_true(n >= 0);
        if (n == 0)
            break;
        buf_commit(&text, (size_t)n);
    }
    (void)close(fd);
    assert_true(text.len > 0);
    assert_ptr_equal(memchr(text.data, '\n', text.len), text.data + text.len - 1);
    reply = json_loadb(text.data, text.len, 0, NULL);
    assert_non_null(reply);
    assert_true(json_is_true(json_object_get(reply, "done")));
    return reply;
}

/* "" if it went well */
static void expect_error(int fd, const char *words) {
    AUTO_JSON json_t *reply = heard(fd);
    const char *error = json_string_value(json_object_get(reply, "error"));

    if (!*words && error)
        fail_msg("unexpected error: %s", error);
    if (*words && (!error || !strstr(error, words)))
        fail_msg("\"%s\" does not say \"%s\"", error ? error : "", words);
}

static int setup(void **state) {
    struct err e = {0};
    (void)state;
    inits = 0;
    d = (struct svcd){0};
    d.containerd.ready = true;
    d.services = calloc(MANY, sizeof(*d.services));
    (void)snprintf(path, sizeof(path), "%s/sock", dir);
    log_set_fd(-1);
    if (!d.services || loop_init(&d.loop) < 0)
        return -1;
    add_service("db");
    add_service("www");
    return control_start(&d.control, path, &d, &d.loop, &e);
}

static int teardown(void **state) {
    (void)state;
    control_stop(&d.control);
    for (size_t i = 0; i < d.services_len; i++)
        service_fini(&d.services[i]);
    free(d.services);
    loop_fini(&d.loop);
    log_set_fd(2);
    return 0;
}

/* --- what is asked of it --- */

static void a_list_says_how_each_one_fares(void **state) {
    int fd = client();
    (void)state;
    service_start(&d.services[1]);
    comes_up(&d.services[1]);
    d.services[1].pid = 77;
    say(fd, "{\"cmd\":\"list\"}\n");
    AUTO_JSON json_t *reply = heard(fd);
    const json_t *list = json_object_get(reply, "services");
    assert_int_equal(json_array_size(list), 2);
    const json_t *db = json_array_get(list, 0), *www = json_array_get(list, 1);
    assert_string_equal(json_string_value(json_object_get(db, "name")), "db");
    assert_string_equal(json_string_value(json_object_get(db, "state")), "stopped");
    assert_string_equal(json_string_value(json_object_get(www, "state")), "running");
    assert_int_equal(json_integer_value(json_object_get(www, "pid")), 77);
}

/* A runtime's error, cut off in the middle of a character, must not silence the whole list. */
static void words_that_are_no_utf8_do_not_hide_the_list(void **state) {
    int fd = client();
    (void)state;
    (void)snprintf(d.services[0].error, sizeof(d.services[0].error), "no caf\xc3");
    say(fd, "{\"cmd\":\"list\"}\n");
    AUTO_JSON json_t *reply = heard(fd);
    const json_t *db = json_array_get(json_object_get(reply, "services"), 0);
    assert_string_equal(json_string_value(json_object_get(db, "last_error")), "no caf?");
}

static void what_is_not_understood_is_an_error(void **state) {
    static const char *const requests[][2] = {
        {"{\"cmd\":\"dance\"}\n", "unknown request \"dance\""},
        {"\n", "unknown request"},
        {"\x01\xff\x80 no JSON\n", "unknown request"},
        {"[1,2,3]\n", "unknown request"},
        {"{\"cmd\":5}\n", "unknown request"},
        {"{\"cmd\":\"start\"}\n", "no service \"\""},
        {"{\"cmd\":\"stop\",\"name\":\"nobody\"}\n", "no service \"nobody\""},
        {"{\"cmd\":\"stop\",\"name\":[]}\n", "no service"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        int fd = client();
        say(fd, requests[i][0]);
        expect_error(fd, requests[i][1]);
    }
}

static void a_name_cut_off_in_a_character_is_answered(void **state) {
    char request[256];
    int fd = client();
    (void)state;
    (void)snprintf(request, sizeof(request), "{\"cmd\":\"start\",\"name\":\"%099d\xc3\xa9\"}\n", 0);
    say(fd, request);
    expect_error(fd, "no service \"000");
}

static void a_request_may_come_in_pieces(void **state) {
    int fd = client();
    (void)state;
    say(fd, "{\"cmd\":\"l");
    assert_true(is_silent(fd));
    say(fd, "ist\"}\n");
    expect_error(fd, "");
}

static void a_line_without_end_is_cut(void **state) {
    char *much = calloc(1, CONTROL_LINE_MAX + 2);
    int fd = client();
    (void)state;
    assert_non_null(much);
    memset(much, ' ', CONTROL_LINE_MAX + 1);
    say(fd, much);
    for (int i = 0; i < 20; i++)
        turn();
    assert_true(is_closed(fd));
    (void)close(fd);
    free(much);
}

static void a_start_is_answered_when_it_runs(void **state) {
    int fd = client();
    (void)state;
    say(fd, "{\"cmd\":\"start\",\"name\":\"www\"}\n");
    assert_true(is_silent(fd));
    comes_up(&d.services[1]);
    expect_error(fd, "");
    fd = client();
    say(fd, "{\"cmd\":\"start\",\"name\":\"www\"}\n"); /* it runs already */
    expect_error(fd, "");
}

/* Without containerd it takes as long as it takes: who waits hears why. */
static void a_wait_for_containerd_is_said(void **state) {
    int fd = client();
    char text[512] = "";
    (void)state;
    d.containerd.ready = false;
    d.containerd.wanted = true;
    (void)snprintf(d.containerd.trouble, sizeof(d.containerd.trouble), "containerd exited with status 1");
    say(fd, "{\"cmd\":\"start\",\"name\":\"www\"}\n");
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "{\"note\":\"containerd exited with status 1\"}\n");
    assert_true(is_silent(fd));
    comes_up(&d.services[1]);
    expect_error(fd, "");
    fd = client(); /* what needs no containerd is answered at once */
    say(fd, "{\"cmd\":\"list\"}\n");
    expect_error(fd, "");
}

static void a_wait_is_answered_when_it_is_down_for_good(void **state) {
    int fd = client();
    (void)state;
    service_start(&d.services[1]);
    comes_up(&d.services[1]);
    say(fd, "{\"cmd\":\"wait\",\"name\":\"www\"}\n");
    assert_true(is_silent(fd));
    goes_down(&d.services[1], 3); /* its policy starts it again */
    assert_int_equal(d.services[1].life, LIFE_BACKOFF);
    assert_true(is_silent(fd));
    service_event(&d.services[1], LIFE_EV_TIMEOUT);
    comes_up(&d.services[1]);
    goes_down(&d.services[1], 0);
    AUTO_JSON json_t *reply = heard(fd);
    assert_string_equal(json_string_value(json_object_get(reply, "state")), "stopped");
    assert_string_equal(json_string_value(json_object_get(reply, "last_exit")), "exited with status 0");
    assert_int_equal(json_integer_value(json_object_get(reply, "restarts")), 1);
}

static void a_signal_goes_to_the_process(void **state) {
    static const char *const sleeper[] = {"/bin/sleep", "100", NULL};
    struct spawn sp = SPAWN_INIT;
    int fd = client(), status;
    pid_t pid;
    (void)state;
    say(fd, "{\"cmd\":\"kill\",\"name\":\"www\"}\n");
    expect_error(fd, "it is not running");
    sp.argv = sleeper;
    assert_int_equal(spawn(&sp, &pid, &d.services[1].pidfd, NULL), 0);
    fd = client();
    say(fd, "{\"cmd\":\"kill\",\"name\":\"www\",\"signal\":\"SIGNIFICANT\"}\n");
    expect_error(fd, "unknown signal \"SIGNIFICANT\"");
    fd = client();
    say(fd, "{\"cmd\":\"kill\",\"name\":\"www\",\"signal\":\"\"}\n"); /* an empty variable of a script is no SIGKILL */
    expect_error(fd, "unknown signal \"\"");
    fd = client();
    say(fd, "{\"cmd\":\"kill\",\"name\":\"www\",\"signal\":10}\n");
    expect_error(fd, "unknown signal \"\"");
    (void)close(d.services[1].pidfd); /* a new svcd knows it by its number and its group, before containerd answers */
    d.services[1].pidfd = -1;
    d.services[1].pid = (uint32_t)pid;
    d.services[1].cgroup = cgroup_of("/proc", pid);
    fd = client();
    say(fd, "{\"cmd\":\"kill\",\"name\":\"www\",\"signal\":\"SIGUSR1\"}\n");
    expect_error(fd, "");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
}

static void the_status_has_policy_and_no_group_while_it_is_down(void **state) {
    int fd = client();
    (void)state;
    d.services[0].policy.restart = RESTART_ALWAYS;
    d.services[0].policy.health = (struct probe_policy){.kind = PROBE_TCP, .interval_ms = 7, .timeout_ms = 8};
    say(fd, "{\"cmd\":\"status\",\"name\":\"db\"}\n");
    AUTO_JSON json_t *reply = heard(fd);
    const json_t *policy = json_object_get(reply, "policy");
    assert_string_equal(json_string_value(json_object_get(policy, "restart")), "always");
    assert_string_equal(json_string_value(json_object_get(json_object_get(policy, "health"), "kind")), "tcp");
    assert_int_equal(json_integer_value(json_object_get(policy, "stop_timeout")), 10000);
    assert_true(json_is_null(json_object_get(reply, "cgroup")));
}

static void a_start_that_fails_says_why(void **state) {
    struct service *s = &d.services[0];
    int fd = client();
    (void)state;
    say(fd, "{\"cmd\":\"start\",\"name\":\"db\"}\n");
    service_event(s, LIFE_EV_NOT_FOUND);
    service_event(s, LIFE_EV_NOT_FOUND);
    service_event(s, LIFE_EV_OK);
    service_fail(s, "create its task", "no such command");
    service_event(s, LIFE_EV_NOT_FOUND);
    service_event(s, LIFE_EV_NOT_FOUND);
    service_event(s, LIFE_EV_OK);
    expect_error(fd, "could not create its task: no such command");
}

static void a_stop_is_answered_when_it_is_down(void **state) {
    int fd = client();
    (void)state;
    service_start(&d.services[1]);
    comes_up(&d.services[1]);
    say(fd, "{\"cmd\":\"stop\",\"name\":\"www\"}\n");
    assert_true(is_silent(fd));
    goes_down(&d.services[1], 143);
    expect_error(fd, "");
    fd = client();
    say(fd, "{\"cmd\":\"stop\",\"name\":\"www\"}\n"); /* it is down already */
    expect_error(fd, "");
}

static void a_start_that_somebody_stops_has_not_worked(void **state) {
    int starter = client(), stopper = client();
    (void)state;
    say(starter, "{\"cmd\":\"start\",\"name\":\"www\"}\n");
    say(stopper, "{\"cmd\":\"stop\",\"name\":\"www\"}\n");
    service_event(&d.services[1], LIFE_EV_NOT_FOUND);
    service_event(&d.services[1], LIFE_EV_NOT_FOUND);
    expect_error(starter, "it was told to stop meanwhile");
    expect_error(stopper, "");
}

static void a_restart_is_answered_when_the_new_one_runs(void **state) {
    int fd = client();
    (void)state;
    service_start(&d.services[1]);
    comes_up(&d.services[1]);
    say(fd, "{\"cmd\":\"restart\",\"name\":\"www\"}\n");
    goes_down(&d.services[1], 143);
    turn();
    assert_true(is_silent(fd));
    comes_up(&d.services[1]);
    expect_error(fd, "");
}

/* The exit that the stop asked for is no failure of the start. */
static void a_start_right_behind_a_stop_starts_it_again(void **state) {
    int stopper = client(), starter = client();
    (void)state;
    service_start(&d.services[1]);
    comes_up(&d.services[1]);
    say(stopper, "{\"cmd\":\"stop\",\"name\":\"www\"}\n");
    say(starter, "{\"cmd\":\"start\",\"name\":\"www\"}\n");
    goes_down(&d.services[1], 143);
    turn();
    assert_true(is_silent(starter));
    expect_error(stopper, "");
    comes_up(&d.services[1]);
    expect_error(starter, "");
}

static void system_init_is_answered_when_all_have_come_to_a_result(void **state) {
    int fd = client();
    (void)state;
    say(fd, "{\"cmd\":\"system-init\"}\n");
    assert_int_equal(inits, 1);
    comes_up(&d.services[0]);
    turn();
    assert_true(is_silent(fd));
    service_event(&d.services[1], LIFE_EV_NOT_FOUND);
    service_event(&d.services[1], LIFE_EV_NOT_FOUND);
    service_fail(&d.services[1], "create its container", "no");
    service_event(&d.services[1], LIFE_EV_OK);
    expect_error(fd, "1 of 2 services did not start");
}

static void who_lost_the_svcd_before_waits_on_and_starts_nothing(void **state) {
    int fd = client();
    (void)state;
    d.asked = true;
    d.services[0].settled = true; /* it has done its work */
    say(fd, "{\"cmd\":\"settle\"}\n");
    assert_int_equal(inits, 0);
    turn();
    assert_true(is_silent(fd));
    service_start(&d.services[1]);
    comes_up(&d.services[1]);
    expect_error(fd, "");
    assert_int_equal(d.services[0].life, LIFE_DOWN);
}

static void a_svcd_that_nobody_has_asked_starts_all(void **state) {
    int fd = client();
    (void)state;
    say(fd, "{\"cmd\":\"settle\"}\n");
    assert_int_equal(inits, 1);
}

static void nothing_is_started_while_svcd_stops(void **state) {
    static const char *const requests[] = {"{\"cmd\":\"system-init\"}\n", "{\"cmd\":\"start\",\"name\":\"www\"}\n",
                                           "{\"cmd\":\"restart\",\"name\":\"www\"}\n"};
    (void)state;
    d.stopping = true;
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        int fd = client();
        say(fd, requests[i]);
        expect_error(fd, "svcd is stopping");
    }
    assert_int_equal(inits, 0);
    assert_int_equal(d.services[1].life, LIFE_DOWN);
    int fd = client();
    say(fd, "{\"cmd\":\"list\"}\n");
    expect_error(fd, "");
}

static void one_client_too_many_is_turned_away(void **state) {
    int fds[CONTROL_CLIENTS_MAX];
    (void)state;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        fds[i] = client();
        turn();
    }
    int extra = client();
    turn();
    assert_true(is_closed(extra));
    (void)close(extra);
    (void)close(fds[3]); /* and its place is free again */
    turn();
    fds[3] = client();
    turn();
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        say(fds[i], "{\"cmd\":\"list\"}\n");
        expect_error(fds[i], "");
    }
}

static void who_leaves_while_waiting_is_forgotten(void **state) {
    int fd = client();
    (void)state;
    say(fd, "{\"cmd\":\"start\",\"name\":\"www\"}\n");
    (void)close(fd);
    turn();
    comes_up(&d.services[1]);
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        assert_int_equal(d.control.clients[i].fd, -1);
}

/* Somebody who does not read must not keep a place for ever. */
static void an_unread_answer_has_a_deadline(void **state) {
    char name[16];
    int fd = client();
    (void)state;
    while (d.services_len < MANY) {
        (void)snprintf(name, sizeof(name), "s%zu", d.services_len);
        add_service(name);
        memset(d.services[d.services_len - 1].error, 'e', SERVICE_ERROR_MAX - 1);
    }
    say(fd, "{\"cmd\":\"list\"}\n");
    assert_true(d.control.clients[0].out.len > 0);
    assert_true(loop_has(&d.control.clients[0].deadline));
    AUTO_JSON json_t *reply = heard(fd); /* who reads gets it all */
    assert_int_equal(json_array_size(json_object_get(reply, "services")), MANY);
}

static void a_second_svcd_does_not_take_the_socket(void **state) {
    struct control second;
    struct err e = {0};
    int fd = client();
    (void)state;
    assert_int_equal(control_start(&second, path, &d, &d.loop, &e), -EADDRINUSE);
    assert_non_null(strstr(e.msg, "svcd is running"));
    say(fd, "{\"cmd\":\"list\"}\n");
    expect_error(fd, "");
    fd = client(); /* the socket is still the first one's */
    say(fd, "{\"cmd\":\"list\"}\n");
    expect_error(fd, "");
}

/* A connection that cannot be accepted would wake the loop for ever. */
static void without_descriptors_a_client_is_turned_away(void **state) {
    struct loop_source timer = LOOP_SOURCE_INIT;
    struct rlimit old, tight;
    int fd = client();
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(loop_set_timer(&d.loop, &timer, 20, stop_loop, NULL), 0);
    int next = dup(0);
    tight = (struct rlimit){(rlim_t)next, old.rlim_max};
    (void)close(next);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    int r = loop_run(&d.loop);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(r, 0);
    assert_true(is_closed(fd));
    (void)close(fd);
    fd = client(); /* and the next one is served again */
    say(fd, "{\"cmd\":\"list\"}\n");
    expect_error(fd, "");
}

static int make_dir(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state) {
    char lock[80];
    (void)state;
    (void)snprintf(lock, sizeof(lock), "%s.lock", path);
    (void)unlink(lock);
    return rmdir(dir);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_list_says_how_each_one_fares),
        T(words_that_are_no_utf8_do_not_hide_the_list),
        T(what_is_not_understood_is_an_error),
        T(a_name_cut_off_in_a_character_is_answered),
        T(a_request_may_come_in_pieces),
        T(a_line_without_end_is_cut),
        T(a_start_is_answered_when_it_runs),
        T(a_wait_for_containerd_is_said),
        T(a_wait_is_answered_when_it_is_down_for_good),
        T(a_signal_goes_to_the_process),
        T(the_status_has_policy_and_no_group_while_it_is_down),
        T(a_start_that_fails_says_why),
        T(a_stop_is_answered_when_it_is_down),
        T(a_start_that_somebody_stops_has_not_worked),
        T(a_restart_is_answered_when_the_new_one_runs),
        T(a_start_right_behind_a_stop_starts_it_again),
        T(system_init_is_answered_when_all_have_come_to_a_result),
        T(who_lost_the_svcd_before_waits_on_and_starts_nothing),
        T(a_svcd_that_nobody_has_asked_starts_all),
        T(nothing_is_started_while_svcd_stops),
        T(one_client_too_many_is_turned_away),
        T(who_leaves_while_waiting_is_forgotten),
        T(an_unread_answer_has_a_deadline),
        T(a_second_svcd_does_not_take_the_socket),
        T(without_descriptors_a_client_is_turned_away),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
