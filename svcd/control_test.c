/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked over the control socket, and what is answered. */
#include "svcd/control_test.h"

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

/* A note, which is not the end. */
static void hears_note(int fd, const char *words) {
    char text[1024] = "";

    turn();
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    if (strncmp(text, "{\"note\":\"", 9) != 0 || !strstr(text, words))
        fail_msg("%s: is no note that says \"%s\"", text, words);
    assert_true(is_silent(fd));
}

/* At least one such, and nothing else. */
static void hears_notes(int fd, const char *words) {
    char text[4096] = "";

    turn();
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (strncmp(line, "{\"note\":\"", 9) != 0 || !strstr(line, words))
            fail_msg("%s: is no note that says \"%s\"", line, words);
}

/* The answer, perhaps behind further notes. */
static void expect_last(int fd) {
    char text[8192] = "";

    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, "\"done\":true"));
    assert_true(is_closed(fd));
    (void)close(fd);
}

static void why_a_stop_has_to_wait_is_said(void **state) {
    struct service *s = &d.services[1];
    int fd = client();
    (void)state;
    s->policy.stop_timeout_ms = 7000;
    service_start(s);
    for (int i = 0; i < 2; i++)
        service_event(s, LIFE_EV_NOT_FOUND);
    service_event(s, LIFE_EV_OK);
    assert_int_equal(s->life, LIFE_CREATE_TASK);
    say(fd, "{\"cmd\":\"stop\",\"name\":\"www\"}\n");
    hears_note(fd, "its start (creating) is under way, and is given up after 7 s");
    service_timeout(s, TIMER_LIFE);
    service_event(s, LIFE_EV_ERROR); /* the runtime does not kill it, nor delete it */
    service_fail(s, "remove what an earlier run left", "it hangs");
    assert_int_equal(s->life, LIFE_BACKOFF);
    hears_note(fd, "could not remove what an earlier run left: it hangs");
    service_event(s, LIFE_EV_TIMEOUT);
    service_event(s, LIFE_EV_NOT_FOUND);
    service_event(s, LIFE_EV_NOT_FOUND);
    expect_error(fd, "");
}

/* The runtime may hang wherever it is called. */
static void whoever_waits_long_hears_what_for(void **state) {
    struct service *s = &d.services[1];
    int fd = client(), quick = client();
    (void)state;
    d.control.patience_ms = 1;
    service_start(s);
    comes_up(s);
    say(fd, "{\"cmd\":\"stop\",\"name\":\"www\"}\n");
    turn();
    assert_true(is_silent(fd)); /* it is ending by itself */
    service_exited(s, 0, false);
    hears_notes(fd, "it has been cleaning up for 0 s, and containerd has not answered yet");
    say(quick, "{\"cmd\":\"start\",\"name\":\"db\"}\n");
    hears_notes(quick, "it has been looking for 0 s, and containerd has not answered yet");
    (void)close(quick);
    turn();
    for (int i = 0; i < 2; i++)
        service_event(s, LIFE_EV_OK);
    turn();
    expect_last(fd);
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
    d.up.begun = true;
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

static void containerd_is_started_without_the_services(void **state) {
    int fd = client();
    (void)state;
    say(fd, "{\"cmd\":\"containerd\"}\n");
    expect_error(fd, "");
    assert_int_equal(containerd_starts, 1);
    assert_int_equal(inits, 0);
}

static void nothing_is_started_while_svcd_stops(void **state) {
    static const char *const requests[] = {"{\"cmd\":\"system-init\"}\n", "{\"cmd\":\"start\",\"name\":\"www\"}\n",
                                           "{\"cmd\":\"restart\",\"name\":\"www\"}\n", "{\"cmd\":\"containerd\"}\n"};
    (void)state;
    d.stopping = true;
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        int fd = client();
        say(fd, requests[i]);
        expect_error(fd, "svcd is stopping");
    }
    assert_int_equal(inits + containerd_starts, 0);
    assert_int_equal(d.services[1].life, LIFE_DOWN);
    int fd = client();
    say(fd, "{\"cmd\":\"list\"}\n");
    expect_error(fd, "");
}

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
        T(why_a_stop_has_to_wait_is_said),
        T(whoever_waits_long_hears_what_for),
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
        T(containerd_is_started_without_the_services),
        T(nothing_is_started_while_svcd_stops),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
