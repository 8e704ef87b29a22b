# SPDX-License-Identifier: Apache-2.0
PKG_SRC := $(filter-out %_test.c,$(wildcard tools/pkg/*.c tools/config/*.c tools/image/*.c)) tools/pkg/fixture_test.c
PKG_TEST_PKGS := jansson libarchive libzstd libcrypto yaml-0.1
$(foreach t,recipe fetch assemble,\
  $(eval $(call unit_test,pkg_$(t)_test,tools/pkg/$(t)_test.c $(PKG_SRC),$(PKG_TEST_PKGS))))
