# SPDX-License-Identifier: Apache-2.0
"""`keelson run` as a user meets it, without a guest that matters."""
import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import harness
from test_faults import BASE


def test_missing_files_are_named(tmp_path):
    done = harness.keelson("run", tmp_path / "none")
    assert done.returncode == 1
    assert "/none: there is no such file, and no " in done.stderr


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
    deadline = time.monotonic() + harness.BOOT_SECONDS
    while process.poll() is None and not children.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(harness.BOOT_SECONDS) == 128 + signal.SIGTERM


def test_ctrl_a_x_ends_the_machine_and_the_terminal_is_restored(tmp_path):
    master, slave = pty.openpty()
    before = subprocess.run(["stty", "-a"], stdin=slave, capture_output=True, check=True).stdout
    process = subprocess.Popen([harness.KEELSON, "run", "--accel", "tcg", "--mem", "64", stopped_machine(tmp_path)],
                               stdin=slave, stdout=slave, stderr=slave)
    deadline = time.monotonic() + harness.BOOT_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        os.write(master, b"\x01x")
        if select.select([master], [], [], 0.5)[0]:
            os.read(master, 65536)
    assert process.wait(harness.BOOT_SECONDS) == 0
    assert subprocess.run(["stty", "-a"], stdin=slave, capture_output=True, check=True).stdout == before
    os.close(master)
    os.close(slave)


def wait_connected(pid):
    """Until the process has a socket, and sleeps: it waits for what comes from there."""
    deadline = time.monotonic() + harness.BOOT_SECONDS
    proc = Path(f"/proc/{pid}")
    while not (any(os.readlink(fd).startswith("socket:") for fd in (proc / "fd").iterdir())
               and (proc / "stat").read_text().rsplit(")", 1)[1].split()[0] == "S"):
        assert time.monotonic() < deadline, "it does not connect"
        time.sleep(0.05)


def test_a_detached_machine_is_reached_and_stopped(tmp_path):
    name = stopped_machine(tmp_path)
    options = ["--accel", "tcg", "--mem", "64", "--detach"]
    done = harness.keelson("run", *options, name)
    assert done.returncode == 0, done.stderr
    state = tmp_path / "halt-state"
    assert {"pid", "qmp.sock", "console.sock", "console.log", "record.json"} <= {p.name for p in state.iterdir()}
    pid = int((state / "pid").read_text())
    try:
        second = harness.keelson("run", *options, name)
        assert second.returncode == 1 and "QEMU" in second.stderr
        os.kill(pid, 0)
        # The guest is a kernel that has no power button: it is ended when its time is over, and that is said.
        stopped = harness.keelson("stop", "--timeout", "1", name)
        assert stopped.returncode == 1 and "did not power off within 1 seconds" in stopped.stderr
        assert harness.keelson("run", *options, name).returncode == 0
        console = subprocess.Popen([harness.KEELSON, "console", name], stdin=subprocess.DEVNULL)
        wait_connected(console.pid)
        assert harness.keelson("stop", "--force", name).returncode == 0
        assert console.wait(20) == 0
        gone = harness.keelson("stop", name)
        assert gone.returncode == 1 and "no machine of that name runs detached" in gone.stderr
    finally:
        harness.keelson("stop", "--force", name)


def test_folders_of_the_host_are_shared(tmp_path, build, boot):
    shared, second = tmp_path / "a,shared folder", tmp_path / "second"
    for folder in (shared, second):
        folder.mkdir()
    (shared / "from-host").write_text("hello from the host\n")
    vm = boot(build(BASE), "--mem", "512", "--virtiofs", shared, "--virtiofs", second)
    vm.run("mkdir -p /run/s0 /run/s1 && mount -t virtiofs virtiofs0 /run/s0 && mount -t virtiofs virtiofs1 /run/s1")
    assert vm.run("cat /run/s0/from-host").stdout == "hello from the host\n"
    vm.run("echo hello from the guest >/run/s1/from-guest")
    assert (second / "from-guest").read_text() == "hello from the guest\n"
    assert vm.poweroff() == 0
    assert subprocess.run(["pgrep", "-x", "virtiofsd"], capture_output=True, check=False).stdout == b"", "they end with it"


