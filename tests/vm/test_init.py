# SPDX-License-Identifier: Apache-2.0
"""PID 1 on a booted appliance."""
import re
import subprocess

import harness
import pytest
import roots
from test_faults import BASE

PLAIN = BASE.replace("  - keelson/runc:latest\n  - keelson/containerd:latest\n", "")
RESCUE = PLAIN.replace("init:\n", "init:\n  - keelson/busybox:latest\n")
# netconsole waits, in its start, for a cable that is not plugged in. It is what a device asks for, before its own driver.
HANGS = """files:
  - path: etc/modprobe.d/hangs.conf
    contents: |
      alias virtio:d00000004v* netconsole
      softdep netconsole pre: virtio_net
      options netconsole netconsole=@/eth0,@10.0.2.2/
"""
SERVICE = BASE + """services:
  - name: sleeper
    image: keelson/busybox:latest
    command: ["sleep", "100000"]
"""
# Containers of somebody else's making: namespaces and a control group, no supervisor; deaf to SIGTERM.
OTHERS = """for i in $(seq 50); do
        mkdir /sys/fs/cgroup/other$i
        setsid unshare -p -m -f sh -c "echo 0 > /sys/fs/cgroup/other$i/cgroup.procs; trap '' TERM
            while :; do sleep 3; done" </dev/null >/dev/null 2>&1 &
    done
    until [ $(cat /sys/fs/cgroup/other*/cgroup.procs | wc -l) -ge 50 ]; do sleep 0.2; done"""
STOPPED = """
    setsid sh -c 'trap "echo the stopped one goes >/dev/console; exit" TERM; kill -STOP $$' </dev/null >/dev/null 2>&1 &
    until grep -q 'State:.*T' /proc/$!/status; do sleep 0.1; done
    kill -STOP $(pidof /usr/bin/svcd)"""


def monitor(vm, command):
    """Types at QEMU's monitor, which shares the console."""
    vm.type(f"\x01c{command}\n\x01c")


def test_power_button_powers_off(build, boot):
    vm = boot(build(PLAIN), "--mem", "512")
    # Its driver comes beside init.d.
    vm.wait_for("e=$(sed -n '/Power Button/,/Handlers/s/.*\\(event[0-9]*\\).*/\\1/p' /proc/bus/input/devices) && "
                "[ -n \"$e\" ] && ls -l /proc/1/fd | grep -q \"/$e$\"")
    monitor(vm, "system_powerdown")
    assert vm.wait_end() == 0
    assert "init: power button pressed" in vm.console
    assert "reboot: Power down" in vm.console
    print("signal to power-off, no containers:", re.search(r"init: shutdown took .*", vm.console)[0])


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


def test_no_signal_kills_it_and_50_stubborn_containers_do_not_stop_it(build, boot):
    vm = boot(build(PLAIN), "--mem", "512")
    vm.run("for s in SEGV ABRT KILL HUP QUIT PIPE ALRM; do kill -$s 1; done")
    assert vm.run("cat /proc/1/comm").stdout == "init\n"
    assert int(vm.run("stat -c %s /init").stdout) < 100 << 10
    # Under 300 KiB of memory of its own.
    assert int(re.search(r"VmRSS:\s*(\d+) kB", vm.run("cat /proc/1/status").stdout)[1]) < 300
    vm.run(OTHERS)
    vm.run(STOPPED)
    assert vm.poweroff() == 0
    assert "init: terminate took too long" in vm.console
    # Ten of those that are left are named, and the others are counted.
    named = re.findall(r"init: still there: pid \d+ \(\w+\) in (/.*), state \w", vm.console)
    assert len(named) == 10 and any(re.fullmatch(r"/other\d+", group) for group in named), named
    assert int(re.search(r"init: still there: (\d+) more processes", vm.console)[1]) >= 40
    # Who is only stopped goes like others.
    assert "the stopped one goes" in vm.console and "services took too long" not in vm.console
    assert "reboot: Power down" in vm.console
    print("signal to power-off, 50 stubborn containers of others:", re.search(r"init: shutdown took .*", vm.console)[0])


def test_a_driver_that_hangs_and_a_rescue_shell_and_then_the_boot(build, boot):
    vm = boot(build(RESCUE + HANGS), "--mem", "512", "--cmdline-add", "keelson.rescue=1 netpoll.carrier_timeout=30")
    monitor(vm, "set_link net0 off")
    # It is named, and no other driver is without its device for it.
    vm.wait_console(r"init: devices took too long, in netconsole\.ko: going on")
    vm.wait_console(r"init: warning: could not load module \S*/netconsole\.ko: its driver does not come to the end")
    vm.wait_console("init: rescue shell")
    assert "other devices took too long" not in vm.console
    vm.type("test -e /run/keelson/svcd.sock || echo RESCUE''-SHELL $$; exit\n")
    vm.wait_console("^RESCUE-SHELL")
    vm.wait_for("grep -q init.d /run/keelson/boot.json")
    vm.run("grep -q ^virtio_rng /proc/modules")
    assert vm.poweroff() == 0


ADMIN = SERVICE + """  - name: admin
    image: keelson/busybox:latest
    pid: host
    capabilities: [all]
    command: ["sleep", "100000"]
"""
NO_SOFTDOG = """files:
  - {path: etc/modprobe.d/none.conf, contents: "install softdog /bin/false\\n"}
"""


