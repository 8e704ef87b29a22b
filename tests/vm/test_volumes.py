# SPDX-License-Identifier: Apache-2.0
"""
Volumes as the YAML's `volumes:` makes them: writable and read-only, of an image, blank, and as an OCI layout; shared by
containers; mounted before the first onboot container; and one that lost its files.
"""
from test_faults import BASE

PASSWD = "root:x:0:0:root:/root:/bin/sh\n"  # what the image has
KINDS = """volumes:
  - name: data
    image: keelson/busybox:latest
  - name: fixed
    image: keelson/busybox:latest
    readonly: true
  - name: blank
  - name: nothing
    readonly: true
  - name: layout
    image: keelson/busybox:latest
    format: oci
    readonly: true
"""
VOLUMES = BASE + KINDS + """onboot:
  - name: first
    image: keelson/busybox:latest
    binds: ["data:/data", "fixed:/fixed:ro"]
    command: ["sh", "-c", "cat /data/etc/passwd /fixed/etc/passwd; echo by first > /data/new; rm /data/etc/passwd; echo x > /fixed/new || true"]
  - name: second
    image: keelson/busybox:latest
    binds: ["data:/data:ro", "blank:/blank", "nothing:/nothing:ro"]
    command: ["sh", "-c", "cat /data/new; ls -A /data/etc /blank /nothing; echo x > /blank/x && echo blank is writable; echo x > /nothing/x || echo nothing is not; echo x > /data/second || echo bound read-only"]
  # All capabilities do not help: there is nothing that could be written to. Not even by who binds it without :ro.
  - name: third
    image: keelson/busybox:latest
    binds: ["/containers/volumes/fixed/merged:/fixed"]
    capabilities: ["all"]
    command: ["sh", "-c", "mount -o remount,rw,bind /fixed; mount -o remount,rw /fixed; echo x > /fixed/new || echo still read-only"]
  - name: fourth
    image: keelson/busybox:latest
    mounts: [{type: bind, source: layout, destination: /layout, options: [bind, ro]}]
    command: ["sh", "-c", "grep -c imageLayoutVersion /layout/oci-layout; ls /layout; touch /layout/new || echo read-only as well"]
services:
  - name: later
    image: keelson/busybox:latest
    binds: ["data:/data"]
    command: ["sh", "-c", "cat /data/new; echo by later > /data/new; sleep 100000"]
files:
  - {path: containers/volumes/broken/merged, directory: true}
"""


def log(vm, name):
    return vm.run(f"cat /run/log/onboot/onboot.{name}.out.log").stdout


def test_volumes_of_all_kinds(build, boot):
    vm = boot(build(VOLUMES), "--mem", "512")
    vm.wait_for("service list | grep -q '^later *running'")
    mounts = {line.split()[1]: line.split()[2:4] for line in vm.run("cat /proc/mounts").stdout.splitlines()}
    for name, first_option in {"data": "rw", "fixed": "ro", "blank": "rw", "nothing": "ro", "layout": "ro"}.items():
        kind, options = mounts[f"/containers/volumes/{name}/merged"]
        assert kind == "overlay" and options.split(",")[0] == first_option, name
    assert log(vm, "000-first") == 2 * PASSWD
    assert "/fixed/new: Read-only file system" in vm.run("cat /run/log/onboot/onboot.000-first.log").stdout
    assert log(vm, "001-second") == "by first\n/blank:\n\n/data/etc:\ngroup\nhosts\nmtab\nresolv.conf\n\n/nothing:\nblank is writable\nnothing is not\nbound read-only\n"
    assert log(vm, "002-third") == "still read-only\n"
    assert log(vm, "003-fourth") == '1\nblobs\nindex.json\noci-layout\nread-only as well\n'
    # What was written is in memory; the image below is as it was, and the service goes on with what onboot wrote.
    assert vm.wait_for("cat /var/log/later.out.log").stdout == "by first\n"
    base = "/containers/volumes"
    vm.wait_for(f"grep -q 'by later' {base}/data/merged/new")
    assert vm.run(f"cat {base}/data/lower/etc/passwd {base}/fixed/merged/etc/passwd").stdout == 2 * PASSWD
    assert vm.run(f"ls {base}/data/tmp/upper {base}/blank/tmp/upper; ls -A {base}/blank/lower").stdout == (
        f"{base}/blank/tmp/upper:\nx\n\n{base}/data/tmp/upper:\netc\nnew\n")
    # One that is broken is said, and keeps nobody from the others.
    assert "service: volume broken: could not use /containers/volumes/broken/lower: No such file or directory" in vm.console
    vm.run("service volumes", check=False)
    assert vm.run(f"cat {base}/data/merged/new").stdout == "by later\n"
    assert vm.poweroff() == 0
