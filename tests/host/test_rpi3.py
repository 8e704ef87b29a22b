# SPDX-License-Identifier: Apache-2.0
"""rpi3: what the SD card of a Raspberry Pi 3 holds, from a kernel whose tar has its device trees."""
import json
import tarfile

import pytest
from builds import TREE, Images, noise, tar_with
from images import tar_of
from initramfs import Initramfs

YAML = """kernel:
  image: t/kernel
  cmdline: "console=ttyS1,115200 quiet"
""" + TREE
FIRMWARE = ("bootcode.bin", "fixup.dat", "fixup_cd.dat", "fixup_x.dat", "start.elf", "start_cd.elf", "start_x.elf")
TREES = {"boot/dtb/broadcom/bcm2837-rpi-3-b.dtb": b"b's tree", "boot/dtb/broadcom/bcm2837-rpi-zero-2-w.dtb": b"zero's"}
MODULES = {"lib/modules/6.1/modules.dep": b"dep\n", "boot/dtb/broadcom/bcm2711-rpi-4-b.dtb": b"another board's"}


def arm_image(payload):
    """As much of an arm64 kernel as we look at."""
    head = bytearray(64)
    head[0x38:0x3c] = b"ARM\x64"
    return bytes(head) + payload


@pytest.fixture
def images(keelson):
    made = Images(keelson.cache)
    made.image("kernel", {"kernel": arm_image(noise(30000)), "kernel.tar": tar_of({**MODULES, **TREES})}, arch="arm64")
    made.image("init", {"init": b"#!init\n", "bin/sh": noise(5000, 1)}, arch="arm64")
    made.image("web", {"bin/one": noise(3000, 2)}, arch="arm64")
    made.image("big", {"bin/two": noise(9000, 3)}, arch="arm64")
    (keelson.home / "a.yml").write_text(YAML)
    return made


@pytest.fixture
def firmware(keelson):
    folder = keelson.home / "firmware"
    folder.mkdir()
    for name in (*FIRMWARE, "LICENCE.broadcom"):
        (folder / name).write_text(f"what {name} has")
    keelson.env["KEELSON_RPI3_FIRMWARE"] = str(folder)
    return folder


WORDS = ("build", "--offline", "--no-sbom", "--arch", "arm64", "--format")


def test_the_card(keelson, images, firmware):
    keelson.run(*WORDS, "rpi3,kernel+initrd", "--verify", "a.yml")
    with tarfile.open(keelson.home / "a.tar") as tar:
        card = {m.name: tar.extractfile(m).read() for m in tar}
        assert all((m.mode, m.uid, m.gid, m.isreg()) == (0o644, 0, 0, True) for m in tar)
    for name in (*FIRMWARE, "LICENCE.broadcom"):
        assert card.pop(name) == f"what {name} has".encode()
    for path, data in TREES.items():
        assert card.pop(path.rpartition("/")[2]) == data
    assert card.pop("cmdline.txt") == b"console=ttyS1,115200 quiet\n"
    config = card.pop("config.txt").decode().splitlines()
    assert {"arm_64bit=1", "upstream_kernel=1", "kernel=kernel", "initramfs initrd.img followkernel"} <= set(config)
    assert card.pop("initrd.img")
    assert card == {"kernel": (keelson.home / "a-kernel").read_bytes()}


def test_inspect_sees_the_same_on_the_card(keelson, images, firmware):
    keelson.run(*WORDS, "rpi3,kernel+initrd", "a.yml")
    card, plain = (json.loads(keelson.run("inspect", "--json", name).stdout) for name in ("a.tar", "a"))
    for seen in (card, plain):  # the initrd is packed in one piece here, and in several there
        del seen["name"], seen["initrd"]
        for part in seen["parts"]:
            del part["compressed"]
    assert card == plain and card["cmdline"] == "console=ttyS1,115200 quiet"


@pytest.mark.parametrize("gone", [*FIRMWARE, "LICENCE.broadcom"])
def test_firmware_that_is_not_there_is_told_before_anything_is_built(keelson, images, firmware, gone):
    (firmware / gone).unlink()
    (keelson.home / "a.yml").write_text("not even looked at")
    message = keelson.fails(*WORDS, "rpi3", "a.yml")
    assert f"{firmware}/{gone}" in message
    assert gone.startswith("LICENCE") or "Debian package raspi-firmware" in message


