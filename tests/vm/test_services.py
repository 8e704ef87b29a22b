# SPDX-License-Identifier: Apache-2.0
"""The supervisor on a booted appliance: what dies comes back, what is stopped stays down."""
from test_faults import BASE, CTR

SERVICES = BASE + """services:
  - name: steady
    image: keelson/busybox:latest
    command: ["sh", "-c", "trap 'exit 0' TERM; echo to stdout; echo to stderr >&2; while :; do sleep 1 & wait; done"]
  - name: crash
    image: keelson/busybox:latest
    command: ["sh", "-c", "sleep 1; exit 7"]
  - name: once
    image: keelson/busybox:latest
    command: ["true"]
onshutdown:
  - name: bye
    image: keelson/busybox:latest
    command: ["echo", "goodbye from onshutdown"]
"""


def service(vm, name):
    return next(s for s in vm.json("service list --json") if s["name"] == name)


def check_a_crashed_service_comes_back_and_an_ended_one_does_not(vm):
    vm.wait_console(r"service crash: it exited with status 7; starting it again in \d+ ms")
    vm.wait_for("""[ "$(service list | awk '$1 == "crash" {print $4}')" -ge 2 ]""")
    once = service(vm, "once")
    assert (once["state"], once["restarts"], once["exit_status"]) == ("stopped", 0, 0)
    steady = service(vm, "steady")
    vm.run(f"kill -9 {steady['pid']}")
    vm.wait_for(f"service list | grep '^steady *running' | grep -vqw {steady['pid']}")
    # Its two outputs are kept apart.
    assert vm.run("sort -u /var/log/steady.out.log").stdout == "to stdout\n"
    assert vm.run("sort -u /var/log/steady.log").stdout == "to stderr\n"


def check_stop_start_and_restart(vm):
    before = service(vm, "steady")
    vm.run("service stop steady")
    assert service(vm, "steady")["state"] == "stopped"
    assert "steady" not in vm.run(f"{CTR} task ls -q").stdout.split()
    vm.run("service start steady")
    started = service(vm, "steady")
    assert started["state"] == "running" and started["pid"] != before["pid"]
    vm.run("service restart steady")
    assert service(vm, "steady")["state"] == "running"
    assert service(vm, "steady")["pid"] != started["pid"]
    failed = vm.run("service start nosuch", check=False)
    assert failed.status == 1 and 'no service "nosuch"' in failed.stderr


def check_services_outlive_containerd_and_svcd(vm):
    pid = service(vm, "steady")["pid"]
    for daemon in ("containerd", "svcd"):
        old = vm.run(f"pidof /usr/bin/{daemon}").stdout.strip()
        vm.run(f"kill -9 {old}")
        vm.wait_for(f"new=$(pidof /usr/bin/{daemon}) && [ \"$new\" != \"{old}\" ]")
        vm.wait_for(f"service list | grep '^steady *running' | grep -qw {pid}")
        assert vm.run(f"{CTR} task ls | grep -w {pid}").stdout.split()[2] == "RUNNING"
    # And it is still watched over.
    vm.run(f"kill -9 {pid}")
    vm.wait_for(f"service list | grep '^steady *running' | grep -vqw {pid}")


def check_containerds_log_is_bounded(vm):
    """By a svcd that has not started it, too."""
    log = "/var/log/containerd.log"
    vm.run(f"truncate -s 4194305 {log}")
    vm.wait_console(rf"containerd writes more than {log} can hold: \d+ bytes are lost, 2097152 are in {log}\.0")
    assert int(vm.run(f"stat -c %s {log}").stdout) < 1048576


def test_what_dies_comes_back_and_what_is_stopped_stays_down(build, boot):
    vm = boot(build(SERVICES), "--mem", "512")
    vm.wait_for("service list | grep -q '^steady *running'")
    check_a_crashed_service_comes_back_and_an_ended_one_does_not(vm)
    check_stop_start_and_restart(vm)
    check_services_outlive_containerd_and_svcd(vm)
    check_containerds_log_is_bounded(vm)
    vm.run("(sleep 0.2; /sbin/reboot) >/dev/null 2>&1 &")
    assert vm.wait_end() == 0  # with --no-reboot
    assert "reboot: Restarting system" in vm.console
    assert "goodbye from onshutdown" in vm.console


HOSTILE = BASE + """services:
  - name: hostile
    image: keelson/busybox:latest
    command: ["sh", "-c", "rm -f /log/hostile.out.log; mkfifo /log/hostile.out.log; exit 1"]
    binds: ["/var/log:/log"]
    capabilities: ["none"]
  - name: linker
    image: keelson/busybox:latest
    command: ["sh", "-c", "rm -f /log/linker.log; ln -s /etc/passwd /log/linker.log; exit 1"]
    binds: ["/var/log:/log"]
  - name: frantic
    image: keelson/busybox:latest
    command: ["sh", "-c", "exit 1"]
    readonly: true
    runtime: {restart: {delay: 1ms, maxDelay: 1ms}}
  - name: steady
    image: keelson/busybox:latest
    command: ["sleep", "100000"]
    readonly: true
"""


def test_what_a_container_puts_in_place_of_its_log_holds_nobody_up(build, boot):
    vm = boot(build(HOSTILE), "--mem", "512")
    vm.wait_console(r"svcd: service hostile: .*hostile\.out\.log")
    vm.wait_console(r"svcd: service linker: .*linker\.log")
    vm.wait_for("service list | grep -q '^steady *running'")
    # Nor does one that crashes without a pause.
    vm.run("service restart steady")
    crashes = service(vm, "frantic")["restarts"]
    vm.wait_for(f"[ $(service list | awk '$1 == \"frantic\" {{print $4}}') -gt {crashes + 1} ]")
    vm.run("service restart steady")
    vm.run("service stop frantic")
    assert vm.run("cat /proc/$(pidof /usr/bin/containerd)/cgroup").stdout == "0::/keelson.containerd\n"
    # Memory runs out for containers first.
    assert vm.run("cat /proc/$(pidof /usr/bin/svcd)/oom_score_adj").stdout == "-999\n"
    assert vm.run("cat /proc/$(pidof /usr/bin/containerd)/oom_score_adj").stdout == "-999\n"
    assert vm.run("cat /proc/$(service list | awk '$1 == \"steady\" {print $3}')/oom_score_adj").stdout == "0\n"
    vm.run("(sleep 0.2; /sbin/halt) >/dev/null 2>&1 &")
    vm.wait_console("reboot: System halted")
    assert "services took too long" not in vm.console
