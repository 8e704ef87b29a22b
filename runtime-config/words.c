/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime-config/words.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "lib/auto.h"
#include "lib/fdutil.h"

/* "ms" before "m": the longer name first. */
static const struct {
    const char *name;
    uint64_t ms;
} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};

static const char *const onfail_names[] = {"continue", "reboot", "poweroff", "halt"};

/* Moves *p behind the unit; 0: none is there. */
static uint64_t take_unit(const char **p) {
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        size_t len = strlen(units[i].name);
        if (!strncmp(*p, units[i].name, len)) {
            *p += len;
            return units[i].ms;
        }
    }
    return 0;
}

int duration_parse(const char *text, uint64_t *ms) {
    uint64_t sum = 0;

    for (const char *p = text; *p;) {
        uint64_t n = 0;
        size_t digits = strspn(p, "0123456789");
        if (digits == 0)
            return -EINVAL;
        for (; digits > 0; digits--, p++) {
            n = n * 10 + (uint64_t)(*p - '0');
            if (n > DURATION_MAX_MS)
                return -ERANGE;
        }
        uint64_t unit = take_unit(&p);
        if (!unit)
            return -EINVAL;
        sum += n > DURATION_MAX_MS / unit ? DURATION_MAX_MS + 1 : n * unit;
        if (sum > DURATION_MAX_MS)
            return -ERANGE;
    }
    if (sum == 0)
        return *text ? -ERANGE : -EINVAL;
    *ms = sum;
    return 0;
}

int onfail_parse(const char *text, enum onfail *out) {
    for (size_t i = 0; i < ARRAY_SIZE(onfail_names); i++)
        if (!strcmp(onfail_names[i], text)) {
            *out = (enum onfail)i;
            return 0;
        }
    return -EINVAL;
}

const char *onfail_name(enum onfail o) {
    return onfail_names[o];
}

static const struct {
    const char *name;
    int sig;
} signal_names[] = {{"HUP", SIGHUP},   {"INT", SIGINT},     {"QUIT", SIGQUIT}, {"KILL", SIGKILL}, {"USR1", SIGUSR1},
                    {"USR2", SIGUSR2}, {"TERM", SIGTERM},   {"CONT", SIGCONT}, {"STOP", SIGSTOP}, {"ALRM", SIGALRM},
                    {"PWR", SIGPWR},   {"WINCH", SIGWINCH}, {"ABRT", SIGABRT}};

int signal_parse(const char *text, int *sig) {
    const char *name = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;
    uint64_t n;

    for (size_t i = 0; i < ARRAY_SIZE(signal_names); i++)
        if (!strcmp(signal_names[i].name, name)) {
            *sig = signal_names[i].sig;
            return 0;
        }
    if (strncmp(name, "RTMIN+", 6) != 0 || parse_u64(name + 6, 30, &n) < 0)
        return -EINVAL;
    *sig = 34 + (int)n; /* glibc's SIGRTMIN: what a container's programs are likely to have been linked with */
    return 0;
}

bool is_identifier(const char *text) {
    bool joint = true; /* none may stand here */

    for (const char *p = text; *p; p++) {
        bool alnum = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (!alnum && (joint || !strchr("._-", *p)))
            return false;
        joint = !alnum;
    }
    return !joint && strlen(text) <= IDENTIFIER_MAX;
}