def test_the_licence_may_be_where_debian_has_it(keelson, images, firmware):
    tree = keelson.home / "usr/lib/raspi-firmware"
    tree.parent.mkdir(parents=True)
    firmware.rename(tree)
    licence = keelson.home / "usr/share/doc/raspi-firmware/copyright"
    licence.parent.mkdir(parents=True)
    (tree / "LICENCE.broadcom").rename(licence)
    keelson.env["KEELSON_RPI3_FIRMWARE"] = str(tree)
    keelson.run(*WORDS, "rpi3", "a.yml")
    with tarfile.open(keelson.home / "a.tar") as tar:
        assert tar.extractfile("LICENCE.broadcom").read() == licence.read_bytes()


def test_a_kernel_without_device_trees_is_named(keelson, images, firmware):
    images.image("kernel", {"kernel": arm_image(b"x"), "kernel.tar": tar_of(MODULES)}, arch="arm64")
    message = keelson.fails(*WORDS, "rpi3", "a.yml")
    assert "no device tree boot/dtb/broadcom/bcm2837-rpi-*.dtb" in message
    assert not (keelson.home / "a.tar").exists()


def test_a_tree_may_come_by_any_of_its_names(keelson, images, firmware):
    """Boards that are alike have a tree in common, of which a tar has hard links, in any order."""
    def linked(name, to):
        return {"name": name, "type": b"1", "linkname": to}, None

    dtb = "boot/dtb/broadcom/bcm"
    tar = tar_with([({"name": f"{dtb}2837-rpi-3-b.dtb"}, b"b's tree"),
                    linked(f"{dtb}2837-rpi-3-b-plus.dtb", f"{dtb}2837-rpi-3-b.dtb"),
                    linked(f"{dtb}2711-rpi-4-b.dtb", f"{dtb}2837-rpi-3-b.dtb"),
                    ({"name": f"{dtb}2710-rpi-zero-2.dtb"}, b"zero's"),
                    linked(f"{dtb}2710-rpi-zero-2-w.dtb", f"{dtb}2710-rpi-zero-2.dtb"),
                    linked(f"{dtb}2837-rpi-zero-2-w.dtb", f"{dtb}2710-rpi-zero-2-w.dtb"),
                    ({"name": "lib", "type": b"5"}, None), ({"name": "lib/trees", "type": b"5"}, None),
                    ({"name": "lib/trees/cm3.dtb"}, b"the module's" * 1000),
                    linked(f"{dtb}2837-rpi-cm3-io3.dtb", "lib/trees/cm3.dtb")])
    images.image("kernel", {"kernel": arm_image(noise(30000)), "kernel.tar": tar}, arch="arm64")
    keelson.run(*WORDS, "rpi3", "--compress", "none", "a.yml")
    with tarfile.open(keelson.home / "a.tar") as card:
        trees = {m.name: card.extractfile(m).read() for m in card if m.name.endswith(".dtb")}
        packed = card.extractfile("initrd.img").read()
    assert trees == {"bcm2837-rpi-3-b.dtb": b"b's tree", "bcm2837-rpi-3-b-plus.dtb": b"b's tree",
                     "bcm2837-rpi-zero-2-w.dtb": b"zero's", "bcm2837-rpi-cm3-io3.dtb": b"the module's" * 1000}
    root = Initramfs(packed).root
    assert root["lib/trees/cm3.dtb"].data == b"the module's" * 1000 and not any(name.startswith(dtb) for name in root)


def test_a_tree_that_is_a_link_to_something_else_is_named(keelson, images, firmware):
    tar = tar_with([({"name": "lib/x"}, b"x"), ({"name": next(iter(TREES)), "type": b"1", "linkname": "lib/x"}, None)])
    images.image("kernel", {"kernel": arm_image(b"x"), "kernel.tar": tar}, arch="arm64")
    assert f"{next(iter(TREES))}: it is a hard link to lib/x" in keelson.fails(*WORDS, "rpi3", "a.yml")
