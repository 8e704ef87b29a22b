#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The least memory that an appliance boots with (two one-shots, three services, the log daemon), bisected: with its root
unpacked into memory, and with roots that stay compressed there. It has booted if all services run and it powers off.
"""
import subprocess
import tempfile
from pathlib import Path

import machine
from table import Row, report

LOW, HIGH, STEP = 96, 512, 16  # MiB
# The first program killed for want of memory is the end; who has too little may also try for ever.
SECONDS = 180
SCRIPT = r"""#!/usr/lib/bench/busybox sh
b=/usr/lib/bench/busybox
for p in /sys/class/virtio-ports/*; do
    [ "$($b cat $p/name)" = keelson.bench ] && exec 3>/dev/${p##*/}
done
until [ -e /run/keelson/up ]; do $b usleep 100000; done
service list | $b awk '$2 == "running" {n++} END {print n + 0, "running"}' >&3
/sbin/poweroff
"""
ROOTS = {"initramfs": (320.0, 208.0), "squashfs": (None, 160.0)}  # what LinuxKit takes, the goal


def boots(image, mebibytes):
    cmdline = f"{Path(f'{image}-cmdline').read_text().strip()} panic=-1 sysctl.vm.panic_on_oom=1"
    try:
        return machine.run(image, cmdline, memory=mebibytes, seconds=SECONDS, clock=machine.REAL)[0] == "3 running\n"
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return False


def least(image):
    """The least multiple of STEP with which it boots, and with every bisected one above it."""
    low, high = LOW, HIGH
    if not boots(image, high):
        raise SystemExit(f"bench: {image.name} does not even boot with {high} MiB")
    while high - low > STEP:
        middle = (low + high) // 2 // STEP * STEP
        low, high = (low, middle) if boots(image, middle) else (middle, high)
    return high


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = []
        for root, (linuxkit, goal) in ROOTS.items():
            image = machine.build(folder, root, machine.appliance(3), script=SCRIPT, options=("--root", root))
            rows.append(Row(f"least memory, root as {root}", "MiB", least(image), goal=goal,
                            peers={"LinuxKit": linuxkit} if linuxkit else {}))
        report("memory", rows)


if __name__ == "__main__":
    main()
