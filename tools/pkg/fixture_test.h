/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of this folder: a temporary folder with an apt-get of ours first in PATH, which has the packages that
 * the test makes. No network, nothing of the machine's apt.
 *
 *   FIXTURE/archive   the .deb files apt-get has     FIXTURE/log   a line for each package it was asked to download
 *   FIXTURE/cut, slow   if there: downloads are cut off, take a second
 */
#ifndef TOOLS_PKG_FIXTURE_TEST_H
#define TOOLS_PKG_FIXTURE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "tools/image/entry.h"

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* FIXTURE/name; valid until the next eight calls. */
const char *fixture_path(const char *name);
void fixture_write(const char *name, const char *text);
bool fixture_has(const char *name);
/* Lines of FIXTURE/log. */
unsigned fixture_downloads(void);

/*
 * Makes archive/NAME_VERSION_amd64.deb. A line is "d PATH", "f PATH CONTENTS", "l PATH TARGET" or "h PATH TARGET"; the
 * last is NULL. depends: NULL, or of the control file.
 */
void fixture_deb(const char *name, const char *version, const char *depends, const char *const *lines);
#define LINES(...)                                                                                                     \
    (const char *const[]) {                                                                                            \
        __VA_ARGS__, NULL                                                                                              \
    }

/* An entry_fn that appends lines to a struct buf: "d a", "f a/b=CONTENTS", "l a -> t", "h a -> t". */
int fixture_describe(void *data, const struct entry *entry, const struct entry_content *content, struct err *e);

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

#endif
