# SPDX-License-Identifier: Apache-2.0
"""
A watchdog whose reset the next boot can tell from others. Debian's cloud kernel has no driver for QEMU's watchdogs, but it
has wdat_wdt, which takes any that the firmware describes in ACPI's table WDAT. Here that is the TCO timer of the machine's
ICH9, which keeps "the second timeout has come" over the reset.
"""
import struct

TCO = 0x660  # SeaBIOS puts the chip's power management at 0x600
RELOAD, STATUS2, CONTROL1, TIMER = TCO, TCO + 0x6, TCO + 0x8, TCO + 0x12
REBOOTS = 0xfed1f410  # GCS, in the chip's memory where SeaBIOS puts it: may the second timeout reset the machine?
TICK_MS = 600
SECOND_TIMEOUT, HALTED, NO_REBOOT = 0x0002, 0x0800, 0x0020
READ, WRITE, WRITE_COUNTDOWN, PRESERVE = 0, 2, 3, 0x80
ENTRIES = [  # action, instruction, register, value, mask
    (0x01, WRITE, RELOAD, 1, 0xffff),
    (0x06, WRITE_COUNTDOWN | PRESERVE, TIMER, 0, 0x03ff),
    (0x08, READ, CONTROL1, 0, HALTED),
    (0x09, WRITE | PRESERVE, CONTROL1, 0, HALTED),
    (0x0a, READ, CONTROL1, HALTED, HALTED),
    (0x0b, WRITE | PRESERVE, CONTROL1, HALTED, HALTED),
    (0x11, WRITE | PRESERVE, REBOOTS, 0, NO_REBOOT),
    (0x20, READ, STATUS2, SECOND_TIMEOUT, SECOND_TIMEOUT),
    (0x21, WRITE, STATUS2, SECOND_TIMEOUT, SECOND_TIMEOUT)]


def entry(action, instruction, register, value, mask):
    memory = register > 0xffff
    space, bits, width = (0, 32, 3) if memory else (1, 16, 2)
    return struct.pack("<BBHBBBBQII", action, instruction, 0, space, bits, 0, width, register, value, mask)


def table():
    entries = b"".join(entry(*e) for e in ENTRIES)
    no_pci, enabled = (0xff, 0xff, 0xff, 0xff), 1
    body = struct.pack("<IHBBB3xIIIB3xI", 32, *no_pci, TICK_MS, 0x3ff, 4, enabled, len(ENTRIES)) + entries
    size = 36 + len(body)
    return struct.pack("<4sIBB6s8sI4sI", b"WDAT", size, 1, 0, b"KEELSN", b"TESTWDAT", 1, b"TEST", 1) + body


def options(folder):
    """QEMU's options for a machine with it."""
    path = folder / "wdat.aml"
    path.write_bytes(table())
    return ["-acpitable", f"file={path}", "-global", "ICH9-LPC.noreboot=false"]


def hurry(monitor):
    """It will not wait for long any more, unless it is fed: QEMU's monitor sets its time, and lets it begin."""
    monitor(f"o /w {TIMER:#x} 4")
    monitor(f"o /w {RELOAD:#x} 1")
