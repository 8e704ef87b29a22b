/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/ctrd.h"

#include <errno.h>
#include <string.h>

#include "svcd/containerd.pb-c.h"

/* The generated initialisers cast const away from their empty string. */
#pragma GCC diagnostic ignored "-Wcast-qual"

#define CALL_TIMEOUT_MS 10000
#define TASK_TIMEOUT_MS 60000 /* starts a shim and runc, on a busy machine */

#define CONTAINERS "/containerd.services.containers.v1.Containers/"
#define TASKS "/containerd.services.tasks.v1.Tasks/"
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

int ctrd_created_pid(const struct grpc_result *r, uint32_t *pid) {
    Ctrd__CreateTaskResponse *m = ctrd__create_task_response__unpack(NULL, r->len, r->message);

    if (!m)
        return -EBADMSG;
    *pid = m->pid;
    ctrd__create_task_response__free_unpacked(m, NULL);
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
