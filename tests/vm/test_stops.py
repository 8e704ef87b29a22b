# SPDX-License-Identifier: Apache-2.0
"""A service is stopped, whoever hangs that stands between it and svcd."""
import re

import harness
import pytest
from test_deaths import QUICK_CONTAINERD
from test_faults import BASE, CTR, SVCD_PID
from test_policy import FOREVER, service, sh

STUBBORN = "trap '' TERM; trap 'exit 3' USR1; while :; do sleep 100 & wait $!; done"

# The second waits for the first, which is not ready before somebody says so.
WAITING = {"slow": sh(FOREVER, binds='["/run/keelson-test:/said"]',
                      runtime="{mkdir: [/run/keelson-test], ready: {file: /said/ready, interval: 200ms, timeout: 1h}}"),
           "late": sh(FOREVER, runtime="{after: [slow]}")}

SERVICES = BASE + "services:\n" + "".join(f"  - name: {name}\n{text}" for name, text in {
    "mild": sh(FOREVER),
    "stubborn": sh(STUBBORN, runtime="{stop: {timeout: 1s}, restart: {delay: 1h, maxDelay: 1h}}"),
    **WAITING,
}.items())


def is_gone(vm, pid):
    """A zombie has no command line."""
    return vm.run(f"tr -d '\\0' </proc/{pid}/cmdline 2>/dev/null || true").stdout == ""


def check_a_hung_shim(vm):
    """It neither passes signals on nor says how its process ended."""
    for name in ("mild", "stubborn"):
        pid = service(vm, name)["pid"]
        shim = vm.run(f"sed -n 's/^PPid:[^0-9]*//p' /proc/{pid}/status").stdout.strip()
        vm.run(f"grep -q containerd-shim /proc/{shim}/cmdline && kill -STOP {shim} && service stop {name}")
        assert is_gone(vm, pid) and service(vm, name)["state"] == "stopped"
        assert name not in vm.run(f"{CTR} task ls -q").stdout.split()
        vm.wait_console(rf"service {name}: its shim \(pid {shim}\) does not notice its end: killing the shim")
        vm.run(f"service start {name}")
        assert service(vm, name)["state"] == "running"


def both_start_again(vm):
    """containerd has no task of theirs in the way."""
    vm.run("service start mild && service start stubborn")
    assert [service(vm, name)["state"] for name in ("mild", "stubborn")] == ["running"] * 2


def both_are_stopped(vm):
    before = [service(vm, name)["pid"] for name in ("mild", "stubborn")]
    vm.run("service stop mild && service stop stubborn")
    assert all(is_gone(vm, pid) for pid in before)
    # A containerd that comes back in the meantime has tasks of theirs to clean up.
    vm.wait_for("[ $(service list | grep -cE '^(mild|stubborn) *stopped ') = 2 ]")


def check_a_frozen_containerd(vm):
    vm.run("kill -STOP $(pidof /usr/bin/containerd)")
    both_are_stopped(vm)
    both_start_again(vm)


def check_a_stop_in_a_pause(vm):
    """Nothing of it is there: that needs no containerd, and how it ended stays known."""
    vm.run("service kill stubborn SIGUSR1")
    vm.wait_for("service list | grep -q '^stubborn *waiting '")
    vm.run("kill -STOP $(pidof /usr/bin/containerd); timeout 5 service stop stubborn; r=$?; "
           "kill -CONT $(pidof /usr/bin/containerd); exit $r")
    seen = service(vm, "stubborn")
    assert (seen["state"], seen["last_error"]) == ("stopped", "it exited with status 3")


HANGING_RUNC = """mkdir -p /run/hang && mount -t tmpfs hang /run/hang
cat >/run/hang/runc <<'X' && chmod +x /run/hang/runc &&
#!/usr/lib/keelson-test/busybox sh
exec /usr/lib/keelson-test/busybox sleep 100000
X
mount --bind /run/hang/runc /usr/bin/runc"""


