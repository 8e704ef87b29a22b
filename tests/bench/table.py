# SPDX-License-Identifier: Apache-2.0
"""One table for every part of `make bench`: each figure with its floor, its peers, the ratios and its goal.

A part is a program tests/bench/NAME.py (`make bench-NAME`) that ends with `report("NAME", rows)`. The figures go to
the terminal and, under the part's name, into build/bench.json.
"""
import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent
RESULTS = Path(os.environ.get("KEELSON_BENCH_JSON", REPO / "build/bench.json"))


@dataclass
class Row:
    """A figure. Less is better unless `more` is set; `goal` has the same unit, or is a ratio to the floor with goal_ratio."""
    name: str
    unit: str
    ours: float
    floor: float | None = None
    peers: dict = field(default_factory=dict)
    goal: float | None = None
    goal_ratio: float | None = None
    more: bool = False
    note: str = ""

    def verdict(self):
        """"", "reached" or "missed"."""
        limit = self.goal
        if limit is None and self.goal_ratio is not None and self.floor:
            limit = self.goal_ratio * self.floor
        if limit is None:
            return ""
        return "reached" if (self.ours >= limit if self.more else self.ours <= limit) else "missed"


def _number(value):
    if isinstance(value, int) or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 10 else f"{value:.1f}"


def _ratio(row, other):
    return row.ours / other if other else None


def _compared(row, other):
    """Another one's figure, with ours as a ratio to it."""
    return f"{_number(other)} ({_ratio(row, other):.2f}x)" if other else _number(other)


def print_table(part, rows):
    """Prints the rows, columns as wide as they need to be."""
    head = ["figure", "unit", "keelson", "floor (ours/floor)", "peers (ours/peer)", "goal"]
    lines = [head]
    for row in rows:
        peers = ", ".join(f"{name} {_compared(row, value)}" for name, value in row.peers.items())
        goal = f"{_number(row.goal)} " if row.goal is not None else f"{row.goal_ratio}x " if row.goal_ratio else ""
        lines.append([row.name, row.unit, _number(row.ours), "" if row.floor is None else _compared(row, row.floor), peers,
                      goal + row.verdict()])
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    print(f"\nbench: {part}")
    for line in lines:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    for row in rows:
        if row.note:
            print(f"  {row.name}: {row.note}")


def _written(row):
    """As it stands in build/bench.json: with the ratios of ours to the floor and to each peer."""
    return dict(asdict(row), ratio_to_floor=_ratio(row, row.floor),
                ratios_to_peers={name: _ratio(row, value) for name, value in row.peers.items()}, verdict=row.verdict())


def _known():
    """What is there of all parts, {} if it cannot be used: a measurement is not lost for that."""
    try:
        known = json.loads(RESULTS.read_text())
        why = "" if isinstance(known, dict) else "it is no object"
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as e:
        why = str(e)
    if not why:
        return known
    print(f"bench: could not use {RESULTS}: {why}; it is written anew", file=sys.stderr)
    return {}


def _write(part, rows):
    RESULTS.parent.mkdir(exist_ok=True)
    known = _known()
    known[part] = [_written(row) for row in rows]
    aside = RESULTS.with_suffix(".new")
    aside.write_text(json.dumps(known, indent=1) + "\n")
    aside.replace(RESULTS)


def report(part, rows):
    """Prints the part's table and puts it into build/bench.json beside those of the other parts; if one of the rows cannot
    be had, those before it all the same."""
    done = []
    try:
        for row in rows:
            done.append(row)
    finally:
        print_table(part, done)
        _write(part, done)
