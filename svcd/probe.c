/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "svcd/ctrd.h"
#include "svcd/look.h"
#include "svcd/process.h"
#include "svcd/spec.h"

#define STATUS_LINE_MAX 64
#define TOO_LONG "the command took too long"
#define KILL_MS 5000 /* a command that was killed */
#define SIGN_MS 5000 /* for containerd to show that it is not what hangs */
#define PROBE_ID_MAX 24
#define PROBE_IDS 8 /* commands of one service that may be on their way out */

enum exec_step { EXEC_ADD, EXEC_START, EXEC_WAIT };

struct probe {
    struct service *s;
    enum probe_kind kind;
    const char *path;
    uint16_t port;
    int fd;
    bool asked; /* HTTP: the request is sent */
    char line[STATUS_LINE_MAX];
    size_t line_len;
    enum exec_step step;
    uint32_t pid;                 /* of the command; 0: not known */
    bool late;                    /* the command was killed: it took too long */
    char why[SERVICE_REASON_MAX]; /* it failed, if containerd is not to blame */
    char id[PROBE_ID_MAX];
    unsigned tried; /* names that were taken */
    struct loop_source source, deadline;
};

/* A call for a command: the answer may come when the probe, or its service, has gone on. */
struct exec_ticket {
    struct service *s;
    unsigned serial;
};

static struct exec_ticket *ticket_new(const struct probe *p) {
    struct exec_ticket *t = malloc(sizeof(*t));

    if (t)
        *t = (struct exec_ticket){p->s, p->s->probe_serial};
    return t;
}

/* Frees the ticket. NULL: the probe is over. */
static struct probe *take_ticket(struct exec_ticket *t) {
    struct probe *p = t->s->probe && t->s->probe_serial == t->serial ? t->s->probe : NULL;

    free(t);
    return p;
}

void probe_stop(struct service *s) {
    struct probe *p = s->probe;

    if (!p)
        return;
    loop_remove(s->loop, &p->source);
    loop_remove(s->loop, &p->deadline);
    if (p->fd >= 0)
        (void)close(p->fd);
    if (p->kind == PROBE_FILE)
        look_cancel(s);
    free(p);
    s->probe = NULL;
    s->probe_serial++;
}

/* Frees p. */
static void conclude(struct probe *p, bool ok, const char *why) {
    struct service *s = p->s;
    char text[SERVICE_REASON_MAX];

    (void)snprintf(text, sizeof(text), "%s", ok ? "" : why);
    probe_stop(s);
    service_probed(s, ok, text);
}

/* --- file --- */

static void on_looked(struct service *s, int code) {
    struct probe *p = s->probe;
    char why[SERVICE_REASON_MAX];

    (void)snprintf(why, sizeof(why), "%.80s: %s", p->path, strerror(-code));
    conclude(p, code == 0, why);
}

static void look_for_file(struct probe *p) {
    int r = look_start(p->s, p->path, on_looked);

    if (r < 0)
        on_looked(p->s, r);
}

/* --- tcp and http --- */

/* A socket belongs to the namespace that it was made in, wherever its maker goes then. */
static int socket_in(uint32_t pid) {
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
    AUTO_CLOSE int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    AUTO_CLOSE int theirs = open(path, O_RDONLY | O_CLOEXEC);
    if (own < 0 || theirs < 0)
        return -errno;
    bool away = !is_same_file(own, theirs);
    if (away && setns(theirs, CLONE_NEWNET) < 0)
        return -errno;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = fd < 0 ? -errno : fd;
    if (away && setns(own, CLONE_NEWNET) < 0)
        log_error("could not come back from the network namespace of pid %u: %s", pid, strerror(errno));
    return r;
}

static void fail_connect(struct probe *p, int code) {
    char why[SERVICE_REASON_MAX];

    (void)snprintf(why, sizeof(why), "port %u: %s", p->port, strerror(code));
    conclude(p, false, why);
}

