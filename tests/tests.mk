# SPDX-License-Identifier: Apache-2.0
unit-tests: $(UNIT_TESTS)
test: deps ## install what is needed, build, run every test
	@$(MAKE) --no-print-directory unit-tests
	@passed=0; failed=0; for t in $(UNIT_TESTS); do \
	  if $$t; then passed=$$((passed+1)); else failed=$$((failed+1)); fi; done; \
	echo "$$passed passed, $$failed failed"; [ $$failed -eq 0 ] && [ $$passed -gt 0 ]
.PHONY: test unit-tests
