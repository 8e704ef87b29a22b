# SPDX-License-Identifier: Apache-2.0
$(foreach t,registry helper http,\
  $(eval $(call unit_test,$(t)_test,tools/registry/$(t)_test.c $(PKG_SRC),$(PKG_TEST_PKGS))))
