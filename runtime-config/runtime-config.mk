# SPDX-License-Identifier: Apache-2.0
# Library of the guest programs that start containers.
RUNTIME_CONFIG_SRC := $(addprefix runtime-config/,words.c runtime.c prepare.c interfaces.c link.c)
RUNTIME_CONFIG_PKGS := jansson libmnl
$(eval $(call unit_test,runtime_test,runtime-config/runtime_test.c $(RUNTIME_CONFIG_SRC),$(RUNTIME_CONFIG_PKGS)))
$(eval $(call unit_test,prepare_test,runtime-config/prepare_test.c $(RUNTIME_CONFIG_SRC),$(RUNTIME_CONFIG_PKGS)))
$(eval $(call unit_test,interfaces_test,runtime-config/interfaces_test.c runtime-config/interfaces.c runtime-config/link.c,$(RUNTIME_CONFIG_PKGS)))
$(eval $(call unit_test,link_test,runtime-config/link_test.c runtime-config/link.c,libmnl))
