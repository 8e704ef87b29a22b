# SPDX-License-Identifier: Apache-2.0
"""Pulling and pushing: what a registry can do to us, and that the cache is unharmed after it."""
import base64
import json
import os
import pty
import re
import subprocess

import pytest
import servers
from conftest import COMMAND
from servers import Fault, ForwardProxy, Proxy, Registry, make_certificate

SKOPEO_SECONDS = 60


def skopeo_digest(host, name):
    done = subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{host}/{name}"],
                          check=True, capture_output=True, timeout=SKOPEO_SECONDS)
    done = subprocess.run(["skopeo", "manifest-digest", "/dev/stdin"], input=done.stdout, check=True,
                          capture_output=True, timeout=SKOPEO_SECONDS)
    return done.stdout.decode().strip()


def test_pull_and_push(keelson, filled, layout):
    """One platform comes with its layers only; what we push is what skopeo finds."""
    keelson.run("cache", "pull", f"{filled.host}/t/one:1", f"{filled.host}/t/many:1")
    listed = {i["name"].rpartition("/")[2]: i for i in json.loads(keelson.run("cache", "ls", "--json").stdout)}
    assert listed["one:1"]["digest"] == layout.one and listed["one:1"]["complete"]
    assert listed["many:1"]["platforms"] == "linux/amd64, linux/arm64" and not listed["many:1"]["complete"]
    assert "0 wrong" in keelson.verify()
    line = keelson.fails("cache", "push", f"{filled.host}/t/many:1", f"{filled.host}/p/many:2")
    assert "in part only" in line
    keelson.run("cache", "push", "--arch", "amd64", f"{filled.host}/t/many:1", f"{filled.host}/p/many:amd64")
    keelson.run("cache", "pull", "--arch", "all", f"{filled.host}/t/many:1")
    keelson.run("cache", "push", f"{filled.host}/t/many:1", f"{filled.host}/p/many:2")
    keelson.run("cache", "push", f"{filled.host}/t/one:1", f"{filled.host}/p/one:2")
    assert skopeo_digest(filled.host, "p/one:2") == layout.one
    assert skopeo_digest(filled.host, "p/many:2") == skopeo_digest(filled.host, "t/many:1")


def test_a_digest_that_is_not_the_images_is_not_pushed_to(keelson, filled, layout):
    ref = f"{filled.host}/t/one:1"
    keelson.run("cache", "pull", ref)
    for name in (f"{filled.host}/p/pinned@{layout.zstd}", f"{filled.host}/p/pinned:1@{layout.zstd}"):
        line = keelson.fails("cache", "push", ref, name)
        assert line == f"keelson: could not push {name}: what would be sent has digest {layout.one}"
        keelson.fails("cache", "pull", name.partition("@")[0])
    keelson.run("cache", "push", ref, f"{filled.host}/p/pinned:1@{layout.one}")
    assert skopeo_digest(filled.host, "p/pinned:1") == layout.one


def test_pushing_as_linuxkit_does(keelson, filled):
    """--remote-name, and --with-arch-tags: TAG-ARCH of each platform beside the index."""
    keelson.run("cache", "pull", "--arch", "all", f"{filled.host}/t/many:1")
    keelson.run("cache", "push", "--override", "--with-arch-tags", "--remote-name", f"{filled.host}/p/tags:3",
                f"{filled.host}/t/many:1")
    digest = skopeo_digest(filled.host, "t/many:1")
    index = json.loads(keelson.blob(digest).read_text())
    assert skopeo_digest(filled.host, "p/tags:3") == digest and len(index["manifests"]) == 2
    for entry in index["manifests"]:
        assert skopeo_digest(filled.host, f"p/tags:3-{entry['platform']['architecture']}") == entry["digest"]
    assert "takes an image" in keelson.fails("cache", "push", "--remote-name", "x", "y", "z")


def test_digests_and_the_wrong_platform(keelson, filled, layout):
    keelson.run("cache", "pull", f"{filled.host}/t/one@{layout.one}")
    assert layout.one in keelson.run("cache", "ls").stdout
    assert "no variant for linux/riscv64, only for linux/amd64, linux/arm64" in keelson.fails(
        "cache", "pull", "--arch", "riscv64", f"{filled.host}/t/many:1")


