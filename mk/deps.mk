# SPDX-License-Identifier: Apache-2.0
# Debian 12 packages that the targets need, and what for; installed only if one is missing.
DEPS_BUILD := gcc libc6-dev linux-libc-dev musl-tools pkgconf libjansson-dev libarchive-dev libzstd-dev libssl-dev libyaml-dev zlib1g-dev \
  libnghttp2-dev libmnl-dev libprotobuf-c-dev protobuf-c-compiler
DEPS_TEST := libcmocka-dev libasan8 libubsan1
DEPS_CHECK := clang clang-format-14 clang-tidy-14 libclang-rt-14-dev cppcheck
DEPS := $(DEPS_BUILD) $(DEPS_TEST)
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

# $(call install_missing,PACKAGES)
define install_missing
@missing=$$(for p in $(1); do \
  dpkg-query -W -f '$${Status}\n' $$p 2>/dev/null | grep -q '^install ok installed$$' || echo $$p; done); \
if [ -n "$$missing" ]; then echo "deps: installing" $$missing; $(SUDO) apt-get update -q && \
  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
else echo "deps: all there"; fi
endef

deps: ## install the Debian packages that the build and the tests need
	$(call install_missing,$(DEPS))
check-deps: deps ## install what `make check` needs on top
	$(call install_missing,$(DEPS_CHECK))
.PHONY: deps check-deps
