/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's messages. The numbers of their fields are in the table below as they stand in containerd's own .proto
 * files; these were compared for v1.6.20, v1.7.0, v1.7.24, v2.0.0, v2.1.9, v2.2.7, v2.3.4 and its main branch of
 * 2026-08: api/services/{tasks,containers,events}/v1, api/types/{task/task,event}.proto,
 * api/events/{task,container}.proto. What has changed between them for us is only the package of Envelope, which does
 * not go over the wire; fields that came are Container.sandbox (1.7) and CreateTaskRequest.task_api_address and
 * task_api_version (2.3), which need not be given. The streams of bytes are recorded from containerd 1.6.20 and 2.1.9,
 * as Debian has them.
 */
#include "svcd/ctrd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/fdutil.h"
#include "svcd/containerd.pb-c.h"

/* The generated initialisers cast const away from their empty string. */
#pragma GCC diagnostic ignored "-Wcast-qual"

/* The container in the list is as long as its times are. */
static const struct recording {
    const char *path;
    size_t listed;
} recordings[] = {{"tests/fuzz/corpus/grpc/containerd-1.6.20", 141}, {"tests/fuzz/corpus/grpc/containerd-2.1.9", 122}};

static void fields_have_containerds_numbers(void **state) {
    static const struct {
        const ProtobufCMessageDescriptor *message;
        const char *field;
        unsigned number;
        ProtobufCType type;
    } fields[] = {
        {&ctrd__container__descriptor, "id", 1, PROTOBUF_C_TYPE_STRING},
        {&ctrd__container__descriptor, "labels", 2, PROTOBUF_C_TYPE_MESSAGE},
        {&ctrd__container__descriptor, "runtime", 4, PROTOBUF_C_TYPE_MESSAGE},
        {&ctrd__container__descriptor, "spec", 5, PROTOBUF_C_TYPE_MESSAGE},
        {&ctrd__runtime__descriptor, "name", 1, PROTOBUF_C_TYPE_STRING},
        {&ctrd__any__descriptor, "type_url", 1, PROTOBUF_C_TYPE_STRING},
        {&ctrd__any__descriptor, "value", 2, PROTOBUF_C_TYPE_BYTES},
        {&ctrd__create_container_request__descriptor, "container", 1, PROTOBUF_C_TYPE_MESSAGE},
        {&ctrd__delete_container_request__descriptor, "id", 1, PROTOBUF_C_TYPE_STRING},
        {&ctrd__list_containers_response__descriptor, "containers", 1, PROTOBUF_C_TYPE_MESSAGE},
        {&ctrd__create_task_request__descriptor, "container_id", 1, PROTOBUF_C_TYPE_STRING},
        {&ctrd__create_task_request__descriptor, "stdin", 4, PROTOBUF_C_TYPE_STRING},
        {&ctrd__create_task_request__descriptor, "stdout", 5, PROTOBUF_C_TYPE_STRING},
        {&ctrd__create_task_request__descriptor, "stderr", 6, PROTOBUF_C_TYPE_STRING},
        {&ctrd__create_task_response__descriptor, "pid", 2, PROTOBUF_C_TYPE_UINT32},
        {&ctrd__start_request__descriptor, "container_id", 1, PROTOBUF_C_TYPE_STRING},
        {&ctrd__start_request__descriptor, "exec_id", 2, PROTOBUF_C_TYPE_STRING},
        {&ctrd__delete_task_request__descriptor, "container_id", 1, PROTOBUF_C_TYPE_STRING},
        {&ctrd__delete_process_request__descriptor, "container_id", 1, PROTOBUF_C_TYPE_STRING},
        {&ctrd__delete_process_request__descriptor, "exec_id", 2, PROTOBUF_C_TYPE_STRING},
        {&ctrd__exec_process_request__descriptor, "container_id", 1, PROTOBUF_C_TYPE_STRING},
        {&ctrd__exec_process_request__descriptor, "stdin", 2, PROTOBUF_C_TYPE_STRING},
        {&ctrd__exec_process_request__descriptor, "stdout", 3, PROTOBUF_C_TYPE_STRING},
        {&ctrd__exec_process_request__descriptor, "stderr", 4, PROTOBUF_C_TYPE_STRING},
        {&ctrd__exec_process_request__descriptor, "spec", 6, PROTOBUF_C_TYPE_MESSAGE},
        {&ctrd__exec_process_request__descriptor, "exec_id", 7, PROTOBUF_C_TYPE_STRING},
        {&ctrd__kill_request__descriptor, "container_id", 1, PROTOBUF_C_TYPE_STRING},
        {&ctrd__kill_request__descriptor, "exec_id", 2, PROTOBUF_C_TYPE_STRING},
        {&ctrd__kill_request__descriptor, "signal", 3, PROTOBUF_C_TYPE_UINT32},
        {&ctrd__kill_request__descriptor, "all", 4, PROTOBUF_C_TYPE_BOOL},
        {&ctrd__wait_request__descriptor, "container_id", 1, PROTOBUF_C_TYPE_STRING},
        {&ctrd__wait_request__descriptor, "exec_id", 2, PROTOBUF_C_TYPE_STRING},
        {&ctrd__wait_response__descriptor, "exit_status", 1, PROTOBUF_C_TYPE_UINT32},
        {&ctrd__get_request__descriptor, "container_id", 1, PROTOBUF_C_TYPE_STRING},
        {&ctrd__get_response__descriptor, "process", 1, PROTOBUF_C_TYPE_MESSAGE},
        {&ctrd__process__descriptor, "pid", 3, PROTOBUF_C_TYPE_UINT32},
        {&ctrd__process__descriptor, "status", 4, PROTOBUF_C_TYPE_UINT32}, /* an enum: the same on the wire */
        {&ctrd__process__descriptor, "exit_status", 9, PROTOBUF_C_TYPE_UINT32},
        {&ctrd__subscribe_request__descriptor, "filters", 1, PROTOBUF_C_TYPE_STRING},
        {&ctrd__envelope__descriptor, "namespace", 2, PROTOBUF_C_TYPE_STRING},
        {&ctrd__envelope__descriptor, "topic", 3, PROTOBUF_C_TYPE_STRING},
        {&ctrd__envelope__descriptor, "event", 4, PROTOBUF_C_TYPE_MESSAGE},
        {&ctrd__task_delete__descriptor, "container_id", 1, PROTOBUF_C_TYPE_STRING},
        {&ctrd__task_delete__descriptor, "id", 5, PROTOBUF_C_TYPE_STRING},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        const ProtobufCFieldDescriptor *f =
            protobuf_c_message_descriptor_get_field_by_name(fields[i].message, fields[i].field);
        if (!f || f->id != fields[i].number || f->type != fields[i].type)
            fail_msg("%s.%s", fields[i].message->name, fields[i].field);
    }
}

