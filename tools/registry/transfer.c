/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs in parallel: each worker takes the next one until none is left or one has failed. */
#include <errno.h>
#include <string.h>

#include "lib/array.h"
#include "tools/registry/registry_priv.h"

int transfer_add(struct transfer *x, const struct blob_desc *desc, struct err *e) {
    for (size_t i = 0; i < x->len; i++)
        if (!strcmp(x->blobs[i].digest, desc->digest))
            return 0;
    if (x->len == REGISTRY_LAYERS_MAX)
        return err_set(e, -E2BIG, "it has more than %d layers", REGISTRY_LAYERS_MAX);
    if (ARRAY_ROOM(x->blobs, x->len, x->cap) < 0)
        return err_errno(e, -ENOMEM, "could not list its layers");
    x->blobs[x->len++] = *desc;
    return 0;
}

static bool next_blob(struct transfer *x, size_t *index) {
    (void)pthread_mutex_lock(&x->lock);
    bool more = !x->err.code && x->next < x->len;
    if (more)
        *index = x->next++;
    (void)pthread_mutex_unlock(&x->lock);
    return more;
}

static void note_error(struct transfer *x, const struct err *e) {
    (void)pthread_mutex_lock(&x->lock);
    if (!x->err.code)
        x->err = *e;
    (void)pthread_mutex_unlock(&x->lock);
}

static void *work(void *data) {
    struct transfer *x = data;
    struct err e = {0};
    size_t index;
    CURL *curl = curl_easy_init();

    if (!curl) {
        (void)err_errno(&e, -ENOMEM, "could not start a transfer");
        note_error(x, &e);
        return NULL;
    }
    while (next_blob(x, &index))
        if (x->move(x, curl, index, &e) < 0)
            note_error(x, &e);
    curl_easy_cleanup(curl);
    return NULL;
}

int transfer_run(struct transfer *x, const char *title, struct err *e) {
    pthread_t workers[REGISTRY_WORKERS - 1];
    size_t started = 0;

    if (!x->len)
        return 0;
    if (pthread_mutex_init(&x->lock, NULL) != 0)
        return err_errno(e, -ENOMEM, "could not start a transfer");
    x->progress = progress_new(title, x->blobs, x->len);
    /* A thread that cannot be had is made up for by the others; this one works too. */
    while (started < ARRAY_SIZE(workers) && started + 1 < x->len &&
           pthread_create(&workers[started], NULL, work, x) == 0)
        started++;
    (void)work(x);
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(workers[i], NULL);
    progress_free(steal_ptr(&x->progress));
    (void)pthread_mutex_destroy(&x->lock);
    return x->err.code ? err_set(e, x->err.code, "%s", x->err.msg) : 0;
}

void transfer_free(struct transfer *x) {
    free(x->blobs);
    x->blobs = NULL;
    x->len = x->cap = 0;
}
