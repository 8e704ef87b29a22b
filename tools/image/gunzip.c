/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/image/gunzip.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <string.h>

#define OUT_SIZE ((size_t)128 << 10)

struct gunzip {
    gunzip_source *source;
    void *data;
    bool begun, ended; /* of the member; nothing more is looked at */
    struct inflate_state state;
    unsigned char *next; /* input; a copy: the library wants it writable */
    size_t left, cap;
    unsigned char *in;
    unsigned char out[OUT_SIZE];
};

bool gunzip_wanted(const void *bytes, size_t len) {
    return len >= 2 && !memcmp(bytes, "\x1f\x8b", 2);
}

int gunzip_new(gunzip_source *source, void *data, struct gunzip **out, struct err *e) {
    struct gunzip *g = calloc(1, sizeof(*g));

    if (!g)
        return err_errno(e, -ENOMEM, "could not start to decompress");
    g->source = source;
    g->data = data;
    *out = g;
    return 0;
}

/* 1: there is input; 0: there is no more. */
static int refill(struct gunzip *g, struct err *e) {
    const void *bytes;

    if (g->left)
        return 1;
    ssize_t n = g->source(g->data, &bytes, e);
    if (n <= 0)
        return (int)n;
    if ((size_t)n > g->cap) {
        unsigned char *grown = realloc(g->in, (size_t)n);
        if (!grown)
            return err_errno(e, -ENOMEM, "could not decompress");
        g->in = grown;
        g->cap = (size_t)n;
    }
    memcpy(g->in, bytes, (size_t)n);
    g->next = g->in;
    g->left = (size_t)n;
    return 1;
}

static void begin(struct gunzip *g) {
    isal_inflate_init(&g->state);
    g->state.crc_flag = ISAL_GZIP;
    g->begun = true;
}

/* Bytes that came out, or a negative errno. */
static ssize_t inflate_some(struct gunzip *g, struct err *e) {
    g->state.next_in = g->next;
    g->state.avail_in = (uint32_t)g->left;
    g->state.next_out = g->out;
    g->state.avail_out = (uint32_t)OUT_SIZE;
    int status = isal_inflate(&g->state);
    if (status < 0)
        return err_set(e, -EBADMSG, "its gzip data is damaged");
    g->next += g->left - g->state.avail_in;
    g->left = g->state.avail_in;
    if (g->state.block_state == ISAL_BLOCK_FINISH)
        g->begun = false;
    return (ssize_t)(OUT_SIZE - g->state.avail_out);
}

ssize_t gunzip_read(struct gunzip *g, const void **bytes, struct err *e) {
    ssize_t n = 0;

    *bytes = g->out;
    while (!n && !g->ended) {
        int more = refill(g, e);
        if (more < 0)
            return more;
        if (!more && g->begun)
            return err_set(e, -EBADMSG, "its gzip data is cut off");
        if (!more || (!g->begun && *g->next != 0x1f)) {
            g->ended = true;
            break;
        }
        if (!g->begun)
            begin(g);
        n = inflate_some(g, e);
    }
    return n;
}

void gunzip_free(struct gunzip *g) {
    free(g->in);
    free(g);
}
