/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/inspect/inspect_priv.h"

#define PAGE 4096

/* Which item a path belongs to: containers/KIND/NAME, the modules, or the root. */
static void owner_of(const char *path, char *kind, char *name) {
    static const char *const kinds[] = {"onboot", "onshutdown", "services", "volumes"};
    bool modules = !strncmp(path, "lib/modules/", 12) || !strncmp(path, "usr/lib/modules/", 16);

    (void)snprintf(kind, sizeof(((struct item *)0)->kind), "%s", modules ? "modules" : "root");
    (void)snprintf(name, ITEM_NAME_MAX, "%s", modules ? "lib/modules" : "/");
    for (size_t i = 0; i < ARRAY_SIZE(kinds) && !strncmp(path, "containers/", 11); i++) {
        size_t len = strlen(kinds[i]);
        const char *rest = path + 11;
        if (strncmp(rest, kinds[i], len) != 0 || rest[len] != '/' || !rest[len + 1])
            continue;
        (void)snprintf(kind, sizeof(((struct item *)0)->kind), "%s", kinds[i]);
        (void)snprintf(name, ITEM_NAME_MAX, "%.*s", (int)strcspn(rest + len + 1, "/"), rest + len + 1);
    }
}

static struct item *find_item(struct inspection *in, const char *path, struct err *e) {
    char kind[sizeof(in->items->kind)], name[ITEM_NAME_MAX];

    owner_of(path, kind, name);
    for (size_t i = in->items_len; i-- > 0;)
        if (!strcmp(in->items[i].kind, kind) && !strcmp(in->items[i].name, name))
            return &in->items[i];
    struct item *grown =
        in->items_len < ITEMS_MAX ? reallocarray(in->items, in->items_len + 1, sizeof(*in->items)) : NULL;
    if (!grown) {
        (void)err_set(e, -E2BIG, "it has more than %d containers and volumes", ITEMS_MAX);
        return NULL;
    }
    in->items = grown;
    struct item *item = &in->items[in->items_len++];
    *item = (struct item){0};
    (void)snprintf(item->kind, sizeof(item->kind), "%s", kind);
    (void)snprintf(item->name, sizeof(item->name), "%s", name);
    return item;
}

int item_count(struct inspection *in, const char *path, bool regular, uint64_t size, uint64_t archived, struct err *e) {
    struct item *item = find_item(in, path, e);

    if (!item)
        return -E2BIG;
    item->files += regular;
    item->size += regular ? size : 0;
    item->pages += regular ? (size + PAGE - 1) / PAGE * PAGE : 0;
    item->archived += archived;
    return 0;
}

int item_on_entry(void *data, const struct initrd_entry *entry, struct err *e) {
    return item_count(data, entry->path, S_ISREG(entry->mode), entry->size, entry->archived, e);
}

/* The member's bytes in the file are those of the items in it, in proportion. */
int item_on_member(void *data, const struct initrd_member *member, struct err *e) {
    struct inspection *in = data;
    uint64_t archived = 0;

    (void)e;
    for (size_t i = 0; i < in->items_len; i++)
        archived += in->items[i].archived;
    for (size_t i = 0; i < in->items_len; i++) {
        struct item *item = &in->items[i];
        if (archived)
            item->compressed += (double)member->stored * (double)item->archived / (double)archived;
        item->archived = 0;
    }
    in->members++;
    return 0;
}
