# SPDX-License-Identifier: Apache-2.0
"""Roots that are file systems: the same tree as the tar's, when later entries replace earlier ones."""
import io
import os
import re
import struct
import subprocess
import tarfile

import pytest
from builds import Images, modules, tar_with
from conftest import REPO
from images import bzimage, tar_of
from initramfs import Initramfs

DIR, LINK, HARD, CHAR, BLOCK, FIFO = b"5", b"2", b"1", b"3", b"4", b"6"
CAPABILITY = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
SECONDS = 120
# What makes a tar of a root. An ordinary user has neither devices nor owners outside a fakeroot.
READERS = {"kernel+squashfs": ("a-squashfs.img", 'sqfs2tar "$0" 2>/dev/null'),
           "kernel+erofs": ("a-erofs.img", 'exec fakeroot sh -c \'fsck.erofs --extract=tree "$0" >&2 && '
                                           'tar -C tree -cf - .\' "$0"'),
           "kernel+iso": ("a.iso", 'bsdtar -cf - --format pax "@$0"')}
YAML = """kernel: {image: t/kernel, cmdline: quiet}
init: [t/first, t/second]
files:
  - {path: bin/mine, contents: "mine", mode: "0600", uid: 7}
  - {path: etc/absolute, contents: "no link", mode: "0640"}
  - {path: etc/relative, symlink: other}
  - {path: bin/target, contents: "new target"}
  - {path: srv, directory: true, mode: "0711", gid: 9}
  - {path: dev/null, contents: "no device"}
"""


@pytest.fixture
def images(keelson):
    out = Images(keelson.cache)
    out.image("kernel", {"kernel": bzimage(b"code" * 1000), "kernel.tar": modules()})
    out.image("first", tar_with([
        ({"name": "bin", "type": DIR, "mode": 0o755}, None),
        ({"name": "bin/mine", "mode": 0o755, "pax_headers": {"SCHILY.xattr.user.gone": "x"}}, b"first"),
        ({"name": "bin/both", "mode": 0o4755, "uid": 3, "gid": 4}, b"first"),
        ({"name": "bin/target", "mode": 0o755, "uid": 100000,
          "pax_headers": {"SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1")}}, b"linked"),
        ({"name": "lib", "type": DIR, "mode": 0o750, "uid": 5}, None),
        ({"name": "lib/one", "type": HARD, "linkname": "bin/target"}, None),
        ({"name": "lib/two", "type": HARD, "linkname": "bin/target"}, None),
        ({"name": "etc", "type": DIR, "mode": 0o755}, None),
        ({"name": "etc/absolute", "type": LINK, "linkname": "/run/x"}, None),
        ({"name": "etc/relative", "type": LINK, "linkname": "../run/x"}, None),
        ({"name": "etc/stays", "type": LINK, "linkname": "/run/x"}, None),
        ({"name": "srv", "type": DIR, "mode": 0o755}, None),
        ({"name": "srv/data"}, b"data"),
        ({"name": "node", "type": BLOCK, "devmajor": 7, "devminor": 300, "mode": 0o640, "gid": 6}, None),
        ({"name": "fifo", "type": FIFO, "mode": 0o620}, None),
        ({"name": "dev", "type": DIR, "mode": 0o755}, None),
        ({"name": "dev/null", "type": CHAR, "devmajor": 1, "devminor": 3, "mode": 0o666}, None)]))
    out.image("second", tar_with([({"name": "bin", "type": DIR, "mode": 0o711, "uid": 8}, None),
                                  ({"name": "bin/both", "mode": 0o2711, "uid": 1, "gid": 2}, b"second")]))
    (keelson.home / "a.yml").write_text(YAML)
    return out


def unpacked(tar):
    """{path: what it is} of what a tar is unpacked to, and the sets of names that are one file."""
    tree, file_of = {}, {}
    for n, m in enumerate(tar):
        path = m.name.removeprefix("./").rstrip("/")
        if path in ("", ".") or path.startswith("boot/"):
            continue
        if m.islnk():
            target = m.linkname.removeprefix("./")
            tree[path], file_of[path] = tree[target], file_of[target]
            continue
        data = tar.extractfile(m).read() if m.isreg() else m.linkname if m.issym() else (m.devmajor, m.devminor)
        caps = m.pax_headers.get("SCHILY.xattr.security.capability")
        tree[path] = (m.type, None if m.issym() else m.mode, m.uid, m.gid, None if m.isdir() or m.isfifo() else data, caps)
        file_of[path] = n
    links = {frozenset(p for p in file_of if file_of[p] == n) for n in file_of.values()}
    return tree, {names for names in links if len(names) > 1}


