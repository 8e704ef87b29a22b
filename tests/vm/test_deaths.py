# SPDX-License-Identifier: Apache-2.0
"""kill -9, again and again, of what services depend on: they keep their processes, and not a line of their output is lost.

The killing is done by a script in the guest, which waits after each kill until everything is as it was, and counts. The
services talk all the time: their lines are numbered, and what is in their log files at the end must be all of them.
"""
import harness
import pytest
from test_faults import BASE

SECONDS = 12 * harness.BOOT_SECONDS
CHATTY = ["one", "two", "three"]
# A shell that starts no process for its pauses: the load is to be the logs', not the emulator's.
TALK = ("trap 'exit 0' TERM; mkfifo /tmp/never; exec 3<>/tmp/never; i=0; "
        "while :; do echo line $i; i=$((i+1)); read -t 0.02 -u 3 nothing; done")
TALKING = BASE + "  - keelson/memlogd:latest\nservices:\n" + "".join(f"""  - name: {name}
    image: keelson/busybox:latest
    command: ["sh", "-c", "{TALK}"]
    tmpfs: ["/tmp"]
""" for name in CHATTY) + """  - name: logwrite
    image: keelson/logwrite:latest
    command: ["/usr/bin/logwrite", "-max-log-size", "8388608"]
"""

QUICK_CONTAINERD = """files:
  # What these containers do not need takes half of containerd's start.
  - path: etc/containerd/config.toml
    contents: |
      version = 2
      disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs",
        "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
        "io.containerd.snapshotter.v1.native", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.restart",
        "io.containerd.internal.v1.opt"]
      [timeouts]
        "io.containerd.timeout.shim.load" = "20s"
"""

# svcd is started again by PID 1, which lets it wait longer each time; here it is done at once as well. Nothing here starts
# a process that it can do without: under emulation each takes as long as what is waited for.
SCRIPT = r"""
pids() { service list 2>/dev/null | while read -r name state pid rest; do
    [ "$state" != running ] || echo "$name=$pid"; done; }
seconds() { cut -d. -f1 /proc/uptime; }
# Others in their place are others for ever: no need to wait for the end of the time.
wait_for_all() {
    until_s=$(($(seconds)+LIMIT)); others=0
    until now=$(pids); [ "$now" = "$BEFORE" ]; do
        [ $(echo "$now" | wc -l) = $(echo "$BEFORE" | wc -l) ] && others=$((others+1))
        [ $others -lt 5 ] && [ $(seconds) -lt $until_s ] || { echo "after $1: $now; before: $BEFORE" >&2; cat /tmp/svcd.log >&2; exit 1; }
        usleep 20000
    done
}
# The dead are gone, and whoever is there now is another one: before that the old answers still hold.
another_containerd() {
    until_s=$(($(seconds)+LIMIT))
    until pid=; read -r pid 2>/dev/null </run/keelson/containerd.pid; [ -n "$pid" ] && [ $pid != $1 ]; do
        [ $(seconds) -lt $until_s ] || { echo "no containerd behind $1" >&2; cat /tmp/svcd.log >&2; exit 1; }
        usleep 20000
    done
}
is_gone() { while kill -0 $1 2>/dev/null; do usleep 5000; done; }
svcd_again() { (setsid /usr/bin/svcd </dev/null >>/tmp/svcd.log 2>&1 &); }
killed() { eval "n_$1=\$((n_$1+1))"; }
kill_containerd() {
    old=$(pidof /usr/bin/containerd)
    kill -9 $old && killed containerd
    another_containerd $old; wait_for_all containerd
}
kill_svcd() {
    old=$(pidof /usr/bin/svcd)
    kill -9 $old && killed svcd
    is_gone $old; svcd_again; wait_for_all svcd
}
kill_both() {
    old=$(pidof /usr/bin/containerd) svcd=$(pidof /usr/bin/svcd)
    kill -9 $svcd $old && killed both
    is_gone $svcd; svcd_again; another_containerd $old; wait_for_all both
}
kill_memlogd() {
    old=$(pidof /usr/bin/memlogd)
    kill -9 $old && killed memlogd
    until new=$(pidof /usr/bin/memlogd) && [ "$new" != "$old" ] && /usr/bin/logread -n 1 >/dev/null; do
        usleep 100000
    done
    wait_for_all memlogd
}
n_containerd=0 n_svcd=0 n_both=0 n_memlogd=0
BEFORE=$(pids)
"""

def numbers(vm, name):
    """Of the lines in its log, without what is before them: what the agent sends has a bound."""
    log = f"/var/log/{name}.out.log"
    shown = vm.run(f"wc -l <{log}; sed -n 's/^[^ ]* [^ ]* line \\([0-9]*\\)$/\\1/p' {log}").stdout.split()
    assert int(shown[0]) == len(shown) - 1, f"{name}: a line is not whole"
    return [int(number) for number in shown[1:]]


def kill(vm, what, times, at_once=10):
    """In slices: what the agent runs has a deadline."""
    total = 0
    while total < times:
        result = vm.run(f"LIMIT={harness.BOOT_SECONDS}\n" + SCRIPT + f"i=0; while [ $i -lt {at_once} ]; do kill_{what}; i=$((i+1)); done\n"
                        f"echo $n_{what}", timeout=SECONDS)
        total += int(result.stdout)
    return total


def pids(vm):
    return {s["name"]: s["pid"] for s in vm.json("service list --json")}


@pytest.mark.seconds(SECONDS)
def test_svcd_and_containerd_die_a_hundred_times_and_services_never_notice(build, boot):
    vm = boot(build(TALKING + QUICK_CONTAINERD), "--mem", "640", seconds=SECONDS)
    vm.wait_for("[ $(service list | grep -c ' running ') = 4 ]")
    before = pids(vm)
    killed = {}
    for what, times in (("svcd", 100), ("containerd", 100), ("both", 100), ("memlogd", 5)):
        killed[what] = kill(vm, what, times)
    assert pids(vm) == before
    for name in CHATTY:
        vm.run(f"service stop {name}")
    kept = {}
    for name in CHATTY:
        last = int(vm.run(f"/usr/bin/logread -s {name}.out -n 1").stdout.split()[-1])
        vm.wait_for(f"grep -q 'line {last}$' /var/log/{name}.out.log")
        lines = numbers(vm, name)
        assert lines == list(range(last + 1)), f"{name}: lines are missing, or there twice"
        kept[name] = len(lines)
    print(f"killed: svcd {killed['svcd']} and containerd {killed['containerd']} times, both at once {killed['both']} "
          f"times, memlogd {killed['memlogd']} times; all 4 services kept their processes; lines kept of lines written: "
          + ", ".join(f"{name} {n} of {n}" for name, n in kept.items()))
    assert all(killed[what] >= 100 for what in ("svcd", "containerd", "both"))
    assert vm.poweroff() == 0
