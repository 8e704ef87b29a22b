# SPDX-License-Identifier: Apache-2.0
$(eval $(call unit_test,registry_test,tools/registry/registry_test.c $(PKG_SRC),$(PKG_TEST_PKGS)))
