/* SPDX-License-Identifier: Apache-2.0 */
/* poweroff, reboot, halt, and /bin/rc.shutdown [poweroff|reboot|halt]: a signal to PID 1. */
#ifndef INIT_POWER_H
#define INIT_POWER_H

#include <stdbool.h>

/* `name` is what the program was called by. Returns an exit status. */
int power_main(const char *name, int argc, char **argv);

/* The signal that asks PID 1 for it; 0: no such word. */
int power_signal(const char *word);

/* What PID 1 does at the end (an RB_* of reboot(2)) when it was asked by this signal; 0: the signal asks for nothing.
 */
int power_action(int sig);

/* "poweroff", "reboot", "halt"; "": no such action. */
const char *power_word(int action);

/* argv[0] of the worker that makes the reboot(2) call of an action, and what it does: returns only if that fails. */
const char *power_worker(int action);
bool power_is_worker(const char *name);
int power_worker_main(const char *name);

#endif
