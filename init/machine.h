/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What PID 1 goes through, as a table: states, what each starts, how long it may take, and where it leads. Pure: the
 * system is behind `struct machine_ops`, so that tests walk every state with every event.
 */
#ifndef INIT_MACHINE_H
#define INIT_MACHINE_H

#include <stdbool.h>

enum state {
    STATE_START,
    STATE_DEVICES,  /* cold plug */
    STATE_OTHERS,   /* cold plug once more, around the driver that hangs in the first */
    STATE_RESCUE,   /* a shell on the console, if keelson.rescue=1 asks for one */
    STATE_INITD,    /* /etc/init.d, one after another */
    STATE_RUNNING,  /* nothing to do but reap and respawn */
    STATE_HOOKS,    /* /etc/shutdown.d, one after another */
    STATE_SERVICES, /* svcd stops its services, then ends */
    STATE_TERM,     /* SIGTERM to all that is left */
    STATE_KILL,     /* SIGKILL */
    STATE_UNMOUNT,  /* sync and unmount, in a child that may hang */
    STATE_END,      /* the reboot call */
    STATES
};

enum event {
    EVENT_BEGIN,
    EVENT_DONE,     /* what the state waits for is over */
    EVENT_TIMEOUT,  /* its deadline has passed */
    EVENT_SHUTDOWN, /* somebody asked for halt, power off or reboot */
    EVENTS
};

struct machine_ops {
    bool (*enter)(void *sys, enum state s);       /* starts the state's work; false: nothing to wait for */
    void (*set_deadline)(void *sys, unsigned ms); /* 0: none */
    void (*late)(void *sys, enum state s);        /* the state's deadline has passed: say who holds it up */
};

struct machine {
    enum state state;
    const struct machine_ops *ops;
    void *sys;
};

/* An event that means nothing in the present state is ignored. */
void machine_event(struct machine *m, enum event ev);

const char *machine_state_name(enum state s);
static inline bool machine_stopping(const struct machine *m) {
    return m->state >= STATE_HOOKS;
}

#endif