def test_an_image_without_index_of_another_platform(keelson, proxy, tmp_path):
    """Its configuration alone says what it is for, and is read before any layer comes."""
    ref, says = f"{proxy.host}/t/one:1", "it is for linux/amd64, not for linux/arm64"
    (keelson.home / "x.yml").write_text(f"init:\n  - {ref}\n")
    build = ("build", "--format", "tar", "--no-sbom", "--arch", "arm64", "-o", "x.tar", "x.yml")
    assert says in keelson.fails("cache", "pull", "--arch", "arm64", ref)
    assert len([line for line in proxy.seen if line.startswith("GET") and "/blobs/" in line]) == 1, proxy.seen
    assert keelson.run("cache", "ls").stdout == ""
    keelson.run("cache", "pull", ref)
    for words in (build, ("cache", "export", "--arch", "arm64", "-o", "x.tar", ref),
                  ("cache", "export", "--arch", "arm64", "--format", "filesystem", "-o", "x.tar", ref),
                  ("cache", "push", "--arch", "arm64", ref, f"{proxy.host}/p/other:1")):
        assert says in keelson.fails(*words), words
    line = keelson.fails(*build[:1], "--offline", *build[1:])
    assert "x.yml:2:" in line and "for linux/arm64 is not in the cache" in line
    assert not (keelson.home / "x.tar").exists()
    keelson.run("cache", "pull", "--arch", "all", ref)


# What the server does to which request, and what we say; None: we get what we want all the same.
@pytest.mark.parametrize("pattern, action, times, says", [
    ("manifests", servers.status(401), None, "wants to know who asks"),
    ("manifests", servers.status(403), None, r"does not allow it \(status 403\): on purpose"),
    ("manifests", servers.status(404), None, "does not have it"),
    ("manifests", servers.status(429, Retry_After="0"), None, "too many requests"),
    ("blobs", servers.status(500), None, "answers with status 500"),
    ("blobs", servers.status(503, Retry_After="1"), 2, None),
    ("manifests", servers.status(429, Retry_After="1"), 1, None),
    ("blobs", servers.half, 3, None),
    ("blobs", servers.in_turn(servers.half, servers.whole), None, None),
    ("blobs", servers.in_turn(servers.half, servers.status(503), servers.whole), None, None),
    ("blobs", servers.flipped, None, "its contents have digest"),
    ("blobs", servers.too_long, None, "longer than the|length"),
    ("manifests", servers.flipped, None, "is not JSON"),
    ("manifests", servers.endless, None, "larger than 4194304 bytes"),
    ("manifests", servers.round_and_round, None, "redirects"),
    ("v2/$", servers.status(401, WWW_Authenticate="Negotiate"), None, 'unknown way to sign in: "Negotiate"$'),
    ("v2/$", servers.status(401, WWW_Authenticate='Bearer service="x"'), None, "does not say where to sign in"),
], ids=lambda v: getattr(v, "__name__", str(v)[:20]))
def test_faults(keelson, proxy, pattern, action, times, says):
    """One clear line each, no name for what is not whole, and no damage."""
    ref = f"{proxy.host}/t/one:1"
    proxy.faults = [Fault(pattern, action, times)]
    if says is None:
        keelson.run("cache", "pull", ref)
        assert "1 images, 4 blobs, 0 wrong" in keelson.verify()
        return
    line = keelson.fails("cache", "pull", ref)
    assert line.startswith(f"keelson: could not pull {ref}: ") and re.search(says, line), line
    assert keelson.run("cache", "ls").stdout == ""
    assert "0 images, 0 blobs, 0 wrong" in keelson.verify()
    proxy.faults = []
    keelson.run("cache", "pull", ref)
    assert "1 images, 4 blobs, 0 wrong" in keelson.verify()


