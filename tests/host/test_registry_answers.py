# SPDX-License-Identifier: Apache-2.0
"""What a registry may answer that is no image, or that only some may have: nothing of it gets a name."""
import base64
import hashlib
import json

from servers import Fault, Proxy

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
BASIC = "Basic " + base64.b64encode(b"joe:secret").decode()


def answers(kind, document):
    return lambda handler: handler.answer(200, {"Content-Type": kind}, json.dumps(document).encode())


def test_an_index_that_is_wrong_about_a_manifests_size(keelson, filled, layout):
    """The digest is right, so it was taken; and then nobody could use it."""
    server = Proxy(filled.host)
    ref = f"{server.host}/t/one:1"
    keelson.run("cache", "pull", ref)
    listed = json.loads(keelson.run("cache", "ls", "--json").stdout)
    digest = (listed["images"] if isinstance(listed, dict) else listed)[0]["digest"]
    manifest = keelson.blob(digest).read_bytes()
    keelson.run("cache", "clean")
    entry = {"mediaType": MANIFEST, "digest": "sha256:" + hashlib.sha256(manifest).hexdigest(), "size": 5,
             "platform": {"os": "linux", "architecture": "amd64"}}
    server.faults = [Fault("manifests/1$", answers(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}))]
    assert "and its index says 5" in keelson.fails("cache", "pull", ref)
    assert "0 images" in keelson.verify()
    server.stop()


def test_an_index_that_names_no_platform(keelson, filled, layout):
    server = Proxy(filled.host)
    ref = f"{server.host}/t/one:1"
    entry = {"mediaType": MANIFEST, "digest": layout.one, "size": 5}
    nameless = "its index names no platforms"
    for entries, says in (([entry], nameless), ([{**entry, "platform": {}}], nameless), ([], "its index is empty")):
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
        server.faults = [Fault("manifests/1$", answers(INDEX, document))]
        line = keelson.fails("cache", "pull", "--arch", "amd64", ref)
        assert line.endswith(f"it has no variant for linux/amd64: {says}"), line
    server.stop()


def test_a_manifest_without_layers_is_none(keelson, filled):
    server = Proxy(filled.host)
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + "0" * 64, "size": 2}
    for more in ({}, {"layers": "x"}):
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, **more}
        server.faults = [Fault("manifests", answers(MANIFEST, document))]
        assert "neither a manifest nor an index" in keelson.fails("cache", "pull", f"{server.host}/t/one:1")
    assert "0 images" in keelson.verify()
    server.stop()


def test_a_registry_that_asks_for_some_images_only(keelson, filled):
    """Its front door is open: who we are is asked for with the manifest."""
    server = Proxy(filled.host)

    def ask(handler):
        if handler.headers.get("Authorization") == BASIC:
            return handler.answer(*handler.forward())
        return handler.answer(401, {"WWW-Authenticate": 'Basic realm="x"'})
    server.faults = [Fault("/t/one/", ask)]
    ref = f"{server.host}/t/one:1"
    assert "wants to know who asks" in keelson.fails("cache", "pull", ref)
    assert "does not allow it" in keelson.fails("cache", "pull", "--creds", "joe:wrong", ref)
    keelson.run("cache", "pull", "--creds", "joe:secret", ref)
    assert "0 wrong" in keelson.verify()
    server.stop()


def test_passwords_leave_without_tls_for_loopback_only(keelson, filled):
    server, elsewhere = Proxy(filled.host, token_for="joe:secret"), Proxy(filled.host)
    keelson.env["http_proxy"] = elsewhere.url  # what would be sent there would come here
    ref = f"{server.host}/t/one:1"
    for realm in ("http://registry.example.com", "HTTP://127.0.0.1:80@registry.example.com",
                  "http://localhost@registry.example.com", "http://127.0.0.1.example.com", "http://:80"):
        server.url = realm
        line = keelson.fails("cache", "pull", "--creds", "joe:secret", ref)
        assert f"without TLS, at {realm}/token" in line and "--plain-http" in line
        assert not elsewhere.seen
    server.url = "http://registry.example.com"
    keelson.run("cache", "pull", "--creds", "joe:secret", "--plain-http", "registry.example.com", ref, check=False)
    assert elsewhere.seen and elsewhere.headers[0] == BASIC
    server.stop()
    elsewhere.stop()


def test_an_endless_refusal_is_not_read_to_its_end(keelson, filled):
    server = Proxy(filled.host)
    sent = []

    def refuse(handler):
        handler.send_response(403)
        handler.send_header("Content-Length", str(10 << 30))
        handler.end_headers()
        for _ in range(10 << 10):
            handler.wfile.write(bytes(1 << 20))
            sent.append(1)
    server.faults = [Fault("manifests", refuse)]
    assert "does not allow it (status 403)" in keelson.fails("cache", "pull", f"{server.host}/t/one:1")
    assert len(sent) < 1 << 10
    server.stop()
