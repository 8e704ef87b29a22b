/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plug worker: a child of PID 1, so that a driver that hangs holds up nobody but itself. Reads what the
 * devices of /sys/bus say in their modalias and loads what they ask for, until a round finds nothing new: a bus driver
 * brings new devices.
 */
#include "init/coldplug.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cmdline/cmdline.h"
#include "init/console.h"
#include "init/modules.h"
#include "lib/fdutil.h"
#include "lib/log.h"

#define ROUNDS_MAX 8
#define ALIASES_MAX 8192
#define ALIAS_LEN_MAX 256
#define UNHURRIED_NICE 19
#define WATCHDOG_OF_KERNEL "softdog" /* where a watchdog is asked for and the machine has none */

/*
 * Devices that no container waits for. Their drivers come last, beside init.d: those for the frequency of CPUs alone,
 * of which all but one find nothing, take longer than all that a virtual machine's network and disks need; then keys
 * and buttons (PNP0C0C to E and LNX...), and what QEMU tells of itself.
 */
static const char *const unhurried[] = {
    "cpu:",   "acpi:ACPI0007:", "acpi:LNXCPU:",    "acpi:LNXPWRBN:", "acpi:LNXSLPBN:",   "acpi:PNP0C0",
    "input:", "serio:",         "platform:pcspkr", "acpi:QEMU0002:", "platform:QEMU0002"};

struct seen {
    char **v; /* sorted */
    size_t len, cap;
    size_t added; /* in this round */
    bool hurry;   /* leave out the unhurried */
};

/* Where it belongs; true if it is there. */
static bool find_alias(const struct seen *s, const char *alias, size_t *at) {
    size_t low = 0, high = s->len;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(s->v[middle], alias);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return false;
}

static bool add_alias(struct seen *s, const char *alias) {
    size_t at;

    if (find_alias(s, alias, &at) || s->len == ALIASES_MAX)
        return false;
    if (s->len == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 128;
        char **grown = reallocarray(s->v, cap, sizeof(*grown));
        if (!grown)
            return false;
        s->v = grown;
        s->cap = cap;
    }
    char *copy = strdup(alias);
    if (!copy)
        return false;
    memmove(s->v + at + 1, s->v + at, (s->len - at) * sizeof(*s->v));
    s->v[at] = copy;
    s->len++;
    return true;
}

static bool is_unhurried(const char *alias) {
    for (size_t i = 0; i < sizeof(unhurried) / sizeof(*unhurried); i++)
        if (!strncmp(alias, unhurried[i], strlen(unhurried[i])))
            return true;
    return false;
}

static void want(struct seen *seen, struct modules *m, const char *alias) {
    struct err e = {0};

    if (!*alias || (seen->hurry && is_unhurried(alias)) || !add_alias(seen, alias))
        return;
    seen->added++;
    int r = modules_load(m, alias, module_load, NULL, &e);
    if (r < 0 && r != -ENODEV) /* a driver that finds no hardware to drive is none of our business */
        log_warning("%s", e.msg);
}

static void read_alias(int dirfd, const char *device, struct seen *seen, struct modules *m) {
    char path[NAME_MAX + sizeof("/modalias")], alias[ALIAS_LEN_MAX];

    (void)snprintf(path, sizeof(path), "%s/modalias", device);
    AUTO_CLOSE int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read_full(fd, alias, sizeof(alias) - 1);
    if (n <= 0)
        return;
    alias[n] = '\0';
    alias[strcspn(alias, "\n")] = '\0';
    want(seen, m, alias);
}

static void read_devices(const char *dir, struct seen *seen, struct modules *m) {
    AUTO_CLOSEDIR DIR *devices = opendir(dir);

    if (!devices)
        return;
    for (const struct dirent *entry; (entry = readdir(devices));)
        if (entry->d_name[0] != '.')
            read_alias(dirfd(devices), entry->d_name, seen, m);
}

/* What has a driver is a device of a bus; of the classes, which are many times more, only these have a modalias. */
static void read_all(struct seen *seen, struct modules *m) {
    char dir[NAME_MAX + sizeof("/sys/bus//devices")];
    AUTO_CLOSEDIR DIR *buses = opendir("/sys/bus");

    for (const struct dirent *entry; buses && (entry = readdir(buses));) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(dir, sizeof(dir), "/sys/bus/%s/devices", entry->d_name);
        read_devices(dir, seen, m);
    }
    read_devices("/sys/class/input", seen, m);
    read_devices("/sys/class/dmi", seen, m);
}

int coldplug_main(bool hurry) {
    struct modules m;
    struct seen seen = {.hurry = hurry};
    struct cmdline cmdline;
    struct err e = {0};

    log_init("init", LOG_LEVEL_NOTICE);
    if (!hurry)
        (void)setpriority(PRIO_PROCESS, 0, UNHURRIED_NICE);
    (void)cmdline_read(&cmdline, NULL);
    console_open(&cmdline);
    int r = modules_open(&m, "", &e);
    if (r < 0) {
        if (r != -ENOENT)
            log_error("%s", e.msg);
        return r == -ENOENT ? 0 : 1;
    }
    for (int round = 0; round < ROUNDS_MAX; round++) {
        seen.added = 0;
        read_all(&seen, &m);
        if (seen.added == 0)
            break;
    }
    if (cmdline.watchdog_s && access("/dev/watchdog", F_OK) < 0 &&
        modules_load(&m, WATCHDOG_OF_KERNEL, module_load, NULL, &e) < 0)
        log_warning("%s", e.msg);
    if (seen.len == ALIASES_MAX)
        log_warning("more than %d kinds of devices: the rest was not looked at", ALIASES_MAX);
    return 0;
}
