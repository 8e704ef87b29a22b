/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a small gRPC server on the same loop. */
#include "svcd/grpc_test_server.h"

#define GIVE_UP_MS 20000

struct answer {
    int times, status;
    char error[GRPC_ERROR_MAX];
    char message[64];
    size_t len;
};

static struct grpc *client;
static int lost, waiting; /* answers that are still to come */

static void gave_up(struct loop_source *s, void *data) {
    (void)s;
    (void)data;
    fail_msg("nothing came within %d ms", GIVE_UP_MS);
}

static void on_lost(void *data) {
    (void)data;
    lost++;
    loop_stop(&loop);
}

static void on_done(void *data, const struct grpc_result *r) {
    struct answer *a = data;

    a->times++;
    a->status = r->status;
    a->len = r->len;
    (void)snprintf(a->error, sizeof(a->error), "%s", r->error);
    if (r->status == GRPC_OK)
        (void)snprintf(a->message, sizeof(a->message), "%.*s", (int)r->len, (const char *)r->message);
    if (--waiting == 0)
        loop_stop(&loop);
}

static void ask(const char *method, const char *text, unsigned timeout_ms, struct answer *a) {
    waiting++;
    assert_int_equal(grpc_call(client, method, (const uint8_t *)text, strlen(text), timeout_ms, on_done, a), 0);
    assert_int_equal(a->times, 0); /* not before grpc_call() has returned */
}

static void run(void) {
    assert_int_equal(loop_run(&loop), 0);
}

static int setup(void **state) {
    (void)state;
    lost = waiting = 0;
    cancelled = 0;
    max_streams = 0;
    assert_int_equal(loop_init(&loop), 0);
    server_start();
    assert_int_equal(loop_set_timer(&loop, &guard, GIVE_UP_MS, gave_up, NULL), 0);
    return grpc_connect(&client, &loop, path, "some.namespace", on_lost, NULL);
}

static int teardown(void **state) {
    (void)state;
    grpc_close(client);
    client = NULL;
    server_stop();
    loop_remove(&loop, &guard);
    loop_fini(&loop);
    return 0;
}

/* --- what is asked of it --- */

static void an_answer_comes_with_its_message(void **state) {
    struct answer a = {0}, empty = {0};
    (void)state;
    ask("/Echo", "hello", 5000, &a);
    ask("/Echo", "", 5000, &empty);
    run();
    assert_int_equal(a.times, 1);
    assert_int_equal(a.status, GRPC_OK);
    assert_string_equal(a.error, "");
    assert_string_equal(a.message, "hello");
    assert_int_equal(empty.status, GRPC_OK);
    assert_int_equal(empty.len, 0);
    assert_string_equal(namespace_seen, "some.namespace");
}

static void one_call_may_have_a_namespace_of_its_own(void **state) {
    struct answer a = {0}, b = {0};
    (void)state;
    grpc_use_namespace(client, "another");
    ask("/Echo", "", 5000, &a);
    run();
    assert_string_equal(namespace_seen, "another");
    grpc_use_namespace(client, "");
    ask("/Echo", "", 5000, &b);
    run();
    assert_string_equal(namespace_seen, "some.namespace");
}

static void an_error_is_told_in_the_servers_words(void **state) {
    struct answer a = {0}, not_found = {0};
    (void)state;
    ask("/Fails", "", 5000, &a);
    ask("/NotFound", "", 5000, &not_found);
    run();
    assert_int_equal(a.status, 13);
    assert_string_equal(a.error, "no space: 100% of /var%zz");
    assert_int_equal(not_found.status, GRPC_NOT_FOUND);
    assert_string_equal(not_found.error, "gRPC status 5");
}

static void what_is_no_answer_is_an_error(void **state) {
    struct answer nonsense = {0}, cut = {0};
    (void)state;
    ask("/Nonsense", "", 5000, &nonsense);
    ask("/CutOff", "", 5000, &cut);
    run();
    assert_int_equal(nonsense.status, -EPROTO);
    assert_int_equal(cut.status, -EBADMSG);
    assert_int_equal(lost, 0);
}

static void no_answer_in_time_is_a_timeout_of_that_call_only(void **state) {
    struct answer late = {0}, other = {0};
    (void)state;
    ask("/Never", "", 30, &late);
    run();
    assert_int_equal(late.status, -ETIMEDOUT);
    assert_int_equal(late.times, 1);
    ask("/Echo", "still there", 5000, &other);
    run();
    assert_string_equal(other.message, "still there");
    assert_int_equal(lost, 0);
}

