# SPDX-License-Identifier: Apache-2.0
# The images: Debian packages, and our guest programs without their debug information, nor who compiled them.
PKG_DIRS := $(sort $(dir $(wildcard pkg/*/build.yml)))
GUEST_PROGRAMS := init bootrecord svcd rungetty memlogd logread logwrite logwrite-zstd kmsg
DEPS_DEMO += apt kmod

$(GUEST_DIR)/%: $(BUILD)/bin/%
	$(call say,STRIP,$@)
	@mkdir -p $(@D)
	$(Q)$(STRIP) -R .comment -o $@ $<

# The images are as old as this list of their names. A cache that lost them, or another KEELSON_CACHE, is noticed: the
# list is compared with the names the cache has. What they are made of: the recipes, our programs, the sources that
# make images, and Debian's packages as of the last `apt-get update`, which touches apt's folder of lists.
IMAGES := $(BUILD)/images
GUEST := $(addprefix $(GUEST_DIR)/,$(GUEST_PROGRAMS))
IMAGES_FROM := $(wildcard pkg/*/build.yml /var/lib/apt/lists) $(GUEST) \
  $(filter-out %_test.c %_test.h,$(wildcard tools/pkg/*.[ch] tools/image/*.[ch]))

$(IMAGES): $(IMAGES_FROM) | $(HOST_KEELSON)
	$(Q)$(HOST_KEELSON) pkg build --arch $(ARCH) $(PKG_DIRS) > $@.new
	@cat $@.new && mv $@.new $@

images: $(IMAGES) ## make the images of pkg/ in the image cache
	@if $(HOST_KEELSON) -q pkg show-tag --arch $(ARCH) $(PKG_DIRS) 2>/dev/null | cmp -s - $<; then echo "images: all in the cache"; \
	else rm -f $< && $(MAKE) --no-print-directory $<; fi
.PHONY: images

# The README's.
pictures: all images ## boot examples/hello.yml, and draw that and what is in it into doc/
	@mkdir -p $(BUILD)/pictures
	@cd $(BUILD)/pictures && keelson=$(abspath $(HOST_KEELSON)) && $$keelson build $(CURDIR)/examples/hello.yml && \
	$$keelson run --accel tcg --wait --boot-chart $(CURDIR)/doc/boot.svg hello </dev/null >boot.log && \
	$$keelson inspect --svg hello >inspect.svg && cp inspect.svg $(CURDIR)/doc/inspect.svg
.PHONY: pictures
