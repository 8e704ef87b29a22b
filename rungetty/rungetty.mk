# SPDX-License-Identifier: Apache-2.0
RUNGETTY_SRC := rungetty/main.c rungetty/getty.c
$(eval $(call program,rungetty,musl,$(RUNGETTY_SRC)))
$(call obj,musl,$(RUNGETTY_SRC)): | $(BUILD)/musl-include
$(eval $(call unit_test,getty_test,rungetty/getty_test.c rungetty/getty.c))
