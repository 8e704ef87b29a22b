# SPDX-License-Identifier: Apache-2.0
# What it costs, beside what others take for the same: see tests/bench/README.md. Each part is a target of its own.
BENCHES := bench-boot bench-idle bench-size bench-memory bench-modules bench-peers bench-memlogd bench-build bench-pull
DEPS_BENCH_BUILD := umoci cpio zstd skopeo
DEPS_BENCH_MEMLOGD := busybox-static socklog
DEPS_BENCH_PULL := curl skopeo umoci
# Unpacked, not installed: PID 1s are for the guest.
DEPS_BENCH_PEERS := runit s6 libs6-2.11 libskarnet2.13 libexecline2.9 finit libite5 libuev3 \
  systemd libsystemd-shared libapparmor1 libip4tc2 libkmod2

FLOOR_SRC := tests/bench/floor.c svcd/ctrd.c svcd/grpc.c svcd/spec.c $(SVCD_GEN)
$(call obj,rel,tests/bench/floor.c): | $(BUILD)/gen/svcd/containerd.pb-c.h
$(BUILD)/bench/floor: $(call obj,rel,$(FLOOR_SRC)) $(BUILD)/obj/rel/libkeelson.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC_rel) -static -Wl,--gc-sections -s -o $@ $(filter %.o,$^) $(filter %.a,$^) $(shell $(PKG_CONFIG) --static --libs jansson libnghttp2 libprotobuf-c)

bench-boot: deps ## the boot and the shutdown, in virtual time
	@$(MAKE) --no-print-directory all images $(BUILD)/bench/floor
	@$(PYTHON) tests/bench/boot.py

bench-check: deps ## the boot beside tests/bench/expected.json; UPDATE=1 takes new figures
	@$(MAKE) --no-print-directory all images
	@$(PYTHON) tests/bench/check.py $(if $(UPDATE),--update)

bench-idle: deps ## what wakes our programs when nothing happens, and what is executed, in virtual time
	@$(MAKE) --no-print-directory all images
	@$(PYTHON) tests/bench/idle.py

bench-size: deps ## how large programs and images are
	@$(MAKE) --no-print-directory all images
	@$(PYTHON) tests/bench/size.py

bench-memory: deps ## the least memory that boots, with a root unpacked and with compressed ones
	@$(MAKE) --no-print-directory all images
	@$(PYTHON) tests/bench/memory.py

bench-modules: deps ## loading modules, beside modprobe, in virtual time
	@$(MAKE) --no-print-directory all images
	@$(PYTHON) tests/bench/modules.py

$(BUILD)/bench/nap $(BUILD)/bench/meter: $(BUILD)/bench/%: $(BUILD)/obj/rel/tests/bench/%.o $(BUILD)/obj/rel/libkeelson.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC_rel) -static -Wl,--gc-sections -s -o $@ $^

bench-peers: deps $(BUILD)/bench/nap $(BUILD)/bench/meter ## supervision, beside Debian's supervisors, in virtual time
	$(call unpack_missing,$(DEPS_BENCH_PEERS))
	@$(MAKE) --no-print-directory all images
	@$(PYTHON) tests/bench/peers.py

FLOOD_SRC := tests/bench/flood.c memlogd/client.c memlogd/entry.c memlogd/wire.c
$(BUILD)/bench/flood: $(call obj,rel,$(FLOOD_SRC)) $(BUILD)/obj/rel/libkeelson.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC_rel) $(LDFLAGS_rel) -o $@ $(filter %.o,$^) $(filter %.a,$^)

bench-memlogd: $(BUILD)/bench/flood $(BUILD)/bin/memlogd ## the log daemon's cost a line, beside other log daemons
	$(call install_missing,$(DEPS_BENCH_MEMLOGD))
	@$(PYTHON) tests/bench/memlogd.py $(BUILD)

bench-build: deps ## building an appliance: cold, warm, and after a change
	$(call install_missing,$(DEPS_BENCH_BUILD))
	@$(MAKE) --no-print-directory all images
	@$(PYTHON) tests/bench/build.py

bench-pull: deps $(BUILD)/bin/keelson ## images from a registry to files, beside skopeo and umoci
	$(call install_missing,$(DEPS_BENCH_PULL))
	@$(PYTHON) tests/bench/pull.py

bench: ## every bench
	@begin=$$(date +%s); for b in $(BENCHES); do \
	  start=$$(date +%s); $(MAKE) --no-print-directory $$b || exit 1; \
	  echo "$$b took $$(($$(date +%s) - start)) s, $$(($$(date +%s) - begin)) s in all"; done
.PHONY: bench bench-check $(BENCHES)
