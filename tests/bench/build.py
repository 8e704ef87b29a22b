#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`keelson build` beside the floor, which is what nobody can leave out: unpacking the layers and compressing the tree; and
beside umoci, cpio and zstd. All read the same gzip layers, made of our own images."""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from table import REPO, Row, report

KEELSON = REPO / "build/bin/keelson"
IMAGES = ("kernel", "init", "runc", "containerd", "memlogd", "busybox", "dhcpcd", "getty")
YAML = """kernel: {image: keelson/kernel, cmdline: console=ttyS0}
init: [keelson/init, keelson/runc, keelson/containerd, keelson/memlogd]
onboot:
  - {name: dhcpcd, image: keelson/dhcpcd}
services:
  - {name: getty, image: keelson/getty}
  - {name: work, image: keelson/busybox, command: [sleep, "COUNT"]}
"""
TIMES = 3


def run(*command, **kw):
    return subprocess.run([*map(str, command)], check=True, timeout=600, **kw)


def measured(command, **kw):
    """Seconds, and MiB that were resident at most in one process of it; of the best of several runs."""
    best = (float("inf"), 0)
    for _ in range(TIMES):
        start = time.monotonic()
        out = run("/usr/bin/python3", "-c", "import resource, subprocess, sys\n"
                  "r = subprocess.call(sys.argv[1:])\n"
                  "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\nsys.exit(r)", *command,
                  stdout=subprocess.PIPE, text=True, **kw).stdout
        best = min(best, (time.monotonic() - start, int(out.split()[-1]) / 1024))
    return best


def gzip_cache(folder):
    """Our images in an OCI layout with gzip layers, as registries have them."""
    layout = folder / "oci"
    for name in IMAGES:
        source = f"oci:{Path(os.environ.get('KEELSON_CACHE', Path.home() / '.cache/keelson'))}:docker.io/keelson/{name}:latest"
        run("skopeo", "copy", "-q", "--dest-compress-format", "gzip", "--dest-compress", "--format", "oci", source,
            f"oci:{layout}:docker.io/keelson/{name}:latest")
    return layout


def layers(layout):
    index = json.loads((layout / "index.json").read_text())
    for entry in index["manifests"]:
        manifest = json.loads((layout / "blobs" / entry["digest"].replace(":", "/")).read_text())
        for layer in manifest["layers"]:
            yield layout / "blobs" / layer["digest"].replace(":", "/")


def floor(folder, files, tree):
    script = folder / "floor.sh"
    script.write_text("set -e\nprintf '%s\\n' " + " ".join(map(str, files)) + " | xargs -P2 -n1 sh -c 'gzip -dc \"$0\" >/dev/null'\n"
                      f"zstd -q -3 -T2 -f {tree} -o {folder}/floor.zst\n")
    return measured(["sh", script])


def umoci(folder, layout):
    """Every image unpacked by umoci, then one cpio of all, compressed."""
    script = folder / "umoci.sh"
    lines = ["set -e", f"rm -rf {folder}/u; mkdir {folder}/u"]
    lines += [f"umoci unpack --rootless --image {layout}:docker.io/keelson/{name}:latest {folder}/u/{name} 2>/dev/null"
              for name in IMAGES]
    lines += [f"cd {folder}/u; find . | cpio -o -H newc --quiet | zstd -q -3 -T2 -f -o {folder}/umoci.zst"]
    script.write_text("\n".join(lines) + "\n")
    return measured(["sh", script])


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        layout = gzip_cache(folder)
        yml = folder / "a.yml"
        yml.write_text(YAML.replace("COUNT", "1"))
        build = [KEELSON, "build", "--offline", "--no-sbom", "--cache", layout, "--dir", folder, yml]
        run(*build)
        run(KEELSON, "build", "--offline", "--no-sbom", "--cache", layout, "--dir", folder, "--compress", "none", yml)
        tree = folder / "tree.cpio"
        (folder / "a-initrd.img").rename(tree)
        base, base_mib = floor(folder, list(layers(layout)), tree)
        other, other_mib = umoci(folder, layout)
        cold, cold_mib = measured(["sh", "-c", f"rm -rf {layout}/segments; exec " + " ".join(map(str, build))])
        warm, warm_mib = measured(build)
        count = folder / "count"
        count.write_text("2")
        changed, changed_mib = measured(["sh", "-c", f"n=$(cat {count}); echo $((n+1)) >{count}; "
                                         f"sed -i \"s/sleep, .*\\\"/sleep, \\\"$n\\\"/\" {yml}; exec " + " ".join(map(str, build))])
        report("build", [
            Row("cold build", "s", cold, floor=base, peers={"umoci, cpio, zstd": other}, goal_ratio=1.2,
                note=f"{sum(p.stat().st_size for p in layers(layout)) / 1e6:.0f} MB of layers, {tree.stat().st_size / 1e6:.0f} MB unpacked"),
            Row("warm build", "s", warm, floor=base),
            Row("after one changed command", "s", changed, floor=base, goal=0.3),
            Row("memory, cold", "MiB", cold_mib, floor=base_mib, peers={"umoci, cpio, zstd": other_mib}, goal=64.0),
            Row("memory, after one changed command", "MiB", max(warm_mib, changed_mib), goal=64.0)])


if __name__ == "__main__":
    sys.exit(main())
