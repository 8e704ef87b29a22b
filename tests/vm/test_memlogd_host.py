# SPDX-License-Identifier: Apache-2.0
"""memlogd and logread on the host, no machine is booted. The bytes of LinuxKit's programs were recorded from those of its
commit 3bf33c3a (March 2026): what they send is sent to ours, and ours are asked for what they understand."""
import array
import errno
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess

import pytest
from logs import BIN, SECONDS, collect, log, wait_until  # the fixture `log` too


# --- the protocol, as LinuxKit's programs speak it ---

def test_what_linuxkits_programs_send(log):
    log.start("-max-line-len", "20")
    # logwrite -n NAME: two datagrams from one unnamed, unconnected socket, each with one end of a stream socket pair.
    kept = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        for name in (b"a;b.out", b"a;b"):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            s.sendmsg([name], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))], 0,
                      str(log.sources))
            theirs.close()
            kept.append(ours)
    kept[0].sendall(b'plain\n\nq"\\/<>&\tx\r\nbad\xff\x01\x7f\xc2\x85 \xe2\x80\xa8\xf0\x9f\x98\x80\nabcdefghijklmnopqrstuvwxyz\nlast')
    log.wait_for("a;b.out", "abcdefghijklmnopqrst")
    kept[0].close()
    kept[1].sendall(b"err\n")
    log.wait_for("a;b.out", "last")
    log.wait_for("a;b", "err")
    # logread, logread -f, logread -F: one byte. What their decoder reads are exactly these members, one object a line.
    dump = log.dump()
    assert dump.endswith(b"\n")
    for line in dump.splitlines():
        assert re.fullmatch(rb'\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z","source":"(a;b(\.out)?|memlogd)","msg":".*"\}', line)
    assert [e["msg"] for e in log.entries("a;b.out")] == [
        "plain", "", 'q"\\/<>&\tx', "bad\ufffd\x01\x7f\x85 \u2028\U0001f600", "abcdefghijklmnopqrst", "last"]
    with log.ask(b"\1") as follow, log.ask(b"\2") as both:
        f, b = follow.makefile("rb"), both.makefile("rb")
        assert [b.readline() for _ in dump.splitlines()] == dump.splitlines(True)
        log.entries()  # so that the one before has been heard
        kept[1].sendall(b"new\n")
        for reader in (f, b):
            assert json.loads(reader.readline())["msg"] == "new"
    kept[1].close()


# As LinuxKit's memlogd sends it: local time, a fraction without zeros at its end, Go's escapes.
ANSWER = (rb'{"time":"2026-11-25T16:52:46.01456715+01:00","source":"a;b","msg":"q\"\\/\u003c\u003e\u0026\tx \u2028"}' b"\n"
          rb'{"time":"2026-11-25T15:52:47Z","source":"","msg":""}' b"\n"
          rb'{"time":"2026-11-25T16:52:48.1+01:00","source":"logwrite","msg":"own"}' b"\n"
          b'{"time":"2026-11-25T16:52:48.2+01:00","source":"c","msg":"bad\\ufffd\\u0001\x7f \\ud83d\\ude00"}\n')


