/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/control.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/json.h"
#include "lib/log.h"
#include "svcd/process.h"
#include "svcd/status.h"
#include "svcd/svcd.h"

#define OUT_MAX ((size_t)4 << 20)

static void on_deadline(struct loop_source *s, void *data);

static void client_close(struct control_client *c) {
    loop_remove(c->control->loop, &c->source);
    loop_remove(c->control->loop, &c->deadline);
    loop_remove(c->control->loop, &c->patience);
    if (c->fd >= 0)
        (void)close(c->fd);
    buf_free(&c->in);
    buf_free(&c->out);
    *c = (struct control_client){.control = c->control, .fd = -1};
}

static void client_flush(struct control_client *c) {
    while (c->out.len > 0) {
        ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            client_close(c);
            return;
        }
        buf_consume(&c->out, (size_t)n);
    }
    bool over = c->out.len == 0 && c->closing;
    bool timeless = c->out.len > 0 && !loop_has(&c->deadline) &&
                    loop_set_timer(c->control->loop, &c->deadline, CONTROL_REQUEST_MS, on_deadline, c) < 0;
    if (over || timeless || loop_modify_fd(c->control->loop, &c->source, c->out.len ? EPOLLIN | EPOLLOUT : EPOLLIN) < 0)
        client_close(c);
}

/* Takes the reference. The last answer closes the connection once it is sent. */
static void answer(struct control_client *c, json_t *reply, const char *error) {
    bool ok = reply && json_object_set_new(reply, "done", json_true()) == 0 &&
              (!error || json_object_set_new(reply, "error", status_text(error)) == 0);
    AUTO_FREE char *line = ok ? json_dumps(reply, JSON_COMPACT) : NULL;

    json_decref(reply);
    c->wait = WAIT_NOTHING;
    c->closing = true;
    loop_remove(c->control->loop, &c->patience);
    if (!line || buf_puts(&c->out, line) < 0 || buf_puts(&c->out, "\n") < 0)
        client_close(c);
    else
        client_flush(c);
}

/* A note: what is waited for. It is not the end. */
static void tell(struct control_client *c, const char *text) {
    AUTO_JSON json_t *note = json_pack("{s:o}", "note", status_text(text));
    AUTO_FREE char *line = note ? json_dumps(note, JSON_COMPACT) : NULL;

    if (line && buf_puts(&c->out, line) == 0 && buf_puts(&c->out, "\n") == 0)
        client_flush(c);
}

static json_t *describe(const struct service *s) {
    json_int_t up = s->life == LIFE_RUNNING && s->started_ms ? (json_int_t)(s->ops->now_ms() - s->started_ms) : -1;

    return json_pack("{s:o, s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:s, s:o, s:b}", "name", status_text(s->name), "state",
                     service_state_name(s), "health", health_name(s->health.now), "health_error",
                     status_text(s->health_error), "pid", (json_int_t)s->pid, "up_ms", up, "restarts",
                     (json_int_t)s->restarts, "exit_status",
                     s->exit_known ? json_integer((json_int_t)s->exit_status) : json_null(), "last_exit",
                     s->exit_reason, "last_error", status_text(s->error), "wanted", s->record.wanted);
}

static json_t *describe_all(const struct svcd *d) {
    AUTO_JSON json_t *list = json_array();

    for (size_t i = 0; i < d->services_len; i++)
        if (json_array_append_new(list, describe(&d->services[i])) < 0)
            return NULL;
    return json_pack("{s:O, s:I}", "services", list, "lost_lines", (json_int_t)log_dropped());
}

/* --- what a client waits for --- */

static void answer_all_settled(struct control_client *c) {
    struct svcd *d = c->control->svcd;
    char error[128] = "";
    unsigned failed = 0;

    for (size_t i = 0; i < d->services_len; i++) {
        if (!d->services[i].settled)
            return;
        failed += service_trouble(&d->services[i]) != NULL;
    }
    if (failed)
        (void)snprintf(error, sizeof(error), "%u of %zu services did not start", failed, d->services_len);
    answer(c, describe_all(d), failed ? error : NULL);
}

