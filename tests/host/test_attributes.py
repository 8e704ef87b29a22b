# SPDX-License-Identifier: Apache-2.0
"""Extended attributes of an image's files: in a tar they are as they were, in an initrd there is a table of them."""
import re
import shutil
import struct

import pytest
from builds import Built, Images, tar_with
from images import bzimage
from initramfs import Initramfs
from test_layers import DIR, HARD, LINK

TABLE, STEP = "etc/keelson-attributes", "etc/init.d/000-attributes"
CAP = "security.capability"
# struct vfs_cap_data, revision 2, effective: CAP_NET_RAW is permitted.
NET_RAW = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)
YAML = """kernel: {image: t/kernel, tar: none}
init: [t/init, t/x]
services: [{name: s, image: t/web}]
"""


def file(name, data=b"x", nlink_of=None, **xattrs):
    head = {"name": name, "mode": 0o755, "pax_headers": {
        "SCHILY.xattr." + key.replace("_", ".", 1): value.decode("latin-1") for key, value in xattrs.items()}}
    return ({**head, "type": HARD, "linkname": nlink_of}, None) if nlink_of else (head, data)


@pytest.fixture
def images(keelson):
    out = Images(keelson.cache)
    out.image("kernel", {"kernel": bzimage(b"code" * 1000)})
    out.image("init", tar_with([
        ({"name": "etc/init.d", "type": DIR, "mode": 0o755}, None),
        ({"name": "usr/lib/keelson/attributes", "type": LINK, "linkname": "/usr/bin/service"}, None)]))
    out.image("foreign", {"init": b"#!init\n", "usr/bin/service": b"#!service\n"})
    out.image("x", tar_with([file("bin/ping", security_capability=NET_RAW), file("bin/arping", nlink_of="bin/ping"),
                             file("bin/plain")]))
    out.image("web", tar_with([file("bin/web\udcff", security_capability=NET_RAW, trusted_two=b"2"),
                               file("bin/noted", user_note=b"kept")]))
    return out


def build(keelson, yaml, *options):
    """What it says, too."""
    (keelson.home / "t.yml").write_text(yaml)
    return keelson.run("build", "--offline", "--no-sbom", "--compress", "none", *options, "t.yml").stderr


def table_of(root):
    """{path: {name: value}}, and that it is sorted by path."""
    texts = root.read(TABLE).decode(errors="surrogateescape").split("\0")
    assert texts.pop() == "" and len(texts) % 3 == 0
    paths = [p.encode(errors="surrogateescape") for p in texts[::3]]
    assert paths == sorted(paths)
    found = {}
    for path, name, value in zip(texts[::3], texts[1::3], texts[2::3]):
        found.setdefault(path, {})[name] = bytes.fromhex(value)
    return found


def test_an_initrd_has_a_table(keelson, images):
    said = build(keelson, YAML)
    initrd = (keelson.home / "t-initrd.img").read_bytes()
    root = Initramfs(initrd)
    rootfs = "containers/services/s/lower/bin/"
    assert table_of(root) == {"bin/ping": {CAP: NET_RAW}, "bin/arping": {CAP: NET_RAW},
                              rootfs + "web\udcff": {CAP: NET_RAW, "trusted.two": b"2"}}
    assert root.root[TABLE].mode == 0o100600 and root.root[TABLE].mtime == 1492533000
    assert root.root[STEP].mode == 0o120777 and root.read(STEP) == b"/usr/bin/service"
    assert said.count("\n") == 1 and re.search(
        rf"1 file loses extended attributes, /{rootfs}noted its user\.note: a root in memory .*\(--root squashfs\)", said)
    # Of parts that are kept, of all of them anew, and beside a format that wants every entry.
    build(keelson, YAML)
    assert (keelson.home / "t-initrd.img").read_bytes() == initrd
    shutil.rmtree(keelson.cache / "segments")
    build(keelson, YAML, "-f", "tar,kernel+initrd")
    assert (keelson.home / "t-initrd.img").read_bytes() == initrd
    tar = Built(keelson.home / "t.tar")
    assert tar.entries["bin/ping"].pax_headers["SCHILY.xattr." + CAP].encode("latin-1") == NET_RAW
    assert TABLE not in tar.entries and STEP not in tar.entries


def test_what_is_replaced_has_what_replaces_it(keelson, images):
    """The other name of the old file keeps what it has."""
    images.image("later", tar_with([file("bin/plain", security_selinux=b"label")]))
    build(keelson, YAML.replace("t/x]", "t/x, t/later]").replace("services:", "#") +
          "files: [{path: bin/ping, contents: new}]\n")
    root = Initramfs((keelson.home / "t-initrd.img").read_bytes())
    assert table_of(root) == {"bin/arping": {CAP: NET_RAW}, "bin/plain": {"security.selinux": b"label"}}
    assert root.read("bin/arping") == b"x" and root.read("bin/ping") == b"new"


def test_without_attributes_there_is_no_step(keelson, images):
    said = build(keelson, "kernel: {image: t/kernel, tar: none}\ninit: [t/init]\n")
    root = Initramfs((keelson.home / "t-initrd.img").read_bytes())
    assert said == "" and TABLE not in root.root and STEP not in root.root


def test_a_foreign_init_does_not_set_them(keelson, images):
    said = build(keelson, YAML.replace("t/init", "t/foreign"))
    root = Initramfs((keelson.home / "t-initrd.img").read_bytes())
    assert TABLE not in root.root and STEP not in root.root
    assert said.count("\n") == 1
    assert f"4 files lose extended attributes, /bin/arping its {CAP}, for one: an initrd has no place for them" in said


def test_a_table_has_a_bound(keelson, images):
    images.image("x", tar_with([file(f"bin/{i}", user_large=b"v" * 60000, trusted_large=b"v" * 60000)
                                for i in range(9)]))
    (keelson.home / "t.yml").write_text(YAML.replace("services:", "#"))
    done = keelson.run("build", "--offline", "--no-sbom", "t.yml", check=False)
    assert done.returncode == 1 and \
        "could not store the extended attributes of the files: their table is larger than 1024 KiB" in done.stderr
    assert not (keelson.home / "t-initrd.img").exists()


@pytest.mark.parametrize("form", ["kernel+squashfs", "kernel+erofs", "kernel+iso"])
def test_roots_in_an_image(keelson, images, form):
    said = build(keelson, YAML, "-f", form)
    if form == "kernel+squashfs":
        assert said == ""
    else:
        assert f"4 files lose extended attributes, /bin/arping its {CAP}, for one: of roots in an image" in said
