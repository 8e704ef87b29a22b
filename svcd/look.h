/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a file is there, as a running service sees it. A path of a service may lie on a mount whose server hangs, and
 * who looks at it then cannot even be killed: a child looks. There is one for a service at most, also when nobody waits
 * for it any more: it is kept until it has ended, and the next one begins behind its end.
 */
#ifndef SVCD_LOOK_H
#define SVCD_LOOK_H

#include "svcd/service.h"

#define LOOK_NAME "svcd-look" /* argv[0] */

/* code: 0 if it is there, or a negative errno. */
typedef void look_fn(struct service *s, int code);

/* Ends the one that is under way, then begins. path must stay until done is called, or the look cancelled. */
int look_start(struct service *s, const char *path, look_fn *done);

/* Kills the child; done is not called any more. */
void look_cancel(struct service *s);

/* The same; nor is its end waited for. */
void look_fini(struct service *s);

/* The child's main. */
int look_main(int argc, char **argv);

#endif
