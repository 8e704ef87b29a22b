/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_CONFIG_RUNTIME_PRIV_H
#define RUNTIME_CONFIG_RUNTIME_PRIV_H

#include <stdbool.h>

/* Is a namespace bound on the path? */
bool runtime_is_namespace(const char *path);

#endif
