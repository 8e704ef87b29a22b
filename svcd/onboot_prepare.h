/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SVCD_ONBOOT_PREPARE_H
#define SVCD_ONBOOT_PREPARE_H

#define ONBOOT_PREPARER "service-preparer" /* argv[0] */

/* The child's main: argv[1] is the bundle; says on standard output why it failed. */
int onboot_preparer_main(int argc, char **argv);

#endif
