# SPDX-License-Identifier: Apache-2.0
"""PID 1 on a booted appliance."""
import re
import stat
import subprocess
import tarfile

import harness
import pytest
from test_faults import BASE

PLAIN = BASE.replace("  - keelson/runc:latest\n  - keelson/containerd:latest\n", "")
RESCUE = PLAIN.replace("init:\n", "init:\n  - keelson/busybox:latest\n")
SERVICE = BASE + """services:
  - name: sleeper
    image: keelson/busybox:latest
    command: ["sleep", "100000"]
"""
STUBBORN = "setsid sh -c \"trap '' TERM; while :; do sleep 1; done\" </dev/null >/dev/null 2>&1 &"


def monitor(vm, command):
    """Types at QEMU's monitor, which shares the console."""
    vm.type(f"\x01c{command}\n\x01c")


def test_power_button_powers_off(build, boot):
    vm = boot(build(PLAIN), "--mem", "512")
    vm.wait_for("grep -q init.d /run/keelson/boot.json")
    monitor(vm, "system_powerdown")
    assert vm.wait_end() == 0
    assert "init: power button pressed" in vm.console
    assert "reboot: Power down" in vm.console


def test_devices_that_come_later_and_blacklists(build, boot):
    vm = boot(build(PLAIN), "--mem", "512", "--device", "pcie-root-port,id=port1,chassis=1",
              "--device", "virtio-balloon-pci", "--cmdline-add", "modprobe.blacklist=virtio-balloon")
    vm.wait_for("grep -q init.d /run/keelson/boot.json")
    assert "virtio_rng" in vm.run("cat /proc/modules").stdout
    assert "virtio_scsi" not in vm.run("cat /proc/modules").stdout
    monitor(vm, "device_add virtio-scsi-pci,bus=port1,id=late")
    vm.wait_for("grep -q ^virtio_scsi /proc/modules")
    # A blacklisted driver is not loaded for its device, but still by its name.
    assert "virtio_balloon" not in vm.run("cat /proc/modules").stdout
    vm.run("/sbin/modprobe virtio_balloon && grep -q ^virtio_balloon /proc/modules")
    assert vm.run("/sbin/modprobe -r virtio_balloon", check=False).status == 1
    assert vm.poweroff() == 0


def test_no_signal_kills_it_and_a_stubborn_process_is_named(build, boot):
    vm = boot(build(PLAIN), "--mem", "512")
    vm.run("for s in SEGV ABRT KILL HUP QUIT PIPE ALRM; do kill -$s 1; done")
    assert vm.run("cat /proc/1/comm").stdout == "init\n"
    # Under 300 KiB of memory of its own.
    assert int(re.search(r"VmRSS:\s*(\d+) kB", vm.run("cat /proc/1/status").stdout)[1]) < 300
    vm.run(STUBBORN)
    vm.run("setsid sleep 1000 </dev/null >/dev/null 2>&1 &")
    assert vm.poweroff() == 0
    assert "init: terminate took too long" in vm.console
    named = re.findall(r"init: still there: pid \d+ \(([^)]*)\)", vm.console)
    assert "sh" in named, named
    assert "reboot: Power down" in vm.console


def test_rescue_shell_and_then_the_boot(build, boot):
    vm = boot(build(RESCUE), "--mem", "512", "--cmdline-add", "keelson.rescue=1")
    vm.wait_console("init: rescue shell")
    vm.type("test -e /run/keelson/svcd.sock || echo RESCUE''-SHELL $$; exit\n")
    vm.wait_console("^RESCUE-SHELL")
    vm.wait_for("grep -q init.d /run/keelson/boot.json")
    assert vm.poweroff() == 0