static int send_request(const struct probe *p) {
    AUTO_FREE char *request = NULL;

    int len =
        asprintf(&request, "GET %s HTTP/1.0\r\nHost: localhost:%u\r\nUser-Agent: keelson\r\n\r\n", p->path, p->port);
    if (len < 0) {
        request = NULL;
        return -ENOMEM;
    }
    ssize_t n = send(p->fd, request, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n == len ? 0 : n < 0 ? -errno : -EMSGSIZE; /* a new connection takes some KiB at once */
}

/* "HTTP/1.1 200 OK": 2xx and 3xx are good. */
static void judge(struct probe *p) {
    char why[SERVICE_REASON_MAX];

    p->line[p->line_len] = '\0';
    p->line[strcspn(p->line, "\r\n")] = '\0';
    const char *code = strncmp(p->line, "HTTP/", 5) == 0 ? strchr(p->line, ' ') : NULL;
    (void)snprintf(why, sizeof(why), "port %u answers \"%.60s\"", p->port, p->line);
    conclude(p, code && (code[1] == '2' || code[1] == '3'), why);
}

static void read_answer(struct probe *p) {
    ssize_t n = recv(p->fd, p->line + p->line_len, sizeof(p->line) - 1 - p->line_len, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        fail_connect(p, errno);
        return;
    }
    p->line_len += (size_t)n;
    if (n == 0 || p->line_len == sizeof(p->line) - 1 || memchr(p->line, '\n', p->line_len))
        judge(p);
}

static void on_connected(struct probe *p) {
    int code = 0;
    socklen_t len = sizeof(code);

    if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
        code = errno;
    if (code) {
        fail_connect(p, code);
        return;
    }
    if (p->kind == PROBE_TCP) {
        conclude(p, true, "");
        return;
    }
    p->asked = true;
    int r = send_request(p);
    if (!r)
        r = loop_modify_fd(p->s->loop, &p->source, EPOLLIN);
    if (r < 0)
        fail_connect(p, -r);
}

static void on_socket(struct loop_source *src, uint32_t events, void *data) {
    struct probe *p = data;

    (void)src;
    (void)events;
    if (p->asked)
        read_answer(p);
    else
        on_connected(p);
}

static void connect_to(struct probe *p) {
    const struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(p->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    p->fd = socket_in(p->s->pid);
    int r = p->fd < 0 ? p->fd : 0;
    if (!r && connect(p->fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != EINPROGRESS)
        r = -errno;
    if (!r)
        r = loop_add_fd(p->s->loop, &p->source, p->fd, EPOLLOUT, on_socket, p);
    if (r < 0)
        fail_connect(p, -r);
}

/* --- exec --- */

static void exec_go(struct probe *p, enum exec_step step);

static const char *const step_names[] = {[EXEC_ADD] = "add", [EXEC_START] = "start", [EXEC_WAIT] = "wait for"};

/* Nobody waits for this one: what it says changes nothing. */
static void ignore(void *data, const struct grpc_result *r) {
    (void)data;
    (void)r;
}

/* One that is to go, whatever becomes of the probe. */
struct removal {
    struct service *s;
    char id[PROBE_ID_MAX];
};

/* A process that runs cannot be deleted: first the kill, whatever comes of it. */
static void on_killed(void *data, const struct grpc_result *r) {
    struct removal *rm = data;

    if (r->status != -ECONNRESET && *rm->s->connection)
        (void)ctrd_exec_delete(service_grpc(rm->s), rm->s->name, rm->id, ignore, NULL);
    free(rm);
}

static void exec_remove(const struct probe *p) {
    struct service *s = p->s;
    struct removal *rm = *s->connection ? malloc(sizeof(*rm)) : NULL;

    if (!rm)
        return;
    rm->s = s;
    memcpy(rm->id, p->id, sizeof(rm->id));
    if (ctrd_exec_kill(service_grpc(s), s->name, rm->id, SIGKILL, on_killed, rm) < 0)
        free(rm);
}

/* One that takes too long to go, or that an earlier svcd has left, is not in the way of the next. */
static void take_next_id(struct probe *p) {
    (void)snprintf(p->id, sizeof(p->id), PROBE_EXEC_ID "-%u", p->s->probe_id++ % PROBE_IDS);
}

/* Nobody has answered in time. If containerd does, it was the service's shim, or what hangs in the service. */
static void on_sign(void *data, const struct grpc_result *r) {
    struct probe *p = take_ticket(data);

    if (!p)
        return;
    if (r->status == GRPC_OK) {
        conclude(p, false, p->why);
        return;
    }
    struct service *s = p->s;
    probe_stop(s);
    if (r->status != -ECONNRESET)
        service_unprobed(s);
}

static void blame(struct probe *p, const char *why) {
    struct exec_ticket *t = ticket_new(p);

    loop_remove(p->s->loop, &p->deadline);
    (void)snprintf(p->why, sizeof(p->why), "%s", why);
    if (t && *p->s->connection && ctrd_ping(service_grpc(p->s), SIGN_MS, on_sign, t) == 0)
        return;
    free(t);
    conclude(p, false, why);
}

static void on_deadline(struct loop_source *src, void *data);

/* Past its time, and started: its end comes through the wait. */
static void exec_kill(struct probe *p) {
    process_kill_led_by(p->s, (pid_t)p->pid); /* the runtime kills the command alone, and not what it has started */
    (void)ctrd_exec_kill(service_grpc(p->s), p->s->name, p->id, SIGKILL, ignore, NULL);
    (void)loop_set_timer(p->s->loop, &p->deadline, KILL_MS, on_deadline, p); /* else the task's end ends it */
}

static void exec_ended(struct probe *p, const struct grpc_result *r) {
    char why[SERVICE_REASON_MAX];
    uint32_t status = 0;
    bool known = ctrd_waited_status(r, &status) == 0;

    if (p->late)
        (void)snprintf(why, sizeof(why), TOO_LONG);
    else
        (void)snprintf(why, sizeof(why), "the command exited with status %u", status);
    (void)ctrd_exec_delete(service_grpc(p->s), p->s->name, p->id, ignore, NULL);
    conclude(p, known && status == 0 && !p->late, why);
}

static void on_step(void *data, const struct grpc_result *r) {
    struct probe *p = take_ticket(data);
    char why[SERVICE_REASON_MAX];

    if (!p)
        return;
    struct service *s = p->s;
    if (r->status == GRPC_OK && p->step == EXEC_WAIT) {
        exec_ended(p, r);
    } else if (r->status == GRPC_OK && p->step == EXEC_ADD && p->late) {
        (void)ctrd_exec_delete(service_grpc(s), s->name, p->id, ignore, NULL);
        conclude(p, false, TOO_LONG);
    } else if (r->status == GRPC_OK) {
        if (p->step == EXEC_START)
            (void)ctrd_started_pid(r, &p->pid);
        exec_go(p, p->step + 1);
    } else if (r->status == -ECONNRESET) {
        probe_stop(s); /* containerd is gone: that says nothing about the service */
    } else if (r->status == GRPC_ALREADY_EXISTS && ++p->tried < PROBE_IDS) {
        exec_remove(p);
        take_next_id(p);
        exec_go(p, EXEC_ADD);
    } else {
        (void)snprintf(why, sizeof(why), "could not %s the command: %.80s", step_names[p->step], r->error);
        exec_remove(p);
        if (r->status == -ETIMEDOUT)
            blame(p, why);
        else
            conclude(p, false, why);
    }
}

static int exec_call(const struct probe *p, struct exec_ticket *t) {
    struct service *s = p->s;
    struct grpc *g = service_grpc(s);
    AUTO_FREE char *spec = NULL;

    if (p->step == EXEC_START)
        return ctrd_exec_start(g, s->name, p->id, on_step, t);
    if (p->step == EXEC_WAIT)
        return ctrd_exec_wait(g, s->name, p->id, on_step, t);
    const struct strings *command = s->health.now == HEALTH_STARTING ? &s->policy.ready.exec : &s->policy.health.exec;
    int r = spec_process(s->bundle, command->v, command->len, &spec, NULL);
    return r < 0 ? r : ctrd_exec_add(g, s->name, p->id, spec, on_step, t);
}

static void exec_go(struct probe *p, enum exec_step step) {
    struct exec_ticket *t = ticket_new(p);

    p->step = step;
    int r = !t ? -ENOMEM : !*p->s->connection ? -ECONNRESET : exec_call(p, t);
    if (r == 0 && step == EXEC_WAIT && p->late)
        exec_kill(p);
    if (r == 0)
        return;
    free(t);
    if (r == -ECONNRESET)
        probe_stop(p->s);
    else
        conclude(p, false, strerror(-r));
}

/* --- all of them --- */

/* A command whose start takes long is not left behind: it is ended when it has begun. Each call has its own end. */
static void on_deadline(struct loop_source *src, void *data) {
    struct probe *p = data;
    bool twice = p->late;

    (void)src;
    p->late = true;
    if (p->kind != PROBE_EXEC) {
        conclude(p, false, "no answer in time");
    } else if (twice) {
        exec_remove(p);
        blame(p, TOO_LONG);
    } else if (p->step == EXEC_WAIT && *p->s->connection) {
        exec_kill(p);
    }
}

void probe_start(struct service *s, const struct probe_policy *policy, uint64_t timeout_ms) {
    probe_stop(s);
    struct probe *p = calloc(1, sizeof(*p));
    if (!p) {
        service_probed(s, false, "out of memory");
        return;
    }
    *p = (struct probe){.s = s, .kind = policy->kind, .path = policy->path, .port = policy->port, .fd = -1};
    s->probe = p;
    take_next_id(p);
    if (loop_set_timer(s->loop, &p->deadline, timeout_ms, on_deadline, p) < 0)
        conclude(p, false, "no timer is left");
    else if (p->kind == PROBE_FILE)
        look_for_file(p);
    else if (p->kind == PROBE_EXEC)
        exec_go(p, EXEC_ADD);
    else
        connect_to(p);
}
