# SPDX-License-Identifier: Apache-2.0
"""runtime-config.toml on a booted appliance: containerd is started as it says, or with its defaults if it is broken."""
import re

from test_faults import BASE, CTR

SLEEPER = BASE + """services:
  - name: sleeper
    image: keelson/busybox:latest
    command: ["sleep", "100000"]
"""
# The quotes have been forgotten.
BROKEN = 'cliopts = "--log-level trace"\nstderr = /var/log/containerd.log\n'
FILE = "/etc/containerd/runtime-config.toml"
PID = "$(pidof /usr/bin/containerd)"


def outputs(vm):
    return vm.run(f"readlink /proc/{PID}/fd/1; readlink /proc/{PID}/fd/2").stdout.split()


def console(vm):
    """svcd's standard error."""
    return vm.run("readlink /proc/$(pidof /usr/bin/svcd)/fd/2").stdout.strip()


def arguments(vm):
    return vm.run(f"cat /proc/{PID}/cmdline").stdout.split("\0")[:-1]


def wait_running(vm):
    vm.wait_for(f"{CTR} task ls | grep -q '^sleeper.*RUNNING'")


def restart_containerd_with(vm, text):
    """The root is read-only: the new file is mounted over the old one."""
    vm.run(f"cat >/tmp/new.toml <<'END'\n{text}END\nmount --bind /tmp/new.toml {FILE}")
    old = vm.run(f"echo {PID}").stdout.strip()
    vm.run(f"kill -9 {old}")
    vm.wait_for(f"new={PID} && [ -n \"$new\" ] && [ \"$new\" != {old} ]")
    wait_running(vm)


def test_options_and_outputs_are_followed(build, boot):
    vm = boot(build(SLEEPER), "--mem", "512")
    wait_running(vm)
    # The image's own file keeps the console quiet.
    assert arguments(vm) == ["/usr/bin/containerd"]
    assert outputs(vm) == ["/var/log/containerd.log"] * 2
    assert "starting containerd" in vm.run("cat /var/log/containerd.log").stdout
    assert not re.search("level=info|INFO.*containerd", vm.console)
    # Options are split on any white space; what is not set goes to the console.
    restart_containerd_with(vm, 'cliopts = """--log-level\tdebug\n  --state /run/containerd"""\n'
                                'stderr = "/var/log/other.log"\ncolour = "red"\n')
    assert arguments(vm) == ["/usr/bin/containerd", "--log-level", "debug", "--state", "/run/containerd"]
    assert outputs(vm) == [console(vm), "/var/log/other.log"]
    vm.wait_for("grep -q level=debug /var/log/other.log")
    vm.wait_console(rf'svcd: warning: {FILE}:4:1: unknown key "colour" is ignored')
    # A log that cannot be opened does not keep it down.
    restart_containerd_with(vm, 'stderr = "/nosuch/log"\nstdout = "stderr"\n')
    vm.wait_console(r"svcd: could not open /nosuch/log for containerd's output: .*; it goes to the console")
    assert outputs(vm) == [console(vm)] * 2
    # Nor does a file that cannot be read.
    seen = len(vm.console)
    restart_containerd_with(vm, BROKEN)
    vm.wait_console(rf"svcd: {FILE}:2:10: a value cannot begin with '/'; containerd starts with its defaults", start=seen)
    assert arguments(vm) == ["/usr/bin/containerd"]
    assert outputs(vm) == [console(vm)] * 2
    vm.wait_console(r"level=info msg=\"starting containerd\"", start=seen)
    assert vm.poweroff() == 0
