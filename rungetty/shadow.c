/* SPDX-License-Identifier: Apache-2.0 */
#include "rungetty/shadow.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fdutil.h"

#define FIELDS 9
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
#define HASH_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./$=,+_-"
#define DES_LEN 13
#define NUMBER_LEN 14 /* of a line, with the colons around it */

struct place {
    const char *file;
    unsigned line;
    bool of_root, had_root;
    struct buf *notices;
    unsigned untold;
};

/* Whoever reads it on a console wants to log in as root: what is said of others leaves room for that. */
PRINTF_LIKE(2, 3) static void note(struct place *p, const char *fmt, ...) {
    size_t bound = p->of_root ? SHADOW_NOTICES_MAX : SHADOW_NOTICES_MAX / 2;
    char text[200];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (p->notices->len + strlen(p->file) + strlen(text) + NUMBER_LEN > bound ||
        buf_printf(p->notices, "%s:%u: %s\n", p->file, p->line, text) < 0)
        p->untold++;
}

/* The methods whose results have one length; of others it is enough that there is a method and something after it. */
static bool is_hash(const char *hash) {
    static const struct {
        const char *method;
        size_t len; /* of what follows the last $ */
    } methods[] = {{"$1$", 22}, {"$2", 53}, {"$5$", 43}, {"$6$", 86}, {"$y$", 43}, {"$gy$", 43}};
    size_t len = strlen(hash);
    const char *last = strrchr(hash, '$');

    if (strspn(hash, HASH_CHARS) != len)
        return false;
    if (*hash != '$')
        return len == DES_LEN || *hash == '_';
    if (last < hash + 2)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (!strncmp(hash, methods[i].method, strlen(methods[i].method)))
            return strlen(last + 1) == methods[i].len;
    return last[1] != '\0';
}

/*
 * Who has no password, or none that can be typed, is said; the line is valid all the same. That others than root are
 * locked is how it should be: each /etc/shadow is full of them.
 */
static void check_password(struct place *p, const char *name, const char *password) {
    if (!*password)
        note(p, "%s has no password: anybody can log in", name);
    else if (*password == '!' || *password == '*') {
        if (p->of_root)
            note(p, "%s is locked: nobody can log in with a password", name);
    } else if (!is_hash(password))
        note(p, "the password of %s is not a whole hash, as `openssl passwd -6` makes one: nobody can log in", name);
}

/* Cuts the line at its colons; returns how many fields it has, of which at most FIELDS are stored. */
static size_t split(char *line, char *fields[FIELDS]) {
    size_t n = 0;

    for (char *field; (field = strsep(&line, ":")); n++)
        if (n < FIELDS)
            fields[n] = field;
    return n;
}

static bool numbers_are_sound(char *const fields[FIELDS]) {
    for (size_t i = 2; i < FIELDS; i++)
        if (strspn(fields[i], "0123456789") != strlen(fields[i]) || strlen(fields[i]) > 9)
            return false;
    return true;
}

/* Why nothing of a line can be used; NULL: it can. */
static const char *why_left_out(const struct place *p, char *const fields[FIELDS], size_t n, bool whole) {
    if (n < 2 || !*fields[0] || strspn(fields[0], NAME_CHARS) != strlen(fields[0]))
        return "this is not NAME:PASSWORD:...";
    if (!*fields[1] && !whole)
        return "it may be cut off before the password, and would let anybody in";
    if (p->of_root && p->had_root)
        return "root has a line already, and the first one counts";
    return NULL;
}

static int take_line(struct place *p, char *line, struct buf *out) {
    char *fields[FIELDS];
    size_t n = split(line, fields);
    bool whole = n == FIELDS && numbers_are_sound(fields);

    p->of_root = !strcmp(fields[0], "root");
    const char *why = why_left_out(p, fields, n, whole);
    if (why) {
        note(p, "%s: left out", why);
        return 0;
    }
    p->had_root |= p->of_root;
    check_password(p, fields[0], fields[1]);
    if (!whole) {
        note(p, "what follows the password of %s is not 7 numbers with colons: taken as empty", fields[0]);
        return buf_printf(out, "%s:%s:::::::\n", fields[0], fields[1]);
    }
    int r = 0;
    for (size_t i = 0; i < FIELDS && !r; i++)
        r = buf_printf(out, "%s%s", fields[i], i + 1 < FIELDS ? ":" : "\n");
    return r;
}

static void trim_end(char *line) {
    size_t len = strlen(line);

    while (len > 0 && strchr(" \t\r", line[len - 1]))
        line[--len] = '\0';
}

int shadow_check(char *text, const char *file, struct buf *out, struct buf *notices) {
    struct place p = {.file = file, .notices = notices};
    char *line;
    int r = 0;

    while (!r && (line = next_line(&text))) {
        p.line++;
        trim_end(line);
        if (*line && *line != '#')
            r = take_line(&p, line, out);
    }
    p.of_root = true;
    if (!r && !p.had_root)
        note(&p, "there is no line for root: nobody can log in as root");
    if (!r && p.untold > 0 && buf_printf(notices, "%s: that is not all: %u more\n", file, p.untold) < 0)
        return 0; /* the bound is the caller's own, then */
    return r;
}

static int read_regular(const char *path, const char *label, struct buf *out, struct err *e) {
    struct stat st;

    if (stat(path, &st) < 0) {
        int result = -errno;
        if (result == -ENOENT && lstat(path, &st) == 0)
            return err_set(e, -ELOOP, "could not read %s: it is a link that leads nowhere in the getty's container",
                           label);
        return err_errno(e, result, "could not open %s", label);
    }
    if (!S_ISREG(st.st_mode))
        return err_set(e, -EINVAL, "could not read %s: it is not a regular file", label);
    int r = read_file(path, SHADOW_MAX, out, NULL);
    if (r < 0)
        return err_errno(e, r, "could not read %s", label);
    if (memchr(out->data ? out->data : "", '\0', out->len))
        return err_set(e, -EINVAL, "could not read %s: it has a zero byte", label);
    return 0;
}

static int read_and_check(const char *from, const char *label, struct buf *checked, struct buf *notices,
                          struct err *e) {
    AUTO_BUF struct buf text = {.max = SHADOW_MAX + 2};
    char nothing[] = "";

    int r = read_regular(from, label, &text, e);
    if (r < 0)
        return r;
    r = shadow_check(text.data ? text.data : nothing, label, checked, notices);
    return r < 0 ? err_errno(e, r, "could not check %s", label) : 0;
}

int shadow_install(const char *from, const char *label, const char *to, struct buf *notices, struct err *e) {
    AUTO_BUF struct buf checked = {.max = 2 * SHADOW_MAX};

    int r = read_and_check(from, label, &checked, notices, e);
    return r < 0 ? r : write_file_atomic(to, checked.data ? checked.data : "", checked.len, 0600, false, e);
}

int shadow_examine(const char *path, struct buf *notices, struct err *e) {
    AUTO_BUF struct buf checked = {.max = 2 * SHADOW_MAX};

    return read_and_check(path, path, &checked, notices, e);
}
