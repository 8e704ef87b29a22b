/* SPDX-License-Identifier: Apache-2.0 */
/* What containerd sends: frames of HTTP/2, messages of gRPC, protobuf in them. Each call is answered exactly once. */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "svcd/containerd.pb-c.c" /* NOLINT(bugprone-suspicious-include): made, and only here without a rule */
#include "svcd/ctrd.h"
#include "tests/fuzz/fuzz.h"

#define CALLS 8
#define INPUT_MAX ((size_t)65536) /* what a socket takes at once */

static struct loop loop;
static unsigned answers[CALLS];
static bool lost;

static void on_lost(void *data) {
    (void)data;
    lost = true;
    loop_stop(&loop);
}

static void on_done(void *data, const struct grpc_result *r) {
    struct ctrd_process p;
    uint32_t n;

    ++*(unsigned *)data;
    FUZZ_CHECK(r->error && (r->message || r->len == 0));
    if (r->status != GRPC_OK)
        return;
    (void)ctrd_process(r, &p);
    (void)ctrd_created_pid(r, &n);
    (void)ctrd_waited_status(r, &n);
}

static void on_message(void *data, const uint8_t *message, size_t len) {
    struct ctrd_event ev;

    FUZZ_CHECK(*(unsigned *)data == 0); /* not behind its end */
    if (ctrd_event(message, len, &ev) == 0)
        FUZZ_CHECK(memchr(ev.id, '\0', sizeof(ev.id)) && memchr(ev.ns, '\0', sizeof(ev.ns)));
}

/* In the order in which the recorded streams were asked for. */
static void ask(struct grpc *g) {
    unsigned *a = answers;

    (void)ctrd_ping(g, 0, on_done, a++);
    (void)ctrd_subscribe(g, on_message, on_done, a++);
    (void)ctrd_container_create(g, "www", "{}", on_done, a++);
    (void)ctrd_container_create(g, "www", "{}", on_done, a++);
    (void)ctrd_task_get(g, "www", on_done, a++);
    (void)ctrd_task_wait(g, "nosuch", on_done, a++);
    (void)ctrd_task_create(g, "www", "", "", on_done, a++);
    (void)ctrd_container_delete(g, "www", on_done, a++);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct grpc *g = NULL;
    int fds[2];

    memset(answers, 0, sizeof(answers));
    lost = false;
    FUZZ_CHECK(loop_init(&loop) == 0);
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    FUZZ_CHECK(grpc_open(&g, &loop, fds[0], "ns", on_lost, NULL) == 0);
    ask(g);
    (void)send(fds[1], data, size < INPUT_MAX ? size : INPUT_MAX, MSG_NOSIGNAL);
    FUZZ_CHECK(shutdown(fds[1], SHUT_WR) == 0);
    FUZZ_CHECK(loop_run(&loop) == 0 && lost);
    grpc_close(g);
    for (size_t i = 0; i < CALLS; i++)
        FUZZ_CHECK(answers[i] == 1);
    (void)close(fds[1]);
    loop_fini(&loop);
    return 0;
}
