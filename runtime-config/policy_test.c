/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime-config/policy.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/json.h"
#include "lib/log.h"

static char said[1024];

static void hear(const char *line, size_t len) {
    size_t used = strlen(said);

    (void)snprintf(said + used, sizeof(said) - used, "%.*s", (int)len, line);
}

static int load(const char *text, struct policy *p, struct err *e) {
    AUTO_JSON json_t *doc = json_loads(text, 0, NULL);

    assert_non_null(doc);
    said[0] = '\0';
    log_set_sink(hear);
    int r = policy_load(doc, "runtime.json", p, e);
    log_set_sink(NULL);
    return r;
}

static void without_words_the_defaults_hold(void **state) {
    struct policy p;
    (void)state;
    assert_int_equal(load("{}", &p, NULL), 0);
    assert_int_equal(p.restart, RESTART_ON_FAILURE);
    assert_int_equal(p.delay_ms, 250);
    assert_int_equal(p.max_delay_ms, 30000);
    assert_int_equal(p.reset_ms, 60000);
    assert_int_equal(p.limit, 0);
    assert_int_equal(p.after.len, 0);
    assert_int_equal(p.ready.kind, PROBE_NONE);
    assert_int_equal(p.health.kind, PROBE_NONE);
    assert_int_equal(p.stop_signal, SIGTERM);
    assert_int_equal(p.stop_timeout_ms, 10000);
    assert_int_equal(p.onfail, ONFAIL_CONTINUE);
    policy_free(&p);
}

static void every_word_is_read(void **state) {
    struct policy p;
    (void)state;
    assert_int_equal(
        load("{\"restart\":{\"policy\":\"always\",\"delay\":\"1s\",\"maxDelay\":\"1m\",\"reset\":\"5m\",\"limit\":7},"
             "\"after\":[\"db\",\"cache\"],\"ready\":{\"file\":\"/run/ok\",\"interval\":\"2s\",\"timeout\":\"1m\"},"
             "\"health\":{\"http\":\"8080/healthz?a=b\",\"interval\":\"1s\",\"timeout\":\"500ms\",\"failures\":5},"
             "\"stop\":{\"signal\":\"SIGINT\",\"timeout\":\"90s\"},\"onfail\":\"reboot\"}",
             &p, NULL),
        0);
    assert_string_equal(said, "");
    assert_int_equal(p.restart, RESTART_ALWAYS);
    assert_int_equal(p.delay_ms, 1000);
    assert_int_equal(p.max_delay_ms, 60000);
    assert_int_equal(p.reset_ms, 300000);
    assert_int_equal(p.limit, 7);
    assert_int_equal(p.after.len, 2);
    assert_string_equal(p.after.v[1], "cache");
    assert_int_equal(p.ready.kind, PROBE_FILE);
    assert_string_equal(p.ready.path, "/run/ok");
    assert_int_equal(p.ready.interval_ms, 2000);
    assert_int_equal(p.ready.timeout_ms, 60000);
    assert_int_equal(p.health.kind, PROBE_HTTP);
    assert_int_equal(p.health.port, 8080);
    assert_string_equal(p.health.path, "/healthz?a=b");
    assert_int_equal(p.health.timeout_ms, 500);
    assert_int_equal(p.health.failures, 5);
    assert_int_equal(p.stop_signal, SIGINT);
    assert_int_equal(p.stop_timeout_ms, 90000);
    assert_int_equal(p.onfail, ONFAIL_REBOOT);
    policy_free(&p);
}

static void other_ways_to_look(void **state) {
    struct policy p;
    (void)state;
    assert_int_equal(load("{\"ready\":{\"exec\":[\"pg_isready\",\"-q\"]},\"health\":{\"tcp\":5432}}", &p, NULL), 0);
    assert_int_equal(p.ready.kind, PROBE_EXEC);
    assert_int_equal(p.ready.exec.len, 2);
    assert_int_equal(p.health.kind, PROBE_TCP);
    assert_int_equal(p.health.port, 5432);
    policy_free(&p);
    assert_int_equal(load("{\"ready\":{\"tcp\":53},\"health\":{\"http\":\"80\"}}", &p, NULL), 0);
    assert_int_equal(p.ready.kind, PROBE_TCP);
    assert_string_equal(p.health.path, "/");
    policy_free(&p);
}