def root_of(keelson, form):
    name, script = READERS[form]
    done = subprocess.run(["sh", "-c", script, keelson.home / name], capture_output=True, check=True, timeout=SECONDS,
                          cwd=keelson.home, env=os.environ | {"LC_ALL": "C.UTF-8"})
    return tarfile.open(fileobj=io.BytesIO(done.stdout))


@pytest.mark.parametrize("form", READERS)
def test_what_comes_last_is_there(keelson, images, form):
    keelson.run("build", "--offline", "--no-sbom", "--verify", "-f", f"tar,{form}", "a.yml")
    want, links = unpacked(tarfile.open(keelson.home / "a.tar"))
    assert want["bin/mine"][1:5] == (0o600, 7, 0, b"mine") and want["lib/one"][5]
    assert links == {frozenset({"lib/one", "lib/two"})}
    have, have_links = unpacked(root_of(keelson, form))
    for implied in ("lib/modules", "lib/modules/6.1"):
        assert have.pop(implied)[1:4] == (0o755, 0, 0)
    if form != "kernel+squashfs":  # what makes these has no extended attributes
        want = {path: (*entry[:5], None) for path, entry in want.items()}
    assert have == want
    if form != "kernel+erofs":  # fsck.erofs unpacks each name as a file of its own
        assert have_links == links


@pytest.mark.parametrize("form", READERS)
def test_nothing_comes_from_the_umask(keelson, images, form):
    """Not even the root itself, nor what the tar has no entry for."""
    words = ("build", "--offline", "--no-sbom", "-f", form, "a.yml")
    keelson.run(*words, preexec_fn=lambda: os.umask(0o022))
    want = (keelson.home / READERS[form][0]).read_bytes()
    keelson.run(*words, preexec_fn=lambda: os.umask(0o077))
    assert (keelson.home / READERS[form][0]).read_bytes() == want
    top = next((m for m in root_of(keelson, form) if m.name.strip("./") == ""), None)
    if top:
        assert (top.mode, top.uid, top.gid) == (0o755, 0, 0)
    else:
        listed = subprocess.run(["unsquashfs", "-lln", keelson.home / READERS[form][0]], capture_output=True, text=True,
                                check=True)
        assert listed.stdout.startswith("drwxr-xr-x 0/0 ")


@pytest.mark.parametrize("kind", ["squashfs", "erofs"])
def test_so_is_a_root_that_stays_compressed(keelson, images, kind):
    """Its initrd has the modules that came last, too."""
    mark = re.search(r'SMALL_ROOT_MARK "(.*?)"', (REPO / "init/small_root.h").read_text())[1]
    module = "lib/modules/6.1/kernel/drivers/block/loop.ko"
    images.image("kernel", {"kernel": bzimage(b"code" * 1000), "kernel.tar": tar_of({
        module: b"old", "lib/modules/6.1/modules.dep": b"kernel/drivers/block/loop.ko:\n",
        "lib/modules/6.1/modules.builtin": f"kernel/fs/{kind}/{kind}.ko\n".encode()})})
    images.image("third", {"init": mark.encode(), module: b"new"})
    (keelson.home / "a.yml").write_text(YAML.replace("t/second", "t/second, t/third"))
    keelson.run("build", "--offline", "--no-sbom", "--verify", "--root", kind, "a.yml")
    initrd = Initramfs((keelson.home / "a-initrd.img").read_bytes())
    assert initrd.read("loop.ko") == b"new"
    (keelson.home / READERS[f"kernel+{kind}"][0]).write_bytes(initrd.read("root.img"))
    root, _ = unpacked(root_of(keelson, f"kernel+{kind}"))
    assert root["bin/mine"][1:5] == (0o600, 7, 0, b"mine") and root["bin/both"][4] == b"second"
    assert root["etc/absolute"][4] == b"no link" and root["lib/one"][4] == b"linked" and root[module][4] == b"new"