/* --- the recorded stream --- */

enum { PING, SUBSCRIBE, CREATE, AGAIN, GET, TASK, LIST, DELETE, CALLS };

static struct loop loop;
static struct {
    int times, status;
    size_t len;
    char error[128];
} answers[CALLS];
static struct ctrd_event events[4];
static size_t events_len;

static void on_lost(void *data) {
    (void)data;
    loop_stop(&loop);
}

static void stop_loop(struct loop_source *s, void *data) {
    (void)s;
    (void)data;
    loop_stop(&loop);
}

static void on_done(void *data, const struct grpc_result *r) {
    size_t i = (size_t)(uintptr_t)data;

    answers[i].times++;
    answers[i].status = r->status;
    answers[i].len = r->len;
    (void)snprintf(answers[i].error, sizeof(answers[i].error), "%s", r->error);
}

static void on_message(void *data, const uint8_t *message, size_t len) {
    (void)data;
    assert_true(events_len < ARRAY_SIZE(events));
    assert_int_equal(ctrd_event(message, len, &events[events_len++]), 0);
}

static void ask(struct grpc *g) {
    assert_int_equal(ctrd_ping(g, 0, on_done, (void *)PING), 0);
    assert_int_equal(ctrd_subscribe(g, on_message, on_done, (void *)SUBSCRIBE), 0);
    assert_int_equal(ctrd_container_create(g, "www", "{}", on_done, (void *)CREATE), 0);
    assert_int_equal(ctrd_container_create(g, "www", "{}", on_done, (void *)AGAIN), 0);
    assert_int_equal(ctrd_task_get(g, "www", on_done, (void *)GET), 0);
    assert_int_equal(ctrd_task_create(g, "nosuch", "", "", on_done, (void *)TASK), 0);
    assert_int_equal(ctrd_ping(g, 0, on_done, (void *)LIST), 0);
    assert_int_equal(ctrd_container_delete(g, "www", on_done, (void *)DELETE), 0);
}

/* Hands the recorded bytes over, `piece` at a time, and then hangs up. */
static void replay(const char *path, size_t piece) {
    AUTO_BUF struct buf bytes = BUF_INIT;
    struct grpc *g = NULL;
    struct err e = {0};
    int fds[2];

    memset(answers, 0, sizeof(answers));
    events_len = 0;
    if (read_file(path, 65536, &bytes, &e) < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(grpc_open(&g, &loop, fds[0], "services.linuxkit", on_lost, NULL), 0);
    ask(g);
    for (size_t done = 0; done < bytes.len; done += piece) {
        size_t n = bytes.len - done < piece ? bytes.len - done : piece;
        struct loop_source timer = LOOP_SOURCE_INIT;
        assert_int_equal(write_full(fds[1], bytes.data + done, n), 0);
        assert_int_equal(loop_set_timer(&loop, &timer, 1, stop_loop, NULL), 0);
        assert_int_equal(loop_run(&loop), 0); /* each piece is read before the next one comes */
    }
    assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
    assert_int_equal(loop_run(&loop), 0);
    grpc_close(g);
    (void)close(fds[1]);
    loop_fini(&loop);
}

static void is_understood(const struct recording *r, size_t piece) {
    replay(r->path, piece);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(answers[i].times, 1);
    assert_int_equal(answers[PING].status, GRPC_OK);
    assert_int_equal(answers[PING].len, 0);
    assert_int_equal(answers[CREATE].status, GRPC_OK);
    assert_int_equal(answers[AGAIN].status, GRPC_ALREADY_EXISTS);
    assert_string_equal(answers[AGAIN].error, "container \"www\": already exists");
    assert_int_equal(answers[GET].status, GRPC_NOT_FOUND);
    assert_string_equal(answers[GET].error, "task www not found");
    assert_int_equal(answers[TASK].status, GRPC_NOT_FOUND);
    assert_int_equal(answers[LIST].len, r->listed);
    assert_int_equal(answers[DELETE].status, GRPC_OK);
    assert_int_equal(answers[SUBSCRIBE].status, -ECONNRESET); /* it had no end */
    assert_int_equal(events_len, 1);
    assert_int_equal(events[0].kind, CTRD_EV_CONTAINER_DELETED);
    assert_string_equal(events[0].ns, "services.linuxkit");
    assert_string_equal(events[0].id, "www");
}

static void what_containerd_sent_is_understood(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(recordings); i++)
        for (size_t piece = 5; piece <= 5120; piece *= 32)
            is_understood(&recordings[i], piece);
}

