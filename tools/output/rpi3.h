/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_OUTPUT_RPI3_H
#define TOOLS_OUTPUT_RPI3_H

#include "lib/err.h"

/* Of the boards: what the kernel's tree calls the Raspberry Pi 3 and its kin. */
#define RPI3_TREES "broadcom/bcm2837-rpi-*.dtb"

/* Whether the board's firmware is there, before anything is built. */
int rpi3_check(struct err *e);

#endif
