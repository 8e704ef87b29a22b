# SPDX-License-Identifier: Apache-2.0
"""runtime.json's interfaces, given to containers in namespaces of their own."""
import re

from test_faults import BASE

NET = """    net: new
    capabilities: ["CAP_NET_ADMIN", "CAP_NET_RAW"]
"""
ONBOOT = BASE + f"""onboot:
  - name: wg
    image: keelson/busybox:latest
{NET}    command: ["sh", "-c", "ip addr add 192.168.2.1/24 dev wg0 && ip link set wg0 up && ip link show wg0"]
    runtime:
      interfaces: [{{name: wg0, add: wireguard, createInRoot: true}}]
      bindNS: {{net: /run/netns/wg}}
  - name: there
    image: keelson/busybox:latest
{NET}    command: ["true"]
    runtime: {{interfaces: [{{name: lo, add: dummy, createInRoot: true}}]}}
  - name: up
    image: keelson/busybox:latest
    capabilities: ["CAP_NET_ADMIN"]
    command: ["sh", "-c", "ip link set eth0 up && ip link show under0"]
    runtime: {{interfaces: [{{name: under0, add: dummy}}]}}
  - name: kinds
    image: keelson/busybox:latest
{NET}    command: ["sh", "-c", "ip link | grep : ; cat /proc/net/vlan/eth0.5"]
    runtime:
      interfaces:
        - {{name: br0, add: bridge}}
        - {{name: eth0.5, add: vlan, parent: eth0, id: 5}}
        - {{name: iv0, add: ipvlan, parent: under0, mode: l3}}
        - {{name: vx0, add: vxlan, id: 7}}
        - {{name: red, add: vrf, id: 10, createInRoot: false}}
  # Beside each other on one parent, in bridge mode, and both under the parent's name.
  - name: mac1
    image: keelson/busybox:latest
{NET}    command: ["sh", "-c", "ip addr add 10.7.0.1/24 dev eth0 && ip link set eth0 up"]
    runtime:
      interfaces: [{{name: eth0, add: macvlan, parent: eth0, mode: bridge}}]
      bindNS: {{net: /run/netns/mac1}}
  - name: mac2
    image: keelson/busybox:latest
{NET}    command: ["sh", "-c", "ip addr add 10.7.0.2/24 dev eth0 && ip link set eth0 up && ping -c 1 -w 20 10.7.0.1"]
    runtime: {{interfaces: [{{name: eth0, add: macvlan, parent: eth0, mode: bridge, createInRoot: false}}]}}
  - name: no-parent
    image: keelson/busybox:latest
{NET}    command: ["true"]
    runtime: {{interfaces: [{{name: mv0, add: macvlan}}]}}
  - name: no-such-parent
    image: keelson/busybox:latest
    command: ["true"]
    runtime: {{interfaces: [{{name: left0, add: dummy}}, {{name: mv0, add: macvlan, parent: eth9}}]}}
  - name: next
    image: keelson/busybox:latest
    command: ["sh", "-c", "echo next ran > /var/onboot-next"]
    binds: ["/var:/var"]
services:
  - name: joined
    image: keelson/busybox:latest
    net: /run/netns/wg
    command: ["sh", "-c", "ip addr show dev wg0; sleep 100000"]
  - name: taken
    image: keelson/busybox:latest
{NET}    command: ["sleep", "100000"]
    runtime: {{interfaces: [{{name: eth7, peer: lo}}]}}
"""
SERVICES = BASE + f"""services:
  - name: pair
    image: keelson/busybox:latest
{NET}    command: ["sh", "-c", "ip addr add 10.9.0.2/24 dev eth0; ip link set eth0 up; ip link set d0 up; sleep 100000"]
    runtime:
      interfaces: [{{name: eth0, peer: vpair}}, {{name: d0, add: dummy}}]
      bindNS: {{net: /run/netns/pair}}
  - name: owner
    image: keelson/busybox:latest
{NET}    command: ["sleep", "100000"]
    runtime:
      interfaces: [{{name: eth0}}]
      bindNS: {{net: /run/netns/owner}}
"""


def service(vm, name):
    return next(s for s in vm.json("service list --json") if s["name"] == name)


def links_of(vm, pid):
    return set(vm.run(f"awk -F: 'NR > 2 {{print $1}}' /proc/{pid}/net/dev").stdout.split())


