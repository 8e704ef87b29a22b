# SPDX-License-Identifier: Apache-2.0
# Debian 12 packages that the targets need, and what for; installed only if one is missing.
DEPS_BUILD := gcc libc6-dev linux-libc-dev musl-tools pkgconf libjansson-dev libarchive-dev libzstd-dev liblzma-dev libisal-dev libssl-dev libyaml-dev zlib1g-dev \
  libcurl4-openssl-dev libnghttp2-dev libmnl-dev libprotobuf-c-dev protobuf-c-compiler libmicrohttpd-dev libseccomp-dev
# Programs that `keelson build` calls, each for the formats that need it; it names what is missing.
DEPS_FORMATS := xorriso isolinux syslinux syslinux-common mtools dosfstools fdisk grub-common grub-efi-amd64-bin \
  systemd-boot-efi qemu-utils squashfs-tools erofs-utils fakeroot
# And that `keelson inspect` calls besides.
DEPS_INSPECT := squashfs-tools-ng
DEPS_TEST := $(DEPS_INSPECT) libcmocka-dev libasan8 libubsan1 skopeo umoci buildah git openssl faketime libarchive-tools cpio
# For `make ARCH=arm64`; what is for the other architecture itself is unpacked: mk/cross.mk.
DEPS_arm64 := gcc-aarch64-linux-gnu libc6-dev-arm64-cross
DEPS_TEST += $(DEPS_arm64) qemu-system-arm
# Shows the pictures; with what it needs it is the largest of all, a download of 120 MB.
DEPS_TEST += chromium
# Unpacked below build/ and not installed: their services would start on the machine of whoever runs the tests.
DEPS_UNPACKED := docker-registry
UNPACKED := $(BUILD)/unpacked
DEPS_CHECK := clang clang-format-14 clang-tidy-14 libclang-rt-14-dev cppcheck
# What the first appliance takes, and all that is tried out on top of it.
DEPS_DEMO := $(DEPS_BUILD)
DEPS = $(DEPS_DEMO) $(DEPS_TEST)
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

# $(call install_missing,PACKAGES)
define install_missing
@missing=$$(for p in $(1); do \
  dpkg-query -W -f '$${Status}\n' $$p 2>/dev/null | grep -q '^install ok installed$$' || echo $$p; done); \
if [ -n "$$missing" ]; then echo "deps: installing" $$missing; $(SUDO) apt-get update -q && \
  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
else echo "deps: all there"; fi
endef

# $(call unpack_missing,PACKAGES): none of their scripts runs, nothing outside of $(UNPACKED) is touched
define unpack_missing
@mkdir -p $(UNPACKED) && cd $(UNPACKED) && for p in $(1); do \
  { command -v $$p || [ -e $$p.unpacked ]; } >/dev/null && continue; \
  echo "deps: unpacking $$p"; rm -f $${p}_*.deb; \
  apt-get download -q $$p || { $(SUDO) apt-get update -q && apt-get download -q $$p; } || exit 1; \
  dpkg-deb -x $${p}_*.deb . && touch $$p.unpacked || exit 1; \
done
endef

deps: ## install the Debian packages that the build and the tests need
	$(call install_missing,$(DEPS))
	$(call unpack_missing,$(DEPS_UNPACKED))
deps-demo:
	$(call install_missing,$(DEPS_DEMO))
check-deps: deps ## install what `make check` needs on top
	$(call install_missing,$(DEPS_CHECK))
.PHONY: deps deps-demo check-deps
