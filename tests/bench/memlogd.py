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


def show(name, cost, least):
    cpu, rate, kib = cost
    memory = f"{kib / 1024:6.1f} MiB" if kib else ""
    print(f"  {name:42} {cpu:7.0f} ns {1e3 / cpu:8.2f} M {rate / 1e6:8.2f} M {cpu / least:7.1f} {memory}")


def memlogds():
    yield "keelson memlogd", [BUILD / "bin/memlogd"]
    if peer := os.environ.get("MEMLOGD_PEER"):
        yield "MEMLOGD_PEER", [peer]


def bench_pipes(folder):
    query, logs = folder / "q", folder / "l"
    least = floor("floor")
    show("floor: only reading the pipe", least, least[0])
    for name, argv in memlogds():
        show(name, measure([*argv, "-socket-query", query, "-socket-log", logs], logs, "give"), least[0])
        query.unlink()
        logs.unlink()


def bench_syslog(folder):
    socket = folder / "log"
    least = floor("floor-syslog")
    show("floor: only reading the datagrams", least, least[0])
    conf = folder / "rsyslog.conf"
    conf.write_text(RSYSLOG_CONF.format(socket=socket, folder=folder))
    (folder / "dev").mkdir()
    for name, argv in (
            ("keelson memlogd -socket-syslog", [BUILD / "bin/memlogd", "-socket-query", folder / "q", "-socket-log",
                                                folder / "l", "-socket-syslog", socket]),
            ("busybox syslogd -C2048", ["unshare", "-rm", "sh", "-c", BUSYBOX.format(folder=folder, socket=socket)]),
            ("rsyslogd, to a file", ["rsyslogd", "-n", "-i", folder / "pid", "-f", conf]),
            ("socklog, to /dev/null", ["socklog", "unix", socket])):
        if argv[0] == "rsyslogd" and not shutil.which("rsyslogd"):
            continue  # its package would take over the log of the machine that it is installed on
        show(name, measure(argv, socket, "syslog"), least[0])
        socket.unlink(missing_ok=True)


def bench_followers(folder):
    for name, argv in memlogds():
        cpu, delivered, reported = follow(argv, folder)
        if delivered is None:
            print(f"  {name:42} {cpu:7.0f} ns  never came to the last line")
        else:
            print(f"  {name:42} {cpu:7.0f} ns {1e3 / cpu:8.2f} M  delivered {delivered}, told lost {reported}, "
                  f"not told {LINES - delivered - reported}")


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-memlogd."))
    try:
        print(f"{LINES} lines of {LEN} bytes; best of {RUNS}. Lines/s on one core are those of its CPU time alone.")
        print(f"  {'':42} {'CPU/line':>10} {'1 core/s':>10} {'wall/s':>10} {'x floor':>7} resident")
        bench_pipes(folder)
        bench_syslog(folder)
        print("with a follower:")
        bench_followers(folder)
    finally:
        shutil.rmtree(folder)


main()
