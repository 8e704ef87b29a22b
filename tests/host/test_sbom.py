# SPDX-License-Identifier: Apache-2.0
"""The SBOM of an appliance: is it SPDX 2.3, does it have every file, are packages and attestations in it."""
import hashlib
import json
import re

import pytest
from builds import Built, Images, build, tar_with
from images import tar_of

DPKG = b"""Package: libc6
Status: install ok installed
Architecture: amd64
Version: 1:2.36-9+deb12u1

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: base-files
Status: install ok installed
Architecture: all
Version: 12
"""
APK = b"P:musl\nV:1.2.4-r2\nA:x86_64\nF:lib\nR:ld-musl.so.1\n\nP:busybox\nV:1.36-r5\nA:x86_64\nF:bin\nR:busybox\n"
YAML = """kernel: {image: t/kernel, cmdline: x}
init: [t/debian, t/alpine]
services:
  - {name: a, image: t/attested}
  - {name: b, image: t/debian}
files:
  - {path: etc/own, contents: own}
  - {path: usr/replaced, contents: of the YAML}
"""
ATTESTED = {
    "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "x",
    "documentNamespace": "https://example.org/x", "creationInfo": {"created": "2020-01-01T00:00:00Z", "creators": ["Tool: y"]},
    "packages": [{"SPDXID": "SPDXRef-top", "name": "top", "downloadLocation": "NONE", "hasFiles": ["SPDXRef-f2"],
                  "licenseConcluded": "MIT OR LicenseRef-own", "filesAnalyzed": False},
                 {"SPDXID": "SPDXRef-app", "name": "app", "versionInfo": "3", "licenseDeclared": "DocumentRef-d:LicenseRef-z"}],
    "files": [{"SPDXID": "SPDXRef-f1", "fileName": "/opt/app", "checksums": [{"algorithm": "SHA1", "checksumValue": "0" * 40}]},
              {"SPDXID": "SPDXRef-f2", "fileName": "./opt/data", "checksums": [{"algorithm": "SHA1", "checksumValue": "0" * 40}]},
              {"SPDXID": "SPDXRef-f3", "fileName": "opt/not-there", "checksums": [{"algorithm": "SHA1", "checksumValue": "0" * 40}]}],
    "relationships": [
        {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-top"},
        {"spdxElementId": "SPDXRef-top", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": "SPDXRef-app"},
        {"spdxElementId": "SPDXRef-app", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-f1"},
        {"spdxElementId": "SPDXRef-app", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-f3"}],
    "hasExtractedLicensingInfos": [{"licenseId": "LicenseRef-own", "extractedText": "do what you want"}],
    "externalDocumentRefs": [{"externalDocumentId": "DocumentRef-d", "spdxDocument": "https://example.org/d",
                              "checksum": {"algorithm": "SHA1", "checksumValue": "1" * 40}}]}

# The keys that SPDX 2.3 knows, and those that have to be there (clauses 6 to 11, and its JSON schema).
KEYS = {
    "document": ({"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo"},
                 {"packages", "files", "relationships", "hasExtractedLicensingInfos", "externalDocumentRefs", "annotations"}),
    "package": ({"SPDXID", "name", "downloadLocation"},
                {"versionInfo", "filesAnalyzed", "primaryPackagePurpose", "externalRefs", "comment", "licenseConcluded",
                 "licenseDeclared", "supplier", "sourceInfo", "copyrightText", "checksums"}),
    "file": ({"SPDXID", "fileName", "checksums"}, {"comment"}),
    "relationship": ({"spdxElementId", "relationshipType", "relatedSpdxElement"}, {"comment"}),
    "creation": ({"created", "creators"}, {"licenseListVersion", "comment"}),
}
PURPOSES = {"APPLICATION", "FRAMEWORK", "LIBRARY", "CONTAINER", "OPERATING_SYSTEM", "DEVICE", "FIRMWARE", "SOURCE",
            "ARCHIVE", "FILE", "INSTALL", "OTHER"}


def check_keys(kind, value):
    required, optional = KEYS[kind]
    assert required <= set(value) <= required | optional, (kind, value)


def check_spdx(doc):
    """What SPDX 2.3 demands of the parts that there are."""
    check_keys("document", doc)
    assert (doc["spdxVersion"], doc["dataLicense"], doc["SPDXID"]) == ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
    assert re.fullmatch(r"https://[^#\s]+", doc["documentNamespace"])
    check_keys("creation", doc["creationInfo"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", doc["creationInfo"]["created"])
    assert all(re.match(r"(Tool|Person|Organization): \S", c) for c in doc["creationInfo"]["creators"])
    ids = ["SPDXRef-DOCUMENT"]
    for package in doc["packages"]:
        check_keys("package", package)
        ids.append(package["SPDXID"])
        assert package["name"] and package.get("primaryPackagePurpose", "OTHER") in PURPOSES
        assert re.fullmatch(r"NOASSERTION|NONE|\w+://\S+", package["downloadLocation"])
        for ref in package.get("externalRefs", []):
            assert set(ref) == {"referenceCategory", "referenceType", "referenceLocator"}
            assert ref["referenceCategory"] == "PACKAGE-MANAGER" and " " not in ref["referenceLocator"]
    for file in doc["files"]:
        check_keys("file", file)
        ids.append(file["SPDXID"])
        assert file["fileName"].startswith("./") and "/../" not in file["fileName"]
        assert [c["algorithm"] for c in file["checksums"]] == ["SHA1"]
        assert re.fullmatch("[0-9a-f]{40}", file["checksums"][0]["checksumValue"])
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", i) for i in ids)
    for r in doc["relationships"]:
        check_keys("relationship", r)
        assert r["spdxElementId"] in ids and r["relatedSpdxElement"] in [*ids, "NONE", "NOASSERTION"], r
    described = [r for r in doc["relationships"] if r["relationshipType"] == "DESCRIBES"]
    assert [r["spdxElementId"] for r in described] == ["SPDXRef-DOCUMENT"]
    licenses = {x["licenseId"] for x in doc.get("hasExtractedLicensingInfos", [])}
    references = {x["externalDocumentId"] for x in doc.get("externalDocumentRefs", [])}
    for package in doc["packages"]:
        for expression in (package.get("licenseConcluded", ""), package.get("licenseDeclared", "")):
            for document, name in re.findall(r"(?:(DocumentRef-[\w.-]+):)?(LicenseRef-[\w.-]+)", expression):
                assert document in references if document else name in licenses


@pytest.fixture
def images(keelson):
    out = Images(keelson.cache)
    # What LinuxKit's own kernel images have: a kernel and a tar of modules.
    out.image("kernel", {"kernel": b"bzImage", "kernel.tar": tar_of({"lib/modules/m.ko": b"module"})})
    out.image("debian", {"var/lib/dpkg/status": DPKG, "var/lib/dpkg/info/libc6:amd64.list": b"/.\n/lib\n/lib/libc.so.6\n",
                         "var/lib/dpkg/info/base-files.list": b"/usr/replaced\n/usr/lib/os-release\n",
                         "usr/lib/os-release": b'NAME=x\nID="ubuntu"\n', "usr/replaced": b"of the image"},
              {"usr/lib/libc.so.6": b"libc", "opt/stray": b"stray"})
    out.image("alpine", {"lib/apk/db/installed": APK, "lib/ld-musl.so.1": b"musl", "bin/busybox": b"busybox"})
    out.image("attested", {"opt/app": b"app", "opt/data": b"data", "opt/other": b"other"}, statements=[ATTESTED])
    return out


class Sbom:
    def __init__(self, doc):
        self.doc = doc
        self.names = {p["SPDXID"]: p["name"] for p in doc["packages"]}
        self.files = {f["fileName"]: f for f in doc["files"]}
        self.related = {(r["spdxElementId"], r["relationshipType"], r["relatedSpdxElement"]) for r in doc["relationships"]}

    def holders(self, path):
        """Names of what contains the file."""
        file = self.files[path]["SPDXID"]
        return sorted(self.names[a] for a, kind, b in self.related if kind == "CONTAINS" and b == file)

    def package(self, name):
        return [p for p in self.doc["packages"] if p["name"] == name]


def test_every_file_is_accounted_for(keelson, images):
    built = build(keelson, YAML, sbom=True)
    doc = built.json("sbom.spdx.json")
    check_spdx(doc)
    sbom = Sbom(doc)
    regular = {"./" + name: m for name, m in built.entries.items() if m.isreg() and name != "sbom.spdx.json"}
    assert set(sbom.files) == set(regular)
    for name, file in sbom.files.items():
        assert file["checksums"][0]["checksumValue"] == hashlib.sha1(built.read(name[2:])).hexdigest(), name
        holders = sbom.holders(name)
        layers = [h for h in holders if h.startswith("sha256:")]
        made_here = [h for h in holders if h.startswith("files ")]
        assert len(layers) + len(made_here) == 1, name
        # A layer's file has a package, or says that none is known; what was made here says for which part of the YAML.
        assert (len(holders) == 2) != ("comment" in file), name
    assert sbom.holders("./usr/lib/libc.so.6")[0] == "libc6"
    assert sbom.files["./opt/stray"]["comment"] == "package: unknown"
    assert sbom.holders("./bin/busybox")[0] == "busybox"
    assert sbom.holders("./etc/own") == ["files of the configuration"]
    assert sbom.holders("./usr/replaced") == ["files of the configuration"]
    assert sbom.holders("./containers/services/b/lower/usr/replaced")[0] == "base-files"
    assert sbom.files["./containers/services/a/config.json"]["comment"] == "services[0]"
    assert len(sbom.holders("./lib/modules/m.ko")) == 1 and len(sbom.holders("./boot/kernel")) == 1
    for image in ("kernel", "alpine", "attested"):
        assert len(sbom.package(f"docker.io/t/{image}")) == 1
    assert not sbom.package("gone")
    urls = {r["referenceLocator"] for p in doc["packages"] for r in p.get("externalRefs", [])}
    assert {"pkg:deb/ubuntu/libc6@1%3A2.36-9%2Bdeb12u1?arch=amd64", "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64"} <= urls


def test_images_of_keelsons_say_what_their_layers_are_of(keelson):
    """Those of Debian packages (in a kernel's image without the record of it), and the recipe's own; others' have no say."""
    (keelson.home / "own").mkdir()
    (keelson.home / "own/build.yml").write_text("image: own\norg: t\nfiles: [{path: etc/a, contents: a}]\n")
    images = Images(keelson.cache)
    made_of = {"Labels": {"org.keelson.layers": json.dumps(["libc6=2.36-9", "t/web"])}}
    record = b"Package: libc6\nVersion: 2.36-9\nArchitecture: amd64\n"
    images.image("web", {"lib/libc.so": b"c", "var/lib/dpkg/status.d/libc6": record}, {"bin/web": b"web"}, {"etc/added": b"later"}, config=made_of)
    images.image("kernel", {"kernel": b"bzImage", "kernel.tar": tar_of({"lib/modules/m.ko": b"module"})},
                 config={"Labels": {"org.keelson.layers": '["linux-image-6.1=6.1.2"]'}})
    images.image("odd", {"etc/odd": b"x"}, config={"Labels": {"org.keelson.layers": '["x", 7, {}, "more", "than", "layers"]'}})
    images.image("none", {"etc/none": b"x"}, config={"Labels": {"org.keelson.layers": "no JSON"}})
    keelson.run("pkg", "build", "own")
    sbom = Sbom(build(keelson, "kernel: {image: t/kernel}\ninit: [t/own, t/odd, t/none]\nservices: [{name: web, image: t/web}]\n",
                      sbom=True).json("sbom.spdx.json"))
    check_spdx(sbom.doc)
    web = "./containers/services/web/lower/"
    assert [sbom.holders(p)[0] for p in (web + "lib/libc.so", "./boot/kernel", "./lib/modules/m.ko")] == [
        "libc6", "linux-image-6.1", "linux-image-6.1"]
    assert "x" in sbom.holders("./etc/odd") and "t/web" in sbom.holders(web + "bin/web") and "t/own" in sbom.holders("./etc/a")
    assert sorted(name for name, file in sbom.files.items() if file.get("comment") == "package: unknown") == [
        web + "etc/added", "./etc/none"]
    assert len(sbom.package("libc6")) == 1 and "externalRefs" not in sbom.package("t/web")[0]
    assert sbom.package("linux-image-6.1")[0]["externalRefs"][0]["referenceLocator"] == "pkg:deb/debian/linux-image-6.1@6.1.2"


def test_attestations_are_merged(keelson, images):
    sbom = Sbom(build(keelson, YAML, sbom=True).json("sbom.spdx.json"))
    app, top, image = (sbom.package(n)[0] for n in ("app", "top", "docker.io/t/attested"))
    assert app["downloadLocation"] == "NOASSERTION" and app["versionInfo"] == "3"
    assert (image["SPDXID"], "CONTAINS", top["SPDXID"]) in sbom.related
    assert (top["SPDXID"], "DEPENDS_ON", app["SPDXID"]) in sbom.related
    lower = "./containers/services/a/lower/opt/"
    assert sbom.holders(lower + "app")[0] == "app" and sbom.holders(lower + "data")[-1] == "top"
    assert sbom.files[lower + "other"]["comment"] == "package: unknown"
    assert top["licenseConcluded"] == "MIT OR " + sbom.doc["hasExtractedLicensingInfos"][0]["licenseId"]
    reference = sbom.doc["externalDocumentRefs"][0]["externalDocumentId"]
    assert app["licenseDeclared"] == f"{reference}:LicenseRef-z"
    # The same image in two places: its ids do not meet.
    both = build(keelson, "init: [t/attested]\nservices:\n  - {name: a, image: t/attested}\n", sbom=True)
    check_spdx(both.json("sbom.spdx.json"))
    assert len(Sbom(both.json("sbom.spdx.json")).package("app")) == 2


@pytest.mark.parametrize("change, says", [
    ({"spdxVersion": "SPDX-3.0"}, "SPDX of version SPDX-3.0, not 2"),
    ({"packages": [{"name": "without an id"}]}, "has no name"),
    ({"relationships": [{"spdxElementId": "SPDXRef-app"}]}, "has no name"),
])
def test_an_attestation_that_cannot_be_used_is_told(keelson, change, says):
    Images(keelson.cache).image("odd", {"lib/apk/db/installed": APK, "bin/busybox": b"b"}, statements=[ATTESTED | change])
    (keelson.home / "t.yml").write_text("init: [t/odd]\n")
    done = keelson.run("build", "--format", "tar", "t.yml")
    assert says in done.stderr and "docker.io/t/odd" in done.stderr
    sbom = Sbom(Built(keelson.home / "t.tar").json("sbom.spdx.json"))
    check_spdx(sbom.doc)
    assert sbom.holders("./bin/busybox")[0] == "busybox" and not sbom.package("top")


def test_the_same_each_time_and_its_options(keelson, images):
    first = build(keelson, YAML, sbom=True)
    assert build(keelson, YAML, sbom=True).data == first.data
    assert first.json("sbom.spdx.json")["creationInfo"]["created"] == "2017-04-18T16:30:00Z"
    other = build(keelson, YAML + "  - {path: etc/more, contents: more}\n", sbom=True).json("sbom.spdx.json")
    assert other["documentNamespace"] != first.json("sbom.spdx.json")["documentNamespace"]
    assert list(first.entries)[-1] == "sbom.spdx.json"
    for no in ("--no-sbom", "--no-sbom=true", "-no-sbom=1"):
        assert "sbom.spdx.json" not in build(keelson, YAML, no, sbom=True).entries
    moved = build(keelson, YAML, "--no-sbom=false", "--sbom-output", "/usr/share/sbom.json", sbom=True)
    assert moved.json("usr/share/sbom.json")["SPDXID"] == "SPDXRef-DOCUMENT" and "sbom.spdx.json" not in moved.entries
    now = build(keelson, YAML, "--sbom-current-time", sbom=True).json("sbom.spdx.json")["creationInfo"]["created"]
    assert now > "2026"
    taken = YAML + "  - {path: sbom.spdx.json, contents: mine}\n"
    (keelson.home / "taken.yml").write_text(taken)
    assert "files[2] has put something there; see --sbom-output" in keelson.fails("build", "-f", "tar", "taken.yml")
    assert "want a path" in keelson.fails("build", "--sbom-output", "../x", "t.yml")


def test_names_that_are_no_utf8_stay_apart(keelson, images):
    """SPDX is UTF-8; tars are not."""
    names = (b"n/\xff", b"n/\xfe", b"n/\xc3\xa4", b"n/\xef\xbf\xbdFF")
    images.image("raw", tar_with([({"name": name.decode("utf-8", "surrogateescape")}, b"x") for name in names]))
    doc = build(keelson, "init: [t/raw]\n", sbom=True).json("sbom.spdx.json")
    names = [f["fileName"] for f in doc["files"] if f["fileName"].startswith("./n/")]
    assert names == ["./n/\u00e4", "./n/\ufffdEF\ufffdBF\ufffdBDFF", "./n/\ufffdFE", "./n/\ufffdFF"]
    check_spdx(doc)


@pytest.mark.parametrize("path, says", [
    ("etc/hosts", "could not put the SBOM at /etc/hosts: init[0] has put something there; see --sbom-output"),
    ("own/file", "could not put the SBOM at /own/file: files[0] has put something there; see --sbom-output"),
    ("etc/hosts/x",
     "/etc/hosts/x of sbom (linuxkit.sbom) would lie below /etc/hosts, which is a file of init[0] (docker.io/t/alpine)"),
    ("own/file/a/x",
     "/own/file/a of sbom (linuxkit.sbom) would lie below /own/file, which is a file of files[0] (linuxkit.files)"),
    ("own/link/x",
     "/own/link/x of sbom (linuxkit.sbom) would pass through the link /own/link -> /etc of files[1] (linuxkit.files)"),
])
@pytest.mark.parametrize("form", ["tar", "kernel+initrd"])
def test_what_is_in_its_place_is_named(keelson, images, path, says, form):
    (keelson.home / "bad.yml").write_text("kernel: {image: t/kernel}\ninit: [t/alpine]\nfiles:\n"
                                          "  - {path: own/file, contents: x}\n  - {path: own/link, symlink: /etc}\n")
    assert keelson.fails("build", "--offline", "-f", form, "--sbom-output", path, "bad.yml") == "keelson: " + says


def test_a_hard_link_has_the_contents_that_it_was_made_of(keelson):
    """Whatever comes later for the name that it is linked to; a link to a link, too, and one made again."""
    out = Images(keelson.cache)
    link = {"type": b"1"}
    out.image("linked", tar_with([({"name": "bin/a"}, b"first"), ({"name": "bin/b", "linkname": "bin/a", **link}, None),
                                  ({"name": "bin/c", "linkname": "bin/b", **link}, None), ({"name": "bin/d"}, b"d")]))
    out.image("again", tar_with([({"name": "bin/a"}, b"second"), ({"name": "bin/e", "linkname": "bin/a", **link}, None)]))
    built = build(keelson, "init: [t/linked, t/again]\nfiles:\n  - {path: bin/a, contents: last}\n"
                  "  - {path: bin/d, contents: new}\n", sbom=True)
    sums = {f["fileName"]: f["checksums"][0]["checksumValue"] for f in built.json("sbom.spdx.json")["files"]}
    want = {"a": b"last", "b": b"first", "c": b"first", "d": b"new", "e": b"second"}
    for name, data in want.items():
        assert sums[f"./bin/{name}"] == hashlib.sha1(data).hexdigest(), name
