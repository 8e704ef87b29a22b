/* SPDX-License-Identifier: Apache-2.0 */
/* What git knows of a folder; asked with the git of PATH. Strings are malloc'd. */
#ifndef TOOLS_PKG_GIT_H
#define TOOLS_PKG_GIT_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/err.h"

#define GIT_SHORT_LEN 7 /* of the contents' hash in "-dirty-..." */

/* False: no git repository, or no git. */
bool git_has(const char *dir);
/* The hash of the folder's tree in the commit ("HEAD"); -ENOENT: the commit does not have it. */
int git_tree_hash(const char *dir, const char *commit, char **out, struct err *e);
/* Whether files below dir differ from the commit or are not tracked; only HEAD can be compared with. */
int git_is_dirty(const char *dir, const char *commit, bool *dirty, struct err *e);
/* Over all files below dir, tracked and not (but not ignored ones), as LinuxKit computes it: 64 hex digits. */
int git_content_hash(const char *dir, char *out, struct err *e);
int git_commit(const char *dir, char **out, struct err *e);
/* The tags of the commit, a line each; appended. */
int git_tags_here(const char *dir, struct buf *out, struct err *e);
/* Go's (pseudo-)version of the repository: "v1.2.3-20260102030405-abcdef012345". */
int git_go_version(const char *dir, char **out, struct err *e);

#endif
