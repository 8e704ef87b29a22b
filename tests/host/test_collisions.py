# SPDX-License-Identifier: Apache-2.0
"""Images, volumes, containers and files that cannot be in one tree: the message names both, and nothing is written."""
import pytest
from builds import Built, Images, build, refused, tar_with

DIR, LINK = b"5", b"2"


@pytest.fixture
def images(keelson):
    out = Images(keelson.cache)
    out.image("kernel", {"kernel": b"k", "kernel.tar": tar_with([({"name": "lib", "type": DIR, "mode": 0o755}, None),
                                                                 ({"name": "lib/m.ko"}, b"m")])})
    for name, top in {"through": {"name": "lib", "type": LINK, "linkname": "usr/lib"}, "below": {"name": "lib"}}.items():
        out.image(name, {"kernel": b"k", "kernel.tar": tar_with([(top, None), ({"name": "lib/m.ko"}, b"m")])})
    out.image("merged", tar_with([({"name": "usr/lib/x"}, b"x"), ({"name": "lib", "type": LINK, "linkname": "usr/lib"}, None)]))
    out.image("plain", {"lib/y": b"y", "srv/data": b"d"})
    out.image("file", {"srv": b"a file"})
    return out


@pytest.mark.parametrize("yaml, says", [
    ("init: [t/merged, t/plain]", "/lib cannot be a directory of init[1] (docker.io/t/plain): init[0] (docker.io/t/merged) has a link there"),
    ("kernel: {image: t/kernel}\ninit: [t/merged]", "/lib cannot be a link of init[0] (docker.io/t/merged): kernel (docker.io/t/kernel) has a directory there"),
    ("kernel: {image: t/through}", "/lib/m.ko of kernel (docker.io/t/through) would pass through the link /lib -> usr/lib of kernel"),
    ("kernel: {image: t/below}", "/lib/m.ko of kernel (docker.io/t/below) would lie below /lib, which is a file of kernel"),
    ("init: [t/plain, t/file]", "/srv cannot be a file of init[1] (docker.io/t/file): init[0] (docker.io/t/plain) has a directory there"),
    ("init: [t/file, t/plain]", "/srv cannot be a directory of init[1] (docker.io/t/plain): init[0] (docker.io/t/file) has a file there"),
    ("init: [t/merged]\nfiles:\n  - {path: lib/z, contents: z}", "bad.yml:3:5: /lib cannot be a directory of files[0] (linuxkit.files): init[0] (docker.io/t/merged) has a link there"),
    ("init: [t/file]\nfiles:\n  - {path: srv/deep/z, contents: z}", "bad.yml:3:5: /srv cannot be a directory of files[0]"),
    ("init: [t/plain]\nfiles:\n  - {path: srv, contents: z}", "bad.yml:3:5: /srv cannot be a file of files[0] (linuxkit.files): init[0] (docker.io/t/plain) has a directory there"),
    ("services: [{name: a, image: t/plain}]\nfiles:\n  - {path: containers/services/a/config.json/x, contents: z}",
     "has a file there"),
    ("services: [{name: a, image: t/plain}]\nfiles:\n  - {path: containers/services/a/lower, symlink: /x}",
     "/containers/services/a/lower cannot be a link of files[0] (linuxkit.files): services[0] (docker.io/t/plain) has a directory there"),
    ("init: [t/plain]\nfiles:\n  - {path: containers, contents: x}\n  - {path: containers/services/a, directory: true}", "\"containers\""),
])
def test_both_are_named(keelson, images, yaml, says):
    assert says in refused(keelson, yaml + "\n")


def test_a_path_with_dots_keeps_its_spelling_in_a_tar(keelson, images):
    """LinuxKit's tar has it so; a kernel would lose it, since a/b is not there."""
    (keelson.home / "d.yml").write_text("files: [{path: /a//b/../c, contents: x}]\n")
    keelson.run("build", "--no-sbom", "--compress", "none", "-f", "tar,kernel+initrd", "d.yml")
    assert Built(keelson.home / "d.tar").tar.getnames() == ["a", "a//b/../c"]
    initrd = (keelson.home / "d-initrd.img").read_bytes()
    assert b"a/c\0" in initrd and b".." not in initrd
    assert "is a file here and a directory at" in refused(keelson, "files: [{path: a/c, directory: true}, {path: a//b/../c, contents: x}]\n")


def test_what_may_be_replaced(keelson, images):
    """A file by a file, a link by a file and a directory by itself, as LinuxKit does."""
    built = build(keelson, "init: [t/plain, t/plain]\nfiles:\n"
                  "  - {path: etc/resolv.conf, contents: mine}\n  - {path: lib/y, contents: other}\n"
                  "  - {path: srv, directory: true, mode: '0711'}\n")
    assert built.read("etc/resolv.conf") == b"mine" and built.read("lib/y") == b"other"
    assert built.entries["srv"].mode == 0o711 and built.read("srv/data") == b"d"


def test_an_optional_file_takes_the_place_of_another(keelson, images):
    """The last that is there, once in the tar, whichever of them are."""
    yaml = ("files:\n  - {path: a, contents: default}\n  - {path: ./a, source: one, optional: true}\n"
            "  - {path: a, source: two, optional: true}\n")
    assert build(keelson, yaml).read("a") == b"default"
    for name, there in (("two", b"2"), ("one", b"2")):
        (keelson.home / name).write_bytes(there)
        built = build(keelson, yaml)
        assert built.tar.getnames().count("a") == 1 and built.read("a") == b"2"
    (keelson.home / "two").unlink()
    (keelson.home / "one").write_bytes(b"1")
    assert build(keelson, yaml).read("a") == b"1"


def test_two_of_one_path_are_named(keelson, images):
    """Of one kind the last counts, as with LinuxKit, but the path is in the tar once."""
    message = refused(keelson, "files:\n  - {path: a/b, contents: x}\n  - {path: /a//b, symlink: y}\n")
    assert message == 'keelson: bad.yml:3:5: "a/b" is a symlink here and a file at bad.yml:2:5; remove one'
    (keelson.home / "t.yml").write_text("files:\n  - {path: a/b, contents: x}\n  - {path: /a//b, contents: y}\n")
    done = keelson.run("build", "--no-sbom", "-f", "tar", "t.yml")
    assert done.stderr == 'keelson: warning: t.yml:2:5: "a/b" is left out, as it is there again at t.yml:3:5\n'
    built = Built(keelson.home / "t.tar")
    assert built.tar.getnames() == ["a", "a/b"] and built.read("a/b") == b"y"


def test_a_later_yaml_replaces_a_file(keelson, images):
    (keelson.home / "base.yml").write_text("files: [{path: a, contents: x}, {path: b, contents: x}]\n")
    (keelson.home / "more.yml").write_text("files: [{path: a, symlink: y}]\n")
    done = keelson.run("build", "--no-sbom", "-f", "tar", "--name", "both", "base.yml", "more.yml")
    built = Built(keelson.home / "both.tar")
    assert built.tar.getnames() == ["b", "a"] and built.entries["a"].linkname == "y" and done.stderr == ""
