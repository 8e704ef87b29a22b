# SPDX-License-Identifier: Apache-2.0
"""The boot's cost, counted in instructions (tests/bench/check.py), beside what it was: no clock is looked at."""
import copy
import json
import sys

import harness

sys.path.insert(0, str(harness.REPO / "tests/bench"))
import check  # noqa: E402


def test_boot_does_not_cost_more_than_it_did():
    remarks, good = check.compare(json.loads(check.EXPECTED.read_text()), check.measure())
    print("\n".join(remarks))
    assert good, remarks


def test_more_is_noticed():
    expected = json.loads(check.EXPECTED.read_text())
    slower = dict(copy.deepcopy(expected), **{check.UP: expected[check.UP] * 1.06})
    assert check.compare(expected, expected)[1]
    assert not check.compare(expected, slower)[1]
    assert not check.compare(expected, dict(expected, **{check.OURS: expected[check.OURS] * 1.3}))[1]
    # Under other versions only our own share counts.
    slower["versions"]["kernel"] = "another"
    remarks, good = check.compare(expected, slower)
    assert good and "make bench-check UPDATE=1" in remarks[0]
    slower[check.OURS] *= 1.3
    assert not check.compare(expected, slower)[1]
