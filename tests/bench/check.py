#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Never slower by accident: counted boots beside tests/bench/expected.json, of two one-shots and three services, and of
examples/hello.yml. How long hello.yml's takes hangs on when DHCP is answered, and that on the host: there it is the
processor time that counts.

Counted time repeats exactly with the same QEMU, kernel, containerd and runc; expected.json says which. With others only
the processor time of our own programs is compared, and more loosely. Any change of a byte moves what Go's scheduler does:
the least of some seeds counts, of our programs the least of each. --update writes what is measured now; that belongs into
the commit that changes it.
"""
import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import machine
import switches
from table import REPO

EXPECTED = Path(__file__).resolve().parent / "expected.json"
SEEDS, HELLO_SEEDS = (1, 2, 3, 4, 5), (1, 2, 3)
UPDATE_IMAGES = 3  # the least of one image's boots may be a lucky one, which no other image comes near
HELLO_NETWORK = ("-nic", "user,model=virtio-net-pci")
TOLERANCE, OTHERS_TOLERANCE = 0.03, 0.25
UP, OURS = "ms from /init to the third service", "ms of processor time of our programs"
HELLO_ALL, HELLO_OURS = "ms of processor time of all programs, hello.yml", f"{OURS} but modprobe, hello.yml"
FIGURES, FIGURES_OF_OURS = (UP, OURS, HELLO_ALL, HELLO_OURS), (OURS, HELLO_OURS)
VERSIONS = ("qemu", "kernel", "containerd", "runtime")


def lacking(expected):
    """What figures that were read lack, or have of a wrong kind; "" if nothing."""
    if not isinstance(expected, dict):
        return "it is no object"
    versions = expected.get("versions")
    words = [f"versions.{name} is no text" for name in VERSIONS
             if not isinstance(versions, dict) or not isinstance(versions.get(name), str)]
    words += [f"{name!r} is no number above 0" for name in FIGURES
              if type(expected.get(name)) not in (int, float) or not 0 < expected[name] < math.inf]
    return "; ".join(words)


def read_expected():
    try:
        expected = json.loads(EXPECTED.read_text())
    except (OSError, ValueError) as error:
        sys.exit(f"bench-check: could not read {EXPECTED}: {error}")
    why = lacking(expected)
    if why:
        sys.exit(f"bench-check: could not use {EXPECTED}: {why}")
    return expected


def hello_figures(folder):
    """How often the kernel executes modprobe hangs on the host as well: dhcpcd asks for modules that are not there (nl80211)
    whenever its interface changes."""
    image = machine.build(folder, "hello", (REPO / "examples/hello.yml").read_text())
    boots = [machine.boot(image, traced=True, seed=seed, options=HELLO_NETWORK).worked() for seed in HELLO_SEEDS]
    return {HELLO_ALL: min(sum(ms for (who, _), ms in times.items() if who != switches.IDLE) for times in boots),
            HELLO_OURS: switches.least(boots, switches.OURS, without=(switches.MODPROBE,))}


def usual_figures(folder, number):
    """Of the appliance of two one-shots and three services; each number is another image of it, by a byte in a container."""
    image = machine.build(folder, f"check{number}", machine.appliance(3) + f"    env: [PATH=/bin, IMAGE={number}]\n")
    boots = [machine.boot(image, traced=True, seed=seed) for seed in SEEDS]
    return {UP: min(boot.up for boot in boots), OURS: switches.least([boot.worked() for boot in boots], switches.OURS)}, boots[0]


def measure(images=1):
    """{"versions": {name: version}, UP: ..., and so on}; of several images the mean."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        usual, boots = zip(*(usual_figures(folder, number) for number in range(images)))
        figures = {name: statistics.mean(of[name] for of in usual) for name in (UP, OURS)} | hello_figures(folder)
    qemu = subprocess.run([machine.QEMU, "--version"], stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()[0]
    return {"versions": {"qemu": qemu, **boots[0].versions}, **{name: round(ms, 3) for name, ms in figures.items()}}


def compare(expected, found):
    """Returns (remarks, True if nothing is slower than it may be)."""
    others = [f"{name} is {found['versions'].get(name)}, not {version}" for name, version in expected["versions"].items()
              if found["versions"].get(name) != version]
    remarks = [f"the figures are for other versions: {'; '.join(others)}. Please take new ones: make bench-check UPDATE=1"
               ] if others else []
    tolerance = OTHERS_TOLERANCE if others else TOLERANCE
    good = True
    for name in FIGURES_OF_OURS if others else FIGURES:
        most = expected[name] * (1 + tolerance)
        remarks.append(f"{found[name]:.1f} {name}; expected are {expected[name]:.1f}, and {most:.1f} at most")
        good = good and found[name] <= most
        if found[name] > most:
            remarks.append("that is more: find out why, or take new figures")
        elif found[name] < expected[name] * (1 - tolerance):
            remarks.append("that is so much better that new figures should be taken")
    return remarks, good


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write what is measured to expected.json")
    if parser.parse_args().update:
        EXPECTED.write_text(json.dumps(measure(UPDATE_IMAGES), indent=1) + "\n")
        return 0
    remarks, good = compare(read_expected(), measure())
    print("\n".join(f"bench-check: {remark}" for remark in remarks))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
