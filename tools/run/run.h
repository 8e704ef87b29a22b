/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_RUN_RUN_H
#define TOOLS_RUN_RUN_H

/*
 * `keelson run [qemu] [options] NAME`: argv[0] is the word "run". Blocks until the virtual machine is gone. Returns the
 * exit status: 0 the machine ended by itself, 1 it could not be started or QEMU failed, 100 wrong options,
 * 124 --timeout was over,
 * 128+N ended because this program got signal N. Errors are logged under the program name that the caller gave
 * log_init().
 */
int run_main(int argc, char **argv);

#endif