class TheirMemlogd:
    """Answers as theirs: the modes it knows; anything else it neither answers nor closes."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.listener.settimeout(SECONDS)

    def accept(self):
        connection, _ = self.listener.accept()
        connection.settimeout(SECONDS)
        return connection, connection.recv(1)

    def asked_by_logwrite(self):
        """It asks for numbered lines; when no answer comes, whether anything else is answered, and then for all."""
        numbered, asked = self.accept()
        assert asked == b"\3"  # which theirs does not answer
        other, asked = self.accept()
        assert asked == b"\0"
        other.close()
        connection, asked = self.accept()
        assert asked == b"\2"
        return numbered, connection


@pytest.mark.parametrize("option, byte", [([], b"\0"), (["-f"], b"\1"), (["-F"], b"\2"), (["-f", "-F"], b"\2")])
def test_logread_understands_theirs(log, option, byte):
    theirs = TheirMemlogd(log.query)
    logread = log.run([BIN / "logread", "-socket", log.query, *option], stdout=subprocess.PIPE)
    connection, asked = theirs.accept()
    assert asked == byte
    theirs.listener.close()  # it does not come back
    with connection:
        connection.sendall(ANSWER)
        connection.shutdown(socket.SHUT_WR)
        out, _ = logread.communicate(timeout=SECONDS)
    assert logread.returncode == 0
    assert out.decode() == ('2026-11-25T15:52:46.014567150Z;a\\;b;q"\\/<>&\tx \u2028\n'
                            "2026-11-25T15:52:47.000000000Z;;\n"
                            "2026-11-25T15:52:48.100000000Z;logwrite;own\n"
                            "2026-11-25T15:52:48.200000000Z;c;bad\ufffd\x01\x7f \U0001f600\n")


def test_logwrite_understands_theirs(log):
    files = log.folder / "log"
    theirs = TheirMemlogd(log.query)
    log.run([BIN / "logwrite", "-socket", log.query, "-log-dir", files])
    numbered, connection = theirs.asked_by_logwrite()
    # The clock was set back meanwhile: the last line's time is not the latest.
    answer = ANSWER + b'{"time":"2026-11-20T10:00:00Z","source":"d","msg":"the clock was set back"}\n'
    connection.sendall(answer)
    wait_until((files / "d.log").exists, "d.log")
    connection.close()  # theirs ends, and another one has the same lines and a new one
    numbered.close()
    numbered, connection = theirs.asked_by_logwrite()
    connection.sendall(answer + b'{"time":"2026-11-20T10:00:01Z","source":"c","msg":"new"}\n')
    wait_until(lambda: "new" in (files / "c.log").read_text(), "the new line")
    assert (files / "a;b.log").read_text() == '2026-11-25T15:52:46Z a;b q"\\/<>&\tx \u2028\n'
    assert (files / "_.log").read_text() == "2026-11-25T15:52:47Z  \n"
    assert (files / "c.log").read_text() == ("2026-11-25T15:52:48Z c bad\ufffd\x01\x7f \U0001f600\n"
                                             "2026-11-20T10:00:01Z c new\n")
    assert (files / "d.log").read_text() == "2026-11-20T10:00:00Z d the clock was set back\n"
    assert not list(files.glob("logwrite*"))
    connection.close()
    numbered.close()


def test_what_logwrite_sends_to_theirs(log):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(log.sources))
        receiver.settimeout(SECONDS)
        log.run([BIN / "logwrite", "-socket", log.sources, "-n", "web", "sh", "-c", "echo out; echo err >&2"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        got = {}
        for _ in range(2):
            name, control, flags, _ = receiver.recvmsg(512, 512)  # their buffers
            [(level, kind, data)] = control
            assert (level, kind, flags & socket.MSG_CTRUNC) == (socket.SOL_SOCKET, socket.SCM_RIGHTS, 0)
            [fd] = array.array("i", data)
            with socket.socket(fileno=fd) as s:
                assert s.type == socket.SOCK_STREAM
                got[name] = s.makefile("rb").read() if name == b"web" else s.recv(100)
        assert got == {b"web.out": b"out\n", b"web": b"err\n"}


# --- memlogd's options ---

def test_inherited_sockets(log):
    with socket.socket(socket.AF_UNIX) as query, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sources:
        query.bind(str(log.query))
        query.listen()
        sources.bind(str(log.sources))
        log.start("-fd-query", query.fileno(), "-fd-log", sources.fileno(), "-socket-query", "/nowhere/q", "-socket-log",
                  "/nowhere/l", pass_fds=(query.fileno(), sources.fileno()))
        log.write(b"s", b"here\n")
        log.wait_for("s", "here")


def elsewhere(log, script):
    """Runs it in namespaces of its own: with an empty /run, and as the first process, with which all others end."""
    for name in ("memlogd", "002-logging"):
        (log.folder / name).symlink_to(BIN / "memlogd")
    sockets = f"-socket-query {log.query} -socket-log {log.sources}"
    return log.run(["unshare", "-rmpf", "--kill-child", "sh", "-c", f"mount -t tmpfs none /run && cd {log.folder} && "
                    + script.replace("SOCKETS", sockets)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("start", ["memlogd -daemonize", "002-logging"])  # the latter: as another PID 1's init.d starts it
def test_daemonize_returns_when_it_can_be_reached(log, start):
    log.daemon = elsewhere(log, f"./{start} SOCKETS -max-lines 3 && echo in the background && exec cat")
    assert log.daemon.stdout.readline() == b"in the background\n"
    log.write(b"s", b"1\n2\n3\n4\n")  # at once
    log.wait_for("s", "4")
    assert [e["msg"] for e in log.entries()] == ["2", "3", "4"]


def test_the_step_waits_for_the_memlogd_of_keelsons_pid_1(log):
    log.daemon = elsewhere(log, "mkdir /run/keelson && { ./002-logging SOCKETS || echo failed $?; } && { ./memlogd SOCKETS & } && "
                           "./002-logging SOCKETS && echo there && exec cat")
    assert log.daemon.stdout.readline() == b"failed 1\n"  # and it did not become one itself
    assert log.daemon.stderr.readline() == b"memlogd: the memlogd that PID 1 has started does not answer yet\n"
    assert log.daemon.stdout.readline() == b"there\n"
    log.write(b"s", b"line\n")
    log.wait_for("s", "line")


@pytest.mark.parametrize("options, why", [
    (["-max-lines", "0"], "-max-lines wants a number from 1 to 10000000"), (["-max-line-len", "16385"], "-max-line-len wants"),
    (["-max-bytes", "65535"], "-max-bytes wants a number from 65536"), (["-fd-log", "x"], "-fd-log wants a number"),
    (["-socket-query"], "-socket-query wants a value"), (["-what"], "there is no option -what"), (["x"], "there is no use for"),
    (["-socket-log", "/tmp/" + "l" * 200], "could not make the socket"), (["-fd-log", "99"], "could not use descriptor 99")])
def test_memlogd_says_what_is_wrong(log, options, why):
    done = subprocess.run([BIN / "memlogd", "-socket-query", log.query, *options], check=False, stderr=subprocess.PIPE, text=True,
                          timeout=SECONDS)
    assert done.returncode == 1 and done.stderr.startswith(f"memlogd: {why}"), done.stderr


def test_one_is_enough(log):
    log.start()
    done = subprocess.run([BIN / "memlogd", "-socket-query", log.query, "-socket-log", log.sources], check=False,
                          stderr=subprocess.PIPE, text=True, timeout=SECONDS)
    assert done.returncode == 1 and "another one answers there" in done.stderr


def test_memory_and_sums_of_a_flood(log):
    """With the default ring under 3 MiB, however much comes by; every line delivered or told lost, to each follower."""
    log.start()
    readers = [log.ask(mode) for mode in (b"\1", b"\1", b"\2")]
    log.entries()
    lines = 300000
    log.write(b"s", b"".join(b"%d %s\n" % (n, b"x" * 90) for n in range(lines)))
    log.write(b"t", b"end\n")
    for reader in readers:
        got = lost = 0
        with reader, reader.makefile("rb") as f:
            for entry in map(json.loads, f):
                if entry["source"] == "s":
                    assert int(entry["msg"].split()[0]) == got + lost  # told where they are missing
                    got += 1
                elif m := re.match(r"(\d+) lines of s lost", entry["msg"]):
                    lost += int(m[1])
                elif entry["source"] == "t":
                    break
        assert got + lost == lines
    resident = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{log.daemon.pid}/status").read_text())
    assert int(resident[1]) < 3072


# --- hostile sources ---

def give_if_there_is_room(log, name, fds):
    """An ordinary user may not have more descriptors on their way than it may have open."""
    try:
        log.give(name, *fds)
    except OSError as e:
        assert e.errno == errno.ETOOMANYREFS
        return False
    return True


def test_ten_thousand_descriptors(log):
    log.start("-max-lines", "100000")
    r, w = os.pipe()
    for _ in range(40):
        wait_until(lambda: give_if_there_is_room(log, b"many", [r] * 250), "its turn")
    wait_until(lambda: len(os.listdir(f"/proc/{log.daemon.pid}/fd")) > 1024, "the sources")

    def refused():
        said = [e["msg"] for e in log.entries("memlogd")]
        return (sum(m == "source many refused: there are too many already" for m in said)
                + sum(int(m[1]) for m in (re.fullmatch(r"(\d+) more sources refused", s) for s in said) if m))
    wait_until(lambda: refused() == 10000 - 1024, "that 8976 are refused")
    os.write(w, b"".join(b"%d\n" % i for i in range(1000)))
    wait_until(lambda: len(log.entries("many")) == 1000, "each line once, by whoever read it")
    os.close(w)
    os.close(r)
    wait_until(lambda: len(os.listdir(f"/proc/{log.daemon.pid}/fd")) < 20, "that all are closed")


def test_descriptors_that_are_none_of_its(log):
    log.start()
    directory, file, null = os.open("/", os.O_RDONLY), os.open("/etc/passwd", os.O_RDONLY), os.open("/dev/null", os.O_WRONLY)
    r, w = os.pipe()
    # It may not read, it may not be waited for, or it has been given and taken back; and names of any bytes and length.
    for name, fd in ((b"dir", directory), (b"file", file), (b"write-only", null), (b"pipe's other end", w)):
        log.give(name, fd)
    log.give(b"n" * 65536, r)
    log.give(b"\x1b[2J\xff\n\0;", r)
    os.set_blocking(r, True)  # it is the same open file: memlogd would wait in a read for ever
    os.write(w, b"one\ntwo\n")
    long_name = "n" * 255
    wait_until(lambda: len(log.entries(long_name)) + len(log.entries("?[2J\ufffd??;")) == 2, "the two lines")
    assert log.entries("memlogd")[0]["msg"] == "memlogd started"  # it still answers
    assert "source dir refused: its descriptor is no pipe and no socket" in [e["msg"] for e in log.entries("memlogd")]
    wait_until(lambda: any(re.fullmatch("3 more sources refused", e["msg"]) for e in log.entries("memlogd")), "the rest")
    for fd in (directory, file, null, r, w):
        os.close(fd)


def test_a_process_that_may_have_few_descriptors(log):
    log.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
    r, w = os.pipe()
    log.give(b"many", *[r] * 100)
    os.write(w, b"still\n")
    os.close(w)
    os.close(r)
    log.wait_for("many", "still")
    assert any("too many descriptors are open" in e["msg"] for e in log.entries("memlogd"))


@pytest.mark.parametrize("started_by", [[], ["unshare", "-r"], ["unshare", "-r", "setpriv", "--inh-caps=-all", "--bounding-set=-all"]])
def test_powers_are_given_up(log, started_by):
    """As PID 1 starts it; as root of a user namespace that has no other user; as root without capabilities."""
    log.start(started_by=started_by)
    log.entries()
    status = pathlib.Path(f"/proc/{log.daemon.pid}/status").read_text()
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert re.search(rf"^{name}:\s+0+$", status, re.M), status
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M) and re.search(r"^Seccomp:\s+2$", status, re.M)
    if os.getuid() == 0 and not started_by:
        assert re.search(r"^Uid:\s+64646\s+64646\s+64646\s", status, re.M)
        assert re.search(r"^Groups:\s*$", status, re.M)


# --- syslog ---

def test_syslog_and_paths_of_three_sources(log):
    dev_log = log.folder / "log"
    log.start("-socket-syslog", dev_log)
    assert oct(dev_log.stat().st_mode)[-3:] == "666"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect(str(dev_log))
        for message in (b"<14>Jan  2 03:04:05 cron[7]: hello", b"<34>1 2003-10-11T22:14:15.003Z h su - ID47 - text\nmore",
                        b"no name", b"<14>memlogd: 7 lines of x lost", b"<14>long: " + b"l" * 3000, b"", b"\0" * 100):
            s.send(message)
    wait_until(lambda: len(log.entries()) >= 9, "the lines")
    said = [(e["source"], e["msg"]) for e in log.entries() if e["source"] != "memlogd"]
    assert said == [("cron", "hello"), ("su", "text"), ("su", "more"), ("syslog", "no name"),
                    ("syslog.memlogd", "7 lines of x lost"), ("long", "l" * 1024), ("syslog", "")]
    log.wait_for("memlogd", "1 lines of long cut: 1976 bytes beyond 1024 of a line lost")


# --- logread ---

def test_logread_options(log):
    log.start()
    log.write(b"a;1", b"one\ntwo\nthree\n")
    log.wait_for("a;1", "three")
    log.write(b"b", b"\x1b[31mred\n")
    log.wait_for("b", "\x1b[31mred")
    lines = log.logread().stdout.splitlines()
    assert [line.split(";", 1)[1] for line in lines] == ["memlogd;memlogd started", "a\\;1;one", "a\\;1;two", "a\\;1;three",
                                                         "b;\x1b[31mred"]
    assert log.logread("-n", "2").stdout.splitlines() == lines[-2:]
    assert log.logread("-n", "0").stdout == ""
    assert log.logread("-n", "1", "-s", "a;1").stdout.splitlines() == [lines[3]]
    assert log.logread("--n=100").stdout.splitlines() == lines
    assert log.logread("-s", "a").stdout == ""
    assert [json.loads(line)["msg"] for line in log.logread("--json", "-s", "a;1").stdout.splitlines()] == ["one", "two", "three"]
    assert log.logread("-json").stdout.encode() == log.dump()
    when = lines[2].split(";")[0]
    assert log.logread("--since", when).stdout.splitlines() == lines[2:]
    assert log.logread("-since", when, "-n", "1").stdout.splitlines() == lines[-1:]
    assert log.logread("--since", "3600").stdout.splitlines() == lines
    assert log.logread("--since", "2200-01-01T00:00:00Z").stdout == ""


@pytest.mark.parametrize("options, why", [
    (["-n", "x"], '-n wants a number from 0 to 1000000, not "x"'), (["-n", "-1"], "-n wants a number"),
    (["-n", "1000001"], "-n wants a number"), (["-n"], "-n wants a value"), (["-s"], "-s wants a value"),
    (["--since", "yesterday"], '-since wants a time like 2024-01-02T03:04:05Z, or seconds, not "yesterday"'),
    (["--since", "2024-01-02T03:04:05"], "-since wants a time"), (["--since", "-5"], "-since wants a time"),
    (["--since", ""], "-since wants a time"), (["--json=maybe"], '-json is true or false, not "maybe"'),
    (["-x"], "there is no option -x"), (["more"], 'there is no use for "more"')])
def test_logread_says_what_is_wrong(log, options, why):
    done = log.logread(*options, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"logread: {why}") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("options", [[], ["-n", "1000"], ["-json"], ["-F"]])
def test_logread_says_that_it_could_not_print(log, options):
    log.start()
    log.write(b"s", b"line\n" * 1000)
    wait_until(lambda: len(log.entries("s")) == 1000, "the lines")
    argv = [BIN / "logread", "-socket", log.query, *options]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stderr) == (1, "logread: could not print the log: No space left on device\n")
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *argv], stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stderr) == (1, "logread: could not print the log: Bad file descriptor\n")


def test_logread_without_memlogd(log):
    done = log.logread(check=False)
    assert (done.returncode, done.stderr) == (1, f"logread: could not connect to {log.query}: No such file or directory\n")


def test_logread_follows(log):
    """Nobody can see from outside when a reader has asked: lines are written until each of them has got one."""
    log.start()
    r, w = os.pipe()
    log.give(b"s", r)
    written = []

    def write(msg):
        written.append(msg)
        os.write(w, f"{msg}\n".encode())

    write("old1")
    write("old2")
    log.wait_for("s", "old2")
    readers = {options: log.run([BIN / "logread", "-socket", log.query, "-s", "s", *options.split()], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True) for options in ("-f", "-F", "-F -n 1", "-f -n 0")}
    out = {options: collect(reader.stdout) for options, reader in readers.items()}
    wait_until(lambda: out["-F -n 1"], "the newest line of the dump")  # before there are newer ones
    wait_until(lambda: write(f"new{len(written)}") or all(any(";new" in line for line in lines) for lines in out.values()),
               "that each has heard one")
    write("last")
    wait_until(lambda: all(lines[-1].endswith(";last\n") for lines in out.values()), "that each has heard all")
    got = {options: [line.rstrip("\n").split(";", 2)[2] for line in lines] for options, lines in out.items()}
    assert got["-F"] == written
    assert got["-F -n 1"] == written[1:]
    for options in ("-f", "-f -n 0"):  # nothing old, and nothing missing from their first line on
        assert got[options][0].startswith("new") and got[options] == written[-len(got[options]):], options
    os.close(w)
    os.close(r)
    # A new memlogd, whose log is another one. They do not look until it is there: they would not wait for it for ever.
    for reader in readers.values():
        reader.send_signal(signal.SIGSTOP)
    log.daemon.kill()
    log.daemon.wait()
    log.start()
    for reader in readers.values():
        reader.send_signal(signal.SIGCONT)
    log.write(b"s", b"after\n")
    for options, reader in readers.items():
        wait_until(lambda lines=out[options]: lines[-1].endswith(";after\n"), options)
        assert reader.stderr.readline() == "logread: warning: memlogd was restarted, and lines may be missing here\n"
    log.daemon.kill()
    log.daemon.wait()
    assert [(reader.wait(SECONDS), reader.stderr.read()) for reader in readers.values()] == [(0, "")] * len(readers)


def test_a_terminal_is_not_steered(log):
    log.start()
    log.write(b"s\x1b", b"\x1b[31mred\xc2\x9b\ttab\x7f\n")
    log.wait_for("s?", "\x1b[31mred\x9b\ttab\x7f")
    main, sub = os.openpty()
    log.run([BIN / "logread", "-socket", log.query, "-s", "s?"], stdout=sub).wait(SECONDS)
    assert os.read(main, 1000).decode().rstrip().split(";", 1)[1] == "s?;\\x1b[31mred\\x9b\ttab\\x7f"
