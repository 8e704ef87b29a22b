/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lib/log.h"
#include "runtime-config/containerd_conf.h"

static void check_output(const char *to) {
    FUZZ_CHECK(!to || *to == '/' || !strcmp(to, "stdout") || !strcmp(to, "stderr"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct containerd_conf c;
    struct err e = {0};
    char path[32];
    size_t n = 0;

    log_set_fd(-1);
    int fd = fuzz_file(data, size, path, sizeof(path));
    int r = containerd_conf_load(path, "/prog", &c, &e);
    (void)close(fd);
    for (; c.argv[n]; n++)
        FUZZ_CHECK(*c.argv[n] && !strpbrk(c.argv[n], " \t\n\v\f\r"));
    FUZZ_CHECK(n >= 1 && n <= CONTAINERD_OPTIONS_MAX + 1 && !strcmp(c.argv[0], "/prog"));
    check_output(c.stdout_to);
    check_output(c.stderr_to);
    if (r < 0)
        FUZZ_CHECK(*e.msg && n == 1 && !c.stdout_to && !c.stderr_to);
    containerd_conf_free(&c);
    return 0;
}