def test_cgroup_v1_and_a_watchdog_that_is_not_there_and_a_container_ends_it(build, boot):
    vm = boot(build(ADMIN + NO_SOFTDOG), "--mem", "512",
              "--cmdline-add", "linuxkit.unified_cgroup_hierarchy=0 keelson.watchdog=60")
    vm.wait_for("[ $(service list | grep -c ' running ') = 2 ]")
    mounts = vm.run("cat /proc/mounts").stdout
    for controller in ("memory", "pids", "devices"):
        assert re.search(rf"^cgroup /sys/fs/cgroup/{controller} cgroup .*\b{controller}\b", mounts, re.M), mounts
    assert "name=systemd" in mounts
    assert not re.search(r" /sys/fs/cgroup cgroup2 ", mounts)
    # A watchdog that was asked for and is not there is said; the boot goes on.
    assert "init: could not open /dev/watchdog, which keelson.watchdog=60 asks for: No such" in vm.console
    # With the host's processes in sight a container may end the machine.
    vm.run("(sleep 0.2; ctr -n services.linuxkit tasks exec --exec-id off admin busybox poweroff) >/dev/null 2>&1 &")
    assert vm.wait_end() == 0
    assert "init: shutdown took" in vm.console and "reboot: Power down" in vm.console


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


LINKED = "keelson-test/linked:latest"
CAPABLE = "usr/lib/capable/busybox"


@pytest.fixture
def linked(folder):
    """In the cache while the test runs."""
    done = harness.keelson("cache", "import", roots.linked_image(folder, LINKED))
    assert done.returncode == 0, done.stderr
    yield LINKED
    harness.keelson("cache", "rm", LINKED)


def test_the_root_is_the_image(build, boot, folder, linked):
    """Nothing was copied or changed on the way from the image to the guest's root, which has what an initrd has not."""
    capable = f"image: {linked}\n    capabilities: [CAP_CHOWN]\n    command: [\"/{CAPABLE}\", "
    yaml = SERVICE.replace("init:\n", f"init:\n  - {linked}\n")
    image = build(yaml.replace("image: keelson/busybox:latest\n    command: [", capable) + roots.xattrs_files(folder))
    done = harness.keelson("build", "--format", "tar", "--o", folder / "tree.tar", folder / "appliance.yml")
    assert done.returncode == 0, done.stderr
    vm = boot(image, "--mem", "512")
    vm.wait_for("service list | grep -q '^sleeper *running'")
    tree = roots.of_tar(folder / "tree.tar")
    roots.compare(tree, roots.of_guest(vm))
    found, inside = roots.xattrs_of_guest(vm), f"containers/services/sleeper/rootfs/{CAPABLE}"
    assert found == roots.xattrs_of(tree) and len(found) == 14
    assert roots.xattrs_of_guest(vm, "/" + inside) == {(inside, *xattr) for path, *xattr in found if path == CAPABLE}
    roots.check_capability(vm, "/usr/lib/capable/too/busybox")
    assert re.search(r"^/ ro$", vm.run("awk '{print $5,$6}' /proc/self/mountinfo").stdout, re.M)
    assert [s for s in vm.json("cat /run/keelson/boot.json")["stages"] if not s["ok"]] == []
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
    # With nothing to start it has no child to wait for.
    assert "nothing was started" in vm.run(f"rm -r /tmp/c/etc/init.d; {start}").stderr
    assert vm.poweroff() == 0


FLOOD = """files:
  - path: etc/init.d/002-flood
    mode: "0755"
    contents: |
      #!/usr/lib/keelson-test/busybox sh
      BB=/usr/lib/keelson-test/busybox
      until [ -e /run/go ]; do $BB sleep 0.1; done
      $BB seq 100000 140000
      echo the flood is over
"""


def test_dead_daemons_come_back_and_a_stopped_console_delays_nothing(build, boot):
    image = build(SERVICE.replace("  - keelson/containerd:latest\n", "  - keelson/containerd:latest\n"
                                  "  - keelson/memlogd:latest\n").replace("console=ttyS0", "console=ttyS0 console=ttyS1") + FLOOD)
    vm = boot(image, "--mem", "512", serials=1)
    other = vm.line("ttyS1")
    vm.run("true")
    vm.type("\x13")  # control-S: the terminal takes no more
    vm.run("touch /run/go")
    vm.wait_for("service list | grep -q '^sleeper *running'")
    pid = vm.run("service list | awk '$1 == \"sleeper\" {print $3}'").stdout.strip()
    for _ in range(20):
        old = [vm.run(f"pidof /usr/bin/{name}").stdout.strip() for name in ("svcd", "memlogd")]
        vm.run("kill -9 " + " ".join(old))
        vm.wait_for(f"s=$(pidof /usr/bin/svcd) && m=$(pidof /usr/bin/memlogd) && "
                    f"[ \"$s\" != {old[0]} ] && [ \"$m\" != {old[1]} ]")
    vm.wait_for(f"service list | grep '^sleeper *running' | grep -qw {pid}")
    vm.wait_for("/usr/bin/logread")
    # The other console has all that PID 1 said, each line once.
    other.wait(r"(init: /usr/bin/svcd was killed by signal 9[\s\S]*?){20}")
    assert other.text.count("init: /usr/bin/svcd was killed by signal 9") == 20
    assert "init: /usr/bin/svcd was killed" not in vm.console
    # All of that went on while nothing could be printed; what was lost is said.
    assert "the flood is over" not in vm.console
    vm.type("\x11")
    lost = vm.wait_console(r"init: (\d+) bytes of output lost: this console took none")
    assert int(lost[1]) > 100000
    vm.run("kill -9 $(pidof /usr/bin/svcd)")
    vm.wait_console(r"init: \d+ lines lost: this console took none")
    assert vm.poweroff() == 0
