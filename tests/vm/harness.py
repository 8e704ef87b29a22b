# SPDX-License-Identifier: Apache-2.0
"""Builds appliances with `keelson build`, boots them with `keelson run --accel tcg`, and talks to the guest.

A test needs two fixtures only (conftest.py):

    def test_something(build, boot):
        image = build(HELLO)                     # YAML text or a path; the test agent is added to it
        vm = boot(image)
        vm.wait_console("login:")
        assert vm.run("cat /etc/hostname").stdout == "hello\\n"
        assert vm.json("service boot --json")["version"] == 1
        assert vm.poweroff() == 0

Nothing sleeps for luck and nothing waits without a deadline. The whole machine has one too.
"""
import base64
import json
import os
import re
import shlex
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
KEELSON = Path(os.environ.get("KEELSON", REPO / "build/bin/keelson"))
BUSYBOX = Path(os.environ.get("KEELSON_TEST_BUSYBOX", "/bin/busybox"))
PORT = "keelson.test"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
ESCAPE_BEGUN = re.compile(r"\x1b(\[[0-9;?]*)?$")
# A guard against what never ends; thirty times what a boot takes on two cores of its own: a slow machine is no failure.
BOOT_SECONDS = int(os.environ.get("KEELSON_TEST_BOOT_SECONDS", "300"))
BUILD_SECONDS = BOOT_SECONDS
MACHINE_SECONDS = 2 * BOOT_SECONDS

AGENT_FILES = f"""
  - path: usr/lib/keelson-test/busybox
    source: {BUSYBOX}
    mode: "0755"
  - path: usr/lib/keelson-test/agent.sh
    source: {HERE / "agent.sh"}
    mode: "0644"
  - path: etc/init.d/001-test-agent
    source: {HERE / "agent-init.sh"}
    mode: "0755"
"""


class GuestError(AssertionError):
    """The machine did not do what was waited for."""


@dataclass
class Result:
    status: int
    stdout: str
    stderr: str


@dataclass
class Build:
    """What `keelson build` did; `name` is the path to give to `keelson run`."""
    name: Path
    status: int
    stdout: str
    stderr: str


def keelson(*args, timeout=BUILD_SECONDS, **kwargs):
    """Runs the host command; returns subprocess.CompletedProcess with text output."""
    return subprocess.run([str(KEELSON), *map(str, args)], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, **kwargs)


def with_agent(yaml):
    """The YAML with the agent's files put in at the head of its `files:` list (which is added if there is none)."""
    found = re.search(r"^files:[ \t]*$", yaml, re.M)
    if found:
        return yaml[:found.end()] + AGENT_FILES.rstrip("\n") + yaml[found.end():]
    return yaml.rstrip("\n") + "\nfiles:" + AGENT_FILES


def build(yaml, folder, name="appliance", agent=True):
    """Runs `keelson build` on the text; never raises for a failed build: look at `status`.

    On a busy machine the emulated timer can be too late for the kernel's check of it, which then panics: no check.
    """
    folder.mkdir(parents=True, exist_ok=True)
    yaml = re.sub(r'^(  cmdline: "[^"]*)"$', r'\1 no_timer_check"', yaml, count=1, flags=re.M)
    source = folder / f"{name}.yml"
    source.write_text(with_agent(yaml) if agent else yaml)
    done = keelson("build", "--dir", folder, "--name", name, source)
    return Build(folder / name, done.returncode, done.stdout, done.stderr)


