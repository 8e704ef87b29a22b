# SPDX-License-Identifier: Apache-2.0
# What the host gets: the command, its man pages, and the sources of the images that `keelson pkg build` makes.
# Guest programs go into images, not onto the host.
DESTDIR :=
PREFIX := /usr/local
HOST_PROGRAMS := $(BUILD)/bin/keelson
MAN_PAGES := $(foreach s,1 5 7 8,$(wildcard */*.$(s)))

install: $(HOST_PROGRAMS) ## install programs and man pages below DESTDIR and PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(HOST_PROGRAMS) $(DESTDIR)$(PREFIX)/bin/
	@for page in $(MAN_PAGES); do \
	  dir=$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}; \
	  install -d $$dir && install -m 644 $$page $$dir/ || exit 1; echo "install $$page"; done
.PHONY: install