def test_when_to_come_again(keelson, proxy):
    """Retry-After's dates and numbers: what has passed is no reason to wait, and a year is not waited for."""
    ref = f"{proxy.host}/t/one:1"
    for passed in ("Wed, 21 Oct 2015 07:28:00 GMT", "-60", "soon"):
        proxy.faults = [Fault("manifests", servers.status(429, Retry_After=passed), 1)]
        assert "waiting" not in keelson.run("cache", "pull", ref).stderr, passed
    for later in ("Wed, 21 Oct 2099 07:28:00 GMT", "31536000"):
        proxy.faults = [Fault("manifests", servers.status(503, Retry_After=later))]
        pull = keelson.start("cache", "pull", ref)
        assert pull.stderr.readline() == f"keelson: waiting 60 s, as {proxy.url}/v2/t/one/manifests/1 asks\n"
        pull.kill()
        pull.communicate()


def test_a_broken_transfer_goes_on(keelson, proxy, layout):
    """Only the missing half is asked for, by the next process too."""
    ref = f"{proxy.host}/t/one:1"
    proxy.faults = [Fault("blobs", servers.half, 1), Fault("blobs", servers.status(403))]
    keelson.fails("cache", "pull", ref)
    assert [p.stat().st_size for p in (keelson.cache / ".partial").iterdir() if len(p.name) == 64 and p.stat().st_size]
    ranges = []

    def note_range(handler):
        ranges.append(handler.headers.get("Range"))
        return handler.answer(*handler.forward())
    proxy.faults = [Fault("GET .*blobs", note_range)]
    keelson.run("cache", "pull", ref)
    assert any(r and r != "bytes=0-" for r in ranges), ranges
    assert "1 images, 4 blobs, 0 wrong" in keelson.verify()


def test_bars_on_a_terminal(keelson, proxy, layout):
    """One for each layer that takes its time, and a sum; nothing of it without a terminal, or with -q."""
    big = json.loads((layout.path / "blobs/sha256" / layout.one[7:]).read_text())["layers"][0]["digest"][7:]
    proxy.faults = [Fault("blobs", servers.in_pieces)]

    def stderr_of(*words):
        ours, theirs = pty.openpty()
        job = subprocess.Popen([COMMAND, *words, "cache", "pull", f"{proxy.host}/t/one:1"], env=keelson.env, stderr=theirs,
                               stdin=subprocess.DEVNULL)
        os.close(theirs)
        seen = b""
        try:
            while data := os.read(ours, 65536):
                seen += data
        except OSError:  # what a terminal says when nobody is at its other end any more
            pass
        os.close(ours)
        assert job.wait(SKOPEO_SECONDS) == 0, seen
        keelson.run("cache", "clean")
        return seen.decode()
    seen = stderr_of()
    assert re.search(rf"{big[:12]} \[=+ +\] 0\.\d/1\.\d MB", seen), seen
    assert re.search(r"2 layers: (\d\.\d)/\1 MB", seen), seen
    assert stderr_of("-q") == "" and keelson.run("cache", "pull", f"{proxy.host}/t/one:1").stderr == ""


def test_nobody_there_and_bad_names(keelson):
    port = servers.free_port()
    line = keelson.fails("cache", "pull", f"127.0.0.1:{port}/t/one:1")
    assert "could not reach" in line and "Failed to connect" in line
    assert "Could not resolve host: no.such.invalid" in keelson.fails("cache", "pull", "no.such.invalid/t/one:1")
    for name in ("../x", "a/../b", "x:", "x@sha256:12", "x y", "a//b", f"x/{'a' * 600}", "-x", ""):
        assert "reference" in keelson.fails("cache", "pull", f"--arch=amd64", "--", name)
    for name, port in (("localhost:x/a", "x"), ("localhost:99999/a", "99999"), ("localhost:0/a", "0"), ("a.b:/a", ""),
                       ("a.b:5:6/a", "5:6"), ("[::1]:x/a", "x"), ("[::1]:/a", ""), (f"a.b:{'0' * 20}1/a", "0" * 20 + "1")):
        line = keelson.fails("cache", "pull", name)
        assert line == f'keelson: image reference "{name}": "{port}" is not a port', line
    assert "want an IPv6 address" in keelson.fails("cache", "pull", "[::x]:5/a")


