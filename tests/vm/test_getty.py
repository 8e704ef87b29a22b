# SPDX-License-Identifier: Apache-2.0
"""Logins on the consoles: with a password, without one, on several at once, and none for a stranger."""
import re
import time

import harness
from test_faults import BASE

PASSWORD = "open sesame"
HASH = "$6$keelson$2jqzPCm6stcEhRb8zqeQOd.4D1mhZf7Vd0TdyCBrswDKKi1W5T1Vc266h0q9LNPIb06EXXPoIC9D9AaDF8rEW0"
PROMPT = r"\(ns: getty\) box:~# "
BREAK = "\x01b"  # to QEMU
STTY = "/run/keelson-test/bin/stty -F"
TTYS = {"ttyS0": 4 << 8 | 64, "ttyS1": 4 << 8 | 65, "ttyS2": 4 << 8 | 66, "hvc0": 229 << 8,
        "hvc1": 229 << 8 | 1}

SYSRQ_OFF = """onboot:
  - name: sysctl
    image: keelson/busybox:latest
    command: ["sysctl", "-w", "kernel.sysrq=0"]
    readonly: true
"""
SERVICES = """services:
  - name: getty
    image: keelson/getty:latest
"""
FILES = """files:
  - path: etc/hostname
    contents: "box\\n"
"""
SHADOW = f"""  - path: etc/getty.shadow
    contents: 'root:{HASH}:17322:0:::::'
    mode: "0600"
"""


def appliance(cmdline, *parts):
    return BASE.replace("console=ttyS0 quiet", cmdline + " quiet") + "".join(parts)


class Console:
    """The first console, with the interface of harness.Line."""

    def __init__(self, vm):
        self.vm = vm

    @property
    def text(self):
        return self.vm.console

    def type(self, text):
        self.vm.type(text)

    def wait(self, pattern, timeout=120, start=0):
        return self.vm.wait_console(pattern, timeout, start)


def say(line, text, pattern, before=None):
    """Types and waits for what comes after it."""
    start = len(line.text)
    if before:
        before()
    line.type(text)
    return line.wait(pattern, start=start)


def run_in(line, command):
    """Types a command into a shell; returns what it writes, up to the next prompt."""
    start = len(line.text)
    line.type(command + "\n")
    end = line.wait(PROMPT + r"\Z", start=start + len(command))
    return line.text[start:end.start()]


def log_in(line, password=PASSWORD, prompt=PROMPT):
    """From a login prompt, which may have to be waited for."""
    line.wait(r"login: \Z")
    say(line, "root\n", r"Password: ")
    return say(line, password + "\n", prompt)


def session(vm, tty, foreground=False):
    """The names of the processes whose terminal it is, or only of those in its foreground.

    Others end meanwhile: awk itself would stop at a file that is gone.
    """
    condition = f"f[5] == {TTYS[tty]}" + (" && f[3] == f[6]" if foreground else "")
    script = ("for stat in /proc/[0-9]*/stat; do { read -r line <$stat; } 2>/dev/null && echo \"$line\"; done | "
              "awk '{name = rest = $0; sub(/^[^(]*[(]/, \"\", name); sub(/[)][^)]*$/, \"\", name); "
              f"sub(/^.*[)] /, \"\", rest); split(rest, f); if ({condition}) print name}}'")
    return sorted(vm.run(script).stdout.split())


def wait_session(vm, tty, expected, foreground=False):
    """Until these processes, and no others, have the terminal, or are in its foreground."""
    deadline = time.monotonic() + harness.BOOT_SECONDS
    while (found := session(vm, tty, foreground)) != expected:
        assert time.monotonic() < deadline, f"{tty}: {found}, not {expected}"
        time.sleep(0.2)


def bytes_sent(vm, port):
    return int(vm.run(f"grep '^{port}:' /proc/tty/driver/serial | sed 's/.*tx:\\([0-9]*\\).*/\\1/'").stdout)


def wait_blocked(vm, port, start):
    """Until the serial port has sent something since it had sent `start` bytes, and then nothing for a while."""
    deadline = time.monotonic() + harness.BOOT_SECONDS
    before = now = start
    while now == start or now != before:
        assert time.monotonic() < deadline, f"port {port} still sends: {now}"
        vm.run("sleep 1")
        before, now = now, bytes_sent(vm, port)


