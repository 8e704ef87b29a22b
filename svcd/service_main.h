/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SVCD_SERVICE_MAIN_H
#define SVCD_SERVICE_MAIN_H

/* The command `service`. `name` is what it was called by: init.d's links choose the command. Returns an exit status. */
int service_main(const char *name, int argc, char **argv);

#endif
