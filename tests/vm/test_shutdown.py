# SPDX-License-Identifier: Apache-2.0
"""What stands in the way of a shutdown is named, and does not stop it."""
import re
import subprocess

from test_faults import BASE
from test_init import PLAIN


def make_disk(path, megabytes=64):
    with path.open("wb") as f:
        f.truncate(megabytes << 20)
    subprocess.run(["/sbin/mkfs.ext4", "-q", path], check=True, capture_output=True)
    return path


def is_clean(disk):
    check = subprocess.run(["/sbin/e2fsck", "-fn", disk], capture_output=True, text=True, check=False)
    shown = subprocess.run(["/sbin/dumpe2fs", "-h", disk], capture_output=True, text=True, check=True).stdout
    return check.returncode == 0 and re.search(r"^Filesystem state:\s+clean$", shown, re.M) and \
        "needs_recovery" not in shown


# A writer on a frozen file system waits in the kernel: no signal ends it.
FROZEN = """set -e
    mkdir -p /var/frozen && mount -t ext4 /dev/vda /var/frozen && fsfreeze --freeze /var/frozen
    setsid sh -c 'cd /var/frozen; echo $$ > /run/frozen.pid; echo x > file' </dev/null >/dev/null 2>&1 &
    until grep -q 'State:.*D' /proc/$(cat /run/frozen.pid)/status; do sleep 0.1; done"""
# A disk in a file of a disk.
LOOP = """set -e
    mkdir -p /var/outer /var/inner && mount -t ext4 /dev/vdb /var/outer
    dd if=/dev/zero of=/var/outer/image bs=1M count=16 2>/dev/null
    /sbin/modprobe loop && losetup /dev/loop0 /var/outer/image
    mke2fs /dev/loop0 >/dev/null && mount -t ext2 /dev/loop0 /var/inner && echo kept > /var/inner/file"""
# As many as it is allowed, for ever, deaf to SIGTERM.
BOMB = """set -e
    echo +pids > /sys/fs/cgroup/cgroup.subtree_control
    mkdir /sys/fs/cgroup/bomb && echo 60 > /sys/fs/cgroup/bomb/pids.max
    setsid sh -c 'echo $$ > /sys/fs/cgroup/bomb/cgroup.procs; trap "" TERM
        while :; do (while :; do (sleep 100) & done) & sleep 0.1; done' </dev/null >/dev/null 2>&1 &
    until [ $(cat /sys/fs/cgroup/bomb/pids.current) -ge 55 ]; do sleep 0.1; done"""


def test_what_holds_a_shutdown_up_is_named(build, boot, folder):
    disks = [make_disk(folder / name) for name in ("frozen.raw", "outer.raw")]
    vm = boot(build(PLAIN), "--mem", "512", *(w for d in disks for w in ("--disk", f"{d},format=raw")))
    vm.wait_for("test -b /dev/vdb")
    vm.run(FROZEN)
    vm.run(LOOP)
    vm.run(BOMB)
    assert vm.poweroff() == 0
    assert "reboot: Power down" in vm.console
    # The process that no signal ends: its state, and what it waits in.
    assert re.search(r"init: kill took too long", vm.console)
    assert re.search(r"init: still there: pid \d+ \(sh\) in /\S*, state D, waits in \w+", vm.console), vm.console
    # The bomb: some of it, and how many more.
    assert re.search(r"init: still there: pid \d+ \(\w+\) in /bomb", vm.console)
    assert re.search(r"init: still there: \d+ more processes", vm.console)
    assert len(re.findall(r"init: still there: pid", vm.console)) <= 20
    # What stays mounted, and for whom.
    assert "init: could not unmount /var/frozen: " in vm.console
    assert re.search(r"init: /var/frozen is kept by pid \d+ \(sh\): .*; state D, waits in \w+", vm.console)
    assert "/var/outer" not in vm.console and "/var/inner" not in vm.console
    assert all(is_clean(d) for d in disks)
    print(re.search(r"shutdown took .*", vm.console)[0])


SLOW = BASE + """services:
  - name: slow
    image: keelson/busybox:latest
    devices:
      - {path: /dev/kmsg, type: c, major: 1, minor: 11, mode: "0600"}
    command:
      - sh
      - -c
      - 'trap "sleep 8; echo \\"<2>slow has ended in peace\\" >/dev/kmsg; exit 0" TERM; while :; do sleep 100 & wait $!; done'
    runtime: {stop: {timeout: 60s}}
"""


def test_a_supervisor_that_is_killed_meanwhile_costs_no_service_its_grace(build, boot):
    vm = boot(build(SLOW), "--mem", "640")
    vm.wait_for("service list | grep -q '^slow *running'")
    vm.run("setsid sh -c 'until [ -e /run/keelson/stopping ]; do sleep 0.1; done; sleep 1; kill -9 $(pidof svcd)'"
           " </dev/null >/dev/null 2>&1 &")
    assert vm.poweroff() == 0
    assert "slow has ended in peace" in vm.console and "services took too long" not in vm.console
