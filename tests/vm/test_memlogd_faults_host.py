# SPDX-License-Identifier: Apache-2.0
"""memlogd when those around it misbehave, on the host: givers, readers, PID 1's store, its own options."""
import fcntl
import itertools
import json
import os
import pathlib
import re
import resource
import signal
import socket
import struct
import subprocess

import pytest
from logs import BIN, SECONDS, collect, log, wait_until  # the fixture `log` too


def cpu_ticks(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])



def assert_idle(log):
    """Who spins has its processor time grow with ours."""
    own = os.times()
    before, start = cpu_ticks(log.daemon), own.user + own.system
    while (now := os.times()).user + now.system - start < 0.5:
        pass
    spent = cpu_ticks(log.daemon) - before
    assert spent < 20, f"{spent} ticks while there was nothing to do"


class Store:
    """Who keeps memlogd's descriptors, as PID 1 does (lib/fdstore.h); it only does so when it is told to."""

    def __init__(self, log):
        self.log, self.kept = log, {}
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.setblocking(False)

    def pump(self):
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.ours, 8, 2)
            except BlockingIOError:
                return
            op, key = struct.unpack("II", data)
            if key in self.kept:
                os.close(self.kept.pop(key))
            if op == 1:
                [self.kept[key]] = fds

    def start(self, *options):
        self.pump()
        env = dict(os.environ, KEELSON_FDSTORE=str(self.theirs.fileno()),
                   KEELSON_FDS="".join(f"{key}:{fd}," for key, fd in self.kept.items()))
        self.log.start(*options, env=env, pass_fds=[self.theirs.fileno(), *self.kept.values()])
        wait_until(lambda: self.pump() or 0x10002 in self.kept, "what is kept")

    def kill(self):
        self.log.daemon.kill()
        self.log.daemon.wait()


@pytest.fixture
def store(log):
    store = Store(log)
    yield store
    for fd in store.kept.values():
        os.close(fd)
    store.ours.close()
    store.theirs.close()


def messages(log, source="memlogd"):
    return [e["msg"] for e in log.entries(source)]


# --- other options after a restart ---

def test_other_options_keep_the_log(log, store):
    store.start()
    r, w = os.pipe()
    log.give(b"s", r)
    os.write(w, b"".join(b"%d\n" % n for n in range(1000)) + b"half")
    log.wait_for("s", "999")
    wait_until(lambda: store.pump() or 0 in store.kept, "the source")
    files = log.folder / "log"
    writer = log.run([BIN / "logwrite", "-socket", log.query, "-log-dir", files])
    wait_until(lambda: (files / "s.log").exists() and len((files / "s.log").read_text().splitlines()) == 1000, "the file")
    store.kill()
    os.write(w, b" a line\n")
    store.start("-max-line-len", "2048", "-max-bytes", "4000000")
    log.wait_for("s", "half a line")
    assert messages(log, "s") == [*map(str, range(1000)), "half a line"]
    store.kill()
    store.start("-max-lines", "100", "-max-bytes", "65536")
    os.write(w, b"end\n")
    log.wait_for("s", "end")
    wait_until(lambda: " end\n" in (files / "s.log").read_text(), "that logwrite goes on")
    got = [line.split(" ", 2)[2] for line in (files / "s.log").read_text().splitlines()]
    assert got == [*map(str, range(1000)), "half a line", "end"]  # none twice, none missing
    assert any(re.fullmatch(r"the log has less room since this restart: its oldest 9\d\d lines went", m) for m in messages(log))
    writer.kill()
    os.close(w)
    os.close(r)


def test_a_state_that_is_none_is_told(log, store):
    store.start()
    store.kill()
    os.pwrite(store.kept[0x10000], b"nonsense", 0)
    store.start()
    assert "the log and the sources of before are lost: their memory could not be understood" in messages(log)


def test_pid_1s_memlogd_stays_in_the_foreground(log, store):
    """`-daemonize` in /etc/memlogd.options: PID 1 would take the parent's end for its own, and start another one."""
    store.start("-daemonize")
    assert log.daemon.poll() is None
    assert messages(log) == ["memlogd started"]
    store.kill()
    store.start("-daemonize")
    assert log.daemon.poll() is None
    mine = [path for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if command_of(path).startswith(f"{BIN}/memlogd\0")
            and str(log.query) in command_of(path)]
    assert mine == [pathlib.Path(f"/proc/{log.daemon.pid}/cmdline")]


def command_of(path):
    try:
        return path.read_text()
    except OSError:
        return ""  # it has ended


