# SPDX-License-Identifier: Apache-2.0
"""Boots from the network: iPXE over HTTP (`keelson serve`) and over TFTP, UEFI's own PXE and HTTP boot with a UKI.

QEMU's user network is DHCP and TFTP server, or dnsmasq with the configuration that `keelson serve` prints is (wire.py).
What booted, and in how many seconds, is printed at the end.
"""
import re
import subprocess
import time

import harness
import pytest
import record
from test_faults import BASE
from wire import Wire, WiredMachine

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


def test_ipxe_loads_from_the_menu_of_keelson_serve(appliance):
    """The first image is one for another architecture: the menu does not have it."""
    (appliance / "arm-kernel").write_bytes(bytes(0x38) + b"ARM\x64" + bytes(4096))
    (appliance / "arm-initrd.img").write_bytes(b"")
    serve = subprocess.Popen([harness.KEELSON, "serve", "--listen", "127.0.0.1", "--port", "0", "--no-uki", appliance],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = ""
        while not (port := re.search(r"127\.0\.0\.1:(\d+)", said)) and (line := serve.stdout.readline()):
            said += line
        assert port, said
        boots("iPXE over HTTP", "BIOS", "--netboot", f"http://10.0.2.2:{port[1]}/boot.ipxe")
    finally:
        serve.terminate()
        serve.wait(20)


def test_ipxe_loads_over_tftp(appliance):
    script = appliance / "boot.ipxe"
    cmdline = (appliance / "pxe-cmdline").read_text().strip()
    script.write_text(f"#!ipxe\nkernel pxe-kernel initrd=pxe-initrd.img {cmdline}\ninitrd pxe-initrd.img\nboot\n")
    boots("iPXE over TFTP", "BIOS", "--netboot", script)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An appliance without modules, and so without a port, whose console says that it is up. Firmware loads slowly."""
    folder = tmp_path_factory.mktemp("small")
    yaml = BASE.replace("keelson/kernel:latest", "keelson/kernel:latest\n  tar: none")
    yaml = "".join(line for line in yaml.splitlines(True) if "runc" not in line and "containerd" not in line)
    done = harness.build(yaml, folder, name="small", agent=False)
    assert done.status == 0, done.stderr
    return folder


def wait_up(vm, name, firmware):
    start = time.monotonic()
    vm.wait_console(r"init: up after [0-9.]+ s, FAILED: containerd: ")  # it has none
    TABLE.append((name, firmware, f"{time.monotonic() - start:.1f}"))


def test_uefi_loads_the_uki_over_tftp(folder, small, boot):
    done = harness.keelson("build", "--format", "uki", "--dir", folder, small / "small.yml")
    assert done.returncode == 0, done.stderr
    wait_up(boot("", "--mem", "512", "--uefi", "--netboot", folder / "small.efi"), "PXE of UEFI, TFTP", "EFI")


@pytest.fixture
def wire(folder, small):
    """wire(dhcp, OPTION...): a machine where dnsmasq has what `keelson serve` printed, and what dnsmasq says."""
    made = []

    def make(dhcp, *options, qemu=()):
        network = Wire(folder, small, dhcp)
        made.append(network)
        vm = WiredMachine(network, folder / "vm", "--mem", "768", *options, qemu=qemu)
        made.append(vm)
        return vm, network
    yield make
    for thing in reversed(made):
        thing.close()


@pytest.mark.parametrize("dhcp", [False, True])
def test_pxe_with_what_is_printed_for_dnsmasq(wire, dhcp):
    """UEFI's own PXE loads iPXE from dnsmasq, which loads the rest from us."""
    vm, network = wire(dhcp)
    wait_up(vm, f"PXE of UEFI, dnsmasq{' for DHCP, too' if dhcp else ''}", "EFI")
    assert "/ipxe.efi to 10.9.0." in network.said() and "http://10.9.0.1:8081/boot.ipxe" in network.said()


def test_http_boot_with_what_is_printed_for_dnsmasq(wire):
    """UEFI loads the UKI itself. OVMF tries PXE first, unless it is told not to."""
    no_pxe = [w for v in (4, 6) for w in ("-fw_cfg", f"name=opt/org.tianocore/IPv{v}PXESupport,string=no")]
    vm, network = wire(True, qemu=no_pxe)
    wait_up(vm, "HTTP boot of UEFI", "EFI")
    assert "URI: http://10.9.0.1:8081/small.efi" in vm.console and "tftp: sent" not in network.said()
