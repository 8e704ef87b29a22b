/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp profiles as Docker writes them (JSON): the OCI runtime specification's linux.seccomp, with conditions on
 * capabilities, architectures and the kernel's version on its rules, and with `archMap`.
 */
#ifndef TOOLS_OCI_SECCOMP_H
#define TOOLS_OCI_SECCOMP_H

#include <jansson.h>

#include "lib/err.h"

/* The default profile, in Docker's form; NULL: no memory. */
json_t *seccomp_default_profile(void);

/* A profile from a file. An integer from 2^63 on is the negative one of the same 64 bits. *out is a new reference. */
int seccomp_read_file(const char *path, json_t **out, struct err *e);

/* Whether all of a profile's members are known and of the right types; the error has the JSON path of the first. */
int seccomp_check(const json_t *profile, const char *name, struct err *e);

/*
 * The profile for a container with these capabilities ("CAP_..." of its bounding set) on an architecture ("amd64",
 * "arm64") as the runtime takes it. The kernel is taken to be as new as any rule wants. System calls that the
 * architecture does not have are left out; so are names that nobody knows, but if the profile allows what it does not
 * name, they are an error, for they may be slips. `name` is the profile's, for messages.
 */
int seccomp_apply(const json_t *profile, const char *name, const json_t *capabilities, const char *arch, json_t **out,
                  struct err *e);

#endif
