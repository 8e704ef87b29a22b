# SPDX-License-Identifier: Apache-2.0
"""Signed images: cosign's format, keys made and used by openssl."""
import base64
import json
import subprocess
import tarfile

import pytest
from images import CONFIG, MANIFEST, Layout
from servers import Fault

TOOL_SECONDS = 60
PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"


def openssl(*args, **kw):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, timeout=TOOL_SECONDS,
                          **kw).stdout


def make_key(folder, name, *kind):
    openssl("genpkey", *kind, "-out", folder / f"{name}.key")
    openssl("pkey", "-in", folder / f"{name}.key", "-pubout", "-out", folder / f"{name}.pub")
    return folder / f"{name}.key"


EC = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def sign(folder, key, host, digest, signed_digest=None, raw=False):
    """Puts a signature of t/one's digest into the registry; raw: the algorithm hashes by itself (Ed25519)."""
    layout = Layout(folder)
    payload = json.dumps({"critical": {"identity": {"docker-reference": f"{host}/t/one"},
                                       "image": {"docker-manifest-digest": signed_digest or digest},
                                       "type": "cosign container image signature"}, "optional": None}).encode()
    (folder / "payload").write_bytes(payload)
    signature = (openssl("pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", folder / "payload") if raw else
                 openssl("dgst", "-sha256", "-sign", key, folder / "payload"))
    layer = {**layout.blob(payload, PAYLOAD_TYPE),
             "annotations": {"dev.cosignproject.cosign/signature": base64.b64encode(signature).decode()}}
    config = layout.blob(b'{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":[]}}', CONFIG)
    layout.name(layout.document({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}), "s")
    subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{folder}:s",
                    f"docker://{host}/t/one:{digest.replace(':', '-')}.sig"], check=True, timeout=TOOL_SECONDS)


@pytest.fixture
def build(keelson, filled, tmp_path):
    """Writes a policy and builds an appliance of t/one; returns what the command does."""
    def run(images, trust="", offline=False):
        (tmp_path / "policy.json").write_text(json.dumps({"images": images}))
        (keelson.home / "x.yml").write_text(f"init:\n  - {filled.host}/t/one:1\n{trust}")
        return keelson.run("build", "--format", "tar", "--no-sbom", "-o", "x.tar", "--policy",
                           tmp_path / "policy.json", *(["--offline"] if offline else []), "x.yml", check=False)
    return run


def test_signatures(keelson, filled, build, layout, tmp_path):
    entry = [{"match": f"{filled.host}/t/*", "key": "right.pub"}]
    right, wrong = make_key(tmp_path, "right", *EC), make_key(tmp_path, "wrong", *EC)

    def refused(done, *says):
        assert done.returncode == 1 and done.stderr.count("keelson: ") == 1, done.stderr
        for word in (f"{filled.host}/t/one:1", *says):
            assert word in done.stderr, done.stderr
        keelson.run("cache", "clean")
    refused(build(entry), "is not signed", "right.pub")
    sign(tmp_path / "s1", wrong, filled.host, layout.one)
    refused(build(entry), "is not signed with the key", "right.pub")
    sign(tmp_path / "s2", right, filled.host, layout.one, signed_digest="sha256:" + "0" * 64)
    refused(build(entry), "is not signed with the key", "right.pub")
    sign(tmp_path / "s3", right, filled.host, layout.one)
    assert build(entry).returncode == 0
    assert build(entry, offline=True).returncode == 0  # the signature is in the cache, too
    refused(build([{"match": "*", "key": "nothing.pub"}]), "could not open the key", "nothing.pub")
    (tmp_path / "text.pub").write_text("no key")
    assert "no public key" in build([{"match": "*", "key": "text.pub"}]).stderr


