# SPDX-License-Identifier: Apache-2.0
"""Another architecture: our programs cross-built, Debian's packages and kernel for it, and a machine that runs it."""
import os
import subprocess

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


@pytest.mark.seconds(5 * harness.BOOT_SECONDS)  # the compiler, too
def test_an_arm64_appliance_boots_to_its_services(folder):
    made = subprocess.run(["make", "-j2", "ARCH=arm64", "images"], cwd=harness.REPO, capture_output=True, text=True,
                          env={k: v for k, v in os.environ.items() if k != "MAKEFLAGS"}, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    (folder / "appliance.yml").write_text(APPLIANCE)
    done = harness.keelson("build", "--arch", "arm64", "--verify", "--dir", folder, folder / "appliance.yml")
    assert done.returncode == 0, done.stderr
    v = record.wait(folder / "appliance", "--mem", "512")
    assert (v.status, v.verdict) == (0, "ok"), v.console
    assert {"onboot/000-machine", "services/sleeper"} < {stage[0] for stage in v.record["stages"]}
    done = harness.keelson("run", "--arch", "amd64", "--dry-run", folder / "appliance")
    assert done.returncode != 0 and "its kernel is for arm64" in done.stderr, done.stderr
