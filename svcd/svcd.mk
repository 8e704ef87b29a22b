# SPDX-License-Identifier: Apache-2.0
# svcd, the supervisor, and `service`, its command: one program, by two names.
SVCD_SRC := $(filter-out %_test.c,$(wildcard svcd/*.c)) memlogd/wire.c $(RUNTIME_CONFIG_SRC)
SVCD_PKGS := $(RUNTIME_CONFIG_PKGS) libnghttp2 libprotobuf-c

$(BUILD)/gen/svcd/containerd.pb-c.c: svcd/containerd.proto
	$(call say,PROTO,$@)
	@mkdir -p $(@D)
	$(Q)protoc-c --c_out=$(BUILD)/gen --proto_path=. $<
$(BUILD)/gen/svcd/containerd.pb-c.h: $(BUILD)/gen/svcd/containerd.pb-c.c
$(call obj,rel,$(SVCD_SRC)) $(call obj,san,$(SVCD_SRC)): | $(BUILD)/gen/svcd/containerd.pb-c.h

SVCD_GEN := gen/svcd/containerd.pb-c.c
$(eval $(call program,svcd,rel,$(SVCD_SRC) $(SVCD_GEN),$(SVCD_PKGS)))
SVCD_LIFE_SRC := svcd/service.c svcd/lifecycle.c svcd/acts.c svcd/logsink.c memlogd/wire.c svcd/spec.c svcd/ctrd.c svcd/grpc.c
$(eval $(call unit_test,lifecycle_test,svcd/lifecycle_test.c $(SVCD_LIFE_SRC) $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS)))
$(eval $(call unit_test,attend_test,svcd/attend_test.c svcd/attend.c))
$(eval $(call unit_test,grpc_test,svcd/grpc_test.c svcd/grpc.c,libnghttp2))
$(eval $(call unit_test,control_test,svcd/control_test.c svcd/control.c $(SVCD_LIFE_SRC) $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS)))
$(eval $(call unit_test,boot_table_test,svcd/boot_table_test.c svcd/boot_table.c svcd/printable.c,jansson))
$(eval $(call unit_test,options_test,svcd/options_test.c svcd/options.c))
$(eval $(call unit_test,spec_test,svcd/spec_test.c svcd/spec.c,jansson))
$(eval $(call unit_test,acts_test,svcd/acts_test.c $(filter-out svcd/acts.c,$(SVCD_LIFE_SRC)) $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS)))
$(eval $(call unit_test,containerd_test,svcd/containerd_test.c svcd/ctrd.c svcd/grpc.c $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS)))
$(eval $(call unit_test,client_test,svcd/client_test.c svcd/client.c,jansson))
$(eval $(call unit_test,svcd_test,svcd/svcd_test.c svcd/containerd.c svcd/control.c $(SVCD_LIFE_SRC) $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS)))
$(eval $(call unit_test,logsink_test,svcd/logsink_test.c svcd/logsink.c memlogd/wire.c))
