/* SPDX-License-Identifier: Apache-2.0 */
/* Ports and files of this very process, and commands with a containerd that is made up. */
#include "svcd/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "svcd/ctrd.h"
#include "svcd/look.h"
#include "svcd/process.h"
#include "svcd/spec.h"

#define GIVE_UP_MS 10000

static struct loop loop;
static struct loop_source guard;
static struct grpc *connection;
static struct service s;
static int results;
static bool last_ok;
static char last_why[SERVICE_REASON_MAX];

/* --- what stands around it --- */

struct grpc *service_grpc(const struct service *service) {
    return *service->connection;
}

static int unprobed;

void service_unprobed(struct service *service) {
    assert_null(service->probe);
    unprobed++;
}

void service_probed(struct service *service, bool ok, const char *why) {
    assert_null(service->probe);
    results++;
    last_ok = ok;
    (void)snprintf(last_why, sizeof(last_why), "%s", why);
    loop_stop(&loop);
}

int spec_process(const char *bundle, const char *const *args, size_t args_len, char **out, struct err *e) {
    (void)bundle;
    (void)e;
    assert_int_equal(args_len, 1);
    return asprintf(out, "{\"args\":[\"%s\"]}", args[0]) < 0 ? -ENOMEM : 0;
}

static char calls[64]; /* a letter each: Add Start Wait Kill Delete */
static grpc_done_fn *pending, *on_kill;
static void *pending_data, *kill_data;
static char last_id[32], previous_id[32], removed_id[32]; /* of the commands that were added; that was deleted */
static char spec_seen[64];

static int note_call(char letter, grpc_done_fn *done, void *data) {
    size_t len = strlen(calls);

    if (len + 1 < sizeof(calls)) {
        calls[len] = letter;
        calls[len + 1] = '\0';
    }
    if (letter == 'K') {
        on_kill = done;
        kill_data = data;
        loop_stop(&loop);
    }
    if (letter != 'K' && letter != 'D') {
        pending = done;
        pending_data = data;
    }
    return 0;
}

int ctrd_exec_add(struct grpc *g, const char *id, const char *exec_id, const char *spec, grpc_done_fn *done,
                  void *data) {
    (void)g;
    assert_string_equal(id, "www");
    assert_int_equal(strncmp(exec_id, PROBE_EXEC_ID, strlen(PROBE_EXEC_ID)), 0);
    (void)snprintf(previous_id, sizeof(previous_id), "%s", last_id);
    (void)snprintf(last_id, sizeof(last_id), "%s", exec_id);
    (void)snprintf(spec_seen, sizeof(spec_seen), "%s", spec);
    return note_call('A', done, data);
}

int ctrd_exec_start(struct grpc *g, const char *id, const char *exec_id, grpc_done_fn *done, void *data) {
    (void)g;
    (void)id;
    (void)exec_id;
    return note_call('S', done, data);
}

int ctrd_exec_wait(struct grpc *g, const char *id, const char *exec_id, grpc_done_fn *done, void *data) {
    (void)g;
    (void)id;
    (void)exec_id;
    return note_call('W', done, data);
}

int ctrd_exec_kill(struct grpc *g, const char *id, const char *exec_id, int sig, grpc_done_fn *done, void *data) {
    (void)g;
    (void)id;
    (void)exec_id;
    assert_int_equal(sig, SIGKILL);
    return note_call('K', done, data);
}

static grpc_done_fn *on_ping;
static void *ping_data;

int ctrd_ping(struct grpc *g, unsigned timeout_ms, grpc_done_fn *done, void *data) {
    (void)g;
    (void)timeout_ms;
    on_ping = done;
    ping_data = data;
    loop_stop(&loop);
    return 0;
}

int ctrd_exec_delete(struct grpc *g, const char *id, const char *exec_id, grpc_done_fn *done, void *data) {
    (void)g;
    (void)id;
    (void)snprintf(removed_id, sizeof(removed_id), "%s", exec_id);
    return note_call('D', done, data);
}

int ctrd_waited_status(const struct grpc_result *r, uint32_t *exit_status) {
    *exit_status = r->message[0];
    return 0;
}

