# SPDX-License-Identifier: Apache-2.0
"""Onboot containers: deadlines, what a failure leads to, and the debug switches."""
import re

import harness
from test_faults import BASE

ONBOOT = BASE + """onboot:
  - name: hangs
    image: keelson/busybox:latest
    command: ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
    runtime:
      deadline: 8s
  - name: talks
    image: keelson/busybox:latest
    command: ["sh", "-c", "echo this is stdout; echo this is stderr >&2"]
  - name: floods
    image: keelson/busybox:latest
    command: ["sh", "-c", "yes | head -c 100000; printf '\\\\033[2JEND-OF-FLOOD'"]
  - name: joined
    image: keelson/busybox:latest
    command: ["sh", "-c", "echo joined ran; cat /proc/self/cgroup"]
    net: new
    cgroupsPath: keelson-test/joined
    runtime:
      cgroups: ["keelson-test"]
      bindNS: {net: /run/netns/joined}
  - name: exits
    image: keelson/busybox:latest
    readonly: false
    command: ["sh", "-c", "for i in 1 2 3; do echo line $i >&2; done; echo left > /left; exit 7"]
    runtime:
      mounts: [{type: tmpfs, source: tmpfs, destination: /run/for-others}]
  - name: dies
    image: keelson/busybox:latest
    pid: host
    command: ["sh", "-c", "kill -SEGV $$"]
  - name: dies-joined
    image: keelson/busybox:latest
    command: ["sh", "-c", "exit 9"]
    net: new
    runtime:
      bindNS: {net: /run/netns/dies}
  - name: nothing-to-run
    image: keelson/busybox:latest
    command: ["/no/such/program"]
  - name: keeps
    image: keelson/busybox:latest
    command: ["true"]
    runtime:
      mounts: [{type: tmpfs, source: tmpfs, destination: /run/kept}]
  - name: works
    image: keelson/busybox:latest
    command: ["sh", "-c", "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done"]
"""
MEMLOGD = BASE + """  - keelson/memlogd:latest
onboot:
  - name: fails
    image: keelson/busybox:latest
    command: ["sh", "-c", "i=0; while [ $i -lt 20 ]; do echo line $i >&2; i=$((i+1)); done; echo to stdout; exit 1"]
  - name: works
    image: keelson/busybox:latest
    command: ["sh", "-c", "echo all is well >&2"]
"""
MANY = BASE.replace("init:\n", "init:\n  - keelson/busybox:latest\n") + "onboot:\n" + "".join(f"""  - name: c{n}
    image: keelson/busybox:latest
    readonly: true
    command: ["sh", "-c", "echo {n} >> /var/order"]
    binds: ["/var:/var"]
""" for n in range(200)) + """files:
  # runc takes its second or two under emulation: it runs six of them, and a stand-in the others.
  - path: usr/bin/runc
    mode: "0755"
    contents: |
      #!/bin/sh
      for id; do :; done
      case $id in *[048]0-*) exec /usr/sbin/runc "$@" ;; esac
      exec chroot /containers/onboot/$id/rootfs /bin/echo ${id##*-c} >> /var/order
"""
BAD = BASE + """onboot:
  - name: nosource
    image: keelson/busybox:latest
    command: ["echo", "this must not run"]
    runtime:
      mounts: [{type: bind, source: /no/such, destination: /run/x, options: [bind]}]
  - name: nodevice
    image: keelson/busybox:latest
    command: ["echo", "this must not run"]
    runtime:
      mounts: [{type: ext4, source: /dev/nosuch, destination: /run/y}]
  - name: nspath
    image: keelson/busybox:latest
    command: ["echo", "this must not run"]
    uts: new
    runtime:
      bindNS: {uts: /usr/new/uts}
  - name: there
    image: keelson/busybox:latest
    command: ["echo", "this must not run"]
    net: new
    runtime:
      interfaces: [{name: eth0, peer: lo}]
  - name: last
    image: keelson/busybox:latest
    command: ["sh", "-c", "echo the last one ran > /var/last"]
    binds: ["/var:/var"]
services:
  - name: elsewhere
    image: keelson/busybox:latest
    command: ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"]
    runtime:
      namespace: other.namespace
files:
  - {path: containers/onboot/0021-noconfig/readme, contents: "x"}
  - {path: containers/onboot/0022-broken/config.json, contents: "{\\"root\\":"}
  - {path: containers/onboot/0023-noroot/config.json, contents: "{\\"ociVersion\\":\\"1.0.0\\",\\"root\\":{\\"path\\":\\"rootfs\\"},\\"process\\":{\\"args\\":[\\"x\\"],\\"cwd\\":\\"/\\"}}"}
  - {path: containers/onboot/0024-type/runtime.json, contents: "{\\"\\\\u001b[2Jevil\\":1,\\"mkdir\\":[1]}"}
  - {path: "containers/onboot/0025-a blank/config.json", contents: "{}"}
  - {path: containers/onboot/0026-huge/runtime.json, source: HUGE}
"""
LOOKS = BASE + """onboot:
  - name: looks
    image: keelson/busybox:latest
    command: ["sh", "-c", "COMMAND"]
    pid: host
    runtime: {deadline: 120s}
"""
MOUNTS_A_DISK = """  - name: disk
    image: keelson/busybox:latest
    command: ["mount", "-t", "tmpfs", "disk", "/var/lib"]
    capabilities: [CAP_SYS_ADMIN]
    binds: ["/var/lib:/var/lib:rshared,rbind"]
    rootfsPropagation: shared
"""
GIVES_UP = BASE + """onboot:
  - name: fails
    image: keelson/busybox:latest
    command: ["false"]
    runtime:
      onfail: poweroff
  - name: never
    image: keelson/busybox:latest
    command: ["echo", "this must not run"]
"""


