/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/serve/catalog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdutil.h"
#include "lib/log.h"
#include "tools/output/bootable.h"

#define CMDLINE_FILE_MAX 65536
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
    *a = (struct appliance){.arch = ""};
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

/* Of a file that cannot be read, or is something else, it stays unknown: who asks for it will see. */
static void find_arch(const char *dir, struct appliance *a) {
    AUTO_FREE char *path = NULL;
    struct bootable b;

    if (asprintf(&path, "%s/%s%s", dir, a->name, a->kernel ? "-kernel" : ".efi") < 0)
        path = NULL;
    else if (bootable_look(path, &b, NULL) == 0)
        a->arch = b.arch;
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
    for (size_t i = 0; i < c->len; i++)
        find_arch(dir, &c->v[i]);
    return r;
}

void catalog_add_ukis(struct catalog *c, const char *dir) {
    for (size_t i = 0; i < c->len; i++) {
        AUTO_FREE char *path = NULL;
        if (asprintf(&path, "%s/%s.efi", dir, c->v[i].name) < 0)
            path = NULL;
        else if (access(path, F_OK) == 0)
            c->v[i].uki = true;
    }
}

const struct appliance *catalog_uki(const struct catalog *c, const char *arch) {
    for (size_t i = 0; i < c->len; i++)
        if (c->v[i].uki && !strcmp(c->v[i].arch, arch))
            return &c->v[i];
    return NULL;
}

int catalog_cmdline(const char *dir, const char *name, struct buf *out) {
    AUTO_FREE char *path = NULL;

    if (asprintf(&path, "%s/%s-cmdline", dir, name) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    int r = buf_puts(out, "");
    if (!r && access(path, F_OK) == 0)
        r = read_file(path, CMDLINE_FILE_MAX, out, NULL);
    for (char *p = out->data; !r && *p; p++)
        if (*p == '\n')
            *p = ' ';
    return r;
}

/* iPXE ends a command or begins a comment at these words, and expands settings in any other: it has no quotes. */
const char *catalog_unfit_word(const char *cmdline, size_t *len) {
    static const char spaces[] = " \t\r\n\v\f";

    for (const char *w = cmdline; *(w += strspn(w, spaces)); w += *len) {
        *len = strcspn(w, spaces);
        const char *setting = memmem(w, *len, "${", 2);
        bool ends =
            *w == '#' || (*len == 1 && *w == ';') || (*len == 2 && (!memcmp(w, "||", 2) || !memcmp(w, "&&", 2)));
        if (ends || (setting && memchr(setting, '}', (size_t)(w + *len - setting))))
            return w;
    }
    return NULL;
}

int catalog_script(const struct appliance *a, const char *cmdline, struct buf *out) {
    size_t len;
    bool fits = !catalog_unfit_word(cmdline, &len);

    if (!a->kernel || (!fits && a->uki))
        return buf_printf(out, "#!ipxe\nchain %s.efi\n", a->name);
    if (!fits)
        return buf_printf(out, "#!ipxe\necho iPXE cannot pass the command line of %s on: a UKI can\nshell\n", a->name);
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
    for (size_t i = 0; i < c->len && !r; i++) {
        const struct appliance *a = &c->v[i];
        /* iPXE for a PC calls itself i386, or x86_64. A line that fails would end the script. */
        const char *only = !strcmp(a->arch, "arm64")   ? "iseq ${buildarch} arm64 && "
                           : !strcmp(a->arch, "amd64") ? "iseq ${buildarch} arm64 || "
                                                       : "";
        r = buf_printf(out, "%sitem %s %s%s\n", only, a->name, a->name, strstr(only, "&&") ? " ||" : "");
    }
    return r < 0 ? r : buf_printf(out, "choose --timeout %d000 image && chain ${image}.ipxe\n", MENU_SECONDS);
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
