# SPDX-License-Identifier: Apache-2.0
# How objects, programs and unit tests are made.
#
# A program: in FOLDER/FOLDER.mk
#   $(eval $(call program,NAME,VARIANT,SOURCES,PKG-CONFIG MODULES))   -> build/bin/NAME, added to PROGRAMS
# A unit test (cmocka, sanitized):
#   $(eval $(call unit_test,NAME,SOURCES,PKG-CONFIG MODULES[,LINKER FLAGS]))   -> build/test/NAME, added to UNIT_TESTS
# SOURCES include the test's own file and the files under test; lib's archive is always linked.

# One line a step; `make V=1` shows the commands.
Q := $(if $(V),,@)
say = @printf '  %-5s %s\n' $(1) $(2)

PROGRAMS :=
UNIT_TESTS :=

obj = $(patsubst %.c,$(BUILD)/obj/$(1)/%.o,$(filter %.c,$(2)))
pkg_libs = $(if $(strip $(1)),$(shell $(PKG_CONFIG) --libs $(1)))

define variant_rule
$(BUILD)/obj/$(1)/%.o: %.c | $(CROSS_READY)
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC_$(1)) $$(CPPFLAGS_ALL) $$(CFLAGS_ALL) $$(CFLAGS_$(1)) -c -o $$@ $$<
$(BUILD)/obj/$(1)/gen/%.o: $(BUILD)/gen/%.c | $(CROSS_READY)
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC_$(1)) $$(CPPFLAGS_ALL) -std=gnu17 $$(CFLAGS_$(1)) -MMD -MP -c -o $$@ $$<
endef
$(foreach v,rel small san musl,$(eval $(call variant_rule,$(v))))

define program
PROGRAMS += $(BUILD)/bin/$(1)
$(BUILD)/bin/$(1): $(call obj,$(2),$(3)) $(BUILD)/obj/$(2)/libkeelson.a
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC_$(2)) $$(LDFLAGS_$(2)) -o $$@ $$(filter %.o,$$^) $$(filter %.a,$$^) $$(call pkg_libs,$(4))
endef

define unit_test
UNIT_TESTS += $(BUILD)/test/$(1)
$(BUILD)/test/$(1): $(call obj,san,$(2)) $(BUILD)/obj/san/libkeelson.a
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC_san) $$(LDFLAGS_san) $(4) -o $$@ $$(filter %.o,$$^) $$(filter %.a,$$^) $$(call pkg_libs,cmocka $(3))
endef

$(BUILD)/musl-include:
	@mkdir -p $@
	@ln -sfn $(LINUX_HEADERS)/linux $(LINUX_HEADERS)/asm-generic $(LINUX_HEADERS)/mtd $(ASM_HEADERS)/asm $@/
