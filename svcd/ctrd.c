/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/ctrd.h"

#include <errno.h>
#include <string.h>

#include "svcd/containerd.pb-c.h"

/* The generated initialisers cast const away from their empty string. */
#pragma GCC diagnostic ignored "-Wcast-qual"

#define CALL_TIMEOUT_MS 30000
#define TASK_TIMEOUT_MS 120000 /* starts a shim and runc, on a busy machine */

#define CONTAINERS "/containerd.services.containers.v1.Containers/"
#define TASKS "/containerd.services.tasks.v1.Tasks/"
#define EVENTS "/containerd.services.events.v1.Events/"
#define PROCESS_TYPE "types.containerd.io/opencontainers/runtime-spec/1/Process"
#define SPEC_TYPE "types.containerd.io/opencontainers/runtime-spec/1/Spec"
#define RUNTIME_NAME "io.containerd.runc.v2"

static int call(struct grpc *g, const char *method, const ProtobufCMessage *request, unsigned timeout_ms,
                grpc_done_fn *done, void *data) {
    size_t len = protobuf_c_message_get_packed_size(request);
    AUTO_FREE uint8_t *packed = malloc(len + 1);

    if (!packed)
        return -ENOMEM;
    (void)protobuf_c_message_pack(request, packed);
    return grpc_call(g, method, packed, len, timeout_ms, done, data);
}

static char *text(const char *s) {
    return (char *)(uintptr_t)s; /* protobuf-c's fields are not const; packing only reads them */
}

int ctrd_ping(struct grpc *g, unsigned timeout_ms, grpc_done_fn *done, void *data) {
    Ctrd__ListContainersRequest m = CTRD__LIST_CONTAINERS_REQUEST__INIT;

    return call(g, CONTAINERS "List", &m.base, timeout_ms, done, data);
}

int ctrd_container_create(struct grpc *g, const char *id, const char *spec, grpc_done_fn *done, void *data) {
    Ctrd__CreateContainerRequest m = CTRD__CREATE_CONTAINER_REQUEST__INIT;
    Ctrd__Container container = CTRD__CONTAINER__INIT;
    Ctrd__Runtime runtime = CTRD__RUNTIME__INIT;
    Ctrd__Any any = CTRD__ANY__INIT;

    any.type_url = text(SPEC_TYPE);
    any.value.data = (uint8_t *)text(spec);
    any.value.len = strlen(spec);
    runtime.name = text(RUNTIME_NAME);
    container.id = text(id);
    container.runtime = &runtime;
    container.spec = &any;
    m.container = &container;
    return call(g, CONTAINERS "Create", &m.base, CALL_TIMEOUT_MS, done, data);
}

int ctrd_container_delete(struct grpc *g, const char *id, grpc_done_fn *done, void *data) {
    Ctrd__DeleteContainerRequest m = CTRD__DELETE_CONTAINER_REQUEST__INIT;

    m.id = text(id);
    return call(g, CONTAINERS "Delete", &m.base, CALL_TIMEOUT_MS, done, data);
}

int ctrd_task_create(struct grpc *g, const char *id, const char *stdout_path, const char *stderr_path,
                     grpc_done_fn *done, void *data) {
    Ctrd__CreateTaskRequest m = CTRD__CREATE_TASK_REQUEST__INIT;

    m.container_id = text(id);
    m.stdout = text(stdout_path);
    m.stderr = text(stderr_path);
    return call(g, TASKS "Create", &m.base, TASK_TIMEOUT_MS, done, data);
}

int ctrd_task_start(struct grpc *g, const char *id, grpc_done_fn *done, void *data) {
    Ctrd__StartRequest m = CTRD__START_REQUEST__INIT;

    m.container_id = text(id);
    return call(g, TASKS "Start", &m.base, TASK_TIMEOUT_MS, done, data);
}

int ctrd_task_get(struct grpc *g, const char *id, grpc_done_fn *done, void *data) {
    Ctrd__GetRequest m = CTRD__GET_REQUEST__INIT;

    m.container_id = text(id);
    return call(g, TASKS "Get", &m.base, CALL_TIMEOUT_MS, done, data);
}