static void answer_started(struct control_client *c, const struct service *s) {
    if (s->life != LIFE_RUNNING && s->life != LIFE_BACKOFF && !life_is_down(s->life))
        return;
    bool stopped = s->life == LIFE_DOWN && !s->record.wanted;
    answer(c, describe(s), stopped ? "it was told to stop meanwhile" : service_trouble(s));
}

static void answer_stopped(struct control_client *c, const struct service *s) {
    if (service_is_over(s) || s->record.wanted) /* wanted: it was down, and up it goes again */
        answer(c, describe(s), NULL);
}

static void answer_ended(struct control_client *c, const struct service *s) {
    if (service_is_over(s) && !s->queued)
        answer(c, describe(s), NULL);
}

static void check_wait(struct control_client *c) {
    if (c->wait == WAIT_ALL_SETTLED)
        answer_all_settled(c);
    else if (c->wait == WAIT_RUNNING)
        answer_started(c, c->service);
    else if (c->wait == WAIT_DOWN)
        answer_stopped(c, c->service);
    else if (c->wait == WAIT_END)
        answer_ended(c, c->service);
}

void control_service_changed(struct control *c, const struct service *s) {
    /* Told to stop, and it cannot be said that it is down. */
    bool lingers = s->life == LIFE_BACKOFF && !s->again && !s->record.wanted;

    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct control_client *client = &c->clients[i];
        if (client->fd >= 0 && (client->wait == WAIT_ALL_SETTLED || (client->wait && client->service == s)))
            check_wait(client);
        if (lingers && client->fd >= 0 && client->wait && client->service == s)
            tell(client, s->error);
    }
}

/* --- requests --- */

static void on_system_init(struct control_client *c, struct service *s) {
    (void)s;
    c->wait = WAIT_ALL_SETTLED;
    svcd_system_init(c->control->svcd);
    if (c->wait)
        check_wait(c);
}

/* Who asked for it has lost the svcd before this one: what is done by now is not done again. */
static void on_settle(struct control_client *c, struct service *s) {
    if (!c->control->svcd->up.begun) { /* nor was the one before asked for anything */
        on_system_init(c, s);
        return;
    }
    c->wait = WAIT_ALL_SETTLED;
    check_wait(c);
}

static void on_containerd(struct control_client *c, struct service *s) {
    (void)s;
    svcd_start_containerd(c->control->svcd);
    answer(c, json_object(), NULL);
}

static void on_ping(struct control_client *c, struct service *s) {
    (void)s;
    answer(c, json_object(), NULL);
}

static void on_list(struct control_client *c, struct service *s) {
    (void)s;
    answer(c, describe_all(c->control->svcd), NULL);
}

static void on_start(struct control_client *c, struct service *s) {
    c->wait = WAIT_RUNNING;
    c->service = s;
    service_start(s);
    if (c->wait)
        check_wait(c);
}

static void on_stop(struct control_client *c, struct service *s) {
    c->wait = WAIT_DOWN;
    c->service = s;
    service_stop(s);
    if (c->wait)
        check_wait(c);
}

/* On its way down it is neither running nor waiting; the first of these states that follows is the new life's. */
static void on_restart(struct control_client *c, struct service *s) {
    c->wait = WAIT_RUNNING;
    c->service = s;
    service_restart(s);
}

static void on_wait(struct control_client *c, struct service *s) {
    c->wait = WAIT_END;
    c->service = s;
    check_wait(c);
}

static void on_status(struct control_client *c, struct service *s) {
    AUTO_JSON json_t *reply = describe(s);
    json_t *policy = status_policy(s), *cgroup = status_cgroup(s);

    if (reply && (json_object_set_new(reply, "policy", policy) < 0 || json_object_set_new(reply, "cgroup", cgroup) < 0))
        answer(c, NULL, NULL);
    else
        answer(c, steal_ptr(&reply), NULL);
}

/* Straight to the process, whether containerd is there or not. */
static void on_kill(struct control_client *c, struct service *s) {
    char error[128] = "";
    int sig, r = 0;

    if (signal_parse(c->argument, &sig) < 0)
        (void)snprintf(error, sizeof(error), "unknown signal \"%s\"", c->argument);
    else
        r = process_signal(s, sig);
    if (r < 0)
        (void)snprintf(error, sizeof(error), "%s", r == -ESRCH ? "it is not running" : strerror(-r));
    answer(c, describe(s), *error ? error : NULL);
}

