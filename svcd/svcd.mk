# SPDX-License-Identifier: Apache-2.0
# svcd, the supervisor, and `service`, its command: one program, by two names.
SVCD_SRC := $(filter-out %_test.c,$(wildcard svcd/*.c)) memlogd/wire.c memlogd/client.c memlogd/follow.c memlogd/entry.c memlogd/notice.c \
  $(RUNTIME_CONFIG_SRC)
SVCD_PKGS := $(RUNTIME_CONFIG_PKGS) libnghttp2 libprotobuf-c

$(BUILD)/gen/svcd/containerd.pb-c.c: svcd/containerd.proto
	$(call say,PROTO,$@)
	@mkdir -p $(@D)
	$(Q)protoc-c --c_out=$(BUILD)/gen --proto_path=. $<
$(BUILD)/gen/svcd/containerd.pb-c.h: $(BUILD)/gen/svcd/containerd.pb-c.c
$(foreach v,rel small san,$(call obj,$v,$(SVCD_SRC))): | $(BUILD)/gen/svcd/containerd.pb-c.h

SVCD_GEN := gen/svcd/containerd.pb-c.c
# Nobody else in the guest uses these: as shared libraries they would take twice the memory, and relocations at each start.
SVCD_ARCHIVES := $(foreach l,nghttp2 protobuf-c jansson,$(call archive,$(l)))
$(eval $(call program,svcd,small,$(SVCD_SRC) $(SVCD_GEN),libmnl))
$(BUILD)/bin/svcd: $(SVCD_ARCHIVES)
SVCD_LIFE_SRC := $(patsubst %,svcd/%.c,service lifecycle health acts stage process logbound deaf worker leftover shim probe look cgroup logsink spec ctrd grpc) memlogd/wire.c
SVCD_CONTROL_SRC := $(patsubst %,svcd/%.c,control status containerd containerd_log memory)
$(eval $(call unit_test,lifecycle_test,svcd/lifecycle_test.c svcd/lifecycle.c $(RUNTIME_CONFIG_SRC),$(RUNTIME_CONFIG_PKGS)))
$(foreach t,service_test service_stop_test service_health_test,$(eval $(call unit_test,$t,svcd/$t.c $(SVCD_LIFE_SRC) $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS))))
$(eval $(call unit_test,attend_test,svcd/attend_test.c svcd/attend.c))
$(eval $(call unit_test,grpc_test,svcd/grpc_test.c svcd/grpc.c,libnghttp2))
$(foreach t,control_test control_clients_test,$(eval $(call unit_test,$t,svcd/$t.c $(SVCD_CONTROL_SRC) $(SVCD_LIFE_SRC) $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS))))
$(eval $(call unit_test,boot_table_test,svcd/boot_table_test.c svcd/boot_table.c svcd/boot_stages.c,jansson))
$(eval $(call unit_test,beside_test,svcd/beside_test.c svcd/beside.c svcd/spec.c,jansson))
$(eval $(call unit_test,options_test,svcd/options_test.c svcd/options.c))
$(eval $(call unit_test,spec_test,svcd/spec_test.c svcd/spec.c,jansson))
$(eval $(call unit_test,acts_test,svcd/acts_test.c $(filter-out svcd/acts.c,$(SVCD_LIFE_SRC)) $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS)))
$(eval $(call unit_test,process_test,svcd/process_test.c $(filter-out svcd/process.c,$(SVCD_LIFE_SRC)) $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS)))
$(eval $(call unit_test,containerd_test,svcd/containerd_test.c svcd/containerd_log.c svcd/logbound.c svcd/cgroup.c svcd/ctrd.c svcd/grpc.c $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS)))
$(eval $(call unit_test,containerd_log_test,svcd/containerd_log_test.c svcd/containerd_log.c svcd/logbound.c))
$(eval $(call unit_test,client_test,svcd/client_test.c svcd/client.c,jansson))
$(eval $(call unit_test,logbound_test,svcd/logbound_test.c svcd/logbound.c))
$(eval $(call unit_test,svcd_test,svcd/svcd_test.c svcd/up.c svcd/order.c svcd/onfail.c $(SVCD_CONTROL_SRC) $(SVCD_LIFE_SRC) $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS)))
$(eval $(call unit_test,up_test,svcd/up_test.c svcd/up.c $(SVCD_LIFE_SRC) $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS)))
$(eval $(call unit_test,logsink_test,svcd/logsink_test.c svcd/logsink.c memlogd/wire.c))
$(eval $(call unit_test,set_attributes_test,svcd/set_attributes_test.c svcd/attributes.c))
$(eval $(call unit_test,volumes_test,svcd/volumes_test.c svcd/volumes.c))
ONBOOT_SRC := svcd/onboot.c svcd/onboot_prepare.c svcd/onboot_runc.c svcd/onboot_output.c svcd/onboot_record.c svcd/attend.c svcd/logbound.c svcd/logsink.c \
  svcd/onfail.c svcd/spec.c memlogd/wire.c
$(eval $(call unit_test,onboot_test,svcd/onboot_test.c $(ONBOOT_SRC) $(RUNTIME_CONFIG_SRC),$(RUNTIME_CONFIG_PKGS)))
$(eval $(call unit_test,health_test,svcd/health_test.c svcd/health.c $(RUNTIME_CONFIG_SRC),$(RUNTIME_CONFIG_PKGS)))
$(eval $(call unit_test,order_test,svcd/order_test.c svcd/order.c $(SVCD_LIFE_SRC) $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS)))
$(eval $(call unit_test,cgroup_test,svcd/cgroup_test.c svcd/cgroup.c))
$(eval $(call unit_test,memory_test,svcd/memory_test.c svcd/memory.c svcd/status.c $(SVCD_LIFE_SRC) $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS)))
$(eval $(call unit_test,leftover_test,svcd/leftover_test.c svcd/leftover.c svcd/shim.c))
$(eval $(call unit_test,shim_test,svcd/shim_test.c svcd/shim.c))
$(eval $(call unit_test,worker_test,svcd/worker_test.c $(filter-out svcd/worker.c,$(SVCD_LIFE_SRC)) $(RUNTIME_CONFIG_SRC) $(SVCD_GEN),$(SVCD_PKGS)))
$(eval $(call unit_test,deaf_test,svcd/deaf_test.c svcd/deaf.c))
$(eval $(call unit_test,ctrd_test,svcd/ctrd_test.c svcd/ctrd.c svcd/grpc.c $(SVCD_GEN),$(SVCD_PKGS)))
$(eval $(call unit_test,probe_test,svcd/probe_test.c svcd/probe.c svcd/look.c))
$(eval $(call unit_test,show_test,svcd/show_test.c svcd/show.c,jansson))

drawings: ## draw the supervisor's states into doc/design.md
	$(PYTHON) svcd/draw.py
.PHONY: drawings
