# SPDX-License-Identifier: Apache-2.0
"""logwrite, both of its jobs, and kmsg on the host, no machine is booted."""
import fcntl
import os
import pathlib
import re
import resource
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest
from logs import BIN, SECONDS, collect, log, wait_until  # the fixture `log` too


# --- logwrite -n NAME COMMAND ---

def tee(log, *command, name="job", **kwargs):
    return subprocess.run([BIN / "logwrite", "-socket", log.sources, "-n", name, *command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=SECONDS, check=False, **kwargs)


def test_logwrite_runs_a_command(log):
    log.start()
    done = tee(log, "sh", "-c", "cat; echo err >&2; exit 7", input=b"from stdin\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"from stdin\n", b"err\n")
    log.wait_for("job.out", "from stdin")
    log.wait_for("job", "err")
    for status in (0, 1, 126, 127, 255):
        assert tee(log, "sh", "-c", f"exit {status}").returncode == status
    assert tee(log, "sh", "-c", "kill -9 $$").returncode == 128 + 9
    assert tee(log, "sh", "-c", "kill -SEGV $$").returncode == 128 + 11
    missing = tee(log, "/nowhere/at-all")
    assert missing.returncode == 1 and b"/nowhere/at-all" in missing.stderr
    # What a child of the command says after the command has ended.
    done = tee(log, "sh", "-c", "(sleep 0.3; echo late) & exit 3")
    assert (done.returncode, done.stdout) == (3, b"late\n")
    log.wait_for("job.out", "late")
    # Without a name it is the command's.
    subprocess.run([BIN / "logwrite", "-socket", log.sources, "sh", "-c", "echo mine"], check=True, stdout=subprocess.DEVNULL)
    log.wait_for("sh.out", "mine")
    assert subprocess.run([BIN / "logwrite", "-n", "x"], stderr=subprocess.PIPE, check=False).returncode == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
                                    signal.SIGUSR2, signal.SIGWINCH])
def test_logwrite_passes_signals_on(log, number):
    log.start()
    job = log.run([BIN / "logwrite", "-socket", log.sources, "-n", "job", "sh", "-c",
                   f"trap 'echo got it; exit 42' {int(number)}; echo ready; while :; do sleep 0.05; done"],
                  stdout=subprocess.PIPE)
    assert job.stdout.readline() == b"ready\n"
    job.send_signal(number)
    assert job.wait(SECONDS) == 42
    log.wait_for("job.out", "got it")


def test_logwrite_runs_a_command_without_memlogd(log):
    done = tee(log, "sh", "-c", "echo out; exit 5")
    assert (done.returncode, done.stdout) == (5, b"out\n")
    assert b"memlogd does not answer" in done.stderr and b"4 bytes of job.out did not get into the log" in done.stderr


def test_a_command_waits_for_a_busy_memlogd_and_still_gets_signals(log):
    log.start()
    os.kill(log.daemon.pid, signal.SIGSTOP)
    job = log.run([BIN / "logwrite", "-socket", log.sources, "-n", "job", "sh", "-c",
                   "trap 'exit 9' TERM; (i=0; while [ $i -lt 60000 ]; do echo line $i; i=$((i+1)); done) & wait"],
                  stdout=subprocess.DEVNULL)
    stat = pathlib.Path(f"/proc/{job.pid}/io")
    before = -1
    while (now := int(re.search(r"wchar: (\d+)", stat.read_text())[1])) != before or now == 0:  # until it stands still
        before = now
        time.sleep(0.2)
    job.terminate()
    os.kill(log.daemon.pid, signal.SIGCONT)
    assert job.wait(SECONDS) == 9
    log.wait_for("job.out", "line 59999")
    lost = [int(m[1]) for e in log.entries("memlogd") if (m := re.match(r"(\d+) lines", e["msg"]))]
    assert not lost


# --- logwrite, the service ---

def numbers(path, source):
    return [int(line.split()[-1]) for line in path.read_text().splitlines() if f" {source} " in line]


def place_is_at_the_end(log, files):
    """Of a log that has lost none of its lines: the first one has number 1."""
    place = files / ".logwrite.place"
    return place.exists() and struct.unpack("QQQ", place.read_bytes())[2] == 1 + len(log.entries())


