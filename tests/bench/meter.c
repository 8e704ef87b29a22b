/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meter SERVICES SUPERVISOR...: runs beside the naps of bench-peers, whoever supervises them, and says on the console
 * what the programs of these names cost: their memory, their wake-ups in a minute in which nothing happens, and how
 * long a killed service is away. Then the machine is turned off.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>

#include "lib/auto.h"
#include "lib/fdutil.h"
#include "lib/loop.h"

#define FIFO "/run/bench/up"
#define SETTLE_S 5
#define IDLE_S 60
#define KILLS 5
#define BETWEEN_S 3 /* a service that dies sooner is held back by those with a back-off */

struct cost {
    unsigned long processes, pss_kib, switches;
};

static bool has_name(pid_t pid, int argc, char **names) {
    AUTO_BUF struct buf comm = {.max = 256};
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    if (read_file(path, 64, &comm, NULL) < 0 || !comm.data)
        return false;
    comm.data[strcspn(comm.data, "\n")] = '\0';
    for (int i = 0; i < argc; i++)
        if (!strcmp(comm.data, names[i]))
            return true;
    return false;
}

/* The sum of the numbers behind the key's occurrences in a file of /proc. */
static unsigned long number(pid_t pid, const char *file, const char *key) {
    AUTO_BUF struct buf text = {.max = 16384};
    unsigned long sum = 0;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    if (read_file(path, 8191, &text, NULL) < 0 || !text.data)
        return 0;
    for (const char *at = text.data; (at = strstr(at, key)); at += strlen(key))
        sum += strtoul(at + strlen(key), NULL, 10);
    return sum;
}

static struct cost look(int argc, char **names) {
    struct cost c = {0};
    AUTO_CLOSEDIR DIR *proc = opendir("/proc");

    for (const struct dirent *d; proc && (d = readdir(proc));) {
        pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);
        if (pid <= 0 || !has_name(pid, argc, names))
            continue;
        c.processes++;
        c.pss_kib += number(pid, "smaps_rollup", "\nPss:");
        c.switches += number(pid, "status", "ctxt_switches:");
    }
    return c;
}

static pid_t any_nap(void) {
    AUTO_CLOSEDIR DIR *proc = opendir("/proc");
    char *name = (char[]){"nap"};

    for (const struct dirent *d; proc && (d = readdir(proc));) {
        pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);
        if (pid > 0 && has_name(pid, 1, &name))
            return pid;
    }
    return -1;
}

/* When the next service began to run. */
static uint64_t next_up(int fifo) {
    uint64_t ns = 0;

    if (read_full(fifo, &ns, sizeof(ns)) != sizeof(ns))
        fprintf(stderr, "meter: could not read " FIFO "\n");
    return ns;
}

int main(int argc, char **argv) {
    uint64_t away_ns = 0;

    if (argc < 3)
        return 100;
    (void)mkdir("/run/bench", 0755);
    (void)mkfifo(FIFO, 0600);
    int fifo = open(FIFO, O_RDWR | O_CLOEXEC); /* a writer of our own: it never ends */
    for (long left = strtol(argv[1], NULL, 10); left > 0; left--)
        (void)next_up(fifo);
    (void)sleep(SETTLE_S);
    struct cost before = look(argc - 2, argv + 2);
    (void)sleep(IDLE_S);
    struct cost after = look(argc - 2, argv + 2);
    for (int i = 0; i < KILLS; i++) {
        uint64_t killed_ns = clock_ns();
        pid_t nap = any_nap();
        if (nap < 0 || kill(nap, SIGKILL) < 0)
            break;
        away_ns += next_up(fifo) - killed_ns;
        (void)sleep(BETWEEN_S);
    }
    FILE *console = fopen("/dev/console", "w");
    if (console)
        fprintf(console, "\nmeter: {\"processes\":%lu,\"pss_kib\":%lu,\"switches\":%lu,\"away_ns\":%llu}\n",
                after.processes, after.pss_kib, after.switches - before.switches, (unsigned long long)away_ns / KILLS);
    if (console)
        (void)fclose(console);
    return reboot(RB_POWER_OFF) < 0;
}