int ctrd_started_pid(const struct grpc_result *r, uint32_t *pid) {
    *pid = r->message[0];
    return 0;
}

static pid_t killed_with_children;

void process_kill_led_by(const struct service *service, pid_t leader) {
    assert_ptr_equal(service, &s);
    killed_with_children = leader;
}

static void answer(int status, uint8_t exit_status) {
    const struct grpc_result r = {.status = status, .error = "words", .message = &exit_status, .len = 1};
    grpc_done_fn *done = pending;

    assert_non_null(done);
    pending = NULL;
    done(pending_data, &r);
}

static void gave_up(struct loop_source *src, void *data) {
    (void)src;
    (void)data;
    fail_msg("nothing came within %d ms", GIVE_UP_MS);
}

static int begin(void **state) {
    (void)state;
    s = (struct service){.name = "www", .loop = &loop, .connection = &connection, .pid = (uint32_t)getpid()};
    connection = (struct grpc *)&connection; /* one that is there */
    results = 0;
    calls[0] = '\0';
    pending = on_ping = NULL;
    unprobed = 0;
    if (loop_init(&loop) < 0)
        return -1;
    return loop_set_timer(&loop, &guard, GIVE_UP_MS, gave_up, NULL);
}

static int finish(void **state) {
    (void)state;
    probe_stop(&s);
    look_fini(&s);
    loop_remove(&loop, &guard);
    loop_fini(&loop);
    return 0;
}

static void probe(const struct probe_policy *p, uint64_t timeout_ms) {
    int before = results;

    probe_start(&s, p, timeout_ms);
    if (results == before)
        assert_int_equal(loop_run(&loop), 0);
    assert_int_equal(results, before + 1);
}

/* --- files --- */

static void a_file_is_there_or_not(void **state) {
    char path[] = "/tmp/probe_test.XXXXXX";
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0 && close(fd) == 0);
    const struct probe_policy p = {.kind = PROBE_FILE, .path = path};
    probe(&p, GIVE_UP_MS);
    assert_true(last_ok);
    assert_string_equal(last_why, "");
    assert_int_equal(unlink(path), 0);
    probe(&p, GIVE_UP_MS);
    assert_false(last_ok);
    assert_non_null(strstr(last_why, ": No such file or directory"));
}

/*
 * A child of this program looks for files, and main() lets it hang for those that end in HANGS: it adds a byte to the
 * file, and stays. In the kernel, in a call to a server that hangs, no signal reaches it.
 */
#define HANGS ".hangs"

static bool unkillable;
static unsigned kills;

int kill(pid_t pid, int signo) {
    kills++;
    return unkillable ? 0 : (int)syscall(SYS_kill, pid, signo);
}

static bool hangs(const char *path) {
    size_t len = strlen(path);

    return len > strlen(HANGS) && !strcmp(path + len - strlen(HANGS), HANGS);
}

static _Noreturn void hang(const char *path) {
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    (void)write_full(fd, "x", 1);
    for (;;)
        (void)pause();
}

static unsigned children_of(const char *path) {
    AUTO_BUF struct buf text = BUF_INIT;

    assert_int_equal(read_file(path, 64, &text, NULL), 0);
    return (unsigned)text.len;
}

static void tick(struct loop_source *src, void *data) {
    unsigned *ticks = data;

    (*ticks)++;
    assert_int_equal(loop_set_timer(&loop, src, 1, tick, ticks), 0);
}

/* The loop goes on meanwhile. */
static void probe_what_hangs(const char *path, struct loop_source *clock) {
    const struct probe_policy p = {.kind = PROBE_FILE, .path = path};
    unsigned ticks = 0;

    assert_int_equal(loop_set_timer(&loop, clock, 1, tick, &ticks), 0);
    probe(&p, 100);
    assert_false(last_ok);
    assert_string_equal(last_why, "no answer in time");
    assert_true(ticks > 0);
    loop_remove(&loop, clock);
}

