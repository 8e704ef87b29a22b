# SPDX-License-Identifier: Apache-2.0
"""OCI layouts made by hand, so that tests know every byte of them."""
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"


def tar_of(files):
    """An uncompressed tar of {path: bytes}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def bzimage(payload):
    """As much of an x86 kernel as we look at."""
    head = bytearray(0x400)
    head[0x1f1] = 1
    head[0x202:0x206] = b"HdrS"
    head[0x206:0x208] = (0x20c).to_bytes(2, "little")
    head[0x248:0x24c] = (16).to_bytes(4, "little")
    head[0x24c:0x250] = len(payload).to_bytes(4, "little")
    return bytes(head) + b"\0" * 16 + payload


COMPRESSORS = {"gzip": lambda data: gzip.compress(data, 1, mtime=0),
               "zstd": lambda data: subprocess.run(["zstd", "-q", "-1", "-c"], input=data, capture_output=True,
                                                   check=True).stdout}


class Layout:
    def __init__(self, path):
        self.path = Path(path)
        (self.path / "blobs/sha256").mkdir(parents=True)
        (self.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.entries = []

    def blob(self, data, media_type):
        digest = hashlib.sha256(data).hexdigest()
        (self.path / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}

    def document(self, doc):
        return self.blob(json.dumps(doc).encode(), doc.get("mediaType", CONFIG))

    def manifest(self, layers, arch="amd64", compression="gzip"):
        """One platform's manifest of a list of {path: bytes}; compression: a key of COMPRESSORS, or None."""
        tars = [tar_of(files) for files in layers]
        blobs = [self.blob(COMPRESSORS[compression](t), f"{LAYER}+{compression}") if compression else
                 self.blob(t, LAYER) for t in tars]
        config = self.document({"architecture": arch, "os": "linux", "config": {"Cmd": ["/bin/sh"]},
                                "rootfs": {"type": "layers",
                                           "diff_ids": ["sha256:" + hashlib.sha256(t).hexdigest() for t in tars]}})
        return self.document({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": blobs})

    def index(self, manifests):
        """An index of {arch: manifest descriptor}."""
        return self.document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {**desc, "platform": {"os": "linux", "architecture": arch}} for arch, desc in manifests.items()]})

    def name(self, desc, tag):
        self.entries.append({**desc, "annotations": {"org.opencontainers.image.ref.name": tag}})
        (self.path / "index.json").write_text(json.dumps(
            {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.entries}))
        return desc["digest"]
