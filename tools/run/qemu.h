/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's command line for a set of options. */
#ifndef TOOLS_RUN_QEMU_H
#define TOOLS_RUN_QEMU_H

#include "lib/buf.h"
#include "tools/run/boot.h"
#include "tools/run/options.h"

/* Owns its words; NULL-terminated once qemu_command() has returned 0. At most QEMU_WORDS_MAX words. */
#define QEMU_WORDS_MAX 256
struct qemu_command {
    char *words[QEMU_WORDS_MAX];
    size_t len;
};

/*
 * Writes the command that boots `b`; `cmdline` is that of kernel and initrd. Looks at no file. A disk's
 * format must be known by now. -ENOMEM, -E2BIG.
 */
int qemu_command(struct qemu_command *q, const struct run_options *o, const struct run_boot *b, const char *accel,
                 const char *cmdline, struct err *e);
void qemu_command_free(struct qemu_command *q);
#define AUTO_QEMU_COMMAND AUTO(qemu_command_free)

/* Appends the command as a line that a shell would read back as the same words. */
int qemu_command_print(const struct qemu_command *q, struct buf *out);

#endif
