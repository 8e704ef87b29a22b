/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/service_main.h"

#include <errno.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/spawn.h"
#include "lib/timeline.h"
#include "svcd/attributes.h"
#include "svcd/beside.h"
#include "svcd/boot_table.h"
#include "svcd/client.h"
#include "svcd/direct.h"
#include "svcd/logs.h"
#include "svcd/onboot.h"
#include "svcd/options.h"
#include "svcd/show.h"
#include "svcd/spec.h"
#include "svcd/svcd.h"
#include "svcd/volumes.h"

#define CONNECT_WAIT_MS 5000
#define BESIDE_SIGN_MS 1000
#define SVCD_DEATHS_MAX 10 /* while the services start; it is started anew after ever longer pauses */
#define SVCD "/usr/bin/svcd"
#define INIT "/init"
#define EXIT_MISUSE 100
#define STATUS_LINES 10 /* of each of the two outputs */

static const char usage[] = "usage: service [-q|-v] [--containerd-namespace NS] COMMAND\n"
                            "  list [--json]          every service and its state\n"
                            "  status NAME [--json]   all about one, and the last it has written\n"
                            "  start|stop|restart [--sock S] [--path P] [--dump-spec FILE] NAME\n"
                            "  kill NAME [SIGNAL]     send its first process a signal (SIGKILL)\n"
                            "  wait NAME              until it is down; 1 if its end was no good one\n"
                            "  logs NAME [-f]         what it has written; -f: and what it writes\n"
                            "  boot [--json|--svg]    what the boot spent its time on\n"
                            "  system-init            start containerd and all services\n"
                            "  attributes, onboot, onshutdown, volumes   what /etc/init.d and /etc/shutdown.d call\n";

static int print(const struct buf *text) {
    return text->data && write_full(STDOUT_FILENO, text->data, text->len) < 0 ? 1 : 0;
}

static int print_json(const json_t *doc) {
    AUTO_FREE char *text = json_dumps(doc, JSON_INDENT(2));

    return !text || puts(text) < 0;
}

static int cmd_attributes(const struct options *o) {
    struct err e = {0};

    (void)o;
    if (attributes_open_root(&e) < 0)
        log_error("%s", e.msg);
    return attributes_set("/") > 0;
}

static int cmd_volumes(const struct options *o) {
    return volumes_mount(o->path ? o->path : VOLUMES_DIR) > 0;
}

static int run_oneshots(const struct oneshot_dir *d) {
    struct cmdline c;
    int r = cmdline_read(&c, NULL);

    if (r < 0)
        log_warning("could not read the kernel command line: %s", strerror(-r));
    return oneshot_run(d, &oneshot_system, &c) > 0;
}

static int cmd_onshutdown(const struct options *o) {
    (void)o;
    return run_oneshots(&oneshot_onshutdown);
}

static void note(const char *text) {
    log_notice("svcd waits: %s", text);
}

/* At the boot containerd is always about to start. */
static void note_quietly(const char *text) {
    log_debug("svcd waits: %s", text);
}

/* keelson's PID 1 starts svcd again whenever it ends. */
static bool is_supervised(void) {
    char exe[sizeof(INIT) + 1];
    ssize_t n = readlink("/proc/1/exe", exe, sizeof(exe));

    /* " (deleted)" may follow: behind a root that was exchanged */
    return n >= (ssize_t)strlen(INIT) && !memcmp(exe, INIT, strlen(INIT)) &&
           (n == (ssize_t)strlen(INIT) || exe[strlen(INIT)] == ' ');
}

static bool svcd_is_there(void) {
    return access(CONTROL_SOCKET, F_OK) == 0 && (is_supervised() || client_is_served(CONTROL_SOCKET));
}

/* It is ready sooner then. svcd that does not answer is no reason for the one-shots to wait. */
static void start_containerd_beside(void) {
    const struct client_ask ask = {.cmd = "containerd", .sign_ms = BESIDE_SIGN_MS};
    AUTO_JSON json_t *reply = NULL;
    struct err e = {0};
    int r = beside_check(&beside_places, &e);

    if (!r)
        r = client_request(CONTROL_SOCKET, &ask, &reply, &e);
    if (r < 0)
        log_debug("containerd starts behind the one-shots: %s", e.msg);
}

