# SPDX-License-Identifier: Apache-2.0
"""
One half of ours beside the other half of LinuxKit's. Its init is busybox's, with its three lines of inittab and its
rc.init and rc.shutdown, for which shell scripts stand in; its images bring a runc in /usr/bin, a config.toml of their
own and the links in init.d, from where a program is chosen by a word in the name that it is called by.
"""
import re

from test_faults import BASE

CONTAINERS = """onboot:
  - name: first
    image: keelson/busybox:latest
    binds: ["/var:/var"]
    command: ["sh", "-c", "echo first ran > /var/first; echo it speaks"]
  - name: joined
    image: keelson/busybox:latest
    net: new
    command: ["sh", "-c", "echo joined ran"]
    runtime:
      bindNS: {net: /run/netns/joined}
onshutdown:
  - name: last
    image: keelson/busybox:latest
    command: ["echo", "the last words"]
services:
  - name: sleeper
    image: keelson/busybox:latest
    readonly: false
    command: ["sleep", "100000"]
  - name: getty
    image: keelson/getty:latest
    env: ["INSECURE=true"]
"""
THEIR_INIT = BASE.replace("init:\n", "init:\n  - keelson/busybox:latest\n") + """  - keelson/memlogd:latest
""" + CONTAINERS + r"""files:
  - {path: mnt, directory: true}
  - {path: containers/volumes/data/lower, directory: true}
  - {path: containers/volumes/data/merged, directory: true}
  - {path: containers/volumes/data/tmp, directory: true}
  - path: init
    mode: "0755"
    contents: |
      #!/bin/sh
      # The root is copied into a tmpfs: runc's pivot_root needs that.
      mount -t tmpfs -o mode=755,size=90% rootfs /mnt
      mkdir /mnt/mnt /mnt/proc /mnt/sys /mnt/dev /mnt/run /mnt/tmp /mnt/var
      for f in bin boot containers etc lib lib64 root sbin usr; do [ ! -e /$f ] || cp -a /$f /mnt; done
      /bin/busybox --install -s /mnt/bin
      exec /bin/busybox switch_root /mnt /sbin/init
  - path: etc/inittab
    contents: |
      ::sysinit:/bin/rc.init
      ::ctrlaltdel:/bin/rc.shutdown reboot
      ::shutdown:/bin/rc.shutdown noop
  - path: bin/rc.init
    mode: "0755"
    contents: |
      #!/bin/sh
      mount -t proc proc /proc
      mount -o remount,ro /
      mount -t tmpfs -o mode=755 tmpfs /run
      mount -t tmpfs tmpfs /tmp
      mount -t tmpfs -o mode=755 tmpfs /var
      mkdir -p /var/cache /var/lib /var/log /var/tmp
      ln -s /run /var/run
      mount -t devtmpfs dev /dev
      mkdir -p /dev/shm /dev/pts /dev/mqueue
      mount -t devpts -o gid=5,mode=620 devpts /dev/pts
      mount -t tmpfs shm /dev/shm
      mount -t mqueue mqueue /dev/mqueue
      mount -t sysfs sysfs /sys
      mount -t cgroup2 cgroup2 /sys/fs/cgroup
      mount --make-rshared /
      # A second time for the devices on the buses that the first has brought.
      for i in 1 2; do find /sys -name modalias | xargs sort -u | xargs modprobe -abq 2>/dev/null; done
      mkdir -p /run/resolvconf
      : > /run/resolvconf/resolv.conf
      modprobe overlay
      ip link set lo up
      hostname theirs
      for f in /etc/init.d/*; do [ ! -f $f ] || $f; done
      echo their rc.init is done
  - path: bin/rc.shutdown
    mode: "0755"
    contents: |
      #!/bin/sh
      for f in /etc/shutdown.d/*; do $f; done
      kill -TERM -1
      sleep 1
      echo their rc.shutdown $1 is done
  - {path: sbin/init, symlink: /bin/busybox}
  - {path: sbin/poweroff, symlink: /bin/busybox}
  - {path: sbin/modprobe, symlink: /bin/busybox}
"""
THEIR_FILES = BASE.replace("init:\n", "init:\n  - keelson/busybox:latest\n") + CONTAINERS + r"""files:
  - path: usr/bin/runc
    mode: "0755"
    contents: |
      #!/bin/sh
      echo "$@" >> /run/their-runc
      exec /usr/sbin/runc "$@"
  - path: etc/containerd/config.toml
    contents: |
      version = 2
      state = "/run/containerd"
      root = "/var/lib/containerd"
      [plugins."io.containerd.grpc.v1.cri"]
        disabled = true
      [grpc]
        address = "/run/containerd/containerd.sock"
        uid = 0
        gid = 0
      [debug]
        address = "/run/containerd/debug.sock"
        level = "info"
      [metrics]
        address = ""
  - path: usr/bin/by-name
    mode: "0755"
    contents: |
      #!/bin/sh
      echo "called as $0 with $# words"
      [ "$0" != /etc/shutdown.d/020-extra ] || echo their shutdown.d ran
  - {path: etc/init.d/003-extra, symlink: /usr/bin/by-name}
  - {path: etc/shutdown.d/020-extra, symlink: /usr/bin/by-name}
  - path: etc/init.d/000-issue
    mode: "0755"
    contents: |
      #!/bin/sh
      for opt in $(cat /proc/cmdline); do case $opt in console=*) echo "their issue" > /dev/${opt#console=} ;; esac; done
  - {path: etc/inittab, contents: "::sysinit:/bin/rc.init\n"}
  - {path: bin/rc.init, mode: "0755", contents: "#!/bin/sh\necho rc.init must not run\n"}
"""


