# SPDX-License-Identifier: Apache-2.0
"""A network of our own: a machine, `keelson serve` with dnsmasq, and, if wanted, a DHCP server that somebody else has.

Two network namespaces, joined by a bridge, in a user namespace: an ordinary user can do that, too, if /dev/net/tun
(a machine's network card is a tap device) may be opened by everybody, as it is on Debian.
"""
import os
import re
import shlex
import subprocess
import time

import harness

ADDRESS, OTHER_ADDRESS = "10.9.0.1", "10.9.0.2"
RANGE = "10.9.0.100,10.9.0.200"
TAP = "tap0"
DNSMASQ = ["dnsmasq", "--no-daemon", "--user=root", "--pid-file=", "--dhcp-leasefile=/dev/null", "--log-dhcp"]
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


class Wire:
    """`served` is the folder whose images are served; `dhcp`: dnsmasq is the network's DHCP server, else another one is."""

    def __init__(self, folder, served, dhcp):
        assert os.access("/dev/net/tun", os.R_OK | os.W_OK), "a machine has no network: /dev/net/tun cannot be opened"
        self.folder, self._running = folder, []
        try:
            self._join()
            self._serve(served, dhcp)
        except BaseException:
            self.close()
            raise

    def _hold(self, *words):
        """A process that holds a namespace; returns how to enter it."""
        job = self._start([*words, "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE)
        assert job.stdout.readline() == b"\n", f"could not make a namespace: {' '.join(words)}"
        return ["nsenter", "-t", str(job.pid), "-U", "-n", "--preserve-credentials"]

    def _start(self, words, **kwargs):
        job = subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, env={**os.environ, "PATH": PATH}, **kwargs)
        self._running.append(job)
        return job

    def _join(self):
        self.inside = self._hold("unshare", "-rn")
        self.other = self._hold(*self.inside, "unshare", "-n")
        near = f"""ip link set lo up
            ip link add bridge type bridge forward_delay 0
            ip tuntap add {TAP} mode tap
            ip link add near type veth peer name far
            ip link set far netns {self.other[2]}
            ip addr add {ADDRESS}/24 dev bridge
            for i in near {TAP}; do ip link set $i master bridge; ip link set $i up; done
            ip link set bridge up"""
        far = f"ip addr add {OTHER_ADDRESS}/24 dev far; ip link set far up"
        for where, script in ((self.inside, near), (self.other, far)):
            subprocess.run([*where, "sh", "-ec", script], check=True, env={**os.environ, "PATH": PATH})

    def _serve(self, served, dhcp):
        if not dhcp:
            self._dnsmasq(self.other, "other", "--conf-file=/dev/null", "--port=0", f"--dhcp-range={RANGE},1h")
        printed = self.folder / "pxe.conf"
        with printed.open("wb") as out, (self.folder / "serve.log").open("wb") as log:
            serve = self._start([*self.inside, harness.KEELSON, "serve", "--listen", ADDRESS,
                                 *(["--dhcp", RANGE] if dhcp else []), served], stdout=out, stderr=log)
        deadline = time.monotonic() + harness.BOOT_SECONDS
        while not re.search("dhcp-boot=.*\n\\Z", printed.read_text()):
            assert serve.poll() is None and time.monotonic() < deadline, (self.folder / "serve.log").read_text()
            time.sleep(0.05)
        self._dnsmasq(self.inside, "dnsmasq", f"--conf-file={printed}")

    def _dnsmasq(self, where, name, *words):
        path = self.folder / f"{name}.log"
        with path.open("wb") as log:
            job = self._start([*where, *DNSMASQ, *words], stderr=log)
        deadline = time.monotonic() + harness.BOOT_SECONDS
        while "DHCP, " not in path.read_text():
            assert job.poll() is None and time.monotonic() < deadline, path.read_text()
            time.sleep(0.05)

    def said(self):
        """What dnsmasq has logged."""
        return (self.folder / "dnsmasq.log").read_text()

    def close(self):
        for job in reversed(self._running):
            job.terminate()
        for job in self._running:
            job.wait(20)


class WiredMachine(harness.Machine):
    """A machine on the wire whose UEFI boots from the network with its own means, not those of the card's ROM."""

    def __init__(self, wire, folder, *options, qemu=()):
        self._wire = wire
        super().__init__("", folder, ["--uefi", "--netboot", "http://nowhere/", *options], qemu=["-no-reboot", *qemu])

    def _with_serials(self, command, folder, serials):
        words = shlex.split(subprocess.run([*command, "--dry-run"], cwd=folder, capture_output=True, text=True,
                                           check=True).stdout)
        tap = f"tap,id=net0,ifname={TAP},script=no,downscript=no,vnet_hdr=off"
        words = [tap if w.startswith("user,id=net0") else w for w in words]
        words = [re.sub(r"^(virtio-net-pci,netdev=net0)", r"\1,romfile=", w) for w in words]
        return [*self._wire.inside, *words]
