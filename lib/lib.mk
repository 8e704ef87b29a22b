# SPDX-License-Identifier: Apache-2.0
# libkeelson.a: what several programs use. The musl variant leaves out what needs a foreign library.
LIB_SRC := lib/err.c lib/buf.c lib/log.c lib/loop.c lib/spawn.c lib/respawn.c lib/fdstore.c lib/fdutil.c lib/timeline.c lib/waits.c lib/bootrecord.c lib/utf8.c lib/printable.c cmdline/cmdline.c
LIB_SRC_glibc := lib/json.c lib/capture.c lib/temp.c lib/xml.c lib/bootchart.c

$(BUILD)/obj/rel/libkeelson.a: $(call obj,rel,$(LIB_SRC) $(LIB_SRC_glibc))
$(BUILD)/obj/small/libkeelson.a: $(call obj,small,$(LIB_SRC) $(LIB_SRC_glibc))
$(BUILD)/obj/san/libkeelson.a: $(call obj,san,$(LIB_SRC) $(LIB_SRC_glibc))
$(BUILD)/obj/musl/libkeelson.a: $(call obj,musl,$(LIB_SRC))
$(BUILD)/obj/%/libkeelson.a:
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(call obj,musl,$(LIB_SRC)): | $(BUILD)/musl-include

$(foreach t,err buf log loop spawn respawn fdstore fdutil bootchart waits array little printable xml,$(eval $(call unit_test,$(t)_test,lib/$(t)_test.c)))
$(foreach t,timeline bootrecord json capture temp,$(eval $(call unit_test,$(t)_test,lib/$(t)_test.c,jansson)))
$(eval $(call unit_test,cmdline_test,cmdline/cmdline_test.c))
