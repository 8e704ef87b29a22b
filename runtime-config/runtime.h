/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle's runtime.json: what is done around the container in the root namespace. */
#ifndef RUNTIME_CONFIG_RUNTIME_H
#define RUNTIME_CONFIG_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "runtime-config/interfaces.h"
#include "runtime-config/policy.h"
#include "runtime-config/strings.h"

#define RUNTIME_JSON_MAX ((size_t)1 << 20)

#define RUNTIME_NS_MAX 76 /* as containerd has it */

struct runtime_mount {
    const char *destination, *type, *source;
    struct strings options;
};

enum { NS_CGROUP, NS_IPC, NS_MNT, NS_NET, NS_PID, NS_USER, NS_UTS, NS_COUNT };
extern const char *const ns_names[NS_COUNT + 1]; /* as in /proc/PID/ns and in bindNS; NULL at the end */

struct runtime {
    void *doc; /* owns every string */
    struct strings cgroups, mkdir;
    struct runtime_mount *mounts;
    size_t mounts_len;
    struct interfaces interfaces;
    const char *bind_ns[NS_COUNT]; /* "" or an absolute path */
    const char *ns;                /* containerd namespace, "" = the default */
    uint64_t deadline_ms;          /* of a one-shot; 0: none */
    struct policy policy;          /* of a service; a one-shot heeds its `onfail` */
};

/* Asks for nothing; nothing to free. */
void runtime_init(struct runtime *rt);

/* An absent file is an empty runtime. -EINVAL: a wrong type, with its JSON path. Unknown keys are warned about. */
int runtime_load(const char *path, struct runtime *rt, struct err *e);
void runtime_free(struct runtime *rt);

/* Only "namespace" of the file, into out; "" if there is none, or if it is broken or longer: runtime_load() says that.
 */
void runtime_namespace(const char *path, char *out, size_t len);

bool runtime_binds_namespaces(const struct runtime *rt);

/* Something is to be done between the creation of the container's process and its start. */
bool runtime_wants_process(const struct runtime *rt);

/* fstab's option names -> MS_* flags; what is left over goes to data, comma separated. -E2BIG: more than len bytes. */
int mount_options(const struct strings *options, unsigned long *flags, char *data, size_t len);

/*
 * Cgroups, mounts (destinations and an overlay's upperdir and workdir are created), then mkdir. Relative paths are
 * under BUNDLE/rootfs. Stops at the first failure, and names its JSON path.
 */
int runtime_prepare(const struct runtime *rt, const char *bundle, struct err *e);

/* Whether a mount of it may wait for a device or another machine. */
bool runtime_may_block(const struct runtime *rt);

/* Binds the namespaces of pid to their paths, in place of what was bound there before. */
int runtime_bind_namespaces(const struct runtime *rt, int pid, struct err *e);

/* What is done between creation and start: interfaces_give(), with its `notes`, then runtime_bind_namespaces(). */
int runtime_prepare_process(const struct runtime *rt, int pid, const char *notes, struct err *e);

/* Unbinds the namespaces that are bound on its paths; best effort. */
void runtime_unbind_namespaces(const struct runtime *rt);

/* Undoes runtime_prepare()'s mounts, last first; best effort. */
void runtime_unmount(const struct runtime *rt, const char *bundle);

/* The same for those below the bundle: what is mounted elsewhere is for others. */
void runtime_unmount_bundle(const struct runtime *rt, const char *bundle);

/*
 * Appends what is there of what it asks for: "cgroup PATH", "mount PATH", "interface NAME" (in the root namespace, and
 * in the `notes` of runtime_prepare_process()), "namespace PATH". -ENOMEM.
 */
int runtime_left(const struct runtime *rt, const char *bundle, const char *notes, json_t *list);

#endif