def test_one_of_several_that_fails(keelson, filled):
    """The others are pulled all the same."""
    names = [f"{filled.host}/t/{name}:1" for name in ("none", "one", "nothing", "zstd")]
    done = keelson.run("cache", "pull", *names, check=False)
    assert done.returncode == 1
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [f"could not pull {names[i]}" for i in (0, 2)]
    assert "2 images" in keelson.verify()
    done = keelson.run("cache", "pull", names[1], "x y", check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "reference" in done.stderr


def test_certificates_and_passwords(keelson, tmp_path, certificate, layout):
    """TLS with a CA of our own, and basic authentication; a certificate for another name is refused, also by http."""
    server = Registry(tmp_path / "tls", certificate, {"joe": "secret"})
    ref = f"{server.host}/t/one:1"
    try:
        subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", "--dest-creds", "joe:secret",
                        f"oci:{layout.path}:one", f"docker://{ref}"], check=True, timeout=SKOPEO_SECONDS)
        assert "certificate" in keelson.fails("cache", "pull", ref)
        keelson.env["KEELSON_CA"] = str(certificate[0])
        assert "wants to know who asks" in keelson.fails("cache", "pull", ref)
        assert "does not allow it" in keelson.fails("cache", "pull", "--creds", "joe:wrong", ref)
        keelson.run("cache", "pull", "--creds", "joe:secret", ref)
        keelson.run("cache", "clean")
        # Docker's configuration: the password itself, a helper for this host, a helper for all.
        docker = keelson.home / ".docker"
        docker.mkdir()
        helper = keelson.home / "docker-credential-test"
        helper.write_text('#!/bin/sh\nread -r host; [ "$1 $host" = "get %s" ] || exit 1\n'
                          'echo \'{"Username":"joe","Secret":"secret"}\'\n' % server.host)
        helper.chmod(0o755)
        keelson.env["PATH"] += f":{keelson.home}"
        for config in ({"auths": {server.host: {"auth": base64.b64encode(b"joe:secret").decode()}}},
                       {"credHelpers": {server.host: "test"}}, {"credsStore": "test", "auths": {server.host: {}}}):
            (docker / "config.json").write_text(json.dumps(config))
            keelson.run("cache", "pull", ref)
            keelson.run("cache", "push", ref, f"{server.host}/p/one:2")
            keelson.run("cache", "clean")
        (docker / "config.json").write_text("{")
        assert f"{docker}/config.json" in keelson.fails("cache", "pull", ref)
    finally:
        server.stop()
    wrong = make_certificate(tmp_path, "wrong", "DNS:elsewhere.example")
    other = Proxy(server.host, wrong)
    keelson.env["KEELSON_CA"] = str(wrong[0])
    assert re.search("certificate|subject name", keelson.fails("cache", "pull", f"{other.host}/t/one:1"))
    assert not other.seen
    other.stop()


def test_tokens(keelson, filled, layout):
    """Bearer tokens, one for each repository; one that has run out is replaced."""
    server = Proxy(filled.host, token_for="joe:secret")
    ref = f"{server.host}/t/one:1"
    assert "could not sign in" in keelson.fails("cache", "pull", "--creds", "joe:wrong", ref)
    server.seen.clear()
    keelson.run("cache", "pull", "--creds", "joe:secret", ref)
    assert server.count("GET /token") == 1 and server.count("scope=repository%3At%2Fone%3Apull$") == 1
    keelson.run("cache", "push", "--creds", "joe:secret", ref, f"{server.host}/p/token:1")
    assert server.count("scope=repository%3Ap%2Ftoken%3Apull%2Cpush") == 1
    keelson.run("cache", "clean")

    def run_out(handler):
        server.tokens.clear()
        handler.answer(401, {"WWW-Authenticate": f'Bearer realm="{server.url}/token",service="test"'})
    server.faults = [Fault("blobs", run_out, 1)]
    keelson.run("cache", "pull", "--creds", "joe:secret", ref)
    assert "0 wrong" in keelson.verify()
    server.stop()