class Transcript:
    """What a terminal was sent, without escape sequences; it can be waited for."""

    def __init__(self, name, fail):
        self.text = ""
        self.ended = False
        self._name = name
        self._fail = fail
        self._rest = ""  # an escape sequence whose end has not come yet
        self._changed = threading.Condition()

    def feed(self, data):
        """Takes bytes; none: that was the end."""
        text = self._rest + data.decode("utf-8", "replace")
        begun = ESCAPE_BEGUN.search(text)
        text, self._rest = (text[:begun.start()], text[begun.start():]) if begun else (text, "")
        with self._changed:
            self.ended = not data
            self.text += ESCAPE.sub("", text)
            self._changed.notify_all()

    def wait(self, pattern, timeout, start=0):
        deadline = time.monotonic() + timeout
        expression = re.compile(pattern, re.M)
        with self._changed:
            while not (match := expression.search(self.text, start)):
                left = deadline - time.monotonic()
                if left <= 0:
                    self._fail(f"no {pattern!r} on {self._name} within {timeout} s", self.text)
                if self.ended:
                    self._fail(f"the machine ended before it said {pattern!r} on {self._name}", self.text)
                self._changed.wait(min(left, 1))
        return match


def fail(what, text):
    raise GuestError(f"{what}; the last that was seen:\n" + "\n".join(text.splitlines()[-30:]))


def connect(folder, name):
    """A Unix socket in a folder; its path may have 107 bytes only, so it is named from an open folder."""
    port = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    opened = os.open(folder, os.O_PATH)
    try:
        port.connect(f"/proc/self/fd/{opened}/{name}")
    except OSError:
        port.close()
        raise
    finally:
        os.close(opened)
    return port


class Line:
    """Another terminal of a machine, on a Unix socket. What it was sent is in FOLDER/NAME.log, too."""

    def __init__(self, folder, name, timeout=BOOT_SECONDS):
        deadline = time.monotonic() + timeout
        self.name = name
        self._folder = folder
        self._transcript = Transcript(name, fail)
        self._reading = threading.Event()
        self._reading.set()
        while True:
            try:
                self._socket = connect(folder, f"{name}.sock")
                break
            except OSError:
                if time.monotonic() > deadline:
                    fail(f"{name} cannot be reached", "")
                time.sleep(0.05)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self):
        return self._transcript.text

    def _read(self):
        with open(self._folder / f"{self.name}.log", "wb") as log:
            data = b"-"
            while data:
                self._reading.wait()
                try:
                    data = self._socket.recv(65536)
                except OSError:
                    data = b""
                log.write(data)
                log.flush()
                self._transcript.feed(data)

    def stop_reading(self):
        """From now on nobody takes what the guest writes: its line fills up and blocks."""
        self._reading.clear()

    def wait(self, pattern, timeout=BOOT_SECONDS, start=0):
        return self._transcript.wait(pattern, timeout, start)

    def type(self, text):
        self._socket.sendall(text.encode() if isinstance(text, str) else text)

    def close(self):
        self._reading.set()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the machine has closed it
        self._reader.join(5)
        self._socket.close()


