/* SPDX-License-Identifier: Apache-2.0 */
#include "memlogd/syslog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/auto.h"
#include "memlogd/name.h"

static void assert_parsed(const char *data, const char *tag, const char *text) {
    struct syslog_message m;

    syslog_parse(data, strlen(data), &m);
    assert_int_equal(m.tag_len, strlen(tag));
    assert_memory_equal(m.tag ? m.tag : "", tag, m.tag_len);
    if (m.text_len != strlen(text) || memcmp(m.text, text, m.text_len) != 0)
        fail_msg("\"%.*s\" is not \"%s\"", (int)m.text_len, m.text, text);
}

static void rfc_3164(void **state) {
    static const char *const cases[][3] = {
        /* as glibc's and musl's syslog(3) send it */
        {"<14>Jan  2 03:04:05 cron[123]: (root) CMD (x)", "cron", "(root) CMD (x)"},
        {"<14>Jan 12 03:04:05 cron: text", "cron", "text"},
        {"<14>Jan 12 03:04:05 cron:text", "cron", "text"},
        {"<14>Jan 12 03:04:05 postfix/smtpd[1]: text\n", "postfix/smtpd", "text"},
        /* the RFC's own examples */
        {"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8", "su",
         "'su root' failed for lonvick on /dev/pts/8"},
        {"<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!", "", "10.0.0.99 Use the BFG!"},
        /* other times, or none */
        {"<14>2024-01-02T03:04:05.678901+01:00 host app[1]: text", "app", "text"},
        {"<14>2024-01-02T03:04:05Z app: text", "app", "text"},
        {"<14>app: text", "app", "text"},
        {"<14>app[77]: text", "app", "text"},
        {"app: text", "app", "text"},
        /* no name */
        {"<14>Jan 12 03:04:05 just some words", "", "just some words"},
        {"<14>no name here", "", "no name here"},
        {"<14>: text", "", ": text"},
        {"<14>app[7 text", "", "app[7 text"},
        {"<14>app[7] text", "", "app[7] text"},
        {"<14>app", "", "app"},
        {"<14>app:", "app", ""},
        {"<14>two\nlines: x", "", "two\nlines: x"},
        {"<1", "", "<1"},
        {"<>app: x", "<>app", "x"},
        {"<1234>app: x", "<1234>app", "x"},
        {"<14>", "", ""},
        {"", "", ""},
        {"\n\r\n", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_parsed(cases[i][0], cases[i][1], cases[i][2]);
}

static void rfc_5424(void **state) {
    static const char *const cases[][3] = {
        /* the RFC's own examples */
        {"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed", "su",
         "'su root' failed"},
        {"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
         "myproc", "%% It's time to make the do-nuts."},
        {"<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [exampleSDID@32473 iut=\"3\" eventSource=\"App\"] An entry",
         "evntslog", "[exampleSDID@32473 iut=\"3\" eventSource=\"App\"] An entry"},
        {"<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [a b=\"1\"][c d=\"2\"]", "evntslog",
         "[a b=\"1\"][c d=\"2\"]"},
        {"<14>1 - - - - - - text", "", "text"},
        {"<14>1 - - app - - -", "app", ""},
        {"<14>1 - - app - - - ", "app", ""},
        {"<14>1 - - app - - [a b=\"x]\\\"\\]\\\\\"] t", "app", "[a b=\"x]\\\"\\]\\\\\"] t"},
        /* not quite: as the older format */
        {"<14>1 - - app - - x", "", "1 - - app - - x"},
        {"<14>1 - - app - - [a b=\"1\" t", "", "1 - - app - - [a b=\"1\" t"},
        {"<14>1 - - app", "", "1 - - app"},
        {"<14>1 when h app: text", "", "1 when h app: text"},
        {"<14>2 - - app - - - t", "", "2 - - app - - - t"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_parsed(cases[i][0], cases[i][1], cases[i][2]);
}

static const char *source_of(struct syslog_sources *s, const char *data) {
    static char name[RING_SOURCE_MAX + 1];
    struct syslog_message m;

    syslog_parse(data, strlen(data), &m);
    const struct syslog_source *source = syslog_source(s, &m);
    if (!source)
        return NULL;
    memcpy(name, source->name, source->len);
    name[source->len] = '\0';
    return name;
}

static void nobody_speaks_for_the_log_daemon(void **state) {
    struct syslog_sources s = {0};

    (void)state;
    assert_string_equal(source_of(&s, "memlogd: 5 lines of x lost"), "syslog.memlogd");
    assert_string_equal(source_of(&s, "logwrite: x"), "syslog.logwrite");
    assert_string_equal(source_of(&s, "logwrite.out: x"), "syslog.logwrite.out");
    assert_string_equal(source_of(&s, "logwrit: x"), "logwrit");
    assert_string_equal(source_of(&s, "logwriter-app: x"), "logwriter-app");
    assert_string_equal(source_of(&s, "a\033\177b: x"), "a??b");
}

static void names_have_bounds(void **state) {
    static struct syslog_sources s;
    char text[RING_SOURCE_MAX + 100];

    (void)state;
    assert_null(source_of(&s, "no name"));
    memset(text, 'n', sizeof(text));
    memcpy(text + sizeof(text) - 3, ":x", 3);
    assert_int_equal(strlen(source_of(&s, text)), RING_SOURCE_MAX);
    for (unsigned i = 1; i < SYSLOG_SOURCES; i++) {
        (void)snprintf(text, sizeof(text), "p%u: x", i);
        assert_non_null(source_of(&s, text));
    }
    assert_null(source_of(&s, "one-too-many: x"));
    assert_string_equal(source_of(&s, "p7: x"), "p7");
}

static const char *made(enum name_from from, const char *name) {
    static char to[RING_SOURCE_MAX + 1];

    to[name_make(to, from, name, strlen(name))] = '\0';
    return to;
}

static void names_are_harmless(void **state) {
    (void)state;
    assert_string_equal(made(NAME_FROM_LOG_SOCKET, "a\033[2J\r\x7f"), "a?[2J??");
    assert_string_equal(made(NAME_FROM_LOG_SOCKET, "ev\xc2\x9b"
                                                   "31mil\xc2\x80"),
                        "ev?31mil?"); /* C1: CSI */
    assert_string_equal(made(NAME_FROM_LOG_SOCKET, "caf\xc3\xa9 \xc2\xa0"), "caf\xc3\xa9 \xc2\xa0");
    assert_string_equal(made(NAME_FROM_LOG_SOCKET, "end\xc2"), "end\xc2");
    assert_string_equal(made(NAME_FROM_LOG_SOCKET, "memlogd"), "source.memlogd");
    assert_string_equal(made(NAME_FROM_LOG_SOCKET, "memlogd.out"), "memlogd.out");
    assert_string_equal(made(NAME_FROM_LOG_SOCKET, "logwrite"), "logwrite");
    assert_true(name_is_logwrite("logwrite", 8) && name_is_logwrite("logwrite.out", 12));
    assert_false(name_is_logwrite("logwriter-app", 13) || name_is_logwrite("logwrite.outer", 14));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_3164),
        cmocka_unit_test(rfc_5424),
        cmocka_unit_test(nobody_speaks_for_the_log_daemon),
        cmocka_unit_test(names_have_bounds),
        cmocka_unit_test(names_are_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
