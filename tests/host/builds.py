# SPDX-License-Identifier: Apache-2.0
"""Appliances built from images made by hand, and what is in them."""
import gzip
import hashlib
import io
import json
import random
import tarfile

from images import INDEX, LAYER, MANIFEST, Layout, tar_of

STATEMENT = "application/vnd.in-toto+json"
SPDX = "https://spdx.dev/Document"


# Of an appliance with two services, all but its kernel.
TREE = """init:
  - t/init
services:
  - name: one
    image: t/web
    command: ["/bin/one"]
  - name: two
    image: t/big
    command: ["/bin/two"]
files:
  - path: etc/motd
    contents: hello
"""


def noise(size, seed=1):
    """Bytes that cannot be compressed, the same each time."""
    return random.Random(seed).randbytes(size)


def modules():
    """A kernel's tar of modules."""
    return tar_of({"lib/modules/6.1/modules.dep": b"dep\n"})


class Images(Layout):
    """A cache of images t/NAME, which YAML files name so."""

    def name(self, desc, tag):
        """An older holder of the name loses it."""
        self.entries = [e for e in self.entries if e["annotations"]["org.opencontainers.image.ref.name"] != tag]
        return super().name(desc, tag)

    def image(self, name, *layers, config=None, arch="amd64", statements=(), ready=None,
              diff_ids=None):
        """Layers: {path: bytes}, a tar, or ready=[descriptors], of which the configuration says diff_ids or nothing.
        statements: SPDX documents attested of the image."""
        blobs = list(ready or [])
        diffs = []
        for layer in layers:
            data = tar_of(layer) if isinstance(layer, dict) else layer
            diffs.append("sha256:" + hashlib.sha256(data).hexdigest())
            blobs.append(self.blob(gzip.compress(data, 1, mtime=0), LAYER + "+gzip"))
        rootfs = {"type": "layers", "diff_ids": diffs if diff_ids is None else diff_ids}
        doc = self.document({"architecture": arch, "os": "linux", "config": config or {"Cmd": ["/bin/sh"]},
                             **({} if ready and diff_ids is None else {"rootfs": rootfs})})
        manifest = self.document({"schemaVersion": 2, "mediaType": MANIFEST, "config": doc, "layers": blobs})
        entries = [{**manifest, "platform": {"os": "linux", "architecture": arch}}]
        if statements:
            entries.append(self._attest(manifest["digest"], statements))
        index = self.document({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
        self.name(index, f"docker.io/t/{name}:latest")
        return blobs

    def _attest(self, digest, statements):
        layers = []
        for predicate in statements:
            blob = self.blob(json.dumps({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": SPDX,
                                         "subject": [], "predicate": predicate}).encode(), STATEMENT)
            layers.append({**blob, "annotations": {"in-toto.io/predicate-type": SPDX}})
        config = self.document({"architecture": "unknown", "os": "unknown", "config": {},
                                "rootfs": {"type": "layers", "diff_ids": []}})
        manifest = self.document({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers})
        return {**manifest, "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {"vnd.docker.reference.digest": digest,
                                "vnd.docker.reference.type": "attestation-manifest"}}


class Built:
    """A tar that was built: its bytes, its entries (the last of a name), its files."""

    def __init__(self, path):
        self.data = path.read_bytes()
        self.tar = tarfile.open(fileobj=io.BytesIO(self.data))
        self.entries = {m.name: m for m in self.tar}

    def read(self, name):
        return self.tar.extractfile(self.entries[name]).read()

    def json(self, name):
        return json.loads(self.read(name))


def build(keelson, yaml, *options, sbom=False, name="t"):
    """The appliance of this YAML as a tar."""
    (keelson.home / f"{name}.yml").write_text(yaml)
    keelson.run("build", "--offline", "--format", "tar", *([] if sbom else ["--no-sbom"]), *options, f"{name}.yml")
    return Built(keelson.home / f"{name}.tar")


def refused(keelson, yaml, *options):
    """The one message that a YAML is refused with; nothing is written."""
    (keelson.home / "bad.yml").write_text(yaml)
    message = keelson.fails("build", "--offline", "--no-sbom", "--format", "tar", *options, "bad.yml")
    assert not (keelson.home / "bad.tar").exists()
    return message


def tar_with(entries):
    """A tar of (TarInfo or {attribute: value}, bytes or None)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            if isinstance(info, dict):
                made = tarfile.TarInfo()
                for key, value in info.items():
                    setattr(made, key, value)
                info = made
            if data is not None:
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if data is not None else None)
    return out.getvalue()


def tar_header(name, **kw):
    info = tarfile.TarInfo(name)
    for key, value in kw.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.USTAR_FORMAT)


def many_headers(name, count, **kw):
    """Those of NAME000000 and so on, in less time than tarfile takes."""
    header = tar_header(name + "000000", **kw)
    start, end = header[:len(name)], header[len(name) + 6:148]
    plain = sum(start + end) + 8 * ord(" ") + sum(header[156:])
    numbers = (b"%06d" % i for i in range(count))
    return b"".join(start + n + end + b"%06o\0 " % (plain + sum(n)) + header[156:] for n in numbers)