def test_a_signature_that_comes_later(keelson, filled, build, layout, tmp_path):
    """That the cache has none, or another one, is not the last word; offline it is said that it is only the cache."""
    host = filled.host
    entry = [{"match": f"{host}/t/*", "key": "later.pub"}]
    later, other = make_key(tmp_path, "later", *EC), make_key(tmp_path, "other", *EC)
    sign(tmp_path / "s1", other, host, layout.one)
    assert "is not signed with the key" in build(entry).stderr
    sign(tmp_path / "s2", later, host, layout.one)
    assert "is not signed with the key" in build(entry, offline=True).stderr
    done = build(entry)
    assert done.returncode == 0, done.stderr
    assert build(entry, offline=True).returncode == 0
    keelson.run("cache", "clean")
    keelson.run("cache", "pull", f"{host}/t/one:1")
    assert "no signature in the cache, and --offline" in build(entry, offline=True).stderr


def test_other_kinds_of_keys(filled, build, layout, tmp_path, keelson):
    for name, kind, raw in (("rsa", ("-algorithm", "RSA"), False), ("ed", ("-algorithm", "ED25519"), True)):
        sign(tmp_path / f"s-{name}", make_key(tmp_path, name, *kind), filled.host, layout.one, raw=raw)
        keelson.run("cache", "clean")
        done = build([{"match": "*", "key": f"{name}.pub"}])
        assert done.returncode == 0, done.stderr


def test_a_name_without_tag_is_one_image(keelson, registry, filled, tmp_path):
    """LinuxKit's cache has names as they were written. What is checked, pulled and built must be the same entry."""
    layout = Layout(tmp_path / "oci")
    old = layout.name(layout.manifest([{"etc/old": b"old"}]), "old")
    new = layout.name(layout.manifest([{"etc/new": b"new"}]), "new")
    host = registry.host
    subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout.path}:new",
                    f"docker://{host}/t/bare:latest"], check=True, timeout=TOOL_SECONDS)
    keelson.cache.mkdir()
    subprocess.run(["skopeo", "copy", "-q", f"oci:{layout.path}:old", f"oci:{keelson.cache}:{host}/t/bare"], check=True,
                   timeout=TOOL_SECONDS)
    (tmp_path / "policy.json").write_text('{"images": [{"match": "*", "key": "right.pub"}]}')
    make_key(tmp_path, "right", *EC)
    (keelson.home / "x.yml").write_text(f"init:\n  - {host}/t/bare\n")
    command = ("build", "--format", "tar", "--no-sbom", "-o", "x.tar")

    def files():
        return subprocess.run(["tar", "tf", keelson.home / "x.tar"], check=True, capture_output=True, text=True).stdout
    keelson.run(*command, "--offline", "x.yml")
    assert "etc/old" in files()
    keelson.run(*command, "--pull", "x.yml")
    assert "etc/new" in files()
    assert new in keelson.fails(*command, "--policy", tmp_path / "policy.json", "x.yml") and old != new


@pytest.mark.parametrize("kind", ["init", "volume"])
def test_what_is_checked_is_what_is_built(keelson, filled, proxy, layout, tmp_path, kind):
    """While the next image is asked for, the name of the first, which is signed, is given to another one."""
    name = f"{filled.host}/t/one:1"
    sign(tmp_path / "s", make_key(tmp_path, "right", *EC), filled.host, layout.one)
    (tmp_path / "policy.json").write_text(json.dumps({"images": [{"match": name, "key": "right.pub"}]}))
    evil = Layout(tmp_path / "evil")
    evil.name(evil.manifest([{"etc/evil": b"evil"}]), name)
    keelson.run("cache", "pull", name)

    def swap(handler):
        keelson.run("cache", "import", evil.path)
        handler.answer(*handler.forward())
    first = f"init: [{name}, {proxy.host}/t/zstd:1]\n" if kind == "init" else (
        f"init: [{proxy.host}/t/zstd:1]\nvolumes: [{{name: v, image: '{name}', format: oci, platforms: [linux/amd64]}}]\n"
        f"services: [{{name: s, image: '{proxy.host}/t/many:1'}}]\n")
    proxy.faults = [Fault("t/zstd/manifests" if kind == "init" else "t/many/manifests", swap, 1)]
    (keelson.home / "x.yml").write_text(first)
    keelson.run("build", "--format", "tar", "--no-sbom", "-o", "x.tar", "--policy", tmp_path / "policy.json", "x.yml")
    with tarfile.open(keelson.home / "x.tar") as tar:
        names = tar.getnames()
        assert "etc/evil" not in names and ("etc/big" in names or kind == "volume")
        if kind == "volume":
            index = json.load(tar.extractfile("containers/volumes/v/lower/index.json"))
            assert index["manifests"][0]["digest"] == layout.one
    assert layout.one not in keelson.run("cache", "ls", name).stdout  # it was another one at the end


