/* SPDX-License-Identifier: Apache-2.0 */
/* containerd's answers, as the states of a service take them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <poll.h>

#include "svcd/acts.h"

#undef SERVICE_FIFO_DIR
#undef SERVICE_LOG_DIR
#define SERVICE_FIFO_DIR place
#define SERVICE_LOG_DIR place
static char place[] = "/tmp/acts_test.XXXXXX";

#include "svcd/leftover.h"

#define leftover_default task_place
static const struct leftover_place task_place = {place, place, "/bin/false", 1};

#include "svcd/acts.c" /* NOLINT(bugprone-suspicious-include): its static functions are what is tested */
#include "svcd/shim_test.h"

static struct loop loop;
static struct grpc *connection;
static struct service s;
static enum life last_entered;

static void fake_enter(struct service *service, enum life l) {
    (void)service;
    last_entered = l;
}

static void changed(struct service *service, void *data) {
    (void)service;
    (void)data;
}

static const struct service_ops fake = {
    .enter = fake_enter, .probe = probe_start, .stop_probe = probe_stop, .now_ms = clock_ms, .set_timer = service_arm};

static void connection_lost(void *data) {
    (void)data;
}

static int begin(void **state) {
    struct err e = {0};
    (void)state;
    log_set_fd(-1);
    if (loop_init(&loop) < 0 || service_init(&s, "/x", "www", &loop, &connection, changed, NULL, &e) < 0)
        return -1;
    s.ops = &fake;
    s.record.wanted = true;
    return 0;
}

static int finish(void **state) {
    (void)state;
    service_fini(&s);
    loop_fini(&loop);
    log_set_fd(2);
    return 0;
}

/* The call was made in state `in`; it is answered in state `now`. */
static enum life answered(enum life in, enum life now, int status, grpc_done_fn *done) {
    const struct grpc_result r = {.status = status, .error = "words"};

    s.life = in;
    struct ticket *t = ticket_new(&s);
    assert_non_null(t);
    s.life = now;
    done(t, &r);
    return s.life;
}

static enum life answer_in(enum life l, int status) {
    return answered(l, l, status, on_answer);
}

static void good_answers_lead_on(void **state) {
    (void)state;
    assert_int_equal(answer_in(LIFE_CLEAN_KILL, GRPC_OK), LIFE_CLEAN_TASK);
    assert_int_equal(answer_in(LIFE_CLEAN_TASK, GRPC_OK), LIFE_CLEAN_CONTAINER);
    assert_int_equal(answer_in(LIFE_CREATE, GRPC_OK), LIFE_CREATE_TASK);
    assert_int_equal(answer_in(LIFE_START, GRPC_OK), LIFE_RUNNING);
}

static void what_is_not_there_need_not_be_removed(void **state) {
    (void)state;
    assert_int_equal(answer_in(LIFE_ADOPT, GRPC_NOT_FOUND), LIFE_CLEAN_CONTAINER);
    assert_int_equal(answer_in(LIFE_CLEAN_KILL, GRPC_NOT_FOUND), LIFE_CLEAN_TASK);
    assert_int_equal(answer_in(LIFE_CLEAN_TASK, GRPC_NOT_FOUND), LIFE_CLEAN_CONTAINER);
}

static void a_log_that_is_full_is_put_aside(void **state) {
    char dir[] = "/tmp/acts_test.XXXXXX", path[64], old[64];
    struct err e = {0};
    struct stat st;
    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/www.log", dir);
    (void)snprintf(old, sizeof(old), "%s/www.log.0", dir);
    assert_int_equal(open_bounded(path, &e), 0);
    assert_int_equal(truncate(path, SERVICE_LOG_MAX), 0);
    assert_int_equal(open_bounded(path, &e), 0);
    assert_int_equal(access(old, F_OK), -1); /* it may have that much */
    for (int i = 1; i < 3; i++) {
        assert_int_equal(truncate(path, SERVICE_LOG_MAX + i), 0);
        assert_int_equal(open_bounded(path, &e), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, 0);
        assert_int_equal(stat(old, &st), 0);
        assert_int_equal(st.st_size, SERVICE_LOG_MAX + i);
    }
    (void)unlink(path);
    (void)unlink(old);
    (void)rmdir(dir);
}

