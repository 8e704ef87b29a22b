#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Supervisors of Debian beside svcd, each as PID 1 or below it, in counted time (machine.py), over the same idle services.

What they share with svcd: memory, wake-ups when nothing happens, and how long a killed service is away. Where svcd starts a
container through containerd and runc, they start a process; the row says so.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import machine
from table import REPO, Row, report

BENCH = REPO / "build/bench"
UNPACKED = REPO / "build/unpacked"
SERVICES = (1, 20)
BUSYBOX_LINKS = ("sh", "mount", "init")
OURS = ["init", "svcd", "memlogd"]
MOUNTS = ("mount -t proc proc /proc", "mount -t devtmpfs dev /dev", "mount -t tmpfs run /run")


def folders(program, n):
    """runit's and s6's way: a folder with a program `run` for each service."""
    texts = {f"service/nap{i}/run": "#!/bin/sh\nexec /bin/nap\n" for i in range(n)}
    texts["service/meter/run"] = "#!/bin/sh\nexec /bin/meter {meter}\n"
    return dict(texts, **{"sbin/init": "\n".join(["#!/bin/sh", *MOUNTS, f"exec {program} /service\n"])})


def runit(n):
    return folders("/usr/bin/runsvdir", n)


def s6(n):
    return folders("/usr/bin/s6-svscan", n)


def busybox(n):
    lines = [*[f"::sysinit:/bin/{mount}" for mount in MOUNTS], "::once:/bin/meter {meter}", *[f"::respawn:/bin/nap {i}" for i in range(n)]]  # a line that is there twice counts once
    return {"etc/inittab": "\n".join(lines) + "\n"}


def finit(n):
    lines = ["task [S12345] /bin/meter {meter} -- meter", *[f"service [S12345] :{i} /bin/nap -- nap" for i in range(n)]]
    return {"etc/finit.conf": "\n".join(lines) + "\n"}


def systemd(n):
    unit = "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/{}\nRestart={}\nRestartSec=0\n"
    wants = " ".join(f"nap{i}.service" for i in range(n))
    units = {f"etc/systemd/system/nap{i}.service": unit.format("nap", "always") for i in range(n)}
    units["etc/systemd/system/meter.service"] = unit.format("meter {meter}", "no")
    units["etc/systemd/system/default.target"] = f"[Unit]\nDefaultDependencies=no\nWants=meter.service {wants}\n"
    return dict(units, **{"etc/machine-id": "0123456789abcdef0123456789abcdef\n", "etc/os-release": "ID=bench\n"})


# name: (PID 1 in the guest, its programs' names, files for n services, programs that are taken from the machine)
PEERS = {
    "busybox init": ("/bin/init", ["init"], busybox, []),
    "runit": ("/sbin/init", ["runsvdir", "runsv"], runit, ["usr/bin/runsvdir", "usr/bin/runsv"]),
    "s6": ("/sbin/init", ["s6-svscan", "s6-supervise"], s6, ["usr/bin/s6-svscan", "usr/bin/s6-supervise"]),
    "finit": ("/sbin/finit", ["finit", "init"], finit, ["sbin/finit"]),
    "systemd": ("/lib/systemd/systemd", ["systemd", "systemd-journal", "systemd-executor"], systemd, ["lib/systemd/systemd"]),
}


def find(program):
    """Where Debian's program is: installed, or unpacked below build/."""
    for root in (UNPACKED, Path("/")):
        if (root / program).exists():
            return root / program
    sys.exit(f"bench: could not find {program}: make bench-peers unpacks what it needs")


