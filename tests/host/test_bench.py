# SPDX-License-Identifier: Apache-2.0
"""What the benches make of what they have measured (tests/bench): nothing is booted, no clock is looked at."""
import json
import sys

import pytest
from conftest import REPO

sys.path.insert(0, str(REPO / "tests/bench"))
import table  # noqa: E402


def test_ratios_are_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(table, "RESULTS", tmp_path / "bench.json")

    def rows():
        yield table.Row("boot", "ms", 30.0, floor=20.0, peers={"a": 60.0, "b": 0.0})
        yield table.Row("alone", "ms", 1.0)
        raise RuntimeError("the third could not be had")
    with pytest.raises(RuntimeError):
        table.report("part", rows())
    first, second = json.loads((tmp_path / "bench.json").read_text())["part"]
    assert (first["ratio_to_floor"], first["ratios_to_peers"]) == (1.5, {"a": 0.5, "b": None})
    assert (second["ratio_to_floor"], second["ratios_to_peers"]) == (None, {})
    assert "20.0 (1.50x)" in capsys.readouterr().out