def test_passwords_need_tls_where_the_registry_has_it(keelson, filled, certificate):
    """The realm may lie on another host, but not behind plain HTTP; a refresh token does not follow a redirect."""
    elsewhere = Proxy(filled.host, token_for="joe:secret")
    server = Proxy(filled.host, certificate, token_for="joe:secret")
    server.tokens = elsewhere.tokens
    ref, server.url = f"{server.host}/t/one:1", elsewhere.url
    assert "wants to be signed in to without it" in keelson.fails("cache", "pull", "--ca", certificate[0], "--creds",
                                                                  "joe:secret", ref)
    assert not elsewhere.seen
    server.stop()
    server = Proxy(filled.host, token_for="joe:secret")
    server.tokens, ref = elsewhere.tokens, f"{server.host}/t/one:1"
    server.url = elsewhere.url
    keelson.run("cache", "pull", "--creds", "joe:secret", ref)
    assert elsewhere.count("GET /token") == 1 and not server.count("token")
    (keelson.home / ".docker").mkdir()
    (keelson.home / ".docker/config.json").write_text(json.dumps(
        {"auths": {server.host: {"identitytoken": "refresh"}}}))
    third = Proxy(filled.host)
    elsewhere.token_for = None
    elsewhere.faults = [Fault("POST /token", servers.redirect_to(third.url))]
    assert "could not sign in" in keelson.fails("cache", "pull", ref)
    assert elsewhere.count("POST /token") and not third.seen
    for each in (server, elsewhere, third):
        each.stop()


def test_credentials_for_several_registries(keelson, filled):
    """--registry-creds says whose they are; --creds, which does not, is never shown to a second registry."""
    ours = Proxy(filled.host, token_for="joe:se=c ret")
    theirs = Proxy(filled.host, token_for="ann:other")
    refs = [f"{ours.host}/t/one:1", f"{theirs.host}/t/many:1"]
    line = keelson.fails("cache", "pull", "--creds", "joe:se=c ret", *refs)
    assert ours.host in line and theirs.host in line and "--registry-creds" in line and not theirs.seen
    keelson.run("cache", "pull", "--registry-creds", f"https://{ours.host}/=joe:se=c ret", "--registry-creds",
                f"{theirs.host}=ann:other", *refs)
    assert "2 images" in keelson.verify()
    assert "REGISTRY=USER:PASSWORD" in keelson.fails("cache", "pull", "--registry-creds", "joe:secret", refs[0])
    ours.stop()
    theirs.stop()


def test_redirects_keep_credentials_at_home(keelson, filled):
    elsewhere = Proxy(filled.host)
    server = Proxy(filled.host, token_for="joe:secret")
    server.faults = [Fault("GET .*blobs", servers.redirect_to(elsewhere.url))]
    keelson.run("cache", "pull", "--creds", "joe:secret", f"{server.host}/t/one:1")
    assert elsewhere.count("blobs") == 3 and set(elsewhere.headers) == {None}
    server.stop()
    elsewhere.stop()


def test_mirrors(keelson, proxy, filled):
    """In order, with fall-back to the next and at last to the registry; one for all, one for a registry."""
    dead = f"http://127.0.0.1:{servers.free_port()}"
    ref = f"{filled.host}/t/one:1"
    keelson.run("cache", "pull", "--mirror", dead, "--mirror", proxy.url, ref)
    assert proxy.count("manifests") == 1 and proxy.count("blobs") == 3
    keelson.run("cache", "clean")
    proxy.faults = [Fault("blobs", servers.status(404))]
    keelson.run("cache", "pull", "--mirror", f"{filled.host}={proxy.url}", ref)
    assert "0 wrong" in keelson.verify()
    keelson.run("cache", "clean")
    proxy.faults, proxy.seen = [], []
    keelson.env["LINUXKIT_MIRROR"] = f"docker.io={proxy.url} other.example={dead}"
    keelson.run("cache", "pull", "t/one:1")
    assert proxy.count("GET /v2/t/one/manifests/1") == 1
    assert "docker.io/t/one:1" in keelson.run("cache", "ls").stdout
    keelson.run("cache", "clean")
    proxy.seen = []
    keelson.env["LINUXKIT_MIRROR"] = f"index.docker.io={proxy.url}"
    keelson.run("cache", "pull", "t/one:1")
    assert proxy.count("GET /v2/t/one/manifests/1") == 1
    assert "must be" in keelson.fails("cache", "pull", "--mirror", "docker.io=x", ref)


