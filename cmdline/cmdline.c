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

static unsigned seconds_of(struct cmdline *c, const char *value, unsigned max, unsigned otherwise) {
    uint64_t seconds;

    if (parse_u64(value, max, &seconds) == 0)
        return (unsigned)seconds;
    c->dropped++;
    return otherwise;
}

static void set_watchdog(struct cmdline *c, const char *value) {
    c->watchdog_s = seconds_of(c, value, CMDLINE_WATCHDOG_MAX, 0);
}

static void set_record(struct cmdline *c, const char *value) {
    c->record_s = seconds_of(c, value, CMDLINE_RECORD_MAX, CMDLINE_RECORD_S);
}

static void set_cgroup(struct cmdline *c, const char *value) {
    c->cgroup_v1 = !strcmp(value, "0");
}

static void set_debug(struct cmdline *c, const char *value) {
    c->runc_debug = !strcmp(value, "1");
}

static void set_runc_console(struct cmdline *c, const char *value) {
    c->runc_console = !strcmp(value, "1");
}

static void set_rescue(struct cmdline *c, const char *value) {
    c->rescue = !strcmp(value, "1");
}

static const struct {
    const char *key;
    void (*take)(struct cmdline *c, const char *value);
} options[] = {
    {"console", add_console},           {"linuxkit.unified_cgroup_hierarchy", set_cgroup},
    {"linuxkit.runc_debug", set_debug}, {"linuxkit.runc_console", set_runc_console},
    {"keelson.rescue", set_rescue},     {"keelson.watchdog", set_watchdog},
    {"keelson.record", set_record},
};

const char *cmdline_key(size_t i) {
    return i < ARRAY_SIZE(options) ? options[i].key : NULL;
}

static void take(const char *key, const char *value, void *data) {
    for (size_t i = 0; value && i < ARRAY_SIZE(options); i++)
        if (!strcmp(options[i].key, key))
            options[i].take(data, value);
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

size_t cmdline_each(const char *text, size_t len, cmdline_word_fn *fn, void *data) {
    char copy[CMDLINE_MAX];
    char *pos = copy;
    char *word;

    copy_bounded(copy, sizeof(copy), text, len);
    while ((word = next_word(&pos)) && strcmp(word, "--") != 0) {
        word = unquote(word);
        char *equals = strchr(word, '=');
        if (equals)
            *equals = '\0';
        fn(word, equals ? unquote(equals + 1) : NULL, data);
    }
    return len < sizeof(copy) ? 0 : len - (sizeof(copy) - 1);
}

void cmdline_parse(struct cmdline *c, const char *text, size_t len) {
    *c = (struct cmdline){.record_s = CMDLINE_RECORD_S};
    if (cmdline_each(text, len, take, c) > 0)
        c->dropped++;
}

ssize_t cmdline_read_text(const char *path, char *text, size_t size) {
    AUTO_CLOSE int fd = open(path ? path : "/proc/cmdline", O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -errno : read_full(fd, text, size);
}

int cmdline_read(struct cmdline *c, const char *path) {
    char text[CMDLINE_MAX + 1];

    *c = (struct cmdline){.record_s = CMDLINE_RECORD_S};
    ssize_t n = cmdline_read_text(path, text, sizeof(text));
    if (n < 0)
        return (int)n;
    cmdline_parse(c, text, (size_t)n);
    return 0;
}
