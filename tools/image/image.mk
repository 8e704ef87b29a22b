# SPDX-License-Identifier: Apache-2.0
IMAGE_SRC := $(filter-out %_test.c,$(wildcard tools/image/*.c))
IMAGE_PKGS := jansson libarchive libisal libzstd libcrypto
$(eval $(call unit_test,image_test,tools/image/image_test.c $(IMAGE_SRC),$(IMAGE_PKGS)))
