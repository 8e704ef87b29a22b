# SPDX-License-Identifier: Apache-2.0
# keelson: every entry point. `make help` lists them. Non-recursive: each folder's *.mk adds to the lists below.

BUILD ?= build
VERSION := 0.1.0

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

include mk/toolchain.mk
include mk/cross.mk
include mk/rules.mk
include mk/deps.mk
include lib/lib.mk
include runtime-config/runtime-config.mk
include $(wildcard init/init.mk bootrecord/bootrecord.mk svcd/svcd.mk rungetty/rungetty.mk memlogd/memlogd.mk tools/tools.mk pkg/pkg.mk)
include tests/tests.mk
include mk/check.mk
include mk/install.mk

ALL := $(if $(CROSS),$(GUEST),$(PROGRAMS))
all: $(ALL) ## build every program into build/bin; with ARCH=arm64 the guest's, for that

clean: ## remove build/
	rm -rf $(BUILD)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort -u | expand -t 16

.PHONY: all clean help
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