def monitor(vm, command):
    """Types at QEMU's monitor, which shares the console."""
    vm.type(f"\x01c{command}\n\x01c")


# Control keys, long and odd names, escape sequences, options and commands for names, and much of it for a password.
STRANGER = [
    "\x03", "\x04", "\x1a", "\x1c", "\x03\x1c\x1a\x04\n",
    "x" * 5000 + "\n", "\n" * 50 + "\x00\x00\xff\xfe\x80\n", "\x1b[A\x1b[2J\x1b]0;title\x07\x1b[6n\x1b[c\x1bc\n",
    "-f root\n", "-froot\n", "-- -f root\n", "$(sh)\n", "../../bin/sh\n",
    "root\n\x03", "root\n\x1c", "root\n\x1a", "root\n\x04", "root\n\n", "root\n" + "x" * 5000 + "\n",
]


def wait_read(line):
    """Until the guest has read all that was typed: the last of it is echoed. What a password is asked for has no echo."""
    for n in range(60):
        mark = f"mark-{n}"
        line.type(mark + "\n")
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if mark in line.text:
                return
            time.sleep(0.1)
    raise AssertionError(f"{line.name} reads nothing")


def nothing_for_a_stranger(vm, line, tty):
    """Whatever is typed: there is no shell on the line, and no command is carried out."""
    for text in STRANGER:
        line.type(text)
        line.type("\ntouch /tmp/stranger-was-here\n")
        found = session(vm, tty)
        assert set(found) <= {"agetty", "login"}, (text, found)
        assert "(ns: getty)" not in line.text, text
    wait_read(line)
    say(line, "\x03", r"login: \Z")  # whoever reads now is ended by it
    assert vm.run("ls /tmp").stdout == ""
    assert "(ns: getty)" not in line.text


def a_killed_login_takes_its_shell_along(vm, line):
    """A shell that stayed would read what the next one types."""
    shell = run_in(line, "echo $$").split()[-1]
    start = len(line.text)
    vm.run(f"kill -9 $(awk '{{print $4}}' /proc/{shell}/stat)")  # its parent
    line.wait(r"login: \Z", start=start)
    vm.wait_for(f"! kill -0 {shell}")
    log_in(line)


def block(vm, line, tty):
    """Nobody takes what is written to the serial port any more, and somebody writes."""
    line.stop_reading()
    port = TTYS[tty] - TTYS["ttyS0"]
    sent = bytes_sent(vm, port)
    line.type("yes\n")
    wait_session(vm, tty, ["login", "sh", "yes"])
    wait_blocked(vm, port, sent)


