/* SPDX-License-Identifier: Apache-2.0 */
#include "init/glob.h"

/* The set that begins behind [ at p: whether c is in it; *next is behind its ], or NULL if there is none. */
static bool in_set(const char *p, const char *end, char c, const char **next) {
    bool negated = p < end && (*p == '!' || *p == '^');
    bool found = false;

    p += negated;
    for (const char *first = p; p < end; p++) {
        if (*p == ']' && p != first) {
            *next = p + 1;
            return found != negated;
        }
        if (p + 2 < end && p[1] == '-' && p[2] != ']') {
            found |= p[0] <= c && c <= p[2];
            p += 2;
        } else {
            found |= *p == c;
        }
    }
    *next = NULL;
    return false;
}

/* Matches one character of the name; *next is where the pattern goes on. */
static bool match_one(const char *p, const char *end, char c, const char **next) {
    if (*p == '[') {
        bool found = in_set(p + 1, end, c, next);
        if (*next)
            return found;
    }
    *next = p + 1;
    return *p == '?' || *p == c;
}

bool glob_match(const char *pattern, size_t len, const char *name) {
    const char *end = pattern + len;
    const char *star = NULL, *retry = NULL; /* the last * and where the name goes on behind it */
    const char *p = pattern, *next;

    while (*name) {
        if (p < end && *p == '*') {
            star = ++p;
            retry = name;
        } else if (p < end && match_one(p, end, *name, &next)) {
            p = next;
            name++;
        } else if (star) {
            p = star;
            name = ++retry;
        } else {
            return false;
        }
    }
    while (p < end && *p == '*')
        p++;
    return p == end;
}
