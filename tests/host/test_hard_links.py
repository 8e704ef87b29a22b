# SPDX-License-Identifier: Apache-2.0
"""Files with several names: what they are in a layer, they are in a tar and in an initrd."""
import pytest
from builds import Built, Images, many_headers, tar_header, tar_with
from images import bzimage
from initramfs import Initramfs
from test_layers import BLOCK, CHAR, DIR, FIFO, HARD, LINK


@pytest.fixture
def images(keelson):
    out = Images(keelson.cache)
    out.image("kernel", {"kernel": bzimage(b"code" * 1000)})
    return out


YAML = "kernel: {image: t/kernel, tar: none}\ninit: [t/x]\n"


def both(keelson, yaml=YAML):
    """Of one YAML: the root that a tar unpacks to, and that an initrd does; made at once, and each alone."""
    (keelson.home / "t.yml").write_text(yaml)
    keelson.run("build", "--offline", "--no-sbom", "--compress", "none", "-f", "tar,kernel+initrd", "t.yml")
    data = (keelson.home / "t-initrd.img").read_bytes()
    keelson.run("build", "--offline", "--no-sbom", "--compress", "none", "--name", "u", "t.yml")
    assert (keelson.home / "u-initrd.img").read_bytes() == data
    return Built(keelson.home / "t.tar"), Initramfs(data)


def file(name, data=b"x", **kw):
    return ({"name": name, "mode": 0o644, **kw}, data)


def hard(name, to, **kw):
    return ({"name": name, "type": HARD, "linkname": to, "mode": 0o644, **kw}, None)


def test_to_what_is_no_file(keelson, images):
    images.image("x", tar_with([
        ({"name": "link", "type": LINK, "linkname": "a/b", "uid": 7, "gid": 8}, None), hard("link2", "link"),
        ({"name": "char", "type": CHAR, "devmajor": 1, "devminor": 3, "mode": 0o600}, None), hard("char2", "char"),
        ({"name": "block", "type": BLOCK, "devmajor": 7, "devminor": 1}, None), hard("block2", "block"),
        ({"name": "pipe", "type": FIFO, "mode": 0o622}, None), hard("pipe2", "pipe")]))
    tar, root = both(keelson)
    for name in ("link", "char", "block", "pipe"):
        assert tar.entries[name + "2"].islnk() and tar.entries[name + "2"].linkname == name
    for name in ("link", "link2"):
        link = root.root[name]
        assert (link.mode, link.data, link.uid, link.gid) == (0o120644, b"a/b", 7, 8)
    assert root.names("char") == ["char", "char2"] and root.root["char"].device == (1, 3)
    assert root.names("block") == ["block", "block2"] and root.root["block"].device == (7, 1)
    assert root.names("pipe") == ["pipe", "pipe2"] and root.root["pipe"].mode == 0o010622


def test_of_a_name_that_is_no_text(keelson, images):
    images.image("x", tar_with([file("a\udcff"), hard("b\udcfe", "a\udcff")]))
    _, root = both(keelson)
    assert root.names("a\udcff") == ["a\udcff", "b\udcfe"]


def test_one_name_is_replaced(keelson, images):
    """The others keep what they are: the kernel writes into a file that is there."""
    names = [file("bin/a", b"old"), *(hard(f"bin/{x}", "bin/a") for x in "bcde")]
    device = {"type": CHAR, "devmajor": 1, "devminor": 3}
    images.image("x", tar_with([*names, ({"name": "dev/x", **device}, None), hard("dev/y", "dev/x")]))
    images.image("later", tar_with([file("bin/a", b"later"), file("bin/d", b"later"), hard("bin/e", "bin/d"),
                                    ({"name": "dev/x", **device, "devminor": 5}, None)]))
    tar, root = both(keelson, YAML.replace("t/x", "t/x, t/later") +
                     "files: [{path: bin/b, contents: files}, {path: bin/e, contents: files}]\n")
    assert tar.entries["bin/a"].isreg() and tar.read("bin/a") == b"later"
    assert {n: root.read("bin/" + n) for n in "abcde"} == \
        {"a": b"later", "b": b"files", "c": b"old", "d": b"later", "e": b"files"}
    assert root.names("bin/c") == ["bin/c"]
    assert root.root["dev/x"].device == (1, 5) and root.root["dev/y"].device == (1, 3)


def test_a_replaced_name_has_others_again(keelson, images):
    images.image("x", tar_with([file("a", b"1"), hard("b", "a"), hard("c", "a")]))
    images.image("y", tar_with([file("b", b"2"), hard("c", "b"), hard("d", "b")]))
    _, root = both(keelson, YAML.replace("t/x", "t/x, t/y, t/x, t/y") + "files: [{path: d, contents: '3'}]\n")
    assert {n: root.read(n) for n in "abcd"} == {"a": b"1", "b": b"2", "c": b"2", "d": b"3"}
    assert root.names("b") == ["b", "c"]


def test_names_are_counted_once(keelson, images):
    """A layer may say again what one below it has said."""
    images.image("x", tar_with([file("a", b"1"), hard("b", "a"), file("c", b"3"), hard("d", "c"), hard("e", "c")]),
                 tar_with([hard("b", "a"), file("b", b"2"), hard("b", "a")]), tar_with([file(".wh.d"), hard("e", "c")]))
    _, root = both(keelson)
    assert root.names("a") == ["a", "b"] and root.names("c") == ["c", "e"]
    assert {name: nlink for name, _, nlink in root.headers if name in "abcde"} == {"a": 2, "b": 2, "c": 2, "e": 2}


