# SPDX-License-Identifier: Apache-2.0
# Apart from PID 1, which has to stay small.
RECORD_SRC := bootrecord/record.c $(patsubst %,init/%.c,console lastend meminfo report) \
  $(patsubst %,memlogd/%.c,client entry wire)
$(eval $(call program,bootrecord,musl,bootrecord/main.c $(RECORD_SRC)))
$(call obj,musl,bootrecord/main.c $(RECORD_SRC)): | $(BUILD)/musl-include
$(eval $(call unit_test,record_test,bootrecord/record_test.c $(RECORD_SRC)))
