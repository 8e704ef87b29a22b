# SPDX-License-Identifier: Apache-2.0
"""A memlogd on the host, without a machine, for the tests of the log daemon and its programs: fixture `log`."""
import array
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import time

import harness
import pytest

BIN = harness.REPO / "build/bin"
SECONDS = 120
WATCHDOG_SECONDS = 5 * SECONDS  # no test takes that long


def wait_until(condition, what):
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {SECONDS} s"
        time.sleep(0.01)
    return found


def collect(file):
    """The lines that come out of `file`, as they come."""
    lines = []

    def append_all():
        for line in file:
            lines.append(line)

    threading.Thread(target=append_all, daemon=True).start()
    return lines


class Log:
    """A memlogd, its two sockets, and who writes and reads there."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.query, self.sources = folder / "q", folder / "l"

    def start(self, *options, started_by=(), **kwargs):
        self.daemon = self.run([*started_by, BIN / "memlogd", "-socket-query", self.query, "-socket-log", self.sources, *options], **kwargs)
        wait_until(self.answers, "memlogd")
        return self

    def answers(self):
        try:
            return self.ask(b"\0").recv(1)
        except (FileNotFoundError, ConnectionError):
            return False

    def run(self, argv, **kwargs):
        self.processes.append(subprocess.Popen(list(map(str, argv)), **kwargs))
        return self.processes[-1]

    def kill_all(self):
        for process in self.processes:
            process.kill()

    def give(self, name, *fds):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect(str(self.sources))
            s.sendmsg([name], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])

    def write(self, name, data):
        """A source that comes, says that and goes."""
        r, w = os.pipe()
        self.give(name, r)
        os.close(r)
        with open(w, "wb") as f:
            f.write(data)

    def ask(self, request):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(SECONDS)
        s.connect(str(self.query))
        s.sendall(request)
        return s

    def dump(self):
        with self.ask(b"\0") as s, s.makefile("rb") as f:
            return f.read()

    def entries(self, source=None):
        all_of_them = [json.loads(line) for line in self.dump().splitlines()]
        return [e for e in all_of_them if source is None or e["source"] == source]

    def wait_for(self, source, msg):
        wait_until(lambda: any(e["msg"] == msg for e in self.entries(source)), f"{source}: {msg}")

    def logread(self, *options, check=True):
        return subprocess.run([BIN / "logread", "-socket", self.query, *options], check=check, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS)


@pytest.fixture
def log():
    # In /tmp: a socket's path has a bound that pytest's folders may pass.
    with tempfile.TemporaryDirectory(prefix="memlogd.") as folder:
        log = Log(pathlib.Path(folder))
        watchdog = threading.Timer(WATCHDOG_SECONDS, log.kill_all)  # who waits for a line from one of them gets an end
        watchdog.start()
        yield log
        watchdog.cancel()
        log.kill_all()
        for process in log.processes:
            process.wait()
