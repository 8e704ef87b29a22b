# SPDX-License-Identifier: Apache-2.0
"""Who worked in a boot, by the kernel's own record of every switch of the scheduler, fork, exec and finit_module(2).

A thread's program is what it has executed last, or else what the one that forked it had: the names of threads say less, as
any program gives itself others (who loads a module has the module's). A program that executes itself anew, by /proc/self/exe
or by a descriptor, stays what it was. Inside finit_module(2) it is the kernel that works.
"""
import re
from collections import Counter

# For the kernel's command line: kept from its start on. It costs the guest 2 % and is for boots of their own.
OPTIONS = ("trace_event=sched:sched_switch,sched:sched_process_fork,sched:sched_process_exec trace_buf_size=16M "
           "trace_clock=mono kprobe_event=p:module/begin,__x64_sys_finit_module;r:module/end,__x64_sys_finit_module")
# Makes a line of the record "PID TIME: EVENT: FIELDS", PID being who ran until then.
SED = r"s/^.*-\([0-9]*\) .* \([0-9.]*: [a-z_]*: \)/\1 \2/p"
LINE = re.compile(r"(\d+) ([\d.]+): (\w+): (.*)")
USUAL_PRIORITY = 120

OURS, BACKGROUND = "keelson (init, svcd, service, memlogd)", "keelson, beside the boot (nice)"
MODULES, KERNEL, IDLE = "the kernel, loading modules", "the rest of the kernel", "nobody: all wait"
MODPROBE = "/sbin/modprobe"  # ours, which the kernel executes
# Whose a program is, by its path.
PROGRAMS = {
    OURS: r"/init|/usr/bin/(svcd|service|memlogd|bootrecord)|(/usr)?/s?bin/modprobe|/etc/init\.d/0(02|05|10|20)-.*",
    "containerd": r"/usr/s?bin/(containerd|ctr)",
    "shims": r"/usr/s?bin/containerd-shim.*",
    "runc, crun": r"/usr/s?bin/(runc|crun)",
    "the containers": r".*",
}
WORKERS = [OURS, BACKGROUND, MODULES, *list(PROGRAMS)[1:], KERNEL, IDLE]
ITSELF = re.compile(r"/proc/self/|/dev/fd/|/proc/\d+/fd/")


class _Threads:
    """What each thread is, as far as the record has been read."""

    def __init__(self):
        self._programs = {}  # pid -> (path, which of those that had this path)
        self._count = Counter()
        self._priorities = {}
        self._loading = set()

    def _begin(self, pid, path):
        self._count[path] += 1
        self._programs[pid] = (path, self._count[path])

    def what(self, pid):
        """(who of WORKERS, (path, number))"""
        program = self._programs.get(pid, ("", 0))
        if pid in self._loading:
            return MODULES, program
        if not program[0]:
            return IDLE if pid == "0" else KERNEL, program
        owner = next(name for name, pattern in PROGRAMS.items() if re.fullmatch(pattern, program[0]))
        nice = owner == OURS and self._priorities.get(pid, USUAL_PRIORITY) > USUAL_PRIORITY
        return BACKGROUND if nice else owner, program

    def note(self, pid, event, fields):
        if event == "sched_switch":
            for before, priority in re.findall(r"_pid=(\d+) \w+_prio=(\d+)", fields):
                self._priorities[before] = int(priority)
        elif event == "sched_process_fork":
            child = re.search(r"child_pid=(\d+)", fields)[1]
            self._loading.discard(child)
            self._programs.pop(child, None)
            if pid in self._programs:
                self._begin(child, self._programs[pid][0])
        elif event == "sched_process_exec":
            path = re.search(r"filename=(\S+)", fields)[1]
            if not ITSELF.match(path):
                self._begin(pid, path)
        elif event == "begin":
            self._loading.add(pid)
        elif event == "end":
            self._loading.discard(pid)


def worked(record, begin, end):
    """{(who of WORKERS, (path of the program, its number)): ms of processor time} between two times in s."""
    threads, times, before = _Threads(), Counter(), 0.0
    for line in record.splitlines():
        pid, now, event, fields = LINE.fullmatch(line).groups()
        if event == "sched_switch":  # it may have made itself nice since it came
            threads.note(pid, event, fields.partition(" ==> ")[0])
        share = min(float(now), end) - max(before, begin)
        if share > 0:
            times[threads.what(pid)] += share * 1e3
        threads.note(pid, event, fields)
        before = float(now)
    # Who has made itself nice was so from its start on: when that counts hangs on when it was switched away.
    for program in [program for who, program in times if who == BACKGROUND]:
        times[BACKGROUND, program] += times.pop((OURS, program), 0.0)
    return times


def by_worker(times):
    """{who of WORKERS: ms} of what worked() returns."""
    total = Counter()
    for (who, _), ms in times.items():
        total[who] += ms
    return total


def least(boots, who, without=()):
    """ms that a worker's programs need at least: of each the least of several boots, as some wait actively in some; without
    those of some paths."""
    programs = {program for times in boots for owner, program in times if owner == who and program[0] not in without}
    return sum(min(times.get((who, program), 0.0) for times in boots) for program in programs)
