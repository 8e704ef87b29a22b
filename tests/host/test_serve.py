# SPDX-License-Identifier: Apache-2.0
"""`keelson serve`: what it hands out, and what it does not."""
import os
import re
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest
from conftest import COMMAND, DEADLINE_SECONDS


class Server:
    """`keelson serve` of the folder `served`. get(NAME): the status and the body. said: what it printed at the start."""

    def __init__(self, keelson, *options):
        self.process = subprocess.Popen([COMMAND, "serve", "--listen", "127.0.0.1", "--port", "0", *options, "served"],
                                        cwd=keelson.home, env=keelson.env, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.said = ""
        while not (port := re.search(r"127\.0\.0\.1:(\d+)", self.said)) and (line := self.process.stdout.readline()):
            self.said += line
        assert port, self.said
        self.at = f"http://127.0.0.1:{port[1]}"

    def get(self, name):
        try:
            with urllib.request.urlopen(f"{self.at}/{name}", timeout=DEADLINE_SECONDS) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as e:
            return e.code, b""


@pytest.fixture
def serve(keelson):
    """serve(OPTION...): a server of an appliance a, whose kernel is none."""
    servers = []
    (keelson.home / "served").mkdir()
    for name in ("a-kernel", "a-initrd.img", "a-cmdline"):
        (keelson.home / "served" / name).write_text(name)

    def start(*options):
        servers.append(Server(keelson, *options))
        return servers[-1]
    yield start
    for server in servers:
        server.process.terminate()
        server.process.wait(DEADLINE_SECONDS)


def test_the_folder_and_nothing_else(serve):
    get = serve("--no-uki").get
    assert get("a-kernel") == (200, b"a-kernel")
    assert b"kernel a-kernel initrd=a-initrd.img a-cmdline" in get("a.ipxe")[1]
    assert get("b-kernel")[0] == get("../etc/passwd")[0] == get("%2e%2e/etc/passwd")[0] == 404
    # Nor what is in / : as root, as in CI, a file is put there.
    with tempfile.NamedTemporaryFile(dir="/" if os.access("/", os.W_OK) else None, prefix="keelson-test-") as secret:
        assert get(os.path.basename(secret.name))[0] == 404


def test_only_ukis_that_could_be_made_are_offered(serve):
    server = serve()
    assert "no UKI for a: " in server.said
    assert server.get("a.efi")[0] == 404
    assert b"a.efi" not in server.get("")[1] and b"a.ipxe" in server.get("")[1]


def test_a_command_line_that_a_script_cannot_hold_is_told(serve, keelson):
    (keelson.home / "served" / "a-cmdline").write_text("console=ttyS0 -- one ; two")
    server = serve("--no-uki")
    assert "iPXE cannot boot a: it would take ; in the command line for its own, and there is no UKI" in server.said
    assert b"; two" not in server.get("a.ipxe")[1]
    (keelson.home / "served" / "a.efi").write_text("a UKI")
    assert "iPXE gets a.efi for a: it would take ; " in serve("--no-uki").said
    assert server.get("a.ipxe")[1] == b"#!ipxe\nchain a.efi\n"