def test_a_store_that_does_not_read_stops_nobody(log, store):
    store.start()
    ends = [os.pipe() for _ in range(250)]
    for n in range(4):
        log.give(b"flood%d" % n, *[r for r, _ in ends])
    log.write(b"victim", b"hello\n")
    log.wait_for("victim", "hello")
    assert messages(log) == ["memlogd started"]
    assert_idle(log)
    # Now it reads: all sources are kept, but for the one that is over.
    wait_until(lambda: store.pump() or len(store.kept) >= 1003, "the sources")
    store.kill()
    store.start()
    os.write(ends[0][1], b"still\n")
    wait_until(lambda: any("still" in messages(log, f"flood{n}") for n in range(4)), "the line")
    for r, w in ends:
        os.close(r)
        os.close(w)
    wait_until(lambda: store.pump() or len(store.kept) == 3, "that they are forgotten")


# --- descriptors that bite ---

RACER = """
import fcntl, os, sys
r, w = int(sys.argv[1]), int(sys.argv[2])
again = os.open(f"/proc/self/fd/{r}", os.O_RDONLY | os.O_NONBLOCK)
while True:
    os.write(w, b"x\\n")
    try:
        os.read(again, 65536)  # memlogd is woken, and there is nothing
    except BlockingIOError:
        pass
    fcntl.fcntl(r, fcntl.F_SETFL, 0)  # it is the same open file
"""


def test_a_giver_who_takes_the_data_and_the_flag_back(log):
    log.start()
    r, w = os.pipe()
    log.give(b"racer", r)
    racer = log.run(["/usr/bin/python3", "-c", RACER, r, w], pass_fds=(r, w))
    wait_until(lambda: len(log.entries("racer")) > 50, "that it races")
    for n in range(200):
        log.write(b"probe", b"%d\n" % n)
    log.wait_for("probe", "199")
    racer.kill()
    assert fcntl.fcntl(r, fcntl.F_GETFL) & os.O_NONBLOCK == 0  # and memlogd does not need it
    os.close(r)
    os.close(w)


def test_sockets_with_errors_do_not_spin(log):
    log.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
        u.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR: an error queue that nobody reads
        u.connect(("127.0.0.1", 1))
        u.send(b"x")
        log.give(b"errors", u.fileno())
        log.write(b"other", b"line\n")
        log.wait_for("other", "line")
        assert_idle(log)
    ours, theirs = socket.socketpair()
    log.give(b"urgent", theirs.fileno())
    theirs.close()
    with ours:
        ours.send(b"one\n")
        ours.send(b"!", socket.MSG_OOB)
        log.wait_for("urgent", "one")
        assert_idle(log)
        ours.send(b"two\n")
        log.wait_for("urgent", "two")


def test_what_would_come_back_is_refused(log):
    """A reader's connection as a source: every line would make another one."""
    log.start()
    with log.ask(b"\1") as reader:
        log.entries()
        log.give(b"loop", reader.fileno())
        log.wait_for("memlogd", "source loop refused: what memlogd writes would come back to it")


def test_datagrams_are_not_cut(log):
    log.start("-max-lines", "100000", "-max-bytes", "10000000")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    log.give(b"d", theirs.fileno())
    theirs.close()
    with ours:
        ours.send(b"line\n" * 30000)
        ours.send(b"")
        ours.send(b"a line in ")
        ours.send(b"two\n")
        log.wait_for("d", "a line in two")
    assert messages(log, "d") == ["line"] * 30000 + ["a line in two"]
    assert messages(log) == ["memlogd started"]


def test_a_datagram_that_is_too_long_is_counted(log):
    dev_log = log.folder / "log"
    log.start("-max-lines", "10", "-socket-syslog", dev_log)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        try:
            s.setsockopt(socket.SOL_SOCKET, 32, 2 << 20)  # SO_SNDBUFFORCE
        except PermissionError:
            return  # only root can send that much
        s.connect(str(dev_log))
        s.send(b"<13>big: " + b"b" * 700000)
        s.send(b"<13>small: " + b"s" * 2000)
    log.wait_for("memlogd", f"1 lines of big cut: {700000 - 1024} bytes beyond 1024 of a line lost")
    log.wait_for("memlogd", f"1 lines of small cut: {2000 - 1024} bytes beyond 1024 of a line lost")


