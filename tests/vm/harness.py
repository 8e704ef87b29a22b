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
BUILD_SECONDS = 300
BOOT_SECONDS = int(os.environ.get("KEELSON_TEST_BOOT_SECONDS", "120"))
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
    """Runs `keelson build` on the text; never raises for a failed build: look at `status`."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{name}.yml"
    source.write_text(with_agent(yaml) if agent else yaml)
    done = keelson("build", "--dir", folder, "--name", name, source)
    return Build(folder / name, done.returncode, done.stdout, done.stderr)


class Machine:
    """One running appliance. The console goes to FOLDER/console.log, and without escape sequences to `console`."""

    def __init__(self, name, folder, options=(), seconds=MACHINE_SECONDS):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.console = ""
        self._changed = threading.Condition()
        self._socket = None
        self._pending = b""
        self._id = 0
        # A Unix socket's path may have 107 bytes only, so it is named from within its folder.
        command = [str(KEELSON), "run", "--accel", "tcg", "--no-reboot", "--channel", f"{PORT}=port.sock",
                   *map(str, options), os.path.relpath(name, folder)]
        self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self._reader = threading.Thread(target=self._read_console, daemon=True)
        self._reader.start()
        self._watchdog = threading.Timer(seconds, self._expire)
        self._watchdog.daemon = True
        self._watchdog.start()

    def _read_console(self):
        rest = ""  # an escape sequence whose end has not come yet
        with open(self.folder / "console.log", "wb") as log:
            while data := os.read(self.process.stdout.fileno(), 65536):
                log.write(data)
                log.flush()
                text = rest + data.decode("utf-8", "replace")
                begun = ESCAPE_BEGUN.search(text)
                text, rest = (text[:begun.start()], text[begun.start():]) if begun else (text, "")
                with self._changed:
                    self.console += ESCAPE.sub("", text)
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _expire(self):
        with open(self.folder / "console.log", "ab") as log:
            log.write(b"\nharness: the machine's time is up\n")
        self.process.kill()

    def _fail(self, what):
        raise GuestError(f"{what}; the console's end:\n" + "\n".join(self.console.splitlines()[-30:]))

    def wait_console(self, pattern, timeout=BOOT_SECONDS, start=0):
        """Waits until the console's text from `start` on has the pattern; returns the match."""
        deadline = time.monotonic() + timeout
        expression = re.compile(pattern, re.M)
        with self._changed:
            while not (match := expression.search(self.console, start)):
                left = deadline - time.monotonic()
                if left <= 0:
                    self._fail(f"no {pattern!r} on the console within {timeout} s")
                if not self._reader.is_alive():
                    self._fail(f"the machine ended before it said {pattern!r}")
                self._changed.wait(min(left, 1))
        return match

    def type(self, text):
        """Types on the console."""
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def _connect(self, deadline):
        while self._socket is None:
            try:
                port = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                folder = os.open(self.folder, os.O_PATH)
                try:
                    port.connect(f"/proc/self/fd/{folder}/port.sock")
                finally:
                    os.close(folder)
                self._socket = port
            except OSError:
                port.close()
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

    def run(self, script, timeout=30, check=True):
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

    def json(self, script, timeout=30):
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

    def wait_end(self, timeout=60):
        """Waits for the machine to end by itself; returns the exit status of `keelson run`."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._fail(f"the machine is still there after {timeout} s")
        self._reader.join(5)
        return status

    def poweroff(self, timeout=60):
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
        if self._socket:
            self._socket.close()
        self.process.stdin.close()
        self.process.stdout.close()
