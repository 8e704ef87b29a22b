# SPDX-License-Identifier: Apache-2.0
OCI_SRC := $(filter-out %_test.c,$(wildcard tools/oci/*.c tools/config/*.c))
OCI_PKGS := $(CONFIG_PKGS) libseccomp
$(eval $(call unit_test,oci_test,tools/oci/oci_test.c runtime-config/words.c $(OCI_SRC),$(OCI_PKGS)))
$(eval $(call unit_test,seccomp_test,tools/oci/seccomp_test.c runtime-config/words.c $(OCI_SRC),$(OCI_PKGS)))
