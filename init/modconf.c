/* SPDX-License-Identifier: Apache-2.0 */
#include "init/modconf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmdline/cmdline.h"
#include "lib/fdutil.h"
#include "lib/log.h"

#define CONF_MAX ((size_t)4 << 20)
#define FILE_MAX ((size_t)1 << 20)

void modconf_free(struct modconf *c) {
    buf_free(&c->text);
}

static void add(struct modconf *c, const char *text, size_t len) {
    c->text.max = CONF_MAX;
    if (len > 0 && buf_append(&c->text, text, len) < 0)
        log_error("could not take in %zu bytes about modules: out of memory", len);
}

void modconf_add(struct modconf *c, const char *text, size_t len) {
    size_t begin = c->text.len;

    add(c, text, len);
    for (size_t i = begin; i + 1 < c->text.len; i++)
        if (c->text.data[i] == '\\' && c->text.data[i + 1] == '\n')
            c->text.data[i] = c->text.data[i + 1] = ' ';
    if (c->text.len > begin && c->text.data[c->text.len - 1] != '\n')
        add(c, "\n", 1);
}

static bool is_conf(const char *name) {
    size_t len = strlen(name);

    return len > 5 && !strcmp(name + len - 5, ".conf");
}

void modconf_add_files(struct modconf *c, const char *root) {
    AUTO_NAMES struct names names = {0};
    char dir[192], path[512];

    (void)snprintf(dir, sizeof(dir), "%s/etc/modprobe.d", root);
    if (list_dir(dir, &names, NULL) < 0)
        return; /* none */
    for (size_t i = 0; i < names.len; i++) {
        AUTO_BUF struct buf text = BUF_INIT;
        struct err e = {0};
        if (!is_conf(names.v[i]))
            continue;
        (void)snprintf(path, sizeof(path), "%s/%.255s", dir, names.v[i]);
        if (read_file(path, FILE_MAX, &text, &e) < 0)
            log_warning("%s", e.msg);
        else
            modconf_add(c, text.data, text.len);
    }
}

static void blacklist(struct modconf *c, const char *names) {
    for (const char *p = names; *p; p += *p == ',') {
        size_t len = strcspn(p, ",");
        add(c, "blacklist ", 10);
        add(c, p, len);
        add(c, "\n", 1);
        p += len;
    }
}

/* "MODULE.PARAMETER=VALUE"; a value with white space was quoted, and is for the kernel to unquote again. */
static void parameter(struct modconf *c, const char *key, const char *dot, const char *value) {
    const char *quote = value && strpbrk(value, " \t") ? "\"" : "";
    char line[1024];

    int n = snprintf(line, sizeof(line), "options %.*s %s%s%s%s%s\n", (int)(dot - key), key, dot + 1, value ? "=" : "",
                     quote, value ? value : "", quote);
    if (n > 0 && n < (int)sizeof(line) && strchr(line, '\n') == line + n - 1)
        add(c, line, (size_t)n);
    else
        log_error("could not use %.64s...: it is too long, or more than one line", key);
}

static void take_word(const char *key, const char *value, void *data) {
    const char *dot = strchr(key, '.');

    if (!strcmp(key, "modprobe.blacklist"))
        blacklist(data, value ? value : "");
    else if (dot && dot != key && dot[1])
        parameter(data, key, dot, value);
}

void modconf_add_cmdline(struct modconf *c, const char *text, size_t len) {
    (void)cmdline_each(text, len, take_word, c);
}

bool word_next(struct word *rest, struct word *out) {
    while (rest->len > 0 && (*rest->p == ' ' || *rest->p == '\t')) {
        rest->p++;
        rest->len--;
    }
    *out = (struct word){rest->p, 0};
    while (out->len < rest->len && out->p[out->len] != ' ' && out->p[out->len] != '\t')
        out->len++;
    rest->p += out->len;
    rest->len -= out->len;
    return out->len > 0;
}

bool modconf_next(const struct modconf *c, const char *keyword, const char **pos, struct word *rest) {
    const char *line = *pos ? *pos : c->text.data;
    struct word first;

    while (line && *line) {
        *rest = (struct word){line, strcspn(line, "\n")};
        line += rest->len + (line[rest->len] == '\n');
        *pos = line;
        if (word_next(rest, &first) && first.len == strlen(keyword) && !memcmp(first.p, keyword, first.len))
            return true;
    }
    return false;
}

bool module_name_is(struct word a, struct word b) {
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if ((a.p[i] == '-' ? '_' : a.p[i]) != (b.p[i] == '-' ? '_' : b.p[i]))
            return false;
    return true;
}

bool modconf_has(const struct modconf *c, const char *keyword, struct word module) {
    const char *pos = NULL;
    struct word rest, name;

    while (modconf_next(c, keyword, &pos, &rest))
        if (word_next(&rest, &name) && module_name_is(name, module))
            return true;
    return false;
}

int modconf_options(const struct modconf *c, struct word module, char *out, size_t size) {
    const char *pos = NULL;
    struct word rest, name;
    size_t used = 0;

    out[0] = '\0';
    while (modconf_next(c, "options", &pos, &rest)) {
        if (!word_next(&rest, &name) || !module_name_is(name, module))
            continue;
        if (used + rest.len + 2 > size)
            return -E2BIG;
        if (used)
            out[used++] = ' ';
        rest.p += rest.len > 0;
        rest.len -= rest.len > 0;
        memcpy(out + used, rest.p, rest.len);
        used += rest.len;
        out[used] = '\0';
    }
    return 0;
}