def check_containers(vm):
    vm.wait_for("service list | grep -q '^sleeper *running' && service list | grep -q '^getty *running'")
    assert vm.run("cat /var/first").stdout == "first ran\n"
    assert " /run/netns/joined nsfs " in vm.run("cat /proc/mounts").stdout
    assert "sleeper" in vm.run("ctr -n services.linuxkit task ls").stdout
    # A service that was killed comes back; stop and start do what they say.
    pid = next(s["pid"] for s in vm.json("service list --json") if s["name"] == "sleeper")
    vm.run(f"kill -9 {pid}")
    vm.wait_for(f"service list | grep '^sleeper *running' | grep -vqw {pid}")
    vm.run("service stop sleeper")
    assert "sleeper" not in vm.run("ctr -n services.linuxkit task ls").stdout
    vm.run("service restart sleeper")
    assert "sleeper" in vm.run("ctr -n services.linuxkit task ls").stdout


def test_ours_under_their_init(build, boot):
    vm = boot(build(THEIR_INIT), "--mem", "1024")
    vm.wait_for("[ -S /run/keelson/svcd.sock ]")
    check_containers(vm)
    assert vm.run("readlink /proc/1/exe").stdout == "/bin/busybox\n"
    vm.wait_console("their rc.init is done")
    vm.wait_console(r"\(ns: getty\) theirs:~# ")
    start = len(vm.console)
    vm.type("service list; exit\n")
    vm.wait_console(r"^getty +running", start=start)
    vm.wait_console(r"\(ns: getty\) theirs:~# ", start=start)  # logged out, and in again
    # The log daemon is started by its step, and has what the containers said.
    assert ";onboot.000-first.out;it speaks" in vm.run("/usr/bin/logread").stdout
    assert " /containers/volumes/data/merged overlay rw" in vm.run("cat /proc/mounts").stdout
    # Without a supervisor, whom nobody starts again here, the command asks containerd itself.
    vm.run("kill -9 $(pidof svcd)")  # whose socket stays
    vm.run("service restart sleeper")
    assert "sleeper" in vm.run("ctr -n services.linuxkit task ls").stdout
    vm.run("service stop sleeper")
    assert "sleeper" not in vm.run("ctr -n services.linuxkit task ls").stdout
    # What has ended with nobody to see it can be started; two who start it anew do it one after the other.
    vm.run("service start sleeper && ctr -n services.linuxkit task kill -s KILL sleeper"
           " && until ctr -n services.linuxkit task ls | grep -q 'sleeper.*STOPPED'; do sleep 0.1; done;"
           " service start sleeper")
    vm.run("service restart sleeper & service restart sleeper && wait $!")
    assert re.search(r"^sleeper +\d+ +RUNNING", vm.run("ctr -n services.linuxkit task ls").stdout, re.M)
    # And the supervisor can be had again.
    vm.run("service system-init && service list | grep -q '^sleeper *running'")
    assert vm.poweroff() == 0
    assert "their rc.shutdown noop is done" in vm.console and "reboot: Power down" in vm.console


def test_their_files_under_our_init(build, boot):
    vm = boot(build(THEIR_FILES), "--mem", "512")
    check_containers(vm)
    assert "their issue" in vm.console
    assert "called as /etc/init.d/003-extra with 0 words" in vm.console
    assert "rc.init must not run" not in vm.console
    assert "run --bundle /containers/onboot/000-first" in vm.run("cat /run/their-runc").stdout
    assert vm.run("[ -S /run/containerd/debug.sock ]").status == 0  # of their config.toml
    assert "it speaks" in vm.console and "joined ran" in vm.console
    assert vm.poweroff() == 0
    assert "the last words" in vm.console and "their shutdown.d ran" in vm.console
