# SPDX-License-Identifier: Apache-2.0
"""The contract's sections 1.3 to 1.6 and 1.8, point by point, on one machine; and what it does when PID 1 hangs."""
import re
import time

from test_init import PLAIN

FILES = """files:
  - {path: etc/resolv.conf, symlink: /run/resolvconf/resolv.conf}
  - {path: etc/modprobe.d/test.conf, contents: "options loop max_part=7\\nsoftdep loop pre: squashfs\\nalias my-own loop\\n"}
  - path: etc/init.d/010-fails
    mode: "0755"
    contents: "#!/usr/lib/keelson-test/busybox sh\\necho 010 >> /run/order; echo to the console; exit 3\\n"
  - path: etc/init.d/005-reads
    mode: "0755"
    contents: "#!/usr/lib/keelson-test/busybox sh\\necho 005 >> /run/order; ulimit -n >> /run/order\\n"
  - {path: etc/init.d/007-linked, symlink: /etc/init.d/005-reads}
  - {path: etc/init.d/008-folder, directory: true}
"""
NSE = {"nodev", "nosuid", "noexec"}
MOUNTS = [  # in the contract's order
    ("/", None, {"ro"}), ("/proc", "proc", NSE | {"relatime"}),
    ("/run", "tmpfs", NSE | {"relatime", "mode=755"}), ("/tmp", "tmpfs", NSE | {"relatime"}),
    ("/var", "tmpfs", NSE | {"relatime", "mode=755"}),
    ("/dev", "devtmpfs", {"nosuid", "noexec", "relatime", "mode=755"}),
    ("/dev/mqueue", "mqueue", NSE), ("/dev/shm", "tmpfs", NSE),
    ("/dev/pts", "devpts", {"nosuid", "noexec", "gid=5", "mode=620"}), ("/sys", "sysfs", NSE),
    ("/sys/kernel/security", "securityfs", NSE), ("/sys/kernel/debug", "debugfs", NSE),
    ("/sys/fs/pstore", "pstore", NSE), ("/sys/fs/bpf", "bpf", NSE), ("/sys/fs/cgroup", "cgroup2", NSE)]
PATHS = """755 /var/cache|555 /var/empty|755 /var/lib|755 /var/local|755 /var/lock|755 /var/log|755 /var/opt|755 /var/spool
1777 /var/tmp|1777 /tmp|1777 /dev/shm|755 /run/keelson"""
NODES = {"console": "5:1", "tty1": "4:1", "tty": "5:0", "null": "1:3", "kmsg": "1:b"}
LINKS = {"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1",
         "/dev/stderr": "/proc/self/fd/2", "/dev/kcore": "/proc/kcore", "/var/run": "/run"}


def check_mounts(vm):
    lines = [line.split() for line in vm.run("cat /proc/1/mountinfo").stdout.splitlines()]
    last = {}
    for i, words in enumerate(lines):
        end = words.index("-")
        last[words[4]] = (i, words[end + 1], set(words[5].split(",")) | set(words[end + 3].split(",")), words[6:end])
    positions = []
    for where, kind, options in MOUNTS:
        assert where in last, f"{where} is not mounted"
        position, found, has, tags = last[where]
        assert kind in (None, found), (where, found)
        assert options <= has, (where, options - has)
        assert any(t.startswith("shared:") for t in tags), f"{where} is not shared"
        if where != "/":
            positions.append(position)
    assert positions == sorted(positions), "mounts are out of order"
    sizes = dict(re.findall(r"^\S+ +(\d+) .* (/\S+)$", vm.run("df -k /run /tmp /var").stdout, re.M)[i][::-1]
                 for i in range(3))
    memory = int(vm.run("awk '/MemTotal/ {print $2}' /proc/meminfo").stdout)
    for where, share in (("/run", 0.1), ("/tmp", 0.1), ("/var", 0.5)):
        assert abs(int(sizes[where]) / memory - share) < 0.01, (where, sizes, memory)


def check_paths(vm):
    for entry in PATHS.replace("\n", "|").split("|"):
        mode, path = entry.split()
        assert vm.run(f"stat -c %a {path}").stdout == mode + "\n", path
    for name, device in NODES.items():
        assert vm.run(f"stat -c %t:%T /dev/{name}").stdout == device + "\n", name
    for path, target in LINKS.items():
        assert vm.run(f"readlink {path}").stdout == target + "\n", path


def check_settings(vm):
    assert vm.run("hostname").stdout == "linuxkit-" + vm.run("cat /sys/class/net/eth0/address").stdout.replace(":", "")
    lo = vm.run("ip -4 addr show dev lo; ip link show dev lo").stdout
    assert "inet 127.0.0.1/8" in lo and re.search(r"<LOOPBACK,UP", lo)
    assert abs(int(vm.run("date +%s").stdout) - time.time()) < 600
    assert vm.run("stat -c '%s %F' /run/resolvconf/resolv.conf").stdout == "0 regular empty file\n"
    limits = vm.run("cat /proc/1/limits").stdout
    assert re.search(r"^Max open files +1048576 +1048576 ", limits, re.M)
    assert re.search(r"^Max processes +unlimited +unlimited ", limits, re.M)
    # In name order, links followed, folders not; a failure is reported and the next one runs.
    assert vm.run("cat /run/order").stdout == "005\n1048576\n005\n1048576\n010\n"
    assert "to the console" in vm.console and "init: /etc/init.d/010-fails exited with status 3" in vm.console
    assert "Welcome to keelson" in vm.console


def check_modules(vm):
    assert "loop" not in vm.run("cat /proc/modules").stdout
    vm.run("/sbin/modprobe my-own && /sbin/modprobe ext4 && grep -q ^squashfs /proc/modules")
    assert vm.run("cat /sys/module/loop/parameters/max_loop /sys/module/loop/parameters/max_part").stdout == "3\n7\n"


def test_a_machine_is_what_the_contract_says(build, boot):
    vm = boot(build(PLAIN + FILES), "--mem", "512", "--cmdline-add", "loop.max_loop=3 keelson.watchdog=4")
    vm.wait_for("grep -q '\"init.d\",\"parent\":\"\"' /run/keelson/boot.json")
    check_mounts(vm)
    check_paths(vm)
    check_settings(vm)
    check_modules(vm)
    # The time from the kernel's hand-over to init.d is in the timeline.
    stages = {s["stage"]: s for s in vm.json("cat /run/keelson/boot.json")["stages"]}
    assert stages["init"]["start_ns"] == stages["kernel"]["end_ns"]
    assert stages["init"]["end_ns"] <= stages["init.d"]["start_ns"]
    print(f"kernel to init.d: {(stages['init']['end_ns'] - stages['init']['start_ns']) / 1e6:.0f} ms")
    # Fed all the while, the watchdog lets the machine be; when PID 1 hangs (frozen here), it ends it.
    vm.run("sleep 6")
    vm.run("mkdir /sys/fs/cgroup/frozen && echo 1 > /sys/fs/cgroup/frozen/cgroup.procs &&"
           " echo 1 > /sys/fs/cgroup/frozen/cgroup.freeze")
    assert vm.wait_end() == 0
    assert "softdog: Initiating system reboot" in vm.console
    assert "Power down" not in vm.console
