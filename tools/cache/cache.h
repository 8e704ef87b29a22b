/* SPDX-License-Identifier: Apache-2.0 */
/* `keelson cache`: what people do with the cache by hand. */
#ifndef TOOLS_CACHE_CACHE_H
#define TOOLS_CACHE_CACHE_H

/* argv[0] is "cache". Returns the exit status. */
int cache_main(int argc, char **argv);

#endif
