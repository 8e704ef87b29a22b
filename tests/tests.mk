# SPDX-License-Identifier: Apache-2.0
# Everything that is tried out. The images and the appliances of tests and demo stay in build/.
DEPS_DEMO += python3 qemu-system-x86
DEPS_TEST += python3-pytest python3-pytest-xdist busybox-static e2fsprogs zstd ovmf iproute2 dnsmasq-base ipxe $(DEPS_FORMATS)
DEPS_FRESH := debootstrap

export KEELSON := $(abspath $(BUILD))/bin/keelson
DEMO := $(BUILD)/demo

include tests/fuzz/fuzz.mk
include tests/bench/bench.mk

unit-tests: $(UNIT_TESTS)

test-quick: deps ## unit tests and two boots, a few minutes
	@$(MAKE) --no-print-directory all unit-tests images
	@$(PYTHON) tests/run.py $(UNIT_TESTS) --vm=hello

test: deps ## install what is needed, build, run every test, whole boots included
	@$(MAKE) --no-print-directory all unit-tests images
	@$(PYTHON) tests/run.py $(UNIT_TESTS) --host --vm

demo: deps-demo ## install what is needed, build, boot examples/hello.yml; a console if this is a terminal
	@$(MAKE) --no-print-directory all images
	@mkdir -p $(DEMO)
	$(KEELSON) build --dir $(DEMO) --name hello examples/hello.yml
	@$(PYTHON) tests/demo.py $(DEMO)/hello

test-fresh: ## run the README's commands in a fresh minimal Debian 12 (needs root and some minutes)
	$(call install_missing,$(DEPS_FRESH))
	tests/fresh.sh $(BUILD)/fresh
.PHONY: test test-quick unit-tests demo test-fresh
