/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How one-shots ended, each and counted: a JSON file.
 *
 *   {"counts":{"ok":3,"error":0,"exit":1,"signal":0,"deadline":0},"runc_ns":812000000,"own_ns":9000000,
 *    "containers":[{"name":"000-dhcpcd","outcome":"ok","number":0,"error":"","left":[],
 *                   "runc_ns":402000000,"own_ns":3000000}, ...]}
 */
#ifndef SVCD_ONBOOT_RECORD_H
#define SVCD_ONBOOT_RECORD_H

#include <jansson.h>
#include <stdint.h>

#include "lib/err.h"

enum outcome {
    OUTCOME_OK,
    OUTCOME_ERROR,    /* it could not be run */
    OUTCOME_EXIT,     /* number: its exit status */
    OUTCOME_SIGNAL,   /* number: the signal's */
    OUTCOME_DEADLINE, /* it took too long and was killed */
    OUTCOMES
};

struct oneshot_result {
    enum outcome outcome;
    int number;
    char error[ERR_MSG_MAX];  /* "" if there is none */
    json_t *left;             /* strings: what was set up for it and stays; NULL: nothing */
    uint64_t runc_ns, own_ns; /* in runc, while the container ran too; and here */
};

struct oneshot_record {
    json_t *containers; /* NULL: no memory, only the counts are right */
    unsigned counts[OUTCOMES];
    uint64_t runc_ns, own_ns;
};

const char *outcome_name(enum outcome o);

void record_init(struct oneshot_record *rec);
void record_add(struct oneshot_record *rec, const char *name, const struct oneshot_result *result);
unsigned record_failures(const struct oneshot_record *rec);

/* "3 ok, 1 exit, runc 0.812 s, own 0.009 s"; buf is returned. */
const char *record_summary(const struct oneshot_record *rec, char *buf, size_t len);

int record_save(const struct oneshot_record *rec, const char *path, struct err *e);
void record_fini(struct oneshot_record *rec);

#endif
