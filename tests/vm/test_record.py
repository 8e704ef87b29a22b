# SPDX-License-Identifier: Apache-2.0
"""The boot record tells what went wrong: faults are put into appliances, and the record alone has to name each.

A machine that fails in many places at once is one boot; what keeps it from coming up at all has a boot of its own. The
table of faults is printed at the end.
"""
import json
import subprocess

import harness
import pytest
import record
from test_faults import BASE

TOLD = []  # (fault, where the record tells of it or "NOT TOLD")
FAULTS_MIN = 30
MISSED_MAX = 2  # of 39: up to seventeen in one boot, which do not all fit into 4 KiB
SH = '["sh", "-c", {!r}]'


@pytest.fixture(scope="module", autouse=True)
def faults():
    yield
    record.table(("fault", "the record says"), TOLD)


def tells(fault, text, *words):
    """Notes whether the record's text on the fault has the words."""
    found = bool(text) and all(w.lower() in text.lower() for w in words)
    TOLD.append((fault, " ".join(text.split())[:90] if found else f"NOT TOLD: {text!r}"))


def build(folder, yaml):
    done = harness.build(yaml, folder, agent=False)
    assert done.status == 0, done.stderr
    return done.name


# name: (what stands below it in the YAML, words that tell of it)
ONBOOT = {
    "status": ('command: ["sh", "-c", "echo no licence found >&2; exit 3"]', ["status 3", "no licence"]),
    "signal": ('command: ["sh", "-c", "kill -SEGV $$"]\n    pid: host', ["signal 11"]),
    "deadline": ('command: ["sleep", "1000"]\n    runtime: {deadline: 2s}', ["2", "deadline"]),
    "no-program": ('command: ["/nowhere/program"]', ["/nowhere/program"]),
    "no-source": ('command: ["true"]\n    binds: ["/nowhere/at/all:/x"]', ["/nowhere/at/all"]),
    "broken-disk": ('command: ["sh", "-c", "dd if=/dev/vda of=/dev/null bs=4k count=1"]\n'
                    '    binds: ["/dev:/dev"]\n    resources: {devices: [{allow: true, access: rwm}]}',
                    ["vda", "Input/output error"]),
    "no-disk": ('command: ["dd", "if=/dev/vdz", "of=/dev/null"]', ["/dev/vdz"]),
    "no-module": ('command: ["mount", "-t", "ocfs2", "none", "/tmp"]\n    capabilities: [all]', ["No such device"]),
    "bad-config": ('command: ["true"]', ["config.json"]),
    "bad-runtime": ('command: ["true"]', ["runtime.json"]),
    "no-interface": ('command: ["true"]\n    net: new\n    runtime: {interfaces: [{name: eth7}]}', ["eth7"]),
    "memory": ('command: ["sh", "-c", "tail /dev/zero"]\n    resources: {memory: {limit: 8388608}}', ["memory"]),
    "full": ('command: ["dd", "if=/dev/zero", "of=/small/x", "bs=1M"]\n    tmpfs: ["/small:size=1m"]',
             ["No space left"]),
    "read-only": ('command: ["touch", "/x"]\n    readonly: true', ["Read-only file system"]),
    "not-allowed": ('command: ["chown", "1:1", "/etc/passwd"]\n    capabilities: [none]', ["not permitted"]),
    "no-namespace": ('command: ["true"]\n    net: /run/netns/none', ["/run/netns/none"]),
    "bad-sysctl": ('command: ["sysctl", "-w", "net.nowhere=1"]', ["nowhere"]),
}
ONBOOT_YAML = BASE + "onboot:\n" + "".join(
    f"  - name: {name}\n    image: keelson/busybox:latest\n    {words}\n" for name, (words, _) in ONBOOT.items()
) + f"""files:
  - {{path: containers/onboot/{list(ONBOOT).index("bad-config"):03}-bad-config/config.json, contents: "{{ not json"}}
  - {{path: containers/onboot/{list(ONBOOT).index("bad-runtime"):03}-bad-runtime/runtime.json, contents: "[]"}}
"""


def broken_disk(folder):
    """A qcow2 above a disk of which nothing can be read: the guest gets I/O errors."""
    below = {"driver": "raw", "file": {"driver": "blkdebug", "inject-error": [{"event": "none", "iotype": "read"}],
                                       "image": {"driver": "file", "filename": str(folder / "below.img")}}}
    with (folder / "below.img").open("wb") as f:
        f.truncate(16 << 20)
    disk = folder / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", f"json:{json.dumps(below)}", disk, "16M"],
                   check=True)
    return disk


