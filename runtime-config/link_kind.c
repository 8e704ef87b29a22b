/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime-config/link_kind.h"

#include <errno.h>
#include <string.h>

#include <linux/if_link.h>

#define VLAN_LAST 4094
#define VXLAN_LAST 0xffffff

struct mode {
    const char *name;
    uint32_t value;
};

static const struct mode macvlan_modes[] = {{"private", MACVLAN_MODE_PRIVATE},
                                            {"vepa", MACVLAN_MODE_VEPA},
                                            {"bridge", MACVLAN_MODE_BRIDGE},
                                            {"passthru", MACVLAN_MODE_PASSTHRU},
                                            {NULL, 0}};
static const struct mode ipvlan_modes[] = {
    {"l2", IPVLAN_MODE_L2}, {"l3", IPVLAN_MODE_L3}, {"l3s", IPVLAN_MODE_L3S}, {NULL, 0}};

static const struct kind {
    const char *name;
    const struct mode *modes;   /* NULL: it has none */
    uint32_t id_first, id_last; /* it needs a number, if id_attr is not 0 */
    uint16_t mode_attr, id_attr;
    uint8_t mode_bytes, id_bytes;
    bool needs_parent;
} kinds[] = {
    {"macvlan", .needs_parent = true, .modes = macvlan_modes, .mode_attr = IFLA_MACVLAN_MODE, .mode_bytes = 4},
    {"macvtap", .needs_parent = true, .modes = macvlan_modes, .mode_attr = IFLA_MACVLAN_MODE, .mode_bytes = 4},
    {"ipvlan", .needs_parent = true, .modes = ipvlan_modes, .mode_attr = IFLA_IPVLAN_MODE, .mode_bytes = 2},
    {"ipvtap", .needs_parent = true, .modes = ipvlan_modes, .mode_attr = IFLA_IPVLAN_MODE, .mode_bytes = 2},
    {"vlan", .needs_parent = true, .id_attr = IFLA_VLAN_ID, .id_bytes = 2, .id_first = 1, .id_last = VLAN_LAST},
    {"vxlan", .id_attr = IFLA_VXLAN_ID, .id_bytes = 4, .id_first = 1, .id_last = VXLAN_LAST},
    {"vrf", .id_attr = IFLA_VRF_TABLE, .id_bytes = 4, .id_first = 1, .id_last = UINT32_MAX - 1},
};
static const struct kind other = {.name = ""};

static const struct kind *find(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (!strcmp(kinds[i].name, name))
            return &kinds[i];
    return &other;
}

static void add(struct link_data *out, uint16_t attr, uint8_t bytes, uint32_t value) {
    out->v[out->len++] = (struct link_datum){attr, bytes, value};
}

static int take_id(const struct kind *k, const char *kind, const struct link_words *words, const char *where,
                   struct link_data *out, struct err *e) {
    bool given = words->id != LINK_NO_ID;

    if (!k->id_attr)
        return given ? err_set(e, -EINVAL, "%s.id: a link of kind %s has no number", where, kind) : 0;
    if (!given)
        return err_set(e, -EINVAL, "%s.id is missing: a link of kind %s has a number", where, kind);
    if (words->id < k->id_first || words->id > k->id_last)
        return err_set(e, -EINVAL, "%s.id is not a number from %u to %u", where, k->id_first, k->id_last);
    add(out, k->id_attr, k->id_bytes, (uint32_t)words->id);
    return 0;
}

/* "a, b or c" */
static void name_all(const struct mode *modes, char *out, size_t len) {
    size_t used = 0;

    for (const struct mode *m = modes; m->name && used < len; m++) {
        const char *between = m == modes ? "" : m[1].name ? ", " : " or ";
        int n = snprintf(out + used, len - used, "%s%s", between, m->name);
        used += n > 0 ? (size_t)n : 0;
    }
}

static int take_mode(const struct kind *k, const char *kind, const struct link_words *words, const char *where,
                     struct link_data *out, struct err *e) {
    char names[64];

    if (!words->mode)
        return 0; /* the kernel has one for each kind */
    if (!k->modes)
        return err_set(e, -EINVAL, "%s.mode: a link of kind %s has none", where, kind);
    for (const struct mode *m = k->modes; m->name; m++)
        if (!strcmp(m->name, words->mode)) {
            add(out, k->mode_attr, k->mode_bytes, m->value);
            return 0;
        }
    name_all(k->modes, names, sizeof(names));
    return err_set(e, -EINVAL, "%s.mode is not %s: \"%.50s\"", where, names, words->mode);
}

int link_kind_take(const char *kind, const struct link_words *words, const char *where, struct link_data *out,
                   struct err *e) {
    const struct kind *k = find(kind);

    *out = (struct link_data){0};
    if (k->needs_parent && !words->has_parent)
        return err_set(e, -EINVAL, "%s.parent is missing: a link of kind %s lies on another one", where, kind);
    int r = take_id(k, kind, words, where, out, e);
    return r < 0 ? r : take_mode(k, kind, words, where, out, e);
}