def libraries(program):
    """The shared libraries of a program, with their paths in the guest."""
    places = [str(p) for p in (UNPACKED / "usr/lib/x86_64-linux-gnu", UNPACKED / "lib/x86_64-linux-gnu",
                               UNPACKED / "usr/lib/x86_64-linux-gnu/systemd", UNPACKED / "lib/systemd")]
    listed = subprocess.run(["ldd", program], env=dict(os.environ, LD_LIBRARY_PATH=":".join(places)), check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    found = re.findall(r"(?:(\S+) => )?(/\S+) \(0x", listed)
    return {(f"lib/x86_64-linux-gnu/{name}" if name and not path.startswith("/lib64/") else path.lstrip("/")): path
            for name, path in found}


def make_root(root, name, n):
    """The peer's files in a folder."""
    _, names, files, programs = PEERS[name]
    for folder in ("bin", "sbin", "etc", "proc", "dev", "sys", "run", "tmp", "lib64", "lib/x86_64-linux-gnu"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for link in BUSYBOX_LINKS:
        (root / "bin" / link).symlink_to("busybox")
    copies = {"bin/busybox": "/bin/busybox", "bin/nap": BENCH / "nap", "bin/meter": BENCH / "meter"}
    for program in programs:
        copies[program] = find(program)
        copies.update(libraries(copies[program]))
    for to, source in copies.items():
        (root / to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / to)
    for path, text in files(n).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text.replace("{meter}", f"{n} {' '.join(names)}"))
        (root / path).chmod(0o755 if text.startswith("#!") else 0o644)


def metered(console, who):
    found = re.search(r"^meter: (\{.*\})", console, re.M)
    if not found:
        sys.exit(f"bench: {who} reported nothing; its console:\n{console[-3000:]}")
    return json.loads(found[1])


def peer(folder, name, n, kernel):
    """What the meter said of the peer with n services."""
    image = folder / f"{name.replace(' ', '-')}{n}"
    root = folder / f"{image.name}.root"
    make_root(root, name, n)
    with open(f"{image}-initrd.img", "wb") as out:
        listed = subprocess.run(["find", ".", "-print0"], cwd=root, check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["cpio", "-0", "-o", "-H", "newc", "--quiet", "-R", "0:0"], cwd=root, input=listed, stdout=out, check=True)
    shutil.copy(kernel, f"{image}-kernel")
    _, console = machine.run(image, f"console=ttyS0 quiet rdinit={PEERS[name][0]}", memory=512)
    return metered(console, name)


def appliance(n):
    """The same services as containers, and the meter beside them."""
    common = ["    image: keelson/busybox:latest", "    capabilities: [all]", "    pid: host",
              "    runtime: {mkdir: [/run/bench]}"]
    binds = '    binds: ["/run/bench:/run/bench", "/dev:/dev", "/usr/lib/bench:/usr/lib/bench"]'
    lines = machine.appliance(0).splitlines()
    for i in range(n):
        lines += [f"  - name: nap{i}", *common, binds, '    command: ["/usr/lib/bench/nap"]']
    words = ", ".join(f'"{word}"' for word in ["/usr/lib/bench/meter", n, *OURS])
    lines += ["  - name: meter", *common, binds, "    resources: {devices: [{allow: true, access: rwm}]}",
              f"    command: [{words}]"]
    lines += ["files:", *[f"  - {{path: usr/lib/bench/{p}, source: {BENCH / p}, mode: '0755'}}" for p in ("nap", "meter")]]
    return "\n".join(lines) + "\n"


def ours(folder, n):
    """What the meter said of keelson with n services; returns that and the path of the image."""
    source, image = folder / f"keelson{n}.yml", folder / f"keelson{n}"
    source.write_text(appliance(n))
    subprocess.run([machine.KEELSON, "build", "--no-sbom", "--dir", folder, "--name", image.name, source], check=True, timeout=300)
    _, console = machine.run(image, Path(f"{image}-cmdline").read_text().strip())
    return metered(console, "keelson"), image


def rows(found):
    """found: {name: {services: what the meter said}}, "keelson" among them."""
    few, many = SERVICES

    def row(name, unit, value, note=""):
        mine = value(found["keelson"])
        return Row(name, unit, mine, peers={p: value(f) for p, f in found.items() if p != "keelson"}, note=note)
    yield row(f"memory with {many} services (PSS)", "KiB", lambda f: f[many]["pss_kib"])
    yield row("memory a service", "KiB", lambda f: (f[many]["pss_kib"] - f[few]["pss_kib"]) / (many - few))
    yield row(f"processes with {many} services", "", lambda f: f[many]["processes"])
    yield row("wake-ups in an idle minute", "", lambda f: f[many]["switches"])
    yield row("a killed service is away", "ms", lambda f: f[many]["away_ns"] / 1e6,
              "keelson's is a container, started by containerd and runc; the others' is a process")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {"keelson": {}}
        for n in SERVICES:
            found["keelson"][n], image = ours(folder, n)
        for who in PEERS:
            found[who] = {n: peer(folder, who, n, f"{image}-kernel") for n in SERVICES}
        report("peers", list(rows(found)))


if __name__ == "__main__":
    main()
