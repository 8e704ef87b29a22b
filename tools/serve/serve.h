/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_SERVE_SERVE_H
#define TOOLS_SERVE_SERVE_H

/* `keelson serve [OPTION]... [DIR]`: argv[0] is "serve". Serves until SIGINT or SIGTERM. Returns the exit status. */
int serve_main(int argc, char **argv);

#endif
