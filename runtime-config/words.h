/* SPDX-License-Identifier: Apache-2.0 */
/* Words of runtime.json that LinuxKit does not have; the builder checks them with the same code. */
#ifndef RUNTIME_CONFIG_WORDS_H
#define RUNTIME_CONFIG_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#define DURATION_MAX_MS (7ULL * 24 * 3600 * 1000)

/* Numbers with units, added up: "90s", "1m30s", "250ms", "2h"; more than 0, at most a week. -EINVAL, -ERANGE. */
int duration_parse(const char *text, uint64_t *ms);

/* What happens when a one-shot has failed. */
enum onfail { ONFAIL_CONTINUE, ONFAIL_REBOOT, ONFAIL_POWEROFF, ONFAIL_HALT };

/* "continue", "reboot", "poweroff", "halt"; -EINVAL. */
int onfail_parse(const char *text, enum onfail *out);
const char *onfail_name(enum onfail o);

#define IDENTIFIER_MAX 76
#define IDENTIFIER_RULE "at most 76 letters and digits, with single . _ - between them" /* for people */

/* What containerd takes as the name of a container or a namespace: words of ASCII letters and digits, joined by single
 * . _ or -. */
bool is_identifier(const char *text);

/* "SIGTERM" or "TERM": the signals that a program may be sent to end or wake it, and the real-time ones
 * ("SIGRTMIN+3", as systemd in a container wants it); -EINVAL. */
int signal_parse(const char *text, int *sig);

#endif
