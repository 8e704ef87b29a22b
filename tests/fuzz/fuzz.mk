# SPDX-License-Identifier: Apache-2.0
# Fuzz targets: every byte that comes from outside. `make fuzz` looks for new inputs that break a promise; `make test`
# replays tests/fuzz/corpus/NAME as a unit test, NAME_replay. What is found new is kept in build/fuzz/corpus/NAME, an
# input that breaks something as build/fuzz/NAME-crash-...: put it into the corpus with the fix.
#   make fuzz [FUZZ_SECONDS=10] [FUZZ="toml cmdline"]
#
# $(eval $(call fuzz_target,NAME,SOURCES,PKG-CONFIG MODULES)): tests/fuzz/NAME_fuzz.c with these sources and lib's
FUZZ_SECONDS := 10
DEPS_FUZZ := clang libclang-rt-14-dev
FUZZ_TARGETS :=
FUZZ_CFLAGS := -std=gnu17 -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

define fuzz_target
FUZZ_TARGETS += $(1)
$(BUILD)/fuzz/$(1)_fuzz: tests/fuzz/$(1)_fuzz.c tests/fuzz/fuzz.h $(2) $(LIB_SRC) $(LIB_SRC_glibc) $(wildcard lib/*.h cmdline/*.h runtime-config/*.h memlogd/*.h)
	$$(call say,FUZZ,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CLANG) $$(CPPFLAGS_ALL) $$(FUZZ_CFLAGS) -o $$@ $$(filter %.c,$$^) $$(call pkg_libs,$(3))
fuzz-$(1): $(BUILD)/fuzz/$(1)_fuzz
	@echo "fuzz: $(1), $(FUZZ_SECONDS) s"
	@mkdir -p $(BUILD)/fuzz/corpus/$(1)
	@$$< -max_total_time=$(FUZZ_SECONDS) -timeout=10 -artifact_prefix=$(BUILD)/fuzz/$(1)- -verbosity=0 \
	  -print_final_stats=1 $(BUILD)/fuzz/corpus/$(1) tests/fuzz/corpus/$(1) >$(BUILD)/fuzz/$(1).log 2>&1 \
	  || { tail -50 $(BUILD)/fuzz/$(1).log; exit 1; }
	@grep -h number_of_executed_units $(BUILD)/fuzz/$(1).log
.PHONY: fuzz-$(1)
$(call unit_test,$(1)_replay,tests/fuzz/replay.c tests/fuzz/$(1)_fuzz.c $(2),$(3))
endef

$(eval $(call fuzz_target,toml,$(TOML_SRC),jansson))
$(eval $(call fuzz_target,containerd_conf,runtime-config/containerd_conf.c $(TOML_SRC),jansson))
$(eval $(call fuzz_target,cmdline,,jansson))
$(eval $(call fuzz_target,shadow,rungetty/shadow.c,jansson))
$(eval $(call fuzz_target,runtime,$(RUNTIME_CONFIG_SRC),$(RUNTIME_CONFIG_PKGS)))
$(eval $(call fuzz_target,ring,memlogd/ring.c,jansson))
$(eval $(call fuzz_target,lines,$(INTAKE_SRC),jansson))
$(eval $(call fuzz_target,syslog,memlogd/syslog.c memlogd/name.c,jansson))
$(eval $(call fuzz_target,entry,memlogd/entry.c,jansson))
$(eval $(call fuzz_target,query,$(READERS_SRC) memlogd/ring.c,jansson))
$(eval $(call fuzz_target,kmsg,memlogd/record.c,jansson))
$(eval $(call fuzz_target,grpc,svcd/ctrd.c svcd/grpc.c,libnghttp2 libprotobuf-c jansson))
$(BUILD)/fuzz/grpc_fuzz $(call obj,san,tests/fuzz/grpc_fuzz.c): | $(BUILD)/gen/svcd/containerd.pb-c.h
$(eval $(call fuzz_target,yaml,runtime-config/words.c $(CONFIG_SRC),$(CONFIG_PKGS)))
$(eval $(call fuzz_target,ref,tools/image/ref.c tools/registry/reference.c tools/image/blob.c,jansson libcrypto))
$(eval $(call fuzz_target,layer,$(IMAGE_SRC),$(IMAGE_PKGS)))
$(eval $(call fuzz_target,manifest,$(IMAGE_SRC),$(IMAGE_PKGS)))
$(eval $(call fuzz_target,seccomp,runtime-config/words.c $(OCI_SRC),$(OCI_PKGS)))
# Of tools/: what a registry, a package folder and a policy file may hold.
TOOLS_FUZZ_SRC := $(filter-out %_test.c,$(PKG_SRC))
$(eval $(call fuzz_target,sign_in,tools/registry/sign_in.c tools/registry/http.c,jansson libcurl))
$(eval $(call fuzz_target,credentials,tools/registry/creds.c tools/registry/helper.c,jansson libcrypto))
$(eval $(call fuzz_target,recipe,$(TOOLS_FUZZ_SRC),$(PKG_TEST_PKGS)))
$(eval $(call fuzz_target,policy,$(TOOLS_FUZZ_SRC),$(PKG_TEST_PKGS)))
INSPECT_FUZZ_SRC := $(filter-out %/cmd_inspect.c,$(wildcard tools/inspect/*.c)) $(OUTPUT_SRC)
$(eval $(call fuzz_target,inspect,$(INSPECT_FUZZ_SRC),$(OUTPUT_TEST_PKGS)))

FUZZ := $(FUZZ_TARGETS)
fuzz-deps:
	$(call install_missing,$(DEPS_BUILD) $(DEPS_FUZZ))
fuzz: fuzz-deps ## look for inputs that break the parsers, FUZZ_SECONDS (10) each
	@for t in $(FUZZ); do $(MAKE) --no-print-directory fuzz-$$t || exit 1; done; echo "fuzz: nothing found"
.PHONY: fuzz fuzz-deps
