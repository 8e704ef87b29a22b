# SPDX-License-Identifier: Apache-2.0
"""Another architecture: our programs cross-built, Debian's packages and kernel for it, and a machine that runs it."""
import os
import re
import subprocess
import time

import harness
import pytest
import record

# Not the test's agent: its shell is the host's.
APPLIANCE = """kernel:
  image: keelson/kernel:latest
  cmdline: "console=ttyAMA0 quiet"
init:
  - keelson/init:latest
  - keelson/runc:latest
  - keelson/containerd:latest
  - keelson/memlogd:latest
onboot:
  - name: machine
    image: keelson/busybox:latest
    command: ["sh", "-c", "test $(uname -m) = aarch64"]
services:
  - name: sleeper
    image: keelson/busybox:latest
    command: ["sleep", "100000"]
    runtime: {ready: {exec: ["pidof", "sleep"]}}
"""


# A Raspberry Pi 3 in QEMU has no port that the record could go to: its console says the end.
CARD = APPLIANCE.replace("keelson/kernel:", "keelson/kernel-rpi3:").replace("console=ttyAMA0 quiet", "console=ttyS1,115200")
PI_SECONDS = 3 * harness.BOOT_SECONDS
FIRMWARE = ("bootcode.bin", "fixup.dat", "fixup_cd.dat", "fixup_x.dat", "start.elf", "start_cd.elf", "start_x.elf",
            "LICENCE.broadcom")


@pytest.fixture(scope="module", autouse=True)
def images():
    made = subprocess.run(["make", "-j2", "ARCH=arm64", "images"], cwd=harness.REPO, capture_output=True, text=True,
                          env={k: v for k, v in os.environ.items() if k != "MAKEFLAGS"}, check=False)
    assert made.returncode == 0, made.stdout + made.stderr


@pytest.mark.seconds(5 * harness.BOOT_SECONDS)  # the compiler, too
def test_an_arm64_appliance_boots_to_its_services(folder):
    (folder / "appliance.yml").write_text(APPLIANCE)
    done = harness.keelson("build", "--arch", "arm64", "--verify", "--dir", folder, folder / "appliance.yml")
    assert done.returncode == 0, done.stderr
    v = record.wait(folder / "appliance", "--mem", "512")
    assert (v.status, v.verdict) == (0, "ok"), v.console
    assert {"onboot/000-machine", "services/sleeper"} < {stage[0] for stage in v.record["stages"]}
    done = harness.keelson("run", "--arch", "amd64", "--dry-run", folder / "appliance")
    assert done.returncode != 0 and "its kernel is for arm64" in done.stderr, done.stderr


def test_nothing_of_the_host_gets_into_a_cross_build():
    """Headers above all: a build that has no build/ of the host's yet would not find them."""
    said = subprocess.run(["make", "-nB", "ARCH=arm64", "CROSS_READY=", "build/arm64/obj/musl/init/hotplug.o"],
                          cwd=harness.REPO, capture_output=True, text=True, check=True,
                          env={k: v for k, v in os.environ.items() if k != "MAKEFLAGS"}).stdout
    compiles = [line for line in said.splitlines() if " -c " in line]
    assert len(compiles) == 1 and set(re.findall(r"build/\w+", compiles[0])) == {"build/arm64"}, said


def pi_says(card, log):
    """Starts what config.txt names, as the board's firmware does, which QEMU's board has not; the guest's verdict."""
    machine = ["qemu-system-aarch64", "-M", "raspi3b", "-display", "none", "-no-reboot", "-kernel", card / "kernel",
               "-initrd", card / "initrd.img", "-dtb", card / "bcm2837-rpi-3-b.dtb", "-append",
               (card / "cmdline.txt").read_text().strip(), "-serial", "null", "-serial", f"file:{log}"]
    with subprocess.Popen(machine, stdin=subprocess.DEVNULL) as vm:
        try:
            deadline = time.monotonic() + PI_SECONDS
            while time.monotonic() < deadline and vm.poll() is None:
                time.sleep(0.5)
                said = log.read_text(errors="replace") if log.exists() else ""
                if verdict := re.search(r"^init: (up after .*)$", said, re.M):
                    return verdict[1].strip()
        finally:
            vm.kill()
    return harness.fail("the board did not say that it is up", said)


@pytest.mark.seconds(2 * PI_SECONDS)
def test_a_raspberry_pi_3_boots_from_its_card(folder):
    firmware = folder / "firmware"
    firmware.mkdir()
    for name in FIRMWARE:
        (firmware / name).write_text(f"what the board runs of {name}")
    (folder / "appliance.yml").write_text(CARD)
    done = harness.keelson("build", "--arch", "arm64", "--format", "rpi3", "--verify", "--dir", folder,
                           folder / "appliance.yml", env={**os.environ, "KEELSON_RPI3_FIRMWARE": str(firmware)})
    assert done.returncode == 0, done.stderr
    subprocess.run(["tar", "-C", folder, "--one-top-level=card", "-xf", folder / "appliance.tar"], check=True)
    assert pi_says(folder / "card", folder / "console.log").endswith(" s, ok")