def test_layers_in_zstd(keelson, filled, layout):
    keelson.run("cache", "pull", f"{filled.host}/t/zstd:1")
    files = keelson.run("cache", "export", "--format", "filesystem", f"{filled.host}/t/zstd:1", text=False).stdout
    assert b"zstd\n" in files
    keelson.run("cache", "push", f"{filled.host}/t/zstd:1", f"{filled.host}/p/zstd:1")
    assert skopeo_digest(filled.host, "p/zstd:1") == layout.zstd


@pytest.fixture
def behind(keelson, filled, tmp_path):
    """plain.invalid and tls.invalid, which only a proxy (with a login) knows; yields the proxy."""
    certificate = make_certificate(tmp_path, "tls", "DNS:tls.invalid")
    tls = Proxy(filled.host, certificate, token_for="joe:registry", name="tls.invalid")
    proxy = ForwardProxy({"plain.invalid": filled.host, "tls.invalid:443": tls.host}, "me:proxy")
    keelson.env["KEELSON_CA"] = str(certificate[0])
    del keelson.env["no_proxy"]
    yield proxy
    proxy.stop()
    tls.stop()


def test_proxies(keelson, behind, filled):
    """http_proxy, https_proxy with a login, no_proxy; the registry's credentials are not for the proxy."""
    url = f"http://me:proxy@{behind.host}"
    tls, plain = "tls.invalid/t/one:1", "plain.invalid/t/one:1"
    assert "Could not resolve host" in keelson.fails("cache", "pull", tls)
    keelson.env |= {"http_proxy": url, "https_proxy": url}
    keelson.run("cache", "pull", "--plain-http", "plain.invalid", plain)
    assert "GET http://plain.invalid/v2/t/one/manifests/1" in behind.seen
    behind.seen.clear()
    keelson.run("cache", "pull", "--creds", "joe:registry", tls)
    assert behind.seen and set(behind.seen) == {"CONNECT tls.invalid:443"} and set(behind.authorization) == {None}
    assert "2 images, 4 blobs, 0 wrong" in keelson.verify()
    behind.seen.clear()
    keelson.env["no_proxy"] = "tls.invalid,127.0.0.1"
    assert "Could not resolve host" in keelson.fails("cache", "pull", tls)
    keelson.run("cache", "pull", f"{filled.host}/t/one:1")
    assert not behind.seen


def test_no_certificate_at_all(keelson, behind, filled):
    """A server that speaks plain http where TLS is due, and is not loopback: nothing goes to it in the clear."""
    behind.hosts |= {"plain.invalid:443": filled.host}
    keelson.env["https_proxy"] = keelson.env["http_proxy"] = f"http://me:proxy@{behind.host}"
    line = keelson.fails("cache", "pull", "--creds", "joe:secret", "plain.invalid/t/one:1")
    assert "could not reach plain.invalid" in line and "does not answer in TLS" in line, line
    assert "--plain-http" in line and set(behind.seen) == {"CONNECT plain.invalid:443"}
    keelson.run("cache", "pull", "--plain-http", "plain.invalid", "plain.invalid/t/one:1")


def test_proxies_that_refuse(keelson, behind):
    """Their word is in the message, and they are not asked again and again."""
    del keelson.env["KEELSON_CA"]
    keelson.env["https_proxy"] = f"http://me:wrong@{behind.host}"
    assert "the proxy that the environment names does not let us through (status 407)" in keelson.fails(
        "cache", "pull", "tls.invalid/t/one:1")
    keelson.env["https_proxy"] = f"http://me:proxy@{behind.host}"
    assert "(status 502)" in keelson.fails("cache", "pull", "other.invalid/t/one:1")
    assert len(behind.seen) <= 4
    keelson.env["https_proxy"] = f"http://127.0.0.1:{servers.free_port()}"
    assert "Failed to connect to 127.0.0.1" in keelson.fails("cache", "pull", "tls.invalid/t/one:1")
