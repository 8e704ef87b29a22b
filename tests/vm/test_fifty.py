# SPDX-License-Identifier: Apache-2.0
"""Fifty services: what svcd costs then, shims that are killed, and a containerd that is frozen."""
import os
import re

import harness
import pytest
from test_deaths import QUICK_CONTAINERD, SCRIPT, SECONDS, pids
from test_faults import BASE

MANY = [f"s{n:02}" for n in range(50)]
AT_ONCE = 10
SHIMS_KILLED = int(os.environ.get("KEELSON_TEST_SHIMS", "100"))  # each is a start of a container: seconds, under emulation

FIFTY = BASE.replace("keelson/runc:", "keelson/crun:") + "services:\n" + "".join(f"""  - name: {name}
    image: keelson/busybox:latest
    command: ["sleep", "100000"]
    readonly: true
    seccomp: unconfined
    runtime: {{restart: {{delay: 10ms, maxDelay: 10ms}}}}
""" for name in MANY)

# The shims of some services at once: each is a task that is cleaned up and started again, at the first attempt.
KILL_SHIMS = r"""
kill_shims() {
    old=$(pids | sed -n "$1")
    for pair in $old; do
        shim=$(sed -n 's/^PPid:[^0-9]*//p' /proc/${pair#*=}/status)
        grep -q containerd-shim /proc/$shim/cmdline && kill -9 $shim && killed shim
    done
    until_s=$(($(seconds)+LIMIT))
    until pids >/tmp/new; [ $(wc -l </tmp/new) = $(echo "$BEFORE" | wc -l) ] &&
        [ -z "$( (echo "$old"; cat /tmp/new) | sort | uniq -d)" ]; do
        [ $(seconds) -lt $until_s ] || { echo "before: $old; now: $(cat /tmp/new)" >&2; exit 1; }
        usleep 200000
    done
    for pair in $old; do
        ! kill -0 ${pair#*=} 2>/dev/null || { echo "$pair outlived its shim" >&2; exit 1; }
    done
}
n_shim=0
"""


def silent_when_idle(vm):
    """What svcd costs while nothing happens: no switch to it at all, in this window; and its memory, with its share of what
    it has in common with others."""
    seen = vm.run("p=/proc/$(pidof /usr/bin/svcd); a=$(grep ctxt $p/status); sleep 5; b=$(grep ctxt $p/status);"
                  "[ \"$a\" = \"$b\" ] && echo silent || echo \"$a; $b\"; grep -E '^(Pss|Anonymous):' $p/smaps_rollup").stdout
    assert seen.startswith("silent\n"), seen
    memory = {key: int(kb) for key, kb in re.findall(r"(\w+):\s+(\d+) kB", seen)}
    assert memory["Pss"] < 2048, seen
    return memory


@pytest.mark.seconds(SECONDS)
def test_fifty_services_killed_shims_and_a_frozen_containerd(build, boot):
    vm = boot(build(FIFTY + QUICK_CONTAINERD), "--mem", "1536", seconds=SECONDS)
    vm.wait_for("[ $(service list | grep -c ' running ') = 50 ] && [ -e /run/keelson/up ]",
                timeout=3 * harness.BOOT_SECONDS)
    memory = silent_when_idle(vm)
    print(f"idle with 50 services: no context switch in 5 s; resident {memory['Pss']} KiB, its own {memory['Anonymous']} KiB")
    killed = [0] * len(MANY)
    for n in range(0, SHIMS_KILLED, AT_ONCE):
        first = n % len(MANY)
        done = vm.run(f"LIMIT={2 * harness.BOOT_SECONDS}\n" + SCRIPT + KILL_SHIMS
                      + f"kill_shims {first + 1},{first + AT_ONCE}p; echo $n_shim", timeout=SECONDS)
        assert done.stdout == f"{AT_ONCE}\n"
        killed[first:first + AT_ONCE] = [k + 1 for k in killed[first:first + AT_ONCE]]
    restarts = {s["name"]: s["restarts"] for s in vm.json("service list --json")}
    print(f"killed: {sum(killed)} shims, {AT_ONCE} at once; {sum(restarts.values())} restarts brought all services back, "
          "all others kept their processes")
    assert restarts == dict(zip(MANY, killed)), "one start for each, and that one worked"
    # Frozen: nobody is told of a death. svcd sees the process go, and has its doubts.
    before = pids(vm)
    vm.run("kill -STOP $(pidof /usr/bin/containerd); service kill s07")
    vm.wait_console("service s07: its process is gone, and containerd has not said so")
    vm.wait_console("containerd gives no sign of life for 10 s: killing it, to start it anew")
    vm.wait_for(f"service list | grep '^s07 *running' | grep -vqw {before['s07']}")
    after = pids(vm)
    assert {n: p for n, p in after.items() if n != "s07"} == {n: p for n, p in before.items() if n != "s07"}
    # The first process of a container, and that is all there is in these, hears no SIGTERM that it has no handler for.
    assert vm.poweroff() == 0
    took = re.search(r"init: shutdown took \d+ ms .*services (\d+).*", vm.console)
    print("signal to power-off, 50 stubborn containers:", took[0])
