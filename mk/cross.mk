# SPDX-License-Identifier: Apache-2.0
# `make ARCH=arm64`: the guest programs for another architecture than the host's, and `make ARCH=arm64 images`.
# Objects and programs are in build/ARCH. The libraries are Debian's for that architecture, unpacked below it: the host's
# dpkg is told nothing, and nobody has to be root but to install the compiler.
HOST_ARCH := $(shell dpkg --print-architecture)
ARCH := $(HOST_ARCH)
GUEST_DIR := $(BUILD)/guest/$(ARCH)
# What runs while building is the host's.
HOST_KEELSON := $(BUILD)/bin/keelson
HOST_FILTER_MAKE := $(BUILD)/gen/filter_make
STRIP := strip
# $(call archive,NAME): the static library
archive = $(if $(CROSS_LIB),$(CROSS_LIB)/lib$(1).a,$(shell $(CC) -print-file-name=lib$(1).a))
LIBZSTD_A = $(call archive,zstd)
LINUX_HEADERS := /usr/include
ASM_HEADERS = /usr/include/$(shell $(CC) -print-multiarch)

CROSS_arm64 := aarch64-linux-gnu
ifneq ($(ARCH),$(HOST_ARCH))
CROSS := $(or $(CROSS_$(ARCH)),$(error ARCH=$(ARCH) is not known; there are $(HOST_ARCH), arm64))
BUILD := $(BUILD)/$(ARCH)
DEPS_SYSROOT := musl-dev libzstd-dev libjansson-dev libjansson4 libmnl-dev libmnl0 libnghttp2-dev libnghttp2-14 \
  libprotobuf-c-dev libprotobuf-c1
SYSROOT := $(abspath $(BUILD))/sysroot
MUSL := $(CROSS:gnu=musl)
CROSS_READY := $(SYSROOT)/ready
CROSS_LIB := $(SYSROOT)/usr/lib/$(CROSS)
CC := $(CROSS)-gcc
AR := $(CROSS)-ar
STRIP := $(CROSS)-strip
MUSL_CC := $(CROSS)-gcc -specs=$(SYSROOT)/musl-gcc.specs
PKG_CONFIG := PKG_CONFIG_LIBDIR=$(CROSS_LIB)/pkgconfig pkg-config
CFLAGS_rel += -isystem $(SYSROOT)/usr/include -isystem $(SYSROOT)/usr/include/$(CROSS)
LDFLAGS_rel += -L$(CROSS_LIB) -Wl,-rpath-link,$(CROSS_LIB)
# libgcc's helpers for these ask glibc what the processor can do.
CFLAGS_musl += -mno-outline-atomics
LINUX_HEADERS := /usr/$(CROSS)/include
ASM_HEADERS := $(LINUX_HEADERS)
APT_CROSS := apt-get -qq -o APT::Architecture=$(ARCH) -o APT::Architectures=$(ARCH) -o APT::Sandbox::User= \
  -o Dir::State=$(SYSROOT)/apt -o Dir::State::status=/dev/null -o Dir::Cache=$(SYSROOT)/apt

$(CROSS_READY): mk/cross.mk
	$(call install_missing,$(DEPS_BUILD) $(DEPS_$(ARCH)))
	$(call say,UNPACK,$(SYSROOT))
	$(Q)rm -rf $(SYSROOT) && mkdir -p $(SYSROOT)/apt/lists/partial $(SYSROOT)/apt/archives/partial
	$(Q)$(APT_CROSS) update && cd $(SYSROOT)/apt && $(APT_CROSS) download $(DEPS_SYSROOT)
	$(Q)for deb in $(SYSROOT)/apt/*.deb; do dpkg-deb -x $$deb $(SYSROOT) || exit 1; done
	$(Q)sed 's,/usr/\(include\|lib\)/$(MUSL),$(SYSROOT)&,g' \
	  $(SYSROOT)/usr/lib/$(MUSL)/musl-gcc.specs >$(SYSROOT)/musl-gcc.specs
	$(Q)rm -rf $(SYSROOT)/apt && touch $@

$(CROSS_LIB)/%.a: $(CROSS_READY) ;

$(HOST_KEELSON) $(HOST_FILTER_MAKE): FORCE
	$(Q)$(MAKE) --no-print-directory ARCH=$(HOST_ARCH) BUILD=$(patsubst %/$(ARCH),%,$(BUILD)) $@
FORCE:
.PHONY: FORCE
endif
