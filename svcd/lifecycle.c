/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/lifecycle.h"

static const struct {
    const char *name;
    unsigned deadline_ms;
} states[LIVES] = {
    [LIFE_DOWN] = {"stopped", 0},
    [LIFE_FAILED] = {"failed", 0},
    [LIFE_DETACHED] = {"detached", 0},
    [LIFE_ADOPT] = {"looking", 0},
    [LIFE_CLEAN_KILL] = {"cleaning up", 0},
    [LIFE_CLEAN_TASK] = {"cleaning up", 0},
    [LIFE_CLEAN_CONTAINER] = {"cleaning up", 0},
    [LIFE_DECIDE] = {"deciding", 0},
    [LIFE_PREPARE] = {"preparing", 0},
    [LIFE_CREATE] = {"creating", 0},
    [LIFE_CREATE_TASK] = {"creating", 0},
    [LIFE_ATTACH] = {"preparing", 0},
    [LIFE_START] = {"starting", 0},
    [LIFE_RUNNING] = {"running", 0},
    [LIFE_STOPPING] = {"stopping", 0},
    [LIFE_KILLING] = {"stopping", 5000},
    [LIFE_BACKOFF] = {"waiting", 0},
    [LIFE_LONE_STOPPING] = {"stopping", 0},
    [LIFE_LONE_KILLING] = {"stopping", 0},
    [LIFE_LONE_DOWN] = {"stopped", 0},
};

/* + 1, so that an absent entry (0) means "stay". */
#define TO(state) ((state) + 1)