def test_a_logwrite_that_is_killed_goes_on(log):
    files = log.folder / "log"
    log.start("-max-lines", "100000")
    argv = [BIN / "logwrite", "-socket", log.query, "-log-dir", files]
    r, w = os.pipe()
    log.give(b"s", r)
    for i in range(10):
        writer = log.run(argv)
        os.write(w, b"".join(b"%d\n" % n for n in range(100 * i, 100 * i + 100)))
        wait_until(lambda: (files / "s.log").exists() and numbers(files / "s.log", "s")[-1:] == [100 * i + 99], "the lines")
        wait_until(lambda: place_is_at_the_end(log, files), "its place")
        writer.kill()
        writer.wait()
    assert numbers(files / "s.log", "s") == list(range(1000))
    os.close(w)
    os.close(r)


def test_a_file_that_cannot_be_one_stops_no_other(log):
    files = log.folder / "log"
    (files / "bad.log").mkdir(parents=True)
    log.start()
    writer = log.run([BIN / "logwrite", "-socket", log.query, "-log-dir", files], stderr=subprocess.PIPE, text=True)
    log.write(b"bad", b"one\n")
    assert writer.stderr.readline() == f"logwrite: could not open {files}/bad.log: Is a directory; 1 lines are lost\n"
    log.write(b"bad", b"two\nthree\n")
    log.write(b"good", b"four\n")
    wait_until((files / "good.log").exists, "good.log")
    told = collect(writer.stderr)

    def both_are_told():  # at most once a second, with any line that comes
        log.write(b"good", b"more\n")
        return sum(int(re.search(r"Is a directory; (\d) lines are lost", line)[1]) for line in told) == 2
    wait_until(both_are_told, "the other two lines")


# Without what is mounted already: an ordinary user's has numbers that are not in the namespace.
REMOUNT = "mount --options-mode ignore -o remount"


def in_namespace(process, script):
    subprocess.run(["nsenter", "-t", str(process.pid), "-U", "-m", "--preserve-credentials", "sh", "-c", script], check=True)


def test_a_full_disk_and_a_read_only_one(log):
    """Lines wait in the ring; what that loses is counted: written = in the file + reported lost."""
    files = log.folder / "disk"
    files.mkdir()
    log.start("-max-lines", "500")
    writer = log.run(["unshare", "-rm", "sh", "-c",
                      f"mount -t tmpfs -o size=64k,ro none {files} && exec {BIN}/logwrite -socket {log.query} -log-dir {files}"],
                     stderr=subprocess.PIPE, text=True)
    root = pathlib.Path(f"/proc/{writer.pid}/root{files}")
    assert re.search(r"Read-only file system; trying again$", writer.stderr.readline())
    r, w = os.pipe()
    log.give(b"s", r)
    os.write(w, b"0\n")
    log.wait_for("s", "0")
    in_namespace(writer, f"{REMOUNT},rw {files}")
    assert writer.stderr.readline().startswith("logwrite: writing again, after ")
    wait_until(lambda: (root / "s.log").exists() and numbers(root / "s.log", "s") == [0], "the line that waited")
    in_namespace(writer, f"head -c 200000 /dev/zero >{files}/filling 2>/dev/null || :")
    for start in range(1, 20001, 1000):
        os.write(w, b"".join(b"%d\n" % n for n in range(start, start + 1000)))
        log.wait_for("s", str(start + 999))
    assert re.search(r"No space left on device; trying again$", writer.stderr.readline())
    in_namespace(writer, f"rm {files}/filling; {REMOUNT},size=8m {files}")
    wait_until(lambda: numbers(root / "s.log", "s")[-1:] == [20000], "the last line")
    got = numbers(root / "s.log", "s")
    assert got == sorted(set(got))
    lost = sum(int(m[1]) for m in re.finditer(r"memlogd (\d+) lines of s lost: this reader was too slow", (root / "memlogd.log").read_text()))
    assert lost > 0 and len(got) + lost == 20001
    os.close(w)
    os.close(r)


