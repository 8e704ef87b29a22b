# SPDX-License-Identifier: Apache-2.0
"""Who fails is named, with the reason; who is waited for, too."""
import json
import time

import servers
from servers import Fault, Proxy


def test_every_mirror_and_why(keelson, proxy, filled):
    """In one line: the registry's own reason first."""
    dead = f"127.0.0.1:{servers.free_port()}"
    other = Proxy(filled.host)
    other.faults = [Fault("manifests", servers.status(403))]
    proxy.faults = [Fault("manifests", servers.status(404))]
    ref = f"{proxy.host}/t/one:1"
    line = keelson.fails("cache", "pull", "--mirror", f"http://{dead}", "--mirror", other.url, ref)
    assert line.startswith(f"keelson: could not pull {ref}: {proxy.host} does not have it: on purpose"), line
    assert f"; mirror {dead}: could not reach {dead}: " in line and "Failed to connect" in line, line
    assert f"; mirror {other.host}: {other.host} does not allow it (status 403)" in line, line
    mirrors = [word for i in range(12) for word in ("--mirror", f"http://127.0.0.{i + 2}:{dead[10:]}")]
    line = keelson.fails("cache", "pull", *mirrors, ref)
    assert all(f"mirror 127.0.0.{i + 2}:" in line for i in range(12)), line
    other.stop()


def test_what_a_helper_says(keelson, filled):
    """It may fail: an image may be for everybody. Where it is not, its words are in the message."""
    server = Proxy(filled.host, token_for="joe:secret")
    ref = f"{server.host}/t/one:1"
    (keelson.home / ".docker").mkdir()
    (keelson.home / ".docker/config.json").write_text(json.dumps({"credsStore": "test"}))
    keelson.env["PATH"] = f"{keelson.home}:" + keelson.env["PATH"]
    helper = keelson.home / "docker-credential-test"

    def says(script):
        helper.write_text(f"#!/bin/sh\necho asked >>'{keelson.home}/asked'\n{script}\n")
        helper.chmod(0o755)
        return keelson.fails("cache", "pull", ref)
    assert says("echo the vault is locked >&2; exit 3").endswith(
        'status 401: who is that?; docker-credential-test exited with status 3: the vault is locked')
    assert (keelson.home / "asked").read_text() == "asked\n"
    assert says("echo 'credentials not found in native keychain'; exit 1").endswith("who is that?")
    assert says("kill -9 $$").endswith("docker-credential-test was killed by signal 9 (Killed)")
    assert "docker-credential-test did not answer in JSON" in says("echo hello")
    server.token_for = None
    server.faults = [Fault("v2/$", servers.status(401, WWW_Authenticate='Basic realm="x"')),
                     Fault("manifests", servers.status(401))]
    assert says("echo out of order; exit 1").endswith("exited with status 1: out of order")
    server.faults.pop()
    keelson.run("cache", "pull", ref)
    server.stop()


def test_what_is_waited_for(keelson, proxy):
    ref = f"{proxy.host}/t/one:1"
    proxy.faults = [Fault("manifests", lambda handler: time.sleep(servers.DEADLINE_SECONDS), 1)]
    pull = keelson.start("cache", "pull", ref)
    assert pull.stderr.readline() == f"keelson: waiting for {proxy.url}/v2/t/one/manifests/1: nothing has come for 5 s\n"
    pull.kill()
    pull.communicate()


def test_a_mirror_that_says_nothing_is_asked_once(keelson, filled):
    """Of several images each would wait for it."""
    with servers.socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        host = "127.0.0.1:%d" % silent.getsockname()[1]
        keelson.run("cache", "pull", "--mirror", f"http://{host}", f"{filled.host}/t/one:1", f"{filled.host}/t/zstd:1")
        silent.setblocking(False)
        connections = 0
        try:
            while silent.accept():
                connections += 1
        except BlockingIOError:
            pass
        assert connections == 2
    assert "2 images" in keelson.verify()