def check_a_start_that_hangs(vm):
    """stubborn, which is down, has a second to end: so has its start, whose task containerd is told to give up."""
    vm.run(HANGING_RUNC + " && (service start stubborn >/run/start.log 2>&1 &)")
    vm.wait_for("service list | grep -q '^stubborn *creating '")
    said = vm.run("timeout 20 service stop stubborn 2>&1").stdout
    assert "its start (creating) is under way, and is given up after 1 s" in said
    seen = service(vm, "stubborn")
    assert (seen["state"], seen["pid"]) == ("stopped", 0)
    vm.run("umount -l /usr/bin/runc")
    assert "stubborn" not in vm.run(f"{CTR} task ls -q && {CTR} container ls -q").stdout.split()
    vm.run("service start stubborn")
    assert service(vm, "stubborn")["state"] == "running"


def check_a_new_folder(vm):
    """The folder of containerd's socket is another one than the one that svcd has watched."""
    before = {name: service(vm, name)["pid"] for name in ("mild", "stubborn")}
    old = vm.run("cat /run/keelson/containerd.pid").stdout.strip()
    vm.run("mv /run/containerd /run/old && mkdir -m 711 /run/containerd && mv /run/old/* /run/containerd/ && "
           f"rm -f /run/containerd/containerd.sock* && kill -9 {old}")
    vm.wait_for(f"[ $(cat /run/keelson/containerd.pid) != {old} ] && [ $(service list | grep -c ' running ') = 2 ]")
    assert {name: service(vm, name)["pid"] for name in before} == before


def check_a_new_svcd_without_containerd(vm):
    """What it knows of its services is what the one before knew, and what runs can be reached."""
    before = {name: service(vm, name)["pid"] for name in ("mild", "stubborn")}
    old = vm.run("pidof /usr/bin/svcd").stdout.strip()
    vm.run(f"kill -9 {old}")
    vm.wait_for(f"service list && ! pidof /usr/bin/svcd | grep -qw {old}")
    seen = {name: service(vm, name) for name in before}
    assert {name: s["pid"] for name, s in seen.items()} == before
    assert {s["state"] for s in seen.values()} == {"detached"}
    vm.run("service kill stubborn SIGUSR1")
    vm.wait_for(f"! tr -d '\\0' </proc/{before['stubborn']}/cmdline | grep -q .")


def check_no_containerd(vm):
    vm.run("mount --bind /usr/lib/keelson-test/busybox /usr/bin/containerd && kill -9 $(cat /run/keelson/containerd.pid)")
    vm.wait_console(r"svcd: containerd exited with status 127; starting it again in \d+ ms")
    check_a_new_svcd_without_containerd(vm)
    both_are_stopped(vm)
    vm.run("umount /usr/bin/containerd")
    vm.wait_for(f"{CTR} task ls -q >/run/tasks && ! grep -q . /run/tasks")
    assert service(vm, "mild")["last_exit"] == "exited with status 0"  # it had its signal
    both_start_again(vm)


def slow_is_still_waited_for(vm):
    vm.wait_for("service list | grep -q '^slow *running .* starting'")
    assert service(vm, "late")["state"] == "queued"


def check_readiness_outlives_whoever_waits_for_it(vm):
    slow_is_still_waited_for(vm)
    for pid in (SVCD_PID, "cat /run/keelson/containerd.pid"):
        old = vm.run(pid).stdout.strip()
        vm.run(f"kill -9 {old}")
        vm.wait_for(f"[ $({pid}) != {old} ] && service list | grep -q '^mild *running '")
        slow_is_still_waited_for(vm)
    vm.run("touch /run/keelson-test/ready")
    vm.wait_for("service list | grep -q '^late *running '")
    # Who waited for the services to start lost svcd, too, and has waited on.
    vm.wait_console(r"init: up after [\d.]+ s, ok")
    vm.run("service stop late && service stop slow")


def test_a_stop_ends_whoever_hangs(build, boot):
    vm = boot(build(SERVICES), "--mem", "512")
    vm.wait_for("[ $(service list | grep -c ' running ') = 3 ]")
    check_readiness_outlives_whoever_waits_for_it(vm)
    check_a_hung_shim(vm)
    check_a_stop_in_a_pause(vm)
    check_a_start_that_hangs(vm)
    check_a_new_folder(vm)
    check_a_frozen_containerd(vm)
    check_no_containerd(vm)
    # The machine goes down with a stop under way that containerd does not answer.
    vm.run("kill -STOP $(pidof /usr/bin/containerd) && (service stop mild >/run/stop.log 2>&1 &)")
    assert vm.poweroff() == 0


