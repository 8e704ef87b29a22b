# SPDX-License-Identifier: Apache-2.0
"""The example of LinuxKit's YAML reference: WireGuard in namespaces that a web server and a login join."""
import harness

EXAMPLE = harness.REPO / "examples/wireguard.yml"


def test_a_request_goes_through_the_tunnel(build, boot):
    vm = boot(build(EXAMPLE), "--mem", "512")
    vm.wait_for("service list | grep -q '^www *running'")
    # Nothing but the two ends is in the namespaces, and neither is in the root.
    for n in (0, 1):
        links = vm.run(f"nsenter --net=/run/netns/wg{n} ip -o link").stdout.splitlines()
        assert {line.split()[1] for line in links} == {"lo:", f"wg{n}:"}
    assert "wg" not in vm.run("ip -o link").stdout
    # Asked by who logs in on the console; the root has no way there.
    fetch = "printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | /bin/nc 192.168.2.1 80"
    vm.run(f"cat >/run/fetch <<'END'\n{fetch}\nEND")
    answer = vm.wait_for("ctr -n services.linuxkit task exec --exec-id fetch$$ getty /bin/sh /run/fetch | grep Through", 60)
    assert answer.stdout == "<h1>Through the tunnel</h1>\n"
    assert "unreachable" in vm.run("ip route get 192.168.2.1", check=False).stderr
    shown = vm.run("cat /run/log/onboot/onboot.002-wg1.out.log").stdout
    assert "interface: wg1" in shown and "endpoint: 127.0.0.1:51820" in shown
    # The login is in the other namespace.
    pid = next(s["pid"] for s in vm.json("service list --json") if s["name"] == "getty")
    ns = "stat -Lc %i"
    assert vm.run(f"{ns} /proc/{pid}/ns/net").stdout == vm.run(f"{ns} /run/netns/wg1").stdout
    assert "PRIVATE" not in vm.console and vm.run("stat -c %a /run/wireguard/0.key").stdout == "600\n"
    assert vm.poweroff() == 0
