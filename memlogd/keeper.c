/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/keeper.h"

#include <errno.h>

#include "lib/fdstore.h"

#define KEY_OTHERS 0x10000u /* doc/joints.md */

uint32_t keeper_key(unsigned place) {
    return place < INTAKE_SLOTS ? place : KEY_OTHERS + (place - INTAKE_SLOTS);
}

int keeper_place_of(uint32_t key) {
    if (key < INTAKE_SLOTS)
        return (int)key;
    return key >= KEY_OTHERS && key < keeper_key(KEEPER_PLACES) ? (int)(key - KEY_OTHERS) + INTAKE_SLOTS : -1;
}

static bool is_untold(const struct keeper *k, unsigned place) {
    return k->untold[place / 64] >> place % 64 & 1;
}

static void set_untold(struct keeper *k, unsigned place, bool untold) {
    uint64_t bit = (uint64_t)1 << place % 64;

    if (is_untold(k, place) == untold)
        return;
    k->untold[place / 64] ^= bit;
    k->untold_len = untold ? k->untold_len + 1 : k->untold_len - 1;
}

/* Not now: its socket is full, or something else is short that no event tells of. */
static bool may_pass(int error) {
    return error == -EAGAIN || error == -ETOOMANYREFS || error == -ENOMEM || error == -ENOBUFS;
}

static int tell(struct keeper *k, unsigned place) {
    int fd = k->descriptor(k->data, place);

    return fd >= 0 ? fdstore_add(k->sock, keeper_key(place), fd) : fdstore_remove(k->sock, keeper_key(place));
}

static void on_room(struct loop_source *s, uint32_t events, void *data);

/* Until there is no more, or it cannot take it. */
static void tell_all(struct keeper *k) {
    int r = 0;

    for (unsigned place = 0; place < KEEPER_PLACES && k->untold_len > 0; place++) {
        if (!is_untold(k, place))
            continue;
        r = tell(k, place);
        if (may_pass(r))
            break;
        set_untold(k, place, false);
        k->told(k->data, place, r);
    }
    if (r == -EAGAIN && !loop_has(&k->source))
        (void)loop_add_fd(k->loop, &k->source, k->sock, EPOLLOUT, on_room, k); /* else keeper_retry() does it */
    if (r != -EAGAIN)
        loop_remove(k->loop, &k->source);
}

static void on_room(struct loop_source *s, uint32_t events, void *data) {
    (void)s;
    (void)events;
    tell_all(data);
}

void keeper_init(struct keeper *k, struct loop *l, int sock) {
    k->loop = l;
    k->sock = sock;
}

void keeper_change(struct keeper *k, unsigned place) {
    if (k->sock < 0) {
        k->told(k->data, place, 0);
        return;
    }
    bool others_wait = k->untold_len > 0;
    set_untold(k, place, true);
    if (!others_wait)
        tell_all(k);
}

void keeper_retry(struct keeper *k) {
    if (k->untold_len > 0)
        tell_all(k);
}
