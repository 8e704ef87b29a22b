#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The boot and the shutdown in counted time (machine.py): how long, who worked, and how that grows with the services."""
import itertools
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import machine
import switches
from table import Row, report

GROWTH, SHUTDOWNS = (1, 10, 50), (0, 3, 50)
# What the design's table says of a stage.
STAGES = {("init", "devices"): {"goal": 10.0}, ("init.d", "005-volumes"): {"goal": 2.0, "peers": {"LinuxKit": 22.0}}}
# QEMU's two processors may come to a stand, each waiting for the other: such a boot by the clock on the wall has no end.
REAL_BOOTS, REAL_SECONDS = 3, 180


def three_services(folder):
    """Beside the floor, which has no devices to look for, and LinuxKit, which has no seccomp filters for containers."""
    for runtime, goal, peers in (("runc", 650.0, {"LinuxKit": 1128.0}), ("crun", 450.0, {})):
        image = machine.build(folder, f"{runtime}-unconfined", machine.appliance(3, runtime, "unconfined"), floor=True)
        yield Row(f"/init to the third service, {runtime}, no seccomp filters", "ms", machine.boot(image).up,
                  floor=machine.boot(image, floor=True).up, peers=peers, goal=goal)
        image = machine.build(folder, runtime, machine.appliance(3, runtime), floor=True)
        boot, floor = machine.boot(image), machine.boot(image, floor=True)
        yield Row(f"/init to the third service, {runtime}", "ms", boot.up, floor=floor.up)
        times = switches.by_worker(machine.boot(image, traced=True).worked())
        for who in switches.WORKERS:
            yield Row(f"    of that: {who}", "ms", times[who])
        if runtime == "runc":
            yield from phases("counted", [boot], [floor], STAGES)
            yield from in_real_time(image)
            yield from resident(boot)


def phases(clock, boots, floors, known=()):
    """Every stage of the timeline, in its order: the median of some boots, beside the floor's where it has the same, and what
    is known of others and goals."""
    def middle(of, stage):
        times = [boot.milliseconds(*stage) for boot in of if stage in boot.stages]
        return statistics.median(times) if times else None
    for stage in sorted(boots[0].stages, key=lambda s: (boots[0].stages[s]["start_ns"], -boots[0].stages[s]["end_ns"])):
        yield Row(f"{clock}: {': '.join(filter(None, stage))}", "ms", middle(boots, stage), floor=middle(floors, stage),
                  **(known[stage] if stage in known else {}))


def in_real_time(image):
    """Under emulation with two processors; ours and the floor take turns."""
    boots = {False: [], True: []}
    for floor in [False, True] * REAL_BOOTS:
        try:
            boots[floor].append(machine.boot(image, floor=floor, clock=machine.REAL, seconds=REAL_SECONDS))
        except subprocess.TimeoutExpired:
            print(f"bench: a boot in real time did not end within {REAL_SECONDS} s: it does not count", flush=True)
    ours, floors = boots[False], boots[True]
    if ours and floors:
        yield Row("the same by the clock on the wall, two processors, the best", "ms", min(boot.up for boot in ours),
                  floor=min(boot.up for boot in floors))
        yield from phases("on the wall", ours, floors)


def resident(boot):
    memory = {name: sum(kib for key, kib in boot.memory.items() if key.split()[0] == name)
              for name in ("init", "svcd", "memlogd")}
    for name, kib in memory.items():
        yield Row(f"PSS of {name}", "KiB", kib)
    yield Row("PSS of the three", "KiB", sum(memory.values()), peers={"LinuxKit, no supervisor": 10800}, goal=3000)


def shutdown(boot):
    took = re.search(r"shutdown took (\d+) ms", boot.console)
    if not took:
        sys.exit(f"bench: there was no shutdown; the console:\n{boot.console}")
    return float(took[1])


def growth(folder):
    """How the cost grows with the services: of the boot, and of the shutdown. The goal of that is for three."""
    for services in sorted({*GROWTH, *SHUTDOWNS}):
        boot = machine.boot(machine.build(folder, f"services{services}", machine.appliance(services)), memory=2048)
        if services in GROWTH:
            yield Row(f"/init to {services} services", "ms", boot.up)
        if services in SHUTDOWNS:
            yield Row(f"shutdown with {services} services", "ms", shutdown(boot), goal=500.0 if services == 3 else None,
                      peers={"LinuxKit": 7950.0} if services == 3 else {})


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report("boot", itertools.chain(three_services(folder), growth(folder)))


if __name__ == "__main__":
    main()
