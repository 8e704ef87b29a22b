/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How extended attributes get through an initrd, whose cpio has no place for them: the builder writes a table, and
 * `service attributes` sets what is in it, before anything of an image runs, and removes it.
 * The table: PATH NAME VALUE, PATH NAME VALUE...; a NUL ends each, PATH is relative to the root, VALUE in lower-case
 * hexadecimal.
 */
#ifndef LIB_ATTRIBUTES_H
#define LIB_ATTRIBUTES_H

#include <stddef.h>

/* Relative to the root. */
#define ATTRIBUTES_TABLE "etc/keelson-attributes"
/* A link to SERVICE, there only with a table. */
#define ATTRIBUTES_STEP "etc/init.d/000-attributes"
#define ATTRIBUTES_SERVICE "/usr/bin/service"
/* A link of the init image to SERVICE: it knows the command. */
#define ATTRIBUTES_SETTER "usr/lib/keelson/attributes"

#define ATTRIBUTES_TABLE_MAX ((size_t)1 << 20)

#endif