def test_deadline_logs_and_namespaces(build, boot):
    vm = boot(build(ONBOOT), "--mem", "512")
    vm.wait_for("grep -q '\"stage\":\"init.d\"' /run/keelson/boot.json")
    assert re.search(r"service: onboot container 000-hangs failed: it was killed: it took longer than its deadline",
                     vm.console)
    assert vm.run("runc list -q").stdout == ""
    assert vm.run("pidof sleep", check=False).status == 1
    # The two outputs are kept apart, and both are shown.
    assert vm.run("cat /var/log/onboot/onboot.001-talks.out.log").stdout == "this is stdout\n"
    assert vm.run("cat /run/log/onboot/onboot.001-talks.log").stdout == "this is stderr\n"
    assert "this is stdout" in vm.console and "this is stderr" in vm.console
    # Of much output the end is shown, without what would drive the terminal, and it is said that the rest is not.
    raw = (vm.folder / "console.log").read_bytes()
    assert re.search(rb"service: the first \d+ bytes of /run/log/onboot/onboot.002-floods.out.log are not shown", raw)
    assert b"?[2JEND-OF-FLOOD\r\n" in raw
    assert vm.run("wc -c < /var/log/onboot/onboot.002-floods.out.log").stdout.strip() == "100016"
    # Its network namespace stays, bound to the path.
    assert "joined ran" in vm.console
    assert " /run/netns/joined nsfs " in vm.run("cat /proc/mounts").stdout
    stages = {s["stage"]: s for s in vm.json("service boot --json")["stages"]}
    assert stages["onboot/000-hangs"]["ok"] is False and stages["onboot/003-joined"]["ok"] is True
    for name in ("003-joined", "001-talks", "all"):
        assert re.search(r"runc \d+\.\d{3} s, own \d+\.\d{3} s", stages[f"onboot/{name}"]["detail"])
    assert re.search(r"onboot/001-talks .* runc \d", vm.run("service boot").stdout)
    # Of the time of one that works more was the processor's than of one that sleeps; the picture has both.
    share = {name: s["cpu_ns"] / (s["end_ns"] - s["start_ns"]) for name, s in stages.items() if "cpu_ns" in s}
    assert share["onboot/009-works"] > share["onboot/000-hangs"]
    assert stages["onboot/all"]["cpu_ns"] >= stages["onboot/000-hangs"]["cpu_ns"] + stages["onboot/009-works"]["cpu_ns"]
    assert re.search(r"onboot/009-works: .*, CPU \d+\.\d{3} s; runc", vm.run("service boot --svg").stdout)
    # How each ended is told apart and counted.
    record = vm.json("cat /run/keelson/onboot.json")
    assert record["counts"] == {"ok": 5, "error": 1, "exit": 2, "signal": 1, "deadline": 1}
    ends = {c["name"]: (c["outcome"], c["number"]) for c in record["containers"]}
    assert ends["000-hangs"][0] == "deadline" and ends["004-exits"] == ("exit", 7)
    assert ends["005-dies"] == ("signal", 11) and ends["006-dies-joined"] == ("exit", 9)
    assert ends["007-nothing-to-run"] == ("error", 0)
    assert re.search("007-nothing-to-run failed: runc run failed: .*/no/such/program", vm.console)
    assert "line 3\nservice: onboot container 004-exits failed: it exited with status 7\n" in vm.console
    # What was set up for one that failed stays, and is listed; of the others, what lies outside of their bundles.
    left = next(c for c in record["containers"] if c["name"] == "004-exits")["left"]
    assert set(left) == {"mount /containers/onboot/004-exits/tmp", "mount /containers/onboot/004-exits/rootfs",
                         "mount /run/for-others"}
    assert vm.run("cat /containers/onboot/004-exits/rootfs/left").stdout == "left\n"
    vm.wait_console(r"onboot container 004-exits: this stays for inspection: mount .*/tmp, mount .*/rootfs, mount /run/for")
    assert re.search("006-dies-joined: this stays for inspection: .*, namespace /run/netns/dies$", vm.console, re.M)
    assert " /run/kept tmpfs " in vm.run("cat /proc/mounts").stdout
    assert "0::/keelson-test/joined\n" in vm.run("cat /run/log/onboot/onboot.003-joined.out.log").stdout
    assert vm.run("[ -d /sys/fs/cgroup/keelson-test ]").status == 0
    assert vm.poweroff() == 0


