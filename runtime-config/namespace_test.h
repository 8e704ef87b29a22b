/* SPDX-License-Identifier: Apache-2.0 */
/* For tests that mount, or make interfaces. */
#ifndef RUNTIME_CONFIG_NAMESPACE_TEST_H
#define RUNTIME_CONFIG_NAMESPACE_TEST_H

#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>

#include "lib/fdutil.h"

static inline bool test_map_ids(uid_t uid, gid_t gid) {
    char users[32], groups[32];

    (void)snprintf(users, sizeof(users), "0 %u 1", uid);
    (void)snprintf(groups, sizeof(groups), "0 %u 1", gid);
    return write_sysfile("/proc/self/setgroups", "deny", NULL) == 0 &&
           write_sysfile("/proc/self/uid_map", users, NULL) == 0 &&
           write_sysfile("/proc/self/gid_map", groups, NULL) == 0;
}

/* Mounts and network of our own, as root of a new user namespace, or as root. False: the machine allows neither. */
static inline bool test_enter_namespace(void) {
    uid_t uid = geteuid();
    gid_t gid = getegid();
    bool user = unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) == 0;

    return (user ? test_map_ids(uid, gid) : unshare(CLONE_NEWNS | CLONE_NEWNET) == 0) &&
           mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0;
}

#endif
