# SPDX-License-Identifier: Apache-2.0
"""`keelson build` from images that are elsewhere: what it asks for, and what it says when it cannot have it."""
import json
import subprocess
import tarfile

import servers
from images import Layout
from servers import Fault

TOOL_SECONDS = 60
EVERYWHERE = """\
kernel:
  image: {0}/none/kernel:1
init:
  - {0}/t/one:1
  - {0}/none/init:1
volumes:
  - {{name: v, image: "{0}/none/volume:1"}}
onboot:
  - name: a
    image: {0}/none/a:1
  - name: again
    image: {0}/none/a:1
services:
  - name: b
    image: {0}/none/b:1
onshutdown:
  - name: c
    image: {0}/none/c:1
"""
MISSING = {"kernel": "3:10", "init": "6:5", "volume": "8:22", "a": "11:12", "b": "16:12", "c": "19:12"}


def build(*options):
    return ["build", "--format", "tar", "--no-sbom", "-o", "x.tar", *options, "x.yml"]


def test_all_images_that_are_missing_are_told_with_their_lines(keelson, proxy):
    """Before anything is written; offline without a request, else with one request for each."""
    (keelson.home / "x.yml").write_text("# x\n" + EVERYWHERE.format(proxy.host))

    def places(done):
        lines = [line for line in done.stderr.splitlines() if line.startswith("keelson: ")]
        assert done.returncode == 1 and not (keelson.home / "x.tar").exists()
        return {line.split()[1].removeprefix("x.yml:").rstrip(":"): line for line in lines}
    asked = places(keelson.run(*build(), check=False))
    assert sorted(asked) == sorted(MISSING.values())
    for name, place in MISSING.items():
        assert f"{proxy.host}/none/{name}:1" in asked[place] and "does not have it" in asked[place]
        assert proxy.count(f"GET /v2/none/{name}/manifests/") == 1
    before = len(proxy.seen)
    offline = places(keelson.run(*build("--offline"), check=False))
    assert sorted(offline) == sorted(MISSING.values()) and len(proxy.seen) == before
    assert f"keelson cache pull --arch amd64 {proxy.host}/none/b:1" in offline[MISSING["b"]]


def test_a_registry_in_trouble_is_not_asked_for_every_image(keelson, proxy):
    (keelson.home / "x.yml").write_text(EVERYWHERE.format(proxy.host))
    proxy.faults = [Fault("manifests", servers.status(418))]
    line = keelson.fails(*build())
    assert "x.yml:2:10: " in line and "status 418" in line, line
    assert proxy.count("manifests") == 1


def with_variants(folder):
    """A layout with arm/v6, arm/v7 and arm64; returns the digests of the manifests."""
    layout = Layout(folder)
    manifests = {name: layout.manifest([{"etc/arch": name.encode()}], name.split("/")[0])
                 for name in ("arm/v6", "arm/v7", "arm64")}
    entries = []
    for name, desc in manifests.items():
        arch, _, variant = name.partition("/")
        entries.append({**desc, "platform": {"os": "linux", "architecture": arch,
                                             **({"variant": variant} if variant else {})}})
    layout.name(layout.document({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                                 "manifests": entries}), "x")
    return {name: desc["digest"] for name, desc in manifests.items()}


def test_volumes_of_format_oci_bring_their_platforms(keelson, proxy, filled, tmp_path):
    """Those that the YAML lists and no other, with one request for the tag; without a list, all."""
    digests = with_variants(tmp_path / "layout")
    subprocess.run(["skopeo", "copy", "-q", "--all", "--dest-tls-verify=false", f"oci:{tmp_path}/layout:x",
                    f"docker://{filled.host}/t/variants:1"], check=True, timeout=TOOL_SECONDS)
    yml = keelson.home / "x.yml"
    for platforms, wanted in (("[linux/arm/v7, linux/arm64]", {"arm/v7", "arm64"}), ("[linux/arm]", {"arm/v6", "arm/v7"}),
                              ("[]", set(digests))):
        keelson.run("cache", "clean")
        proxy.seen.clear()
        yml.write_text(f"init:\n  - {proxy.host}/t/one:1\nvolumes:\n  - name: v\n"
                       f"    image: {proxy.host}/t/variants:1\n    format: oci\n    platforms: {platforms}\n")
        keelson.run(*build())
        keelson.run(*build("--offline"))
        assert proxy.count("variants/manifests/1$") == 1
        with tarfile.open(keelson.home / "x.tar") as tar:
            names = {n.rpartition("/")[2] for n in tar.getnames() if "/v/lower/blobs/sha256/" in n}
        assert {n for n, d in digests.items() if d.removeprefix("sha256:") in names} == wanted
        assert {n for n, d in digests.items() if keelson.blob(d).exists()} == wanted
    yml.write_text(yml.read_text().replace("[]", "[linux/s390x]"))
    assert "x.yml:5:12: " in (line := keelson.fails(*build())) and "no variant for linux/s390x" in line, line


def test_digests_are_asked_for_once(keelson, proxy, layout):
    """Also when the cache has lost a layer: the manifest is still there."""
    ref = f"{proxy.host}/t/one@{layout.one}"
    (keelson.home / "x.yml").write_text(f"init:\n  - {ref}\n")
    keelson.run(*build())
    assert proxy.count("manifests") == 1
    keelson.blob(json.loads(keelson.blob(layout.one).read_text())["layers"][0]["digest"]).unlink()
    keelson.run(*build("--pull"))
    assert proxy.count("manifests") == 1 and proxy.count("blobs") == 4
    listed = json.loads(keelson.run("cache", "ls", "--json").stdout)
    assert [i["complete"] for i in listed] == [True]
    index = json.loads((keelson.cache / "index.json").read_text())
    assert index["manifests"][0]["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
