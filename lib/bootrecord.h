/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot record: what there is to say of a boot, in one line of JSON of at most BOOTRECORD_MAX bytes, its newline
 * included, all of it ASCII. Made from the timeline (lib/timeline.h); nothing is allocated.
 *
 *   {"version":1,"state":"up","ok":false,"end":"","firmware":"bios","at_ms":8123,"running":"","failed":[
 *    {"step":"onboot/001-disk","why":"exited with status 1","output":"mount: /dev/vda: I/O error"}],"failed_more":0,
 *    "memory_kib":241000,"memory_least_kib":120312,"oom_kills":0,"lost_lines":0,"lost_bytes":0,"last_end":"",
 *    "kernel":"","stages":[["kernel",0,1201],["init",1201,310,80,[0]]],"stages_more":0}
 *
 * A stage has its name, its begin, how long it took and, if there is more to say, the CPU time of its processes (all in
 * ms) and the places in "stages" of those whose end it waited for. Programs that read it ignore what may follow.
 *
 * A step has failed unless a later stage of the same name is ok. A step that failed because of its parts is not named
 * beside them. What does not fit is left out: first stages (in the order of the timeline; "stages_more" counts them),
 * then output, then failed steps ("failed_more").
 */
#ifndef LIB_BOOTRECORD_H
#define LIB_BOOTRECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOTRECORD_MAX 4096
#define BOOTRECORD_FAILED_MAX 32   /* failed steps that are looked at; the first ones */
#define BOOTRECORD_SUMMARY_MAX 960 /* fits into a log line */
#define BOOTRECORD_PORT "org.keelson.record"
#define BOOTRECORD_PATH "/run/keelson/record.json"

enum bootrecord_state {
    BOOTRECORD_BOOTING, /* it takes long */
    BOOTRECORD_UP,      /* every service is ready, done, or has failed */
    BOOTRECORD_DOWN,    /* the machine is about to end */
    BOOTRECORD_STATES
};

/* Puts the last that a step has printed into out, as text; "" if nothing is known. */
typedef void bootrecord_output_fn(const char *step, char *out, size_t len, void *data);

struct bootrecord {
    enum bootrecord_state state;
    const char *end;     /* "poweroff", "reboot", "halt"; "" */
    bool efi;            /* UEFI firmware has booted it */
    const char *running; /* the step that runs; "" */
    uint64_t at_ns;      /* since the kernel's start */
    uint64_t memory_kib, memory_least_kib;
    uint64_t oom_kills;
    uint64_t lost_lines, lost_bytes; /* that no console took */
    const char *last_end;            /* how the last boot ended, if the platform keeps it; "" */
    const char *kernel;              /* the last that the kernel has said of errors; "" */
    const char *timeline;            /* the document */
    size_t timeline_len;
    bootrecord_output_fn *output; /* for failed steps whose output is not in the timeline; NULL: nobody knows */
    void *data;
};

/* Writes the record, with a newline and a NUL. Returns its length. *ok: nothing has failed, and it is not booting. */
size_t bootrecord_make(const struct bootrecord *r, char out[BOOTRECORD_MAX + 1], bool *ok);

/* For people, without a newline: "up after 8.1 s, ok", "up after 8.1 s, FAILED: onboot/001-disk: exited with ..." */
void bootrecord_summary(const struct bootrecord *r, char out[BOOTRECORD_SUMMARY_MAX]);

const char *bootrecord_state_name(enum bootrecord_state s);

#endif
