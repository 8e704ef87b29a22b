#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Loading the modules that a machine's devices ask for: PID 1's worker with finit_module(2), beside Debian's modprobe, once
for all and once for each device. Counted time (machine.py): work, not luck.
"""
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import machine
from table import REPO, Row, report

KMOD = Path("/usr/bin/kmod")
# How modprobe is told of devices: until nothing new is asked for, as a bus driver brings new devices.
ASK = "$b find /sys/devices -name modalias -exec $b cat {} + | $b sort -u"
WAYS = {
    "finit": "/bin/init-hotplug",
    "finit-hurry": "/bin/init-coldplug",
    "batch": f'old=; while new=$({ASK}); [ "$new" != "$old" ]; do echo "$new" | $b xargs modprobe -abq; old=$new; done',
    "each": f'old=; while new=$({ASK}); [ "$new" != "$old" ]; do for a in $new; do modprobe -bq "$a"; done; old=$new; done',
    "ask": f"{ASK} >/dev/null",
}
INIT = r"""#!/bin/busybox sh
b=/bin/busybox
export PATH=/bin
$b mkdir -p /proc /sys /dev
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
way=$($b sed 's/.*bench=//' /proc/cmdline)
echo "bench begin" >/dev/kmsg
case $way in
WAYS
esac
echo "bench end, $($b wc -l </proc/modules) modules" >/dev/kmsg
$b stty -F /dev/ttyS1 raw
exec 3>/dev/ttyS1
printf '{"log":"%s"}\n' "$($b dmesg | $b grep 'bench ' | $b tr '\n' ';')" >&3
$b poweroff -f
"""


def appliance():
    ways = "\n".join(f"{name}) {command} ;;" for name, command in WAYS.items())
    libraries = re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", KMOD], check=True, capture_output=True, text=True).stdout)
    worker = REPO / "build/guest/amd64/init"
    sources = {"bin/busybox": "/bin/busybox", "bin/init-hotplug": worker, "bin/init-coldplug": worker, "bin/modprobe": KMOD}
    sources.update({path.lstrip("/"): path for path in libraries})
    lines = ["kernel:", "  image: keelson/kernel:latest", '  cmdline: "console=ttyS0"', "init: []", "files:"]
    lines += [line for path, source in sources.items()
              for line in (f"  - path: {path}", f"    source: {source}", '    mode: "0755"')]
    lines += ["  - path: init", '    mode: "0755"', "    contents: |"]
    lines += ["      " + line for line in INIT.replace("WAYS", ways).splitlines()]
    return "\n".join(lines) + "\n"


def measure(name, way):
    """Returns milliseconds and how many modules there are then."""
    text, _ = machine.run(name, f"console=ttyS0 quiet bench={way}", options=("-device", "virtio-serial-pci"))
    log = json.loads(text)["log"]
    found = re.search(r"\[ *([\d.]+)\] bench begin;\[ *([\d.]+)\] bench end, (\d+) modules", log)
    if not found:
        sys.exit(f"bench: {way}: the guest said {log!r}")
    return (float(found[2]) - float(found[1])) * 1000, int(found[3])


def rows(name):
    found = {way: measure(name, way) for way in WAYS}
    ask = found["ask"][0]
    # A shell that walks /sys is no part of modprobe's cost; it does so twice.
    batch, each = (found[way][0] - 2 * ask for way in ("batch", "each"))
    note = f"modules loaded: {', '.join(f'{way} {count}' for way, (_, count) in found.items())}"
    yield Row("modules of all devices", "ms", found["finit"][0], note=note,
              peers={"one modprobe for all": batch, "one modprobe a device": each})
    yield Row("modules before init.d", "ms", found["finit-hurry"][0])


def main():
    with tempfile.TemporaryDirectory() as folder:
        name = Path(folder) / "modules"
        name.with_suffix(".yml").write_text(appliance())
        subprocess.run([machine.KEELSON, "build", "--no-sbom", "--dir", folder, "--name", name.name, name.with_suffix(".yml")],
                       check=True, timeout=300)
        report("modules", list(rows(name)))


if __name__ == "__main__":
    main()
