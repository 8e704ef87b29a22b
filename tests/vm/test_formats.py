# SPDX-License-Identifier: Apache-2.0
"""Every format boots to a running service, under each firmware and from each medium that it promises.

The builds run without any privilege: as the user nobody if the tests run as root. A table of what booted is printed
at the end.
"""
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

import harness
import pytest
import record
from test_faults import BASE
from test_squashfs import initrd_for

APPLIANCE = BASE + """services:
  - name: sleeper
    image: keelson/busybox:latest
    command: ["sleep", "100000"]
"""
NOBODY = 65534
TABLE = []

# format: file, {firmware and medium: options of keelson run}
FORMATS = {
    "iso": (".iso", {"BIOS CD": [], "BIOS USB": ["--usb"], "EFI CD": ["--uefi"], "EFI USB": ["--uefi", "--usb"]}),
    "iso-bios": (".iso", {"BIOS CD": [], "BIOS USB": ["--usb"]}),
    "iso-efi": ("-efi.iso", {"EFI CD": [], "EFI USB": ["--usb"]}),
    "raw-bios": ("-bios.img", {"BIOS disk": []}),
    "raw-efi": ("-efi.img", {"EFI disk": []}),
    "qcow2-bios": (".qcow2", {"BIOS disk": []}),
    "qcow2-efi": ("-efi.qcow2", {"EFI disk": []}),
    "vmdk": (".vmdk", {"BIOS disk": []}),
    "dynamic-vhd": (".vhd", {"BIOS disk": []}),
    "uki": (".efi", {"EFI kernel": []}),
}


@pytest.fixture(scope="module", autouse=True)
def table():
    yield
    record.table(("format", "firmware, medium", "seconds"), TABLE)


class Nobody:
    """A place for a user without any rights, who may not even look into where the tests are: all that is needed is there,
    and the cache has no more than other people's files to read."""

    def __init__(self):
        self.home = Path(tempfile.mkdtemp(prefix="keelson-nobody-"))
        for name in ("out", "cache", "tmp", "agent"):
            (self.home / name).mkdir()
        self.keelson = shutil.copy(harness.KEELSON, self.home)
        for name in ("agent.sh", "agent-init.sh"):
            shutil.copy(harness.HERE / name, self.home / "agent")
        cache = Path(os.environ.get("KEELSON_CACHE") or Path.home() / ".cache/keelson")
        for name in ("blobs", "index.json", "oci-layout"):
            if subprocess.run(["cp", "-al", cache / name, self.home / "cache"], capture_output=True, check=False).returncode:
                subprocess.run(["cp", "-a", cache / name, self.home / "cache"], check=True)
        for path, folders, _ in os.walk(self.home):
            os.chown(path, NOBODY, NOBODY)

    def build(self, text, words, folder):
        out = self.home / "out"
        (out / "appliance.yml").write_text(text.replace(str(harness.HERE), str(self.home / "agent")))
        done = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
                               self.keelson, *words, "--dir", out, out / "appliance.yml"], cwd=self.home,
                              env={"PATH": "/usr/bin:/bin", "HOME": str(self.home), "TMPDIR": str(self.home / "tmp"),
                                   "KEELSON_CACHE": str(self.home / "cache")},
                              capture_output=True, text=True, timeout=harness.BUILD_SECONDS, check=False)
        for path in out.iterdir():
            shutil.move(path, folder / path.name)
        return done


@pytest.fixture(scope="module")
def nobody():
    """None: the tests have no rights themselves."""
    made = Nobody() if os.getuid() == 0 else None
    yield made
    if made:
        shutil.rmtree(made.home)


@pytest.fixture
def build_format(nobody, folder):
    """build_format(FORMAT, OPTION...): the appliance in the test's folder."""
    def do_build(name, *options, status=0, agent=False, text=APPLIANCE):
        text = harness.with_agent(text) if agent else text
        words = ["build", "--format", name, *options]
        if nobody:
            done = nobody.build(text, words, folder)
        else:
            (folder / "appliance.yml").write_text(text)
            done = harness.keelson(*words, "--dir", folder, folder / "appliance.yml")
        assert done.returncode == status, done.stderr
        return done
    return do_build


def boot_to_service(image, medium, options, name):
    """The guest says that it is up, and with which firmware: over a port, whatever it was booted from."""
    start = time.monotonic()
    v = record.wait(image, "--mem", "1024", *options)
    TABLE.append((name, medium, f"{time.monotonic() - start:.1f}"))
    assert (v.status, v.verdict) == (0, "ok"), v.console
    assert v.record["firmware"] == medium.split()[0].lower()
    assert "services/sleeper" in [stage[0] for stage in v.record["stages"]]


@pytest.mark.parametrize("name", FORMATS)
def test_format_boots(name, folder, build_format):
    suffix, media = FORMATS[name]
    build_format(name)
    made = sorted(p.name for p in folder.iterdir())
    assert made == sorted(["appliance.yml", f"appliance{suffix}"]), "nothing else is left behind"
    for medium, options in media.items():
        boot_to_service(folder / f"appliance{suffix}", medium, options, name)