def test_of_very_many_names(keelson, images):
    """With time that grows by the square of their number, this does not end before the command is given up."""
    count = 300_000
    images.image("x", tar_header("bin", type=DIR) + tar_header("bin/tool", size=4) + b"tool".ljust(512, b"\0") +
                 many_headers("link-", count, type=HARD, linkname="bin/tool"))
    (keelson.home / "t.yml").write_text("init: [t/x]\n")
    keelson.run("build", "--offline", "--no-sbom", "--compress", "none", "-f", "tar,kernel+initrd", "t.yml")
    root = Initramfs((keelson.home / "t-initrd.img").read_bytes())
    assert len(root.names("bin/tool")) == count + 1 and root.read("link-299999") == b"tool"
    assert {nlink for name, _, nlink in root.headers if name.startswith("link-")} == {count + 1}
    assert (keelson.home / "t.tar").read_bytes().count(b"LINUXKIT.location=init[0]") == len(root.headers)


def test_of_what_an_image_may_not_bring(keelson, images):
    """The name goes, or has something else there; the file stays under its others."""
    images.image("x", tar_with([
        file("etc/hostname", b"name"), hard("etc/hostname.bak", "etc/hostname"), hard("etc/hostname.old", "etc/hostname"),
        file("etc/hosts", b"hosts"), hard("etc/hosts.bak", "etc/hosts"),
        file("etc/a", b"a"), hard("etc/resolv.conf", "etc/a"), hard("etc/b", "etc/resolv.conf"),
        file("Dockerfile", b"both"), hard(".dockerenv", "Dockerfile"),
        ({"name": "dev/console", "type": CHAR, "devmajor": 5, "devminor": 1}, None), hard("dev/other", "dev/console"),
        ({"name": "etc/mtab", "type": LINK, "linkname": "x"}, None), hard("etc/mtab2", "etc/mtab")]))
    images.image("y", tar_with([file("old", b"old"), hard("etc/hosts", "old")]), tar_with([file(".wh.old")]))
    for yaml in (YAML, "kernel: {image: t/kernel, tar: none}\nservices: [{name: s, image: t/x}]\n"):
        at = "" if yaml is YAML else "containers/services/s/lower/"
        tar, root = both(keelson, yaml)
        for name, data in {"etc/hostname.bak": b"name", "etc/hosts.bak": b"hosts", "etc/a": b"a"}.items():
            assert tar.read(at + name) == root.read(at + name) == data and tar.entries[at + name].isreg()
        assert root.names(at + "etc/hostname.bak") == [at + "etc/hostname.bak", at + "etc/hostname.old"]
        assert root.names(at + "etc/hosts.bak") == [at + "etc/hosts.bak"]
        assert root.names(at + "etc/a") == [at + "etc/a", at + "etc/b"]
        assert b"localhost" in tar.read(at + "etc/hosts") and b"localhost" in root.read(at + "etc/hosts")
        assert at + "etc/resolv.conf" in root.root and root.root[at + "dev/other"].device == (5, 1)
        assert root.read(at + "etc/mtab") == root.read(at + "etc/mtab2") == b"x"
        for name in ("etc/hostname", "Dockerfile", ".dockerenv", "dev/console"):
            assert at + name not in tar.entries and at + name not in root.root
    tar, root = both(keelson, YAML.replace("t/x", "t/y"))
    assert b"localhost" in tar.read("etc/hosts") and b"localhost" in root.read("etc/hosts") and "old" not in root.root


def test_of_a_kernel_s_modules(keelson, images):
    modules = tar_with([({"name": "lib", "type": DIR, "mode": 0o755}, None), file("lib/a", b"a"), hard("lib/b", "lib/a"),
                        hard("lib/c", "lib/b"), file("lib/d", b"d"),
                        ({"name": "lib/link", "type": LINK, "linkname": "a"}, None), hard("lib/link2", "lib/link")])
    images.image("k", {"kernel": bzimage(b"code" * 1000), "kernel.tar": tar_with([file("lib/a"), hard("lib/d", "lib/a")])},
                 {"kernel.tar": modules})
    images.image("x", {"etc/x": b"x"})
    tar, root = both(keelson, "kernel: {image: t/k}\ninit: [t/x]\n")
    assert root.names("lib/a") == ["lib/a", "lib/b", "lib/c"] and root.read("lib/link2") == b"a"
    assert {name: nlink for name, _, nlink in root.headers if name in ("lib/a", "lib/c", "lib/d")} == \
        {"lib/a": 3, "lib/c": 3, "lib/d": 1}
    assert tar.entries["lib/c"].linkname == "lib/b" and tar.read("lib/c") == b"a"
    images.image("k", {"kernel": bzimage(b"code" * 1000), "kernel.tar": tar_with([hard("lib/b", "lib/a")])})
    message = keelson.fails("build", "--offline", "--no-sbom", "t.yml")
    assert "could not store lib/b: it is a hard link to lib/a, which did not come before it" in message
