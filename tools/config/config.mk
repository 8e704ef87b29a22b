# SPDX-License-Identifier: Apache-2.0
CONFIG_PKGS := jansson yaml-0.1 libcurl
CONFIG_SRC := $(filter-out %_test.c,$(wildcard tools/config/*.c))
$(eval $(call unit_test,config_test,tools/config/config_test.c runtime-config/words.c $(CONFIG_SRC),$(CONFIG_PKGS)))
