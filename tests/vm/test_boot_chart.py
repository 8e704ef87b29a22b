# SPDX-License-Identifier: Apache-2.0
"""`keelson run --boot-chart`: who used the processor, and what waited for what, from the machine to the picture."""
import re

import harness
import record
from test_faults import BASE

YAML = BASE + """onboot:
  - name: sleeps
    image: keelson/busybox:latest
    command: ["sleep", "5"]
  - name: works
    image: keelson/busybox:latest
    command: ["sh", "-c", "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done"]
services:
  - name: app
    image: keelson/busybox:latest
    command: ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"]
    runtime: {after: [db]}
  - name: db
    image: keelson/busybox:latest
    command: ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"]
"""


def test_the_chart_of_a_boot(tmp_path):
    done = harness.build(YAML, tmp_path, agent=False)
    assert done.status == 0, done.stderr
    v = record.wait(done.name, "--mem", "512", "--boot-chart", tmp_path / "boot.svg")
    assert (v.status, v.verdict) == (0, "ok"), v.console
    places = [stage[0] for stage in v.record["stages"]]
    stages = dict(zip(places, v.record["stages"]))
    # Only the order: how long anything takes is the machine's affair.
    share = {name: stages[name][3] / stages[name][2] for name in ("onboot/000-sleeps", "onboot/001-works")}
    assert share["onboot/001-works"] > share["onboot/000-sleeps"]
    waits = {name: [places[i] for i in stage[4]] for name, stage in stages.items() if len(stage) > 4}
    assert waits["onboot/001-works"] == ["onboot/000-sleeps"] and waits["init"] == ["kernel"]
    assert waits["services/db"] == ["containerd"] and waits["services/app"] == ["services/db"]
    assert stages["containerd"][3] > 0
    picture = (tmp_path / "boot.svg").read_text()
    for name in ("onboot/001-works", "containerd"):
        assert re.search(rf"<title>{name}: [\d.]+ s, from [\d.]+ s on, CPU [\d.]+ s</title>", picture), picture
    assert picture.count("<path ") == 1 + sum(map(len, waits.values()))  # and the legend's
