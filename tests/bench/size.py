#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How large our programs are, one by one and in sum, and what an appliance comes to: examples/hello.yml as an initrd."""
import subprocess
import sys
import tempfile
from pathlib import Path

import machine
from table import REPO, Row, report

GUEST = REPO / "build/guest/amd64"
# What boots and supervises every appliance with the log daemon; then what single images bring.
ALWAYS = ("init", "svcd", "bootrecord", "memlogd", "logread")
SOME = ("logwrite", "logwrite-zstd", "kmsg", "rungetty")


def compressed(paths):
    """Bytes that all of them together take, as an initrd has them: in one stream of zstd -19."""
    data = b"".join(path.read_bytes() for path in paths)
    return len(subprocess.run(["zstd", "-q", "-19", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout)


def rows(folder):
    for name in (*ALWAYS, *SOME):
        path = GUEST / name
        yield Row(name, "KB", path.stat().st_size / 1e3)
        yield Row(f"{name}, zstd -19", "KB", compressed([path]) / 1e3)
    always = [GUEST / name for name in ALWAYS]
    yield Row(", ".join(ALWAYS), "KB", sum(path.stat().st_size for path in always) / 1e3, peers={"LinuxKit": 22300.0}, goal=600.0)
    yield Row("the same, zstd -19", "KB", compressed(always) / 1e3, peers={"LinuxKit": 5350.0}, goal=250.0)
    subprocess.run([machine.KEELSON, "build", "--no-sbom", "--dir", folder, "--name", "hello", REPO / "examples/hello.yml"],
                   check=True, timeout=300)
    yield Row("the initrd of examples/hello.yml", "MB", (folder / "hello-initrd.img").stat().st_size / 1e6)
    yield Row("its kernel", "MB", (folder / "hello-kernel").stat().st_size / 1e6)


def main():
    with tempfile.TemporaryDirectory() as folder:
        report("size", list(rows(Path(folder))))


if __name__ == "__main__":
    sys.exit(main())
