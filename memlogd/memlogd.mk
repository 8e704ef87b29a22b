# SPDX-License-Identifier: Apache-2.0
# The log daemon and its clients; static, as they are put into anybody's image.
MEMLOGD_LIB := memlogd/ring.c memlogd/intake.c memlogd/entry.c memlogd/utf8.c memlogd/wire.c memlogd/readers.c memlogd/memlogd.c
MEMLOGD_SRC := memlogd/memlogd_main.c memlogd/harden.c memlogd/options.c $(MEMLOGD_LIB)
LOGREAD_SRC := memlogd/logread.c memlogd/client.c memlogd/entry.c memlogd/utf8.c memlogd/wire.c memlogd/options.c
LOGWRITE_SRC := memlogd/logwrite.c memlogd/tee.c memlogd/logfiles.c memlogd/client.c memlogd/entry.c memlogd/utf8.c \
  memlogd/wire.c memlogd/options.c
KMSG_SRC := memlogd/kmsg.c memlogd/record.c memlogd/entry.c memlogd/utf8.c memlogd/options.c

$(eval $(call program,memlogd,musl,$(MEMLOGD_SRC)))
$(eval $(call program,logread,musl,$(LOGREAD_SRC)))
$(eval $(call program,logwrite,musl,$(LOGWRITE_SRC)))
$(eval $(call program,kmsg,musl,$(KMSG_SRC)))
$(call obj,musl,$(sort $(MEMLOGD_SRC) $(LOGREAD_SRC) $(LOGWRITE_SRC) $(KMSG_SRC))): | $(BUILD)/musl-include

$(eval $(call unit_test,ring_test,memlogd/ring_test.c memlogd/ring.c))
$(eval $(call unit_test,intake_test,memlogd/intake_test.c memlogd/ring.c))
$(eval $(call unit_test,entry_test,memlogd/entry_test.c memlogd/entry.c memlogd/utf8.c memlogd/client.c memlogd/record.c \
  memlogd/options.c,jansson))
$(eval $(call unit_test,logfiles_test,memlogd/logfiles_test.c memlogd/logfiles.c memlogd/entry.c memlogd/utf8.c))
$(eval $(call unit_test,memlogd_test,memlogd/memlogd_test.c $(MEMLOGD_LIB) memlogd/client.c))
# With the real programs.
$(eval $(call unit_test,kill_test,memlogd/kill_test.c memlogd/wire.c))
$(BUILD)/test/kill_test: | $(BUILD)/bin/memlogd $(BUILD)/bin/logwrite
