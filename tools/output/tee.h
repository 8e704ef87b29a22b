/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_OUTPUT_TEE_H
#define TOOLS_OUTPUT_TEE_H

#include "tools/output/output.h"

/*
 * What is added to it goes to each of the outputs (all: of them all, else those that do not take segments), which stay
 * the caller's and are not finished by it. For more than one, contents pass through a temporary file.
 */
int output_tee_new(struct output *const *outputs, size_t len, bool all, struct output **out, struct err *e);
/* How many they are. */
size_t output_tee_len(const struct output *tee);

#endif
