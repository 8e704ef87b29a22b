# SPDX-License-Identifier: Apache-2.0
"""`keelson inspect` of every format: all are made of one kernel and tree, so all have to hold the same."""
import gzip
import io
import json
import os
import signal
import subprocess
import tarfile
import time

import pytest
from builds import TREE, Images, modules, noise, tar_with
from images import bzimage

VERSION = b"6.1.0-test (somebody) #1\0"
YAML = """kernel:
  image: t/kernel
  cmdline: "console=ttyS0 quiet"
onboot:
  - name: first
    image: t/web
    command: ["/bin/one"]
""" + TREE
# format: what is behind NAME, and the firmware that boots it
DISKS = {"iso": (".iso", "bios+efi"), "iso-bios": (".iso", "bios"), "iso-efi": ("-efi.iso", "efi"),
         "iso-efi-initrd": ("-efi-initrd.iso", "efi"), "raw-bios": ("-bios.img", "bios"), "raw-efi": ("-efi.img", "efi"),
         "qcow2-bios": (".qcow2", "bios"), "qcow2-efi": ("-efi.qcow2", "efi"), "vhd": (".vhd", "bios"),
         "dynamic-vhd": (".vhd", "bios"), "vmdk": (".vmdk", "bios"), "aws": (".raw", "bios"), "gcp": (".img.tar.gz", "bios"),
         "uki": (".efi", "efi")}
ROOTS = {"kernel+squashfs": ("-squashfs.img", "squashfs"), "kernel+erofs": ("-erofs.img", "erofs"),
         "kernel+iso": (".iso", "iso")}


def kernel():
    """An x86 kernel with a version, as much as anybody looks at."""
    data = bytearray(bzimage(noise(300000, 9)))
    at = len(data)
    data[0x20e:0x210] = (0x280 - 0x200).to_bytes(2, "little")
    data[0x280:0x280 + len(VERSION)] = VERSION
    data[0x260:0x264] = (40 << 20).to_bytes(4, "little")
    assert len(data) == at
    return bytes(data)


@pytest.fixture
def images(keelson):
    """Files that no file system mistakes for holes, of sizes that are no whole blocks."""
    made = Images(keelson.cache)
    made.image("kernel", {"kernel": kernel(), "kernel.tar": modules()})
    made.image("init", {"init": b"#!init\n", "bin/sh": noise(50000, 1), "etc/empty": b"", "etc/also-empty": b""})
    made.image("web", {"bin/one": noise(3001, 2), "etc/with space and \xe9": b"x"})
    made.image("big", {"bin/two": noise(1500001, 3), "bin/three": b"three" * 1000})
    (keelson.home / "a.yml").write_text(YAML)
    keelson.env["TMPDIR"] = str(keelson.home / "tmp")
    (keelson.home / "tmp").mkdir()
    return made


def build(keelson, form, name="a"):
    keelson.run("build", "--offline", "--no-sbom", "--format", form, "--name", name, "a.yml")


def inspect(keelson, name):
    seen = json.loads(keelson.run("inspect", "--json", name).stdout)
    assert not list((keelson.home / "tmp").iterdir()), "something is left behind"
    return seen


@pytest.fixture
def want(keelson, images):
    """The inspection of kernel and initrd, without its name."""
    build(keelson, "kernel+initrd", "plain")
    seen = inspect(keelson, "plain")
    assert seen.pop("name") == "plain" and seen["kernel"]["version"] == "6.1.0-test"
    assert {("services", "one"), ("services", "two"), ("onboot", "000-first")} < {
        (p["part"], p["name"]) for p in seen["parts"]}
    return seen


def tree(seen):
    """Without what only an initrd has."""
    return [{k: v for k, v in part.items() if k != "compressed"} for part in seen["parts"]]


