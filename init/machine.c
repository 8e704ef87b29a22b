/* SPDX-License-Identifier: Apache-2.0 */
#include "init/machine.h"

static const struct {
    const char *name;
    unsigned deadline_ms; /* 0: as long as it takes */
} states[STATES] = {
    [STATE_START] = {"start", 0},
    [STATE_DEVICES] = {"devices", 10000},
    [STATE_OTHERS] = {"other devices", 20000},
    [STATE_RESCUE] = {"rescue", 0},
    [STATE_INITD] = {"init.d", 0},
    [STATE_RUNNING] = {"running", 0},
    [STATE_HOOKS] = {"shutdown.d", 60000},
    [STATE_SERVICES] = {"services", 25000},
    [STATE_TERM] = {"terminate", 5000},
    [STATE_KILL] = {"kill", 2000},
    [STATE_UNMOUNT] = {"unmount", 10000},
    [STATE_END] = {"end", 0},
};

/* STATE_START: stay. */
static const enum state next[STATES][EVENTS] = {
    [STATE_START] = {[EVENT_BEGIN] = STATE_DEVICES},
    [STATE_DEVICES] = {[EVENT_DONE] = STATE_RESCUE, [EVENT_TIMEOUT] = STATE_OTHERS, [EVENT_SHUTDOWN] = STATE_HOOKS},
    [STATE_OTHERS] = {[EVENT_DONE] = STATE_RESCUE, [EVENT_TIMEOUT] = STATE_RESCUE, [EVENT_SHUTDOWN] = STATE_HOOKS},
    [STATE_RESCUE] = {[EVENT_DONE] = STATE_INITD, [EVENT_SHUTDOWN] = STATE_HOOKS},
    [STATE_INITD] = {[EVENT_DONE] = STATE_RUNNING, [EVENT_SHUTDOWN] = STATE_HOOKS},
    [STATE_RUNNING] = {[EVENT_SHUTDOWN] = STATE_HOOKS},
    [STATE_HOOKS] = {[EVENT_DONE] = STATE_SERVICES, [EVENT_TIMEOUT] = STATE_SERVICES},
    [STATE_SERVICES] = {[EVENT_DONE] = STATE_TERM, [EVENT_TIMEOUT] = STATE_TERM},
    [STATE_TERM] = {[EVENT_DONE] = STATE_UNMOUNT, [EVENT_TIMEOUT] = STATE_KILL},
    [STATE_KILL] = {[EVENT_DONE] = STATE_UNMOUNT, [EVENT_TIMEOUT] = STATE_UNMOUNT},
    [STATE_UNMOUNT] = {[EVENT_DONE] = STATE_END, [EVENT_TIMEOUT] = STATE_END},
};

void machine_event(struct machine *m, enum event ev) {
    bool waits = true;

    for (enum state to = next[m->state][ev]; to != STATE_START; to = waits ? STATE_START : next[to][EVENT_DONE]) {
        if (ev == EVENT_TIMEOUT && waits && states[m->state].deadline_ms)
            m->ops->late(m->sys, m->state);
        m->state = to;
        m->ops->set_deadline(m->sys, states[to].deadline_ms);
        waits = m->ops->enter(m->sys, to);
        ev = EVENT_DONE;
    }
}

const char *machine_state_name(enum state s) {
    return states[s].name;
}
