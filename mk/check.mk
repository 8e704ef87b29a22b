# SPDX-License-Identifier: Apache-2.0
# `make check`: what a machine can say about the code. Each part fails on its first remark.
CLANG := clang
CLANG_FORMAT := clang-format-14
CLANG_TIDY := clang-tidy-14
CHECK_C := $(shell git ls-files '*.c')
CHECK_H := $(shell git ls-files '*.h')

check: check-deps ## formatting, clang-tidy, cppcheck, and both compilers with the whole warning list
	@echo "check: clang-format"
	@$(CLANG_FORMAT) --dry-run -Werror $(CHECK_C) $(CHECK_H)
	@echo "check: gcc"
	@$(MAKE) --no-print-directory WERROR=-Werror BUILD=$(BUILD)/check-gcc all unit-tests
	@echo "check: clang"
	@$(MAKE) --no-print-directory WERROR=-Werror BUILD=$(BUILD)/check-clang CC=$(CLANG) all unit-tests
	@echo "check: clang-tidy"
	@printf '%s\n' $(CHECK_C) | xargs -P $$(nproc) -n 4 sh -c \
	  'said=$$($(CLANG_TIDY) --quiet "$$@" -- -I. -isystem $(BUILD)/check-gcc/gen -D_GNU_SOURCE -DKEELSON_VERSION=\"x\" \
	  -std=gnu17 -DUNIT_TEST 2>&1) || { printf "%s\n" "$$said"; exit 1; }' tidy
	@echo "check: cppcheck"
	@cppcheck --quiet --error-exitcode=1 --inline-suppr --enable=warning,performance,portability \
	  --suppressions-list=mk/cppcheck.txt -I. -D_GNU_SOURCE -DKEELSON_VERSION='"x"' -j2 $(CHECK_C)
	@echo "check: clean"
.PHONY: check