int ctrd_task_kill(struct grpc *g, const char *id, int sig, bool all, grpc_done_fn *done, void *data) {
    Ctrd__KillRequest m = CTRD__KILL_REQUEST__INIT;

    m.container_id = text(id);
    m.signal = (uint32_t)sig;
    m.all = all;
    return call(g, TASKS "Kill", &m.base, CALL_TIMEOUT_MS, done, data);
}

int ctrd_task_delete(struct grpc *g, const char *id, grpc_done_fn *done, void *data) {
    Ctrd__DeleteTaskRequest m = CTRD__DELETE_TASK_REQUEST__INIT;

    m.container_id = text(id);
    return call(g, TASKS "Delete", &m.base, TASK_TIMEOUT_MS, done, data);
}

int ctrd_task_wait(struct grpc *g, const char *id, grpc_done_fn *done, void *data) {
    Ctrd__WaitRequest m = CTRD__WAIT_REQUEST__INIT;

    m.container_id = text(id);
    return call(g, TASKS "Wait", &m.base, 0, done, data);
}

/* --- a process beside it --- */

int ctrd_exec_add(struct grpc *g, const char *id, const char *exec_id, const char *spec, grpc_done_fn *done,
                  void *data) {
    Ctrd__ExecProcessRequest m = CTRD__EXEC_PROCESS_REQUEST__INIT;
    Ctrd__Any any = CTRD__ANY__INIT;

    any.type_url = text(PROCESS_TYPE);
    any.value.data = (uint8_t *)text(spec);
    any.value.len = strlen(spec);
    m.container_id = text(id);
    m.exec_id = text(exec_id);
    m.spec = &any;
    return call(g, TASKS "Exec", &m.base, CALL_TIMEOUT_MS, done, data);
}

int ctrd_exec_start(struct grpc *g, const char *id, const char *exec_id, grpc_done_fn *done, void *data) {
    Ctrd__StartRequest m = CTRD__START_REQUEST__INIT;

    m.container_id = text(id);
    m.exec_id = text(exec_id);
    return call(g, TASKS "Start", &m.base, TASK_TIMEOUT_MS, done, data);
}

int ctrd_exec_wait(struct grpc *g, const char *id, const char *exec_id, grpc_done_fn *done, void *data) {
    Ctrd__WaitRequest m = CTRD__WAIT_REQUEST__INIT;

    m.container_id = text(id);
    m.exec_id = text(exec_id);
    return call(g, TASKS "Wait", &m.base, 0, done, data);
}

int ctrd_exec_kill(struct grpc *g, const char *id, const char *exec_id, int sig, grpc_done_fn *done, void *data) {
    Ctrd__KillRequest m = CTRD__KILL_REQUEST__INIT;

    m.container_id = text(id);
    m.exec_id = text(exec_id);
    m.signal = (uint32_t)sig;
    return call(g, TASKS "Kill", &m.base, CALL_TIMEOUT_MS, done, data);
}

int ctrd_exec_delete(struct grpc *g, const char *id, const char *exec_id, grpc_done_fn *done, void *data) {
    Ctrd__DeleteProcessRequest m = CTRD__DELETE_PROCESS_REQUEST__INIT;

    m.container_id = text(id);
    m.exec_id = text(exec_id);
    return call(g, TASKS "DeleteProcess", &m.base, CALL_TIMEOUT_MS, done, data);
}

/* --- events --- */

static const struct {
    const char *topic;
    enum ctrd_event_kind kind;
} topics[] = {
    {"/tasks/oom", CTRD_EV_OOM},
    {"/tasks/paused", CTRD_EV_PAUSED},
    {"/tasks/resumed", CTRD_EV_RESUMED},
    {"/tasks/delete", CTRD_EV_TASK_DELETED},
    {"/containers/delete", CTRD_EV_CONTAINER_DELETED},
};

