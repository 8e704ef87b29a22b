# SPDX-License-Identifier: Apache-2.0
PKG_SRC := $(filter-out %_test.c,$(wildcard tools/pkg/*.c tools/config/*.c tools/image/*.c tools/cache/*.c tools/registry/*.c tools/trust/*.c)) tools/pkg/fixture_test.c tools/build/store.c tools/cli/options.c tools/sbom/packages.c runtime-config/words.c
PKG_TEST_PKGS := jansson libarchive libisal libzstd libcrypto yaml-0.1 libcurl
$(foreach t,recipe fetch assemble package,\
  $(eval $(call unit_test,pkg_$(t)_test,tools/pkg/$(t)_test.c $(PKG_SRC),$(PKG_TEST_PKGS))))