def test_nobody_else_is_memlogd(log):
    dev_log = log.folder / "log"
    log.start("-socket-syslog", dev_log)
    log.write(b"memlogd", b"7 lines of www lost: this reader was too slow\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect(str(dev_log))
        s.send(b"<13>memlogd: 7 lines of www lost: this reader was too slow")
        s.send("<13>ev\u009b31mil: x".encode())
    log.write("c\u0085 1".encode(), b"y\n")
    log.wait_for("c? 1", "y")
    log.wait_for("ev?31mil", "x")
    assert messages(log) == ["memlogd started"]
    assert len(messages(log, "source.memlogd")) == len(messages(log, "syslog.memlogd")) == 1


# --- few descriptors, many of everything ---

def test_readers_when_descriptors_are_few(log):
    log.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
    pipes = [os.pipe() for _ in range(60)]
    for n, (r, _) in enumerate(pipes):
        log.give(b"s%d" % n, r)
    wait_until(lambda: any("too many descriptors are open" in m for m in messages(log)), "that sources are refused")
    readers = [log.ask(b"\2")]
    try:  # sources have not got all of them; but at some point a reader is sent away, instead of waiting for ever
        while readers[-1].recv(1):
            readers.append(log.ask(b"\2"))
    except ConnectionError:
        pass
    assert 3 < len(readers) < 20
    assert_idle(log)
    for reader in readers:
        reader.close()
    wait_until(lambda: any(re.fullmatch(r"\d+ readers refused: too many descriptors are open", m) for m in messages(log)), "that")
    for r, w in pipes:
        os.close(r)
        os.close(w)


def resident_kib(log, which="VmRSS"):
    return int(re.search(rf"{which}:\s+(\d+)", pathlib.Path(f"/proc/{log.daemon.pid}/status").read_text())[1])


def test_memory_when_all_is_full(log):
    """The ring full, every source in the middle of its longest line, every reader stuck: still under 3 MiB."""
    log.start()
    r, w = os.pipe()
    log.give(b"first", r)
    for _ in range(4000):
        os.write(w, b"y" * 900 + b"\n")
    os.write(w, b"end\n")
    log.wait_for("first", "end")
    pipes = [os.pipe() for _ in range(1023)]
    for n, (source, _) in enumerate(pipes):
        wait_until(lambda: give(log, b"source number %d" % n, source), "its turn")
    for _, end in pipes:
        os.write(end, b"z" * 1024)
    readers = [wait_until(lambda: ask(log), "its turn") for _ in range(127)]
    for _ in range(2000):
        os.write(w, b"x" * 900 + b"\n")
    os.write(w, b"end again\n")
    log.wait_for("first", "end again")
    assert resident_kib(log, "VmHWM") < 3072
    for reader in readers:
        reader.close()
    for fd in (fd for pair in [*pipes, (r, w)] for fd in pair):
        os.close(fd)
    wait_until(lambda: resident_kib(log) < 2100, "that what is not needed any more is given back")


def give(log, name, fd):
    try:
        log.give(name, fd)
    except BlockingIOError:
        return False
    return True


def ask(log):
    try:
        return log.ask(b"\2")
    except BlockingIOError:
        return None


def test_fifty_readers_some_of_them_stuck(log):
    log.start("-max-lines", "1000")
    readers = []
    for n in range(50):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(SECONDS)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(str(log.query))
        s.sendall(b"\1")
        readers.append(s)
    log.entries()
    ends = []
    for n in range(2):
        r, w = os.pipe()
        log.give(b"s%d" % n, r)
        os.close(r)
        ends.append(w)
    lines = 20000
    for start in range(0, lines, 50):
        for w in ends:
            os.write(w, b"".join(b"%d\n" % n for n in range(start, start + 50)))
    for w in ends:
        os.close(w)
    log.write(b"the", b"end\n")
    for reader in readers:
        got = lost = 0
        with reader, reader.makefile("rb") as f:
            for entry in map(json.loads, f):
                if entry["source"] == "the":
                    break
                if m := re.match(r"(\d+) lines of s\d lost: this reader was too slow", entry["msg"]):
                    lost += int(m[1])
                else:
                    got += 1
        assert got + lost == 2 * lines


# --- options, and what they would do ---

def test_no_file_is_removed_for_a_socket(log):
    precious = log.folder / "precious"
    precious.write_text("x")
    for options in (["-socket-log", precious, "-socket-query", log.query], ["-socket-log", log.sources, "-socket-query", precious]):
        done = subprocess.run([BIN / "memlogd", *options], stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
        assert (done.returncode, done.stderr) == (
            1, f"memlogd: could not bind {precious}: there is something else that is no socket\n")
    assert precious.read_text() == "x"


def test_inherited_descriptors_must_be_what_they_are_for(log):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams, socket.socket(socket.AF_UNIX) as stream:
        for option, s, what in (("-fd-query", datagrams, "stream socket that listens"),
                                ("-fd-query", stream, "stream socket that listens"), ("-fd-log", stream, "datagram socket")):
            done = subprocess.run([BIN / "memlogd", "-socket-query", log.query, "-socket-log", log.sources, option, str(s.fileno())],
                                  pass_fds=[s.fileno()], stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
            assert (done.returncode, done.stderr) == (1, f"memlogd: could not use descriptor {s.fileno()}: it is no {what}\n")


# --- logread ---

def in_logread(line):
    _, source, msg = line.split(";", 2)
    assert source in ("www", "memlogd")
    return source == "memlogd", msg


def in_service_logs(line):
    return line.startswith("memlogd: "), line.removeprefix("memlogd: ")


# service looks for memlogd where it always is: in a /run of their own.
@pytest.mark.parametrize("command, parsed", [("logread -s www -f", in_logread), ("service logs www -f", in_service_logs)])
def test_who_prints_one_source_tells_what_is_lost(log, command, parsed):
    (log.folder / "service").symlink_to(BIN / "svcd")
    log.daemon = log.run(["unshare", "-rm", "sh", "-c", f"mount -t tmpfs none /run && exec {BIN}/memlogd -max-lines 200"])
    run = pathlib.Path(f"/proc/{log.daemon.pid}/root/run")
    log.query, log.sources = run / "memlogdq.sock", run / "linuxkit-external-logging.sock"
    wait_until(log.answers, "memlogd")
    r, w = os.pipe()
    reader = log.run(["nsenter", "-t", log.daemon.pid, "-U", "-m", "--preserve-credentials", "env", f"PATH={log.folder}:{BIN}",
                      *command.split()], stdout=w)
    os.close(w)
    source, writer = os.pipe()
    log.give(b"www", source)
    # Lines are written until it has heard one; then it stands still while more come than its socket and the ring can hold.
    greetings = itertools.count()
    out = collect(open(r, encoding="utf-8"))
    wait_until(lambda: os.write(writer, b"greeting %d\n" % next(greetings)) and out, "that it hears one")
    reader.send_signal(signal.SIGSTOP)
    lines = 20000
    os.write(writer, b"".join(b"%d\n" % n for n in range(lines)))
    log.write(b"other", b"of no interest\n")
    os.write(writer, b"x" * 1030 + b"\nend\n")
    log.wait_for("www", "end")
    log.wait_for("memlogd", "1 lines of www cut: 6 bytes beyond 1024 of a line lost")
    reader.send_signal(signal.SIGCONT)
    cut = "1 lines of www cut: 6 bytes beyond 1024 of a line lost"
    wait_until(lambda: {(False, "end"), (True, cut)} <= {parsed(line.rstrip("\n")) for line in out[-3:]}, "the end")
    heard, lost = [], 0
    for notice, msg in [parsed(line.rstrip("\n")) for line in out]:
        if not notice:
            heard.append(msg)
        elif msg != cut:
            lost += int(re.fullmatch(r"(\d+) lines of www lost: this reader was too slow", msg)[1])
    reader.kill()
    os.close(source)
    os.close(writer)
    missed = int(heard[0].split()[1])  # the greetings before it had asked; -F begins with the oldest
    assert lost > 0 and missed + len(heard) + lost == next(greetings) + lines + 2


def test_logread_waits_for_a_pipe_that_does_not(log):
    log.start("-max-lines", "30000", "-max-bytes", "4000000")
    log.write(b"s", b"".join(b"%d\n" % n for n in range(20000)))
    log.wait_for("s", "19999")
    r, w = os.pipe()
    os.set_blocking(w, False)
    reader = log.run([BIN / "logread", "-socket", log.query, "-s", "s"], stdout=w)
    os.close(w)
    wait_until(lambda: pathlib.Path(f"/proc/{reader.pid}/wchan").read_text() not in ("0", "") or reader.poll() is not None, "it")
    with open(r, "rb") as f:
        assert len(f.read().splitlines()) == 20000
    assert reader.wait(SECONDS) == 0


def test_logread_follows_over_a_clock_that_was_set_back(log):
    def line(second, msg):
        return b'{"time":"2026-01-01T00:00:%02d.000000000Z","source":"x","msg":"%s"}\n' % (second, msg)

    old = line(30, b"A") + line(40, b"B") + line(10, b"C") + line(11, b"D")
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(log.query))
        theirs.listen()
        theirs.settimeout(SECONDS)
        reader = log.run([BIN / "logread", "-socket", log.query, "-F"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for more in (b"", line(12, b"new")):
            connection, _ = theirs.accept()
            with connection:
                connection.recv(1)
                connection.sendall(old + more)
        got = [reader.stdout.readline().decode().split(";")[2] for _ in range(5)]
        assert got == ["A\n", "B\n", "C\n", "D\n", "new\n"]
        reader.send_signal(signal.SIGKILL)
