# SPDX-License-Identifier: Apache-2.0
"""What Linux makes of an initrd of archives that are not compressed: init/initramfs.c of 6.1, word for word where names
are linked, replaced and removed."""
import stat
from dataclasses import dataclass, field

HEADER = 110


@dataclass
class Inode:
    mode: int
    uid: int
    gid: int
    mtime: int
    data: bytes = b""
    device: tuple = ()
    names: set = field(default_factory=set)


class Initramfs:
    """The root as {path: Inode}; names of one file have the same one."""

    def __init__(self, data):
        self.root, self.headers, self.linked = {}, [], {}
        at = 0
        while at < len(data):
            if data[at:at + 4] == b"\0\0\0\0":
                at += 4
                continue
            assert data[at:at + 6] == b"070701", (at, data[at:at + 20])
            f = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
            name = data[at + HEADER:at + HEADER + f[11] - 1].decode(errors="surrogateescape")
            body_at = at + (HEADER + f[11] + 3) // 4 * 4
            body = data[body_at:body_at + f[6]]
            at = (body_at + f[6] + 3) // 4 * 4
            self.one(name, f, body)

    def one(self, name, f, body):
        ino, mode, uid, gid, nlink, mtime = f[:6]
        if name == "TRAILER!!!":
            self.linked = {}
            return
        self.headers.append((name, mode, nlink))
        if stat.S_ISLNK(mode):
            self.clean(name, 0)
            self.put(name, Inode(mode, uid, gid, mtime, body))
            return
        self.clean(name, mode)
        old = self.root.get(name)
        if stat.S_ISDIR(mode):
            inode = old or self.put(name, Inode(mode, uid, gid, mtime))
        else:
            link = self.link(name, ino, mode, nlink)
            if not link and (old is None or not stat.S_ISREG(mode)):
                assert old is None, f"mknod of {name}: EEXIST"
                self.put(name, Inode(mode, uid, gid, mtime, device=tuple(f[9:11])))
            inode = self.root[name]
            if stat.S_ISREG(mode) and (body or not link):
                inode.data = body
            elif link and not stat.S_ISREG(mode):
                return
        inode.mode, inode.uid, inode.gid, inode.mtime = mode, uid, gid, mtime

    def link(self, name, ino, mode, nlink):
        """Whether it has become another name of a file of this archive."""
        if nlink < 2:
            return False
        first = self.linked.setdefault((ino, stat.S_IFMT(mode)), name)
        if first == name:
            return False
        self.clean(name, 0)
        self.put(name, self.root[first])
        return True

    def put(self, name, inode):
        parent = name.rpartition("/")[0]
        assert not parent or stat.S_ISDIR(self.root[parent].mode), name
        assert name not in self.root, name
        self.root[name] = inode
        inode.names.add(name)
        return inode

    def clean(self, name, mode):
        old = self.root.get(name)
        if old and stat.S_IFMT(old.mode ^ mode):
            assert not stat.S_ISDIR(old.mode), name
            old.names.remove(name)
            del self.root[name]

    def read(self, name):
        return self.root[name].data

    def names(self, name):
        """All names of the file."""
        return sorted(self.root[name].names)