static void a_long_first_pause_is_the_longest(void **state) {
    struct policy p;
    (void)state;
    assert_int_equal(load("{\"restart\":{\"delay\":\"5m\"}}", &p, NULL), 0);
    assert_int_equal(p.max_delay_ms, 300000);
    policy_free(&p);
}

static void what_is_unknown_is_warned_about(void **state) {
    struct policy p;
    (void)state;
    assert_int_equal(load("{\"restart\":{\"polcy\":\"never\"},\"stop\":{\"sig\":1}}", &p, NULL), 0);
    assert_non_null(strstr(said, "runtime.json: unknown key \"polcy\" in $.restart is ignored"));
    assert_non_null(strstr(said, "unknown key \"sig\" in $.stop"));
    policy_free(&p);
}

static void what_is_wrong_is_named(void **state) {
    static const char *const cases[][2] = {
        {"{\"restart\":\"always\"}", "$.restart is not an object"},
        {"{\"restart\":{\"policy\":\"sometimes\"}}", "$.restart.policy is not on-failure, always or never"},
        {"{\"restart\":{\"policy\":1}}", "$.restart.policy is not a string"},
        {"{\"restart\":{\"delay\":\"soon\"}}", "$.restart.delay is not a time"},
        {"{\"restart\":{\"limit\":-1}}", "$.restart.limit is not a number from 0"},
        {"{\"restart\":{\"limit\":\"3\"}}", "$.restart.limit is not an integer"},
        {"{\"after\":\"db\"}", "$.after is not an array"},
        {"{\"after\":[1]}", "$.after[0] is not a string"},
        {"{\"ready\":{}}", "$.ready says nothing to look at"},
        {"{\"ready\":{\"http\":\"80\"}}", "$.ready says nothing to look at"},
        {"{\"ready\":{\"tcp\":80,\"file\":\"/x\"}}", "$.ready says both tcp and file"},
        {"{\"ready\":{\"tcp\":0}}", "$.ready.tcp is not a port"},
        {"{\"ready\":{\"tcp\":65536}}", "$.ready.tcp is not a port"},
        {"{\"ready\":{\"tcp\":\"80\"}}", "$.ready.tcp is not an integer"},
        {"{\"ready\":{\"file\":\"x\"}}", "$.ready.file is not an absolute path"},
        {"{\"ready\":{\"exec\":[]}}", "$.ready.exec is an empty command"},
        {"{\"health\":{\"http\":\"/x\"}}", "$.health.http is not a port"},
        {"{\"health\":{\"http\":\"123456789/x\"}}", "$.health.http is not a port"},
        {"{\"health\":{\"http\":\"80/a b\"}}", "$.health.http has a character"},
        {"{\"health\":{\"tcp\":80,\"failures\":0}}", "$.health.failures is not a number from 1"},
        {"{\"stop\":{\"signal\":\"SIGNIFICANT\"}}", "$.stop.signal is not a signal"},
        {"{\"stop\":{\"timeout\":10}}", "$.stop.timeout is not a string"},
        {"{\"onfail\":\"panic\"}", "$.onfail is not continue"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct policy p;
        struct err e = {0};
        assert_int_equal(load(cases[i][0], &p, &e), -EINVAL);
        if (!strstr(e.msg, cases[i][1]))
            fail_msg("\"%s\" does not say \"%s\"", e.msg, cases[i][1]);
        assert_null(p.doc);
        assert_int_equal(p.stop_signal, SIGTERM); /* what is wrong leaves the defaults */
    }
}

static void signals_have_names(void **state) {
    int sig = 0;
    (void)state;
    assert_int_equal(signal_parse("SIGQUIT", &sig), 0);
    assert_int_equal(sig, SIGQUIT);
    assert_int_equal(signal_parse("HUP", &sig), 0);
    assert_int_equal(sig, SIGHUP);
    assert_int_equal(signal_parse("SIGRTMIN+3", &sig), 0);
    assert_int_equal(sig, 37);
    for (const char *const *bad = (const char *const[]){"", "SIG", "15", "SIGRTMIN+31", "RTMIN+", "sigterm", NULL};
         *bad; bad++)
        assert_int_equal(signal_parse(*bad, &sig), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_words_the_defaults_hold),
        cmocka_unit_test(every_word_is_read),
        cmocka_unit_test(other_ways_to_look),
        cmocka_unit_test(a_long_first_pause_is_the_longest),
        cmocka_unit_test(what_is_unknown_is_warned_about),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(signals_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
