/* SPDX-License-Identifier: Apache-2.0 */
/* Gives a target every file of its corpus, twice: what it once found stays found. Run in the repository's top folder.
 */
#include "tests/fuzz/fuzz.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char corpus[256]; /* of build/test/NAME_replay: tests/fuzz/corpus/NAME */

static void every_input_is_survived_twice(void **state) {
    AUTO_NAMES struct names files = {0};
    struct err e = {0};
    (void)state;
    if (list_dir(corpus, &files, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(files.len > 0);
    for (size_t i = 0; i < files.len; i++) {
        AUTO_BUF struct buf text = BUF_INIT;
        AUTO_FREE char *path = path_join(corpus, files.v[i]);
        assert_non_null(path);
        if (read_file(path, (size_t)1 << 20, &text, &e) < 0)
            fail_msg("%s", e.msg);
        AUTO_FREE uint8_t *exact = malloc(text.len + !text.len); /* the sanitizer watches its end */
        assert_non_null(exact);
        if (text.len)
            memcpy(exact, text.data, text.len);
        for (int again = 0; again < 2; again++)
            assert_int_equal(LLVMFuzzerTestOneInput(exact, text.len), 0);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_input_is_survived_twice)};
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : "";
    const char *end = strstr(name, "_replay");

    (void)snprintf(corpus, sizeof(corpus), "tests/fuzz/corpus/%.*s", (int)(end ? end - name : 0), name);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
