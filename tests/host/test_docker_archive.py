# SPDX-License-Identifier: Apache-2.0
"""`keelson cache import` of what `docker save` writes: the configuration's digests are all there is to check it by."""
import gzip
import io
import json
import subprocess
import tarfile

import pytest


@pytest.fixture
def archive(tmp_path, layout):
    """{name: bytes} of an archive, and archive.write(files) -> path."""
    path = tmp_path / "d.tar"
    subprocess.run(["skopeo", "copy", "-q", f"oci:{layout.path}:one", f"docker-archive:{path}:who/one:3"], check=True,
                   timeout=60)
    with tarfile.open(path) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}

    def write(changed):
        with tarfile.open(path, "w") as tar:
            for name, data in changed.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return path
    return files, write


def listed(files):
    return json.loads(files["manifest.json"])[0]


def with_list(files, **more):
    return {**files, "manifest.json": json.dumps([{**listed(files), **more}]).encode()}


def test_layers_are_those_of_the_configuration(keelson, archive):
    files, write = archive
    layer, config = listed(files)["Layers"][0], listed(files)["Config"]
    other = io.BytesIO()
    with tarfile.open(fileobj=other, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("another-file"))
    for changed, says in (({**files, layer: other.getvalue()}, "has digest sha256:"),
                          ({**files, layer: gzip.compress(other.getvalue())}, "has digest sha256:"),
                          ({**files, layer: gzip.compress(files[layer])[:-20]}, "a layer cannot be unpacked"),
                          (with_list(files, Layers=listed(files)["Layers"] + [layer]), "and its configuration "),
                          (with_list(files, Layers=[]), "and its configuration "),
                          ({**files, config: b"garbage"}, "could not parse blob"), ({**files, config: b"{}"}, "and its configuration 0")):
        assert says in keelson.fails("cache", "import", write(changed)), says
        assert "0 images" in keelson.verify()


def test_compressed_layers_are_unpacked_to_be_checked(keelson, archive):
    files, write = archive
    packed = {name: gzip.compress(data) if name in listed(files)["Layers"] else data for name, data in files.items()}
    keelson.run("cache", "import", write(packed))
    assert "1 images" in keelson.verify()
    keelson.run("cache", "export", "--format", "filesystem", "-o", "one.tar", "who/one:3")
    keelson.run("cache", "clean")
    keelson.run("cache", "import", write(files))
    keelson.run("cache", "export", "--format", "filesystem", "-o", "two.tar", "who/one:3")
    assert (keelson.home / "one.tar").read_bytes() == (keelson.home / "two.tar").read_bytes()