def test_compressed_rotation(log):
    files = log.folder / "log"
    log.start()
    log.run([BIN / "logwrite-zstd", "-socket", log.query, "-log-dir", files, "-max-log-size", "20000", "-max-log-files", "3",
             "-compress", "-fsync", "rotate"])
    log.write(b"s", b"".join(b"%d\n" % n for n in range(4000)))
    wait_until((files / "s.log.2.zst").exists, "three rotated files")
    wait_until(lambda: numbers(files / "s.log", "s")[-1:] == [3999] if (files / "s.log").exists() else False, "the last line")
    got = []
    for name in ("s.log.2.zst", "s.log.1.zst", "s.log.0.zst"):
        got += subprocess.run(["zstd", "-dc", files / name], check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()
    got = [int(line.split()[-1]) for line in got] + numbers(files / "s.log", "s")
    assert got == list(range(got[0], 4000)) and len(got) > 1500
    assert sorted(p.name for p in files.glob("s.log*")) == ["s.log", "s.log.0.zst", "s.log.1.zst", "s.log.2.zst"]
    done = subprocess.run([BIN / "logwrite", "-compress", "-log-dir", files], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "built without zstd" in done.stderr


# --- kmsg ---

def test_kmsg_prints_records_and_what_is_missing():
    r, w = os.pipe2(os.O_DIRECT | os.O_NONBLOCK)  # a read takes one write, as from /dev/kmsg
    for record in (b"6,5,0,-;first\n SUBSYSTEM=x\n DEVICE=y\n", b"4,6,1500000,-;second \\x1b[31m\n", b"nonsense",
                   b"6,9,2000000,-,caller=T1;third\n"):
        os.write(w, record)
    done = subprocess.run([BIN / "kmsg", "-once", "-device", f"/proc/self/fd/{r}"], stderr=subprocess.PIPE, text=True,
                          pass_fds=[r], check=True, timeout=SECONDS)
    assert re.fullmatch(r"""kmsg: 5 records lost before it was started
\(5\) - \S+Z: first
\(6\) - \S+Z: second \\x1b\[31m
kmsg: could not understand a record of 8 bytes
kmsg: 2 records lost
\(9\) - \S+Z: third
""", done.stderr), done.stderr
    os.close(r)
    os.close(w)


# --- faults ---

def start_logwrite(log, files, *options, **kwargs):
    return log.run([BIN / "logwrite", "-socket", log.query, "-log-dir", files, *options], stderr=subprocess.PIPE, text=True, **kwargs)


def text_of(path):
    return path.read_text() if path.exists() else ""


def test_a_log_directory_that_is_removed(log):
    files = log.folder / "log"
    log.start()
    writer = start_logwrite(log, files)
    r, w = os.pipe()
    log.give(b"s", r)
    os.write(w, b"1\n")
    wait_until(lambda: text_of(files / "s.log").endswith(" 1\n"), "the first line")
    shutil.rmtree(files)
    os.write(w, b"2\n3\n")
    log.write(b"t", b"4\n")
    wait_until(lambda: text_of(files / "t.log").endswith(" 4\n"), "the last line")
    assert numbers(files / "s.log", "s") == [2, 3]
    # Its place is there again, too: a new logwrite goes on.
    wait_until(lambda: place_is_at_the_end(log, files), "its place")
    writer.kill()
    writer.wait()
    start_logwrite(log, files)
    os.write(w, b"5\n")
    wait_until(lambda: numbers(files / "s.log", "s")[-1:] == [5], "the new one's line")
    assert numbers(files / "s.log", "s") == [2, 3, 5]
    os.close(w)
    os.close(r)


def test_a_rotation_that_fails_feeds_no_loop(log):
    """Its own stderr is in the log, under its service's name, as in examples/logging.yml."""
    files = log.folder / "log"
    (files / "rotator.log.9").mkdir(parents=True)
    log.start()
    r, w = os.pipe()
    log.give(b"rotator", r)
    log.run([BIN / "logwrite", "-socket", log.query, "-log-dir", files, "-max-log-size", "1000"], stderr=w)
    os.write(w, b"".join(b"message number %d makes the file large enough\n" % n for n in range(200)))
    log.write(b"other", b"end\n")
    wait_until(lambda: text_of(files / "other.log"), "the last line")
    wait_until(lambda: "could not rotate" in text_of(files / "rotator.log"), "that it is told")
    for n in range(100):  # each of these lines is one more occasion
        log.write(b"other", b"%d\n" % n)
    wait_until(lambda: text_of(files / "other.log").endswith(" 99\n"), "the last line")
    said = [line for line in text_of(files / "rotator.log").splitlines() if "could not rotate" in line]
    assert len(said) < 8  # the pauses are 1, 2, 4, ... s
    os.close(w)
    os.close(r)


def test_only_its_own_output_is_left_out(log):
    files = log.folder / "log"
    log.start()
    start_logwrite(log, files)
    for name in (b"logwrite", b"logwrite.out", b"logwriter-app", b"logwrite-shop.out"):
        log.write(name, b"line\n")
    log.write(b"the", b"end\n")
    wait_until(lambda: text_of(files / "the.log"), "the last line")
    assert sorted(p.name for p in files.glob("log*.log")) == ["logwrite-shop.out.log", "logwriter-app.log"]


def test_a_file_that_may_not_grow_is_its_own_problem(log):
    files = log.folder / "log"
    log.start()
    writer = start_logwrite(log, files, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
    log.write(b"big", b"x" * 1000 + b"\n" + b"y" * 1000 + b"\n" + b"z" * 1000 + b"\n" + b"0" * 1000 + b"\n" + b"1" * 1000 + b"\n")
    log.write(b"small", b"line\n")
    wait_until(lambda: text_of(files / "small.log"), "the other file")
    assert re.search(r"could not write .*big.log: File too large; \d lines are lost", writer.stderr.readline())
    assert len(text_of(files / "big.log").splitlines()) == 3 and writer.poll() is None


def test_a_command_whose_output_is_non_blocking(log):
    log.start("-max-lines", "60000", "-max-bytes", "10000000")
    r, w = os.pipe()
    os.set_blocking(w, False)
    job = log.run([BIN / "logwrite", "-socket", log.sources, "-n", "job", "seq", "1", "50000"], stdout=w, stderr=subprocess.PIPE)
    os.close(w)
    wait_until(lambda: len(log.entries("job.out")) > 1000, "that the pipe is full")
    with open(r, "rb") as f:
        assert f.read() == b"".join(b"%d\n" % n for n in range(1, 50001))
    assert (job.wait(SECONDS), job.stderr.read()) == (0, b"")
    wait_until(lambda: len(log.entries("job.out")) == 50000, "all lines")


def test_a_command_gets_signals_while_its_output_is_full(log):
    log.start()
    r, w = os.pipe()
    job = log.run([BIN / "logwrite", "-socket", log.sources, "-n", "job", "sh", "-c",
                   "trap 'kill $!; echo got it >&2; exit 9' TERM; yes line & wait"], stdout=w, stderr=subprocess.PIPE)
    os.close(w)
    wait_until(lambda: fionread(r) >= 61440, "that the pipe is full")
    job.terminate()
    assert job.stderr.readline() == b"got it\n"  # nobody has read stdout
    with open(r, "rb") as f:
        f.read()
    assert job.wait(SECONDS) == 9


def fionread(fd):
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4), "little")


def test_what_an_output_does_not_take_is_told(log):
    log.start()
    with open("/dev/full", "wb") as full:
        done = subprocess.run([BIN / "logwrite", "-socket", log.sources, "-n", "job", "echo", "hello"], stdout=full,
                              stderr=subprocess.PIPE, timeout=SECONDS, check=True)
    assert done.stderr == b"logwrite: warning: 6 bytes of job.out did not get out: No space left on device\n"
    log.wait_for("job.out", "hello")


def test_kmsg_waits_for_a_pipe_that_does_not():
    r, w = os.pipe2(os.O_DIRECT | os.O_NONBLOCK)
    out_r, out_w = os.pipe()
    os.set_blocking(out_w, False)
    fcntl.fcntl(w, fcntl.F_SETPIPE_SZ, 1 << 20)
    records = 250
    for n in range(records):
        os.write(w, b"6,%d,0,-;" % n + b"k" * 900 + b"\n")
    os.close(w)
    kmsg = subprocess.Popen([BIN / "kmsg", "-device", f"/proc/self/fd/{r}"], stderr=out_w, pass_fds=[r])
    os.close(out_w)
    os.close(r)
    with open(out_r, "rb") as f:
        assert len(f.read().splitlines()) == records
    assert kmsg.wait(SECONDS) == 0