static const struct command {
    const char *cmd;
    bool named, starts;
    void (*fn)(struct control_client *c, struct service *s);
} commands[] = {
    {"system-init", false, true, on_system_init},
    {"settle", false, true, on_settle},
    {"containerd", false, true, on_containerd},
    {"ping", false, false, on_ping},
    {"list", false, false, on_list},
    {"start", true, true, on_start},
    {"stop", true, false, on_stop},
    {"restart", true, true, on_restart},
    {"status", true, false, on_status},
    {"kill", true, false, on_kill},
    {"wait", true, false, on_wait},
};

/* Who waits should know what for: containerd, or a start that has to end first. */
static void tell_why_it_takes_long(struct control_client *c) {
    const char *trouble = containerd_trouble(&c->control->svcd->containerd);
    const struct service *s = c->service;
    char text[128];

    if (*trouble) {
        tell(c, trouble);
    } else if (s && !s->record.wanted && life_is_being_made(s->life)) {
        (void)snprintf(text, sizeof(text), "its start (%s) is under way, and is given up after %llu s",
                       life_name(s->life), (unsigned long long)s->policy.stop_timeout_ms / 1000);
        tell(c, text);
    }
}

static void on_still_waiting(struct loop_source *src, void *data);

static void wait_patiently(struct control_client *c) {
    if (c->wait == WAIT_DOWN || c->wait == WAIT_RUNNING)
        (void)loop_set_timer(c->control->loop, &c->patience, c->control->patience_ms, on_still_waiting, c);
}

/* containerd answers, but what it has called may hang. */
static void on_still_waiting(struct loop_source *src, void *data) {
    struct control_client *c = data;
    const struct service *s = c->service;
    uint64_t ms = (clock_ns() - s->entered_ns) / 1000000u;
    char text[128];

    (void)src;
    wait_patiently(c);
    if ((!life_is_looking(s->life) && !life_is_being_made(s->life)) || ms < c->control->patience_ms / 2)
        return;
    (void)snprintf(text, sizeof(text), "it has been %s for %llu s, and containerd has not answered yet",
                   life_name(s->life), (unsigned long long)ms / 1000);
    tell(c, text);
}

static void perform(struct control_client *c, const struct command *command, const char *name) {
    struct service *s = name ? svcd_find(c->control->svcd, name) : NULL;
    char error[256];

    if (command->named && !s) {
        (void)snprintf(error, sizeof(error), "no service \"%.100s\" in " SERVICES_DIR, name ? name : "");
        answer(c, json_object(), error);
    } else if (command->starts && c->control->svcd->stopping) {
        answer(c, json_object(), "svcd is stopping: nothing is started any more");
    } else {
        command->fn(c, s);
        if (c->fd >= 0 && c->wait) {
            wait_patiently(c);
            tell_why_it_takes_long(c);
        }
    }
}

static void request(struct control_client *c, const char *line, size_t len) {
    AUTO_JSON json_t *doc = json_loadb(line, len, 0, NULL);
    const char *cmd = json_string_value(json_object_get(doc, "cmd"));
    const char *name = json_string_value(json_object_get(doc, "name"));
    const json_t *given = json_object_get(doc, "signal"); /* what is no name is not taken for none */
    const char *sig = given ? json_string_value(given) : "SIGKILL";
    char error[256];

    (void)snprintf(c->argument, sizeof(c->argument), "%s", sig ? sig : "");
    for (size_t i = 0; cmd && i < ARRAY_SIZE(commands); i++)
        if (!strcmp(commands[i].cmd, cmd)) {
            perform(c, &commands[i], name);
            return;
        }
    (void)snprintf(error, sizeof(error), "unknown request \"%.100s\"", cmd ? cmd : "");
    answer(c, json_object(), error);
}

static void on_client(struct loop_source *s, uint32_t events, void *data) {
    struct control_client *c = data;
    char chunk[4096];

    if (events & EPOLLOUT) {
        client_flush(c);
        return;
    }
    ssize_t n = recv(s->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || c->wait || c->closing) { /* gone, or talking out of turn */
        client_close(c);
        return;
    }
    if (buf_append(&c->in, chunk, (size_t)n) < 0) {
        client_close(c);
        return;
    }
    const char *end = memchr(c->in.data, '\n', c->in.len);
    if (end) {
        loop_remove(c->control->loop, &c->deadline);
        request(c, c->in.data, (size_t)(end - c->in.data));
    }
}

