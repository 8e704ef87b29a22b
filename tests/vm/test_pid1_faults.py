# SPDX-License-Identifier: Apache-2.0
"""PID 1 where something is missing or broken, each time as PID 1 of a PID and mount namespace with a root of its own:
the boot goes on as far as it can, one line says what failed, and it ends when it is asked to."""
import re
import subprocess

from test_init import PLAIN

# A root without /proc, so that it takes itself to be the first of a machine; its reboot(2) ends the namespace only.
MAKE = """set -e
    R=/var/roots/{name}
    mkdir -p $R && {mount} && cp /init $R/init
    {change}
"""
FILES = r"""mkdir -p $R/bin $R/dev $R/etc/init.d && cp /usr/lib/keelson-test/busybox $R/bin/busybox
    printf '#!/bin/busybox sh\necho init.d of %s ran\n' "${R##*/}" > $R/etc/init.d/5 && chmod +x $R/etc/init.d/5"""
TMPFS = "mount -t tmpfs -o exec,dev,size=16m root $R"
START = """set -e
    cd /var/roots/{name}
    setsid unshare -m -p -f sh -c 'mount --make-rprivate /; exec chroot . /init' </dev/null >/run/{name}.log 2>&1 &
    echo $! > /run/{name}.pid
    until grep . /proc/$!/task/$!/children; do sleep 0.1; done"""
FILL = r"""printf '#!/bin/busybox sh\nfor d in run tmp; do busybox dd if=/dev/zero of=/$d/full bs=64k; done 2>/dev/null\n' \
    > $R/etc/init.d/1; chmod +x $R/etc/init.d/1"""


class Inside:
    """One such PID 1. Its consoles are the machine's; what it says where it has none is in /run/NAME.log."""

    def __init__(self, vm, name, change, mount=TMPFS):
        self.vm, self.name, self.begin = vm, name, len(vm.console)
        vm.run(MAKE.format(name=name, mount=mount, change=change))
        self.pid = vm.run(START.format(name=name)).stdout.strip()

    def says(self, pattern):
        self.vm.wait_console(pattern, start=self.begin)

    def runs(self):
        self.vm.run(f"kill -0 {self.pid}")

    def ends(self):
        """Powers off. What it ran in is gone then."""
        self.vm.run(f"kill -USR2 {self.pid}")
        self.vm.wait_for(f"! kill -0 $(cat /run/{self.name}.pid) 2>/dev/null")


def broken_disk(folder):
    """A root whose /etc cannot be read any more."""
    tree, disk = folder / "tree", folder / "disk.raw"
    for path in ("etc/init.d", "dev"):
        (tree / path).mkdir(parents=True)
    with disk.open("wb") as f:
        f.truncate(32 << 20)
    subprocess.run(["/sbin/mkfs.ext2", "-q", "-d", tree, disk], check=True, capture_output=True)
    subprocess.run(["/sbin/debugfs", "-w", "-R", "sif /etc block[0] 4000000", disk], check=True, capture_output=True)
    return disk


def test_the_boot_goes_on_whatever_is_missing(build, boot, folder):
    disk = broken_disk(folder)
    vm = boot(build(PLAIN), "--mem", "512", "--disk", f"{disk},format=raw")
    vm.wait_for("grep -q init.d /run/keelson/boot.json")

    nothing = Inside(vm, "nothing", change=FILES + "; rm -r $R/etc/init.d")
    nothing.says(r"init: there is nothing in /etc/init\.d, and no /usr/bin/svcd: nothing was started")
    nothing.says(r"init: could not start the rescue shell: .*No such file")
    nothing.ends()

    no_folder = Inside(vm, "file", change=FILES + "; rm -r $R/etc/init.d && echo x > $R/etc/init.d")
    no_folder.says(r"init: could not list /etc/init\.d: Not a directory")
    no_folder.ends()

    no_console = Inside(vm, "noconsole", change=FILES + "; rmdir $R/dev && echo x > $R/dev")
    vm.wait_for("grep -q 'init.d of noconsole ran' /run/noconsole.log")
    log = vm.run("cat /run/noconsole.log").stdout
    assert "init: could not mount /dev: Not a directory" in log
    assert re.search(r"init: could not open /dev/console: ", log)
    no_console.ends()

    full = Inside(vm, "full", change=f"{FILES}; {FILL}")
    full.says("init.d of full ran")
    full.runs()
    full.ends()

    broken = Inside(vm, "broken", change=":", mount="mount -t ext2 /dev/vda $R && mkdir $R/proc")
    broken.says(r"init: could not list /etc/init\.d: Structure needs cleaning")
    broken.says(r"nothing was started")
    broken.runs()
    broken.ends()
    assert vm.poweroff() == 0
