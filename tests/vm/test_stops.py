# SPDX-License-Identifier: Apache-2.0
"""A service is stopped, whoever hangs that stands between it and svcd."""
from test_faults import BASE, CTR
from test_policy import FOREVER, service, sh

STUBBORN = "trap '' TERM; while :; do sleep 100 & wait $!; done"

SERVICES = BASE + "services:\n" + "".join(f"  - name: {name}\n{text}" for name, text in {
    "mild": sh(FOREVER),
    "stubborn": sh(STUBBORN, runtime="{stop: {timeout: 1s}}"),
}.items())


def is_gone(vm, pid):
    """A zombie has no command line."""
    return vm.run(f"tr -d '\\0' </proc/{pid}/cmdline 2>/dev/null || true").stdout == ""


def check_a_hung_shim(vm):
    """It neither passes signals on nor says how its process ended."""
    for name in ("mild", "stubborn"):
        pid = service(vm, name)["pid"]
        shim = vm.run(f"sed -n 's/^PPid:[^0-9]*//p' /proc/{pid}/status").stdout.strip()
        vm.run(f"grep -q containerd-shim /proc/{shim}/cmdline && kill -STOP {shim} && service stop {name}")
        assert is_gone(vm, pid) and service(vm, name)["state"] == "stopped"
        assert name not in vm.run(f"{CTR} task ls -q").stdout.split()
        vm.wait_console(rf"service {name}: its shim \(pid {shim}\) does not notice its end: killing the shim")
        vm.run(f"service start {name}")
        assert service(vm, name)["state"] == "running"


def test_a_stop_ends_whoever_hangs(build, boot):
    vm = boot(build(SERVICES), "--mem", "512")
    vm.wait_for("[ $(service list | grep -c ' running ') = 2 ]")
    check_a_hung_shim(vm)
    assert vm.poweroff() == 0
