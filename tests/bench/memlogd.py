# SPDX-License-Identifier: Apache-2.0
"""The log daemon's cost for 1,000,000 lines of 100 bytes, beside other log daemons and beside only reading them.

Called by `make bench-memlogd` with the build folder. MEMLOGD_PEER=PATH adds a program that speaks memlogd's protocol.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from table import Row, report

LINES, LEN = 1_000_000, 100
RUNS = 3
START_SECONDS = 10
BUILD = pathlib.Path(sys.argv[1])
FLOOD = BUILD / "bench/flood"

RSYSLOG_CONF = """module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{socket}" RateLimit.Interval="0")
action(type="omfile" file="{folder}/rsyslog.out")
"""
# busybox has no option for its socket: it gets a /dev of its own, in which /dev/log leads to ours.
BUSYBOX = """mount -t tmpfs none {folder}/dev && for d in null zero random urandom; do
touch {folder}/dev/$d && mount --bind /dev/$d {folder}/dev/$d; done && mkdir {folder}/dev/shm &&
ln -s {socket} {folder}/dev/log && mount --rbind {folder}/dev /dev && exec busybox syslogd -n -C2048"""


def flood(*arguments):
    """Numbers that flood printed, by name."""
    out = subprocess.run([FLOOD, *map(str, arguments), str(LINES), str(LEN)], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", out)}


def cpu_ns(pid):
    """Of all threads; exact once they wait."""
    return sum(int(task.read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


def resident_kib(pid):
    """The most that was resident; as far as it is the process's own."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1])


class Daemon:
    """A log daemon that has made its socket; ended with the block."""

    def __init__(self, argv, socket):
        self.argv, self.socket = argv, socket

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self.socket.is_socket():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench: could not start {self.argv[0]}")
            time.sleep(0.01)
        return self.process.pid

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def settled_cpu_ns(pid):
    """When it has nothing left to do."""
    before = -1
    while (now := cpu_ns(pid)) != before:
        before = now
        time.sleep(0.2)
    return now


def measure(argv, socket, mode, give_to=None):
    """The best of RUNS: what disturbs makes it slower only. -> CPU ns a line, lines a second, KiB."""
    runs = []
    with Daemon(argv, socket) as pid:
        for _ in range(RUNS):
            before = settled_cpu_ns(pid)
            took = flood(mode, give_to or socket)["ns"]
            runs.append(((settled_cpu_ns(pid) - before) / LINES, LINES * 1e9 / took))
        return min(r[0] for r in runs), max(r[1] for r in runs), resident_kib(pid)


def floor(kind):
    runs = [flood(kind) for _ in range(RUNS)]
    return min(r["cpu_ns"] for r in runs) / LINES, max(LINES * 1e9 / r["ns"] for r in runs), 0


def follow(argv, folder):
    """A follower in the flood: what it got, and what it was told it did not get."""
    query, logs = folder / "q", folder / "l"
    with Daemon([*argv, "-socket-query", query, "-socket-log", logs], query) as pid:
        before = settled_cpu_ns(pid)
        reader = subprocess.Popen([FLOOD, "follow", query, str(LINES), str(LEN)], stdout=subprocess.PIPE, text=True)
        reader.stdout.readline()  # it is connected
        time.sleep(0.2)           # and its question has been read
        flood("give", logs)
        try:
            out, _ = reader.communicate(timeout=20)
        except subprocess.TimeoutExpired:  # the last line was not delivered
            reader.kill()
            out = ""
        cpu = (settled_cpu_ns(pid) - before) / LINES
    query.unlink()
    logs.unlink()
    numbers = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", out)}
    return cpu, numbers.get("delivered"), numbers.get("reported", 0)


def memlogds():
    yield "keelson", [BUILD / "bin/memlogd"]
    if peer := os.environ.get("MEMLOGD_PEER"):
        yield "MEMLOGD_PEER", [peer]


def cost_rows(what, least, costs):
    """Of one way to write, the figures of all: least and costs[name] are (CPU ns a line, lines a second, KiB)."""
    def of(index, scale=1.0):
        return {name: round(cost[index] / scale, 2) for name, cost in costs.items() if name != "keelson"}
    cpu, rate, kib = costs["keelson"]
    yield Row(f"{what}: CPU time a line", "ns", cpu, floor=least[0], peers=of(0))
    yield Row(f"{what}: lines as the writer sees it", "M/s", rate / 1e6, floor=least[1] / 1e6, peers=of(1, 1e6), more=True)
    yield Row(f"{what}: most that was resident", "MiB", kib / 1024, peers=of(2, 1024))


def bench_pipes(folder):
    query, logs = folder / "q", folder / "l"
    costs = {}
    for name, argv in memlogds():
        costs[name] = measure([*argv, "-socket-query", query, "-socket-log", logs], logs, "give")
        query.unlink()
        logs.unlink()
    yield from cost_rows("a pipe", floor("floor"), costs)
    yield Row("a pipe: lines by CPU time alone", "M/s", 1e3 / costs["keelson"][0], peers={"LinuxKit": 0.444}, goal=4.4, more=True)


def bench_syslog(folder):
    socket = folder / "log"
    conf = folder / "rsyslog.conf"
    conf.write_text(RSYSLOG_CONF.format(socket=socket, folder=folder))
    (folder / "dev").mkdir()
    costs = {}
    for name, argv in (
            ("keelson", [BUILD / "bin/memlogd", "-socket-query", folder / "q", "-socket-log", folder / "l",
                         "-socket-syslog", socket]),
            ("busybox syslogd -C2048", ["unshare", "-rm", "sh", "-c", BUSYBOX.format(folder=folder, socket=socket)]),
            ("rsyslogd, to a file", ["rsyslogd", "-n", "-i", folder / "pid", "-f", conf]),
            ("socklog, to /dev/null", ["socklog", "unix", socket])):
        if argv[0] == "rsyslogd" and not shutil.which("rsyslogd"):
            continue  # its package would take over the log of the machine that it is installed on
        costs[name] = measure(argv, socket, "syslog")
        socket.unlink(missing_ok=True)
    yield from cost_rows("syslog", floor("floor-syslog"), costs)


def bench_followers(folder):
    """Of all lines of the flood, in percent; a daemon that never comes to the last line has delivered none."""
    found = {name: follow(argv, folder) for name, argv in memlogds()}
    cpu, delivered, reported = (dict(zip(found, values)) for values in zip(*found.values()))
    shares = {"delivered": {name: delivered[name] or 0 for name in found},
              "told lost": {name: reported[name] if delivered[name] is not None else 0 for name in found},
              "missing without a word": {name: LINES - delivered[name] - reported[name] if delivered[name] is not None else LINES
                                         for name in found}}
    yield Row("with a follower: CPU time a line", "ns", cpu.pop("keelson"), peers=cpu)
    for what, lines in shares.items():
        percent = {name: 100 * n / LINES for name, n in lines.items()}
        yield Row(f"with a follower: {what}", "%", percent.pop("keelson"), peers=percent,
                  goal=0 if what.startswith("missing") else None)


def main():
    with tempfile.TemporaryDirectory(prefix="bench-memlogd.") as name:
        folder = pathlib.Path(name)
        report("memlogd", [*bench_pipes(folder), *bench_syslog(folder), *bench_followers(folder)])


main()