static bool has_ended(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

/* A life that was to write to memlogd never began; this one writes to a file. */
static void a_log_in_a_file_ends_a_source_of_memlogd(void **state) {
    struct err e = {0};
    (void)state;
    memcpy(strrchr(place, '.'), ".XXXXXX", 7);
    assert_non_null(mkdtemp(place));
    AUTO_FREE char *fifo = log_path(place, &s, ".out");
    AUTO_FREE char *path = NULL;
    assert_int_equal(mkfifo(fifo, 0600), 0);
    AUTO_CLOSE int source = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_int_equal(log_to_file(&s, ".out", &path, &e), 0);
    assert_true(has_ended(source));
    assert_string_equal(path, fifo); /* here both are in one place */
    (void)unlink(path);
    (void)rmdir(place);
}

/* Where the shim was killed: this answer comes when containerd has cleaned up behind it. */
static void a_deletion_that_finds_no_shim_is_one(void **state) {
    const struct grpc_result closed = {.status = 2, .error = "failed to delete task: ttrpc: closed"};
    (void)state;
    s.life = LIFE_CLEAN_TASK;
    on_answer(ticket_new(&s), &closed);
    assert_int_equal(s.life, LIFE_CLEAN_CONTAINER);
    s.life = LIFE_CLEAN_TASK; /* or somebody was faster */
    on_answer(ticket_new(&s), &(const struct grpc_result){.status = 2, .error = "task does not exist: unknown"});
    assert_int_equal(s.life, LIFE_CLEAN_CONTAINER);
    assert_string_equal(s.error, "");
    s.life = LIFE_START;
    on_answer(ticket_new(&s), &closed);
    assert_int_equal(s.life, LIFE_CLEAN_KILL);
    assert_true(s.record.failed);
}

/* containerd says "not found" as well when the command, or the image's root, is not there. */
static void a_start_that_finds_nothing_has_failed(void **state) {
    (void)state;
    assert_int_equal(answer_in(LIFE_CREATE_TASK, GRPC_NOT_FOUND), LIFE_CLEAN_KILL);
    assert_true(s.record.failed);
    assert_string_equal(s.error, "could not create its task: words");
}

static void an_error_of_the_runtime_is_kept(void **state) {
    (void)state;
    assert_int_equal(answer_in(LIFE_START, 2), LIFE_CLEAN_KILL);
    assert_string_equal(s.error, "could not start its task: words");
    assert_int_equal(answer_in(LIFE_CREATE, -ETIMEDOUT), LIFE_CLEAN_CONTAINER);
    assert_string_equal(s.error, "could not create its container: words");
}

static void a_lost_connection_is_no_failure(void **state) {
    (void)state;
    for (int l = LIFE_ADOPT; l < LIFE_BACKOFF; l++) {
        if (l == LIFE_DECIDE || l == LIFE_PREPARE)
            continue;
        enum life alone = l == LIFE_STOPPING  ? LIFE_LONE_STOPPING
                          : l == LIFE_KILLING ? LIFE_LONE_KILLING
                                              : LIFE_DETACHED;
        assert_int_equal(answer_in((enum life)l, -ECONNRESET), alone);
        assert_false(s.record.failed);
    }
}

static void the_kill_itself_decides_nothing(void **state) {
    (void)state;
    assert_int_equal(answer_in(LIFE_STOPPING, GRPC_OK), LIFE_STOPPING);
    assert_int_equal(answer_in(LIFE_STOPPING, 2), LIFE_STOPPING);
    assert_int_equal(answer_in(LIFE_KILLING, -ETIMEDOUT), LIFE_KILLING);
}

static void an_answer_that_comes_too_late_is_dropped(void **state) {
    (void)state;
    assert_int_equal(answered(LIFE_CREATE, LIFE_DETACHED, GRPC_OK, on_answer), LIFE_DETACHED);
    assert_int_equal(answered(LIFE_STOPPING, LIFE_CLEAN_TASK, 2, on_answer), LIFE_CLEAN_TASK);
}

/* HTTP/2: a frame of type 3 ends a stream; before the first there are 24 bytes. */
static unsigned streams_ended(int fd) {
    uint8_t bytes[8192];
    unsigned ended = 0;
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    for (ssize_t at = 24; at + 9 <= n; at += 9 + (bytes[at] << 16 | bytes[at + 1] << 8 | bytes[at + 2]))
        ended += bytes[at + 3] == 3;
    return ended;
}

/* It would make a task later, that nobody knows of. */
static void what_a_start_has_asked_for_is_given_up_with_it(void **state) {
    int ends[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(grpc_open(&connection, &loop, ends[0], "x", connection_lost, NULL), 0);
    s.life = LIFE_CREATE_TASK;
    s.stdout_path = strdup("/out");
    s.stderr_path = strdup("/err");
    enter(&s, LIFE_CREATE_TASK);
    assert_non_null(s.call);
    s.life = LIFE_CLEAN_KILL;
    enter(&s, LIFE_CLEAN_KILL);
    assert_null(s.call);
    assert_int_equal(s.life, LIFE_CLEAN_KILL); /* that it was given up is no news */
    s.life = LIFE_CLEAN_TASK;
    enter(&s, LIFE_CLEAN_TASK); /* what removes it is not given up */
    assert_int_equal(streams_ended(ends[1]), 1);
    s.life = LIFE_DOWN;
    grpc_close(connection);
    connection = NULL;
    (void)close(ends[1]);
}

static void a_wait_that_fails_is_only_the_running_ones_business(void **state) {
    (void)state;
    assert_int_equal(answered(LIFE_RUNNING, LIFE_RUNNING, 2, on_exit_seen), LIFE_ADOPT);
    assert_int_equal(answered(LIFE_RUNNING, LIFE_CLEAN_TASK, 2, on_exit_seen), LIFE_CLEAN_TASK);
    assert_int_equal(answered(LIFE_RUNNING, LIFE_CLEAN_CONTAINER, -ETIMEDOUT, on_exit_seen), LIFE_CLEAN_CONTAINER);
}

static void an_exit_of_an_earlier_life_is_not_this_ones(void **state) {
    const struct grpc_result exited = {.status = GRPC_OK, .error = ""}; /* an empty message: status 0 */
    (void)state;
    s.life = LIFE_RUNNING;
    struct ticket *t = ticket_new(&s);
    s.generation++;
    on_exit_seen(t, &exited);
    assert_int_equal(s.life, LIFE_RUNNING);
    on_exit_seen(ticket_new(&s), &exited);
    assert_int_equal(s.life, LIFE_CLEAN_TASK);
    assert_true(s.record.ended);
}

/* What containerd does not know, on a busy machine, may well run: it must be left alone. */
static void a_task_is_looked_at(void **state) {
    static const struct {
        uint8_t status;
        enum life to;
    } rows[] = {{0, LIFE_BACKOFF},
                {CTRD_CREATED, LIFE_CLEAN_KILL},
                {CTRD_RUNNING, LIFE_RUNNING},
                {CTRD_STOPPED, LIFE_CLEAN_KILL},
                {CTRD_PAUSED, LIFE_RUNNING},
                {CTRD_PAUSING, LIFE_RUNNING},
                {9, LIFE_BACKOFF}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t message[] = {0x0a, 6, 0x18, 77, 0x20, rows[i].status, 0x48, 3}; /* pid, status, exit status */
        const struct grpc_result r = {.status = GRPC_OK, .error = "", .message = message, .len = sizeof(message)};
        s.exit_known = false;
        s.restarts = 0;
        s.life = LIFE_ADOPT;
        on_answer(ticket_new(&s), &r);
        assert_int_equal(s.life, rows[i].to);
        assert_int_equal(s.exit_known, rows[i].status == CTRD_STOPPED); /* it is known how it ended meanwhile */
        service_event(&s, LIFE_EV_TIMEOUT);
        assert_int_equal(s.restarts, 0); /* another look is no restart */
    }
    assert_int_equal(s.exit_status, 3);
}

/* svcd was told to end, and has not waited for containerd to remove it: it comes back as if it had. */
static void what_svcd_took_down_with_itself_has_not_failed(void **state) {
    static const uint8_t message[] = {0x0a, 6, 0x18, 77, 0x20, CTRD_STOPPED, 0x48, 3};
    const struct grpc_result r = {.status = GRPC_OK, .error = "", .message = message, .len = sizeof(message)};
    (void)state;
    s.returns = true;
    s.life = LIFE_ADOPT;
    on_answer(ticket_new(&s), &r);
    assert_int_equal(s.life, LIFE_CLEAN_KILL);
    assert_false(s.record.failed || s.record.ended || s.exit_known);
    for (int i = 0; i < 3; i++)
        service_event(&s, LIFE_EV_OK);
    assert_int_equal(s.life, LIFE_PREPARE);
    assert_false(s.returns);
}

/* Its shim hangs, so containerd cannot say more than that; it is ended all the same. */
static void what_is_to_be_stopped_is_stopped_whatever_its_state(void **state) {
    static const uint8_t message[] = {0x0a, 2, 0x20, 0};
    const struct grpc_result r = {.status = GRPC_OK, .error = "", .message = message, .len = sizeof(message)};
    (void)state;
    s.pid = (uint32_t)getpid();
    s.cgroup = cgroup_of("/proc", getpid());
    s.record.wanted = false;
    s.life = LIFE_ADOPT;
    on_answer(ticket_new(&s), &r);
    assert_int_equal(s.life, LIFE_STOPPING);
    assert_int_equal(s.pid, getpid());
    s.record.wanted = true; /* else it is left alone */
    s.life = LIFE_ADOPT;
    on_answer(ticket_new(&s), &r);
    assert_int_equal(s.life, LIFE_BACKOFF);
    s.record.wanted = false; /* and so is whoever has its number now */
    (void)snprintf(s.cgroup, 2, "x");
    s.life = LIFE_ADOPT;
    on_answer(ticket_new(&s), &r);
    assert_int_equal(s.life, LIFE_BACKOFF);
}

static void look_at(uint8_t pid, enum ctrd_status status) {
    const uint8_t message[] = {0x0a, 4, 0x18, pid, 0x20, (uint8_t)status};
    const struct grpc_result r = {.status = GRPC_OK, .error = "", .message = message, .len = sizeof(message)};

    s.life = LIFE_ADOPT;
    on_answer(ticket_new(&s), &r);
}

static void the_group_is_known_of_one_life(void **state) {
    (void)state;
    s.record.wanted = true;
    s.pid = 77;
    s.cgroup = strdup("/www");
    look_at(77, CTRD_CREATED);
    assert_string_equal(s.cgroup, "/www");
    look_at(78, CTRD_CREATED); /* another life of it, begun by somebody else */
    assert_null(s.cgroup);
    assert_int_equal(s.pid, 78);
}

static void who_finds_it_paused_knows_that_it_is(void **state) {
    (void)state;
    s.record.wanted = true;
    look_at(127, CTRD_PAUSED);
    assert_int_equal(s.life, LIFE_RUNNING);
    assert_true(s.paused);
    look_at(127, CTRD_RUNNING);
    assert_false(s.paused);
}

static void an_answer_that_is_no_message_is_a_failure(void **state) {
    const struct grpc_result bad = {.status = GRPC_OK, .error = "", .message = (const uint8_t *)"\xff\xff", .len = 2};
    (void)state;
    s.life = LIFE_CREATE_TASK;
    on_answer(ticket_new(&s), &bad);
    assert_int_equal(s.life, LIFE_CLEAN_KILL);
    assert_non_null(strstr(s.error, "could not be read"));
}

static void a_deletion_ends(int status, bool shim_is_killed) {
    struct fake_shim shim = fake_shim_begin(place, FAKE_SHIM, s.ns, s.name);

    assert_int_equal(answer_in(LIFE_CLEAN_TASK, status), LIFE_BACKOFF);
    assert_string_equal(s.error, "could not remove what an earlier run left: words");
    fake_shim_end(&shim, shim_is_killed);
}

/* It never can be; containerd forgets it when its shim is gone, and the next look finds none. */
static void a_task_that_cannot_be_deleted_without_its_folder_is_freed(void **state) {
    (void)state;
    memcpy(strrchr(place, '.'), ".XXXXXX", 7);
    assert_non_null(mkdtemp(place));
    (void)snprintf(s.ns, sizeof(s.ns), "acts_test.linuxkit"); /* no shim of this machine is of it */
    AUTO_FREE char *ns = path_join(place, s.ns);
    AUTO_FREE char *task = path_join(ns, s.name);
    AUTO_FREE char *program = path_join(place, FAKE_SHIM);
    assert_int_equal(mkdir_p(task, 0711, NULL), 0);
    a_deletion_ends(2, false); /* the runtime may do it the next time */
    assert_int_equal(rmdir(task), 0);
    a_deletion_ends(-ETIMEDOUT, false); /* who knows what containerd is at */
    a_deletion_ends(2, true);
    (void)unlink(program);
    (void)rmdir(ns);
    (void)rmdir(place);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(good_answers_lead_on),
        T(what_is_not_there_need_not_be_removed),
        T(a_log_that_is_full_is_put_aside),
        T(a_log_in_a_file_ends_a_source_of_memlogd),
        T(a_deletion_that_finds_no_shim_is_one),
        T(a_start_that_finds_nothing_has_failed),
        T(an_error_of_the_runtime_is_kept),
        T(a_lost_connection_is_no_failure),
        T(the_kill_itself_decides_nothing),
        T(an_answer_that_comes_too_late_is_dropped),
        T(what_a_start_has_asked_for_is_given_up_with_it),
        T(a_wait_that_fails_is_only_the_running_ones_business),
        T(an_exit_of_an_earlier_life_is_not_this_ones),
        T(a_task_is_looked_at),
        T(what_svcd_took_down_with_itself_has_not_failed),
        T(what_is_to_be_stopped_is_stopped_whatever_its_state),
        T(the_group_is_known_of_one_life),
        T(who_finds_it_paused_knows_that_it_is),
        T(a_task_that_cannot_be_deleted_without_its_folder_is_freed),
        T(an_answer_that_is_no_message_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