@pytest.mark.parametrize("form", DISKS)
def test_what_boots_holds_what_its_kernel_and_initrd_hold(keelson, want, form):
    suffix, firmware = DISKS[form]
    build(keelson, form)
    seen = inspect(keelson, f"a{suffix}")
    assert (seen.pop("name"), seen.pop("firmware")) == (f"a{suffix}", firmware)
    if "bios" not in firmware:
        assert "least_memory_mib" not in seen
        want.pop("least_memory_mib")
    assert seen == want
    text = keelson.run("inspect", f"a{suffix}").stdout
    assert "firmware      " + firmware.replace("+", ", ").replace("bios", "BIOS").replace("efi", "UEFI") in text
    assert "<title>services two: " in keelson.run("inspect", "--svg", f"a{suffix}").stdout


@pytest.mark.parametrize("form", ROOTS)
def test_a_root_beside_its_kernel(keelson, want, form):
    suffix, kind = ROOTS[form]
    build(keelson, form)
    seen = inspect(keelson, "a")
    assert seen["root"] == {"format": kind, "size": (keelson.home / f"a{suffix}").stat().st_size}
    assert (seen["kernel"], seen["cmdline"], tree(seen)) == (want["kernel"], want["cmdline"], tree(want))
    assert "least_memory_mib" not in seen and "initrd" not in seen
    alone = inspect(keelson, f"a{suffix}")
    assert alone["parts"] == seen["parts"] and alone["root"] == seen["root"] and "kernel" not in alone
    assert f"root          {kind}, " in keelson.run("inspect", "a").stdout


def test_a_packed_tar_is_seen_through(keelson, want):
    build(keelson, "tar-kernel-initrd")
    path = keelson.home / "a-initrd.tar"
    path.with_name("a.tgz").write_bytes(gzip.compress(path.read_bytes(), 1))
    seen = inspect(keelson, "a.tgz")
    assert seen.pop("name") == "a.tgz" and seen == want


@pytest.mark.parametrize("form", ["iso", "raw-bios", "raw-efi", "qcow2-efi", "vmdk"])
def test_a_folder_may_be_called_anything(keelson, images, form):
    """What programs take for an offset, a protocol, a list, an option, or for a shell."""
    for folder in ("x@@1048576", "nbd:a,b", "-x y", "$(touch ran)`touch ran`"):
        (keelson.home / folder).mkdir()
        keelson.run("build", "--offline", "--no-sbom", "--format", form, f"--dir={folder}", "--name", "a", "a.yml")
        assert inspect(keelson, f"./{folder}/a{DISKS[form][0]}")["kernel"]["version"] == "6.1.0-test"
    assert not list(keelson.home.rglob("ran"))


# A qemu-img whose random number is a small one, as it is every sixteenth time.
SHORT_ID = """#!/usr/bin/python3
import os, re, subprocess, sys
status = subprocess.run(["/usr/bin/qemu-img", *sys.argv[1:]]).returncode
with open(sys.argv[-1], "r+b") as f:
    f.seek(512)
    text = f.read(1024).rstrip(b"\\0")
    f.seek(512)
    f.write(re.sub(rb"^CID=.*$", b"CID=c0ffe", text, flags=re.M).ljust(1024, b"\\0"))
sys.exit(status)
"""


def test_a_vmdk_has_the_same_id_whatever_it_was(keelson, images):
    build(keelson, "vmdk")
    plain = (keelson.home / "a.vmdk").read_bytes()
    (keelson.home / "bin").mkdir()
    (keelson.home / "bin/qemu-img").write_text(SHORT_ID)
    (keelson.home / "bin/qemu-img").chmod(0o755)
    keelson.env["PATH"] = f"{keelson.home}/bin:{keelson.env['PATH']}"
    build(keelson, "vmdk")
    assert (keelson.home / "a.vmdk").read_bytes() == plain
    assert inspect(keelson, "a.vmdk")["kernel"]["version"] == "6.1.0-test"


