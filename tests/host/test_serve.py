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


@pytest.fixture
def get(keelson):
    """get(NAME): the status and the body, of a server of the folder `served` that makes no UKIs."""
    (keelson.home / "served").mkdir()
    for name in ("a-kernel", "a-initrd.img", "a-cmdline"):
        (keelson.home / "served" / name).write_text(name)
    server = subprocess.Popen([COMMAND, "serve", "--listen", "127.0.0.1", "--port", "0", "--no-uki", "served"],
                              cwd=keelson.home, env=keelson.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = ""
    while not (port := re.search(r"127\.0\.0\.1:(\d+)", said)) and (line := server.stdout.readline()):
        said += line
    assert port, said

    def ask(name):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/{name}", timeout=DEADLINE_SECONDS) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as e:
            return e.code, b""
    yield ask
    server.terminate()
    server.wait(DEADLINE_SECONDS)


def test_the_folder_and_nothing_else(get):
    assert get("a-kernel") == (200, b"a-kernel")
    assert b"kernel a-kernel initrd=a-initrd.img a-cmdline" in get("a.ipxe")[1]
    assert get("b-kernel")[0] == get("../etc/passwd")[0] == get("%2e%2e/etc/passwd")[0] == 404
    # Nor what is in / : as root, as in CI, a file is put there.
    with tempfile.NamedTemporaryFile(dir="/" if os.access("/", os.W_OK) else None, prefix="keelson-test-") as secret:
        assert get(os.path.basename(secret.name))[0] == 404
