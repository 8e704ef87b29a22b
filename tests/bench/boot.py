#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The boot and the shutdown in counted time (machine.py): how long, who worked, and how that grows with the services."""
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

import machine
from table import Row, report

# Who works between the kernel's hand-over and the last service: the first pattern that a program's name has. Modules are
# loaded under their own names.
WORKERS = {
    "keelson (init, svcd, service, memlogd)": r"init|svcd|service|memlogd|modprobe|\d{3}-",
    "the kernel, loading modules": r".*\.ko",
    "containerd": r"containerd$|ctr",
    "shims": r"containerd-shim",
    "runc, crun": r"runc|crun|memfd:|exe$|\d$|libcrun",
    "the containers": r"true|sleep|busybox",
}
GROWTH = (1, 10, 50)


def worked(boot):
    """{who: ms of processor time}, of what stands in WORKERS and of the rest."""
    begin, end = boot.begin / 1e9, boot.begin / 1e9 + boot.up / 1e3
    times = Counter()
    for (before, _), (now, program) in zip(boot.switches, boot.switches[1:]):
        who = next((name for name, pattern in WORKERS.items() if re.match(pattern, program)), "the rest of the kernel")
        times[who] += max(0.0, min(now, end) - max(before, begin)) * 1e3
    return times


def three_services(folder):
    """Beside the floor, which has no devices to look for, and LinuxKit, which has no seccomp filters for containers."""
    for runtime, goal, peers in (("runc", 650.0, {"LinuxKit": 1128.0}), ("crun", 450.0, {})):
        image = machine.build(folder, f"{runtime}-unconfined", machine.appliance(3, runtime, "unconfined"), floor=True)
        yield Row(f"/init to the third service, {runtime}, no seccomp filters", "ms", machine.boot(image).up,
                  floor=machine.boot(image, floor=True).up, peers=peers, goal=goal)
        image = machine.build(folder, runtime, machine.appliance(3, runtime), floor=True)
        boot = machine.boot(image)
        yield Row(f"/init to the third service, {runtime}", "ms", boot.up, floor=machine.boot(image, floor=True).up)
        times = worked(machine.boot(image, traced=True))
        for who in [*WORKERS, "the rest of the kernel"]:
            yield Row(f"    of that: {who}", "ms", times[who])
        if runtime == "runc":
            yield in_real_time(image)
            yield from the_parts(boot)


def in_real_time(image):
    """Under emulation with two processors; ours and the floor take turns, and the best of each counts."""
    ours, floor = (min(times) for times in zip(*((machine.boot(image, clock=machine.REAL).up,
                                                  machine.boot(image, floor=True, clock=machine.REAL).up) for _ in range(3))))
    return Row("the same by the clock on the wall, two processors", "ms", ours, floor=floor)


def the_parts(boot):
    yield Row("mounts", "ms", boot.milliseconds("init", "mounts"))
    yield Row("devices", "ms", boot.milliseconds("init", "devices"), goal=10.0)
    yield Row("a step of init.d with nothing to do", "ms", boot.milliseconds("init.d", "005-volumes"), peers={"LinuxKit": 22.0},
              goal=2.0)
    yield Row("onboot, two one-shots", "ms", boot.milliseconds("init.d", "010-onboot"))
    yield Row("containerd, until it answers", "ms", boot.milliseconds("020-containerd", "containerd"))
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
    """How the cost grows with the services: of the boot, and of the shutdown."""
    for services in GROWTH:
        boot = machine.boot(machine.build(folder, f"services{services}", machine.appliance(services)), memory=2048)
        yield Row(f"/init to {services} services", "ms", boot.up, note="")
        yield Row(f"shutdown with {services} services", "ms", shutdown(boot), goal=500.0 if services < 50 else None,
                  peers={"LinuxKit, with 3": 7950.0})


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report("boot", [*three_services(folder), *growth(folder)])


if __name__ == "__main__":
    main()
