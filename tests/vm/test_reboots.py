# SPDX-License-Identifier: Apache-2.0
"""A machine that starts again and again: each end is what was asked for, and what is left of it is told."""
import wdat
from test_init import PLAIN, monitor

# The kernel's last words survive a reset in a piece of memory that it leaves alone. Its driver comes with a device that
# every machine of these tests has.
KEPT = "memmap=1M$0x8000000 ramoops.mem_address=0x8000000 ramoops.mem_size=0x100000 ramoops.record_size=0x20000"
WATCHDOG = " panic=0 keelson.watchdog=60"
RAMOOPS = """files:
  - {path: etc/modprobe.d/ramoops.conf, contents: "alias virtio:d00000004v* ramoops\\n"}
"""
LEFT = r"init: the last kernel left \d+ records? of its end in /sys/fs/pstore: dmesg-ramoops-\d+"


def wait_boot(vm, start):
    vm.wait_console("Welcome to keelson", start=start)
    vm.wait_for("grep -q '\"init.d\",\"parent\":\"\"' /run/keelson/boot.json && [ ! -e /run/seen ]")
    vm.run("touch /run/seen")


def test_a_reboot_is_a_reboot_and_a_crash_is_told(build, boot, folder):
    vm = boot(build(PLAIN + RAMOOPS), "--mem", "512", "--cmdline-add", KEPT + WATCHDOG, reboots=True,
              qemu=wdat.options(folder))
    wait_boot(vm, 0)
    # The watchdog that the firmware tells of has its driver, and the kernel's own is not needed.
    assert vm.run("cd /sys/class/watchdog/watchdog0; cat identity timeout").stdout == "wdat_wdt\n60\n"
    assert vm.run("grep -c ^softdog /proc/modules", check=False).stdout == "0\n"
    at = len(vm.console)
    monitor(vm, "sendkey ctrl-alt-delete")
    vm.wait_console("init: shutdown took .*\n(.*\n)*.*reboot: Restarting system", start=at)
    wait_boot(vm, at)
    assert "the last kernel left" not in vm.console and "the last reset was" not in vm.console
    # A kernel that stays where it panicked, until the watchdog resets the machine: it and pstore tell both.
    at = len(vm.console)
    vm.run("(sleep 0.2; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &")
    vm.wait_console("end Kernel panic", start=at)
    wdat.hurry(lambda command: monitor(vm, command))
    vm.wait_console("init: the last reset was the watchdog's", start=at)
    vm.wait_console(LEFT, start=at)
    wait_boot(vm, at)
    vm.run("grep -q 'sysrq triggered crash' /sys/fs/pstore/dmesg-ramoops-*")
    vm.wait_for("grep -q '\"state\":\"up\"' /run/keelson/record.json")
    end = vm.json("cat /run/keelson/record.json")["last_end"]
    assert end.startswith("the watchdog's reset; Kernel panic - not syncing: sysrq triggered crash"), end
    vm.run("(sleep 0.2; /bin/rc.shutdown poweroff) >/dev/null 2>&1 &")
    assert vm.wait_end() == 0
    assert vm.console.count("reboot: Restarting system") == 1 and vm.console.count("reboot: Power down") == 1
