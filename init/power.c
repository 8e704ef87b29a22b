/* SPDX-License-Identifier: Apache-2.0 */
#include "init/power.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/reboot.h>

#include "lib/auto.h"
#include "lib/log.h"

/* busybox's signals; ctrl-alt-del comes as SIGINT. The first signal of a word is the one to send. */
static const struct {
    const char *word;
    int sig;
    int action;
    const char *worker;
} powers[] = {
    {"halt", SIGUSR1, (int)RB_HALT_SYSTEM, "init-halt"},
    {"poweroff", SIGUSR2, RB_POWER_OFF, "init-poweroff"},
    {"reboot", SIGTERM, RB_AUTOBOOT, "init-reboot"},
    {"reboot", SIGINT, RB_AUTOBOOT, "init-reboot"},
};

int power_signal(const char *word) {
    for (size_t i = 0; i < ARRAY_SIZE(powers); i++)
        if (!strcmp(powers[i].word, word))
            return powers[i].sig;
    return 0;
}

int power_action(int sig) {
    for (size_t i = 0; i < ARRAY_SIZE(powers); i++)
        if (powers[i].sig == sig)
            return powers[i].action;
    return 0;
}

const char *power_word(int action) {
    for (size_t i = 0; i < ARRAY_SIZE(powers); i++)
        if (powers[i].action == action)
            return powers[i].word;
    return "";
}

const char *power_worker(int action) {
    for (size_t i = 0; i < ARRAY_SIZE(powers); i++)
        if (powers[i].action == action)
            return powers[i].worker;
    return powers[0].worker; /* there is no other action */
}

static int worker_action(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(powers); i++)
        if (!strcmp(powers[i].worker, name))
            return powers[i].action;
    return 0;
}

bool power_is_worker(const char *name) {
    return worker_action(name) != 0;
}

int power_worker_main(const char *name) {
    log_init("init", LOG_LEVEL_NOTICE);
    (void)reboot(worker_action(name));
    log_error("could not end the machine: %s", strerror(errno));
    return 1;
}

int power_main(const char *name, int argc, char **argv) {
    const char *word = name;

    log_init(name, LOG_LEVEL_NOTICE);
    if (!strcmp(name, "rc.shutdown") || !strcmp(name, "shutdown"))
        word = argc > 1 ? argv[1] : "poweroff";
    int sig = power_signal(word);
    if (!sig) {
        log_error("unknown word \"%s\": use poweroff, reboot or halt", word);
        return 1;
    }
    if (kill(1, sig) < 0) {
        log_error("could not signal PID 1: %s", strerror(errno));
        return 1;
    }
    return 0;
}