static int cmd_onboot(const struct options *o) {
    (void)o;
    if (svcd_is_there())
        start_containerd_beside();
    return run_oneshots(&oneshot_onboot);
}

/* Under another init nobody has started the supervisor. */
static int start_svcd(struct err *e) {
    struct spawn s = SPAWN_INIT;
    pid_t pid;

    s.argv = (const char *const[]){SVCD, NULL};
    s.setsid = true;
    return spawn(&s, &pid, NULL, e);
}

/* svcd may die in between; init starts the next one, which goes on. */
static int request_start(json_t **reply, struct err *e) {
    struct client_ask ask = {.cmd = "system-init", .wait_ms = CONNECT_WAIT_MS, .note = note_quietly};
    int r = client_request(CONTROL_SOCKET, &ask, reply, e);

    ask.cmd = "settle";
    for (unsigned i = 0; i < SVCD_DEATHS_MAX && r == -ECONNRESET; i++) {
        if (i == 0)
            log_warning("%s; asking again", e->msg);
        r = client_request(CONTROL_SOCKET, &ask, reply, e);
    }
    return r;
}

static int cmd_system_init(const struct options *o) {
    AUTO_JSON json_t *reply = NULL;
    struct err e = {0};

    (void)o;
    int r = !svcd_is_there() && getppid() != 1 ? start_svcd(&e) : 0;
    if (!r)
        r = request_start(&reply, &e);
    if (r < 0) {
        log_error("could not start the services: %s", e.msg);
        return 1;
    }
    const char *error = json_string_value(json_object_get(reply, "error"));
    if (error)
        log_error("%s", error);
    return error != NULL;
}

static int ask(const char *cmd, const char *name, const char *signal, json_t **reply) {
    const struct client_ask a = {
        .cmd = cmd, .name = name, .signal = signal, .note = note, .wait_ms = svcd_is_there() ? CONNECT_WAIT_MS : 0};
    struct err e = {0};

    if (client_request(CONTROL_SOCKET, &a, reply, &e) < 0) {
        log_error("could not %s%s%s: %s", cmd, name ? " " : "", name ? name : "", e.msg);
        return 1;
    }
    const char *error = json_string_value(json_object_get(*reply, "error"));
    if (error)
        log_error("could not %s%s%s: %s", cmd, name ? " " : "", name ? name : "", error);
    return error != NULL;
}

static int cmd_list(const struct options *o) {
    AUTO_JSON json_t *reply = NULL;
    AUTO_BUF struct buf out = BUF_INIT;

    if (ask("list", NULL, NULL, &reply))
        return 1;
    const json_t *services = json_object_get(reply, "services");
    json_int_t lost = json_integer_value(json_object_get(reply, "lost_lines"));
    if (lost > 0)
        log_notice("the console did not take %lld lines of svcd's", (long long)lost);
    if (o->json)
        return print_json(services);
    if (show_list(services, &out) < 0) {
        log_error("could not print the list: out of memory");
        return 1;
    }
    return print(&out);
}

/* Without svcd, and for what is none of its services, containerd is asked itself, as LinuxKit's command does it. */
static int change_one(const struct options *o) {
    const struct direct_place at = {o->sock ? o->sock : direct_default.sock, o->path ? o->path : direct_default.path,
                                    o->ns ? o->ns : direct_default.ns};
    AUTO_JSON json_t *reply = NULL;
    const char *name = o->args[0];
    struct err e = {0};

    if (o->dump_spec && strcmp(o->command, "stop") != 0 && spec_dump(at.path, name, o->dump_spec, &e) < 0) {
        log_error("could not %s %s: %s", o->command, name, e.msg);
        return 1;
    }
    bool is_svcds = !strcmp(at.sock, direct_default.sock) && !strcmp(at.path, direct_default.path) &&
                    !strcmp(at.ns, direct_default.ns);
    return is_svcds && svcd_is_there() ? ask(o->command, name, NULL, &reply) : direct_run(o->command, name, &at);
}