def test_what_the_clouds_get_is_the_bios_disk(folder, build_format):
    """aws is raw-bios by another name, vhd has a footer behind it, gcp is a whole GiB of it in a tar."""
    for name in ("raw-bios", "aws", "vhd", "gcp", "iso-efi", "iso-efi-initrd"):
        build_format(name)
    raw = (folder / "appliance-bios.img").read_bytes()
    assert (folder / "appliance.raw").read_bytes() == raw
    assert (folder / "appliance-efi.iso").read_bytes() == (folder / "appliance-efi-initrd.iso").read_bytes()
    vhd = (folder / "appliance.vhd").read_bytes()
    assert vhd[:len(raw)] == raw and vhd[-512:-504] == b"conectix"
    footer = bytearray(vhd[-512:])
    told = int.from_bytes(footer[64:68], "big")
    footer[64:68] = bytes(4)
    assert told == ~sum(footer) & 0xffffffff
    with tarfile.open(folder / "appliance.img.tar.gz") as tar:
        assert tar.getnames() == ["disk.raw"]
        assert tar.getmember("disk.raw").size % (1 << 30) == 0
    subprocess.run(["tar", "-C", folder, "-xSf", folder / "appliance.img.tar.gz"], check=True)
    boot_to_service(folder / "disk.raw", "BIOS disk", [], "gcp")


@pytest.mark.parametrize("kind", ["squashfs", "erofs"])
def test_a_root_that_stays_compressed(kind, folder, boot, build_format):
    """Half the memory: the image is the root, and what the initrd held beside it is gone."""
    build_format("kernel+initrd", "--root", kind, "--verify", agent=True)
    vm = boot(folder / "appliance", "--mem", "256")
    vm.wait_for("service list | grep -q '^sleeper *running'")
    root = [line.split() for line in vm.run("cat /proc/mounts").stdout.splitlines() if line.split()[1] == "/"][-1]
    assert root[2] == kind and root[0].startswith("/dev/loop"), root
    assert vm.run("stat -c '%a %u:%g' / /etc/init.d/001-test-agent /tmp").stdout == "755 0:0\n755 0:0\n1777 0:0\n"
    assert vm.poweroff() == 0


# name: suffix, file system, driver of Debian's kernel
DISKS = {"kernel+squashfs": ("-squashfs.img", "squashfs", "squashfs"), "kernel+erofs": ("-erofs.img", "erofs", "erofs"),
         "kernel+iso": (".iso", "iso9660", "isofs")}


@pytest.mark.parametrize("name", DISKS)
def test_a_root_on_a_disk(name, folder, build_format):
    """Debian's kernel has its drivers as modules: an initrd brings them, and goes on from the disk."""
    suffix, kind, driver = DISKS[name]
    build_format(name)
    made = sorted(p.name for p in folder.iterdir())
    assert made == sorted(["appliance.yml", "appliance-kernel", "appliance-cmdline", f"appliance{suffix}"])
    helper = harness.build(initrd_for(kind, driver), folder, name="helper", agent=False)
    assert helper.status == 0, helper.stderr
    (folder / "appliance-initrd.img").symlink_to(f"{helper.name}-initrd.img")
    boot_to_service(folder / "appliance", "BIOS disk", ["--disk", f"{folder}/appliance{suffix},format=raw"], name)


def formats_of_the_program():
    """It names all that it has when it is asked for one that it has not: none is forgotten here."""
    done = subprocess.run([harness.KEELSON, "build", "--format", "?", "none.yml"], capture_output=True, text=True,
                          check=False)
    return done.stderr.partition("there are ")[2].strip().split(", ")


def test_no_format_is_forgotten():
    """Each that starts a machine is booted above, under its own name or as the disk that it is; rpi3 in test_arm64.py."""
    booted = {*FORMATS, *DISKS, "kernel+initrd", "aws", "gcp", "vhd", "iso-efi-initrd"}
    assert set(formats_of_the_program()) == booted | {"tar", "tar-kernel-initrd", "docker", "rpi3"}


@pytest.mark.parametrize("name", [name for name in formats_of_the_program() if name != "rpi3"])
def test_the_same_bytes_twice(name, folder, build_format):
    build_format(name, "--verify")
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_bad_orders_are_told_before_anything_is_built(folder, build_format):
    def said(name, *options, status=1, **kwargs):
        done = build_format(name, *options, status=status, **kwargs)
        assert len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr
    assert '"floppy"' in said("floppy", status=100)
    assert "10 MiB" in said("raw-bios", "--size", "10")
    assert "for arm64: it is for machines with a PC BIOS" in said("iso-bios", "--arch", "arm64")
    assert "for amd64: it is for --arch arm64" in said("rpi3")
    assert "--root" in said("kernel+iso", "--root", "squashfs")
    kernel = APPLIANCE[:APPLIANCE.index("init:")]
    for name in ("iso", "raw-efi", "kernel+erofs"):
        assert "the YAML has no kernel" in said(name, text=APPLIANCE.replace(kernel, "")), name
    long = APPLIANCE.replace("console=ttyS0", "console=ttyS0 " + "x" * 2048)
    for name in ("iso-bios", "uki"):
        assert "kernel.cmdline: it has 20" in said(name, text=long), name
    assert [p.name for p in folder.iterdir()] == ["appliance.yml"]
