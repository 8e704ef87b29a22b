/* SPDX-License-Identifier: Apache-2.0 */
#include "svcd/boot_table.h"

#include <errno.h>
#include <string.h>

#include "lib/bootchart.h"
#include "lib/printable.h"
#include "svcd/boot_stages.h"

#define STAGE_WIDTH 40

static int print_stage(const struct boot_stage *s, struct buf *out) {
    int indent = (int)s->depth * 2;
    int pad = STAGE_WIDTH - indent - (int)strlen(s->name);
    char cpu[32] = "-";
    size_t line = out->len;

    if (s->cpu_ns > 0)
        (void)snprintf(cpu, sizeof(cpu), "%.3f", (double)s->cpu_ns / 1e9);
    int r = buf_printf(out, "%*s%s%*s %9.3f %9.3f %9s%s%s", indent, "", s->name, pad > 0 ? pad : 0, "",
                       (double)s->start_ns / 1e9, ((double)s->end_ns - (double)s->start_ns) / 1e9, cpu,
                       s->ok ? *s->detail ? "  " : "" : "  FAILED ", s->detail);
    make_printable(out, line);
    return r < 0 ? r : buf_puts(out, "\n");
}

int boot_table(const json_t *timeline, struct buf *out, struct err *e) {
    AUTO_BOOT_STAGES struct boot_stages stages;
    int r = boot_stages_read(timeline, &stages, e);

    if (r < 0)
        return r;
    r = buf_printf(out, "%-*s %9s %9s %9s\n", STAGE_WIDTH, "STAGE", "START s", "TOOK s", "CPU s");
    for (size_t i = 0; i < stages.len && !r; i++)
        r = print_stage(&stages.v[i], out);
    return r < 0 ? err_errno(e, r, "could not print the boot timeline") : 0;
}

static struct bootchart_row row_of(const struct boot_stage *s) {
    struct bootchart_row row = {.name = s->name,
                                .detail = s->detail,
                                .depth = s->depth,
                                .start_s = (double)s->start_ns / 1e9,
                                .end_s = (double)s->end_ns / 1e9,
                                .cpu_s = (double)s->cpu_ns / 1e9,
                                .ok = s->ok,
                                .waits_len = s->waits_len};

    memcpy(row.waits, s->waits, sizeof(row.waits));
    return row;
}

int boot_chart(const json_t *timeline, struct buf *out, struct err *e) {
    AUTO_BOOT_STAGES struct boot_stages stages;
    int r = boot_stages_read(timeline, &stages, e);

    if (r < 0)
        return r;
    AUTO_FREE struct bootchart_row *rows = calloc(stages.len + 1, sizeof(*rows));
    if (!rows)
        return err_errno(e, -ENOMEM, "could not draw the boot timeline");
    for (size_t i = 0; i < stages.len; i++)
        rows[i] = row_of(&stages.v[i]);
    const struct bootchart chart = {.rows = rows, .len = stages.len};
    r = bootchart_draw(&chart, out);
    return r < 0 ? err_errno(e, r, "could not draw the boot timeline") : 0;
}
