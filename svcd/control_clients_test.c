/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of the control socket that are too many, leave, or do not read. */
#include "svcd/control_test.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        T(one_client_too_many_is_turned_away),
        T(who_leaves_while_waiting_is_forgotten),
        T(an_unread_answer_has_a_deadline),
        T(a_second_svcd_does_not_take_the_socket),
        T(without_descriptors_a_client_is_turned_away),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
