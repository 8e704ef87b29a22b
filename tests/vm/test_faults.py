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
BROKEN_SERVICE = BASE + """  - keelson/memlogd:latest
services:
  - name: broken
    image: keelson/busybox:latest
    command: ["/no/such/program"]
    runtime: {restart: {delay: 500ms, maxDelay: 500ms}}
  - name: sleeper
    image: keelson/busybox:latest
    command: ["sleep", "100000"]
files:
  - path: containers/services/hollow/runtime.json  # and no config.json
    contents: '{"restart": {"delay": "20ms", "maxDelay": "20ms"}}'
  - path: usr/lib/keelson-test/containerd-shim-runc-v2
    contents: the real one is mounted here
  - path: usr/lib/keelson-test/slow-shim
    mode: "0755"
    contents: |
      #!/usr/lib/keelson-test/busybox sh
      case " $* " in *" start "*) : >/run/starting; /usr/lib/keelson-test/busybox sleep 5;; esac
      exec /usr/lib/keelson-test/containerd-shim-runc-v2 "$@"
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
# Not its children, nor the program in /etc/init.d that is the same file.
SVCD_PID = r"""for p in $(pidof /usr/bin/svcd); do
    [ "$(tr '\0' ' ' </proc/$p/cmdline)" != "/usr/bin/svcd " ] || echo $p; done"""


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


def restarts(vm, name):
    return next(s for s in vm.json("service list --json") if s["name"] == name)["restarts"]


def check_failing_starts_leave_nothing_with_memlogd(vm):
    """Of a service that the runtime refuses; of one without a config.json, while svcd dies as well."""
    for pid in ("$(pidof /usr/bin/memlogd)", "1"):
        vm.run(f"ls /proc/{pid}/fd | wc -l >>/run/descriptors")
    before = [int(n) for n in vm.run("cat /run/descriptors").stdout.split()]
    for name in ("broken", "hollow"):
        seen = restarts(vm, name)
        vm.wait_for(f"[ $(service list | awk '$1 == \"{name}\" {{print $4}}') -ge {seen + 5} ]")
    for _ in range(3):
        old = vm.run(SVCD_PID).stdout.strip()
        vm.run(f"kill -9 {old}")
        vm.wait_for(f"service list && ! pidof /usr/bin/svcd | grep -qw {old}")
        vm.wait_for("service list | grep -qE '^hollow *(waiting|preparing|creating)'")
    vm.run("service stop hollow && service stop broken")
    for pid, most in zip(("$(pidof /usr/bin/memlogd)", "1"), before):
        vm.wait_for(f"[ $(ls /proc/{pid}/fd | wc -l) -le {most} ]", timeout=10)


def check_what_is_deleted_while_it_starts_starts_again(vm):
    """Its container goes while its task is created: containerd then denies the task, and holds it all the same."""
    vm.run("cd /usr/lib/keelson-test && mount --bind $(which $SHIM) $SHIM && mount --make-private $SHIM && "
           "mount --bind slow-shim $(which $SHIM)".replace("$SHIM", "containerd-shim-runc-v2"))
    vm.run("(service restart sleeper >/run/restart.log 2>&1 &)")
    vm.wait_for("[ -e /run/starting ]")
    vm.run(f"{CTR} containers rm sleeper && umount -l $(which containerd-shim-runc-v2) && rm /run/starting")
    vm.wait_console("service sleeper: could not start its task: .*not found")
    vm.wait_console("service sleeper: an earlier task of it was left over and is removed")
    vm.wait_for("service list | grep -q '^sleeper *running'")
    assert len(vm.run(f"{CTR} task ls | grep '^sleeper.*RUNNING'").stdout.splitlines()) == 1
    assert vm.run("ps | grep '[c]ontainerd-shim.* -id sleeper' | wc -l").stdout.strip() == "1"
    vm.run("timeout 60 service stop sleeper && timeout 60 service start sleeper")


def test_service_that_cannot_start_is_reported_and_others_run(build, boot):
    vm = boot(build(BROKEN_SERVICE), "--mem", "512")
    vm.wait_console(r"broken.*(/no/such/program|no such file)")
    vm.wait_for(f"{CTR} task ls | grep -q '^sleeper.*RUNNING'")
    assert "broken" not in vm.run(f"{CTR} task ls | grep RUNNING").stdout
    check_failing_starts_leave_nothing_with_memlogd(vm)
    check_what_is_deleted_while_it_starts_starts_again(vm)
    assert vm.poweroff() == 0


def test_onboot_that_fails_is_reported_and_the_next_runs(build, boot):
    vm = boot(build(BROKEN_ONBOOT), "--mem", "512")
    vm.wait_console(r"000-fails.*3")
    vm.wait_for(f"{CTR} task ls | grep -q '^sleeper.*RUNNING'")
    assert vm.run("cat /var/onboot-next").stdout == "next ran\n"
    assert "it went wrong" in vm.run("cat /var/log/onboot/*fails*").stdout
    assert vm.poweroff() == 0