def test_cgroup_v1_and_a_watchdog_that_is_not_there(build, boot):
    vm = boot(build(SERVICE), "--mem", "512",
              "--cmdline-add", "linuxkit.unified_cgroup_hierarchy=0 keelson.watchdog=60")
    vm.wait_for("service list | grep -q '^sleeper *running'")
    mounts = vm.run("cat /proc/mounts").stdout
    for controller in ("memory", "pids", "devices"):
        assert re.search(rf"^cgroup /sys/fs/cgroup/{controller} cgroup .*\b{controller}\b", mounts, re.M), mounts
    assert "name=systemd" in mounts
    assert not re.search(r" /sys/fs/cgroup cgroup2 ", mounts)
    # A watchdog that was asked for and is not there is said; the boot goes on.
    assert "init: could not open /dev/watchdog, which keelson.watchdog=60 asks for: No such" in vm.console
    assert vm.poweroff() == 0


def test_disks_are_clean_after_a_shutdown(build, boot, folder):
    disk = folder / "disk.raw"
    with disk.open("wb") as f:
        f.truncate(64 << 20)
    subprocess.run(["/sbin/mkfs.ext4", "-q", disk], check=True, capture_output=True)
    vm = boot(build(PLAIN), "--mem", "512", "--disk", f"{disk},format=raw")
    vm.wait_for("test -b /dev/vda")
    vm.run("""set -e
        mkdir -p /var/disk && mount -t ext4 /dev/vda /var/disk && mkdir /var/disk/tmp '/var/disk/a b'
        mount -t tmpfs tmpfs /var/disk/tmp && mkdir /var/disk/tmp/lower /var/disk/tmp/again
        mount --bind '/var/disk/a b' /var/disk/tmp/again
        echo kept > /var/disk/tmp/again/file""")
    assert vm.poweroff() == 0
    assert "could not unmount" not in vm.console
    check = subprocess.run(["/sbin/e2fsck", "-fn", disk], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout
    shown = subprocess.run(["/sbin/dumpe2fs", "-h", disk], capture_output=True, text=True, check=True).stdout
    assert re.search(r"^Filesystem state:\s+clean$", shown, re.M), shown
    kept = subprocess.run(["/sbin/debugfs", "-R", "cat \"/a b/file\"", disk], capture_output=True, text=True, check=True)
    assert kept.stdout == "kept\n"


KINDS = {tarfile.REGTYPE: stat.S_IFREG, tarfile.LNKTYPE: stat.S_IFREG, tarfile.DIRTYPE: stat.S_IFDIR,
         tarfile.SYMTYPE: stat.S_IFLNK, tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK}
MOUNTED = ("dev", "proc", "sys", "run", "tmp", "var")


def of_image(name, is_root=False):
    return not is_root and name.split("/")[0] not in MOUNTED


def test_the_root_is_the_image(build, boot, folder):
    """Every path of the built tree is there with its mode, owner, size and link; nothing was copied or changed."""
    image = build(SERVICE)
    done = harness.keelson("build", "--format", "tar", "--o", folder / "tree.tar", folder / "appliance.yml")
    assert done.returncode == 0, done.stderr
    expected = {}
    with tarfile.open(folder / "tree.tar") as tar:
        sizes = {}
        for m in tar:
            name = m.name.rstrip("/")
            size = sizes.get(m.linkname, 0) if m.islnk() else m.size
            sizes[name] = size
            if of_image(name) and not name.startswith("boot"):
                mode = 0o777 if m.issym() else m.mode
                expected[name] = (KINDS[m.type] | mode, m.uid, m.gid, size if m.isreg() or m.islnk() else 0)
    vm = boot(image, "--mem", "512")
    vm.wait_for("service list | grep -q '^sleeper *running'")
    text = vm.run("cd / && find . -xdev -path ./containers/services/sleeper/rootfs -prune -o -print0 | "
                  "xargs -0 stat -c '%f %u %g %s %n'", timeout=90).stdout
    found = {}
    for line in text.splitlines():
        mode, uid, gid, size, name = line.split(" ", 4)
        mode = int(mode, 16)
        if of_image(name[2:], name == "."):
            found[name[2:]] = (mode, int(uid), int(gid), int(size) if stat.S_ISREG(mode) else 0)
    # Directories that a mount stands on, or that runc and containerd see through an overlay, are left out above.
    ignored = {n for n in set(expected) | set(found) if n.startswith("containers/services/sleeper/")} | {"boot"}
    wrong = {n: (expected.get(n), found.get(n)) for n in (set(expected) | set(found)) - ignored
             if expected.get(n) != found.get(n)}
    assert len(found) > 500
    assert not wrong, dict(list(wrong.items())[:20])
    assert vm.poweroff() == 0


def test_in_a_container_it_ends_with_its_last_child(build, boot):
    """What contract 1.7 calls the docker start: /proc is there already."""
    vm = boot(build(PLAIN), "--mem", "512")
    vm.run("""set -e
        mount -o remount,exec,dev /tmp
        mkdir -p /tmp/c/bin /tmp/c/proc /tmp/c/run /tmp/c/etc/init.d /tmp/c/etc/shutdown.d /tmp/c/dev
        cp /init /tmp/c/init && cp /usr/lib/keelson-test/busybox /tmp/c/bin/busybox
        mknod /tmp/c/dev/null c 1 3
        ln -s busybox /tmp/c/bin/sh && ln -s busybox /tmp/c/bin/sleep
        printf '#!/bin/sh\\necho started >> /run/log; (sleep 1; echo orphan ended >> /run/log) &\\n' > /tmp/c/etc/init.d/1
        printf '#!/bin/sh\\necho shut down >> /run/log\\n' > /tmp/c/etc/shutdown.d/1
        chmod +x /tmp/c/etc/init.d/1 /tmp/c/etc/shutdown.d/1
        mount -t proc proc /tmp/c/proc""")
    start = "unshare -m -p -f sh -c 'mount -t proc proc /tmp/c/proc; exec chroot /tmp/c /init' </dev/null"
    mounts = vm.run("wc -l < /proc/mounts").stdout
    vm.run(start)
    assert vm.run("cat /tmp/c/run/log").stdout == "started\norphan ended\nshut down\n"
    # A signal ends it as well, and it mounts nothing.
    vm.run("printf '#!/bin/sh\\nsleep 1000 & kill -USR2 1\\n' > /tmp/c/etc/init.d/2; chmod +x /tmp/c/etc/init.d/2")
    vm.run(start)
    assert vm.run("wc -l < /proc/mounts").stdout == mounts
    assert vm.poweroff() == 0


def test_a_dead_supervisor_comes_back_every_time(build, boot):
    vm = boot(build(SERVICE), "--mem", "512")
    vm.wait_for("service list | grep -q '^sleeper *running'")
    pid = vm.run("service list | awk '$1 == \"sleeper\" {print $3}'").stdout.strip()
    for _ in range(20):
        old = vm.run("pidof /usr/bin/svcd").stdout.strip()
        vm.run(f"kill -9 {old}")
        vm.wait_for(f"new=$(pidof /usr/bin/svcd) && [ \"$new\" != {old} ]")
    vm.wait_for(f"service list | grep '^sleeper *running' | grep -qw {pid}")
    assert vm.poweroff() == 0


MANY = BASE + "services:\n" + "".join(f"""  - name: stubborn{i}
    image: keelson/busybox:latest
    command: ["sh", "-c", "trap '' TERM; while :; do sleep 3; done"]
    readonly: true
""" for i in range(20))


def test_a_shutdown_with_many_stubborn_services_ends(build, boot):
    vm = boot(build(MANY), "--mem", "1024", "--cpus", "2")
    vm.wait_for("[ $(service list | grep -c ' running ') = 20 ]")
    assert vm.poweroff(timeout=120) == 0
    assert re.search(r"init: shutdown took \d+ ms", vm.console)