def test_a_disk_for_a_bios_has_its_bound(keelson, images):
    words = ("build", "--offline", "--no-sbom", "--format", "raw-bios", "--size", "2048G", "a.yml")
    assert "one for a PC BIOS has less than 2097152 MiB" in keelson.fails(*words)


def test_a_disk_that_goes_on_in_another_file_is_not_followed(keelson, images):
    build(keelson, "qcow2-bios")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", keelson.home / "on.qcow2"],
                   cwd=keelson.home, check=True, timeout=60)
    assert "it goes on in another file" in keelson.fails("inspect", "on.qcow2")
    assert "on.qcow2: it goes on in another file" in keelson.fails("run", "--dry-run", "on.qcow2")
    (keelson.home / "raw.img").write_bytes((keelson.home / "on.qcow2").read_bytes())
    told = keelson.fails("run", "--dry-run", "--disk", "raw.img", "a.qcow2")
    assert "could not use disk raw.img: it says that it goes on in another file; give format=qcow2 if that is so" in told
    keelson.run("run", "--dry-run", "--accel", "tcg", "--disk", "raw.img,format=raw", "a.qcow2")


def fails(keelson, name):
    message = keelson.fails("inspect", name)
    assert not list((keelson.home / "tmp").iterdir()), "something is left behind"
    assert message.startswith(f"keelson: {name}: "), message
    return message


