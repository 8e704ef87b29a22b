# SPDX-License-Identifier: Apache-2.0
# The images: Debian packages, and our guest programs without their debug information.
PKG_DIRS := $(sort $(dir $(wildcard pkg/*/build.yml)))
GUEST_PROGRAMS := init svcd rungetty
DEPS += apt kmod

$(BUILD)/guest/%: $(BUILD)/bin/%
	$(call say,STRIP,$@)
	@mkdir -p $(@D)
	$(Q)strip -o $@ $<

images: $(addprefix $(BUILD)/guest/,$(GUEST_PROGRAMS)) $(BUILD)/bin/keelson ## make the images of pkg/ in the image cache
	$(BUILD)/bin/keelson pkg build $(PKG_DIRS)
.PHONY: images
