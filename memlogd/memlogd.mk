# SPDX-License-Identifier: Apache-2.0
# The log daemon and its clients; static, as they are put into anybody's image.
INTAKE_SRC := memlogd/intake.c memlogd/ring.c memlogd/syslog.c memlogd/name.c memlogd/receive.c
READERS_SRC := memlogd/readers.c memlogd/losses.c memlogd/entry.c
MEMLOGD_LIB := $(INTAKE_SRC) $(READERS_SRC) memlogd/wire.c memlogd/state.c memlogd/keeper.c memlogd/memlogd.c
MEMLOGD_SRC := memlogd/memlogd_main.c memlogd/harden.c memlogd/options.c $(MEMLOGD_LIB)
LOGREAD_SRC := memlogd/logread.c memlogd/follow.c memlogd/client.c memlogd/notice.c memlogd/output.c memlogd/entry.c memlogd/wire.c \
  memlogd/options.c
LOGWRITE_SRC := memlogd/logwrite.c memlogd/tee.c memlogd/logfiles.c memlogd/rotate.c memlogd/name.c memlogd/client.c memlogd/entry.c \
  memlogd/wire.c memlogd/options.c
KMSG_SRC := memlogd/kmsg.c memlogd/output.c memlogd/record.c memlogd/entry.c memlogd/options.c

$(eval $(call program,memlogd,musl,$(MEMLOGD_SRC)))
$(eval $(call program,logread,musl,$(LOGREAD_SRC)))
# Two of them: what is in memlogd's image, and so in memory, can do without zstd; the service's image has it. zstd's
# archive is made for glibc, but of what it calls musl has all.
$(eval $(call program,logwrite,musl,$(LOGWRITE_SRC) memlogd/compress_none.c))
$(eval $(call program,logwrite-zstd,musl,$(LOGWRITE_SRC) memlogd/compress_zstd.c))
$(BUILD)/bin/logwrite-zstd: $(LIBZSTD_A)
$(call obj,musl,memlogd/compress_zstd.c): CFLAGS_musl += -isystem $(BUILD)/musl-zstd
$(call obj,musl,memlogd/compress_zstd.c): | $(BUILD)/musl-zstd
$(BUILD)/musl-zstd:
	@mkdir -p $@
	@ln -sfn /usr/include/zstd.h $@/
$(eval $(call program,kmsg,musl,$(KMSG_SRC)))
$(call obj,musl,$(sort $(MEMLOGD_SRC) $(LOGREAD_SRC) $(LOGWRITE_SRC) $(KMSG_SRC) \
  memlogd/compress_none.c memlogd/compress_zstd.c)): | $(BUILD)/musl-include
# The filter of system calls: libseccomp's, made here and now, as Debian has no libseccomp for musl.
$(BUILD)/gen/filter_make: $(call obj,rel,memlogd/filter_make.c) $(BUILD)/obj/rel/libkeelson.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC_rel) $(LDFLAGS_rel) -o $@ $^ $(call pkg_libs,libseccomp)
$(BUILD)/gen/memlogd/filter.inc: $(HOST_FILTER_MAKE)
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$< >$@.new && mv $@.new $@
$(call obj,musl,memlogd/harden.c) $(call obj,san,memlogd/harden.c): $(BUILD)/gen/memlogd/filter.inc

# What every line goes through. musl's objects are made for size otherwise.
$(call obj,musl,memlogd/ring.c memlogd/intake.c memlogd/entry.c memlogd/readers.c memlogd/losses.c): CFLAGS_musl += -O2

$(eval $(call unit_test,ring_test,memlogd/ring_test.c memlogd/ring.c))
$(eval $(call unit_test,intake_test,memlogd/intake_test.c $(filter-out memlogd/intake.c,$(INTAKE_SRC))))
$(eval $(call unit_test,receive_test,memlogd/receive_test.c memlogd/receive.c))
$(eval $(call unit_test,state_test,memlogd/state_test.c memlogd/state.c $(INTAKE_SRC)))
$(eval $(call unit_test,keeper_test,memlogd/keeper_test.c memlogd/keeper.c))
$(eval $(call unit_test,syslog_test,memlogd/syslog_test.c memlogd/syslog.c memlogd/name.c))
$(eval $(call unit_test,entry_test,memlogd/entry_test.c memlogd/entry.c memlogd/client.c memlogd/record.c memlogd/notice.c \
  memlogd/options.c,jansson))
LOGFILES_TEST_WRAP := -Wl,--wrap=fsync -Wl,--wrap=fdatasync
$(eval $(call unit_test,logfiles_test,memlogd/logfiles_test.c memlogd/logfiles.c memlogd/rotate.c \
  memlogd/compress_zstd.c memlogd/entry.c,libzstd,$(LOGFILES_TEST_WRAP)))
$(eval $(call unit_test,harden_test,memlogd/harden_test.c memlogd/harden.c))
$(eval $(call unit_test,memlogd_test,memlogd/memlogd_test.c $(MEMLOGD_LIB) memlogd/client.c))
# With the real programs.
$(eval $(call unit_test,kill_test,memlogd/kill_test.c memlogd/wire.c memlogd/client.c memlogd/entry.c))
$(BUILD)/test/kill_test: | $(BUILD)/bin/memlogd $(BUILD)/bin/logwrite
