# SPDX-License-Identifier: Apache-2.0
# Library of the guest programs that start containers.
RUNTIME_CONFIG_SRC := runtime-config/words.c runtime-config/runtime.c runtime-config/prepare.c
$(eval $(call unit_test,runtime_test,runtime-config/runtime_test.c $(RUNTIME_CONFIG_SRC),jansson))
$(eval $(call unit_test,prepare_test,runtime-config/prepare_test.c $(RUNTIME_CONFIG_SRC),jansson))
