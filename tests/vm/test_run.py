# SPDX-License-Identifier: Apache-2.0
"""`keelson run` as a user meets it, without a guest that matters."""
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import harness


def test_missing_files_are_named(tmp_path):
    done = harness.keelson("run", tmp_path / "none")
    assert done.returncode == 1
    assert "none-kernel: No such file or directory" in done.stderr


def test_bad_port_is_named():
    done = harness.keelson("run", "--publish", "99999:80", "x")
    assert done.returncode == 100
    assert "--publish 99999:80" in done.stderr


def stopped_machine(folder):
    """The files of a machine that prints nothing and stays: a kernel in the boot protocol's form that halts at once."""
    kernel = bytearray(2048)
    kernel[0x1F1] = 1                                # setup sectors
    kernel[0x1FE:0x200] = b"\x55\xaa"
    kernel[0x200:0x202] = b"\xeb\x62"                # jump over the header
    kernel[0x202:0x206] = b"HdrS"
    kernel[0x206:0x208] = (0x0200).to_bytes(2, "little")
    kernel[0x264:0x268] = b"\xfa\xf4\xeb\xfc"        # cli; hlt; again
    (folder / "halt-kernel").write_bytes(kernel)
    (folder / "halt-initrd.img").write_bytes(b"")
    (folder / "halt-cmdline").write_text("\n")
    return folder / "halt"


def test_sigterm_ends_the_machine(tmp_path):
    process = subprocess.Popen([harness.KEELSON, "run", "--accel", "tcg", "--mem", "64", stopped_machine(tmp_path)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 20
    while process.poll() is None and not children.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 128 + signal.SIGTERM


def test_ctrl_a_x_ends_the_machine_and_the_terminal_is_restored(tmp_path):
    master, slave = pty.openpty()
    before = subprocess.run(["stty", "-a"], stdin=slave, capture_output=True, check=True).stdout
    process = subprocess.Popen([harness.KEELSON, "run", "--accel", "tcg", "--mem", "64", stopped_machine(tmp_path)],
                               stdin=slave, stdout=slave, stderr=slave)
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        os.write(master, b"\x01x")
        if select.select([master], [], [], 0.5)[0]:
            os.read(master, 65536)
    assert process.wait(1) == 0
    assert subprocess.run(["stty", "-a"], stdin=slave, capture_output=True, check=True).stdout == before
    os.close(master)
    os.close(slave)
