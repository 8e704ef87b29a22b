# SPDX-License-Identifier: Apache-2.0
"""Appliances booted in counted time: QEMU advances the guest's clock with the instructions that it executes (-icount),
so that times are work, not luck, and repeat. The guest itself sends its timeline and its processes' memory, and powers off.
"""
import gzip
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import switches
from table import REPO

KEELSON = REPO / "build/bin/keelson"
FLOOR = REPO / "build/bench/floor"
QEMU = "qemu-system-x86_64"
QEMU_SECONDS = 600
END_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]  # whatever ends us: SIGTERM leaves Python no time to do it
# shift=0: an instruction is a nanosecond. Without KASLR, with a fixed RTC and a seed for the guest's random numbers a run
# repeats exactly (they come from rdrand: the seed that QEMU hands to the kernel is not always taken). Another seed, or any
# other byte in the image, moves what Go's scheduler does: by 2 % of the boot. The guest reports on a second serial port: its
# driver is in the kernel, so that no module is loaded for the bench's sake.
COUNTED = ["-accel", "tcg", "-cpu", "qemu64,+rdrand", "-smp", "1", "-icount", "shift=0,sleep=off",
           "-rtc", "base=2024-01-01,clock=vm"]
# The clock on the wall, for figures that are only compared with others of the same minute.
REAL = ["-accel", "tcg", "-cpu", "qemu64,+rdrand", "-smp", "2"]

REPORT = r"""#!/usr/lib/bench/busybox sh
# Runs as the last step of init.d: all services have started. What it does itself comes after what is measured.
b=/usr/lib/bench/busybox
tracing=/sys/kernel/tracing
$b stty -F /dev/ttyS1 raw
exec 3>/dev/ttyS1
if $b grep -q trace_event= /proc/cmdline; then
    $b mount -t tracefs tracefs $tracing
    echo 0 >$tracing/tracing_on
    $b sed -n 'SED' $tracing/trace | $b gzip >&3
    echo | $b gzip >&3
fi
{
    printf '{"timeline":'; $b cat /run/keelson/boot.json
    printf ',"memory":{'
    comma=
    for p in /proc/[0-9]*; do
        pss=$($b awk '$1=="Pss:"{print $2}' $p/smaps_rollup 2>/dev/null)
        [ -n "$pss" ] || continue
        printf '%s"%s %s":%s' "$comma" "$($b cat $p/comm)" ${p##*/} $pss
        comma=,
    done
    printf '},"versions":{"kernel":"%s","containerd":"%s","runtime":"%s"}}\n' "$($b uname -v)" \
        "$(/usr/bin/containerd --version)" "$(/usr/bin/runc --version | $b head -n 1)"
} | $b gzip >&3
/sbin/poweroff
""".replace("SED", switches.SED)


def report_files(script, floor):
    """The YAML's lines that put the script into an image as its last step of init.d, with `floor` its PID 1 too."""
    lines = ["files:", "  - path: etc/init.d/099-report", '    mode: "0755"', "    contents: |"]
    lines += ["      " + line for line in script.splitlines()]
    programs = [Path("/bin/busybox"), *([FLOOR] if floor else [])]
    lines += [f"  - {{path: usr/lib/bench/{p.name}, source: {p}, mode: '0755'}}" for p in programs]
    return "\n".join(lines) + "\n"


def appliance(services, runtime="runc", seccomp="default"):
    """2 one-shots, and as many services, with the log daemon."""
    lines = ["kernel:", "  image: keelson/kernel:latest", '  cmdline: "console=ttyS0 quiet"', "init:"]
    lines += [f"  - keelson/{name}:latest" for name in ("init", runtime, "containerd", "memlogd")]
    lines.append("onboot:")
    for name in ("first", "second"):
        lines += [f"  - name: {name}", "    image: keelson/busybox:latest", '    command: ["true"]', f"    seccomp: {seccomp}"]
    lines.append("services:" if services else "services: []")
    for n in range(services):
        lines += [f"  - name: service{n}", "    image: keelson/busybox:latest", '    command: ["sleep", "1000000"]',
                  f"    seccomp: {seccomp}"]
    return "\n".join(lines) + "\n"