/* The server hears of it, and the others go on. */
static void a_call_is_given_up(void **state) {
    struct answer kept = {0}, given_up = {0}, other = {0}, next = {0};
    (void)state;
    ask("/Never", "", 0, &kept);
    ask("/Never", "", 60000, &given_up);
    ask("/Echo", "", 5000, &other);
    waiting = 1;
    run();
    assert_int_equal(other.times, 1);
    waiting = 2;
    grpc_give_up(client, &given_up);
    assert_int_equal(given_up.times, 1);
    assert_int_equal(given_up.status, -ECANCELED);
    assert_int_equal(kept.times, 0);
    grpc_give_up(client, &given_up); /* there is none any more */
    assert_int_equal(given_up.times, 1);
    ask("/Echo", "still there", 5000, &next);
    waiting = 1;
    run();
    assert_string_equal(next.message, "still there");
    assert_int_equal(cancelled, 1);
    assert_int_equal(lost, 0);
    grpc_close(client); /* answers the first */
    client = NULL;
}

/* HTTP/2 keeps a request back while the server allows no more streams; its deadline counts all the same. */
static void a_call_that_waits_for_its_turn_times_out_too(void **state) {
    struct answer first = {0}, held = {0}, settled = {0};
    (void)state;
    max_streams = 1;
    ask("/Echo", "", 5000, &settled); /* the server's settings have come */
    run();
    ask("/Never", "", 0, &first);
    ask("/Never", "", 30, &held);
    waiting = 1;
    run();
    assert_int_equal(held.status, -ETIMEDOUT);
    assert_int_equal(first.times, 0);
}

static void a_hung_up_connection_answers_every_call_and_is_told_once(void **state) {
    struct answer never[3] = {{0}}, last = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        ask("/Never", "", 0, &never[i]);
    ask("/HangUp", "", 5000, &last);
    waiting = 100; /* let the loss end the loop */
    run();
    assert_int_equal(lost, 1);
    for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
        assert_int_equal(never[i].times, 1);
        assert_int_equal(never[i].status, -ECONNRESET);
        assert_true(*never[i].error);
    }
    assert_int_equal(last.times, 1);
    assert_int_equal(last.status, -ECONNRESET);
    assert_int_equal(grpc_call(client, "/Echo", NULL, 0, 0, on_done, &last), -ECONNRESET);
}

static void a_loss_is_told_without_a_descriptor_to_spare(void **state) {
    struct answer first = {0}, last = {0};
    struct rlimit old, tight;
    (void)state;
    ask("/Echo", "", 0, &first);
    run();
    ask("/HangUp", "", 0, &last);
    waiting = 100;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = (struct rlimit){(rlim_t)peer, old.rlim_max}; /* the server's end is closed, and is not to be used again */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    run();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(lost, 1);
    assert_int_equal(last.status, -ECONNRESET);
}

/* The server keeps its side open: the client must see by itself that there is nothing to be had. */
static void garbage_ends_the_connection(void **state) {
    struct answer never = {0}, a = {0};
    (void)state;
    ask("/Never", "", 0, &never);
    ask("/Garbage", "", 0, &a);
    waiting = 100;
    run();
    assert_int_equal(lost, 1);
    assert_int_equal(a.status, -ECONNRESET);
    assert_int_equal(never.status, -ECONNRESET);
}

static void a_message_over_the_bound_ends_the_connection(void **state) {
    struct answer a = {0};
    (void)state;
    ask("/Large", "", 0, &a);
    waiting = 100;
    run();
    assert_int_equal(a.status, -ECONNRESET);
    assert_int_equal(lost, 1);
    assert_int_equal(grpc_call(client, "/Echo", NULL, GRPC_MESSAGE_MAX + 1, 0, on_done, &a), -ECONNRESET);
}

static void a_request_over_the_bound_is_not_sent(void **state) {
    struct answer a = {0};
    uint8_t *large = calloc(1, GRPC_MESSAGE_MAX + 1);
    (void)state;
    assert_non_null(large);
    assert_int_equal(grpc_call(client, "/Echo", large, GRPC_MESSAGE_MAX + 1, 0, on_done, &a), -E2BIG);
    free(large);
    assert_int_equal(a.times, 0);
}

static void many_calls_at_once(void **state) {
    enum { CALLS = 300 }; /* more than what HTTP/2 allows before the server's settings are known */
    static struct answer a[CALLS];
    char text[32];
    (void)state;
    memset(a, 0, sizeof(a));
    for (int i = 0; i < CALLS; i++) {
        (void)snprintf(text, sizeof(text), "call %d", i);
        ask("/Echo", text, 10000, &a[i]);
    }
    run();
    for (int i = 0; i < CALLS; i++) {
        (void)snprintf(text, sizeof(text), "call %d", i);
        assert_int_equal(a[i].times, 1);
        assert_string_equal(a[i].message, text);
    }
}