def test_logins_on_several_consoles_and_nothing_for_a_stranger(build, boot):
    consoles = "console=tty0 console=hvc0 console=hvc1 console=ttyUSB0,57600 console=ttyS0,115200n8 console=ttyS1 console=ttyS3"
    yaml = appliance(consoles, SYSRQ_OFF, SERVICES, FILES, SHADOW)
    vm = boot(build(yaml.replace("onboot:", "  - keelson/memlogd:latest\nonboot:", 1)), "--mem", "512", serials=2)
    first, second = Console(vm), vm.line("ttyS1")
    first.wait(r"login: \Z")
    second.wait(r"login: \Z")
    wait_session(vm, "ttyS0", ["agetty"])

    # A port without hardware is left alone and named; so is what is not there yet.
    said = vm.run("/usr/bin/logread").stdout
    assert "getty;rungetty: no login on ttyS3: it is a serial port without hardware" in said
    assert "getty;rungetty: no login on hvc0: there is no such device (yet)" in said
    gettys = vm.run("for p in $(pidof agetty); do tr '\\0' ' ' < /proc/$p/cmdline; echo; done").stdout
    assert sorted(gettys.splitlines()) == ["/sbin/agetty -L ttyS0 115200 vt100 ", "/sbin/agetty -L ttyS1 115200 vt100 ",
                                           "/sbin/agetty tty0 38400 linux "]
    vm.wait_for("grep -q 'box login: ' /dev/vcs1")  # the screen of the virtual terminal

    # Not with a wrong password, nor with a BREAK and b, which would reboot if SysRq were on.
    say(first, "root\n", "Password: ")
    say(first, "close sesame\n", r"Login incorrect\s+box login: \Z")
    say(first, BREAK + "b", r"b\Z")
    nothing_for_a_stranger(vm, second, "ttyS1")

    # Who does not say more is asked anew. With the right password, on both; what the first message says can be done.
    log_in(second)
    first.wait("Login timed out")
    log_in(first)
    for command in ("service list  ", "ctr -n services.linuxkit task ls  ", "logread, or less /var/log/NAME.log  "):
        assert command in first.text
    assert re.search(r"^getty +running", run_in(first, "service list"), re.M)
    assert re.search(r"^getty +\d+ +RUNNING", run_in(first, "ctr -n services.linuxkit task ls"), re.M)
    assert "rungetty: a login on ttyS0" in run_in(first, "logread")
    assert "runc version" in run_in(first, "runc --version")
    vm.run("touch /var/log/of-the-root")
    found = run_in(first, "ls -d /containers/services/getty /run/containerd/containerd.sock /hostroot/etc/getty.shadow "
                          "/var/log/of-the-root /sys/class/tty /dev/kmsg && echo all of ''them")
    assert "all of them" in found, found
    assert "/dev/ttyS1" in run_in(second, "tty")

    # Window size: the terminal is asked, and answers.
    say(second, "resize\n", r"resize")
    vm.wait_for(f"{STTY} /dev/ttyS1 -a | grep -q -- '-icanon'")
    second.type("\x1b[43;132R")
    second.wait(PROMPT + r"\Z")
    assert "43 132" in run_in(second, "stty size")

    # Job control, ctrl-c, ctrl-z.
    first.type("sleep 1001\n")
    wait_session(vm, "ttyS0", ["login", "sh", "sleep"])
    say(first, "\x03", PROMPT)
    wait_session(vm, "ttyS0", ["login", "sh"])
    first.type("sleep 1002\n")
    wait_session(vm, "ttyS0", ["login", "sh", "sleep"])
    say(first, "\x1a", r"Stopped +sleep 1002\s+" + PROMPT + r"\Z")
    assert re.search(r"Stopped +sleep 1002", run_in(first, "jobs"))
    say(first, "bg\n", PROMPT)
    # The shell names the job before it gives it the terminal, and a key goes to whoever has that.
    say(first, "fg\n", "sleep 1002")
    wait_session(vm, "ttyS0", ["sleep"], foreground=True)
    say(first, "\x03", PROMPT)
    wait_session(vm, "ttyS0", ["login", "sh"])

    # Log-out, and a killed getty: a new login.
    say(first, "exit\n", r"login: ")
    log_in(first)
    say(second, "exit\n", r"login: ")
    start = len(second.text)
    vm.run("kill -9 $(pidof agetty)")
    second.wait(r"login: ", start=start)
    log_in(second)
    a_killed_login_takes_its_shell_along(vm, second)

    # A console that comes later, and one that goes.
    monitor(vm, "chardev-add socket,id=late,path=hvc0.sock,server=on,wait=off")
    monitor(vm, "device_add virtconsole,chardev=late")
    third = vm.line("hvc0")
    wait_session(vm, "hvc0", ["agetty"])
    say(third, "\n", r"login: \Z")
    log_in(third)
    monitor(vm, "chardev-add null,id=gone")
    monitor(vm, "device_add virtconsole,chardev=gone,id=gone")
    wait_session(vm, "hvc1", ["agetty"])
    monitor(vm, "device_del gone")
    # While it goes, the kernel may have another reason for a moment; what is said last counts.
    vm.wait_for("/usr/bin/logread -s getty | grep hvc1 | tail -n 1 | grep -E "
                "'no login on hvc1( any more)?: there is no such device'")

    # USB serial: this kernel has none, so another port plays it. It comes, is unplugged, and comes again.
    plug = "mknod /dev/ttyUSB0 c 4 66"
    fourth = vm.line("ttyS2")
    vm.run(plug)
    log_in(fourth)
    assert "/dev/ttyUSB0" in run_in(fourth, "tty") and "57600" in run_in(fourth, "stty")
    vm.run("rm /dev/ttyUSB0")
    fourth.type("exit\n")
    vm.wait_for("/usr/bin/logread | grep 'no login on ttyUSB0 any more: there is no such device (yet)'")
    start = len(fourth.text)
    vm.run(plug)
    fourth.wait(r"login: \Z", start=start)

    # One that takes no output and one that was told to stop hold up neither the first one nor the end of all sessions.
    block(vm, second, "ttyS1")
    third.type("\x13")
    third.type("yes\n")
    wait_session(vm, "hvc0", ["login", "sh", "yes"])
    assert "alive" in run_in(first, "echo al''ive; sleep 1003 & sleep 1004 &")
    vm.run("service stop getty")
    for tty in ("ttyS0", "ttyS1", "ttyS2", "hvc0"):
        assert session(vm, tty) == []
    # The BREAK was one.
    vm.run("echo 1 > /proc/sys/kernel/sysrq")
    say(first, BREAK + "h", "sysrq: HELP")
    assert vm.poweroff() == 0
    assert "Power down" in vm.console