static void on_deadline(struct loop_source *s, void *data) {
    (void)s;
    client_close(data);
}

/* svcd is root; so must be who asks. */
static bool peer_is_us(int fd) {
    struct ucred cred;
    socklen_t len = sizeof(cred);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.uid == geteuid();
}

static struct control_client *free_slot(struct control *c) {
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (c->clients[i].fd < 0)
            return &c->clients[i];
    return NULL;
}

/* Without a descriptor for it, a connection would stay and wake the loop for ever: the spare one is there to take it.
 */
static void turn_away(struct control *c) {
    if (c->spare_fd >= 0)
        (void)close(c->spare_fd);
    int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        (void)close(fd);
    c->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_connection(struct loop_source *s, uint32_t events, void *data) {
    struct control *c = data;

    (void)events;
    AUTO_CLOSE int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        turn_away(c);
    if (fd < 0)
        return;
    struct control_client *client = peer_is_us(fd) ? free_slot(c) : NULL;
    if (!client)
        return; /* closed: not one of us, or too many at once */
    client->in.max = CONTROL_LINE_MAX;
    client->out.max = OUT_MAX;
    if (loop_set_timer(c->loop, &client->deadline, CONTROL_REQUEST_MS, on_deadline, client) < 0)
        return;
    if (loop_add_fd(c->loop, &client->source, fd, EPOLLIN, on_client, client) < 0) {
        loop_remove(c->loop, &client->deadline);
        return;
    }
    client->fd = steal_fd(&fd);
}

/* Held for as long as this process lives: a second supervisor must not take the socket, and the services, away. */
static int take_lock(const char *socket_path, int *lock_fd, struct err *e) {
    AUTO_FREE char *path = NULL;

    if (asprintf(&path, "%s.lock", socket_path) < 0) {
        path = NULL;
        return err_errno(e, -ENOMEM, "could not lock %s", socket_path);
    }
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(e, -errno, "could not open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? err_set(e, -EADDRINUSE, "could not listen on %s: svcd is running", socket_path)
                                    : err_errno(e, -errno, "could not lock %s", path);
    *lock_fd = steal_fd(&fd);
    return 0;
}

static int listen_on(struct control *c, struct err *e) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    if (strlen(c->path) >= sizeof(addr.sun_path))
        return err_errno(e, -ENAMETOOLONG, "could not listen on %s", c->path);
    memcpy(addr.sun_path, c->path, strlen(c->path) + 1);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlink(c->path);
    mode_t mask = umask(0177);
    int r = fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 16) < 0 ? -errno : 0;
    (void)umask(mask);
    if (!r)
        r = loop_add_fd(c->loop, &c->source, fd, EPOLLIN, on_connection, c);
    if (r < 0)
        return err_errno(e, r, "could not listen on %s", c->path);
    c->fd = steal_fd(&fd);
    return 0;
}

int control_start(struct control *c, const char *path, struct svcd *svcd, struct loop *l, struct err *e) {
    *c = (struct control){.svcd = svcd,
                          .loop = l,
                          .path = path,
                          .patience_ms = CONTROL_PATIENCE_MS,
                          .fd = -1,
                          .lock_fd = -1,
                          .spare_fd = -1};
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        c->clients[i] = (struct control_client){.control = c, .fd = -1};
    int r = take_lock(path, &c->lock_fd, e);
    if (!r)
        r = listen_on(c, e);
    if (!r && (c->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
        r = err_errno(e, -errno, "could not open /dev/null");
    if (r < 0)
        control_stop(c);
    return r;
}

void control_stop(struct control *c) {
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (c->clients[i].fd >= 0)
            client_close(&c->clients[i]);
    loop_remove(c->loop, &c->source);
    if (c->fd >= 0) {
        (void)close(c->fd);
        (void)unlink(c->path);
    }
    if (c->lock_fd >= 0)
        (void)close(c->lock_fd);
    if (c->spare_fd >= 0)
        (void)close(c->spare_fd);
    c->fd = c->lock_fd = c->spare_fd = -1;
}
