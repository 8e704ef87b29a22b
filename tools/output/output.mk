# SPDX-License-Identifier: Apache-2.0
OUTPUT_SRC := $(filter-out %_test.c,$(wildcard tools/output/*.c))
$(eval $(call unit_test,cpio_test,tools/output/cpio_test.c $(OUTPUT_SRC),jansson libzstd zlib))
