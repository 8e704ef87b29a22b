# SPDX-License-Identifier: Apache-2.0
"""runtime.json's interfaces, given to containers in namespaces of their own."""
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
  - name: bridge
    image: keelson/busybox:latest
{NET}    command: ["ip", "link", "show", "br0"]
    runtime: {{interfaces: [{{name: br0, add: bridge}}]}}
  - name: macvlan
    image: keelson/busybox:latest
{NET}    command: ["ip", "link", "show", "mv0"]
    runtime: {{interfaces: [{{name: mv0, add: macvlan}}]}}
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
    # One that is there already, and one that the kernel wants a parent for, are reported; the next ones run.
    vm.wait_console(r"onboot container 001-there failed: could not create interface lo \(dummy\): it is there already")
    vm.wait_console(r"onboot container 003-macvlan failed: could not create interface mv0 \(macvlan\): \S+")
    assert "br0: " in vm.run("cat /run/log/onboot/onboot.002-bridge.out.log").stdout
    assert vm.run("cat /var/onboot-next").stdout == "next ran\n"
    failed = {s["stage"] for s in vm.json("cat /run/keelson/boot.json")["stages"] if not s["ok"]}
    assert failed >= {"onboot/001-there", "onboot/003-macvlan", "services/taken"}
    assert not failed & {"onboot/000-wg", "onboot/002-bridge", "onboot/004-next", "services/joined"}
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
            vm.wait_for(f"new=$(pidof /usr/bin/svcd) && [ \"$new\" != {old} ] && service list | grep -q '^pair *running'")
        if svcd_dies is not None:
            # The old namespaces are still bound when they start again, and the old interfaces in them.
            vm.run(f"kill -9 {pair} {owner}")
            pair, owner = wait_running(vm, "pair", pair), wait_running(vm, "owner", owner)
    assert vm.run("grep -c ' /run/netns/pair ' /proc/mounts").stdout == "1\n"
    assert vm.poweroff() == 0
