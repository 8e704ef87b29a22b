/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PID 1's side of the boot record: when it is made, and what only PID 1 knows. It looks at the free memory four times a
 * second until the machine is up, and starts the program that makes it (bootrecord/record.h) when svcd says so in
 * /run/keelson/up, and while the boot takes long: after the seconds that keelson.record= gives, and each time when
 * twice as many have passed.
 */
#ifndef INIT_RECORDER_H
#define INIT_RECORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bootrecord/record.h"
#include "init/relay.h"
#include "init/steps.h"
#include "lib/loop.h"

#define RECORDER_UP_FILE "/run/keelson/up" /* svcd makes it */

struct recorder {
    struct loop *loop;
    const struct relay *relay;
    const struct steps *steps;
    struct loop_source tick, up;
    int inotify_fd; /* -1: none */
    pid_t pid;      /* of the worker; 0: none */
    bool is_up, up_due, said;
    uint64_t least_kib; /* 0: not looked yet */
    uint64_t next_s;    /* when the next record of a boot that takes long is due, since the kernel's start; 0: never */
    char numbers[3][24];
    const char *argv[RECORD_WORDS + 2];
};

/* first_s: 0: none while it takes long. The others must outlive it. */
void recorder_start(struct recorder *r, struct loop *l, const struct relay *relay, const struct steps *steps,
                    unsigned first_s);
/* The machine is up, svcd or not. Once. */
void recorder_up(struct recorder *r);
/* True if it was the worker. */
bool recorder_reaped(struct recorder *r, pid_t pid);
/* Nothing more is written on its own: the machine is going down. */
void recorder_stop(struct recorder *r);

/* Its argv, valid until the next call: `name`, and a record of this state. */
const char *const *recorder_argv(struct recorder *r, const char *name, const char *state, const char *end);
/* For the worker that unmounts, which was started with such words: the record of this end. Waits, but not for long. */
void recorder_last(char **argv);

#endif