static void a_look_that_hangs_is_given_up(void **state) {
    struct loop_source clock = LOOP_SOURCE_INIT;
    char path[] = "/tmp/probe_test.XXXXXX" HANGS;
    (void)state;
    int fd = mkstemps(path, (int)strlen(HANGS));
    assert_true(fd >= 0 && close(fd) == 0);
    kills = 0;
    unkillable = true;
    probe_what_hangs(path, &clock);
    assert_int_equal(kills, 1);
    while (children_of(path) == 0) /* it may have begun late */
        (void)usleep(1000);
    probe_what_hangs(path, &clock); /* no second child hangs beside it */
    probe_what_hangs(path, &clock);
    assert_int_equal(children_of(path), 1);
    unkillable = false;
    const struct probe_policy p = {.kind = PROBE_FILE, .path = "/dev/null"};
    probe(&p, GIVE_UP_MS); /* begins behind the end of that child */
    assert_true(last_ok);
    assert_null(s.look);
    assert_int_equal(children_of(path), 1);
    assert_int_equal(unlink(path), 0);
}

/* It may hang for as long as its server does. */
static void at_the_end_nobody_waits_for_a_look(void **state) {
    struct loop_source clock = LOOP_SOURCE_INIT;
    char path[] = "/tmp/probe_test.XXXXXX" HANGS;
    (void)state;
    int fd = mkstemps(path, (int)strlen(HANGS));
    assert_true(fd >= 0 && close(fd) == 0);
    unkillable = true;
    probe_what_hangs(path, &clock);
    look_fini(&s);
    assert_null(s.look); /* the child ends with this program */
    unkillable = false;
    assert_int_equal(unlink(path), 0);
}

/* --- ports --- */

static int listen_somewhere(uint16_t *port) {
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *port = ntohs(addr.sin_port);
    return fd;
}

static void a_port_is_open_or_not(void **state) {
    struct probe_policy p = {.kind = PROBE_TCP};
    (void)state;
    int fd = listen_somewhere(&p.port);
    probe(&p, 5000);
    assert_true(last_ok);
    (void)close(fd);
    probe(&p, 5000);
    assert_false(last_ok);
    assert_non_null(strstr(last_why, "Connection refused"));
}

static struct loop_source on_peer;
static const char *http_answer;
static char http_request[256];

static void reply(struct loop_source *src, uint32_t events, void *data) {
    AUTO_CLOSE int peer = src->fd;
    ssize_t n = recv(peer, http_request, sizeof(http_request) - 1, 0);

    (void)events;
    (void)data;
    assert_true(n > 0);
    http_request[n] = '\0';
    assert_int_equal(write_full(peer, http_answer, strlen(http_answer)), 0);
    loop_remove(&loop, src);
}

/* The request comes later: who sends it is this thread too. */
static void serve(struct loop_source *src, uint32_t events, void *data) {
    static struct loop_source asked;

    (void)events;
    (void)data;
    int peer = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(peer >= 0);
    assert_int_equal(loop_add_fd(&loop, &asked, peer, EPOLLIN, reply, NULL), 0);
}

