/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that outlive a daemon: PID 1 keeps them, and the next life of the daemon inherits them.
 *
 * The daemon finds KEELSON_FDSTORE=FD in its environment, a SOCK_SEQPACKET socket; it sends struct fdstore_msg: `add`
 * with one descriptor (SCM_RIGHTS) and a key, which replaces what had that key, or `remove` with a key. There are no
 * answers. What is kept is inherited under the same numbers and listed in KEELSON_FDS=KEY:FD,KEY:FD,... At most
 * FDSTORE_MAX; a descriptor beyond that is closed at once.
 */
#ifndef LIB_FDSTORE_H
#define LIB_FDSTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"
#include "lib/spawn.h"

#define FDSTORE_MAX 1100
#define FDSTORE_ENV_MAX 128

enum fdstore_op { FDSTORE_ADD = 1, FDSTORE_REMOVE = 2 };

struct fdstore_msg {
    uint32_t op;
    uint32_t key;
};

/* --- who keeps them; nothing is allocated --- */

struct fdstore {
    int ours, theirs; /* the socket's ends */
    struct loop_source source;
    unsigned len;
    struct {
        uint32_t key;
        int fd;
    } kept[FDSTORE_MAX];
    int inherited[FDSTORE_MAX + 1];
    char socket_text[32];
    char list_text[FDSTORE_MAX * 22 + 16];
    const char *envp[FDSTORE_ENV_MAX + 3];
};

int fdstore_init(struct fdstore *f, struct loop *l);
/* Makes s inherit the socket and what is kept. s must not outlive f. */
void fdstore_prepare(struct fdstore *f, struct spawn *s);
/* Closes what is kept, and the socket. */
void fdstore_fini(struct fdstore *f, struct loop *l);

/* --- whose they are --- */

/* The socket; -1: nobody keeps descriptors. */
int fdstore_socket(void);
/* Calls fn for each descriptor that was kept (close-on-exec from now on); it is fn's to close. */
void fdstore_each(void (*fn)(void *data, uint32_t key, int fd), void *data);
/* Neither waits: -EAGAIN while the keeper has not come to what was sent before; the socket can be waited for. */
int fdstore_add(int sock, uint32_t key, int fd);
int fdstore_remove(int sock, uint32_t key);

#endif
