/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/json.h"

static struct buf out;

static int teardown(void **state) {
    (void)state;
    buf_free(&out);
    return 0;
}

static void show(int (*fn)(const json_t *doc, struct buf *out), const char *text) {
    AUTO_JSON json_t *doc = json_loads(text, 0, NULL);

    assert_non_null(doc);
    buf_free(&out);
    assert_int_equal(fn(doc, &out), 0);
}

static void a_line_a_service(void **state) {
    (void)state;
    show(show_list, "[{\"name\":\"www\",\"state\":\"running\",\"pid\":77,\"restarts\":2,\"up_ms\":3725999,"
                    "\"health\":\"healthy\",\"last_exit\":\"exited with status 1\",\"last_error\":\"\"},"
                    "{\"name\":\"job\",\"state\":\"failed\",\"pid\":0,\"restarts\":0,\"up_ms\":-1,\"health\":\"-\","
                    "\"last_exit\":\"exited with status 4\",\"last_error\":\"it exited\\u001b[2J\\nwith status 4\"}]");
    assert_string_equal(
        out.data,
        "NAME                     STATE             PID RESTARTS  UP        HEALTH      LAST ERROR OR EXIT\n"
        "www                      running            77        2  1h 2m     healthy     exited with status 1\n"
        "job                      failed              -        0  -         -           it exited?[2J?with status 4\n");
}

#define POLICY                                                                                                         \
    "\"policy\":{\"restart\":\"always\",\"delay\":250,\"max_delay\":30000,\"reset\":60000,\"limit\":5,\"attempts\":2," \
    "\"after\":[\"db\",\"cache\"],\"ready\":{\"kind\":\"none\"},\"health\":{\"kind\":\"http\",\"interval\":10000,"     \
    "\"timeout\":1500},\"stop_signal\":15,\"stop_timeout\":90000,\"onfail\":\"reboot\"}"

static void all_about_one(void **state) {
    (void)state;
    show(show_status, "{\"name\":\"www\",\"state\":\"running\",\"pid\":77,\"restarts\":2,\"up_ms\":1000,"
                      "\"health\":\"failing\",\"health_error\":\"port 80: refused\",\"last_exit\":\"\","
                      "\"last_error\":\"\"," POLICY ",\"cgroup\":{\"path\":\"/www\",\"memory\":1572864,"
                      "\"memory_peak\":null,\"memory_max\":-1,\"cpu_us\":1230000,\"pids\":3,\"pids_max\":100,"
                      "\"oom_kills\":1}}");
    assert_string_equal(out.data, "name         www\n"
                                  "state        running for 1s\n"
                                  "pid          77\n"
                                  "health       failing: port 80: refused\n"
                                  "restarts     2\n"
                                  "restart      always, after 250ms up to 30s, anew after 1m, 2 of 5 in a row used\n"
                                  "after        db, cache\n"
                                  "check        by http, every 10s, timeout 1s\n"
                                  "stop         signal 15, then SIGKILL after 1m 30s\n"
                                  "onfail       reboot\n"
                                  "memory       1.5 MiB, at most unknown so far, limit no limit\n"
                                  "processor    1.23 s\n"
                                  "processes    3, limit 100\n"
                                  "             1 killed for want of memory\n"
                                  "group        /www\n");
}

static void one_that_is_down_has_no_group(void **state) {
    (void)state;
    show(show_status, "{\"name\":\"job\",\"state\":\"failed\",\"pid\":0,\"restarts\":0,\"up_ms\":-1,\"health\":\"-\","
                      "\"last_exit\":\"exited with status 4\",\"last_error\":\"it exited with status 4\"," POLICY
                      ",\"cgroup\":null}");
    assert_non_null(strstr(out.data, "state        failed\n"));
    assert_non_null(strstr(out.data, "last exit    it exited with status 4\n"));
    assert_null(strstr(out.data, "memory"));
    assert_null(strstr(out.data, "pid"));
}

static void an_end_says_why(void **state) {
    (void)state;
    show(show_end, "{\"state\":\"stopped\",\"last_exit\":\"exited with status 0\",\"last_error\":\"\"}");
    assert_string_equal(out.data, "stopped: it exited with status 0\n");
    show(show_end, "{\"state\":\"stopped\",\"last_exit\":\"\",\"last_error\":\"\"}");
    assert_string_equal(out.data, "stopped\n");
    show(show_end, "{\"state\":\"failed\",\"last_exit\":\"was ended by signal 9\","
                   "\"last_error\":\"it was not ready in time: port\\u001b 9: Connection refused\"}");
    assert_string_equal(out.data, "failed: it was not ready in time: port? 9: Connection refused\n");
    show(show_end, "{\"state\":\"failed\",\"last_exit\":\"\",\"last_error\":\"could not create its task: no\"}");
    assert_string_equal(out.data, "failed: could not create its task: no\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_line_a_service, teardown),
        cmocka_unit_test_teardown(all_about_one, teardown),
        cmocka_unit_test_teardown(one_that_is_down_has_no_group, teardown),
        cmocka_unit_test_teardown(an_end_says_why, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
