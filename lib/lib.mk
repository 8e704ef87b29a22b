# SPDX-License-Identifier: Apache-2.0
# libkeelson.a: what several programs use. The musl variant leaves out what needs a foreign library.
LIB_SRC := lib/err.c lib/log.c lib/loop.c lib/spawn.c lib/buf.c lib/fdutil.c lib/timeline.c cmdline/cmdline.c
LIB_SRC_glibc := lib/json.c

$(BUILD)/obj/rel/libkeelson.a: $(call obj,rel,$(LIB_SRC) $(LIB_SRC_glibc))
$(BUILD)/obj/san/libkeelson.a: $(call obj,san,$(LIB_SRC) $(LIB_SRC_glibc))
$(BUILD)/obj/musl/libkeelson.a: $(call obj,musl,$(LIB_SRC))
$(BUILD)/obj/%/libkeelson.a:
	@mkdir -p $(@D)
	rm -f $@ && ar rcs $@ $^
$(call obj,musl,$(LIB_SRC)): | $(BUILD)/musl-include

$(eval $(call unit_test,err_test,lib/err_test.c,jansson))
$(eval $(call unit_test,buf_test,lib/buf_test.c,jansson))
$(eval $(call unit_test,loop_test,lib/loop_test.c,jansson))
$(eval $(call unit_test,spawn_test,lib/spawn_test.c,jansson))
$(eval $(call unit_test,fdutil_test,lib/fdutil_test.c,jansson))
$(eval $(call unit_test,timeline_test,lib/timeline_test.c,jansson))
$(eval $(call unit_test,json_test,lib/json_test.c,jansson))
$(eval $(call unit_test,cmdline_test,cmdline/cmdline_test.c,jansson))
