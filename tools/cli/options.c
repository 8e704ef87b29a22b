/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/buf.h"
#include "lib/log.h"

#define FIRST_ROW 256 /* getopt's value of the first row: not a letter's, and below FIRST_SHARED */
#define HELP_COLUMN 28

int options_bool(const char *word, bool *out) {
    static const char *const words[2][3] = {{"false", "0", "f"}, {"true", "1", "t"}};

    for (size_t value = 0; value < 2; value++)
        for (size_t i = 0; i < ARRAY_SIZE(words[value]); i++)
            if (!strcasecmp(word, words[value][i])) {
                *out = value;
                return 0;
            }
    return -EINVAL;
}

bool options_flag(const char *name, const char *value, bool *flag) {
    *flag = true;
    if (!value || options_bool(value, flag) == 0)
        return true;
    log_error("could not understand --%s=%s: want true or false", name, value);
    return false;
}

/* What does not fit into the column of names has its help on the next line. */
static int list_row(const struct option_row *row, struct buf *out) {
    size_t before = out->len;
    int r = buf_puts(out, "  ");

    if (!r && row->letter)
        r = buf_printf(out, "-%c, ", row->letter);
    if (!r)
        r = buf_printf(out, "--%s%s%s", row->name, row->argument ? " " : "", row->argument ? row->argument : "");
    size_t used = out->len - before;
    if (!r && used >= HELP_COLUMN)
        r = buf_puts(out, "\n");
    int pad = used >= HELP_COLUMN ? HELP_COLUMN : (int)(HELP_COLUMN - used);
    for (const char *help = row->help; !r && *help; pad = HELP_COLUMN) {
        size_t len = strcspn(help, "\n");
        r = buf_printf(out, "%*s%.*s\n", pad, "", (int)len, help);
        help += len + (help[len] == '\n');
    }
    return r;
}

static int print_help(const struct option_table *t) {
    static const struct option_row help = {.name = "help", .letter = 'h', .help = "this text"};
    AUTO_BUF struct buf text = BUF_INIT;
    int r = buf_puts(&text, t->head);

    for (size_t i = 0; i < t->len && !r; i++)
        if (t->rows[i].help)
            r = list_row(&t->rows[i], &text);
    if (!r)
        r = list_row(&help, &text);
    if (!r && t->tail)
        r = buf_puts(&text, t->tail);
    if (!r && (fputs(text.data, stdout) < 0 || fflush(stdout) != 0))
        r = -EIO;
    return r < 0 ? r : 1;
}

static int take(const struct option_row *row, const char *value) {
    if (row->take)
        return row->take(row->to, value);
    if (row->text) {
        *row->text = value;
        return 0;
    }
    return options_flag(row->name, value, row->flag) ? 0 : -EINVAL;
}

/* getopt's tables: an option for each row, --help, and those that are shared; and the letters. */
static void fill(const struct option_table *t, struct option *longs, char *letters) {
    for (size_t i = 0; i < t->len; i++) {
        const struct option_row *row = &t->rows[i];
        int argument = row->argument ? required_argument : row->flag ? optional_argument : no_argument;
        longs[i] = (struct option){row->name, argument, NULL, FIRST_ROW + (int)i};
        if (!row->letter)
            continue;
        *letters++ = row->letter;
        if (row->argument)
            *letters++ = ':';
    }
    longs[t->len] = (struct option){"help", no_argument, NULL, 'h'};
    for (size_t i = 0; i < t->shared.len; i++)
        longs[t->len + 1 + i] = t->shared.v[i];
    longs[t->len + 1 + t->shared.len] = (struct option){NULL, 0, NULL, 0};
    *letters++ = 'h';
    *letters = '\0';
}

static const struct option_row *find_row(const struct option_table *t, int c) {
    if (c >= FIRST_ROW && (size_t)(c - FIRST_ROW) < t->len)
        return &t->rows[c - FIRST_ROW];
    for (size_t i = 0; i < t->len; i++)
        if (c && t->rows[i].letter == c)
            return &t->rows[i];
    return NULL; /* getopt has reported it */
}

int options_read(const struct option_table *t, int argc, char **argv, int *first) {
    AUTO_FREE struct option *longs = calloc(t->len + t->shared.len + 2, sizeof(*longs));
    AUTO_FREE char *letters = calloc(t->len + 1, 2);
    int c, r = 0;

    if (!longs || !letters)
        return -ENOMEM;
    fill(t, longs, letters);
    while (!r && (c = getopt_long_only(argc, argv, letters, longs, NULL)) != -1) {
        const struct option_row *row = find_row(t, c);
        if (row)
            r = take(row, optarg);
        else if (c == 'h')
            r = print_help(t);
        else
            r = c >= FIRST_SHARED && t->shared.take(t->shared.to, c, optarg) ? 0 : -EINVAL;
    }
    *first = optind;
    return r;
}
