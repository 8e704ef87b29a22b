/* SPDX-License-Identifier: Apache-2.0 */
/* What is set once before /etc/init.d runs. Each step reports what fails and leaves the rest alone. */
#ifndef INIT_SETUP_H
#define INIT_SETUP_H

#include "cmdline/cmdline.h"

/*
 * 0, 1 and 2 become /dev/console, which the kernel points at the last console=, or else /dev/null. Returns 0 or a
 * negative errno: there is nowhere to say it yet.
 */
int setup_console(void);
void setup_clock(void); /* system clock from /dev/rtc0, which runs in UTC; no RTC is fine */
void setup_loopback(void);
void setup_limits(void); /* RLIMIT_NOFILE 1048576, RLIMIT_NPROC unlimited */
/* /etc/hostname; if the name is unset then, "linuxkit-" and eth0's MAC address without colons. */
void setup_hostname(void);
void setup_resolv_conf(void); /* where a link points: its directory and an empty file */
void setup_issue(const struct cmdline *c);

#endif