CHECK = "echo x >>/said/checks; sleep 27182; true"

# One goes into another's control group; the checks of another hang, with a child; one is healthy unless it is paused.
NEIGHBOURS = BASE + "services:\n" + "".join(f"  - name: {name}\n{text}" for name, text in {
    "other": sh(FOREVER),
    "mover": sh("trap '' TERM; until echo $$ >/cg/other/cgroup.procs; do sleep 0.2; done; "
                "while :; do sleep 100 & wait $!; done",
                pid="host", binds='["/sys/fs/cgroup:/cg"]', capabilities='["all"]', runtime="{stop: {timeout: 1s}}"),
    "checked": sh(FOREVER, binds='["/run/keelson-test:/said"]',
                  runtime="{mkdir: [/run/keelson-test], health: {exec: [sh, -c, \"%s\"], interval: 200ms, timeout: 3s,"
                          " failures: 1000}}" % CHECK),
    "fine": sh("echo ok >/tmp/fine; httpd -f -p 8080 -h /tmp", net="new", tmpfs='["/tmp"]',
               runtime="{ready: {tcp: 8080}, health: {http: 8080/fine, interval: 200ms, timeout: 1s, failures: 2}}"),
}.items())


def check_a_foreign_group_is_spared(vm):
    other, mover = (service(vm, name)["pid"] for name in ("other", "mover"))
    vm.wait_for(f"grep -q ':/other$' /proc/{mover}/cgroup")
    old = vm.run(SVCD_PID).stdout.strip()
    vm.run(f"kill -9 {old}")
    vm.wait_for(f"[ $({SVCD_PID}) != {old} ] && service list | grep -q '^mover *running '")
    vm.run("service stop mover")
    assert is_gone(vm, mover)
    assert service(vm, "other")["pid"] == other and service(vm, "other")["restarts"] == 0


def check_a_paused_one_is_well(vm):
    before = service(vm, "fine")
    vm.run(f"{CTR} task pause fine; sleep 5")
    assert service(vm, "fine")["state"] == "running" and service(vm, "fine")["pid"] == before["pid"]
    vm.run(f"{CTR} task resume fine")
    assert service(vm, "fine")["restarts"] == before["restarts"]


def check_hung_checks_leave_nothing(vm):
    vm.wait_for("[ $(wc -l </run/keelson-test/checks) -ge 5 ]")
    assert int(vm.run("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -cx 27182 || true").stdout) <= 2


def test_a_service_harms_no_other(build, boot):
    vm = boot(build(NEIGHBOURS), "--mem", "512")
    vm.wait_for("[ $(service list | grep -c ' running ') = 4 ]")
    check_a_foreign_group_is_spared(vm)
    check_a_paused_one_is_well(vm)
    check_hung_checks_leave_nothing(vm)
    assert vm.poweroff() == 0


MANY = BASE.replace("keelson/runc:", "keelson/crun:") + "services:\n" + "".join(
    f"  - name: s{n:02}\n" + sh(STUBBORN, readonly="true", seccomp="unconfined") for n in range(20))


@pytest.mark.seconds(6 * harness.BOOT_SECONDS)
def test_twenty_that_do_not_listen_are_down_when_their_grace_is_over(build, boot):
    vm = boot(build(MANY + QUICK_CONTAINERD), "--mem", "1536", seconds=6 * harness.BOOT_SECONDS)
    vm.wait_for("[ $(service list | grep -c ' running ') = 20 ]", timeout=3 * harness.BOOT_SECONDS)
    assert vm.poweroff() == 0
    took = re.search(r"init: shutdown took \d+ ms .*services (\d+).*", vm.console)
    print("signal to power-off, 20 that do not listen, 10 s of grace:", took[0])
    assert "services took too long" not in vm.console