static const unsigned char table[LIVES][LIFE_EVENTS] = {
    [LIFE_DOWN] = {[LIFE_EV_START] = TO(LIFE_ADOPT)},
    [LIFE_FAILED] = {[LIFE_EV_START] = TO(LIFE_ADOPT), [LIFE_EV_STOP] = TO(LIFE_DOWN)},
    [LIFE_DETACHED] = {[LIFE_EV_READY] = TO(LIFE_ADOPT), [LIFE_EV_STOP] = TO(LIFE_LONE_STOPPING)},
    [LIFE_ADOPT] = {[LIFE_EV_OK] = TO(LIFE_RUNNING),
                    [LIFE_EV_EXIT] = TO(LIFE_CLEAN_KILL),
                    [LIFE_EV_NOT_FOUND] = TO(LIFE_CLEAN_CONTAINER),
                    [LIFE_EV_ERROR] = TO(LIFE_BACKOFF),
                    [LIFE_EV_LOST] = TO(LIFE_DETACHED)},
    [LIFE_CLEAN_KILL] = {[LIFE_EV_OK] = TO(LIFE_CLEAN_TASK),
                         [LIFE_EV_NOT_FOUND] = TO(LIFE_CLEAN_TASK),
                         [LIFE_EV_ERROR] = TO(LIFE_CLEAN_TASK),
                         [LIFE_EV_LOST] = TO(LIFE_DETACHED)},
    [LIFE_CLEAN_TASK] = {[LIFE_EV_OK] = TO(LIFE_CLEAN_CONTAINER),
                         [LIFE_EV_NOT_FOUND] = TO(LIFE_CLEAN_CONTAINER),
                         [LIFE_EV_ERROR] = TO(LIFE_BACKOFF),
                         [LIFE_EV_LOST] = TO(LIFE_DETACHED)},
    [LIFE_CLEAN_CONTAINER] = {[LIFE_EV_OK] = TO(LIFE_DECIDE),
                              [LIFE_EV_NOT_FOUND] = TO(LIFE_DECIDE),
                              [LIFE_EV_ERROR] = TO(LIFE_BACKOFF),
                              [LIFE_EV_LOST] = TO(LIFE_DETACHED)},
    [LIFE_DECIDE] = {[LIFE_EV_START] = TO(LIFE_PREPARE),
                     [LIFE_EV_STOP] = TO(LIFE_DOWN),
                     [LIFE_EV_ERROR] = TO(LIFE_BACKOFF),
                     [LIFE_EV_GIVE_UP] = TO(LIFE_FAILED)},
    [LIFE_PREPARE] = {[LIFE_EV_OK] = TO(LIFE_CREATE), [LIFE_EV_ERROR] = TO(LIFE_DECIDE)},
    [LIFE_CREATE] = {[LIFE_EV_OK] = TO(LIFE_CREATE_TASK),
                     [LIFE_EV_ERROR] = TO(LIFE_CLEAN_CONTAINER),
                     [LIFE_EV_LOST] = TO(LIFE_DETACHED)},
    [LIFE_CREATE_TASK] = {[LIFE_EV_OK] = TO(LIFE_ATTACH),
                          [LIFE_EV_ERROR] = TO(LIFE_CLEAN_KILL), /* it may be there all the same, later */
                          [LIFE_EV_NOT_FOUND] = TO(LIFE_CLEAN_KILL),
                          [LIFE_EV_LOST] = TO(LIFE_DETACHED)},
    [LIFE_ATTACH] =
        {[LIFE_EV_OK] = TO(LIFE_START), [LIFE_EV_ERROR] = TO(LIFE_CLEAN_KILL), [LIFE_EV_LOST] = TO(LIFE_DETACHED)},
    [LIFE_START] = {[LIFE_EV_OK] = TO(LIFE_RUNNING),
                    [LIFE_EV_ERROR] = TO(LIFE_CLEAN_KILL),
                    [LIFE_EV_NOT_FOUND] = TO(LIFE_CLEAN_KILL),
                    [LIFE_EV_LOST] = TO(LIFE_DETACHED)},
    [LIFE_RUNNING] = {[LIFE_EV_STOP] = TO(LIFE_STOPPING),
                      [LIFE_EV_UNFIT] = TO(LIFE_STOPPING),
                      [LIFE_EV_EXIT] = TO(LIFE_CLEAN_TASK),
                      [LIFE_EV_ERROR] = TO(LIFE_ADOPT),
                      [LIFE_EV_NOT_FOUND] = TO(LIFE_ADOPT),
                      [LIFE_EV_LOST] = TO(LIFE_DETACHED)},
    [LIFE_STOPPING] = {[LIFE_EV_EXIT] = TO(LIFE_CLEAN_TASK),
                       [LIFE_EV_TIMEOUT] = TO(LIFE_KILLING),
                       [LIFE_EV_NOT_FOUND] = TO(LIFE_CLEAN_TASK),
                       [LIFE_EV_LOST] = TO(LIFE_LONE_STOPPING)},
    [LIFE_KILLING] = {[LIFE_EV_EXIT] = TO(LIFE_CLEAN_TASK),
                      [LIFE_EV_TIMEOUT] = TO(LIFE_CLEAN_TASK),
                      [LIFE_EV_NOT_FOUND] = TO(LIFE_CLEAN_TASK),
                      [LIFE_EV_LOST] = TO(LIFE_LONE_KILLING)},
    [LIFE_BACKOFF] = {[LIFE_EV_TIMEOUT] = TO(LIFE_ADOPT),
                      [LIFE_EV_START] = TO(LIFE_ADOPT),
                      [LIFE_EV_STOP] = TO(LIFE_ADOPT),       /* what could not be looked at may run still */
                      [LIFE_EV_NOT_FOUND] = TO(LIFE_DECIDE), /* told to stop, and all of it is gone */
                      [LIFE_EV_LOST] = TO(LIFE_DETACHED)},
    [LIFE_LONE_STOPPING] = {[LIFE_EV_EXIT] = TO(LIFE_LONE_DOWN),
                            [LIFE_EV_TIMEOUT] = TO(LIFE_LONE_KILLING),
                            [LIFE_EV_READY] = TO(LIFE_ADOPT)},
    [LIFE_LONE_KILLING] = {[LIFE_EV_EXIT] = TO(LIFE_LONE_DOWN), [LIFE_EV_READY] = TO(LIFE_ADOPT)},
    [LIFE_LONE_DOWN] = {[LIFE_EV_READY] = TO(LIFE_ADOPT)},
};

enum life life_next(enum life from, enum life_event ev) {
    unsigned to = table[from][ev];

    return to == 0 ? LIFE_STAY : (enum life)(to - 1);
}

const char *life_name(enum life l) {
    return states[l].name;
}

unsigned life_deadline_ms(enum life l) {
    return states[l].deadline_ms;
}

enum life_event life_decide(const struct policy *p, const struct life_record *r) {
    if (!r->wanted)
        return LIFE_EV_STOP;
    if (!r->ended && !r->failed)
        return LIFE_EV_START;
    if (!r->failed && p->restart != RESTART_ALWAYS)
        return LIFE_EV_STOP;
    if (p->restart == RESTART_NEVER || (p->limit && r->attempts >= p->limit))
        return LIFE_EV_GIVE_UP;
    return LIFE_EV_ERROR;
}

uint64_t life_backoff_ms(const struct policy *p, uint64_t last_ms, uint64_t lived_ms) {
    if (last_ms == 0 || lived_ms >= p->reset_ms)
        return p->delay_ms;
    return last_ms >= p->max_delay_ms / 2 ? p->max_delay_ms : 2 * last_ms;
}
