/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What PID 1 keeps for the next life (lib/fdstore.h), told to it without ever waiting for it: what it cannot take now
 * it is told later, and then what holds by then. Bound: a bit for each descriptor.
 */
#ifndef MEMLOGD_KEEPER_H
#define MEMLOGD_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"
#include "memlogd/intake.h"

/* Descriptors: a source's slot, and these behind them. */
enum keeper_place {
    KEEPER_STATE = INTAKE_SLOTS,
    KEEPER_LOG,
    KEEPER_QUERY,
    KEEPER_SYSLOG,
    KEEPER_PLACES,
};

struct keeper {
    struct loop *loop;
    struct loop_source source; /* while its socket is full */
    int sock;                  /* -1: there is none; everything counts as told then */
    uint64_t untold[(KEEPER_PLACES + 63) / 64];
    unsigned untold_len;
    /* The descriptor that is there now; -1: none. */
    int (*descriptor)(void *data, unsigned place);
    /* It knows. error: it does not, and never will. */
    void (*told)(void *data, unsigned place, int error);
    void *data;
};

/* After the callbacks have been set. */
void keeper_init(struct keeper *k, struct loop *l, int sock);
/* The descriptor of that place has come, gone, or is another one. Calls told(), now or later. */
void keeper_change(struct keeper *k, unsigned place);
/* Tries again what no socket event announces (memory, a limit); call it about once a second while untold_len > 0. */
void keeper_retry(struct keeper *k);

/* The key of a place in the store, and back; -1: nobody's. */
uint32_t keeper_key(unsigned place);
int keeper_place_of(uint32_t key);

#endif
