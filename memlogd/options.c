/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdutil.h"

#define OPTIONS_FILE_MAX 65536

static const struct option_def *find(const struct option_def *defs, const char *name, size_t len) {
    for (; defs->name; defs++)
        if (strlen(defs->name) == len && !strncmp(defs->name, name, len))
            return defs;
    return NULL;
}

static int set_number(const struct option_def *d, const char *value, struct err *e) {
    bool negative = *value == '-';
    uint64_t n = 0;

    int r = parse_u64(value + negative, INT64_MAX, &n);
    int64_t number = negative ? -(int64_t)n : (int64_t)n;
    if (r < 0 || number < d->min || number > d->max)
        return err_set(e, -EINVAL, "-%s wants a number from %lld to %lld, not \"%s\"", d->name, (long long)d->min,
                       (long long)d->max, value);
    *d->to.number = number;
    return 0;
}

static int set_flag(const struct option_def *d, const char *value, struct err *e) {
    bool on = !value || !strcmp(value, "true") || !strcmp(value, "1");

    if (!on && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
        return err_set(e, -EINVAL, "-%s is true or false, not \"%s\"", d->name, value);
    *d->to.flag = on;
    return 0;
}

static int set(const struct option_def *d, const char *value, struct err *e) {
    switch (d->type) {
    case OPTION_FLAG:
        return set_flag(d, value, e);
    case OPTION_NUMBER:
        return set_number(d, value, e);
    case OPTION_STRING:
        *d->to.string = value;
        break;
    }
    return 0;
}

int options_parse(const struct option_def *defs, char **argv, char ***rest, struct err *e) {
    char **arg = argv + 1;

    for (; *arg && (*arg)[0] == '-' && (*arg)[1]; arg++) {
        const char *name = *arg + ((*arg)[1] == '-' ? 2 : 1);
        if (!*name) {
            arg++;
            break;
        }
        size_t len = strcspn(name, "=");
        const struct option_def *d = find(defs, name, len);
        const char *value = name[len] ? name + len + 1 : NULL;
        if (!d && (!strcmp(name, "h") || !strcmp(name, "help")))
            return -ECANCELED;
        if (!d)
            return err_set(e, -EINVAL, "there is no option %s", *arg);
        if (!value && d->type != OPTION_FLAG && !(value = *++arg))
            return err_set(e, -EINVAL, "-%s wants a value", d->name);
        int r = set(d, value, e);
        if (r < 0)
            return r;
    }
    *rest = arg;
    return 0;
}

int options_read(const char *path, struct buf *text, char **argv, size_t max, struct err *e) {
    size_t n = 1;

    argv[1] = NULL;
    if (access(path, F_OK) < 0)
        return 0;
    int r = read_file(path, OPTIONS_FILE_MAX, text, e);
    char *pos = r < 0 ? NULL : text->data;
    for (char *line; pos && (line = next_line(&pos));) {
        line[strcspn(line, "#")] = '\0';
        for (char *word = line + strspn(line, " \t\r"); *word; word += strspn(word, " \t\r")) {
            if (n + 1 >= max)
                return err_set(e, -E2BIG, "could not read %s: it has more than %zu words", path, max - 2);
            argv[n++] = word;
            word += strcspn(word, " \t\r");
            if (*word)
                *word++ = '\0';
        }
    }
    argv[n] = NULL;
    return r;
}

void options_help(const struct option_def *defs, const char *usage) {
    (void)printf("usage: %s\n", usage);
    for (; defs->name; defs++)
        (void)printf("  -%-16s %s\n", defs->name, defs->help);
}
