# SPDX-License-Identifier: Apache-2.0
# The host command `keelson`: tools/main.c and every folder below; each folder's own *.mk lists its unit tests.
TOOLS_SRC := tools/main.c runtime-config/words.c $(filter-out %_test.c,$(sort $(wildcard tools/*/*.c)))
TOOLS_PKGS := jansson libarchive libisal libzstd libcrypto zlib liblzma yaml-0.1 libcurl libmicrohttpd libseccomp
$(eval $(call program,keelson,rel,$(TOOLS_SRC),$(TOOLS_PKGS)))
include $(sort $(wildcard tools/*/*.mk))
