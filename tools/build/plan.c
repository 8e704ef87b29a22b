/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/build/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "lib/array.h"

#define APK_SOURCE "LINUXKIT.apkinit"

struct part *plan_add(struct plan *p, part_emit_fn *emit, const char *source, struct err *e, const char *location,
                      ...) {
    if (ARRAY_ROOM(p->v, p->len, p->cap) < 0)
        goto fail;
    struct part *part = &p->v[p->len];
    char *own_source = strdup(source), *own_location = NULL;
    va_list args;

    va_start(args, location);
    int n = vasprintf(&own_location, location, args);
    va_end(args);
    if (own_source && n >= 0) {
        *part = (struct part){.emit = emit,
                              .source = own_source,
                              .location = own_location,
                              .origin = {.source = own_source, .location = own_location}};
        p->len++;
        return part;
    }
    free(own_source);
fail:
    (void)err_errno(e, -ENOMEM, "could not plan the build");
    return NULL;
}

int part_set_key(struct part *p, struct err *e, const char *fmt, ...) {
    AUTO_FREE char *words = NULL;
    va_list args;

    va_start(args, fmt);
    int n = vasprintf(&words, fmt, args);
    va_end(args);
    if (n < 0 || asprintf(&p->key, "%s %s", image_digest(p->img), words) < 0) {
        p->key = NULL;
        return err_errno(e, -ENOMEM, "could not plan the build");
    }
    return 0;
}

int emit_root(const struct build *b, const struct plan *plan, struct part *p, struct err *e) {
    (void)plan;
    return add_image_root(b, p->img, p->path, &p->origin, p->resolv_link, NULL, e);
}

static int emit_init(const struct build *b, const struct plan *plan, struct part *p, struct err *e) {
    (void)plan;
    buf_reset(&p->note);
    return add_image_root(b, p->img, "", &p->origin, RESOLV_LINK, &p->note, e);
}

/* Init images share the root: later ones win, and their package databases are put together. */
static int emit_apk(const struct build *b, const struct plan *plan, struct part *p, struct err *e) {
    AUTO_BUF struct buf all = BUF_INIT;
    unsigned found = 0;

    for (size_t i = 0; i < plan->len; i++) {
        const struct buf *note = &plan->v[i].note;
        if (plan->v[i].emit != emit_init || !note->len)
            continue;
        found++;
        if (buf_append(&all, note->data, note->len) < 0)
            return err_errno(e, -ENOMEM, "could not put the package databases together");
    }
    return found < 2 ? 0 : add_bytes_at(b, &p->origin, APK_DB, 0644, 0, all.data, all.len, e);
}

static int emit_files(const struct build *b, const struct plan *plan, struct part *p, struct err *e) {
    (void)plan;
    (void)p;
    return add_files(b, e);
}

static int plan_init(const struct build *b, struct plan *p, struct err *e) {
    int r = 0;

    for (size_t i = 0; i < b->config->init_len && !r; i++) {
        AUTO_FREE char *source = image_name(b->config->init[i].image);
        struct part *part = plan_add(p, emit_init, source ? source : "", e, "init[%zu]", i);
        r = part ? open_image(b, b->config->init[i].image, b->config->init[i].place, &part->img, e) : -ENOMEM;
        if (!r)
            r = part_set_key(part, e, "init");
    }
    return r || plan_add(p, emit_apk, APK_SOURCE, e, "init") ? r : -ENOMEM;
}

int plan_make(const struct build *b, struct plan *p, struct err *e) {
    p->roots = json_object();
    p->after = json_object();
    int r = p->roots && p->after ? plan_kernel(b, p, e) : err_errno(e, -ENOMEM, "could not plan the build");

    if (!r)
        r = plan_init(b, p, e);
    if (!r)
        r = plan_volumes(b, p, e);
    if (!r)
        r = plan_containers(b, p, e);
    if (!r)
        r = problems_result(b->problems, e);
    return r || plan_add(p, emit_files, "linuxkit.files", e, "files") ? r : -ENOMEM;
}

void plan_free(struct plan *p) {
    for (size_t i = 0; i < p->len; i++) {
        struct part *part = &p->v[i];
        free(part->source);
        free(part->location);
        free(part->key);
        free(part->path);
        free(part->config);
        free(part->runtime);
        buf_free(&part->note);
        if (part->img)
            image_close(part->img);
    }
    free(p->v);
    json_decref(p->roots);
    json_decref(p->after);
    *p = (struct plan){0};
}
