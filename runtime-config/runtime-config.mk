# SPDX-License-Identifier: Apache-2.0
# Library of the guest programs that start containers.
TOML_SRC := runtime-config/toml.c runtime-config/toml_value.c runtime-config/toml_string.c runtime-config/toml_mark.c
INTERFACES_SRC := runtime-config/unknown.c runtime-config/interfaces.c runtime-config/link.c runtime-config/link_kind.c
RUNTIME_CONFIG_SRC := runtime-config/words.c runtime-config/strings.c runtime-config/policy.c \
  runtime-config/runtime.c runtime-config/prepare.c runtime-config/inside.c runtime-config/left.c \
  runtime-config/containerd_conf.c $(INTERFACES_SRC) $(TOML_SRC)
RUNTIME_CONFIG_PKGS := jansson libmnl
$(eval $(call unit_test,runtime_test,runtime-config/runtime_test.c $(RUNTIME_CONFIG_SRC),$(RUNTIME_CONFIG_PKGS)))
$(eval $(call unit_test,policy_test,runtime-config/policy_test.c $(RUNTIME_CONFIG_SRC),$(RUNTIME_CONFIG_PKGS)))
$(eval $(call unit_test,prepare_test,runtime-config/prepare_test.c $(RUNTIME_CONFIG_SRC),$(RUNTIME_CONFIG_PKGS)))
$(eval $(call unit_test,inside_test,runtime-config/inside_test.c runtime-config/inside.c))
$(eval $(call unit_test,interfaces_test,runtime-config/interfaces_test.c $(INTERFACES_SRC),$(RUNTIME_CONFIG_PKGS)))
$(eval $(call unit_test,link_kind_test,runtime-config/link_kind_test.c runtime-config/link_kind.c))
$(eval $(call unit_test,link_test,runtime-config/link_test.c runtime-config/link.c,libmnl))
TOML_TEST_WRAP := -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc
$(eval $(call unit_test,toml_test,runtime-config/toml_test.c $(TOML_SRC),jansson,$(TOML_TEST_WRAP)))
$(eval $(call unit_test,toml_value_test,runtime-config/toml_value_test.c $(TOML_SRC),jansson))
$(eval $(call unit_test,containerd_conf_test,runtime-config/containerd_conf_test.c runtime-config/containerd_conf.c $(TOML_SRC),jansson))
