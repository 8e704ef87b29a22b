/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_PKG_PKG_H
#define TOOLS_PKG_PKG_H

/* `keelson pkg build|show-tag [OPTION]... DIR...`: argv[0] is "pkg". Returns the exit status. */
int pkg_main(int argc, char **argv);

#endif
