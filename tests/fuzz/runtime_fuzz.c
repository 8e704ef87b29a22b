/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lib/log.h"
#include "runtime-config/runtime.h"

static void check_strings(const struct strings *list) {
    FUZZ_CHECK(list->len <= RUNTIME_LIST_MAX);
    for (size_t i = 0; i < list->len; i++)
        FUZZ_CHECK(list->v[i]);
}

static void check_mount(const struct runtime_mount *m) {
    unsigned long flags;
    char data[64];

    FUZZ_CHECK(m->destination && m->type && m->source);
    check_strings(&m->options);
    if (mount_options(&m->options, &flags, data, sizeof(data)) == 0)
        FUZZ_CHECK(memchr(data, '\0', sizeof(data)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct err e = {0};
    struct runtime rt;
    char path[32];

    log_set_fd(-1);
    int fd = fuzz_file(data, size, path, sizeof(path));
    int r = runtime_load(path, &rt, &e);
    (void)close(fd);
    if (r < 0) {
        FUZZ_CHECK(*e.msg);
        return 0;
    }
    check_strings(&rt.cgroups);
    check_strings(&rt.mkdir);
    for (size_t i = 0; i < rt.mounts_len; i++)
        check_mount(&rt.mounts[i]);
    for (int i = 0; i < NS_COUNT; i++)
        FUZZ_CHECK(rt.bind_ns[i] && (!*rt.bind_ns[i] || *rt.bind_ns[i] == '/'));
    FUZZ_CHECK(rt.ns);
    runtime_free(&rt);
    return 0;
}
