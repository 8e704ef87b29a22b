# SPDX-License-Identifier: Apache-2.0
"""What is wrong is said, and the rest comes up."""
import os
import re

import harness

BASE = """kernel:
  image: keelson/kernel:latest
  cmdline: "console=ttyS0 quiet"
init:
  - keelson/init:latest
  - keelson/runc:latest
  - keelson/containerd:latest
"""
BROKEN_SERVICE = BASE + """services:
  - name: broken
    image: keelson/busybox:latest
    command: ["/no/such/program"]
  - name: sleeper
    image: keelson/busybox:latest
    command: ["sleep", "100000"]
"""
BROKEN_ONBOOT = BASE + """onboot:
  - name: fails
    image: keelson/busybox:latest
    command: ["sh", "-c", "echo it went wrong; exit 3"]
  - name: next
    image: keelson/busybox:latest
    command: ["sh", "-c", "echo next ran > /var/onboot-next"]
    binds: ["/var:/var"]
services:
  - name: sleeper
    image: keelson/busybox:latest
    command: ["sleep", "100000"]
"""
CTR = "ctr -n services.linuxkit"


def test_yaml_error_names_its_line(folder):
    done = harness.build(BASE + "services:\n  - name: a\n    image: keelson/busybox:latest\n    comand: [sh]\n", folder,
                         agent=False)
    assert done.status != 0
    assert re.search(r"appliance\.yml:11:5: .*comand", done.stderr), done.stderr
    assert not list(folder.glob("appliance-*")), "a failed build must leave no output"


def test_a_fifo_as_a_source_is_refused_at_once(folder):
    os.mkfifo(folder / "fifo")
    done = harness.build(BASE + f"files:\n  - {{path: a, source: {folder}/fifo}}\n", folder, agent=False)
    assert done.status != 0
    assert re.search(r"appliance\.yml:9:5: could not read .*fifo: it is not a regular file", done.stderr), done.stderr
    assert not list(folder.glob("appliance-*"))


def test_service_that_cannot_start_is_reported_and_others_run(build, boot):
    vm = boot(build(BROKEN_SERVICE), "--mem", "512")
    vm.wait_console(r"broken.*(/no/such/program|no such file)")
    vm.wait_for(f"{CTR} task ls | grep -q '^sleeper.*RUNNING'")
    assert "broken" not in vm.run(f"{CTR} task ls | grep RUNNING").stdout
    assert vm.poweroff() == 0


def test_onboot_that_fails_is_reported_and_the_next_runs(build, boot):
    vm = boot(build(BROKEN_ONBOOT), "--mem", "512")
    vm.wait_console(r"000-fails.*3")
    vm.wait_for(f"{CTR} task ls | grep -q '^sleeper.*RUNNING'")
    assert vm.run("cat /var/onboot-next").stdout == "next ran\n"
    assert "it went wrong" in vm.run("cat /var/log/onboot/*fails*").stdout
    assert vm.poweroff() == 0
