# SPDX-License-Identifier: Apache-2.0
"""The image's tree, as `keelson build --format tar` writes it, beside what the guest sees of it."""
import hashlib
import io
import json
import re
import stat
import struct
import subprocess
import tarfile
from dataclasses import dataclass, field

import harness

KINDS = {tarfile.REGTYPE: stat.S_IFREG, tarfile.LNKTYPE: stat.S_IFREG, tarfile.DIRTYPE: stat.S_IFDIR,
         tarfile.SYMTYPE: stat.S_IFLNK, tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK}
TEXT = b"one file\n"
MOUNTED = ("dev", "proc", "sys", "run", "tmp", "var")
# What runc and containerd see through an overlay is left out.
SLEEPER = "containers/services/sleeper/"
# struct vfs_cap_data, revision 2, effective: CAP_CHOWN is permitted.
CHOWN_CAPABILITY = struct.pack("<5I", 0x02000001, 1, 0, 0, 0).decode("latin-1")
LIST = f"cd / && find . -xdev -path ./{SLEEPER}rootfs -prune -o -print0 | xargs -0 stat -c '%f %u %g %s %i %N'"


@dataclass
class Root:
    files: dict = field(default_factory=dict)  # path: mode and kind, uid, gid, size, target of a link
    same: dict = field(default_factory=dict)  # path: what stands for the file, under whatever name
    xattrs: set = field(default_factory=set)  # (path, name, value)

    def add(self, path, mode, uid, gid, size, target):
        if path.split("/")[0] not in (*MOUNTED, "", "boot") and not path.startswith(SLEEPER):
            regular = stat.S_ISREG(mode)
            self.files[path] = (mode, uid, gid, size if regular else 0, target)


def of_tar(path):
    root, sizes = Root(), {}
    with tarfile.open(path) as tar:
        for m in tar:
            name = m.name.rstrip("/")
            root.same[name] = root.same[m.linkname] if m.islnk() else name
            sizes[name] = sizes[m.linkname] if m.islnk() else m.size
            root.add(name, KINDS[m.type] | (0o777 if m.issym() else m.mode), m.uid, m.gid, sizes[name],
                     m.linkname if m.issym() else "")
            root.xattrs |= {(name, key[len("SCHILY.xattr."):], value) for key, value in m.pax_headers.items()
                            if key.startswith("SCHILY.xattr.")}
    return root


def of_guest(vm):
    root = Root()
    for line in vm.run(LIST).stdout.splitlines():
        mode, uid, gid, size, inode, name = line.split(" ", 5)
        name, _, target = name.partition("' -> '")
        name, target = name.lstrip("'").removeprefix(".").removeprefix("/"), target.removesuffix("'")
        root.same[name] = inode
        root.add(name, int(mode, 16), int(uid), int(gid), int(size), target)
    return root


def compare(image, guest):
    """Every path has its kind, mode, owner, size and target; what is one file under several names is one file."""
    assert len(guest.files) > 500
    paths = set(image.files) | set(guest.files)
    wrong = {p: (image.files.get(p), guest.files.get(p)) for p in paths if image.files.get(p) != guest.files.get(p)}
    assert not wrong, dict(list(wrong.items())[:20])
    linked = [p for p in image.files if image.same[p] != p]
    assert linked, "the image has no hard link"
    assert all(guest.same[p] == guest.same[image.same[p]] for p in linked if image.same[p] in guest.same)


def xattrs_files(folder):
    """Of a YAML: what xattrs_of_guest() and check_capability() need in the guest."""
    subprocess.run(["musl-gcc", "-static", "-O1", "-o", folder / "xattrs", harness.HERE / "xattrs.c"], check=True)
    return f"""files:
  - {{path: etc/passwd, contents: "nobody:x:65534:65534::/:/bin/sh\\n"}}
  - {{path: etc/group, contents: "nobody:x:65534:\\n"}}
  - {{path: usr/lib/xattrs, source: {folder}/xattrs, mode: '0755'}}
"""


def xattrs_of(image):
    """Those of a file are those of all its names."""
    of_file = {}
    for path, name, value in image.xattrs:
        of_file.setdefault(path, []).append((name, value.encode("latin-1").hex()))
    return {(path, *xattr) for path, first in image.same.items() for xattr in of_file.get(first, [])}


def xattrs_of_guest(vm, below="/"):
    """Of one file system, or of one file."""
    return set(re.findall(r"^/(\S+) (\S+)=(\w*)$", vm.run(f"/usr/lib/xattrs {below}").stdout, re.M))


def check_capability(vm, busybox):
    """Nobody has the one of a busybox with CHOWN_CAPABILITY."""
    status = vm.run(f"start-stop-daemon -S -c nobody -x {busybox} -- cat /proc/self/status").stdout
    assert re.search(r"^Uid:\s+65534", status, re.M) and re.search(r"^CapEff:\s+0*1$", status, re.M), status


def linked_image(folder, name):
    """A docker archive of an image with one file under three names, one of them with another's mode and owner, and a
    program with a file capability."""
    busybox = harness.BUSYBOX.read_bytes()
    layer, out = io.BytesIO(), folder / "linked.tar"
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("usr/lib/capable/busybox")
        info.mode, info.size = 0o755, len(busybox)
        info.pax_headers = {"SCHILY.xattr.security.capability": CHOWN_CAPABILITY, "SCHILY.xattr.trusted.note": "kept"}
        tar.addfile(info, io.BytesIO(busybox))
        info = tarfile.TarInfo("usr/lib/capable/too/busybox")
        info.mode, info.type, info.linkname = 0o755, tarfile.LNKTYPE, "usr/lib/capable/busybox"
        tar.addfile(info)
        for path, target in (("usr/lib/linked/one", ""), ("usr/lib/linked/two", "usr/lib/linked/one"),
                             ("usr/bin/linked-three", "usr/lib/linked/one")):
            info = tarfile.TarInfo(path)
            info.mode, info.uid, info.gid = 0o4751, 12, 34
            info.type, info.linkname = (tarfile.LNKTYPE, target) if target else (tarfile.REGTYPE, "")
            info.size = 0 if target else len(TEXT)
            info.pax_headers = {} if target else {"SCHILY.xattr.security.capability": CHOWN_CAPABILITY}
            tar.addfile(info, None if target else io.BytesIO(TEXT))
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer.getvalue()).hexdigest()]}})
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}])
    with tarfile.open(out, "w") as tar:
        for path, data in (("manifest.json", manifest.encode()), ("config.json", config.encode()),
                           ("layer.tar", layer.getvalue())):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out
