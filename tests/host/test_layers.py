# SPDX-License-Identifier: Apache-2.0
"""Layers that nobody should trust: an error that names image and layer, or the right result; bounded memory."""
import gzip
import hashlib
import os
import re
import struct
import subprocess
import tarfile
import zlib

import pytest
from builds import Built, Images, build, many_headers, refused, tar_header, tar_with
from conftest import COMMAND, DEADLINE_SECONDS
from images import COMPRESSORS, LAYER, tar_of
from initramfs import Initramfs

DIR, LINK, HARD, CHAR, BLOCK, FIFO = b"5", b"2", b"1", b"3", b"4", b"6"
MEMORY_KIB = 64 << 10
YAML = "init: [t/x]\n"


@pytest.fixture
def images(keelson):
    return Images(keelson.cache)


# What starts the command counts, too, so it is something small.
MEASURE = """
import os, sys
pid = os.fork()
if not pid:
    os.execv(sys.argv[1], sys.argv[1:])
_, status, used = os.wait4(pid, 0)
print(used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_kib(keelson, *args):
    """What the command takes of memory at most."""
    done = subprocess.run(["/usr/bin/python3", "-I", "-S", "-c", MEASURE, COMMAND, *map(str, args)], env=keelson.env,
                          cwd=keelson.home, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def names_image_and_layer(message, blob):
    return "image docker.io/t/x" in message and f"layer {blob['digest']}" in message


@pytest.mark.parametrize("entries, says", [
    ([({"name": "../out"}, b"x")], 'path "../out" leaves its root'),
    ([({"name": "a/../../out"}, b"x")], "leaves its root"),
    ([({"name": "x", "type": HARD, "linkname": "../../etc/passwd"}, None)], "leaves its root"),
    ([({"name": "x", "type": HARD, "linkname": "nowhere"}, None)], "hard link x has no target nowhere before it"),
    ([({"name": "x", "type": HARD, "linkname": "later"}, None), ({"name": "later"}, b"x")], "no target later before it"),
    ([({"name": "d", "type": DIR}, None), ({"name": "x", "type": HARD, "linkname": "d"}, None)], "no target d before it"),
    ([({"name": "f"}, b"x"), ({"name": "f/below"}, b"x")], 'lies under something that is not a directory'),
    ([({"name": "a", "type": LINK, "linkname": "b"}, None), ({"name": "b", "type": LINK, "linkname": "a"}, None),
      ({"name": "a/x"}, b"x")], "too many links"),
    ([({"name": "/".join(["d"] * 3000)}, b"x")], "too long"),
])
def test_refused(keelson, images, entries, says):
    blob = images.image("x", tar_with(entries))[0]
    before = sorted(p for p in keelson.home.parent.rglob("*") if "blobs" not in str(p))
    message = refused(keelson, YAML)
    assert says in message and names_image_and_layer(message, blob), message
    # Nothing outside, and no temporary file.
    after = sorted(p for p in keelson.home.parent.rglob("*") if "blobs" not in str(p))
    assert [p for p in after if p not in before] == [keelson.home / "bad.yml"]


def test_links_stay_inside(keelson, images):
    """Absolute names and links are those of the root that is built, as for a program that runs there."""
    images.image("x", tar_with([({"name": "/etc/abs", "mode": 0o644}, b"abs"),
                                ({"name": "dir", "type": LINK, "linkname": "/etc"}, None),
                                ({"name": "dir/through", "mode": 0o600}, b"through"),
                                ({"name": "up", "type": LINK, "linkname": "../../../../etc"}, None),
                                ({"name": "up/above"}, b"above"),
                                ({"name": "hard", "type": HARD, "linkname": "/etc/abs"}, None)]))
    built = build(keelson, YAML)
    assert built.read("etc/abs") == b"abs" and built.read("etc/through") == b"through"
    assert built.read("etc/above") == b"above"
    assert built.entries["dir"].linkname == "/etc" and built.entries["up"].linkname == "../../../../etc"
    assert built.entries["hard"].islnk() and built.entries["hard"].linkname == "etc/abs"
    assert not (keelson.home.parent / "etc").exists()


def test_devices_and_odd_entries(keelson, images):
    images.image("x", tar_with([({"name": "dev/x", "type": CHAR, "devmajor": 5, "devminor": 300, "mode": 0o600}, None),
                                ({"name": "dev/y", "type": BLOCK, "devmajor": 259, "devminor": 1}, None),
                                ({"name": "run/pipe", "type": FIFO, "mode": 0o622}, None),
                                ({"name": "setuid", "mode": 0o6755, "uid": 70000, "gid": 2**31}, b"s"),
                                ({"name": "long/" + "n" * 250, "mode": 0o644}, b"l"),
                                ({"name": "empty", "mode": 0}, b"")]))
    built = build(keelson, YAML)
    x, y, pipe, setuid = (built.entries[n] for n in ("dev/x", "dev/y", "run/pipe", "setuid"))
    assert (x.ischr(), x.devmajor, x.devminor, x.mode) == (True, 5, 300, 0o600)
    assert (y.isblk(), y.devmajor, y.devminor) == (True, 259, 1)
    assert (pipe.isfifo(), pipe.mode) == (True, 0o622)
    assert (setuid.mode, setuid.uid, setuid.gid) == (0o6755, 70000, 2**31)
    assert built.read("long/" + "n" * 250) == b"l" and built.read("empty") == b""


def test_torn_and_changed_layers(keelson, images):
    good = gzip.compress(tar_with([({"name": f"f{i}"}, os.urandom(5000)) for i in range(20)]), 1)
    cases = {"cut": good[:len(good) // 2], "noise": os.urandom(3000),
             "tar cut": gzip.compress(zlib.decompress(good, 31)[:40000])}
    for name, data in cases.items():
        images.image("x", ready=[images.blob(data, LAYER + "+gzip")])
        message = refused(keelson, YAML)
        assert "image docker.io/t/x" in message and "layer sha256:" in message, (name, message)
    blob = images.image("x", {"etc/f": b"f" * 1000})[0]
    path = keelson.blob(blob["digest"])
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert names_image_and_layer(refused(keelson, YAML), blob)
    path.unlink()
    assert "image docker.io/t/x:latest for linux/amd64 is not in the cache" in refused(keelson, YAML)


@pytest.mark.parametrize("compression", ["gzip", "zstd", None])
def test_layers_are_those_of_the_configuration(keelson, images, compression):
    """Their own digests are right; but who made the image unpacked something else, or in another order."""
    tars = [tar_of({f"etc/{i}": os.urandom(200_000)}) for i in range(2)]
    packed = [COMPRESSORS[compression](t) if compression else t for t in tars]
    blobs = [images.blob(p, LAYER + (f"+{compression}" if compression else "")) for p in packed]
    right = ["sha256:" + hashlib.sha256(t).hexdigest() for t in tars]
    images.image("x", ready=blobs, diff_ids=right)
    assert {"etc/0", "etc/1"} <= set(build(keelson, YAML).entries)
    images.image("x", ready=blobs, diff_ids=right[::-1])
    message = refused(keelson, YAML)
    assert names_image_and_layer(message, blobs[0]) and f"digest {right[0]}" in message and right[1] in message, message
    images.image("x", ready=blobs, diff_ids=[right[0], None])
    assert names_image_and_layer(refused(keelson, YAML), blobs[1])
    for ids in ([], right[:1], right * 2):
        images.image("x", ready=blobs, diff_ids=ids)
        message = refused(keelson, YAML)
        assert f"image docker.io/t/x:latest: its manifest has 2 layers, and its configuration {len(ids)}" in message
    # What stands behind the tar belongs to it, too, and a packed layer that lacks its end is cut off.
    images.image("x", ready=[images.blob(COMPRESSORS[compression](tars[0] + b"more") if compression else tars[0] + b"more",
                                         LAYER)], diff_ids=right[:1])
    assert "the image's configuration says" in refused(keelson, YAML)
    if compression:
        images.image("x", ready=[images.blob(packed[0][:-5], LAYER)])
        refused(keelson, YAML)


@pytest.mark.parametrize("data", [b"", gzip.compress(b""), COMPRESSORS["zstd"](b"")], ids=["plain", "gzip", "zstd"])
def test_a_layer_with_nothing_in_it(keelson, images, data, tmp_path):
    """Not even the end of a tar."""
    nothing = "sha256:" + hashlib.sha256(b"").hexdigest()
    full = images.blob(tar_of({"etc/x": b"x"}), LAYER)
    images.image("x", ready=[images.blob(data, LAYER), full], diff_ids=[nothing, full["digest"]])
    assert build(keelson, YAML).read("etc/x") == b"x"
    keelson.run("cache", "export", "--format", "docker", "-o", tmp_path / "d.tar", "t/x")
    keelson.run("cache", "import", "--name", "t/y", tmp_path / "d.tar")
    assert build(keelson, "init: [t/y]\n").read("etc/x") == b"x"


def test_a_hundred_thousand_entries(keelson, images):
    count = 100_000
    name = "usr/lib/python3/dist-packages/package_{}/submodule/with_an_ordinary_file-number-{}.py"
    images.image("x", tar_with([({"name": name.format(i % 997, i), "mode": 0o644}, b"x") for i in range(count)]))
    (keelson.home / "t.yml").write_text(YAML)
    peak = peak_kib(keelson, "build", "-f", "tar", "--no-sbom", "t.yml")
    assert sum("file-number-" in n for n in Built(keelson.home / "t.tar").entries) == count
    assert peak < MEMORY_KIB
    peak = peak_kib(keelson, "build", "-f", "tar", "t.yml")
    assert sum("file-number-" in f["fileName"] for f in Built(keelson.home / "t.tar").json("sbom.spdx.json")["files"]) == count
    assert peak < MEMORY_KIB


def test_very_deep_directories(keelson, images):
    depth, count = 2040, 500
    deep = "/".join(["d"] * depth)
    images.image("x", tar_with([({"name": deep, "type": DIR, "mode": 0o755}, None),
                                *(({"name": f"{deep}/{i}"}, b"x") for i in range(count))]))
    entries = build(keelson, YAML).entries
    assert sum(len(name) == 2 * depth - 1 or name.startswith(deep + "/") for name in entries) == count + 1


def test_very_many_whiteouts(keelson, images):
    """Each looks at what is there still: not at all that ever was."""
    count = 120_000
    images.image("x", many_headers("d/", count) + many_headers("e/", count),
                 tar_header("d/.wh..wh..opq") * count + tar_header("e") * count)
    entries = build(keelson, YAML).entries
    assert not any(name.startswith(("d/", "e/")) for name in entries) and entries["e"].isreg()


def test_memory_does_not_follow_the_contents(keelson, images):
    images.image("x", {"big": os.urandom(1 << 20) * 200})
    (keelson.home / "t.yml").write_text(YAML)
    for options in (("-f", "tar"), ()):
        assert peak_kib(keelson, "build", *options, "t.yml") < MEMORY_KIB


def sparse_tar(size, data, at):
    """A GNU sparse entry (old format): `data` at offset `at`, holes elsewhere."""
    info = tarfile.TarInfo("sparse")
    info.mode = 0o644
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[124:136] = b"%011o\0" % len(data)
    header[386:410] = b"%011o\0%011o\0" % (at, len(data))
    header[410:434] = b"%011o\0%011o\0" % (size, 0)
    header[483:495] = b"%011o\0" % size if size < 8**11 else b"\x80" + b"\0" * 3 + struct.pack(">Q", size)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data + b"\0" * (-len(data) % 512) + b"\0" * 1024


def test_sparse_files(keelson, images):
    images.image("x", sparse_tar(8 << 20, b"data" * 128, 4 << 20))
    data = build(keelson, YAML).read("sparse")
    assert data == b"\0" * (4 << 20) + b"data" * 128 + b"\0" * ((4 << 20) - 512)
    blob = images.image("x", sparse_tar(5 << 30, b"data" * 128, 4 << 30))[0]
    (keelson.home / "t.yml").write_text(YAML)
    message = keelson.fails("build", "--no-sbom", "t.yml")
    assert "sparse" in message and names_image_and_layer(message, blob), message
    assert not list(keelson.home.glob("t-*"))


@pytest.mark.parametrize("entry, says", [
    ({"uid": 2**32}, "f belongs to user 4294967296: ids are numbers from 0 to 4294967294"),
    ({"gid": 2**32 + 5}, "f belongs to group 4294967301"),
    ({"uid": 2**32 - 1}, "f belongs to user 4294967295"),
    ({"pax_headers": {f"SCHILY.xattr.user.x{i}": "v" for i in range(65)}}, "f has 65 extended attributes: at most 64 are"),
    ({"pax_headers": {f"SCHILY.xattr.user.{'n' * 300}": "v"}}, "f has an extended attribute whose name is too long"),
])
def test_what_cannot_be_kept_is_refused(keelson, images, entry, says):
    blob = images.image("x", tar_with([({"name": "f", **entry}, b"x")]))[0]
    message = refused(keelson, YAML)
    assert says in message and names_image_and_layer(message, blob), message


def test_negative_ids_are_refused(keelson, images):
    info = tarfile.TarInfo("f")
    info.uid = -5
    blob = images.image("x", info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)[0]
    message = refused(keelson, YAML)
    assert "f belongs to user -5" in message and names_image_and_layer(message, blob), message


def test_as_much_as_can_be_kept(keelson, images):
    xattrs = {f"SCHILY.xattr.user.{i:0250}": f"v{i}" for i in range(64)}
    images.image("x", tar_with([({"name": "f", "uid": 2**32 - 2, "gid": 2**32 - 2, "pax_headers": xattrs}, b"x")]))
    f = build(keelson, YAML).entries["f"]
    assert (f.uid, f.gid) == (2**32 - 2, 2**32 - 2)
    assert {k: v for k, v in f.pax_headers.items() if "xattr" in k} == xattrs


def test_times_that_no_header_holds(keelson, images):
    """A tar has them; an initrd has 32 bits, and the nearest time that fits."""
    times = {"before": -5, "never": -2**40, "zero": 0, "last": 8**11 - 1, "later": 8**11, "far": 2**40}
    images.image("x", tar_with([({"name": name, "mtime": t}, b"x") for name, t in times.items()]))
    built = build(keelson, YAML)
    assert {name: built.entries[name].mtime for name in times} == times
    assert build(keelson, YAML).data == built.data
    listing = subprocess.run(["tar", "--warning=no-unknown-keyword", "--full-time", "--utc", "-tvf", "t.tar"],
                             cwd=keelson.home, capture_output=True, text=True, check=True)
    assert re.search(r"1969-12-31 23:59:55 before$", listing.stdout, re.M) and not listing.stderr, listing
    keelson.run("build", "--offline", "--no-sbom", "--compress", "none", "-f", "kernel+initrd", "t.yml")
    root = Initramfs((keelson.home / "t-initrd.img").read_bytes()).root
    assert {name: root[name].mtime for name in times} == {name: min(max(t, 0), 2**32 - 1) for name, t in times.items()}


def test_the_end_of_an_initrd_is_no_file(keelson, images):
    blob = images.image("x", {"a": b"1", "TRAILER!!!": b"2", "b/TRAILER!!!": b"3", "c": b"4"})[0]
    assert build(keelson, YAML).read("TRAILER!!!") == b"2"
    message = keelson.fails("build", "--offline", "--no-sbom", "t.yml")
    assert "could not store /TRAILER!!!: in an initrd" in message and names_image_and_layer(message, blob), message
    images.image("x", {"a": b"1", "b/TRAILER!!!": b"3", "c": b"4"})
    keelson.run("build", "--offline", "--no-sbom", "--compress", "none", "-f", "kernel+initrd", "t.yml")
    assert Initramfs((keelson.home / "t-initrd.img").read_bytes()).read("b/TRAILER!!!") == b"3"
    (keelson.home / "bad.yml").write_text(YAML + "files: [{path: TRAILER!!!, contents: x}]\n")
    message = keelson.fails("build", "--offline", "--no-sbom", "bad.yml")
    assert "could not store /TRAILER!!!" in message and "bad.yml:2:" in message, message


@pytest.mark.parametrize("path, link", [("d/" + "n" * 256, None), ("link", "t/" * 2048)], ids=["name", "link"])
def test_names_that_the_kernel_would_leave_out(keelson, images, path, link):
    entry = ({"name": path, "type": b"2", "linkname": link}, None) if link else ({"name": path}, b"x")
    blob = images.image("x", tar_with([({"name": "a"}, b"1"), entry]))[0]
    (keelson.home / "t.yml").write_text(YAML)
    message = keelson.fails("build", "--offline", "--no-sbom", "t.yml")
    assert f"could not store /{path[:50]}" in message and names_image_and_layer(message, blob), message


def test_windows_that_zstd_takes_without_being_told(keelson, images):
    """containerd's and Docker's own have up to 32 MiB. What to do about a larger one is said."""
    tar = tar_of({"big": os.urandom(1000) * 200000})
    for window in (25, 27, 28):
        packed = subprocess.run(["zstd", "-1", "-qc", f"--long={window}"], input=tar, capture_output=True, check=True).stdout
        layer, = images.image("x", ready=[images.blob(packed, LAYER + "+zstd")],
                              diff_ids=["sha256:" + hashlib.sha256(tar).hexdigest()])
        if window < 28:
            assert len(build(keelson, YAML).read("big")) == 200_000_000
    message = refused(keelson, YAML)
    assert f"image docker.io/t/x:latest, layer {layer['digest']}: " in message
    assert message.endswith("its zstd window is larger than 128 MiB: pack it anew, with at most --long=27, or with gzip")
