# SPDX-License-Identifier: Apache-2.0
"""A root that is no initramfs: squashfs on a disk, /sbin/init started by another initrd."""
import io
import re
import shutil
import subprocess
import tarfile

import harness
import roots
from test_init import SERVICE

# Debian's kernel for virtual machines has squashfs and virtio as modules; our PID 1's loader brings them in.
def initrd_for(kind, driver):
    """An appliance whose init mounts /dev/vda, of this kind, and goes on there."""
    return INITRD.replace("virtio_blk squashfs", f"virtio_blk {driver}").replace("-t squashfs", f"-t {kind}")


INITRD = f"""kernel:
  image: keelson/kernel:latest
  cmdline: "console=ttyS0 quiet"
init: []
files:
  - path: bin/busybox
    source: {harness.BUSYBOX}
    mode: "0755"
  - path: bin/modprobe
    source: {harness.REPO}/build/guest/amd64/init
    mode: "0755"
  - path: init
    mode: "0755"
    contents: |
      #!/bin/busybox sh
      B=/bin/busybox
      $B mkdir -p /proc /sys /dev /root
      $B mount -t proc proc /proc
      $B mount -t devtmpfs dev /dev
      /bin/modprobe virtio_pci virtio_blk squashfs
      until [ -b /dev/vda ]; do $B sleep 0.1; done
      $B mount -t squashfs -o ro /dev/vda /root
      $B umount /proc /dev
      exec $B switch_root /root /sbin/init
"""


def make_squashfs(tree, out):
    """The tree as it is built, and a program with a file capability, which no initramfs can hold, under two names."""
    busybox = harness.BUSYBOX.read_bytes()
    with tarfile.open(tree, "a", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("usr/lib/cap")
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(info)
        info = tarfile.TarInfo("usr/lib/cap/busybox")
        info.mode, info.size = 0o755, len(busybox)
        info.pax_headers = {"SCHILY.xattr.security.capability": roots.CHOWN_CAPABILITY, "SCHILY.xattr.user.note": "kept"}
        tar.addfile(info, io.BytesIO(busybox))
        info = tarfile.TarInfo("usr/lib/cap/too")
        info.type, info.linkname, info.mode = tarfile.LNKTYPE, "usr/lib/cap/busybox", 0o755
        tar.addfile(info)
    with tree.open("rb") as stream:
        subprocess.run(["sqfstar", "-quiet", "-no-progress", "-comp", "lz4", out], stdin=stream, check=True,
                       capture_output=True)


def test_a_squashfs_root_comes_up_and_goes_down(build, boot, folder):
    build(SERVICE + roots.xattrs_files(folder))
    done = harness.keelson("build", "--format", "tar", "--o", folder / "tree.tar", folder / "appliance.yml")
    assert done.returncode == 0, done.stderr
    make_squashfs(folder / "tree.tar", folder / "root.squashfs")
    (folder / "initrd").mkdir()
    initrd = harness.build(INITRD, folder / "initrd", agent=False)
    assert initrd.status == 0, initrd.stderr
    vm = boot(initrd.name, "--mem", "512", "--disk", f"{folder}/root.squashfs,format=raw")
    vm.wait_for("service list | grep -q '^sleeper *running'")
    # / is the disk's, and left as it was: read-only, nothing moved or copied.
    root = [line.split() for line in vm.run("cat /proc/1/mountinfo").stdout.splitlines() if line.split()[4] == "/"]
    assert "squashfs" in root[-1], root
    assert vm.run("readlink /proc/1/exe").stdout == "/init\n"
    assert "ro" in root[-1][5].split(",") and "shared" in root[-1][6], root
    image = roots.of_tar(folder / "tree.tar")
    roots.compare(image, roots.of_guest(vm))
    assert roots.xattrs_of_guest(vm) == roots.xattrs_of(image)
    roots.check_capability(vm, "/usr/lib/cap/busybox")
    assert [s for s in vm.json("cat /run/keelson/boot.json")["stages"] if not s["ok"]] == []
    assert "init: could not" not in vm.console
    assert vm.poweroff() == 0
    assert "could not" not in vm.console
    assert "reboot: Power down" in vm.console
    shutil.rmtree(folder / "initrd")