CLOSED = appliance("console=ttyS0 console=ttyS1", SERVICES + """    binds.add: ["/etc/only-ttyS0:/etc/securetty"]
    env: ["INSECURE=True"]
""", FILES, """  - path: etc/only-ttyS0
    contents: "ttyS0\\n"
""")


def restart_getty(vm, line):
    """With what is in the root's /etc and the bundle now; returns where the line's new text starts."""
    start = len(line.text)
    vm.run("service restart getty")
    line.wait(r"box login: ", start=start)
    return start


def test_without_a_password_file_with_a_broken_one_and_open(build, boot):
    vm = boot(build(CLOSED), "--mem", "512", serials=1)
    first, second = Console(vm), vm.line("ttyS1")
    first.wait(r"login: \Z")
    second.wait(r"login: \Z")

    # Nobody gets in, and is told why. A terminal that is not fit for root says so, and does not ask for a password.
    assert "/etc/shadow:1: root is locked: nobody can log in with a password" in first.text
    assert "there is no /etc/getty.shadow" in first.text
    assert "INSECURE=True is not INSECURE=true: a password is asked for" in first.text
    say(first, "root\n", "Password: ")
    say(first, "\n", "Login incorrect")
    assert "ttyS1 is not in /etc/securetty: root cannot log in with a password here" in second.text
    assert "not in /etc/securetty" not in first.text
    say(second, "root\n", r"Login incorrect")
    assert "Password" not in second.text

    # A broken line is named, and the others hold: no newline at the end, no fields after the password.
    vm.run(f"mount -o remount,rw / && printf '%s' 'nonsense\nroot:{HASH}' > /etc/getty.shadow")
    start = restart_getty(vm, first)
    assert "/etc/getty.shadow:1: this is not NAME:PASSWORD:...: left out" in first.text[start:]
    assert "/etc/getty.shadow:2: what follows the password of root is not 7 numbers" in first.text[start:]
    log_in(first)
    assert run_in(first, "stat -c %a /etc/shadow; wc -l < /etc/shadow").split()[-2:] == ["600", "1"]

    # One that ends before the password opens nothing. A link out of the container is no silence.
    vm.run("printf root: > /etc/getty.shadow")
    start = restart_getty(vm, first)
    assert "/etc/getty.shadow:1: it may be cut off before the password" in first.text[start:]
    say(first, "root\n", "Password: ")
    say(first, "\n", "Login incorrect")
    vm.run("ln -sf /nowhere /etc/getty.shadow")
    start = restart_getty(vm, first)
    assert "could not read /etc/getty.shadow: it is a link that leads nowhere" in first.text[start:]

    # Without the file, what it said is gone.
    vm.run("rm /etc/getty.shadow")
    start = restart_getty(vm, first)
    assert "root is locked" in first.text[start:]

    # Open: root is in at once, on a terminal that is not fit, too; who leaves is in again.
    vm.run("sed -i 's/INSECURE=True/INSECURE=true/' /containers/services/getty/config.json; service stop getty; "
           "service start getty")
    for line in (first, second):
        line.wait(PROMPT + r"\Z")
    assert "automatic login" in second.text
    say(second, "exit\n", PROMPT + r"\Z")

    # A killed rungetty: its sessions end, and each terminal has one of its successor's.
    shells = [run_in(line, "echo $$").split()[-1] for line in (first, second)]
    vm.run("kill -9 $(pidof rungetty)")
    for tty, shell in zip(("ttyS0", "ttyS1"), shells):
        vm.wait_for(f"! kill -0 {shell}")
        wait_session(vm, tty, ["login", "sh"])

    # A session whose output nobody takes does not hold up the shutdown.
    block(vm, second, "ttyS1")
    assert vm.poweroff() == 0
    assert "Power down" in vm.console
    assert "took too long" not in vm.console