def test_debug_switches_show_and_keep(build, boot):
    vm = boot(build(ONBOOT), "--mem", "512", "--cmdline-add", "linuxkit.runc_debug=1 linuxkit.runc_console=1 linuxkit.unified_cgroup_hierarchy=0")
    vm.wait_for("grep -q '\"stage\":\"init.d\"' /run/keelson/boot.json")
    assert "this is stdout" in vm.console and "level=debug" in vm.console
    assert vm.run("cat /var/log/onboot/onboot.001-talks.out.log").stdout == "this is stdout\n"
    for stage in ("creating", "preparing", "starting", "waiting", "cleaning up", "complete"):
        assert f"service: onboot.003-joined: {stage}" in vm.console, stage
    # Also of one that is created and started on its own, and with version 1 of cgroups in each hierarchy.
    joined = vm.run("cat /run/log/onboot/onboot.003-joined.out.log").stdout
    assert joined.startswith("joined ran\n") and "joined ran" in vm.console
    assert re.search(r":memory:/keelson-test/joined$", joined, re.M) and ":pids:/keelson-test/joined\n" in joined
    assert vm.run("ls -d /sys/fs/cgroup/memory/keelson-test /sys/fs/cgroup/pids/keelson-test").status == 0
    assert vm.poweroff() == 0


def test_with_memlogd_the_last_lines_are_shown(build, boot):
    vm = boot(build(MEMLOGD), "--mem", "512")
    vm.wait_for("grep -q '\"stage\":\"init.d\"' /run/keelson/boot.json")
    shown = "".join(f"line {n}\n" for n in range(10, 20))
    assert f"service: the last lines of onboot.000-fails:\n{shown}service: onboot container 000-fails failed" in vm.console
    assert "line 9\n" not in vm.console and "all is well" not in vm.console and "to stdout" not in vm.console
    lines = vm.wait_for("/usr/bin/logread -s onboot.001-works | grep . && /usr/bin/logread").stdout
    assert all(f";onboot.000-fails;line {n}\n" in lines for n in range(20))
    assert ";onboot.000-fails.out;to stdout\n" in lines
    assert vm.run("find /run/log/onboot -type f").stdout == ""
    assert vm.poweroff() == 0


