# SPDX-License-Identifier: Apache-2.0
"""The boot's cost, counted in instructions (tests/bench/check.py), beside what it was: no clock is looked at."""
import sys

import harness
import pytest

sys.path.insert(0, str(harness.REPO / "tests/bench"))
import check  # noqa: E402


@pytest.mark.seconds(len(check.SEEDS + check.HELLO_SEEDS) * harness.BOOT_SECONDS)
def test_boot_does_not_cost_more_than_it_did():
    remarks, good = check.compare(check.read_expected(), check.measure())
    print("\n".join(remarks))
    assert good, remarks
