/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/onfail.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "lib/log.h"

/* PID 1's signals for it, as busybox's init has them. */
static const int signals[] = {[ONFAIL_REBOOT] = SIGTERM, [ONFAIL_POWEROFF] = SIGUSR2, [ONFAIL_HALT] = SIGUSR1};

bool onfail_act(const char *name, enum onfail onfail) {
    if (onfail == ONFAIL_CONTINUE)
        return false;
    log_error("%s, as %s asks for when it fails", onfail_name(onfail), name);
    if (kill(1, signals[onfail]) < 0)
        log_error("could not signal PID 1: %s", strerror(errno));
    return true;
}
