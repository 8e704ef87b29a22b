# SPDX-License-Identifier: Apache-2.0
"""The least memory that `keelson inspect` computes, held against a machine."""
import json

import harness
import pytest

YAML = """kernel:
  image: keelson/kernel:latest
  cmdline: "console=ttyS0"
init:
  - keelson/init:latest
  - keelson/runc:latest
  - keelson/containerd:latest
services:
  - name: web
    image: keelson/busybox:latest
    command: ["sleep", "1000000"]
"""
RUNNING = "/usr/bin/ctr -n services.linuxkit task ls | /usr/lib/keelson-test/busybox grep -q RUNNING"


@pytest.mark.parametrize("options", ["", " initramfs_options=size=90%"])
def test_least_memory(build, boot, options):
    """With a tenth more the service runs; with a tenth less the kernel has no room to unpack the initrd."""
    image = build(YAML.replace("ttyS0", f"ttyS0{options}"))
    least = json.loads(harness.keelson("inspect", "--json", image).stdout)["least_memory_mib"]
    vm = boot(image, "--mem", str(least * 110 // 100))
    vm.wait_for(RUNNING)
    used = vm.json("""/usr/lib/keelson-test/busybox awk '/Total/ { t = $2 } /MemAvailable/ { a = $2 }
                      END { printf "[%d, %d]", t, a }' /proc/meminfo""")
    assert used[1] > 0
    vm.poweroff()
    small = boot(image, "--mem", str(least * 90 // 100))
    small.wait_console("unpacking failed: write error|Kernel panic|Out of memory")