int ctrd_subscribe(struct grpc *g, grpc_message_fn *on_message, grpc_done_fn *done, void *data) {
    char filters[ARRAY_SIZE(topics)][48];
    char *list[ARRAY_SIZE(topics)];
    Ctrd__SubscribeRequest m = CTRD__SUBSCRIBE_REQUEST__INIT;
    uint8_t packed[ARRAY_SIZE(topics) * 64];

    for (size_t i = 0; i < ARRAY_SIZE(topics); i++) {
        (void)snprintf(filters[i], sizeof(filters[i]), "topic==\"%s\"", topics[i].topic);
        list[i] = filters[i];
    }
    m.n_filters = ARRAY_SIZE(topics);
    m.filters = list;
    size_t len = protobuf_c_message_get_packed_size(&m.base);
    if (len > sizeof(packed))
        return -E2BIG;
    (void)protobuf_c_message_pack(&m.base, packed);
    return grpc_stream(g, EVENTS "Subscribe", packed, len, on_message, done, data);
}

static int event_of(const Ctrd__Any *any, struct ctrd_event *out) {
    Ctrd__TaskDelete *m = ctrd__task_delete__unpack(NULL, any->value.len, any->value.data);

    if (!m)
        return -EBADMSG;
    if (strlen(m->container_id) < sizeof(out->id))
        (void)snprintf(out->id, sizeof(out->id), "%s", m->container_id);
    if (out->kind == CTRD_EV_TASK_DELETED && *m->id && strcmp(m->id, m->container_id) != 0)
        out->kind = CTRD_EV_OTHER; /* only an exec of it */
    ctrd__task_delete__free_unpacked(m, NULL);
    return 0;
}

int ctrd_event(const uint8_t *message, size_t len, struct ctrd_event *out) {
    Ctrd__Envelope *m = ctrd__envelope__unpack(NULL, len, message);
    int r = m ? 0 : -EBADMSG;

    *out = (struct ctrd_event){.kind = CTRD_EV_OTHER};
    for (size_t i = 0; m && i < ARRAY_SIZE(topics); i++)
        if (!strcmp(topics[i].topic, m->topic))
            out->kind = topics[i].kind;
    if (m && strlen(m->namespace_) < sizeof(out->ns))
        (void)snprintf(out->ns, sizeof(out->ns), "%s", m->namespace_);
    if (m && out->kind != CTRD_EV_OTHER)
        r = m->event ? event_of(m->event, out) : -EBADMSG;
    if (m)
        ctrd__envelope__free_unpacked(m, NULL);
    return r;
}

int ctrd_created_pid(const struct grpc_result *r, uint32_t *pid) {
    Ctrd__CreateTaskResponse *m = ctrd__create_task_response__unpack(NULL, r->len, r->message);

    if (!m)
        return -EBADMSG;
    *pid = m->pid;
    ctrd__create_task_response__free_unpacked(m, NULL);
    return 0;
}

int ctrd_started_pid(const struct grpc_result *r, uint32_t *pid) {
    Ctrd__StartResponse *m = ctrd__start_response__unpack(NULL, r->len, r->message);

    if (!m)
        return -EBADMSG;
    *pid = m->pid;
    ctrd__start_response__free_unpacked(m, NULL);
    return 0;
}

int ctrd_waited_status(const struct grpc_result *r, uint32_t *exit_status) {
    Ctrd__WaitResponse *m = ctrd__wait_response__unpack(NULL, r->len, r->message);

    if (!m)
        return -EBADMSG;
    *exit_status = m->exit_status;
    ctrd__wait_response__free_unpacked(m, NULL);
    return 0;
}

int ctrd_process(const struct grpc_result *r, struct ctrd_process *out) {
    Ctrd__GetResponse *m = ctrd__get_response__unpack(NULL, r->len, r->message);
    int result = -EBADMSG;

    if (m && m->process) {
        out->pid = m->process->pid;
        out->status = (enum ctrd_status)m->process->status;
        out->exit_status = m->process->exit_status;
        result = 0;
    }
    if (m)
        ctrd__get_response__free_unpacked(m, NULL);
    return result;
}
