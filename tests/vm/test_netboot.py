# SPDX-License-Identifier: Apache-2.0
"""Boots from the network: iPXE over HTTP (`keelson serve`) and over TFTP, and UEFI's own PXE with a UKI.

QEMU's user network is DHCP and TFTP server. What booted, and in how many seconds, is printed at the end.
"""
import re
import subprocess
import time

import harness
import pytest
import record
from test_faults import BASE

TABLE = []


@pytest.fixture(scope="module", autouse=True)
def table():
    yield
    record.table(("network boot", "firmware", "seconds"), TABLE)


@pytest.fixture(scope="module")
def appliance(tmp_path_factory):
    """Kernel and initrd in a folder."""
    folder = tmp_path_factory.mktemp("netboot")
    done = harness.build(BASE, folder, name="pxe", agent=False)
    assert done.status == 0, done.stderr
    return folder


def boots(name, firmware, *options):
    start = time.monotonic()
    v = record.wait("", "--mem", "1024", *options)
    TABLE.append((name, firmware, f"{time.monotonic() - start:.1f}"))
    assert (v.status, v.verdict) == (0, "ok"), v.console
    assert v.record["firmware"] == firmware.lower()


def test_ipxe_loads_from_keelson_serve(appliance):
    serve = subprocess.Popen([harness.KEELSON, "serve", "--listen", "127.0.0.1", "--port", "0", "--no-uki", appliance],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = ""
        while not (port := re.search(r"127\.0\.0\.1:(\d+)", said)) and (line := serve.stdout.readline()):
            said += line
        assert port, said
        boots("iPXE over HTTP", "BIOS", "--netboot", f"http://10.0.2.2:{port[1]}/pxe.ipxe")
    finally:
        serve.terminate()
        serve.wait(20)


def test_ipxe_loads_over_tftp(appliance):
    script = appliance / "boot.ipxe"
    cmdline = (appliance / "pxe-cmdline").read_text().strip()
    script.write_text(f"#!ipxe\nkernel pxe-kernel initrd=pxe-initrd.img {cmdline}\ninitrd pxe-initrd.img\nboot\n")
    boots("iPXE over TFTP", "BIOS", "--netboot", script)


def test_uefi_loads_the_uki_over_tftp(folder, boot):
    """The firmware's TFTP is slow: a UKI without modules, and so without a port, whose console says that it is up."""
    yaml = BASE.replace("keelson/kernel:latest", "keelson/kernel:latest\n  tar: none")
    source = folder / "small.yml"
    source.write_text("".join(line for line in yaml.splitlines(True) if "runc" not in line and "containerd" not in line))
    done = harness.keelson("build", "--format", "uki", "--dir", folder, source)
    assert done.returncode == 0, done.stderr
    start = time.monotonic()
    vm = boot("", "--mem", "512", "--uefi", "--netboot", folder / "small.efi")
    vm.wait_console(r"init: up after [0-9.]+ s, FAILED: containerd: ")  # it has none
    TABLE.append(("PXE of UEFI, TFTP", "EFI", f"{time.monotonic() - start:.1f}"))
