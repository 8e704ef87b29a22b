# SPDX-License-Identifier: Apache-2.0
OCI_SRC := $(filter-out %_test.c,$(wildcard tools/oci/*.c tools/config/*.c))
$(eval $(call unit_test,oci_test,tools/oci/oci_test.c runtime-config/words.c $(OCI_SRC),jansson yaml-0.1))