/* --- messages by hand --- */

static void unknown_fields_are_skipped(void **state) {
    /* GetResponse{1: Process{1: "www", 3: 77, 4: 2, 10: {1: 5}, 99: "new"}, 7: 1} */
    static const uint8_t message[] = "\x0a\x13\x0a\x03www\x18\x4d\x20\x02\x52\x02\x08\x05\x9a\x06\x03new\x38\x01";
    const struct grpc_result r = {.status = GRPC_OK, .error = "", .message = message, .len = sizeof(message) - 1};
    struct ctrd_process p = {0};
    (void)state;
    assert_int_equal(ctrd_process(&r, &p), 0);
    assert_int_equal(p.pid, 77);
    assert_int_equal(p.status, CTRD_RUNNING);
    assert_int_equal(p.exit_status, 0);
}

static void a_started_command_has_a_pid(void **state) {
    const struct grpc_result r = {.status = GRPC_OK, .error = "", .message = (const uint8_t *)"\x08\x4d", .len = 2};
    uint32_t pid = 0;
    (void)state;
    assert_int_equal(ctrd_started_pid(&r, &pid), 0);
    assert_int_equal(pid, 77);
    const struct grpc_result cut = {.status = GRPC_OK, .error = "", .message = r.message, .len = 1};
    assert_int_equal(ctrd_started_pid(&cut, &pid), -EBADMSG);
}

static void what_is_cut_off_is_no_message(void **state) {
    static const uint8_t message[] = "\x0a\x05\x0a\x03www";
    struct ctrd_process p;
    (void)state;
    for (size_t len = 0; len < sizeof(message) - 2; len++) {
        const struct grpc_result r = {.status = GRPC_OK, .error = "", .message = message, .len = len};
        assert_int_equal(ctrd_process(&r, &p), -EBADMSG);
    }
}

static struct ctrd_event event_from(const char *topic, const char *id, const char *process) {
    Ctrd__TaskDelete m = CTRD__TASK_DELETE__INIT;
    Ctrd__Any any = CTRD__ANY__INIT;
    Ctrd__Envelope envelope = CTRD__ENVELOPE__INIT;
    uint8_t value[512], packed[1024];
    struct ctrd_event ev;

    m.container_id = (char *)(uintptr_t)id;
    m.id = (char *)(uintptr_t)process;
    any.value = (ProtobufCBinaryData){ctrd__task_delete__pack(&m, value), value};
    envelope.topic = (char *)(uintptr_t)topic;
    envelope.event = &any;
    assert_int_equal(ctrd_event(packed, ctrd__envelope__pack(&envelope, packed), &ev), 0);
    return ev;
}

static void events_are_told_apart(void **state) {
    char long_id[200];
    (void)state;
    memset(long_id, 'x', sizeof(long_id));
    long_id[sizeof(long_id) - 1] = '\0';
    assert_int_equal(event_from("/tasks/oom", "www", "").kind, CTRD_EV_OOM);
    assert_int_equal(event_from("/tasks/paused", "www", "").kind, CTRD_EV_PAUSED);
    assert_int_equal(event_from("/tasks/resumed", "www", "").kind, CTRD_EV_RESUMED);
    assert_int_equal(event_from("/tasks/delete", "www", "www").kind, CTRD_EV_TASK_DELETED);
    assert_int_equal(event_from("/tasks/delete", "www", "keelson-probe").kind, CTRD_EV_OTHER); /* only an exec */
    assert_int_equal(event_from("/tasks/exit", "www", "").kind, CTRD_EV_OTHER);
    assert_string_equal(event_from("/tasks/oom", "www", "").id, "www");
    assert_string_equal(event_from("/tasks/oom", long_id, "").id, ""); /* no service of ours */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_have_containerds_numbers), cmocka_unit_test(what_containerd_sent_is_understood),
        cmocka_unit_test(unknown_fields_are_skipped),      cmocka_unit_test(a_started_command_has_a_pid),
        cmocka_unit_test(what_is_cut_off_is_no_message),   cmocka_unit_test(events_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