@pytest.mark.parametrize("form", [*DISKS, *ROOTS])
def test_what_is_cut_off_is_told(keelson, images, form):
    """In its middle, which is in the kernel or the initrd."""
    suffix = {**DISKS, **ROOTS}[form][0]
    build(keelson, form)
    path = keelson.home / f"a{suffix}"
    data = path.read_bytes()
    used = len(data.rstrip(b"\0"))
    path.write_bytes(data[:used // 2])
    fails(keelson, path.name)


@pytest.mark.parametrize("form", ["raw-bios", "qcow2-bios", "iso-bios", "kernel+squashfs", "kernel+erofs", "gcp"])
def test_what_has_nothing_but_its_head_is_told(keelson, images, form):
    suffix = {**DISKS, **ROOTS}[form][0]
    build(keelson, form)
    path = keelson.home / f"a{suffix}"
    data = path.read_bytes()
    path.write_bytes(data[:2048] + noise(len(data[:200000]) - 2048, 5))
    fails(keelson, path.name)


HEADS = {"qcow2": b"QFI\xfb", "vmdk": b"KDMV", "vhd": b"conectix", "squashfs": b"hsqs",
         "erofs": bytes(1024) + b"\xe2\xe1\xf5\xe0", "iso": bytes(0x8000) + b"\1CD001", "disk": bytes(510) + b"\x55\xaa",
         "gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd",
         "cpio": b"070701", "nothing": b"", "tar": bytes(257) + b"ustar"}


@pytest.mark.parametrize("kind", HEADS)
def test_garbage_is_told(keelson, images, kind):
    path = keelson.home / f"x.{kind}"
    path.write_bytes(HEADS[kind] + noise(100000, 7))
    fails(keelson, path.name)
    path.write_bytes(HEADS[kind])
    fails(keelson, path.name)
    path.write_bytes(HEADS[kind] + bytes(100000))
    fails(keelson, path.name)


def test_a_disk_of_somebody_else(keelson, images):
    """A partition with a file system, and no kernel in it."""
    path = keelson.home / "b.img"
    with path.open("wb") as f:
        f.truncate(8 << 20)
    env = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "MTOOLS_SKIP_CHECK": "1"}
    subprocess.run(["sfdisk", "-q", "--no-tell-kernel", path], input=b"label: dos\nstart=2048, type=c\n", check=True, env=env)
    subprocess.run(["mkfs.vfat", "--offset", "2048", path, "7168"], check=True, env=env, capture_output=True)
    subprocess.run(["mcopy", "-i", f"{path}@@1M", keelson.home / "a.yml", "::/A.YML"], check=True, env=env)
    assert "none of its partitions has a kernel" in fails(keelson, "b.img")
    other = b"label: dos\nstart=2048, type=83\n"
    subprocess.run(["sfdisk", "-q", "--no-tell-kernel", path], input=other, check=True, env=env)
    assert "none of its partitions has a kernel" in fails(keelson, "b.img")


def test_what_is_no_appliance_is_named(keelson, images):
    build(keelson, "kernel+initrd")
    assert "it is a kernel; name the appliance without its -kernel" in fails(keelson, "a-kernel")


@pytest.mark.parametrize("form,package", [
    ("raw-bios", "mtools"), ("vmdk", "qemu-utils"), ("kernel+squashfs", "squashfs-tools-ng"), ("kernel+erofs", "erofs-utils")])
def test_a_missing_program_is_named_with_its_package(keelson, images, form, package):
    suffix = {**DISKS, **ROOTS}[form][0]
    build(keelson, form)
    keelson.env["PATH"] = "/nowhere"
    assert f"install the Debian package {package}" in fails(keelson, f"a{suffix}")


@pytest.mark.parametrize("form,number", [("gcp", signal.SIGTERM), ("kernel+erofs", signal.SIGTERM), ("vmdk", signal.SIGKILL)])
def test_a_signal_leaves_nothing_behind(keelson, images, form, number):
    """An erofs is unpacked into a folder by a program that goes on for a while; only SIGKILL may leave that."""
    suffix = {**DISKS, **ROOTS}[form][0]
    images.image("big", {f"d{i % 40}/{i}": noise(20000, i) for i in range(1000)})
    build(keelson, form)
    for delay in (0.02, 0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3):
        job = keelson.start("inspect", f"a{suffix}")
        time.sleep(delay)
        job.send_signal(number)
        job.communicate(timeout=120)  # the programs have its output, too: they have ended
        assert job.returncode in (0, -number)
        assert not list((keelson.home / "tmp").iterdir()), delay


def test_a_root_with_all_kinds_of_files(keelson, images):
    """Device nodes, links, and files that nobody may read: as an ordinary user, too."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, mode, data in (("dev/null", tarfile.CHRTYPE, 0o666, None), ("secret", tarfile.REGTYPE, 0, b"secret"),
                                       ("closed", tarfile.DIRTYPE, 0o555, None), ("closed/in", tarfile.REGTYPE, 0o444, b"in"),
                                       ("link", tarfile.SYMTYPE, 0o777, None), ("pipe", tarfile.FIFOTYPE, 0o600, None)):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.linkname = kind, mode, "secret" if kind == tarfile.SYMTYPE else ""
            info.size, info.devmajor, info.devminor = len(data or b""), 1, 3
            tar.addfile(info, io.BytesIO(data) if data else None)
    images.image("web", out.getvalue())
    build(keelson, "kernel+initrd", "plain")
    plain = inspect(keelson, "plain")
    for form, (suffix, _) in ROOTS.items():
        build(keelson, form)
        path = keelson.home / f"a{suffix}"
        assert tree(inspect(keelson, path.name)) == tree(plain), form
        if os.getuid() == 0 and form == "kernel+erofs":
            nobody_sees_the_same(path, plain)


def nobody_sees_the_same(path, plain):
    import shutil
    import tempfile
    from conftest import COMMAND
    with tempfile.TemporaryDirectory(prefix="keelson-nobody-") as home:
        program, image = shutil.copy(COMMAND, home), shutil.copy(path, home)
        os.mkdir(f"{home}/tmp")
        for name in (home, program, image, f"{home}/tmp"):
            os.chown(name, 65534, 65534)
        rights = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        done = subprocess.run([*rights, program, "inspect", "--json", image],
                              env={"PATH": "/usr/bin:/bin", "TMPDIR": f"{home}/tmp"}, capture_output=True, text=True,
                              check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        assert tree(json.loads(done.stdout)) == tree(plain)
        assert not os.listdir(f"{home}/tmp")


def test_run_knows_the_same_kinds(keelson, images):
    for form, what in (("kernel+squashfs", "a squashfs"), ("kernel+erofs", "an erofs"), ("gcp", "a tar")):
        suffix = {**DISKS, **ROOTS}[form][0]
        build(keelson, form)
        assert f"could not boot a{suffix}: it is {what}; an ISO, a disk" in keelson.fails("run", f"a{suffix}")


def test_what_the_command_line_says_of_the_root_counts(keelson, images):
    """A tmpfs that may have more than half of the memory takes less of it; other sizes are not known to be that much."""
    images.image("big", {"bin/two": noise(60 << 20)})  # more than what runs takes besides
    build(keelson, "kernel+initrd")
    words = ["", "initramfs_options=size=90%", "initramfs_options=nr_inodes=9,size=90%", "initramfs_options=size=100%",
             "initramfs_options=size=90m", "initramfs_options=size=0%", "initramfs_options=size=900%",
             "initramfs_options=mode=700 size=90%"]
    least = {}
    for word in words:
        (keelson.home / "a-cmdline").write_text(f"console=ttyS0 {word}")
        least[word] = inspect(keelson, "a")["least_memory_mib"]
    assert least[words[3]] < least[words[1]] == least[words[2]] < least[""]
    assert [least[word] for word in words[4:]] == [least[""]] * 4


ESCAPE = "\x1b[2J\x07\x9b31m\r\n\x7f"


def no_control(text):
    assert not [c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160], repr(text)


def test_nothing_of_an_image_moves_the_terminals_cursor(keelson, images):
    """Names, versions and command lines in what is looked at, and what messages quote of images."""
    names = (f"containers/services/a{ESCAPE}/x", f"containers/{ESCAPE}/y/z", f"bin/{ESCAPE}")
    tar = tar_with([({"name": name}, b"x") for name in names] +
                   [({"name": "boot/cmdline"}, f"console=ttyS0 {ESCAPE}".encode()),
                    ({"name": "boot/kernel"}, kernel().replace(VERSION[:10], b"6.1\x1b[2J\x9bx"[:10]))])
    (keelson.home / f"a{ESCAPE[:4]}.tar").write_bytes(tar)
    said = keelson.run("inspect", f"a{ESCAPE[:4]}.tar", errors="surrogateescape").stdout
    assert "a?[2J" in said and "console=ttyS0 ?[2J" in said and "6.1?[2J" in said
    no_control(said)
    for label in (f'{{"{ESCAPE}": 1}}', f'{{"binds": ["{ESCAPE}"]}}', f"{ESCAPE}"):
        for raw in "\r\n\x1b\x07":
            label = label.replace(raw, f"\\u{ord(raw):04x}")
        images.image("odd", {"x": b""}, config={"Labels": {"org.mobyproject.config": label}})
        (keelson.home / "b.yml").write_text("services: [{name: a, image: t/odd}]\n")
        said = keelson.fails("build", "--offline", "b.yml")
        assert "t/odd" in said
        no_control(said)
    images.image("odd", tar_with([({"name": f"{ESCAPE}/../../x"}, b"x")]))
    no_control(keelson.fails("build", "--offline", "b.yml"))
    images.name(images.entries[-1], f"docker.io/t/{ESCAPE}:latest")
    for words in (("cache", "ls"), ("cache", "verify")):
        no_control(keelson.run(*words).stdout)


def test_a_root_that_its_program_cannot_read_is_told_in_the_programs_words(keelson, images):
    build(keelson, "kernel+erofs")
    root = keelson.home / "a-erofs.img"
    data = bytearray(root.read_bytes())
    data[1024 + 12] = 77  # the block size, as a power of two
    root.write_bytes(data)
    told = keelson.fails("inspect", "a-erofs.img")
    assert "erofs:" in told and "archive format" not in told
