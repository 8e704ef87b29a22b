/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of signatures, and a signature: what is accepted decides the same way twice, and nothing is right by luck.
 */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tools/trust/trust.h"

static void check_policy(const struct policy *p) {
    static const char *const names[] = {"docker.io/linuxkit/init:v1", "x.io/a@sha256:0", ""};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        AUTO_FREE char *key = NULL, *again = NULL;
        bool decided = false, twice = false;
        FUZZ_CHECK(policy_key(p, names[i], &key, &decided, NULL) == 0);
        FUZZ_CHECK(policy_key(p, names[i], &again, &twice, NULL) == 0);
        FUZZ_CHECK(decided == twice && (decided || !key));
        FUZZ_CHECK(key ? again && !strcmp(key, again) : !again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char key[] =
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeWFvWJkCoL0yN7itnS6HM7CPM+TX\n"
        "uNNkyDSZ9MgZ1zasGq2VIfue1C/JGo7/qBWaSiVa6TVqPpn/7ZlprNGmxQ==\n-----END PUBLIC KEY-----\n";
    AUTO_POLICY struct policy p = {0};
    AUTO_FREE char *text = strndup((const char *)data, size);
    char path[64], key_path[64];
    AUTO_CLOSE int fd = fuzz_file(data, size, path, sizeof(path));
    AUTO_CLOSE int key_fd = fuzz_file((const uint8_t *)key, strlen(key), key_path, sizeof(key_path));
    bool right = true;

    FUZZ_CHECK(fd >= 0 && key_fd >= 0);
    if (policy_load(path, &p, NULL) == 0)
        check_policy(&p);
    FUZZ_CHECK(text && trust_verify(key_path, "payload", 7, text, &right, NULL) == 0 && !right);
    return 0;
}
