/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest says of itself in its boot record (lib/bootrecord.h), and what that comes to. */
#ifndef TOOLS_RUN_VERDICT_H
#define TOOLS_RUN_VERDICT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/bootrecord.h"
#include "lib/buf.h"

enum verdict {
    VERDICT_NONE, /* the guest has not said that it is up, or that it goes down */
    VERDICT_OK,
    VERDICT_FAILED
};

/* The newest record; lines that are none are passed over. */
struct verdict_reader {
    struct buf text; /* the line that has begun */
    json_t *record;  /* NULL: none yet */
};

#define VERDICT_READER_INIT                                                                                            \
    {                                                                                                                  \
        .text = {.max = (size_t)4 * BOOTRECORD_MAX }                                                                   \
    }

/* Takes bytes as they come from the port. True: a record was among them. */
bool verdict_feed(struct verdict_reader *v, const char *data, size_t len);
void verdict_reader_free(struct verdict_reader *v);

/* "booting", "up", "down"; "": no record. */
const char *verdict_state(const json_t *record);
enum verdict verdict_of(const json_t *record);

/* For people: one line, and one or more for each failed step. */
int verdict_print(const json_t *record, struct buf *out);

/* The record's stages as a picture: lib/bootchart.h. */
int verdict_draw(const json_t *record, struct buf *out);

/* {"verdict":"ok"|"failed"|"none","exit":N,"record":RECORD|null}, and a newline. */
int verdict_print_json(const json_t *record, int exit_status, struct buf *out);

#endif