def wait_running(vm, name, but="nobody"):
    vm.wait_for(f"service list | grep '^{name} *running' | grep -vqw {but}")
    return service(vm, name)["pid"]


def test_wireguard_in_a_namespace_that_others_join_and_what_fails(build, boot):
    vm = boot(build(ONBOOT), "--mem", "512")
    pid = wait_running(vm, "joined")
    # wg0 is where it was asked for, and in nobody else's namespace.
    assert links_of(vm, pid) == {"lo", "wg0"}
    assert "wg0" not in links_of(vm, 1)
    assert "inet 192.168.2.1/24" in vm.wait_for("grep inet /var/log/joined.out.log").stdout
    assert "wg0: <" in vm.run("cat /run/log/onboot/onboot.000-wg.out.log").stdout
    # What kinds have to be told; two on one parent hear each other.
    kinds = vm.run("cat /run/log/onboot/onboot.003-kinds.out.log").stdout
    assert set(re.findall(r"^\d+: ([a-z0-9.]+)[:@]", kinds, re.M)) >= {"lo", "br0", "eth0.5", "iv0", "vx0", "red"}
    assert "eth0.5  VID: 5" in kinds
    assert "1 packets received" in vm.run("cat /run/log/onboot/onboot.005-mac2.out.log").stdout
    assert "under0: <" in vm.run("cat /run/log/onboot/onboot.002-up.out.log").stdout
    # One that is there already, and ones without a parent, are reported; the next ones run.
    vm.wait_console(r"onboot container 001-there failed: \$\.interfaces\[0\]: could not create interface lo \(dummy\): it is there already")
    vm.wait_console(r"onboot container 006-no-parent failed: could not use \S+/006-no-parent/runtime.json: \$\.interfaces\[0\]\.parent is missing")
    vm.wait_console(r"onboot container 007-no-such-parent failed: \$\.interfaces\[1\]: could not create interface mv0 \(macvlan\): its parent eth9 is not there")
    # What was made for it stays, and is listed; what was there before is not.
    vm.wait_console(r"007-no-such-parent: this stays for inspection: mount \S+, mount \S+, interface left0\s")
    assert "interface lo" not in vm.console.replace("create interface lo", "")
    assert vm.run("cat /var/onboot-next").stdout == "next ran\n"
    vm.wait_for("test -e /run/keelson/up")
    failed = {s["stage"] for s in vm.json("cat /run/keelson/boot.json")["stages"] if not s["ok"]}
    assert failed == {"onboot/001-there", "onboot/006-no-parent", "onboot/007-no-such-parent", "onboot/all", "010-onboot",
                      "020-containerd", "services/taken"}
    vm.wait_console(r"service taken: .*could not create interface eth7 \(veth\): its peer lo is there already")
    assert vm.poweroff() == 0


def test_services_have_their_interfaces_in_every_life(build, boot):
    vm = boot(build(SERVICES), "--mem", "512")
    pair, owner = wait_running(vm, "pair"), wait_running(vm, "owner")
    ping = "ip addr replace 10.9.0.1/24 dev vpair && ip link set vpair up && ping -c 1 -W 5 10.9.0.2"
    for svcd_dies in (False, True, None):
        assert links_of(vm, pair) == {"lo", "eth0", "d0"}
        assert links_of(vm, owner) == {"lo", "eth0"}
        assert links_of(vm, 1) - {"dummy0"} == {"lo", "vpair"}  # dummy0 comes with its module
        assert vm.wait_for(ping).stdout
        if svcd_dies:
            old = vm.run("pidof /usr/bin/svcd").stdout.strip()
            vm.run(f"kill -9 {old}")
            vm.wait_for(f"new=$(pidof /usr/bin/svcd) && [ \"$new\" != \"{old}\" ] && service list | grep -q '^pair *running'")
        if svcd_dies is not None:
            # The old namespaces are still bound when they start again, and the old interfaces in them.
            vm.run(f"kill -9 {pair} {owner}")
            pair, owner = wait_running(vm, "pair", pair), wait_running(vm, "owner", owner)
    assert vm.run("grep -c ' /run/netns/pair ' /proc/mounts").stdout == "1\n"
    assert vm.poweroff() == 0