def test_onboot_containers_that_fail_are_all_named(folder):
    v = record.wait(build(folder, ONBOOT_YAML), "--mem", "512", "--disk", f"{broken_disk(folder)},format=qcow2")
    assert (v.status, v.verdict) == (2, "failed"), v.console
    for i, (name, (_, words)) in enumerate(ONBOOT.items()):
        text = v.text(f"onboot/{i:03}-{name}")
        tells(f"onboot: {name}", text + ("\n" + v.record["kernel"] if text and name == "memory" else ""), *words)
    assert v.record["oom_kills"] > 0
    assert v.record["failed_more"] == 0
    assert "init: up after" in v.console and "FAILED: onboot/000-status" in v.console


SERVICES = {
    "status": ('command: ["sh", "-c", "echo no database >&2; exit 4"]', ["status 4", "no database"]),
    "signal": ('command: ["sh", "-c", "kill -SEGV $$"]\n    pid: host', ["signal 11"]),
    "no-program": ('command: ["/nowhere/program"]', ["/nowhere/program"]),
    "never-ready": ('command: ["sleep", "1000"]', ["ready in time"]),
    "unhealthy": ('command: ["sleep", "1000"]', ["unhealthy"]),
    "runs-unhealthy": ('command: ["sleep", "1000"]', ["unhealthy"]),
    "bad-config": ('command: ["true"]', ["config.json"]),
    "bad-policy": ('command: ["true"]', ["restart"]),
    "memory": ('command: ["sh", "-c", "tail /dev/zero"]\n    resources: {memory: {limit: 8388608}}', ["memory"]),
    "no-source": ('command: ["true"]\n    binds: ["/nowhere/at/all:/x"]', ["/nowhere/at/all"]),
    "port-taken": ('command: ["sh", "-c", "nc -l -p 8080 & until grep -q :1F90 /proc/net/tcp*; do sleep 0.1; done; '
                   'nc -l -p 8080"]\n    net: host', ["in use"]),
}
POLICIES = {"never-ready": "restart: {policy: never}, ready: {exec: [\"false\"], timeout: 2s}",
            "unhealthy": "restart: {policy: on-failure, delay: 10ms, limit: 1}, "
                         "health: {exec: [\"false\"], interval: 200ms, failures: 1}",
            "runs-unhealthy": "restart: {policy: never}, health: {exec: [\"false\"], interval: 200ms, failures: 2}"}
SERVICES_YAML = BASE + "services:\n" + "".join(
    f"  - name: {name}\n    image: keelson/busybox:latest\n    {words}\n"
    f"    runtime: {{{POLICIES.get(name, 'restart: {policy: never}')}}}\n" for name, (words, _) in SERVICES.items()
) + f"""  - name: fine
    image: keelson/busybox:latest
    command: ["sleep", "1000"]
files:
  - {{path: containers/services/bad-config/config.json, contents: "{{ not json"}}
  - {{path: containers/services/bad-policy/runtime.json, contents: '{{"restart": {{"policy": "sometimes"}}}}'}}
  - {{path: containers/volumes/torn/merged, directory: true}}
  - {{path: bin/busybox, source: {harness.BUSYBOX}, mode: "0755"}}
  - {{path: etc/init.d/001-script, mode: "0755", contents: "#!/bin/busybox sh\\necho no such board; exit 7\\n"}}
  - {{path: etc/init.d/002-no-interpreter, mode: "0755", contents: "#!/nowhere/sh\\n"}}
  - {{path: etc/init.d/003-no-program, mode: "0644", contents: "#!/bin/busybox sh\\n"}}
  - {{path: etc/init.d/004-torn-link, symlink: /nowhere/script}}
"""


def test_services_and_scripts_that_fail_are_all_named(folder):
    v = record.wait(build(folder, SERVICES_YAML), "--mem", "512")
    assert (v.status, v.verdict) == (2, "failed"), v.console
    for name, (_, words) in SERVICES.items():
        tells(f"service: {name}", v.text(f"services/{name}"), *words)
    assert v.failed("services/fine") is None
    tells("init.d: a script fails", v.text("001-script"), "status 7", "no such board")
    tells("init.d: no interpreter", v.text("002-no-interpreter"), "No such file")
    tells("init.d: not executable", v.text("003-no-program"), "denied")
    tells("init.d: a link to nothing", v.text("004-torn-link"), "No such file")
    tells("volumes: a volume without its files", v.text("005-volumes"), "torn")


