/* SPDX-License-Identifier: Apache-2.0 */
/* `@pkg:FOLDER`, anywhere where a string may be: the package's image, with the tag that its contents have now. */
#include <errno.h>
#include <string.h>

#include "lib/fdutil.h"
#include "tools/config/config_priv.h"

#define TEMPLATE "@pkg:"

/* A relative folder is relative to the file's; a file that is not on disk has the current one. */
static char *folder_of(const char *file, const char *word) {
    const char *slash = strrchr(file, '/');

    if (*word == '/' || !slash || source_is_url(file))
        return strdup(word);
    AUTO_FREE char *base = strndup(file, (size_t)(slash + 1 - file));
    return base ? path_join(base, word) : NULL;
}

int template_replace(void *data, const char *text, char **out, struct err *e) {
    const struct templates *t = data;

    if (strncmp(text, TEMPLATE, strlen(TEMPLATE)) != 0)
        return 0;
    AUTO_FREE char *dir = folder_of(t->file, text + strlen(TEMPLATE));
    int r = dir ? t->resolver->package(t->resolver->data, dir, out, e) : err_set(e, -ENOMEM, "out of memory");
    return r < 0 ? err_wrap(e, r, "could not resolve %s", text) : 0;
}