def build(folder, name, yaml, floor=False, script=REPORT, options=()):
    """Builds the YAML with the report in it, and what boot(floor=True) needs; returns the path that its files begin with."""
    sources = [folder / f"{name}.yml", folder / "report.yml"]
    sources[0].write_text(yaml)
    sources[1].write_text(report_files(script, floor))
    subprocess.run([KEELSON, "build", "--no-sbom", *options, "--dir", folder, "--name", name, *sources], check=True, timeout=300)
    return folder / name


@dataclass
class Boot:
    """What a boot came to. Times are in ns of virtual time."""
    stages: dict  # (parent, stage) -> {"start_ns", "end_ns", "ok", "detail"}
    memory: dict  # "program pid" -> KiB of PSS
    record: str  # what the scheduler did (switches.py), if it was traced
    versions: dict  # of "kernel", "containerd", "runtime"
    console: str

    @property
    def begin(self):
        """When the kernel handed over to /init."""
        return self.stages["", "init"]["start_ns"]

    @property
    def services(self):
        """The stages in which the services started, those that failed too."""
        return [s for (parent, name), s in self.stages.items() if parent == "020-containerd" and name.startswith("services/")]

    @property
    def up(self):
        """When the last service ran, since the hand-over, in ms; ends the program if one did not."""
        failed = [s for s in self.services if not s["ok"]]
        if failed or not self.services:
            sys.exit(f"bench: these services did not start: {failed or 'there are none'}; the console:\n{self.console}")
        return (max(s["end_ns"] for s in self.services) - self.begin) / 1e6

    def worked(self):
        """Who worked, and how long, until the last service ran: switches.worked()."""
        return switches.worked(self.record, self.begin / 1e9, self.begin / 1e9 + self.up / 1e3)

    def milliseconds(self, parent, stage):
        found = self.stages[parent, stage]
        return (found["end_ns"] - found["start_ns"]) / 1e6


def run(name, cmdline, memory=1024, seed=1, options=(), clock=COUNTED, seconds=QEMU_SECONDS):
    """Boots the image until the machine powers off; returns what it wrote to its port, and its console."""
    out = name.with_suffix(".report")
    out.unlink(missing_ok=True)
    command = [*END_WITH_US, QEMU, "-machine", "q35", "-m", str(memory), *clock, "-seed", str(seed), "-nodefaults",
               "-display", "none", "-no-reboot", "-kernel", f"{name}-kernel", "-initrd", f"{name}-initrd.img", "-append",
               f"nokaslr {cmdline}", "-serial", "stdio", "-serial", f"file:{out}", *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=seconds, check=True)
    sent = out.read_bytes() if out.exists() else b""
    if sent.startswith(b"\x1f\x8b"):
        sent = gzip.decompress(sent)
    return sent.decode(), done.stdout.decode("utf-8", "replace")


def boot(name, memory=1024, traced=False, seed=1, options=(), floor=False, clock=COUNTED, seconds=QEMU_SECONDS):
    """Boots an image that has the report in it; with `floor` by the floor's PID 1."""
    cmdline = " ".join([Path(f"{name}-cmdline").read_text().strip(), *([switches.OPTIONS] if traced else []),
                        *(["rdinit=/usr/lib/bench/floor"] if floor else [])])
    text, console = run(name, cmdline, memory, seed, options, clock, seconds)
    trace, _, found = text.rpartition("\n\n")
    try:
        found = json.loads(found)
    except ValueError:
        sys.exit(f"bench: the guest of {name} reported nothing; its console:\n{console}")
    return Boot({(s["parent"], s["stage"]): s for s in found["timeline"]["stages"]}, found["memory"], trace,
                found["versions"], console)
