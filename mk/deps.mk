# SPDX-License-Identifier: Apache-2.0
# Debian 12 packages that the targets need; installed only if one is missing.
DEPS := gcc libc6-dev musl-tools linux-libc-dev libasan8 libubsan1 pkgconf libcmocka-dev libjansson-dev
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

deps: ## install the Debian packages that the build and the tests need
	@missing=$$(for p in $(DEPS); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	[ -z "$$missing" ] || { echo "installing:" $$missing; $(SUDO) apt-get update -q && \
	$(SUDO) apt-get install -y -q --no-install-recommends $$missing; }
.PHONY: deps
