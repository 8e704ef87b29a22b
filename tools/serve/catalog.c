/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/serve/catalog.h"

#include <errno.h>
#include <string.h>

#include "lib/fdutil.h"
#include "lib/log.h"

#define MENU_SECONDS 10
#define MENU "boot" /* .ipxe */

bool catalog_name_ok(const char *name) {
    return *name && *name != '.' && *name != '-' && /* which a command of iPXE would take for an option */
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") == strlen(name);
}

static struct appliance *find_or_add(struct catalog *c, const char *name, size_t len) {
    if (len == 0 || len >= CATALOG_NAME_MAX || (len == strlen(MENU) && !memcmp(name, MENU, len)))
        return NULL;
    for (size_t i = 0; i < c->len; i++)
        if (strlen(c->v[i].name) == len && !memcmp(c->v[i].name, name, len))
            return &c->v[i];
    if (c->len == CATALOG_MAX)
        return NULL;
    struct appliance *a = &c->v[c->len++];
    *a = (struct appliance){.kernel = false};
    memcpy(a->name, name, len);
    return a;
}

static bool has_name(const struct names *names, const char *stem, size_t stem_len, const char *suffix) {
    for (size_t i = 0; i < names->len; i++)
        if (!strncmp(names->v[i], stem, stem_len) && !strcmp(names->v[i] + stem_len, suffix))
            return true;
    return false;
}

static bool ends_in(const char *name, const char *suffix, size_t *stem) {
    size_t len = strlen(name), n = strlen(suffix);

    *stem = len > n ? len - n : 0;
    return *stem && !strcmp(name + *stem, suffix);
}

int catalog_read(const char *dir, struct catalog *c, struct err *e) {
    AUTO_NAMES struct names names = {0};
    size_t stem, lost = 0;
    int r = list_dir(dir, &names, e);

    *c = (struct catalog){.len = 0};
    for (size_t i = 0; i < names.len && !r; i++) {
        const char *name = names.v[i];
        bool kernel = ends_in(name, "-kernel", &stem) && has_name(&names, name, stem, "-initrd.img");
        if (!catalog_name_ok(name) || (!kernel && !ends_in(name, ".efi", &stem)))
            continue;
        struct appliance *a = find_or_add(c, name, stem);
        if (a && kernel)
            a->kernel = true;
        else if (a)
            a->uki = true;
        else
            lost++;
    }
    if (lost)
        log_warning("%zu images in %s are not served: at most %d are, with names of up to %d bytes, and not \"" MENU
                    "\", which is the menu's",
                    lost, dir, CATALOG_MAX, CATALOG_NAME_MAX - 1);
    return r;
}

int catalog_script(const struct appliance *a, const char *cmdline, struct buf *out) {
    if (!a->kernel)
        return buf_printf(out, "#!ipxe\nchain %s.efi\n", a->name);
    /* EFI's stub finds the initrd by the name that is on its command line. */
    return buf_printf(out, "#!ipxe\nkernel %s-kernel initrd=%s-initrd.img %s\ninitrd %s-initrd.img\nboot\n", a->name,
                      a->name, cmdline, a->name);
}

int catalog_menu(const struct catalog *c, struct buf *out) {
    int r = buf_puts(out, "#!ipxe\n");

    if (c->len == 0)
        return r < 0 ? r : buf_puts(out, "echo There is no image to boot\nshell\n");
    if (c->len == 1)
        return r < 0 ? r : buf_printf(out, "chain %s.ipxe\n", c->v[0].name);
    r = r < 0 ? r : buf_puts(out, "menu What to boot\n");
    for (size_t i = 0; i < c->len && !r; i++)
        r = buf_printf(out, "item %s %s\n", c->v[i].name, c->v[i].name);
    return r < 0 ? r
                 : buf_printf(out, "choose --default %s --timeout %d000 image && chain ${image}.ipxe\n", c->v[0].name,
                              MENU_SECONDS);
}

int catalog_index(const struct catalog *c, struct buf *out) {
    int r = buf_puts(out, "<!DOCTYPE html><title>keelson</title><p><a href=\"boot.ipxe\">boot.ipxe</a>\n<ul>\n");

    for (size_t i = 0; i < c->len && !r; i++) {
        const char *name = c->v[i].name;
        r = buf_printf(out, "<li>%s: <a href=\"%s.ipxe\">%s.ipxe</a>", name, name, name);
        if (!r && c->v[i].uki)
            r = buf_printf(out, ", <a href=\"%s.efi\">%s.efi</a>", name, name);
        r = r < 0 ? r : buf_puts(out, "\n");
    }
    return r < 0 ? r : buf_puts(out, "</ul>\n");
}