static int cmd_status(const struct options *o) {
    AUTO_JSON json_t *reply = NULL;
    AUTO_BUF struct buf out = BUF_INIT;
    const char *name = o->args[0];
    struct err e = {0};

    if (ask("status", name, NULL, &reply))
        return 1;
    if (o->json)
        return print_json(reply);
    if (show_status(reply, &out) < 0 || buf_puts(&out, "\n") < 0) {
        log_error("could not print the status: out of memory");
        return 1;
    }
    if (print(&out))
        return 1;
    int r = logs_print_newest(name, STATUS_LINES, &e);
    if (r == 0 || r == -ENOENT) /* there may be no log yet */
        return 0;
    log_error("%s", e.msg);
    return 1;
}

static int cmd_kill(const struct options *o) {
    AUTO_JSON json_t *reply = NULL;

    return ask("kill", o->args[0], o->args_len > 1 ? o->args[1] : NULL, &reply);
}

static int cmd_wait(const struct options *o) {
    AUTO_JSON json_t *reply = NULL;
    AUTO_BUF struct buf out = BUF_INIT;
    const char *name = o->args[0];

    if (ask("wait", name, NULL, &reply))
        return 1;
    if (show_end(reply, &out) < 0) {
        log_error("could not print its end: out of memory");
        return 1;
    }
    const char *state = json_string_value(json_object_get(reply, "state"));
    return print(&out) || !state || strcmp(state, "failed") == 0;
}

static int cmd_logs(const struct options *o) {
    struct err e = {0};
    const char *name = o->args[0];

    if (logs_print(name, o->follow, &e) == 0)
        return 0;
    log_error("%s", e.msg);
    return 1;
}

static int cmd_boot(const struct options *o) {
    AUTO_JSON json_t *timeline = NULL;
    AUTO_BUF struct buf out = BUF_INIT;
    struct err e = {0};

    int r = json_load_path(TIMELINE_PATH, TIMELINE_MAX_BYTES, &timeline, &e);
    if (!r && o->json)
        return print_json(timeline);
    if (!r)
        r = o->svg ? boot_chart(timeline, &out, &e) : boot_table(timeline, &out, &e);
    if (r < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    return print(&out);
}

#define OPTIONS_CONTAINERD (OPTION_SOCK | OPTION_PATH | OPTION_NAMESPACE | OPTION_DUMP_SPEC)

static const struct {
    const char *name;
    int (*fn)(const struct options *o);
    unsigned takes;
    int args_min, args_max;
} commands[] = {
    {"attributes", cmd_attributes, 0, 0, 0},
    {"volumes", cmd_volumes, OPTION_PATH, 0, 0},
    {"onboot", cmd_onboot, 0, 0, 0},
    {"onshutdown", cmd_onshutdown, 0, 0, 0},
    {"system-init", cmd_system_init, 0, 0, 0}, /* svcd has its own containerd */
    {"list", cmd_list, OPTION_JSON, 0, 0},
    {"status", cmd_status, OPTION_JSON, 1, 1},
    {"start", change_one, OPTIONS_CONTAINERD, 1, 1},
    {"stop", change_one, OPTIONS_CONTAINERD, 1, 1},
    {"restart", change_one, OPTIONS_CONTAINERD, 1, 1},
    {"kill", cmd_kill, 0, 1, 2},
    {"wait", cmd_wait, 0, 1, 1},
    {"logs", cmd_logs, OPTION_FOLLOW, 1, 1},
    {"boot", cmd_boot, OPTION_JSON | OPTION_SVG, 0, 0},
};

static int run(struct options *o) {
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, o->command) != 0)
            continue;
        if (options_check(o, commands[i].takes, commands[i].args_min, commands[i].args_max, &e) == 0)
            return commands[i].fn(o);
        log_error("%s", e.msg);
        return EXIT_MISUSE;
    }
    log_error("unknown command \"%s\"; `service help` lists them", o->command);
    return EXIT_MISUSE;
}

int service_main(const char *name, int argc, char **argv) {
    struct options o;
    struct err e = {0};
    const char *linked = options_linked_command(name);

    log_init("service", LOG_LEVEL_NOTICE);
    if (options_parse(argc, argv, &o, &e) < 0) {
        log_error("%s", e.msg);
        return EXIT_MISUSE;
    }
    log_init("service", o.level);
    if (o.help)
        return fputs(usage, stdout) < 0;
    if (!*o.command && linked)
        o.command = linked;
    if (!*o.command) {
        (void)fputs(usage, stderr);
        return EXIT_MISUSE;
    }
    return run(&o);
}
