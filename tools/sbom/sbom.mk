# SPDX-License-Identifier: Apache-2.0
SBOM_SRC := $(filter-out %_test.c,$(wildcard tools/sbom/*.c))
