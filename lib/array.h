/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that grow by doubling. Inline: who does not use it has nothing of it in its program. */
#ifndef LIB_ARRAY_H
#define LIB_ARRAY_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* array: the address of the pointer to its members. */
static inline int array_room(void *array, size_t len, size_t *cap, size_t size) {
    size_t more = *cap ? 2 * *cap : 16;
    void *v, *grown;

    if (len < *cap)
        return 0;
    memcpy(&v, array, sizeof(v));
    grown = reallocarray(v, more, size);
    if (!grown)
        return -ENOMEM;
    memcpy(array, &grown, sizeof(grown));
    *cap = more;
    return 0;
}

/* Room for one member more behind the len of v, which has room for cap: 0, or -ENOMEM, and then all is as it was. */
#define ARRAY_ROOM(v, len, cap) array_room(&(v), (len), &(cap), sizeof(*(v)))

#endif
