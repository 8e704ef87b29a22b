#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An appliance with ten services and nothing to do, for a minute of counted time (machine.py): what wakes our programs, and
what they call. Beside them, what containerd and its shims do. And which programs the boot has executed until then.
"""
import sys
import tempfile
from collections import Counter
from pathlib import Path

import machine
from table import Row, report

SERVICES = 10
SECONDS = 60
EXECS = "trace_event=sched:sched_process_exec trace_buf_size=32M"
OURS = ("init", "svcd", "memlogd")
THEIRS = ("containerd", "containerd-shim")
# As the last step of init.d: this shell sleeps, and PID 1 waits for it. The log of what was executed comes first.
REPORT = r"""#!/usr/lib/bench/busybox sh
b=/usr/lib/bench/busybox
tracing=/sys/kernel/tracing
$b stty -F /dev/ttyS1 raw
exec 3>/dev/ttyS1
until [ -e /run/keelson/up ]; do $b usleep 100000; done
$b mount -t tracefs tracefs $tracing
$b sed -n 's/.*sched_process_exec: filename=\([^ ]*\) .*/exec \1/p' $tracing/trace >&3
echo 0 >$tracing/events/enable
for p in /proc/[0-9]*; do
    name=$($b cat $p/comm 2>/dev/null)
    case "$name" in init|svcd|memlogd|containerd*)
        echo "process ${p##*/} $name" >&3
        for t in $p/task/*; do echo ${t##*/} >>$tracing/set_event_pid; done;;
    esac
done
echo 1 >$tracing/options/event-fork
echo >$tracing/trace
echo 1 >$tracing/events/raw_syscalls/sys_enter/enable
echo 1 >$tracing/events/sched/sched_switch/enable
$b sleep SECONDS
echo 0 >$tracing/tracing_on
$b sed -n -e 's/^ *\(.*\)-[0-9]* .* sys_enter: NR \([-0-9]*\) .*/call \2 \1/p' \
    -e 's/.* sched_switch: .* next_comm=\(.*\) next_pid=.*/switch - \1/p' $tracing/trace | $b sort | $b uniq -c |
    $b sed 's/^ *\([0-9]*\) \(.*\)/\2 \1/' >&3
echo "lost $($b awk '/overrun|dropped/ {n += $NF} END {print n + 0}' $tracing/per_cpu/cpu*/stats)" >&3
echo end >&3
/sbin/poweroff
""".replace("SECONDS", str(SECONDS))


def measure(folder):
    """Returns (programs executed, {pid: name}, Counter of ("call" or "switch", name))."""
    image = machine.build(folder, "idle", machine.appliance(SERVICES), script=REPORT)
    text, console = machine.run(image, f"{Path(f'{image}-cmdline').read_text().strip()} {EXECS}")
    lines = [line.split(" ", 2) for line in text.splitlines()]
    if not lines or lines[-1] != ["end"]:
        sys.exit(f"bench: the idle guest did not report all; its console:\n{console}")
    processes = {line[1]: line[2] for line in lines if line[0] == "process"}
    lost = next((line[1] for line in lines if line[0] == "lost"), "an unknown number of")
    if lost != "0":
        sys.exit(f"bench: the idle guest's kernel could not keep all of what happened: it has lost {lost} events")
    counts = Counter()
    for line in lines:
        if line[0] in ("call", "switch"):
            name, _, times = line[2].rpartition(" ")
            counts[line[0], name] += int(times)
    return [line[1] for line in lines if line[0] == "exec"], processes, counts


def rows(executed, processes, counts):
    missing = [name for name in OURS if name not in processes.values()]
    if missing or not any(kind == "call" for kind, _ in counts):
        # containerd's runtime is never still: without a call of its own nothing was seen.
        sys.exit(f"bench: nothing was seen of {missing or 'containerd'}")

    def total(kind, names):
        return sum(n for (k, name), n in counts.items() if k == kind and name.startswith(names))
    for name in OURS:
        yield Row(f"{name}: system calls in an idle minute", "", total("call", (name,)), goal=0)
    yield Row("switches to the three in an idle minute", "", total("switch", OURS), goal=0,
              peers={"containerd and shims": total("switch", THEIRS)})
    begin = executed.index("/init")
    first = next((i for i, path in enumerate(executed) if path.startswith("/etc/init.d/")), len(executed))
    yield Row("programs executed after /init, before init.d", "", first - begin - 1, peers={"LinuxKit": 60}, goal=2,
              note=f"{', '.join(executed[begin + 1:first])}; the kernel asks for modprobe, which is PID 1's program, itself")
    yield Row(f"programs executed until {SERVICES} services run", "", len(executed) - begin,
              note=", ".join(f"{n} x {path}" for path, n in Counter(executed[begin:]).most_common(12)))


def main():
    with tempfile.TemporaryDirectory() as folder:
        report("idle", list(rows(*measure(Path(folder)))))


if __name__ == "__main__":
    main()
