/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service's runtime.json says of how it is supervised: when it is started again, behind whom it starts, how one
 * sees that it is ready and well, how it is stopped. A word that is absent has the default that stands here.
 */
#ifndef RUNTIME_CONFIG_POLICY_H
#define RUNTIME_CONFIG_POLICY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime-config/strings.h"
#include "runtime-config/words.h"

enum restart { RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_NEVER };

enum probe_kind { PROBE_NONE, PROBE_EXEC, PROBE_TCP, PROBE_FILE, PROBE_HTTP };

struct probe_policy {
    enum probe_kind kind;
    struct strings exec;  /* PROBE_EXEC: in the service's container; 0 is success */
    uint16_t port;        /* PROBE_TCP, PROBE_HTTP: on 127.0.0.1, in the service's network namespace */
    const char *path;     /* PROBE_FILE: as the service sees it; PROBE_HTTP: with its leading slash */
    uint64_t interval_ms; /* between the end of one and the next */
    uint64_t timeout_ms;  /* ready: of all attempts together; health: of one */
    unsigned failures;    /* health: in a row, until it counts */
};

struct policy {
    json_t *doc; /* owns the strings */
    enum restart restart;
    uint64_t delay_ms, max_delay_ms; /* 250 ms, doubling up to 30 s */
    uint64_t reset_ms;               /* 60 s: who has lived that long begins anew */
    unsigned limit;                  /* restarts in a row; 0: no limit */
    struct strings after;
    struct probe_policy ready;  /* 500 ms, 60 s */
    struct probe_policy health; /* 10 s, 2 s, 3 */
    int stop_signal;            /* SIGTERM */
    uint64_t stop_timeout_ms;   /* 10 s, then SIGKILL */
    enum onfail onfail;         /* when the restarts are used up */
};

/* The defaults; nothing to free. */
void policy_init(struct policy *p);

/*
 * The words of a whole runtime.json. -EINVAL: a wrong type, or a word or time that is not understood, with its JSON
 * path; p is as after policy_init() then. An unknown key below one of them is warned about with `path`, unless that is
 * NULL.
 */
int policy_load(const json_t *doc, const char *path, struct policy *p, struct err *e);

/* The same from the file, without a warning; an absent file says nothing. */
int policy_load_path(const char *path, struct policy *p, struct err *e);
void policy_free(struct policy *p);

#endif
