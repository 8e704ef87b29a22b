# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that need no machine: the command, caches, registries."""
import os
import signal
import subprocess
from pathlib import Path

import pytest
from images import Layout
from servers import Proxy, Registry, make_certificate

REPO = Path(__file__).resolve().parent.parent.parent
COMMAND = os.environ.get("KEELSON", str(REPO / "build/bin/keelson"))
DEADLINE_SECONDS = 120


def heed_signals():
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Keelson:
    """`keelson` with a home and a cache of its own."""

    def __init__(self, home):
        self.home, self.cache = home, home / "cache"
        home.mkdir(exist_ok=True)
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "KEELSON_CACHE": str(self.cache),
                    "no_proxy": "127.0.0.1"}

    def start(self, *args, **kw):
        """In the background; SIGINT and SIGHUP end it, even if whoever runs the tests has them ignored (nohup)."""
        kw.setdefault("preexec_fn", heed_signals)
        return subprocess.Popen([COMMAND, *map(str, args)], env=self.env, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, cwd=self.home, **kw)

    def run(self, *args, check=True, **kw):
        kw.setdefault("text", True)
        done = subprocess.run([COMMAND, *map(str, args)], env=self.env, capture_output=True, check=False,
                              cwd=self.home, timeout=DEADLINE_SECONDS, **kw)
        assert not check or done.returncode == 0, done.stderr
        return done

    def fails(self, *args):
        """The one message that it fails with; below it, an error of a YAML file shows its line, indented."""
        done = self.run(*args, check=False)
        lines = [line for line in done.stderr.splitlines() if not line.startswith(" ")]
        assert done.returncode == 1 and len(lines) == 1 and lines[0].startswith("keelson: "), (done.returncode, lines)
        return lines[0]

    def verify(self):
        return self.run("cache", "verify").stdout

    def blob(self, digest):
        return self.cache / "blobs/sha256" / digest.removeprefix("sha256:")


@pytest.fixture
def keelson(tmp_path):
    return Keelson(tmp_path / "home")


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    server = Registry(tmp_path_factory.mktemp("registry") / "plain")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"), "right", "IP:127.0.0.1")


@pytest.fixture(scope="session")
def layout(tmp_path_factory):
    """`one`: two layers of some size; `many`: amd64 and arm64, plain and gzip, with a layer in common; `zstd`."""
    out = Layout(tmp_path_factory.mktemp("layout") / "oci")
    noise = os.urandom(1 << 20)
    shared = {"etc/shared": noise[:300000]}
    out.one = out.name(out.manifest([{"etc/big": noise}, shared]), "one")
    out.many = out.name(out.index({"amd64": out.manifest([shared, {"etc/arch": b"amd64\n"}]),
                                   "arm64": out.manifest([shared, {"etc/arch": b"arm64\n"}], "arm64", None)}), "many")
    out.zstd = out.name(out.manifest([shared, {"etc/arch": b"zstd\n"}], compression="zstd"), "zstd")
    return out


@pytest.fixture(scope="session")
def filled(registry, layout):
    """The registry with t/one:1, t/many:1 and t/zstd:1, put there by skopeo."""
    for name in ("one", "many", "zstd"):
        subprocess.run(["skopeo", "copy", "-q", "--all", "--dest-tls-verify=false", f"oci:{layout.path}:{name}",
                        f"docker://{registry.host}/t/{name}:1"], check=True, timeout=DEADLINE_SECONDS)
    return registry


@pytest.fixture
def proxy(filled):
    server = Proxy(filled.host)
    yield server
    server.stop()
