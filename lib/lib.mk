# SPDX-License-Identifier: Apache-2.0
# libkeelson.a: what several programs use. The musl variant leaves out what needs a foreign library.
LIB_SRC := lib/err.c lib/buf.c
LIB_SRC_glibc :=

$(BUILD)/obj/rel/libkeelson.a: $(call obj,rel,$(LIB_SRC) $(LIB_SRC_glibc))
$(BUILD)/obj/san/libkeelson.a: $(call obj,san,$(LIB_SRC) $(LIB_SRC_glibc))
$(BUILD)/obj/musl/libkeelson.a: $(call obj,musl,$(LIB_SRC))
$(BUILD)/obj/%/libkeelson.a:
	@mkdir -p $(@D)
	rm -f $@ && ar rcs $@ $^
$(call obj,musl,$(LIB_SRC)): | $(BUILD)/musl-include

$(eval $(call unit_test,err_test,lib/err_test.c))
$(eval $(call unit_test,buf_test,lib/buf_test.c))
