/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdline/cmdline.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdutil.h"

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void copy_bounded(char *out, size_t size, const char *from, size_t len) {
    if (len >= size)
        len = size - 1;
    memcpy(out, from, len);
    out[len] = '\0';
}

static void add_console(struct cmdline *c, const char *value) {
    size_t name_len = strcspn(value, ",");
    struct cmdline_console *found = NULL;
    const char *options = value[name_len] ? value + name_len + 1 : "";

    if (name_len == 0 || name_len >= sizeof(found->name)) {
        c->dropped += name_len != 0;
        return;
    }
    for (size_t i = 0; i < c->consoles_len && !found; i++)
        if (strlen(c->consoles[i].name) == name_len && !memcmp(c->consoles[i].name, value, name_len))
            found = &c->consoles[i];
    if (!found && c->consoles_len == CMDLINE_CONSOLES_MAX) {
        c->dropped++;
        return;
    }
    if (!found)
        found = &c->consoles[c->consoles_len++];
    copy_bounded(found->name, sizeof(found->name), value, name_len);
    copy_bounded(found->options, sizeof(found->options), options, strlen(options));
    c->last_console = (size_t)(found - c->consoles);
}

static void add_blacklist(struct cmdline *c, const char *names) {
    size_t used = strlen(c->blacklist);
    size_t len = strlen(names);

    if (used + len + 2 > sizeof(c->blacklist)) {
        c->dropped++;
        return;
    }
    if (used)
        c->blacklist[used++] = ',';
    memcpy(c->blacklist + used, names, len + 1);
}

static void set_watchdog(struct cmdline *c, const char *value) {
    uint64_t seconds;

    c->watchdog_s = 0;
    if (parse_u64(value, CMDLINE_WATCHDOG_MAX, &seconds) < 0)
        c->dropped++;
    else
        c->watchdog_s = (unsigned)seconds;
}

static void take(struct cmdline *c, const char *key, const char *value) {
    if (!strcmp(key, "console"))
        add_console(c, value);
    else if (!strcmp(key, "linuxkit.unified_cgroup_hierarchy"))
        c->cgroup_v1 = !strcmp(value, "0");
    else if (!strcmp(key, "linuxkit.runc_debug"))
        c->runc_debug = !strcmp(value, "1");
    else if (!strcmp(key, "linuxkit.runc_console"))
        c->runc_console = !strcmp(value, "1");
    else if (!strcmp(key, "keelson.rescue"))
        c->rescue = !strcmp(value, "1");
    else if (!strcmp(key, "keelson.watchdog"))
        set_watchdog(c, value);
    else if (!strcmp(key, "modprobe.blacklist"))
        add_blacklist(c, value);
}

/* Ends the word that starts at *pos and moves *pos behind it; NULL at the end. Quotes protect white space. */
static char *next_word(char **pos) {
    char *p = *pos;
    bool quoted = false;

    while (is_space(*p))
        p++;
    if (!*p)
        return NULL;
    char *word = p;
    for (; *p && (quoted || !is_space(*p)); p++)
        if (*p == '"')
            quoted = !quoted;
    *pos = *p ? p + 1 : p;
    *p = '\0';
    return word;
}

/* Like the kernel, takes a quote off the front (of the word or of the value) together with one at the end. */
static char *unquote(char *s) {
    if (*s != '"')
        return s;
    s++;
    size_t len = strlen(s);
    if (len > 0 && s[len - 1] == '"')
        s[len - 1] = '\0';
    return s;
}

void cmdline_parse(struct cmdline *c, const char *text, size_t len) {
    char copy[CMDLINE_MAX];
    char *pos = copy;
    char *word;

    *c = (struct cmdline){0};
    if (len >= sizeof(copy)) {
        c->dropped++;
        len = sizeof(copy) - 1;
    }
    copy_bounded(copy, sizeof(copy), text, len);
    while ((word = next_word(&pos))) {
        if (!strcmp(word, "--"))
            return;
        word = unquote(word);
        char *equals = strchr(word, '=');
        if (!equals)
            continue;
        *equals = '\0';
        take(c, word, unquote(equals + 1));
    }
}

int cmdline_read(struct cmdline *c, const char *path) {
    char text[CMDLINE_MAX + 1];

    *c = (struct cmdline){0};
    AUTO_CLOSE int fd = open(path ? path : "/proc/cmdline", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read_full(fd, text, sizeof(text));
    if (n < 0)
        return (int)n;
    cmdline_parse(c, text, (size_t)n);
    return 0;
}
