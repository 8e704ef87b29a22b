/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot timeline: /run/keelson/boot.json, one JSON document that init, service and svcd append to under flock:
 *
 *   {"version":1,"stages":[
 *   {"stage":"init","parent":"","start_ns":1200000000,"end_ns":1250000000,"ok":true,"detail":""},
 *   ...
 *   ]}
 *
 * Times are CLOCK_MONOTONIC (0 = the kernel's start). At most TIMELINE_MAX_BYTES; later stages are dropped and the
 * function says so with -EFBIG. Appending never blocks for longer than 20 ms (-EAGAIN then). No allocation.
 */
#ifndef LIB_TIMELINE_H
#define LIB_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#define TIMELINE_PATH "/run/keelson/boot.json"
#define TIMELINE_MAX_BYTES (256 * 1024)

struct timeline_stage {
    const char *stage;  /* "mounts", "010-onboot", "onboot/000-dhcpcd", "services/www" */
    const char *parent; /* stage it is part of: "" (top), "init.d", "010-onboot", ...: gives the indent */
    uint64_t start_ns;
    uint64_t end_ns;
    bool ok;
    const char *detail; /* "" or why it failed; JSON-escaped by the callee; cut at 200 bytes */
};

int timeline_append(const char *path, const struct timeline_stage *s);

#endif
