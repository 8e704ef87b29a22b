/* SPDX-License-Identifier: Apache-2.0 */
/* `keelson completion bash`: a script that completes words; it asks the commands' own --help for their options. */
#ifndef TOOLS_COMPLETION_COMPLETION_H
#define TOOLS_COMPLETION_COMPLETION_H

/* argv[0] is "completion". Returns the exit status. */
int completion_main(int argc, char **argv);

#endif
