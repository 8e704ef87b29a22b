# SPDX-License-Identifier: Apache-2.0
# The host command `keelson`.
include $(sort $(wildcard tools/*/*.mk))
