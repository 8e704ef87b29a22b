/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has put what where. Images, volumes, containers and files share one tree: a later one may replace a file or add
 * to a directory, but a directory cannot become something else, nor something else a directory, and no path may lead
 * through a link that another one has put there. Whoever unpacks the tree would make something else of it each time.
 */
#ifndef TOOLS_BUILD_CLAIMS_H
#define TOOLS_BUILD_CLAIMS_H

#include "tools/output/output.h"

struct claims;

int claims_new(struct claims **out, struct err *e);

/*
 * What is added to it is noted, and goes on to `inner`, which stays the caller's; -EEXIST names both owners. It lives
 * as long as c. Memory: the path, its owner and a link's target for each path.
 */
struct output *claims_output(struct claims *c, struct output *inner);

void claims_free(struct claims *c);
DEFINE_AUTO(struct claims *, claims_free)
#define AUTO_CLAIMS AUTO(claims_free_auto)

#endif
