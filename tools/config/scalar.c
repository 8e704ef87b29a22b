/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/config/scalar.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool scalar_is_one_of(const char *s, const char *const *words) {
    for (; *words; words++)
        if (!strcmp(s, *words))
            return true;
    return false;
}

static bool is_int(const char *s, json_int_t *out) {
    bool negative = *s == '-';
    char number[72] = "-"; /* with its sign, as there is one negative number more */
    char *digits = number + negative;
    size_t len = 0;
    int base = 10;

    s += *s == '-' || *s == '+';
    if (!strncmp(s, "0x", 2) || !strncmp(s, "0o", 2) || !strncmp(s, "0b", 2)) {
        base = s[1] == 'x' ? 16 : s[1] == 'o' ? 8 : 2;
        s += 2;
    } else if (*s == '0' && s[1]) { /* YAML 1.1 wrote octal numbers like C does */
        base = 8;
    }
    for (; *s; s++)
        if (*s != '_') {
            if (len + 3 >= sizeof(number) || !strchr("0123456789abcdefABCDEF", *s))
                return false;
            digits[len++] = *s;
        }
    digits[len] = '\0';
    char *end;
    errno = 0;
    *out = strtoll(number, &end, base);
    return len && !*end && !errno;
}

static bool is_float(const char *s) {
    static const char *const words[] = {".inf",  ".Inf", ".INF", "-.inf", "-.Inf",
                                        "-.INF", ".nan", ".NaN", ".NAN",  NULL};
    char *end;

    if (scalar_is_one_of(s, words))
        return true;
    if (strspn(s, "+-.0123456789eE") != strlen(s) || !strpbrk(s, "0123456789"))
        return false;
    (void)strtod(s, &end);
    return !*end;
}

enum scalar scalar_resolve(const char *text, json_int_t *number) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};

    if (scalar_is_one_of(text, nulls))
        return SCALAR_NULL;
    if (scalar_is_one_of(text, bools))
        return SCALAR_BOOL;
    if (is_int(text, number))
        return SCALAR_INT;
    return is_float(text) ? SCALAR_FLOAT : SCALAR_STRING;
}

bool scalar_is_old_bool(const char *s) {
    static const char *const words[] = {"y", "yes", "n", "no", "on", "off"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (!strcasecmp(s, words[i]))
            return true;
    return false;
}
