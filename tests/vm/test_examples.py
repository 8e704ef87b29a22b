# SPDX-License-Identifier: Apache-2.0
"""Every example builds, together they have every word of the reference, and the one with most of them does what it says."""
import re

import harness
import pytest

EXAMPLES = sorted((harness.REPO / "examples").glob("*.yml"))
MANUAL = harness.REPO / "tools/linuxkit.yml.5"
# What an appliance for everybody cannot have.
NOT_IN_EXAMPLES = {"ucode", "trust", "image, org", "uidMappings", "gidMappings", "tcp", "http", "file"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_builds(path, build):
    build(path)


def test_examples_have_the_words_of_the_reference():
    """Sections and a container's keys, as the manual lists them, each in some example."""
    text = "".join(p.read_text() for p in EXAMPLES)
    words = set(re.findall(r"^([ -]*|.*[{,] ?)([A-Za-z.]+):", text, re.M))
    used = {w for _, w in words} | set(re.findall(r"[{,] ?([A-Za-z.]+):", text))
    manual = MANUAL.read_text().split(".SH CONTAINERS")[1].split(".SH RUNTIME")[0]
    heads = re.findall(r"^\.TP\n\.BR? (.+)$", manual, re.M)
    keys = {k for h in heads for k in re.findall(r"[A-Za-z.]+", re.sub(r'"[^"]*"', " ", h))}
    assert len(keys) > 35 and keys - NOT_IN_EXAMPLES - used == set()


def test_every_field_does_what_it_says(build, boot):
    """examples/fields.yml, word by word, as the containers themselves see it."""
    vm = boot(build(harness.REPO / "examples/fields.yml"), "--mem", "512")
    vm.wait_for("service list | grep -q '^files *running'")
    logs = {name: vm.run(f"cat /run/log/onboot/onboot.{name}.log").stdout
            for name in ("000-identity.out", "001-apart.out", "001-apart")}
    assert vm.run("hostname").stdout == "fields\n"

    identity = logs["000-identity.out"]
    assert re.search(r"^uid=100 gid=1000 groups=[0-9,]*\b5\b[0-9,]*\b104\b", re.sub(r"\(\w+\)", "", identity)), identity
    assert re.search(r"^CapAmb:\s+0000000000000400$", identity, re.M)
    assert {"/tools/bin/busybox", "blobs", "index.json", "oci-layout"} <= set(identity.split())

    apart, wrong = logs["001-apart.out"], logs["001-apart"]
    assert apart.startswith("apart\n") and ": inside: <" in apart and "\n1\n32\n/root\nb\ninit\n" in apart, apart
    assert re.search(r"^crw-------.* 1, +1 .*/dev/mem2$", apart, re.M) and "Read-only file system" in wrong

    assert vm.run("ls -d /run/database /sys/fs/cgroup/example /run/netns-database").stdout.count("\n") == 3
    database = vm.json("ctr -n services.linuxkit container info database")["Spec"]
    assert "CAP_CHOWN" in database["process"]["capabilities"]["effective"] and "seccomp" not in database["linux"]
    assert "seccomp" in vm.json("ctr -n services.linuxkit container info files")["Spec"]["linux"]
    assert vm.run("stat -c '%u %g %a' /etc/example/config.yml").stdout == "104 0 644\n"
    assert "image: keelson/busybox:latest" in vm.run("cat /etc/example/config.yml").stdout.replace("docker.io/", "")
    assert vm.run("ls /etc/example").stdout.split() == ["config.yml", "link"]
    assert vm.poweroff() == 0
    assert "good bye" in vm.console
