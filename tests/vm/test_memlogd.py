# SPDX-License-Identifier: Apache-2.0
"""examples/logging.yml: the log daemon in init:, logwrite and kmsg as services, and somebody who talks a lot; /var/log is on
a disk."""
import base64
import io
import re
import subprocess
import tarfile

import harness

EXAMPLE = (harness.REPO / "examples/logging.yml").read_text()
LOGREAD = "/usr/bin/logread"  # by its path: busybox has one too
KILLS = 20


def changed(text, old, new):
    assert old in text
    return text.replace(old, new)


def logging_example():
    """As it is, but it talks faster, its files are smaller, and the first container has something to say."""
    text = changed(EXAMPLE, "while :; do echo hello $(date); sleep 1; done",
                   "trap 'exit 0' TERM; i=0; while :; do echo line $i; i=$((i+1)); [ $((i % 50)) -ne 0 ] || sleep 0.5; done")
    text = changed(text, '"/usr/bin/logwrite", "-compress"',
                   '"/usr/bin/logwrite", "-compress", "-max-log-size", "8192", "-max-log-files", "1000"')
    text = changed(text, "onboot:\n", """onboot:
  - name: early
    image: keelson/busybox:latest
    command: ["sh", "-c", "echo early out; echo early err >&2"]
  - name: disk
    image: keelson/busybox:latest
    command: ["sh", "-c", "mke2fs /dev/vda && mount -t ext2 /dev/vda /var/log"]
    capabilities: [all]
    binds: ["/dev:/dev", "/var:/var:rshared,rbind"]
    rootfsPropagation: shared
    resources: {devices: [{allow: true, access: rwm}]}
""")
    return changed(text, "hello $(date); sleep 10", "hello; sleep 1")


def entries(vm, options=""):
    return vm.run(f"{LOGREAD} {options}").stdout.splitlines()


CHATTY = "write-to-the-logs.out"


def newest_number(vm):
    return int(entries(vm, f"-s {CHATTY} -n 1")[0].split()[-1])


def chatty_numbers(vm, folder):
    """What is in chatty's log files, oldest first: those that are compressed are looked at here."""
    packed = vm.run(f"cd /var/log && tar cf - {CHATTY}.log* | gzip -c | base64").stdout
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed))) as tar:
        tar.extractall(folder)
    rotated = sorted(folder.glob(f"{CHATTY}.log.*"), key=lambda path: -int(path.name.split(".log.")[1].split(".")[0]))
    assert len(rotated) > 2 and all(path.suffix == ".zst" for path in rotated)
    text = "".join(subprocess.run(["zstd", "-dc", path], check=True, text=True, stdout=subprocess.PIPE).stdout for path in rotated)
    newest = folder / f"{CHATTY}.log"
    text += newest.read_text() if newest.exists() else ""
    lines = [re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ {CHATTY} line (\d+)", line) for line in text.splitlines()]
    assert all(lines), text
    return [int(line[1]) for line in lines]


def assert_few_powers(vm, pid, uid):
    status = vm.run(f"cat /proc/{pid}/status").stdout
    assert re.search(rf"^Uid:\s+{uid}\s", status, re.M) and re.search(r"^CapEff:\s+0+$", status, re.M), status
    assert re.search(r"^Seccomp:\s+2$", status, re.M), status


def test_everything_is_in_the_log_and_in_files(build, boot, folder):
    disk = folder / "log.raw"
    with disk.open("wb") as f:
        f.truncate(64 << 20)
    vm = boot(build(logging_example()), "--mem", "512", "--disk", f"{disk},format=raw")
    vm.wait_for(f"ls /var/log/{CHATTY}.log.1.zst")
    assert re.search(r"^/dev/vda /var/log ext2 rw", vm.run("cat /proc/mounts").stdout, re.M)  # it is a disk
    # Of the first container on: contract 3.8's names.
    lines = entries(vm)
    sources = {line.split(";")[1] for line in lines}
    assert {"memlogd", "onboot.000-early", "onboot.000-early.out", CHATTY, "kmsg"} <= sources
    assert entries(vm, "-s onboot.000-early.out")[0].endswith(";onboot.000-early.out;early out")
    assert vm.run("cat /var/log/onboot.000-early.log").stdout.endswith(" onboot.000-early early err\n")
    assert any(";kmsg;(0) - " in line and "Linux version" in line for line in lines)
    assert vm.run("ls /var/log/kmsg.log*").stdout
    vm.wait_for(f"{LOGREAD} -s greeter -n 1 | grep ';greeter;hello$'")  # by way of /dev/log
    assert vm.run("find /run/log/onboot -type f").stdout == ""  # nothing goes to files past it
    assert_few_powers(vm, "$(pidof memlogd)", 64646)

    # Killed, again and again: it goes on where it was, and so does logwrite.
    services = vm.json("service list --json")
    pids = [service["pid"] for service in services]
    start = newest_number(vm)
    vm.run("service logs write-to-the-logs -f >/tmp/followed 2>/tmp/said & echo $! >/tmp/follower")
    vm.wait_for(f"grep -q 'line {start}$' /tmp/followed")
    for _ in range(KILLS):
        old = vm.run("pidof memlogd").stdout.strip()
        vm.run(f"kill -9 {old}")
        vm.wait_for(f'new=$(pidof memlogd) && [ "$new" != {old} ] && {LOGREAD} -n 1')
    starts = [line for line in entries(vm, "-s memlogd") if line.endswith("started")]
    assert len(starts) == 1 + KILLS
    vm.wait_for(f"[ $({LOGREAD} -s {CHATTY} -n 1 | awk '{{print $NF}}') -gt {start + 100} ]")
    greeted = len(entries(vm, "-s greeter"))
    vm.wait_for(f"[ $({LOGREAD} -s greeter | wc -l) -gt {greeted} ]")  # its /dev/log is still the same
    assert [service["pid"] for service in vm.json("service list --json")] == pids

    # Stopped, it is not waited for.
    mute = vm.run("kill -STOP $(pidof memlogd); service status write-to-the-logs; status=$?; kill -CONT $(pidof memlogd);"
                  " exit $status", check=False)
    assert mute.status == 1, mute
    assert mute.stderr == "service: could not print the log of write-to-the-logs: memlogd does not answer\n"
    assert re.search(r"^state +running for ", mute.stdout, re.M)

    # None is missing in the files, or for who follows; none is there twice.
    vm.run("service stop write-to-the-logs")
    end = newest_number(vm)
    vm.wait_for(f"grep -q 'line {end}$' /tmp/followed")
    followed = [int(line.removeprefix("line ")) for line in vm.run("cat /tmp/followed").stdout.splitlines()]
    assert followed[0] <= start and followed == list(range(followed[0], end + 1))
    assert vm.run("kill $(cat /tmp/follower); cat /tmp/said").stdout == ""
    newest = vm.run("service status write-to-the-logs | tail -n 10").stdout.splitlines()
    assert newest == [f"line {n}" for n in range(end - 9, end + 1)]
    vm.wait_for(f"cd /var/log; [ ! -e {CHATTY}.log ] || grep -q 'line {end}$' {CHATTY}.log")
    lost = [line for line in entries(vm, "-s memlogd") if " lost" in line]
    assert chatty_numbers(vm, folder) == list(range(end + 1)), lost
    assert vm.poweroff() == 0
