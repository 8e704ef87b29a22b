# SPDX-License-Identifier: Apache-2.0
"""LinuxKit's logging example: the log daemon in init:, logwrite and kmsg as services, and somebody who talks a lot."""
import re

from test_faults import BASE

LOGGING = BASE + """  - keelson/memlogd:latest
onboot:
  - name: early
    image: keelson/busybox:latest
    command: ["sh", "-c", "echo early out; echo early err >&2"]
services:
  - name: chatty
    image: keelson/busybox:latest
    command: ["sh", "-c", "trap 'exit 0' TERM; i=0; while :; do echo line $i; i=$((i+1)); [ $((i % 50)) -ne 0 ] || sleep 0.5; done"]
  - name: failing
    image: keelson/busybox:latest
    command: ["sh", "-c", "echo it is broken >&2; sleep 100000"]
  - name: logwrite
    image: keelson/logwrite:latest
    command: ["/usr/bin/logwrite", "-max-log-size", "4096", "-max-log-files", "100"]
  - name: kmsg
    image: keelson/kmsg:latest
"""


LOGREAD = "/usr/bin/logread"  # by its path: busybox has one too


def entries(vm, options=""):
    return vm.run(f"{LOGREAD} {options}").stdout.splitlines()


def newest_number(vm):
    return int(entries(vm, "-s chatty.out -n 1")[0].split()[-1])


def chatty_numbers(vm):
    """What is in chatty's log files, oldest first."""
    text = vm.run("cd /var/log; cat $(ls chatty.out.log.* | sort -t. -k4,4nr); [ ! -e chatty.out.log ] || cat chatty.out.log").stdout
    lines = [re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ chatty\.out line (\d+)", line) for line in text.splitlines()]
    assert all(lines), text
    return [int(line[1]) for line in lines]


def test_everything_is_in_the_log_and_in_files(build, boot):
    vm = boot(build(LOGGING), "--mem", "512")
    vm.wait_for("ls /var/log/chatty.out.log.2")
    # Of the first container on: contract 3.8's names.
    sources = {line.split(";")[1] for line in entries(vm)}
    assert {"memlogd", "onboot.000-early", "onboot.000-early.out", "chatty.out", "failing", "kmsg"} <= sources
    assert entries(vm, "-s onboot.000-early.out")[0].endswith(";onboot.000-early.out;early out")
    assert vm.run("cat /var/log/failing.log").stdout.endswith(" failing it is broken\n")
    vm.wait_for("grep -q 'Linux version' /var/log/kmsg.log* || grep -q 'Command line' /var/log/kmsg.log*")
    assert vm.run("find /run/log/onboot -type f").stdout == ""  # nothing goes to files past it
    # Powers given up.
    status = vm.run("cat /proc/$(pidof memlogd)/status").stdout
    assert re.search(r"^Uid:\s+64646\s", status, re.M) and re.search(r"^CapEff:\s+0+$", status, re.M)
    assert re.search(r"^Seccomp:\s+2$", status, re.M)

    # Killed, again and again: it goes on where it was, and so does logwrite.
    pids = [service["pid"] for service in vm.json("service list --json")]
    start = newest_number(vm)
    for _ in range(3):
        old = vm.run("pidof memlogd").stdout.strip()
        vm.run(f"kill -9 {old}")
        vm.wait_for(f'new=$(pidof memlogd) && [ "$new" != {old} ] && {LOGREAD} -n 1')
    starts = [line for line in entries(vm, "-s memlogd") if line.endswith("started")]
    assert len(starts) == 4  # started, and three times restarted
    assert any(line.endswith(";early out") for line in entries(vm))
    vm.wait_for(f"[ $({LOGREAD} -s chatty.out -n 1 | awk '{{print $NF}}') -gt {start + 100} ]")
    assert [service["pid"] for service in vm.json("service list --json")] == pids

    # None is missing in the files, none is there twice.
    vm.run("service stop chatty")
    end = newest_number(vm)
    vm.wait_for(f"grep -q 'line {end}$' /var/log/chatty.out.log*")
    assert chatty_numbers(vm) == list(range(end + 1))
    assert vm.poweroff() == 0