static void a_page_is_well_or_not(void **state) {
    static const struct {
        const char *answer;
        bool ok;
        const char *why;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nfine", true, ""},
        {"HTTP/1.0 302 Found\r\n\r\n", true, ""},
        {"HTTP/1.1 503 Service Unavailable\r\n\r\n", false, "answers \"HTTP/1.1 503 Service Unavailable\""},
        {"HTTP/1.1 404 Not Found with many more words than anybody would want to read in a log line, really\r\n", false,
         "answers \"HTTP/1.1 404"},
        {"220 mail.example ESMTP\r\n", false, "answers \"220 mail"},
        {"HTTP/1.1 2", true, ""}, /* as much as there is of it */
        {"", false, "answers \"\""},
    };
    struct probe_policy p = {.kind = PROBE_HTTP, .path = "/health?x=1"};
    (void)state;
    int fd = listen_somewhere(&p.port);
    assert_int_equal(loop_add_fd(&loop, &on_peer, fd, EPOLLIN, serve, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        http_answer = cases[i].answer;
        probe(&p, 5000);
        assert_int_equal(last_ok, cases[i].ok);
        if (!strstr(last_why, cases[i].why))
            fail_msg("\"%s\" does not say \"%s\"", last_why, cases[i].why);
        assert_int_equal(strncmp(http_request, "GET /health?x=1 HTTP/1.0\r\nHost: localhost:", 42), 0);
    }
    loop_remove(&loop, &on_peer);
    (void)close(fd);
}

static void no_answer_is_a_failure(void **state) {
    struct probe_policy p = {.kind = PROBE_HTTP, .path = "/"};
    (void)state;
    int fd = listen_somewhere(&p.port); /* the kernel takes the connection, and nobody reads */
    probe(&p, 30);
    assert_false(last_ok);
    assert_string_equal(last_why, "no answer in time");
    (void)close(fd);
}

/* --- commands --- */

static const char *command[] = {"check"};
static const struct probe_policy exec_policy = {.kind = PROBE_EXEC};

#define COMMAND_PID 77

static void begin_exec(uint64_t timeout_ms) {
    s.policy.health.exec = (struct strings){command, 1};
    s.health.now = HEALTH_HEALTHY;
    killed_with_children = 0;
    probe_start(&s, &exec_policy, timeout_ms);
    assert_string_equal(spec_seen, "{\"args\":[\"check\"]}");
    answer(GRPC_OK, 0);
    answer(GRPC_OK, COMMAND_PID);
    assert_string_equal(calls, "ASW");
}

static void a_commands_status_counts(void **state) {
    (void)state;
    begin_exec(5000);
    answer(GRPC_OK, 0);
    assert_true(last_ok);
    assert_string_equal(calls, "ASWD");
    calls[0] = '\0';
    begin_exec(5000);
    answer(GRPC_OK, 3);
    assert_false(last_ok);
    assert_string_equal(last_why, "the command exited with status 3");
    assert_int_equal(results, 2);
    assert_int_equal(killed_with_children, 0);
}

static void a_command_that_takes_too_long_is_killed(void **state) {
    (void)state;
    begin_exec(20);
    assert_int_equal(loop_run(&loop), 0); /* until the kill stops it */
    assert_int_equal(killed_with_children, COMMAND_PID);
    assert_int_equal(results, 0); /* its end is waited for */
    answer(GRPC_OK, 137);
    assert_false(last_ok);
    assert_string_equal(last_why, "the command took too long");
    assert_string_equal(calls, "ASWKD");
}

static void stop_loop(struct loop_source *src, void *data) {
    (void)src;
    (void)data;
    loop_stop(&loop);
}

/* On a slow machine its time may be over before it runs: it must not be left behind. */
static void a_command_whose_start_takes_too_long_is_ended_when_it_runs(void **state) {
    struct loop_source timer = LOOP_SOURCE_INIT;
    (void)state;
    s.policy.health.exec = (struct strings){command, 1};
    s.health.now = HEALTH_HEALTHY;
    probe_start(&s, &exec_policy, 1);
    answer(GRPC_OK, 0);
    assert_int_equal(loop_set_timer(&loop, &timer, 20, stop_loop, NULL), 0);
    assert_int_equal(loop_run(&loop), 0); /* its time is over */
    assert_int_equal(results, 0);
    assert_string_equal(calls, "AS");
    answer(GRPC_OK, 0);
    assert_string_equal(calls, "ASWK");
    answer(GRPC_OK, 137);
    assert_false(last_ok);
    assert_string_equal(calls, "ASWKD");
}

static void one_that_is_left_over_is_removed(void **state) {
    (void)state;
    s.policy.ready.exec = (struct strings){command, 1};
    s.health.now = HEALTH_STARTING;
    probe_start(&s, &exec_policy, 5000);
    answer(GRPC_ALREADY_EXISTS, 0);
    assert_int_equal(results, 0); /* it has another name, and is no failure */
    assert_string_equal(calls, "AKA");
    assert_string_not_equal(last_id, previous_id);
    on_kill(kill_data, &(const struct grpc_result){.status = GRPC_NOT_FOUND, .error = ""});
    assert_string_equal(calls, "AKAD"); /* behind the kill: what runs cannot be deleted */
    assert_string_equal(removed_id, previous_id);
    for (int i = 0; i < 3; i++)
        answer(GRPC_OK, 0);
    assert_true(last_ok);
    assert_int_equal(results, 1);
}

/* As many as all the names there are do not go. */
static void what_never_goes_is_a_failure_in_the_end(void **state) {
    (void)state;
    s.policy.health.exec = (struct strings){command, 1};
    s.health.now = HEALTH_HEALTHY;
    probe_start(&s, &exec_policy, 5000);
    while (results == 0) {
        assert_non_null(pending);
        answer(GRPC_ALREADY_EXISTS, 0);
        on_kill(kill_data, &(const struct grpc_result){.status = -ECONNRESET, .error = ""});
    }
    assert_false(last_ok);
    assert_string_equal(last_why, "could not add the command: words");
}

static void kill_in_vain(void) {
    begin_exec(20);
    assert_int_equal(loop_run(&loop), 0); /* until the kill */
    assert_int_equal(loop_run(&loop), 0); /* its time is over once more */
    if (!on_ping)
        assert_int_equal(loop_run(&loop), 0);
    assert_int_equal(results, 0);
}

/* It hangs, even killed: it counts once, and the next has another name. */
static void a_command_that_does_not_go_counts_once(void **state) {
    (void)state;
    kill_in_vain();
    on_ping(ping_data, &(const struct grpc_result){.status = GRPC_OK, .error = ""}); /* so it is not containerd */
    assert_int_equal(results, 1);
    assert_string_equal(last_why, "the command took too long");
    on_kill(kill_data, &(const struct grpc_result){.status = GRPC_OK, .error = ""});
    assert_string_equal(removed_id, last_id);
    answer(GRPC_OK, 137); /* at last: nobody waits for it any more */
    calls[0] = '\0';
    begin_exec(5000);
    assert_string_not_equal(last_id, previous_id);
    answer(GRPC_OK, 0);
    assert_true(last_ok);
    assert_int_equal(results, 2);
}

static void a_frozen_containerd_says_nothing_about_the_service(void **state) {
    const struct grpc_result silent = {.status = -ETIMEDOUT, .error = "no answer in time"};
    (void)state;
    kill_in_vain();
    on_ping(ping_data, &silent);
    assert_int_equal(results, 0);
    assert_int_equal(unprobed, 1);
    on_kill(kill_data, &silent);
    answer(-ETIMEDOUT, 0);
    assert_null(s.probe);
    on_ping = NULL;
    probe_start(&s, &exec_policy, 5000); /* nor before the command was started */
    answer(-ETIMEDOUT, 0);
    assert_int_equal(results, 0);
    on_ping(ping_data, &silent);
    on_kill(kill_data, &silent);
    assert_int_equal(unprobed, 2);
    assert_int_equal(results, 0);
}

static void a_lost_containerd_says_nothing_about_the_service(void **state) {
    (void)state;
    begin_exec(5000);
    answer(-ECONNRESET, 0);
    assert_int_equal(results, 0);
    assert_null(s.probe);
}

static void an_answer_behind_the_end_is_dropped(void **state) {
    (void)state;
    begin_exec(5000);
    probe_stop(&s);
    answer(GRPC_OK, 1);
    assert_int_equal(results, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[0], LOOK_NAME) && hangs(argv[2]))
        hang(argv[2]);
    if (argc > 0 && !strcmp(argv[0], LOOK_NAME))
        return look_main(argc, argv);
    const struct CMUnitTest tests[] = {
        T(a_file_is_there_or_not),
        T(a_look_that_hangs_is_given_up),
        T(at_the_end_nobody_waits_for_a_look),
        T(a_port_is_open_or_not),
        T(a_page_is_well_or_not),
        T(no_answer_is_a_failure),
        T(a_commands_status_counts),
        T(a_command_that_takes_too_long_is_killed),
        T(a_command_whose_start_takes_too_long_is_ended_when_it_runs),
        T(one_that_is_left_over_is_removed),
        T(what_never_goes_is_a_failure_in_the_end),
        T(a_command_that_does_not_go_counts_once),
        T(a_frozen_containerd_says_nothing_about_the_service),
        T(a_lost_containerd_says_nothing_about_the_service),
        T(an_answer_behind_the_end_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