def test_all_platforms_of_an_image_need_a_signed_index(keelson, filled, build, tmp_path):
    """A volume of format oci takes the whole index."""
    make_key(tmp_path, "right", *EC)
    volume = f"volumes:\n  - name: v\n    image: {filled.host}/t/many:1\n    format: oci\n"
    done = build([{"match": "*/t/one:*", "key": None}, {"match": "*", "key": "right.pub"}], volume)
    assert done.returncode == 1 and "x.yml:5:12: " in done.stderr and "is not signed" in done.stderr, done.stderr
    assert build([{"match": "*", "key": None}], volume).returncode == 0


def test_what_trust_and_the_policy_ask_for(keelson, filled, build, tmp_path):
    """`trust:` makes a policy's silence an error; without a policy it is LinuxKit's word, which asks for nothing."""
    host = filled.host
    trust = f"trust:\n  org:\n    - {host}/t\n"
    assert build([{"match": f"{host}/t/*", "key": None}], trust).returncode == 0
    assert build([]).returncode == 0
    for word in (f"image:\n    - {host}/t/one", f"image:\n    - {host}/t/one:1", f"org:\n    - {host}/t"):
        done = build([], f"trust:\n  {word}\n")
        assert done.returncode == 1 and "must be signed (trust:)" in done.stderr, done.stderr
    assert build([], f"trust:\n  image:\n    - {host}/t/one:2\n").returncode == 0
    (keelson.home / "x.yml").write_text(f"init:\n  - {host}/t/one:1\n{trust}")
    keelson.run("build", "--format", "tar", "--no-sbom", "-o", "x.tar", "x.yml")
    assert 'policy.json:1:13: "key" is missing here' in build([{"match": "x"}]).stderr
    assert "policy.json" in keelson.fails("build", "--policy", tmp_path / "no/policy.json", "x.yml")


@pytest.mark.parametrize("text, says", [
    ('{"images": [\n {"match": "*", "key": null, "kye": "x"}]}', '2:30: unknown key "kye"; did you mean "key"?'),
    ('{"images": [],\n "default": "deny"}', '2:2: unknown key "default"'),
    ('{"images": [{"match": "*", "key": 7}]}', '1:35: "key" must be a string'),
    ('{"images": [{"match": null, "key": null}]}', '1:23: "match" must be a string'),
    ('{"images": [\n{"match": "*", "key": }]}', '2:23: "key" must be a string'),
    ('{"images": {}}', '1:12: "images" must be a list'),
    ('{"images": [], "images": []}', '1:16: "images" is there twice'),
    ('{"images": [', "2:1: "), ("[]", "1:1: "), ("{}", '1:1: "images" is missing'),
    ("", 'it has no list "images"'), ("# none", "no list"),
])
def test_a_policy_that_is_wrong(keelson, text, says):
    """Whoever thinks that it asks for a signature learns where it does not."""
    (keelson.home / "policy.json").write_text(text)
    (keelson.home / "x.yml").write_text("init: [t/x]\n")
    line = keelson.fails("build", "--offline", "--policy", "policy.json", "x.yml")
    assert "policy.json" in line and says in line, line


def test_an_image_that_no_entry_fits_is_accepted(build):
    assert build([{"match": "nothing/*", "key": "none.pub"}]).returncode == 0
