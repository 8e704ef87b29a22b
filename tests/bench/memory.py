#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The least memory that an appliance boots with (two one-shots, three services, the log daemon), bisected: with its root
unpacked into memory, and with roots that stay compressed there. It has booted if all services run and it powers off.
"""
import json
import subprocess
import tempfile
import time
from pathlib import Path

import machine
from table import Row, report

STEP = 16  # MiB
# The first program killed for want of memory is the end; who has too little may also try for ever: so many times as long
# as one that came up took.
SECONDS, PATIENCE = 180, 4
SCRIPT = r"""#!/usr/lib/bench/busybox sh
b=/usr/lib/bench/busybox
$b stty -F /dev/ttyS1 raw
exec 3>/dev/ttyS1
until [ -e /run/keelson/up ]; do $b usleep 100000; done
service list | $b awk '$2 == "running" {n++} END {print n + 0, "running"}' >&3
/sbin/poweroff
"""
# The root, what the kernel's command line has besides, what LinuxKit takes, the goal.
ROOTS = [("initramfs", "", 320.0, 208.0), ("initramfs", "initramfs_options=size=90%", None, None),
         ("squashfs", "", None, 160.0)]


def boots(image, mebibytes, seconds):
    cmdline = f"{Path(f'{image}-cmdline').read_text().strip()} panic=-1 sysctl.vm.panic_on_oom=1"
    try:
        return machine.run(image, cmdline, memory=mebibytes, seconds=seconds, clock=machine.REAL)[0] == "3 running\n"
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return False


def computed(image):
    done = subprocess.run([machine.KEELSON, "inspect", "--json", image], check=True, timeout=60, capture_output=True)
    return json.loads(done.stdout)["least_memory_mib"]


def least(image):
    """The least multiple of STEP with which it boots, looked for from what `keelson inspect` computes on, in growing steps."""
    known = {}
    patience = SECONDS

    def works(mebibytes):
        nonlocal patience
        begin = time.monotonic()
        known[mebibytes] = boots(image, mebibytes, patience)
        if known[mebibytes]:
            patience = min(patience, PATIENCE * (time.monotonic() - begin))
        return known[mebibytes]

    at, step = -(-computed(image) // STEP) * STEP, STEP
    fits = works(at)
    while at - step > 0 and works(at - step if fits else at + step) == fits:
        at, step = (at - step if fits else at + step), 2 * step
    low, high = (at - step, at) if fits else (at, at + step)
    while high - low > STEP:
        middle = (low + high) // 2 // STEP * STEP
        low, high = (low, middle) if works(middle) else (middle, high)
    print(f"bench: {image.name}: computed {computed(image)}, tried " +
          ", ".join(f"{m} MiB {'yes' if ok else 'no'}" for m, ok in sorted(known.items())), flush=True)
    return high


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = []
        for root, options, linuxkit, goal in ROOTS:
            image = machine.build(folder, root, machine.appliance(3), script=SCRIPT, options=("--root", root))
            cmdline = Path(f"{image}-cmdline")
            cmdline.write_text(f"{cmdline.read_text().strip()} {options}".strip() + "\n")
            rows.append(Row(f"least memory, root as {root}{', ' if options else ''}{options}", "MiB", least(image), goal=goal,
                            peers={"LinuxKit": linuxkit} if linuxkit else {}))
        report("memory", rows)


if __name__ == "__main__":
    main()