def test_bad_bundles_are_named_and_the_next_one_runs(build, boot, folder):
    huge = folder / "huge.json"
    huge.write_text('{"mkdir":[' + '"/x",' * (2 << 20) + '"/x"]}')
    vm = boot(build(BAD.replace("HUGE", str(huge))), "--mem", "768")
    vm.wait_for("service list | grep -q '^elsewhere *running'")
    for name, why in {
            "000-nosource": r"\$\.mounts\[\d\]: could not mount /no/such on /run/x: No such file or directory",
            "001-nodevice": r"\$\.mounts\[\d\]: could not mount /dev/nosuch on /run/y: No such file or directory",
            "002-nspath": r"\$\.bindNS\.uts: could not create directory /usr/new: Read-only file system",
            "003-there": r"\$\.interfaces\[0\]: could not create interface eth0 \(veth\): its peer lo is there already",
            "0021-noconfig": r"could not open /containers/onboot/0021-noconfig/config.json: No such file or directory",
            "0022-broken": r"could not parse /containers/onboot/0022-broken/config.json: line 1, column \d+: .*",
            "0023-noroot": r"could not use \S+/config.json: \$\.root\.path: \S+/rootfs: No such file or directory",
            "0024-type": r"could not use \S+/runtime.json: \$\.mkdir\[0\] is not a string",
            "0025-a blank": r"runc takes letters, digits and _\+-\. only in a name",
            "0026-huge": r"could not read \S+/runtime.json: it is larger than 1048576 bytes"}.items():
        assert re.search(f"^service: onboot container {name} failed: {why}$", vm.console, re.M), name
    assert "this must not run" not in vm.console
    assert vm.run("cat /var/last").stdout == "the last one ran\n"
    raw = (vm.folder / "console.log").read_bytes()
    assert b'0024-type/runtime.json: unknown key "?[2Jevil" in $ is ignored' in raw and b"\x1b[2Jevil" not in raw
    # A service may have a namespace of its own in containerd; `service` knows how to start one that is not svcd's.
    assert re.search(r"^elsewhere +\d+ +RUNNING", vm.run("ctr -n other.namespace task ls").stdout, re.M)
    assert "elsewhere" not in vm.run("ctr -n services.linuxkit container ls").stdout
    vm.run("service restart elsewhere && service stop elsewhere", 120)
    assert "elsewhere" not in vm.run("ctr -n other.namespace container ls").stdout
    vm.run("mkdir -p /var/bundles && cp -r /containers/services/elsewhere /var/bundles/mine && cd /var/bundles/mine && "
           "rm runtime.json && mkdir -p rootfs && mount --bind /containers/services/elsewhere/rootfs rootfs")
    vm.run("service -containerd-namespace third start --path=/var/bundles -dump-spec /tmp/spec.json mine", 120)
    assert vm.json("cat /tmp/spec.json")["root"]["path"] == "/var/bundles/mine/rootfs"
    assert re.search(r"^mine +\d+ +RUNNING", vm.run("ctr -n third task ls").stdout, re.M)
    vm.run("service -containerd-namespace third stop --path /var/bundles mine", 120)
    assert "mine" not in vm.run("ctr -n third container ls").stdout
    assert vm.run("service start", check=False).status == 100 and vm.run("service -x", check=False).status == 100
    assert vm.run("service start nosuch", check=False).status == 1
    assert vm.poweroff() == 0


def test_two_hundred_one_after_another(build, boot):
    vm = boot(build(MANY), "--mem", "512")
    vm.wait_for("grep -q '\"stage\":\"init.d\"' /run/keelson/boot.json")
    assert vm.run("cat /var/order").stdout.split() == [str(n) for n in range(200)]
    record = vm.json("cat /run/keelson/onboot.json")
    assert record["counts"] == {"ok": 200, "error": 0, "exit": 0, "signal": 0, "deadline": 0}
    print(f"onboot: runc {record['runc_ns'] / 1e9:.3f} s, own {record['own_ns'] / 1e9:.3f} s")
    assert len([s for s in vm.json("service boot --json")["stages"] if s["parent"] == "010-onboot"]) == 201
    # Nothing of them is left.
    assert vm.run("runc list -q").stdout == "" and vm.run("grep -c ' /containers/' /proc/mounts", check=False).stdout == "0\n"
    assert vm.poweroff() == 0


def test_a_failure_may_end_the_machine(build, boot):
    vm = boot(build(GIVES_UP, agent=False), "--mem", "512")
    assert vm.wait_end(120) == 0
    assert "service: poweroff, as 000-fails asks for when it fails" in vm.console
    assert "this must not run" not in vm.console
    assert "reboot: Power down" in vm.console


def test_words_that_are_not_understood_are_refused(folder):
    done = harness.build(GIVES_UP.replace("onfail: poweroff", "onfail: panic"), folder, agent=False)
    assert done.status != 0
    assert "onfail" in done.stderr and "continue, reboot, poweroff or halt" in done.stderr


def stages_of_containerd(vm):
    vm.wait_for("test -e /run/keelson/up")
    stages = {s["stage"]: s for s in vm.json("service boot --json")["stages"]}
    assert all(s["ok"] for s in stages.values()), stages
    return stages["containerd"], stages["onboot/all"]


def test_containerd_starts_beside_those_that_mount_for_themselves(build, boot):
    vm = boot(build(LOOKS.replace("COMMAND", "until pidof containerd; do sleep 0.1; done")), "--mem", "512")
    containerd, onboot = stages_of_containerd(vm)
    assert containerd["start_ns"] < onboot["end_ns"]


def test_containerd_waits_for_one_that_may_mount_over_what_it_uses(build, boot):
    vm = boot(build(LOOKS.replace("COMMAND", "sleep 2; ! pidof containerd") + MOUNTS_A_DISK), "--mem", "512")
    containerd, onboot = stages_of_containerd(vm)
    assert containerd["start_ns"] >= onboot["end_ns"]
    assert "/var/lib tmpfs" in vm.run("cat /proc/mounts").stdout
    assert vm.run("df /var/lib/containerd").stdout.split()[-1] == "/var/lib"