def test_a_folder_that_cannot_be_shared_is_named(tmp_path):
    name = stopped_machine(tmp_path)
    for folder, words, why in ((tmp_path / "none", [], "No such file or directory"), (name, [], ""),
                               (tmp_path, ["--detach"], "--virtiofs does not go with --detach")):
        done = harness.keelson("run", "--accel", "tcg", "--virtiofs", folder, *words, name)
        assert done.returncode != 0 and why in done.stderr, done.stderr
    assert f"could not share {tmp_path}/none" in harness.keelson("run", "--virtiofs", tmp_path / "none", name).stderr


def test_who_may_not_share_is_told():
    """QEMU's own virtiofsd is for root; QEMU's words for that would be four lines about a protocol."""
    folder = Path(tempfile.mkdtemp(prefix="keelson-nobody-"))
    try:
        folder.chmod(0o755)
        program = shutil.copy(harness.KEELSON, folder)
        rights = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
        done = subprocess.run([*rights, program, "run", "--accel", "tcg",
                               "--virtiofs", folder, stopped_machine(folder)], capture_output=True, text=True, check=False,
                              timeout=harness.BOOT_SECONDS)
        assert done.returncode == 1
        assert done.stderr == f"keelson: could not share {folder}: /usr/lib/qemu/virtiofsd has to be started by root\n"
    finally:
        shutil.rmtree(folder)


def test_without_qemu_its_package_is_named(tmp_path):
    done = harness.keelson("run", "--accel", "tcg", stopped_machine(tmp_path), env={**os.environ, "PATH": "/nowhere"})
    assert done.returncode == 1
    assert "install the Debian package qemu-system-x86" in done.stderr


def test_a_root_on_a_disk_is_the_first_disk(tmp_path):
    """Beside an initrd it has to be asked for."""
    name = stopped_machine(tmp_path)
    (tmp_path / "halt-squashfs.img").touch()
    options = ("run", "--accel", "tcg", "--dry-run", "--disk", f"{tmp_path}/more.qcow2,size=1M")
    assert "root=" not in harness.keelson(*options, name).stdout
    asked = harness.keelson(*options, "--squashfs", name)
    (tmp_path / "halt-initrd.img").unlink()
    found = harness.keelson(*options, name)
    assert found.stdout == asked.stdout
    assert found.stdout.index("halt-squashfs.img") < found.stdout.index("more.qcow2")
    assert "root=/dev/vda ro" in found.stdout and "-initrd" not in found.stdout
    (tmp_path / "halt-squashfs.img").unlink()
    gone = harness.keelson(*options, name)
    assert gone.returncode == 1 and "could not open" in gone.stderr and "halt-initrd.img" in gone.stderr


def test_what_does_not_fit_is_said_before_the_boot(tmp_path):
    name = stopped_machine(tmp_path)
    with (tmp_path / "halt-initrd.img").open("wb") as f:
        f.truncate(65 << 20)
    done = harness.keelson("run", "--accel", "tcg", "--mem", "64", name)
    assert done.returncode == 1
    assert "halt-initrd.img: it has 65 MiB, and the machine 64; see --mem" in done.stderr


def test_a_port_in_use_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = harness.keelson("run", "--accel", "tcg", "--publish", f"127.0.0.1:{port}:80", stopped_machine(tmp_path))
    assert done.returncode == 1
    assert f"could not publish port {port}: Address already in use" in done.stderr


def test_a_kernel_of_another_architecture_is_refused(tmp_path):
    name = stopped_machine(tmp_path)
    done = harness.keelson("run", "--accel", "tcg", "--arch", "arm64", name)
    assert done.returncode == 1
    assert "its kernel is for amd64, and the machine is not" in done.stderr


def test_waiting_for_a_guest_that_says_nothing(tmp_path):
    done = harness.keelson("run", "--accel", "tcg", "--mem", "64", "--wait", "--json", "--timeout", "2",
                           stopped_machine(tmp_path))
    assert done.returncode == 124
    assert json.loads(done.stdout) == {"verdict": "none", "exit": 124, "record": None}
