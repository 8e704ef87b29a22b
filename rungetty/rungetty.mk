# SPDX-License-Identifier: Apache-2.0
RUNGETTY_PARTS := rungetty/consoles.c rungetty/getty.c rungetty/lines.c rungetty/shadow.c rungetty/watch.c
RUNGETTY_SRC := rungetty/main.c $(RUNGETTY_PARTS)
$(eval $(call program,rungetty,musl,$(RUNGETTY_SRC)))
$(call obj,musl,$(RUNGETTY_SRC)): | $(BUILD)/musl-include
$(eval $(call unit_test,getty_test,rungetty/getty_test.c rungetty/getty.c))
CONSOLES_TEST_WRAP := -Wl,--wrap=ioctl
$(eval $(call unit_test,consoles_test,rungetty/consoles_test.c rungetty/consoles.c rungetty/getty.c,,$(CONSOLES_TEST_WRAP)))
$(eval $(call unit_test,shadow_test,rungetty/shadow_test.c rungetty/shadow.c))
$(eval $(call unit_test,lines_test,rungetty/lines_test.c $(filter-out rungetty/shadow.c,$(RUNGETTY_PARTS))))
