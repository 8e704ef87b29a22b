# SPDX-License-Identifier: Apache-2.0
"""Outputs that are no files: what is there is written into, and stays what it is. And those that take nothing."""
import os
import resource
import signal
import stat
import subprocess

import pytest
from builds import Images, noise
from conftest import COMMAND
from images import bzimage, tar_of

READER_SECONDS = 60
BUILD = ("build", "--offline", "--no-sbom")
COMMANDS = [
    (*BUILD, "-f", "tar", "-o", "OUT", "x.yml"),
    (*BUILD, "-f", "docker", "-o", "OUT", "x.yml"),
    (*BUILD, "-f", "tar-kernel-initrd", "-o", "OUT", "x.yml"),
    (*BUILD, "-f", "kernel+squashfs", "-o", "OUT", "x.yml"),
    (*BUILD, "-f", "raw-bios", "-o", "OUT", "x.yml"),
    ("cache", "export", "-o", "OUT", "t/init"),
    ("cache", "export", "--format", "docker", "-o", "OUT", "t/init"),
    ("metadata", "create", "OUT", "some data"),
]


@pytest.fixture
def images(keelson):
    out = Images(keelson.cache)
    out.image("kernel", {"kernel": bzimage(b"code" * 1000), "kernel.tar": tar_of({"lib/modules/m.ko": b"m"})})
    out.image("init", {"init": b"#!init\n"})
    (keelson.home / "x.yml").write_text("kernel: {image: t/kernel, cmdline: console=ttyS0}\ninit: [t/init]\n")
    keelson.env["TMPDIR"] = str(keelson.home / "tmp")
    (keelson.home / "tmp").mkdir()
    return out


def run_to(keelson, words, path):
    keelson.run(*[path if word == "OUT" else word for word in words])


@pytest.mark.parametrize("words", COMMANDS, ids=lambda w: "-".join(w[:1] + w[-4:-3]))
def test_devices_and_fifos(keelson, images, words):
    run_to(keelson, words, "file")
    out = keelson.home / "out"
    out.mkdir()
    (out / "null").symlink_to("/dev/null")
    run_to(keelson, words, out / "null")
    assert (out / "null").is_symlink() and stat.S_ISCHR((out / "null").stat().st_mode)
    subprocess.run(["mkfifo", out / "fifo"], check=True)
    with open(keelson.home / "got", "wb") as got:
        reader = subprocess.Popen(["cat", out / "fifo"], stdout=got)
        try:
            run_to(keelson, words, out / "fifo")
            assert reader.wait(timeout=READER_SECONDS) == 0
        finally:
            reader.kill()
            reader.wait(timeout=READER_SECONDS)
    assert stat.S_ISFIFO((out / "fifo").stat().st_mode)
    assert (keelson.home / "got").read_bytes() == (keelson.home / "file").read_bytes()
    assert {p.name.partition("-")[0] for p in out.iterdir()} == {"null", "fifo"}
    assert not list((keelson.home / "tmp").iterdir())


def test_what_cannot_be_read_back_is_not_verified(keelson, images):
    (keelson.home / "null").symlink_to("/dev/null")
    for out in ("null", "-"):
        assert "it is no file" in keelson.fails(*BUILD, "--verify", "-f", "tar", "-o", out, "x.yml")


def closed_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def full_device():
    return os.open("/dev/full", os.O_WRONLY)


def small_files():
    """No file may grow beyond that, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.parametrize("words, stdout, limit, line", [
    (("-f", "tar", "-o", "/dev/full"), full_device, None, "could not write /dev/full: No space left on device"),
    (("-f", "tar", "-o", "-"), full_device, None, "could not write to stdout: No space left on device"),
    (("-f", "docker", "-o", "-"), closed_pipe, None, "could not write to stdout: Broken pipe"),
    (("-f", "tar-kernel-initrd", "-o", "-"), closed_pipe, None, "could not write to stdout: Broken pipe"),
    (("-f", "tar", "-o", "out"), full_device, small_files, "could not write out: File too large"),
    (("-f", "tar,docker"), full_device, small_files, "could not write a temporary file: File too large"),
])
def test_an_output_that_takes_nothing_is_named(keelson, images, words, stdout, limit, line):
    """It, and not the image that was being read for it."""
    images.image("init", {"init": noise(300_000)})
    fd = stdout()
    done = subprocess.run([COMMAND, *BUILD, *words, "x.yml"], stdout=fd, stderr=subprocess.PIPE, text=True, check=False,
                          cwd=keelson.home, env=keelson.env, preexec_fn=limit, timeout=READER_SECONDS)
    os.close(fd)
    assert (done.returncode, done.stderr) == (1, f"keelson: {line}\n")
    assert not (keelson.home / "out").exists() and not list((keelson.home / "tmp").iterdir())
