/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output/tee.h"

#include <errno.h>
#include <stdio.h>

#include "lib/fdutil.h"
#include "lib/temp.h"
#include "tools/image/content.h"

#define CHUNK ((size_t)64 << 10)

struct tee {
    struct output base;
    struct output **outputs;
    size_t len;
    FILE *spool; /* without a name; NULL: not needed yet */
};

static int fill_spool(struct tee *t, const struct entry_content *content, struct err *e) {
    AUTO_FREE char *chunk = malloc(CHUNK);
    ssize_t n;
    int r = t->spool ? 0 : temp_unnamed_stream(&t->spool, e);

    if (r < 0)
        return r;
    if (!chunk || ftruncate(fileno(t->spool), 0) < 0 || lseek(fileno(t->spool), 0, SEEK_SET) < 0)
        return err_errno(e, chunk ? -errno : -ENOMEM, "could not make a temporary file");
    while (!r && (n = content->read(content->ctx, chunk, CHUNK, e)) != 0) {
        if (n < 0)
            return (int)n;
        r = write_full(fileno(t->spool), chunk, (size_t)n);
    }
    return r < 0 ? err_seal(e, err_errno(e, r, "could not write a temporary file")) : 0;
}

static int add_spooled(struct tee *t, const struct entry *entry, const struct origin *origin, struct err *e) {
    int r = 0;

    for (size_t i = 0; i < t->len && !r; i++) {
        struct content_source source = content_fd(entry->path, fileno(t->spool));
        const struct entry_content content = {.read = content_read, .ctx = &source};
        if (lseek(source.fd, 0, SEEK_SET) < 0)
            return err_errno(e, -errno, "could not read a temporary file");
        r = output_add(t->outputs[i], entry, &content, origin, e);
    }
    return r;
}

static int add(struct output *o, const struct entry *entry, const struct entry_content *content,
               const struct origin *origin, struct err *e) {
    struct tee *t = (struct tee *)o;
    int r = 0;

    if (content && t->len > 1) {
        r = fill_spool(t, content, e);
        return r ? r : add_spooled(t, entry, origin, e);
    }
    for (size_t i = 0; i < t->len && !r; i++)
        r = output_add(t->outputs[i], entry, content, origin, e);
    return r;
}

static int finish(struct output *o, struct err *e) {
    (void)o;
    (void)e;
    return 0;
}

static void free_tee(struct output *o) {
    struct tee *t = (struct tee *)o;

    if (t->spool)
        (void)fclose(t->spool);
    free(t->outputs);
    free(t);
}

int output_tee_new(struct output *const *outputs, size_t len, bool all, struct output **out, struct err *e) {
    static const struct output_type type = {.add = add, .finish = finish, .free = free_tee};
    struct tee *t = calloc(1, sizeof(*t));

    if (t)
        t->outputs = calloc(len + 1, sizeof(struct output *));
    if (!t || !t->outputs) {
        free(t);
        return err_errno(e, -ENOMEM, "could not open the outputs");
    }
    t->base.type = &type;
    for (size_t i = 0; i < len; i++)
        if (all || !output_takes_segments(outputs[i]))
            t->outputs[t->len++] = outputs[i];
    *out = &t->base;
    return 0;
}

size_t output_tee_len(const struct output *tee) {
    return ((const struct tee *)tee)->len;
}
