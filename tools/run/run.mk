# SPDX-License-Identifier: Apache-2.0
# The sources of `keelson run` go into the keelson program with all of tools/ (tools/tools.mk).
$(eval $(call unit_test,run_options_test,tools/run/options_test.c tools/run/options.c))
$(eval $(call unit_test,run_qemu_test,tools/run/qemu_test.c tools/run/qemu.c))
$(eval $(call unit_test,run_accel_test,tools/run/accel_test.c tools/run/accel.c))
$(eval $(call unit_test,run_disk_test,tools/run/disk_test.c tools/run/disk.c tools/output/bootable.c tools/output/program.c,zlib))
$(eval $(call unit_test,run_verdict_test,tools/run/verdict_test.c tools/run/verdict.c,jansson))
$(eval $(call unit_test,run_watch_test,tools/run/watch_test.c tools/run/watch.c tools/run/verdict.c,jansson))
