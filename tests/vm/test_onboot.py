# SPDX-License-Identifier: Apache-2.0
"""Onboot containers: deadlines, what a failure leads to, and the debug switches."""
import re

import harness
from test_faults import BASE

ONBOOT = BASE + """onboot:
  - name: hangs
    image: keelson/busybox:latest
    command: ["sh", "-c", "echo about to hang; trap '' TERM; while :; do sleep 1; done"]
    runtime:
      deadline: 4s
  - name: talks
    image: keelson/busybox:latest
    command: ["sh", "-c", "echo this is stdout; echo this is stderr >&2"]
  - name: floods
    image: keelson/busybox:latest
    command: ["sh", "-c", "yes | head -c 100000; printf '\\\\033[2JEND-OF-FLOOD'"]
  - name: joined
    image: keelson/busybox:latest
    command: ["sh", "-c", "echo joined ran"]
    net: new
    runtime:
      bindNS: {net: /run/netns/joined}
"""
GIVES_UP = BASE + """onboot:
  - name: fails
    image: keelson/busybox:latest
    command: ["false"]
    runtime:
      onfail: poweroff
  - name: never
    image: keelson/busybox:latest
    command: ["echo", "this must not run"]
"""


def test_deadline_logs_and_namespaces(build, boot):
    vm = boot(build(ONBOOT), "--mem", "512")
    vm.wait_for("grep -q '\"stage\":\"init.d\"' /run/keelson/boot.json")
    assert re.search(r"service: onboot container 000-hangs failed: it was killed: it took longer than its deadline",
                     vm.console)
    assert "about to hang" in vm.console
    assert vm.run("runc list -q").stdout == ""
    assert vm.run("pidof sleep", check=False).status == 1
    # The two outputs are kept apart, and both are shown.
    assert vm.run("cat /var/log/onboot/onboot.001-talks.out.log").stdout == "this is stdout\n"
    assert vm.run("cat /run/log/onboot/onboot.001-talks.log").stdout == "this is stderr\n"
    assert "this is stdout" in vm.console and "this is stderr" in vm.console
    # Of much output the end is shown, without what would drive the terminal, and it is said that the rest is not.
    raw = (vm.folder / "console.log").read_bytes()
    assert re.search(rb"service: the first \d+ bytes of /run/log/onboot/onboot.002-floods.out.log are not shown", raw)
    assert b"?[2JEND-OF-FLOOD\r\n" in raw
    assert vm.run("wc -c < /var/log/onboot/onboot.002-floods.out.log").stdout.strip() == "100016"
    # Its network namespace stays, bound to the path.
    assert "joined ran" in vm.console
    assert " /run/netns/joined nsfs " in vm.run("cat /proc/mounts").stdout
    stages = {s["stage"]: s["ok"] for s in vm.json("service boot --json")["stages"]}
    assert stages["onboot/000-hangs"] is False and stages["onboot/003-joined"] is True
    assert vm.poweroff() == 0


def test_debug_switches_show_and_keep(build, boot):
    vm = boot(build(ONBOOT), "--mem", "512", "--cmdline-add", "linuxkit.runc_debug=1 linuxkit.runc_console=1")
    vm.wait_for("grep -q '\"stage\":\"init.d\"' /run/keelson/boot.json")
    assert "this is stdout" in vm.console and "level=debug" in vm.console
    assert vm.run("cat /var/log/onboot/onboot.001-talks.out.log").stdout == "this is stdout\n"
    for stage in ("creating", "preparing", "starting", "waiting", "cleaning up", "complete"):
        assert f"service: onboot.003-joined: {stage}" in vm.console, stage
    assert vm.poweroff() == 0


def test_a_failure_may_end_the_machine(build, boot):
    vm = boot(build(GIVES_UP, agent=False), "--mem", "512")
    assert vm.wait_end(120) == 0
    assert "service: poweroff, as 000-fails asks for when it fails" in vm.console
    assert "this must not run" not in vm.console
    assert "reboot: Power down" in vm.console


def test_words_that_are_not_understood_are_refused(folder):
    done = harness.build(GIVES_UP.replace("onfail: poweroff", "onfail: panic"), folder, agent=False)
    assert done.status != 0
    assert "onfail" in done.stderr and "continue, reboot, poweroff or halt" in done.stderr
