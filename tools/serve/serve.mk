# SPDX-License-Identifier: Apache-2.0
$(eval $(call unit_test,serve_test,tools/serve/serve_test.c tools/serve/catalog.c tools/serve/dnsmasq.c tools/serve/range.c \
	tools/output/bootable.c,zlib))
