/* SPDX-License-Identifier: Apache-2.0 */
/* One shim is found by its task; whoever is another's, or no shim, is left alone. */
#include "svcd/shim.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/array.h"
#include "svcd/shim_test.h"

#define NS "shim_test.linuxkit"

static char dir[32];

static int setup(void **state) {
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/shim_test.XXXXXX");
    (void)alarm(60);
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
    struct spawn s = SPAWN_INIT;
    int status;
    (void)state;
    s.argv = (const char *const[]){"rm", "-rf", dir, NULL};
    return spawn_wait(&s, 0, &status, NULL);
}

static void there_may_be_none(void **state) {
    (void)state;
    assert_false(shim_kill(NS, "www"));
}

static void only_the_tasks_own_is_killed(void **state) {
    static const struct {
        const char *program, *ns, *name;
    } others[] = {{FAKE_SHIM, NS, "ww"},      {FAKE_SHIM, NS, "wwww"},       {FAKE_SHIM, "default", "www"},
                  {FAKE_SHIM, "www", NS},     {"containerd-shi", NS, "www"}, {"shim", NS, "www"},
                  {FAKE_SHIM, NS, "-address"}};
    struct fake_shim beside[ARRAY_SIZE(others)];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        beside[i] = fake_shim_begin(dir, others[i].program, others[i].ns, others[i].name);
    struct fake_shim own = fake_shim_begin(dir, FAKE_SHIM, NS, "www");
    assert_true(shim_kill(NS, "www"));
    assert_true(fake_shim_is_gone(&own, 10000));
    assert_false(shim_kill(NS, "www")); /* a zombie is not killed once more */
    fake_shim_end(&own, true);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        fake_shim_end(&beside[i], false);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {T(there_may_be_none), T(only_the_tasks_own_is_killed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
