# SPDX-License-Identifier: Apache-2.0
"""Seccomp profiles in the guest: what the default refuses, what a file does, and who has none."""
import json

from test_faults import BASE

# A user namespace needs no capability: what refuses it is the profile.
ASK = "grep ^Seccomp: /proc/self/status; busybox unshare -U true && echo a namespace; mkdir /tmp/x && echo a folder"
CALLS = {"default": "", "capable": "    capabilities: [CAP_SYS_ADMIN]\n", "unconfined": "    seccomp: unconfined\n",
         "all": "    capabilities: [all]\n", "all-default": "    capabilities: [all]\n    seccomp: default\n",
         "file": "    seccomp: {file}\n"}


def test_profiles(build, boot, tmp_path):
    profile = tmp_path / "no-mkdir.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}))
    yaml = BASE + "onboot:\n" + "".join(
        f"  - name: {name}\n    image: keelson/busybox:latest\n    command: [sh, -c, '{ASK}']\n"
        + fields.format(file=profile) for name, fields in CALLS.items())
    yaml += ("services:\n  - name: confined\n    image: keelson/busybox:latest\n"
             "    command: [sh, -c, 'grep ^Seccomp: /proc/self/status; exec sleep 100000']\n")
    vm = boot(build(yaml), "--mem", "512")
    vm.wait_for("service list | grep -q '^confined *running'")

    def log(number, name, stream=".out"):
        return vm.run(f"cat /run/log/onboot/onboot.{number:03}-{name}{stream}.log").stdout
    out = {name: log(i, name).splitlines() for i, name in enumerate(CALLS)}
    none, filtered, both = "Seccomp:\t0", "Seccomp:\t2", ["a namespace", "a folder"]
    assert out == {"default": [filtered, "a folder"], "capable": [filtered, *both], "unconfined": [none, *both],
                   "all": [none, *both], "all-default": [filtered, *both], "file": [filtered, "a namespace"]}
    assert "unshare" in log(0, "default", "") and "Operation not permitted" in log(0, "default", "")
    assert "'/tmp/x': Operation not permitted" in log(5, "file", "")
    vm.wait_for("grep -q 'Seccomp:.2' /var/log/confined.out.log")
    assert vm.poweroff() == 0
