# SPDX-License-Identifier: Apache-2.0
INIT_SRC := $(filter-out init/fake_%.c %_test.c,$(wildcard init/*.c))
$(eval $(call program,init,musl,$(INIT_SRC)))
$(call obj,musl,$(INIT_SRC)): | $(BUILD)/musl-include
$(eval $(call unit_test,machine_test,init/machine_test.c init/machine.c))
$(eval $(call unit_test,modules_test,init/modules_test.c init/modules.c init/modconf.c init/glob.c))
$(eval $(call unit_test,power_test,init/power_test.c init/power.c init/hotplug.c))
$(eval $(call unit_test,init_test,init/init_test.c $(filter-out init/init.c init/main.c,$(INIT_SRC))))
$(eval $(call unit_test,steps_test,init/steps_test.c init/steps.c init/report.c))
$(eval $(call unit_test,init_text_test,init/text_test.c init/console.c init/report.c init/holders.c init/unmount.c init/pins.c init/loops.c))
$(eval $(call unit_test,relay_test,init/relay_test.c init/relay.c))
$(eval $(call unit_test,pins_test,init/pins_test.c init/pins.c init/loops.c init/holders.c init/unmount.c init/console.c init/report.c))
$(eval $(call unit_test,lastend_test,init/lastend_test.c init/lastend.c init/report.c))
# Tests on a made-up system: each call that it has a CALL() for is led there.
FAKE_SYSTEM := init/fake_system.c init/fake_calls.c
FAKE_LINK := $(addprefix -Xlinker --wrap=,$(shell sed -n 's/^CALL.[^,]*, \([a-z0-9_]*\),.*/\1/p' $(FAKE_SYSTEM)))
$(eval $(call unit_test,sequence_test,init/sequence_test.c $(FAKE_SYSTEM) $(filter-out init/init.c init/main.c,$(INIT_SRC)),,$(FAKE_LINK)))
$(eval $(call unit_test,unmount_test,init/unmount_test.c $(FAKE_SYSTEM) $(filter-out init/main.c,$(INIT_SRC)),,$(FAKE_LINK)))
$(eval $(call unit_test,recorder_test,init/recorder_test.c init/recorder.c,,$(addprefix -Xlinker --wrap=,clock_ms loop_set_timer loop_remove spawn)))
