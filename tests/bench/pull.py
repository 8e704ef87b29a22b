#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Images from a registry on loopback to their files: `cache pull` and `build`, beside skopeo copy and umoci unpack.

Wall-clock and CPU time of the program and all it starts; the best of TURNS cold runs. The floor is curl, which fetches
the same blobs into files and checks nothing.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from table import REPO, Row, report

sys.path.insert(0, str(REPO / "tests/host"))
from images import Layout  # noqa: E402
from servers import Registry  # noqa: E402

KEELSON = os.environ.get("KEELSON", str(REPO / "build/bin/keelson"))
IMAGES, LAYERS, FILES, FILE_BYTES = 3, 4, 200, 40000
TURNS = 3
# A line of some words from a few thousand: as compressible as programs and texts are together, by half.
WORDS = [f"{random.Random(i).getrandbits(40):x}" for i in range(4000)]


class Cost:
    """What commands have cost, one after another."""

    def __init__(self):
        self.wall = self.cpu = 0.0

    def run(self, *args, **kw):
        begin = time.monotonic()
        process = subprocess.Popen([str(a) for a in args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **kw)
        _, status, usage = os.wait4(process.pid, 0)
        self.wall += time.monotonic() - begin
        self.cpu += usage.ru_utime + usage.ru_stime
        if status:
            sys.exit(f"bench: {args[0]} failed")


def make_layer(seed):
    dice = random.Random(seed)
    return {f"usr/lib/{seed}/{i:04}": dice.randbytes(FILE_BYTES // 2) + " ".join(
        dice.choices(WORDS, k=FILE_BYTES // 20)).encode() for i in range(FILES)}


def fill(host, folder):
    """Returns the names of the images, and the addresses and the bytes of their blobs; a layer is in all of them."""
    layout = Layout(folder / "layout")
    common = make_layer("common")
    blobs = {}
    for i in range(IMAGES):
        manifest = layout.manifest([common, *(make_layer(f"{i}-{k}") for k in range(LAYERS - 1))])
        layout.name(manifest, f"i{i}")
        document = json.loads((layout.path / "blobs/sha256" / manifest["digest"][7:]).read_text())
        blobs |= {b["digest"]: (f"http://{host}/v2/bench/i{i}/blobs/{b['digest']}", b["size"])
                  for b in (document["config"], *document["layers"])}
        subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout.path}:i{i}",
                        f"docker://{host}/bench/i{i}:1"], check=True)
    return [f"{host}/bench/i{i}:1" for i in range(IMAGES)], list(blobs.values())


def by_keelson(images, folder, cost):
    environment = {**os.environ, "KEELSON_CACHE": str(folder / "cache"), "HOME": str(folder)}
    cost["pull"].run(KEELSON, "cache", "pull", *images, env=environment)
    yml = folder / "x.yml"
    yml.write_text("onboot:\n" + "".join(f"  - {{name: c{i}, image: \"{image}\"}}\n" for i, image in enumerate(images)))
    cost["files"].run(KEELSON, "build", "--no-sbom", "--format", "tar", "-o", folder / "x.tar", yml, env=environment)


def by_skopeo(images, folder, cost):
    for i, image in enumerate(images):
        cost["pull"].run("skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{image}", f"oci:{folder}/oci:i{i}")
    for i in range(len(images)):
        cost["files"].run("umoci", "unpack", "--rootless", "--image", f"{folder}/oci:i{i}", folder / f"bundle{i}")


def by_curl(blobs, folder, cost):
    options = [word for i, (url, _) in enumerate(blobs) for word in ("--output", folder / str(i), url)]
    cost["pull"].run("curl", "--no-progress-meter", "--fail", "--parallel", "--parallel-max", "4", *options)


def measure(how, what, folder):
    """The best of some runs, each with nothing there before: the costs of `pull`, of `files`, and of both."""
    best = {}
    for _ in range(TURNS):
        cost = {"pull": Cost(), "files": Cost()}
        (folder / "run").mkdir()
        how(what, folder / "run", cost)
        shutil.rmtree(folder / "run")
        for part, c in cost.items():
            best.setdefault(part, c)
            best[part].wall, best[part].cpu = min(best[part].wall, c.wall), min(best[part].cpu, c.cpu)
    return best


def rows(ours, theirs, floor, megabytes):
    names = {"pull": ("cache pull", "skopeo copy", "curl"), "files": ("build --format tar", "umoci unpack", None)}
    for part, (name, peer, bare) in names.items():
        for unit, figure in (("s", "wall"), ("s of CPU", "cpu")):
            yield Row(f"{name}, {megabytes:.0f} MB", unit, getattr(ours[part], figure),
                      floor=getattr(floor[part], figure) if bare else None, peers={peer: getattr(theirs[part], figure)})
    yield Row("both", "s", ours["pull"].wall + ours["files"].wall,
              peers={"skopeo + umoci": theirs["pull"].wall + theirs["files"].wall})


def main():
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registry = Registry(folder / "registry")
        try:
            images, blobs = fill(registry.host, folder)
            megabytes = sum(size for _, size in blobs) / 1e6
            results = [measure(how, what, folder) for how, what in
                       ((by_keelson, images), (by_skopeo, images), (by_curl, blobs))]
            report("pull", list(rows(*results, megabytes)))
        finally:
            registry.stop()


if __name__ == "__main__":
    main()