class Machine:
    """
    One running appliance. The console goes to FOLDER/console.log, and without escape sequences to `console`. With
    `serials` it has as many more serial ports, line("ttyS1") and so on, and `qemu` are more options for QEMU; it runs
    without `keelson run` then. With `reboots` a reboot starts it anew instead of ending it.
    """

    def __init__(self, name, folder, options=(), seconds=MACHINE_SECONDS, serials=0, reboots=False, qemu=()):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lines = []
        self._transcript = Transcript("the console", fail)
        self._socket = None
        self._pending = b""
        self._id = 0
        # A Unix socket's path may have 107 bytes only, so it is named from within its folder.
        command = [str(KEELSON), "run", "--accel", "tcg", *([] if reboots else ["--no-reboot"]),
                   "--channel", f"{PORT}=port.sock", *map(str, options),
                   *([os.path.relpath(name, folder)] if name else [])]
        if serials or qemu:
            command = [*self._with_serials(command, folder, serials), *map(str, qemu)]
        self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self._reader = threading.Thread(target=self._read_console, daemon=True)
        self._reader.start()
        self._watchdog = threading.Timer(seconds, self._expire)
        self._watchdog.daemon = True
        self._watchdog.start()

    @property
    def console(self):
        return self._transcript.text

    @staticmethod
    def _with_serials(command, folder, serials):
        """QEMU's command as `keelson run` would start it, with more serial ports."""
        shown = subprocess.run([*command, "--dry-run"], cwd=folder, capture_output=True, text=True, check=True).stdout
        more = [w for i in range(1, serials + 1) for w in ("-serial", f"unix:ttyS{i}.sock,server=on,wait=off")]
        return shlex.split(shown) + more

    def line(self, name):
        """Connects to the terminal whose socket is NAME.sock in the machine's folder."""
        line = Line(self.folder, name)
        self.lines.append(line)
        return line

    def _read_console(self):
        with open(self.folder / "console.log", "wb") as log:
            data = b"-"
            while data:
                data = os.read(self.process.stdout.fileno(), 65536)
                log.write(data)
                log.flush()
                self._transcript.feed(data)

    def _expire(self):
        with open(self.folder / "console.log", "ab") as log:
            log.write(b"\nharness: the machine's time is up\n")
        self.process.kill()

    def _fail(self, what):
        fail(what, self.console)

    def wait_console(self, pattern, timeout=BOOT_SECONDS, start=0):
        """Waits until the console's text from `start` on has the pattern; returns the match."""
        return self._transcript.wait(pattern, timeout, start)

    def type(self, text):
        """Types on the console."""
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def _connect(self, deadline):
        while self._socket is None:
            try:
                self._socket = connect(self.folder, "port.sock")
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self._fail("the machine's port cannot be reached")
                time.sleep(0.05)

    def _read_line(self, deadline):
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0:
                self._fail("the guest did not answer in time")
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65536)
            except socket.timeout:
                continue
            if not data:
                self._fail("the machine ended before it answered")
            self._pending += data
        line, self._pending = self._pending.split(b"\n", 1)
        return line

    def run(self, script, timeout=BOOT_SECONDS, check=True):
        """Runs a shell script in the guest's root; the first call also waits for the boot to reach the agent."""
        deadline = time.monotonic() + timeout + (BOOT_SECONDS if self._id == 0 else 10)
        self._connect(deadline)
        self._id += 1
        encoded = base64.b64encode(script.encode()).decode()
        self._socket.settimeout(max(1, deadline - time.monotonic()))
        self._socket.sendall(f"{self._id} {timeout} {encoded}\n".encode())
        while (answer := json.loads(self._read_line(deadline)))["id"] != self._id:
            pass
        out, err = (base64.b64decode(answer[k]).decode("utf-8", "replace") for k in ("stdout", "stderr"))
        if check and answer["status"] != 0:
            self._fail(f"{script!r} ended with status {answer['status']}: {err}{out}")
        return Result(answer["status"], out, err)

    def json(self, script, timeout=BOOT_SECONDS):
        """Like run(), for commands that print one JSON document."""
        return json.loads(self.run(script, timeout).stdout)

    def wait_for(self, script, timeout=BOOT_SECONDS):
        """Runs the script in the guest again and again until it succeeds; returns its result."""
        deadline = time.monotonic() + timeout
        while True:
            result = self.run(script, check=False)
            if result.status == 0:
                return result
            if time.monotonic() > deadline:
                self._fail(f"{script!r} did not succeed within {timeout} s: {result.stderr}{result.stdout}")
            time.sleep(0.2)

    def wait_end(self, timeout=BOOT_SECONDS):
        """Waits for the machine to end by itself; returns the exit status of `keelson run`."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._fail(f"the machine is still there after {timeout} s")
        self._reader.join(5)
        return status

    def poweroff(self, timeout=BOOT_SECONDS):
        self.run("(sleep 0.2; /sbin/poweroff) >/dev/null 2>&1 &")
        return self.wait_end(timeout)

    def close(self):
        self._watchdog.cancel()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self._reader.join(5)
        for line in self.lines:
            line.close()
        if self._socket:
            self._socket.close()
        self.process.stdin.close()
        self.process.stdout.close()
