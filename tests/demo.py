#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make demo: boots examples/hello.yml.

With a terminal: the console is yours. Without one: waits until the web server of the appliance answers on a host port,
logs in on the console, prints the boot timeline and the services, powers off, and ends with status 0; or with status 1
and what did not come up.
"""
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "tests/vm"))
import harness  # noqa: E402

WEB_SECONDS = 180
TASK_TRIES = 10  # a second apart: the web server may answer before the last service has started
SERVICES = {"getty", "www"}


def free_port():
    """8080 if nobody has it, else any port."""
    for port in (8080, 0):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return s.getsockname()[1]
            except OSError:
                pass
    raise SystemExit("demo: no free port on 127.0.0.1")


def run_options(port):
    return ["--mem", "512", "--cpus", "2", "--publish", f"127.0.0.1:{port}:80"]


def interactive(image, port):
    print(f"""
The console follows. When it says `login:` you are root; there are
    service boot                           how the boot went
    ctr -n services.linuxkit task ls       the services
    poweroff                               the end (Ctrl-A x is the power cord)
and from another terminal
    curl http://127.0.0.1:{port}/
""", flush=True)
    return subprocess.run([str(harness.KEELSON), "run", *run_options(port), str(image)], check=False).returncode


def wait_web(machine, port):
    url = f"http://127.0.0.1:{port}/"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy for this machine's own port
    deadline = time.monotonic() + WEB_SECONDS
    why = "no answer"
    while time.monotonic() < deadline:
        if machine.process.poll() is not None:
            raise harness.GuestError("the machine ended before the web server answered")
        try:
            with opener.open(url, timeout=5) as answer:
                return answer.read().decode("utf-8", "replace")
        except (urllib.error.URLError, OSError) as e:
            why = str(e)
        time.sleep(0.2)
    raise harness.GuestError(f"the web server did not answer on {url} within {WEB_SECONDS} s: {why}")


def log_in(machine):
    """Waits for a shell on the console: types a command until it is carried out."""
    for attempt in range(30):
        machine.type(f"\necho LOGGED''-IN-{attempt}\n")
        try:
            machine.wait_console(r"^LOGGED-IN-\d+$", 2)
            return
        except harness.GuestError:
            if machine.process.poll() is not None:
                raise
    raise harness.GuestError("nobody could log in on the console")


def on_console(machine, command, number):
    """Types a command at the shell on the console; returns what it printed. Short lines: the shell would wrap them."""
    machine.type(f"echo DEMO''-{number}; {command}; echo DONE''-{number}=$?\n")
    begin = machine.wait_console(rf"^DEMO-{number}\n", 60)
    done = machine.wait_console(rf"DONE-{number}=(\d+)", 60, begin.end())
    output = machine.console[begin.end():done.start()].rstrip("\n")
    if done.group(1) != "0":
        raise harness.GuestError(f"`{command}` ended with status {done.group(1)}: {output}")
    return output


def running(task_list):
    return {words[0] for line in task_list.splitlines() if len(words := line.split()) == 3 and words[2] == "RUNNING"}


def unattended(image, port, folder):
    machine = harness.Machine(image, folder, run_options(port), WEB_SECONDS + 240)
    try:
        page = wait_web(machine, port)
        print(f"web service on 127.0.0.1:{port}: {page.strip()}\n")
        log_in(machine)
        print("boot timeline (service boot):\n" + on_console(machine, "service boot", 1) + "\n")
        for attempt in range(TASK_TRIES):
            tasks = on_console(machine, "ctr -n services.linuxkit task ls", 2 + attempt)
            missing = SERVICES - running(tasks)
            if not missing:
                break
            time.sleep(1)
        print("services (ctr -n services.linuxkit task ls):\n" + tasks + "\n")
        if missing:
            raise harness.GuestError("these services do not run: " + ", ".join(sorted(missing)))
        machine.type("poweroff\n")
        status = machine.wait_end(60)
        if status != 0:
            raise harness.GuestError(f"keelson run ended with status {status}")
        print("demo: all came up; powered off")
        return 0
    except harness.GuestError as e:
        print(f"demo: {e}\nThe last of the console (all of it: {os.path.relpath(folder / 'console.log')}):")
        print("\n".join(machine.console.splitlines()[-40:]))
        return 1
    finally:
        machine.close()


def main():
    if len(sys.argv) != 2:
        print("usage: demo.py IMAGE", file=sys.stderr)
        return 2
    image = Path(sys.argv[1]).resolve()
    port = free_port()
    if sys.stdin.isatty() and sys.stdout.isatty():
        return interactive(image, port)
    return unattended(image, port, image.parent / "run")


if __name__ == "__main__":
    sys.exit(main())
