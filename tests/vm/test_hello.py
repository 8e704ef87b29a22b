# SPDX-License-Identifier: Apache-2.0
"""examples/hello.yml, booted as it is."""
import re

import harness
import pytest

HELLO = harness.REPO / "examples/hello.yml"
SERVICES = {"getty", "www"}
CTR = "ctr -n services.linuxkit"


def task_states(vm):
    """{service: state} as ctr tells it."""
    lines = vm.run(f"{CTR} task ls").stdout.splitlines()[1:]
    return {words[0]: words[2] for line in lines if len(words := line.split()) == 3}


@pytest.fixture
def hello(build, boot):
    return boot(build(HELLO), "--mem", "512")


def test_hello_comes_up_and_powers_off(hello):
    vm = hello
    vm.wait_for(f"{CTR} task ls | grep -c RUNNING | grep -qx {len(SERVICES)}")
    # ctr sees the services, and the web server answers.
    assert task_states(vm) == dict.fromkeys(SERVICES, "RUNNING")
    containers = vm.run(f"{CTR} container ls").stdout
    assert all(re.search(rf"^{name}\s.*io\.containerd\.runc\.v2", containers, re.M) for name in SERVICES), containers
    page = vm.wait_for("wget -q -O - http://127.0.0.1/").stdout
    assert "Hello from keelson" in page
    # The files are there, onboot has run.
    assert vm.run("hostname").stdout == "hello\n"
    assert vm.run("cat /proc/sys/kernel/panic").stdout == "10\n"
    assert re.search(r"inet \d+\.\d+\.\d+\.\d+", vm.run("ip -4 addr show dev eth0").stdout)
    # Every stage of the boot is in the timeline, none of them failed.
    stages = vm.json("cat /run/keelson/boot.json")["stages"]
    assert {"mounts", "onboot/000-sysctl", "onboot/001-dhcpcd", "services/getty", "services/www"} <= {
        s["stage"] for s in stages}
    assert [s for s in stages if not s["ok"]] == []
    assert vm.poweroff() == 0
    assert "Power down" in vm.console


def test_root_is_not_copied_and_runc_can_pivot(hello):
    vm = hello
    vm.wait_for(f"{CTR} task ls | grep -q '^www .*RUNNING'")
    # A copied root would be a tmpfs of its own; here / is the kernel's rootfs, bound over itself so that pivot_root
    # has a parent to go to.
    mounts = [line.split() for line in vm.run("cat /proc/1/mountinfo").stdout.splitlines()]
    roots = [m for m in mounts if m[4] == "/"]
    assert roots and roots[-1][roots[-1].index("-") + 1] == "rootfs", roots
    assert "ro" in roots[-1][5].split(",")
    # runc pivots into a bundle of its own, without --no-pivot: nothing of the old root is left inside.
    pid = vm.run(f"{CTR} task ls | awk '$1 == \"www\" {{print $2}}'").stdout.strip()
    assert vm.run(f"readlink /proc/{pid}/ns/mnt").stdout != vm.run("readlink /proc/1/ns/mnt").stdout
    inside = vm.run(f"cat /proc/{pid}/mountinfo").stdout.splitlines()
    assert not any(line.split()[4].startswith("/containers/services") for line in inside)
    assert vm.poweroff() == 0