static void ask_again(void *data, const struct grpc_result *r) {
    (void)r;
    ask("/Echo", "second", 5000, data);
    waiting--;
}

static void a_call_may_be_made_in_an_answer(void **state) {
    struct answer after_ok = {0}, after_timeout = {0};
    (void)state;
    waiting = 2;
    assert_int_equal(grpc_call(client, "/Echo", NULL, 0, 5000, ask_again, &after_ok), 0);
    assert_int_equal(grpc_call(client, "/Never", NULL, 0, 20, ask_again, &after_timeout), 0);
    run();
    assert_string_equal(after_ok.message, "second");
    assert_string_equal(after_timeout.message, "second");
}

static void close_answers_what_is_under_way(void **state) {
    struct answer a = {0};
    (void)state;
    ask("/Never", "", 5000, &a);
    grpc_close(client);
    client = NULL;
    assert_int_equal(a.times, 1);
    assert_int_equal(a.status, -ECONNRESET);
    assert_int_equal(lost, 0);
}

static char heard[64];

static void on_message(void *data, const uint8_t *message, size_t len) {
    const struct answer *a = data;
    size_t used = strlen(heard);

    assert_int_equal(a->times, 0); /* its end comes last */
    (void)snprintf(heard + used, sizeof(heard) - used, "<%.*s>", (int)len, (const char *)message);
}

static void follow(const char *method, struct answer *a) {
    heard[0] = '\0';
    waiting++;
    assert_int_equal(grpc_stream(client, method, NULL, 0, on_message, on_done, a), 0);
}

static void a_stream_is_told_message_by_message(void **state) {
    struct answer end = {0};
    (void)state;
    follow("/Three", &end);
    run();
    assert_string_equal(heard, "<one><two><>");
    assert_int_equal(end.times, 1);
    assert_int_equal(end.status, GRPC_OK);
}

static void a_stream_that_is_cut_off_is_an_error(void **state) {
    struct answer end = {0};
    (void)state;
    follow("/OneAndAHalf", &end);
    run();
    assert_string_equal(heard, "<one>");
    assert_int_equal(end.status, -EBADMSG);
    assert_int_equal(lost, 0);
}

static void a_stream_with_a_message_that_is_none_ends_the_connection(void **state) {
    struct answer end = {0};
    (void)state;
    follow("/Compressed", &end);
    waiting = 100;
    run();
    assert_string_equal(heard, "");
    assert_int_equal(end.status, -ECONNRESET);
    assert_int_equal(lost, 1);
}

static void a_stream_ends_with_its_connection(void **state) {
    struct answer end = {0}, last = {0};
    (void)state;
    follow("/Never", &end);
    ask("/HangUp", "", 0, &last);
    waiting = 100;
    run();
    assert_int_equal(end.status, -ECONNRESET);
    assert_int_equal(end.times, 1);
}

static void nobody_listens(void **state) {
    struct grpc *g = NULL;
    (void)state;
    assert_int_equal(grpc_connect(&g, &loop, "/tmp/grpc_test.none/sock", "ns", on_lost, NULL), -ENOENT);
    assert_null(g);
}

static int make_dir(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state) {
    (void)state;
    return rmdir(dir);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(an_answer_comes_with_its_message),
        T(one_call_may_have_a_namespace_of_its_own),
        T(an_error_is_told_in_the_servers_words),
        T(what_is_no_answer_is_an_error),
        T(no_answer_in_time_is_a_timeout_of_that_call_only),
        T(a_call_is_given_up),
        T(a_call_that_waits_for_its_turn_times_out_too),
        T(a_hung_up_connection_answers_every_call_and_is_told_once),
        T(a_loss_is_told_without_a_descriptor_to_spare),
        T(garbage_ends_the_connection),
        T(a_message_over_the_bound_ends_the_connection),
        T(a_request_over_the_bound_is_not_sent),
        T(many_calls_at_once),
        T(a_call_may_be_made_in_an_answer),
        T(close_answers_what_is_under_way),
        T(a_stream_is_told_message_by_message),
        T(a_stream_that_is_cut_off_is_an_error),
        T(a_stream_with_a_message_that_is_none_ends_the_connection),
        T(a_stream_ends_with_its_connection),
        T(nobody_listens),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
