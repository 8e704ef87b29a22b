/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's credential helpers: `docker-credential-NAME get`, with the registry on stdin and JSON on stdout. It runs in
 * a session of its own, and what is left of that when its time is over is killed.
 */
#ifndef TOOLS_REGISTRY_HELPER_H
#define TOOLS_REGISTRY_HELPER_H

#include "lib/buf.h"
#include "lib/err.h"

#define HELPER_MS 30000u
#define HELPER_WAIT_SAID_MS 5000u /* then it is said what is waited for */
#define HELPER_ANSWER_MAX ((size_t)1 << 20)
#define HELPER_WORDS_MAX 256u

/*
 * *status is as from waitpid(2). words (HELPER_WORDS_MAX bytes) gets the beginning of what it says on stderr, else
 * on stdout, in one printable line: "" if that is nothing, or is an answer. -ETIMEDOUT: it was killed; -EFBIG.
 */
int helper_ask(const char *program, const char *key, unsigned timeout_ms, struct buf *answer, char *words, int *status,
               struct err *e);

#endif
