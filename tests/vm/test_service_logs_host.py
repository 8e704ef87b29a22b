# SPDX-License-Identifier: Apache-2.0
"""`service`'s command line and `service logs`, on the host: with a memlogd and without svcd, no machine is booted."""
import os
import pathlib
import signal
import subprocess
import tempfile

import pytest
from logs import BIN, SECONDS, Log, collect, log, wait_until  # the fixture `log` too
from test_memlogd_faults_host import store  # a fixture


class Place:
    """A /run of its own, where `service` looks for memlogd."""

    def __init__(self, log):
        self.log, self.program = log, log.folder / "service"
        self.program.symlink_to(BIN / "svcd")
        self.process = log.run(["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /run && echo here && exec cat"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"here\n"
        run = pathlib.Path(f"/proc/{self.process.pid}/root/run")
        log.query, log.sources = run / "memlogdq.sock", run / "linuxkit-external-logging.sock"

    def argv(self, *words):
        return ["nsenter", "-t", self.process.pid, "-U", "-m", "--preserve-credentials", self.program, *words]

    def start(self, *words, **kwargs):
        return self.log.run(self.argv(*words), stderr=subprocess.PIPE, **{"stdout": subprocess.PIPE, "text": True, **kwargs})

    def run(self, *words):
        return subprocess.run(list(map(str, self.argv(*words))), capture_output=True, timeout=SECONDS, check=False)


@pytest.fixture
def place(log):
    return Place(log)


def test_usage_errors_are_said_in_a_line(tmp_path):
    (tmp_path / "service").symlink_to(BIN / "svcd")
    for line in ("list foo", "list a b", "boot x", "list -f", "list --dump-spec=x", "stop --json NAME", "status --svg NAME",
                 "status", "status a b", "logs", "logs --json a", "kill", "kill a b c", "wait -f a", "start", "boot -f",
                 "onboot x", "onboot --json", "volumes --sock=/s", "attributes x", "system-init x",
                 "system-init --sock=/s", "-containerd-namespace other system-init", "frob", "-x list"):
        done = subprocess.run([tmp_path / "service", *line.split()], capture_output=True, text=True, timeout=SECONDS,
                              check=False)
        assert (done.returncode, done.stdout) == (100, ""), (line, done)
        assert done.stderr.startswith("service: ") and done.stderr.count("\n") == 1, (line, done)


# --- names ---

def test_names_that_nobody_knows_are_refused(log, place):
    log.start()
    log.write(b"www.out", b"a line\n")
    log.write(b"..", b"a line\n")
    log.write(b"", b"a line\n")
    log.write(b"n" * 300, b"a line\n")
    log.wait_for("www.out", "a line")
    log.wait_for("n" * 255, "a line")
    for name in ("wwww", "ww", "www.out.out", "", ".", "..", "../www", "n" * 256, "n" * 70000, "x\33[31m"):
        for more in ((), ("-f",)):
            done = place.run("logs", "--", name, *more) if not more else place.run("logs", *more, "--", name)
            assert (done.returncode, done.stdout) == (1, b""), (name[:300], done)
            assert done.stderr.startswith(b'service: could not print the log of ') and b'no service "' in done.stderr, done
            assert done.stderr.count(b"\n") == 1 and b"\33" not in done.stderr, done
    assert place.run("logs", "www").stdout == b"a line\n"


def test_a_name_of_which_there_are_lines_can_be_followed(log, place):
    """It is no service's, such as an onboot container's."""
    log.start()
    source, writer = os.pipe()
    log.give(b"onboot.000-dhcpcd", source)
    os.write(writer, b"1\n")
    log.wait_for("onboot.000-dhcpcd", "1")
    out = collect(place.start("logs", "onboot.000-dhcpcd", "-f").stdout)
    wait_until(lambda: out == ["1\n"], "the line that was there")
    os.write(writer, b"2\n")
    wait_until(lambda: out == ["1\n", "2\n"], "the next one")
    os.close(source)
    os.close(writer)


# --- lines ---

def test_a_line_with_a_nul_is_printed_whole(log, place):
    log.start()
    log.write(b"www", b"a\0b\xff\n\0\nc\n")
    log.wait_for("www", "c")
    assert place.run("logs", "www").stdout == "a\0b\ufffd\n\0\nc\n".encode()
    main, sub = os.openpty()
    assert place.start("logs", "www", stdout=sub).wait(SECONDS) == 0
    assert os.read(main, 1000).decode() == "a?b\ufffd\r\n?\r\nc\r\n"
    os.close(main)
    os.close(sub)


# --- memlogd ends, or does not answer ---

def test_a_follower_goes_on_when_memlogd_is_back(log, store, place):
    store.start("-max-lines", "100000", "-max-bytes", "10000000")
    source, writer = os.pipe()
    log.give(b"www", source)
    os.write(writer, b"0\n")
    log.wait_for("www", "0")
    reader = place.start("logs", "www", "-f")
    out, said = collect(reader.stdout), collect(reader.stderr)
    for life in range(1, 6):
        os.write(writer, b"%d\n" % (3 * life - 2))
        wait_until(lambda: out[-1:] == [f"{3 * life - 2}\n"], "a line that is followed")
        wait_until(lambda: store.pump() or 0 in store.kept, "that the source is kept")
        store.kill()
        os.write(writer, b"%d\n" % (3 * life - 1))
        store.start("-max-lines", "100000", "-max-bytes", "10000000")
        os.write(writer, b"%d\n" % (3 * life))
    wait_until(lambda: out[-1:] == ["15\n"], "the last line")
    assert out == [f"{n}\n" for n in range(16)] and not said
    # Another one, that has none of it; and then none any more.
    reader.send_signal(signal.SIGSTOP)
    store.kill()
    log.query.unlink()
    log.sources.unlink()
    log.start()
    reader.send_signal(signal.SIGCONT)
    log.write(b"www", b"after\n")
    wait_until(lambda: out[-1:] == ["after\n"], "the line")
    assert said == ["service: warning: memlogd was restarted, and lines may be missing here\n"]
    log.daemon.kill()
    assert reader.wait(SECONDS) == 1
    wait_until(lambda: len(said) == 2, "that it says so")
    assert said[1] == "service: could not follow the log of www: memlogd has ended\n"
    os.close(source)
    os.close(writer)


def test_a_memlogd_that_does_not_answer_is_said(log, place):
    """Who only waits for lines waits on, as long as memlogd answers others."""
    log.start()
    log.write(b"www", b"a line\n")
    log.wait_for("www", "a line")
    logread = ["logread", "-socket", log.query]
    patient = [place.start("logs", "www", "-f"), log.run([BIN / logread[0], *logread[1:], "-F", "-s", "www"], text=True,
                                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)]
    for reader in patient:
        assert "a line\n" in reader.stdout.readline()
    with tempfile.TemporaryDirectory(prefix="memlogd.") as folder:
        other = Log(pathlib.Path(folder))
        other.start()
        quiet = other.run([BIN / "logread", "-socket", other.query, "-f"], text=True, stdout=subprocess.PIPE)
        out = collect(quiet.stdout)
        os.kill(log.daemon.pid, signal.SIGSTOP)
        readers = [place.start("logs", "www"), place.start("logs", "www", "-f"), place.start("logs", "nosuch")]
        said = [reader.communicate(timeout=SECONDS)[1] for reader in readers + patient]
        os.kill(log.daemon.pid, signal.SIGCONT)
        other.write(b"s", b"still here\n")
        wait_until(lambda: out, "a line")
        assert quiet.poll() is None and "still here" in out[-1]
        other.kill_all()
    assert [reader.returncode for reader in readers + patient] == [1] * 5
    assert said[:4] == [f"service: could not print the log of {name}: memlogd does not answer\n"
                        for name in ("www", "www", "nosuch", "www")]
    assert said[4] == "logread: could not read the log: memlogd does not answer\n"
