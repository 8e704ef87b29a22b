/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char words[256], *argv[16];

/* Splits at spaces. */
static int parse(const char *line, struct options *o, struct err *e) {
    int argc = 0;

    (void)snprintf(words, sizeof(words), "%s", line);
    for (char *p = words; p && *p && argc < 15;) {
        argv[argc++] = p;
        p = strchr(p, ' ');
        if (p)
            *p++ = '\0';
    }
    argv[argc] = NULL;
    return options_parse(argc, argv, o, e);
}

static void a_command_and_its_names(void **state) {
    struct options o;
    (void)state;
    assert_int_equal(parse("service restart www", &o, NULL), 0);
    assert_string_equal(o.command, "restart");
    assert_int_equal(o.args_len, 1);
    assert_string_equal(o.args[0], "www");
    assert_int_equal(o.level, LOG_LEVEL_NOTICE);
    assert_false(o.json);
    assert_false(o.help);
}

static void options_stand_anywhere_with_one_dash_or_two(void **state) {
    static const char *const lines[] = {"service -v -json list", "service list --json -v", "service --v list -json"};
    struct options o;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        assert_int_equal(parse(lines[i], &o, NULL), 0);
        assert_string_equal(o.command, "list");
        assert_int_equal(o.args_len, 0);
        assert_true(o.json);
        assert_int_equal(o.level, LOG_LEVEL_DEBUG);
    }
    assert_int_equal(parse("service -q list", &o, NULL), 0);
    assert_int_equal(o.level, LOG_LEVEL_ERROR);
}

static void an_unknown_option_is_named(void **state) {
    struct options o;
    (void)state;
    for (const char *const *word = (const char *const[]){"--jsn", "-", "-vv", "--json=1", "--soc", "--sockets=1", NULL};
         *word; word++) {
        struct err e = {0};
        char line[64];
        (void)snprintf(line, sizeof(line), "service list %s", *word);
        assert_int_equal(parse(line, &o, &e), -EINVAL);
        assert_non_null(strstr(e.msg, *word));
    }
}

/* `service start --help` is no request to start a service of that name. */
static void help_is_asked_for_anywhere(void **state) {
    static const char *const lines[] = {"service help", "service --help", "service -h", "service start --help",
                                        "service help start"};
    struct options o;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        assert_int_equal(parse(lines[i], &o, NULL), 0);
        assert_true(o.help);
    }
    assert_int_equal(parse("service start help", &o, NULL), 0);
    assert_false(o.help);
    assert_string_equal(o.args[0], "help");
}

static void values_stand_behind_a_blank_or_an_equals_sign(void **state) {
    struct options o;
    (void)state;
    assert_int_equal(
        parse("service -containerd-namespace other start --sock=/s.sock -path /var/bundles --dump-spec f -- -x", &o,
              NULL),
        0);
    assert_string_equal(o.ns, "other");
    assert_string_equal(o.sock, "/s.sock");
    assert_string_equal(o.path, "/var/bundles");
    assert_string_equal(o.dump_spec, "f");
    assert_string_equal(o.command, "start");
    assert_int_equal(o.args_len, 1);
    assert_string_equal(o.args[0], "-x");
    assert_int_equal(parse("service start www", &o, NULL), 0);
    assert_null(o.sock);
    assert_null(o.path);
    assert_null(o.ns);
    assert_null(o.dump_spec);
}

static void a_value_that_is_missing_is_said(void **state) {
    struct options o;
    (void)state;
    for (const char *const *word = (const char *const[]){"--sock", "-path", "--dump-spec=", NULL}; *word; word++) {
        struct err e = {0};
        char line[64];
        (void)snprintf(line, sizeof(line), "service start www %s", *word);
        assert_int_equal(parse(line, &o, &e), -EINVAL);
        assert_non_null(strstr(e.msg, "needs a value"));
    }
}

static void quiet_and_verbose_contradict_each_other(void **state) {
    struct options o;
    (void)state;
    assert_int_equal(parse("service -q -v list", &o, NULL), -EINVAL);
}

static void nothing_is_an_option_behind_two_dashes(void **state) {
    struct options o;
    (void)state;
    assert_int_equal(parse("service stop -- -odd", &o, NULL), 0);
    assert_string_equal(o.command, "stop");
    assert_int_equal(o.args_len, 1);
    assert_string_equal(o.args[0], "-odd");
}

static void no_word_is_no_command(void **state) {
    char *none[] = {NULL};
    struct options o;
    (void)state;
    assert_int_equal(parse("service", &o, NULL), 0);
    assert_string_equal(o.command, "");
    assert_int_equal(o.args_len, 0);
    assert_int_equal(options_parse(0, none, &o, NULL), 0);
    assert_string_equal(o.command, "");
}

static int check(const char *line, unsigned takes, int args_min, int args_max, struct err *e) {
    struct options o;

    *e = (struct err){0};
    assert_int_equal(parse(line, &o, NULL), 0);
    return options_check(&o, takes, args_min, args_max, e);
}

static void what_a_command_does_not_take_is_refused(void **state) {
    struct err e;
    (void)state;
    assert_int_equal(check("service list --json -q", OPTION_JSON, 0, 0, &e), 0);
    assert_int_equal(check("service list --json -f", OPTION_JSON, 0, 0, &e), -EINVAL);
    assert_string_equal(e.msg, "could not list: it takes no option \"-f\"");
    assert_int_equal(check("service -dump-spec=x list", OPTION_JSON, 0, 0, &e), -EINVAL);
    assert_string_equal(e.msg, "could not list: it takes no option \"-dump-spec\"");
    assert_int_equal(check("service list foo", OPTION_JSON, 0, 0, &e), -EINVAL);
    assert_string_equal(e.msg, "could not list: there is no use for \"foo\"");
    assert_int_equal(check("service stop", 0, 1, 1, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "could not stop: give the name of one service"));
    assert_int_equal(check("service stop a b", 0, 1, 1, &e), -EINVAL);
    assert_int_equal(check("service kill a b", 0, 1, 2, &e), 0);
    assert_int_equal(check("service -containerd-namespace n start -sock s -path p a",
                           OPTION_NAMESPACE | OPTION_SOCK | OPTION_PATH, 1, 1, &e),
                     0);
}

static void links_choose_by_a_word(void **state) {
    (void)state;
    assert_string_equal(options_linked_command("005-volumes"), "volumes");
    assert_string_equal(options_linked_command("010-onboot"), "onboot");
    assert_string_equal(options_linked_command("000-attributes"), "attributes");
    assert_string_equal(options_linked_command("020-containerd"), "system-init");
    assert_string_equal(options_linked_command("010-onshutdown"), "onshutdown");
    assert_null(options_linked_command("service"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_and_its_names),
        cmocka_unit_test(options_stand_anywhere_with_one_dash_or_two),
        cmocka_unit_test(an_unknown_option_is_named),
        cmocka_unit_test(help_is_asked_for_anywhere),
        cmocka_unit_test(values_stand_behind_a_blank_or_an_equals_sign),
        cmocka_unit_test(a_value_that_is_missing_is_said),
        cmocka_unit_test(quiet_and_verbose_contradict_each_other),
        cmocka_unit_test(nothing_is_an_option_behind_two_dashes),
        cmocka_unit_test(no_word_is_no_command),
        cmocka_unit_test(what_a_command_does_not_take_is_refused),
        cmocka_unit_test(links_choose_by_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
