# SPDX-License-Identifier: Apache-2.0
# One file a format (or family); format.c is their table.
OUTPUT_SRC := $(filter-out %_test.c,$(wildcard tools/output/*.c)) $(addprefix tools/image/,arena.c content.c pathindex.c pathmap.c tar.c)
OUTPUT_TEST_PKGS := jansson libarchive libzstd zlib liblzma libcrypto
$(foreach t,attributes cpio bootable uki format,\
  $(eval $(call unit_test,$(t)_test,tools/output/$(t)_test.c $(OUTPUT_SRC),$(OUTPUT_TEST_PKGS))))
