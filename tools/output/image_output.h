/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_OUTPUT_IMAGE_OUTPUT_H
#define TOOLS_OUTPUT_IMAGE_OUTPUT_H

#include "tools/output/format.h"
#include "tools/output/parts.h"

/*
 * One bootable image in `path`: kernel and initrd go into a temporary folder beside it, and `make` puts them together
 * when all is there. Needs about three times the appliance's size on the disk while it works. `trees`: a glob for the
 * VENDOR/BOARD.dtb of device trees that `make` finds in the folder under BOARD.dtb; NULL: none.
 */
int output_image_new(const char *path, image_make_fn *make, const char *trees, const struct format_order *order,
                     struct output **out, struct err *e);

/* For finish: what is no file (a disk, a FIFO) gets the bytes; else nothing is done. */
int image_pass_on(const char *from, const char *to, struct err *e);
/*
 * For commit: renames, and gives the rights that a new file has: mkostemp and its like make files that only their owner
 * may read. Nothing is done for what is no file.
 */
int image_give_name(const char *from, const char *to, struct err *e);

#endif
