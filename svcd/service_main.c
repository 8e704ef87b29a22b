/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/service_main.h"

#include <errno.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/spawn.h"
#include "lib/timeline.h"
#include "svcd/boot_table.h"
#include "svcd/client.h"
#include "svcd/onboot.h"
#include "svcd/options.h"
#include "svcd/printable.h"
#include "svcd/svcd.h"

#define CONNECT_WAIT_MS 5000
#define SVCD "/usr/bin/svcd"
#define EXIT_MISUSE 100

static const char usage[] = "usage: service [-q|-v] COMMAND\n"
                            "  list [--json]          every service and its state\n"
                            "  start|stop|restart NAME\n"
                            "  boot [--json]          what the boot spent its time on\n"
                            "  system-init            start containerd and all services\n"
                            "  onboot, onshutdown, volumes   what /etc/init.d and /etc/shutdown.d call\n";

static int print(const struct buf *text) {
    return text->data && write_full(STDOUT_FILENO, text->data, text->len) < 0 ? 1 : 0;
}

static int print_json(const json_t *doc) {
    AUTO_FREE char *text = json_dumps(doc, JSON_INDENT(2));

    return !text || puts(text) < 0;
}

static int cmd_volumes(const struct options *o) {
    (void)o;
    return volumes_mount("/containers/volumes") > 0;
}

static int run_oneshots(const struct oneshot_dir *d) {
    struct cmdline c;
    int r = cmdline_read(&c, NULL);

    if (r < 0)
        log_warning("could not read the kernel command line: %s", strerror(-r));
    return oneshot_run(d, &c) > 0;
}

static int cmd_onboot(const struct options *o) {
    (void)o;
    return run_oneshots(&oneshot_onboot);
}

static int cmd_onshutdown(const struct options *o) {
    (void)o;
    return run_oneshots(&oneshot_onshutdown);
}

/* Under another init nobody has started the supervisor. */
static int start_svcd(struct err *e) {
    struct spawn s = SPAWN_INIT;
    pid_t pid;

    s.argv = (const char *const[]){SVCD, NULL};
    s.setsid = true;
    return spawn(&s, &pid, NULL, e);
}

static int cmd_system_init(const struct options *o) {
    AUTO_JSON json_t *reply = NULL;
    struct err e = {0};

    (void)o;
    int r = access(CONTROL_SOCKET, F_OK) < 0 && getppid() != 1 ? start_svcd(&e) : 0;
    if (!r)
        r = client_request(CONTROL_SOCKET, "system-init", NULL, CONNECT_WAIT_MS, &reply, &e);
    if (r < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    const char *error = json_string_value(json_object_get(reply, "error"));
    if (error)
        log_error("%s", error);
    return error != NULL;
}

static int format_list(const json_t *services, struct buf *out) {
    const json_t *s;
    size_t i;
    int r = buf_printf(out, "%-24s %-12s %8s %8s  %s\n", "NAME", "STATE", "PID", "RESTARTS", "LAST ERROR");

    json_array_foreach(services, i, s) {
        char pid[24] = "-";
        json_int_t n = json_integer_value(json_object_get(s, "pid"));
        const char *error = json_string_value(json_object_get(s, "last_error"));
        if (n > 0)
            (void)snprintf(pid, sizeof(pid), "%lld", (long long)n);
        size_t line = out->len;
        if (!r)
            r = buf_printf(out, "%-24s %-12s %8s %8lld  %s", json_string_value(json_object_get(s, "name")),
                           json_string_value(json_object_get(s, "state")), pid,
                           (long long)json_integer_value(json_object_get(s, "restarts")), error ? error : "");
        make_printable(out, line);
        if (!r)
            r = buf_puts(out, "\n");
    }
    return r;
}

static int cmd_list(const struct options *o) {
    AUTO_JSON json_t *reply = NULL;
    AUTO_BUF struct buf out = BUF_INIT;
    struct err e = {0};

    if (client_request(CONTROL_SOCKET, "list", NULL, 0, &reply, &e) < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    const json_t *services = json_object_get(reply, "services");
    if (o->json)
        return print_json(services);
    if (format_list(services, &out) < 0) {
        log_error("could not print the list: out of memory");
        return 1;
    }
    return print(&out);
}

static int ask_one(const char *cmd, const struct options *o) {
    AUTO_JSON json_t *reply = NULL;
    struct err e = {0};

    if (o->args_len != 1) {
        log_error("could not %s: give the name of one service; `service list` shows them", cmd);
        return EXIT_MISUSE;
    }
    if (client_request(CONTROL_SOCKET, cmd, o->args[0], 0, &reply, &e) < 0) {
        log_error("could not %s %s: %s", cmd, o->args[0], e.msg);
        return 1;
    }
    const char *error = json_string_value(json_object_get(reply, "error"));
    if (error)
        log_error("could not %s %s: %s", cmd, o->args[0], error);
    return error != NULL;
}

static int cmd_start(const struct options *o) {
    return ask_one("start", o);
}

static int cmd_stop(const struct options *o) {
    return ask_one("stop", o);
}

static int cmd_restart(const struct options *o) {
    return ask_one("restart", o);
}

static int cmd_boot(const struct options *o) {
    AUTO_JSON json_t *timeline = NULL;
    AUTO_BUF struct buf out = BUF_INIT;
    struct err e = {0};

    int r = json_load_path(TIMELINE_PATH, TIMELINE_MAX_BYTES, &timeline, &e);
    if (!r && o->json)
        return print_json(timeline);
    if (!r)
        r = boot_table(timeline, &out, &e);
    if (r < 0) {
        log_error("%s", e.msg);
        return 1;
    }
    return print(&out);
}

static const struct {
    const char *name;
    int (*fn)(const struct options *o);
} commands[] = {
    {"volumes", cmd_volumes},
    {"onboot", cmd_onboot},
    {"onshutdown", cmd_onshutdown},
    {"system-init", cmd_system_init},
    {"list", cmd_list},
    {"start", cmd_start},
    {"stop", cmd_stop},
    {"restart", cmd_restart},
    {"boot", cmd_boot},
};

static int run(const char *command, const struct options *o) {
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (!strcmp(commands[i].name, command))
            return commands[i].fn(o);
    log_error("unknown command \"%s\"; `service help` lists them", command);
    return EXIT_MISUSE;
}

int service_main(const char *name, int argc, char **argv) {
    struct options o = {.level = LOG_LEVEL_NOTICE};
    struct err e = {0};
    const char *linked = options_linked_command(name);

    log_init("service", LOG_LEVEL_NOTICE);
    if (linked)
        return run(linked, &o);
    if (options_parse(argc, argv, &o, &e) < 0) {
        log_error("%s", e.msg);
        return EXIT_MISUSE;
    }
    log_init("service", o.level);
    if (o.help)
        return fputs(usage, stdout) < 0;
    if (!*o.command) {
        (void)fputs(usage, stderr);
        return EXIT_MISUSE;
    }
    return run(o.command, &o);
}
