/* SPDX-License-Identifier: Apache-2.0 */
/* containerd's calls that svcd makes, packed and unpacked. Each returns 0 or a negative errno; done as in grpc.h. */
#ifndef SVCD_CTRD_H
#define SVCD_CTRD_H

#include <stdbool.h>

#include "svcd/grpc.h"

enum ctrd_status { CTRD_CREATED = 1, CTRD_RUNNING = 2, CTRD_STOPPED = 3, CTRD_PAUSED = 4, CTRD_PAUSING = 5 };

struct ctrd_process {
    uint32_t pid;
    enum ctrd_status status;
    uint32_t exit_status; /* 128 + the signal's number if one ended it */
};

/* Answers as soon as containerd serves. */
int ctrd_ping(struct grpc *g, unsigned timeout_ms, grpc_done_fn *done, void *data);

/* `spec` is the OCI config.json. */
int ctrd_container_create(struct grpc *g, const char *id, const char *spec, grpc_done_fn *done, void *data);
int ctrd_container_delete(struct grpc *g, const char *id, grpc_done_fn *done, void *data);

/* stdout_path and stderr_path are files that exist. */
int ctrd_task_create(struct grpc *g, const char *id, const char *stdout_path, const char *stderr_path,
                     grpc_done_fn *done, void *data);
int ctrd_task_start(struct grpc *g, const char *id, grpc_done_fn *done, void *data);
int ctrd_task_get(struct grpc *g, const char *id, grpc_done_fn *done, void *data);
int ctrd_task_kill(struct grpc *g, const char *id, int sig, bool all, grpc_done_fn *done, void *data);
int ctrd_task_delete(struct grpc *g, const char *id, grpc_done_fn *done, void *data);
int ctrd_task_wait(struct grpc *g, const char *id, grpc_done_fn *done, void *data); /* no deadline */

/*
 * A process beside a container's own; spec is the JSON of an OCI process, its output goes nowhere. The other calls for
 * it are those of a task with its exec_id.
 */
int ctrd_exec_add(struct grpc *g, const char *id, const char *exec_id, const char *spec, grpc_done_fn *done,
                  void *data);
int ctrd_exec_start(struct grpc *g, const char *id, const char *exec_id, grpc_done_fn *done, void *data);
int ctrd_exec_wait(struct grpc *g, const char *id, const char *exec_id, grpc_done_fn *done, void *data);
int ctrd_exec_kill(struct grpc *g, const char *id, const char *exec_id, int sig, grpc_done_fn *done, void *data);
int ctrd_exec_delete(struct grpc *g, const char *id, const char *exec_id, grpc_done_fn *done, void *data);

/* What happens to containers, whoever does it; on_message gets what ctrd_event() reads. */
int ctrd_subscribe(struct grpc *g, grpc_message_fn *on_message, grpc_done_fn *done, void *data);

enum ctrd_event_kind {
    CTRD_EV_OTHER,
    CTRD_EV_OOM,
    CTRD_EV_PAUSED,
    CTRD_EV_RESUMED,
    CTRD_EV_TASK_DELETED,
    CTRD_EV_CONTAINER_DELETED
};

struct ctrd_event {
    enum ctrd_event_kind kind;
    char ns[64], id[128]; /* "": not of a container, or too long to be one of ours */
};

/* -EBADMSG: not such a message. */
int ctrd_event(const uint8_t *message, size_t len, struct ctrd_event *out);

/* Replies. -EBADMSG: not such a message. */
int ctrd_created_pid(const struct grpc_result *r, uint32_t *pid);
int ctrd_started_pid(const struct grpc_result *r, uint32_t *pid);
int ctrd_waited_status(const struct grpc_result *r, uint32_t *exit_status);
int ctrd_process(const struct grpc_result *r, struct ctrd_process *out);

#endif
