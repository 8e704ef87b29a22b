# SPDX-License-Identifier: Apache-2.0
INIT_SRC := $(filter-out %_test.c,$(wildcard init/*.c))
$(eval $(call program,init,musl,$(INIT_SRC)))
$(call obj,musl,$(INIT_SRC)): | $(BUILD)/musl-include
$(eval $(call unit_test,machine_test,init/machine_test.c init/machine.c))
$(eval $(call unit_test,modules_test,init/modules_test.c init/modules.c init/glob.c))
$(eval $(call unit_test,power_test,init/power_test.c init/power.c init/hotplug.c))
$(eval $(call unit_test,init_test,init/init_test.c $(filter-out init/init.c init/main.c,$(INIT_SRC))))
$(eval $(call unit_test,steps_test,init/steps_test.c init/steps.c))
$(eval $(call unit_test,init_text_test,init/text_test.c init/console.c init/holders.c init/unmount.c))