DEBUG = appliance("console=ttyS0", SERVICES, FILES, SHADOW, """  - path: etc/containerd/config.toml
    contents: "this is not TOML\\n"
""").replace("init:\n", "init:\n  - keelson/getty:latest\n", 1)


def test_a_shell_where_containerd_cannot_start(build, boot):
    """The documented ways: keelson.rescue=1, and the getty image in init:."""
    vm = boot(build(DEBUG), "--mem", "512", "--cmdline-add", "keelson.rescue=1")
    first = Console(vm)
    first.wait("init: rescue shell")
    say(first, "pidof rungetty svcd || echo nothing ru''ns; exit\n", "^nothing runs")

    # From /etc/init.d: root is in at once, in the root itself, and the boot went on.
    root_prompt = r"^box:~# "
    first.wait(root_prompt)
    vm.wait_for("grep -q '\"init.d\"' /run/keelson/boot.json")
    say(first, "ls -l /proc/self/ns/mnt /proc/1/ns/mnt | sed 's/.*> //' | uniq | wc -l\n", "^1$")
    say(first, "service list\n", r"^getty ")
    assert "(ns: getty) box" not in first.text

    # containerd is mended: the service's rungetty comes up, and leaves the console to the first one until that ends.
    vm.run("mount -o remount,rw / && : > /etc/containerd/config.toml")
    vm.wait_for("grep 'another rungetty has the consoles' /var/log/getty.log")
    assert len(vm.run("pidof agetty login").stdout.split()) == 1
    start = len(first.text)
    vm.run("kill $(awk '{print $4}' /proc/$(pidof login)/stat)")  # its parent
    first.wait("box login: ", start=start)
    log_in(first)
    assert vm.poweroff() == 0
    assert "Power down" in vm.console


# A stand-in for LinuxKit's PID 1: busybox init, an inittab, an rc.init that runs /etc/init.d.
FOREIGN = appliance("console=ttyS0", """files:
  - path: etc/hostname
    contents: "box\\n"
  - path: run
    directory: true
  - path: linuxkit-init
    mode: "0755"
    contents: |
      #!/bin/busybox sh
      /bin/busybox mount -t proc proc /proc
      /bin/busybox mount -t sysfs sysfs /sys
      /bin/busybox mount -t devtmpfs dev /dev
      /bin/busybox mount -t tmpfs tmpfs /run
      exec /sbin/init
  - path: sbin/init
    symlink: /bin/busybox
  - path: etc/inittab
    contents: |
      ::sysinit:/bin/rc.init
      ::shutdown:/bin/rc.init down
  - path: bin/rc.init
    mode: "0755"
    contents: |
      #!/bin/sh
      [ "$1" = down ] && exec sync
      hostname box
      for f in /etc/init.d/*; do $f; done
      echo all of init.d has run
""").replace("  - keelson/init:latest\n  - keelson/runc:latest\n  - keelson/containerd:latest\n", "  - keelson/getty:latest\n")


def test_from_the_init_d_of_another_init(build, boot):
    vm = boot(build(FOREIGN, agent=False), "--mem", "512", "--cmdline-add", "rdinit=/linuxkit-init")
    first = Console(vm)
    first.wait("all of init.d has run")
    first.wait(r"box:~# \Z")
    say(first, "exit\n", r"box:~# \Z")
    say(first, "sh -c 'echo runn''ing; exec sleep 1001'\n", "^running")
    say(first, "\x03", r"box:~# \Z")
    first.type("poweroff\n")
    assert vm.wait_end() == 0
    assert "Power down" in vm.console