SLEEPER = """services:
  - name: sleeper
    image: keelson/busybox:latest
    command: ["sleep", "1000"]
"""
ONE_ONBOOT = """onboot:
  - name: first
    image: keelson/busybox:latest
    command: ["true"]
"""


def without(image):
    return "".join(line for line in BASE.splitlines(True) if f"keelson/{image}:" not in line)


def test_a_machine_without_runc_says_so(folder):
    v = record.wait(build(folder, without("runc") + ONE_ONBOOT + SLEEPER), "--mem", "512")
    assert v.status == 2, v.console
    tells("runc is missing: onboot", v.text("onboot/000-first"), "runc")
    tells("runc is missing: services", v.text("services/sleeper"), "runc")


def test_a_machine_without_containerd_says_so(folder):
    v = record.wait(build(folder, without("containerd") + SLEEPER), "--mem", "512")
    assert v.status == 2, v.console
    tells("containerd is missing", v.text("containerd"), "/usr/bin/containerd")


def test_a_containerd_that_refuses_is_named(folder):
    v = record.wait(build(folder, BASE + SLEEPER + """files:
  - {path: etc/containerd/config.toml, contents: "version = [nonsense"}
"""), "--mem", "512")
    assert v.status == 2, v.console
    tells("containerd refuses", v.text("containerd"), "status 1", "toml")


def test_a_machine_without_a_supervisor_says_so(folder):
    """Whoever makes an init image of their own may forget it: here a link leads to nothing."""
    v = record.wait(build(folder, BASE + SLEEPER + "files:\n  - {path: usr/bin/svcd, symlink: /nowhere/svcd}\n"),
                    "--mem", "512")
    assert v.status == 2, v.console
    tells("svcd is missing", v.text("020-containerd"), "No such file")


def test_what_hangs_is_named_while_it_hangs(folder):
    """There is no deadline: the record of the boot that goes on is all there is when the host's patience ends."""
    yaml = BASE.replace('console=ttyS0', 'keelson.record=3 console=ttyS0') + """onboot:
  - name: hangs
    image: keelson/busybox:latest
    command: ["sh", "-c", "while :; do sleep 1; done"]
"""
    image = build(folder, yaml)
    v = record.wait(image, "--mem", "512", "--timeout", harness.BOOT_SECONDS // 10)
    if v.record and not v.record["running"]:  # a slow machine is not there yet
        v = record.wait(image, "--mem", "512", "--timeout", harness.BOOT_SECONDS)
    assert v.status == 124 and v.verdict == "none", v.console
    assert v.record and v.record["state"] == "booting", v.console
    tells("onboot: one hangs", v.record["running"], "010-onboot", "000-hangs")


def test_want_of_memory_is_told(folder):
    """Of all memory, not of a container's: the kernel kills, and says whom."""
    yaml = BASE + """onboot:
  - name: eats
    image: keelson/busybox:latest
    command: ["sh", "-c", "tail /dev/zero"]
"""
    v = record.wait(build(folder, yaml), "--mem", "512")
    assert v.status == 2, v.console
    text = f"{v.text('onboot/000-eats')} {v.record['kernel']}"
    tells("the machine has too little memory", text if v.record["oom_kills"] else "", "out of memory", "signal 9")
    assert 0 < v.record["memory_least_kib"] < v.record["memory_kib"] // 2, v.record


def test_an_initrd_that_does_not_fit_is_told(folder):
    """The kernel goes on with half of it: all that is there may well come up."""
    v = record.wait(build(folder, BASE), "--mem", "384")
    assert v.status == 2, v.console
    tells("the initrd does not fit into memory", v.text("initrd"), "write error")


def test_few_faults_are_not_told():
    """The sum of the tests above."""
    missed = [fault for fault, text in TOLD if text.startswith("NOT TOLD")]
    assert len(TOLD) >= FAULTS_MIN, f"only {len(TOLD)} faults were tried"
    assert len(missed) <= MISSED_MAX, [row for row in TOLD if row[0] in missed]
