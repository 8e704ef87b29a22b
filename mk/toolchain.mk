# SPDX-License-Identifier: Apache-2.0
# Compilers and flags. Four variants of every object, each in its own tree:
#   rel   release, glibc          san   ASan + UBSan, for unit tests          musl   static, for PID 1
#   small   release, glibc, for what every appliance has in memory

CC := gcc
MUSL_CC := musl-gcc
PKG_CONFIG := pkg-config
PYTHON := /usr/bin/python3

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wpedantic -Wstrict-prototypes -Wmissing-prototypes -Wvla \
  -Wformat=2 -Wundef -Wwrite-strings -Wcast-qual -Wpointer-arith
# Warnings are errors in CI and `make check`; another compiler's new warning must not stop a user's build.
WERROR := $(if $(CI),-Werror)
CPPFLAGS_ALL = -I. -isystem $(BUILD)/gen -D_GNU_SOURCE -DKEELSON_VERSION='"$(VERSION)"'
CFLAGS_ALL := -std=gnu17 $(WARNINGS) $(WERROR) -fvisibility=hidden -fno-common -MMD -MP

CFLAGS_rel := -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -ffunction-sections -fdata-sections
LDFLAGS_rel := -pie -Wl,-z,relro,-z,now,--gc-sections,--as-needed
CFLAGS_small = $(subst -O2,-Os,$(CFLAGS_rel))
LDFLAGS_small = $(LDFLAGS_rel)
CFLAGS_san := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -DUNIT_TEST
LDFLAGS_san := -fsanitize=address,undefined
# Debian's musl-gcc knows no kernel headers: links to the host's stand in build/musl-include.
CFLAGS_musl = -Os -g -fno-asynchronous-unwind-tables -fno-unwind-tables -fstack-protector-strong -fno-pie -ffunction-sections -fdata-sections -isystem $(BUILD)/musl-include
LDFLAGS_musl := -static -no-pie -Wl,--gc-sections,--build-id=none,-z,norelro,-z,noseparate-code,-z,common-page-size=64
CC_rel = $(CC)
CC_small = $(CC)
CC_san = $(CC)
CC_musl = $(MUSL_CC)
