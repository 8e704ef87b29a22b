/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/order.h"

#include <errno.h>
#include <string.h>

#include "lib/log.h"

static struct service *find(struct service *services, size_t len, const char *name) {
    for (size_t i = 0; i < len; i++)
        if (!strcmp(services[i].name, name))
            return &services[i];
    return NULL;
}

static bool has(struct service *const *list, size_t len, const struct service *s) {
    for (size_t i = 0; i < len; i++)
        if (list[i] == s)
            return true;
    return false;
}

static int link_to(struct service *s, struct service *other) {
    if (has(s->after, s->after_len, other))
        return 0;
    struct service **before = reallocarray(other->before, other->before_len + 1, sizeof(struct service *));
    if (!before)
        return -ENOMEM;
    other->before = before;
    s->after[s->after_len++] = other;
    other->before[other->before_len++] = s;
    return 0;
}

static int link_all(struct service *services, size_t len, struct service *s) {
    if (s->policy.after.len == 0)
        return 0;
    s->after = calloc(s->policy.after.len, sizeof(struct service *));
    if (!s->after)
        return -ENOMEM;
    for (size_t i = 0; i < s->policy.after.len; i++) {
        struct service *other = find(services, len, s->policy.after.v[i]);
        if (!other)
            log_error("service %s: there is no service \"%.100s\" to start after", s->name, s->policy.after.v[i]);
        else if (link_to(s, other) < 0)
            return -ENOMEM;
    }
    return 0;
}

static void unlink_one(struct service **list, size_t *len, const struct service *s) {
    for (size_t i = 0; i < *len; i++)
        if (list[i] == s) {
            memmove(&list[i], &list[i + 1], (*len - i - 1) * sizeof(struct service *));
            (*len)--;
            return;
        }
}

/* Whether all of a list are marked as placed; those that are not are in a circle, or lead to one. */
static bool all_placed(struct service *const *list, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!list[i]->placed)
            return false;
    return true;
}

/* Takes away, again and again, who has nobody unplaced on either side: what is left are the circles. */
static size_t place(struct service *services, size_t len) {
    size_t left = len;

    for (size_t i = 0; i < len; i++)
        services[i].placed = false;
    for (bool progress = true; progress;) {
        progress = false;
        for (size_t i = 0; i < len; i++) {
            struct service *s = &services[i];
            if (s->placed || (!all_placed(s->after, s->after_len) && !all_placed(s->before, s->before_len)))
                continue;
            s->placed = progress = true;
            left--;
        }
    }
    return left;
}

static void open_circles(struct service *services, size_t len) {
    char names[512] = "";
    size_t used = 0;

    if (place(services, len) == 0)
        return;
    for (size_t i = 0; i < len; i++) {
        struct service *s = &services[i];
        if (s->placed)
            continue;
        if (used < sizeof(names))
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", s->name);
        for (size_t k = s->after_len; k-- > 0;) {
            struct service *other = s->after[k];
            if (other->placed)
                continue;
            unlink_one(other->before, &other->before_len, s);
            unlink_one(s->after, &s->after_len, other);
        }
    }
    log_error("services wait for each other in a circle: %s; they start without an order among them", names);
}

static void forget(struct service *s) {
    free(s->after);
    free(s->before);
    s->after = s->before = NULL;
    s->after_len = s->before_len = 0;
}

int order_resolve(struct service *services, size_t len) {
    int r = 0;

    for (size_t i = 0; i < len; i++)
        forget(&services[i]);
    for (size_t i = 0; i < len && !r; i++)
        r = link_all(services, len, &services[i]);
    if (r < 0)
        for (size_t i = 0; i < len; i++)
            forget(&services[i]);
    else
        open_circles(services, len);
    return r;
}

static bool came_to_a_result(const struct service *s) {
    return s->settled && !s->queued && (life_is_down(s->life) || s->life == LIFE_BACKOFF);
}

bool order_may_start(const struct service *s) {
    for (size_t i = 0; i < s->after_len; i++)
        if (!service_is_ready(s->after[i]) && !came_to_a_result(s->after[i]))
            return false;
    return true;
}

bool order_may_stop(const struct service *s) {
    for (size_t i = 0; i < s->before_len; i++)
        if (!service_is_over(s->before[i]))
            return false;
    return true;
}

/* There are no circles any more; a chain is no longer than there are services, and each pass settles one link. */
uint64_t order_stop_ms(const struct service *services, size_t len) {
    uint64_t *until = calloc(len + 1, sizeof(*until));
    uint64_t longest = 0;

    if (!until)
        return 0;
    for (bool progress = true; progress;) {
        progress = false;
        for (size_t i = 0; i < len; i++) {
            const struct service *s = &services[i];
            uint64_t begin = 0;
            for (size_t k = 0; k < s->before_len; k++) {
                uint64_t other = until[s->before[k] - services];
                begin = other > begin ? other : begin;
            }
            uint64_t end = begin + s->policy.stop_timeout_ms + life_deadline_ms(LIFE_KILLING);
            progress |= end != until[i];
            until[i] = end;
            longest = end > longest ? end : longest;
        }
    }
    free(until);
    return longest;
}
