# SPDX-License-Identifier: Apache-2.0
"""The cache: in and out of it, many at once, killed at any moment, on a full disk."""
import contextlib
import fcntl
import json
import os
import random
import resource
import signal
import subprocess
import tarfile
import time

import pytest
import servers
from conftest import COMMAND
from images import MANIFEST, Layout
from servers import Fault

TOOL_SECONDS = 60
KILLS = 100
YAML = "init:\n  - {host}/t/one:1\nfiles:\n  - path: etc/own\n    contents: own\n"


def run(*args, **kw):
    return subprocess.run([str(a) for a in args], check=True, capture_output=True, timeout=TOOL_SECONDS, **kw)


@pytest.mark.parametrize("form", ["oci", "docker"])
def test_export_is_read_by_skopeo_and_comes_back(keelson, filled, tmp_path, form):
    ref = f"{filled.host}/t/many:1"
    keelson.run("cache", "pull", ref)
    tar = tmp_path / "x.tar"
    keelson.run("cache", "export", "--format", form, "--arch", "amd64", "-o", tar, ref)
    run("skopeo", "copy", "-q", f"{form}-archive:{tar}", f"oci:{tmp_path}/out:x")
    run("umoci", "unpack", "--rootless", "--image", f"{tmp_path}/out:x", f"{tmp_path}/bundle")
    assert (tmp_path / "bundle/rootfs/etc/arch").read_bytes() == b"amd64\n"
    keelson.run("cache", "clean")
    with open(tar, "rb") as stdin:
        assert keelson.run("cache", "import", "-", stdin=stdin).stdout == f"{ref}\n"
    keelson.run("cache", "import", "--name", "other/name:2", tar)
    assert "docker.io/other/name:2" in keelson.run("cache", "ls").stdout
    assert "2 images" in keelson.verify()
    files = keelson.run("cache", "export", "--format", "filesystem", "other/name:2", text=False).stdout
    (tmp_path / "files.tar").write_bytes(files)
    with tarfile.open(tmp_path / "files.tar") as out:
        assert out.extractfile("etc/arch").read() == b"amd64\n" and "etc/shared" in out.getnames()


def test_what_others_write(keelson, layout, tmp_path):
    """An OCI layout's folder, skopeo's archives, and a cache as LinuxKit has it, which umoci reads back."""
    run("skopeo", "copy", "-q", f"oci:{layout.path}:one", f"docker-archive:{tmp_path}/d.tar:who/one:3")
    assert keelson.run("cache", "import", tmp_path / "d.tar").stdout == "docker.io/who/one:3\n"
    assert "it has 3 images" in keelson.fails("cache", "import", "--name", "x", layout.path)
    assert keelson.run("cache", "import", layout.path).stdout.splitlines() == [
        "docker.io/library/one:latest", "docker.io/library/many:latest", "docker.io/library/zstd:latest"]
    assert "4 images" in keelson.verify()
    assert b"docker.io/who/one:3" in run("umoci", "list", "--layout", keelson.cache).stdout


def test_export_under_another_name_and_platform(keelson, filled, tmp_path):
    ref = f"{filled.host}/t/many:1"
    keelson.run("cache", "pull", "--arch", "all", ref)
    for form in ("oci", "docker"):
        keelson.run("cache", "export", "--platform", "linux/arm64", "--name", "my/own:2", "--format", form, "--outfile",
                    tmp_path / form, ref)
        keelson.run("cache", "clean")
        assert keelson.run("cache", "import", tmp_path / form).stdout == "docker.io/my/own:2\n"
        files = keelson.run("cache", "export", "--arch", "arm64", "--format", "filesystem", "my/own:2", text=False).stdout
        assert b"arm64\n" in files
        keelson.run("cache", "pull", "--arch", "all", ref)
    assert keelson.run("cache", "export", "--platform", "windows/amd64", ref, check=False).returncode == 100


def test_linuxkits_own_cache(keelson, filled, tmp_path):
    """A folder with the names that LinuxKit gives and no file of ours; it is built from, pulled into, and stays theirs."""
    theirs = Layout(tmp_path / "theirs")
    theirs.name(theirs.index({"amd64": theirs.manifest([{"etc/theirs": b"theirs\n"}])}), "docker.io/linuxkit/init:v1")
    (keelson.home / "x.yml").write_text(f"init:\n  - linuxkit/init:v1\n  - {filled.host}/t/one:1\n")
    keelson.run("build", "--cache", theirs.path, "--format", "tar", "--no-sbom", "-o", "x.tar", "x.yml")
    with tarfile.open(keelson.home / "x.tar") as tar:
        assert tar.extractfile("etc/theirs").read() == b"theirs\n" and "etc/big" in tar.getnames()
    listed = run("umoci", "list", "--layout", theirs.path).stdout.decode().split()
    assert sorted(listed) == sorted(["docker.io/linuxkit/init:v1", f"{filled.host}/t/one:1"])
    for entry in json.loads((theirs.path / "index.json").read_text())["manifests"]:
        assert set(entry) <= {"mediaType", "digest", "size", "annotations", "platform"}
    assert not keelson.cache.exists()
    theirs.name(theirs.manifest([{"etc/bare": b"bare\n"}]), "docker.io/linuxkit/bare")  # as somebody wrote it
    assert "docker.io/linuxkit/bare\t" in keelson.run("cache", "ls", "--cache", theirs.path, "linuxkit/bare").stdout
    keelson.run("cache", "rm", "--cache", theirs.path, "linuxkit/bare")
    assert "bare" not in keelson.run("cache", "ls", "--cache", theirs.path).stdout


def test_linuxkit_keeps_names_without_a_tag_apart(keelson):
    """What is written without a tag is its entry without one; a new image has both names."""
    cache = Layout(keelson.cache)
    for name in ("bare", "bare:latest"):
        cache.name(cache.manifest([{"etc/name": name.encode()}]), f"docker.io/t/{name}")
    for name in ("bare", "bare:latest"):
        (keelson.home / "x.yml").write_text(f"init: [t/{name}]\n")
        keelson.run("build", "--offline", "--format", "tar", "--no-sbom", "-o", "x.tar", "x.yml")
        with tarfile.open(keelson.home / "x.tar") as tar:
            assert tar.extractfile("etc/name").read() == name.encode()
    new = Layout(keelson.home / "new")
    digest = new.name(new.manifest([{"etc/name": b"new"}]), "t/bare")
    keelson.run("cache", "import", new.path)
    listed = json.loads(keelson.run("cache", "ls", "--json").stdout)
    assert {i["name"]: i["digest"] for i in listed} == dict.fromkeys(("docker.io/t/bare", "docker.io/t/bare:latest"), digest)


def test_an_export_that_fails_has_no_end(keelson, filled):
    """What is behind a pipe must not take it for a whole, empty archive."""
    for form in ("oci", "docker", "filesystem"):
        done = keelson.run("cache", "export", "--format", form, "not/there:1", check=False, text=False)
        assert done.returncode == 1 and done.stdout == b"", form


def test_bad_archives(keelson, layout, tmp_path):
    whole = tmp_path / "whole.tar"
    run("tar", "-C", layout.path, "-cf", whole, ".")
    (tmp_path / "cut.tar").write_bytes(whole.read_bytes()[:100000])
    assert "could not import" in keelson.fails("cache", "import", tmp_path / "cut.tar")
    (tmp_path / "text").write_text("no tar at all " * 100)
    assert "could not import" in keelson.fails("cache", "import", tmp_path / "text")
    data = bytearray(whole.read_bytes())
    at = data.index(b"etc/arch") if b"etc/arch" in data else data.index(b"diff_ids")
    data[at] ^= 1
    (tmp_path / "flipped.tar").write_bytes(data)
    assert "is damaged" in keelson.fails("cache", "import", tmp_path / "flipped.tar")
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    assert "holds no images" in keelson.fails("cache", "import", tmp_path / "empty.tar")
    run("skopeo", "copy", "-q", f"oci:{layout.path}:one", f"oci:{tmp_path}/pinned:docker.io/a/b@{layout.zstd}")
    assert "is not its digest" in keelson.fails("cache", "import", tmp_path / "pinned")
    (tmp_path / "nothing").mkdir()
    assert "without index.json, and so no OCI layout" in keelson.fails("cache", "import", tmp_path / "nothing")
    assert "holds no images" in keelson.fails("cache", "import", "/dev/null")
    # A device may have no end.
    for name, make in (("zero", lambda p: p.symlink_to("/dev/zero")), ("fifo", os.mkfifo), ("folder", lambda p: p.mkdir())):
        odd = Layout(tmp_path / name)
        odd.name(odd.manifest([{"etc/x": b"x"}]), "x")
        make(odd.path / "blobs/sha256" / ("0" * 64))
        line = keelson.fails("cache", "import", odd.path)
        assert line.endswith(f"blobs/sha256/{'0' * 64} is not a regular file"), line
    assert keelson.run("cache", "ls").stdout == ""


def test_a_failed_import_takes_what_it_brought_along(keelson, tmp_path):
    """But not what an image in the cache has, too, and nothing while somebody else is at work."""
    layout = Layout(tmp_path / "oci")
    shared = {"etc/shared": b"shared"}
    layout.name(layout.manifest([shared]), "one")
    keelson.run("cache", "import", layout.path)
    keelson.run("cache", "gc")  # the archive's own table of contents
    before = sorted((keelson.cache / "blobs/sha256").iterdir())
    layout.entries = []
    second = layout.manifest([shared, {"etc/second": b"second"}])
    layout.name(second, "second")
    missing = json.loads((layout.path / "blobs/sha256" / second["digest"][7:]).read_text())["layers"][1]["digest"]
    (layout.path / "blobs/sha256" / missing[7:]).unlink()
    line = keelson.fails("cache", "import", layout.path)
    assert line.endswith(f"it lacks blob {missing}"), line
    assert sorted((keelson.cache / "blobs/sha256").iterdir()) == before
    assert "1 images, 3 blobs, 0 wrong" in keelson.verify()
    with open(keelson.cache / ".partial/users") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        assert "stays until keelson cache gc" in keelson.fails("cache", "import", layout.path)
        assert len(list((keelson.cache / "blobs/sha256").iterdir())) > len(before)
    keelson.run("cache", "gc")
    assert sorted((keelson.cache / "blobs/sha256").iterdir()) == before


def test_rm_and_gc_keep_what_a_name_reaches(keelson, filled):
    one, many = f"{filled.host}/t/one:1", f"{filled.host}/t/many:1"
    keelson.run("cache", "pull", one, many)
    keelson.blob("0" * 64).write_text("nobody needs it")
    assert "removed 1 files" in keelson.run("cache", "gc").stdout
    keelson.run("cache", "rm", one)
    assert "1 images, 5 blobs, 0 wrong" in keelson.verify()
    assert "could not find image" in keelson.fails("cache", "rm", one)
    keelson.run("cache", "clean")
    assert not list((keelson.cache / "blobs/sha256").iterdir())
    assert "0 images" in keelson.verify()


def test_what_no_registry_has_stays(keelson, proxy):
    """--published-only: neither what was never pushed, nor what has another digest there, nor what cannot be asked for."""
    one, many, away = f"{proxy.host}/t/one:1", f"{proxy.host}/t/many:1", f"127.0.0.1:{servers.free_port()}/t/one:1"
    assert "there is no cache" in keelson.fails("cache", "rm", one)
    assert keelson.run("cache", "clean", "--published-only").stderr == ""
    here = [one, f"{proxy.host}/t/new:1", f"{proxy.host}/t/zstd:1", away]
    keelson.run("cache", "pull", one, many)
    (keelson.home / "one.tar").write_bytes(keelson.run("cache", "export", one, text=False).stdout)
    for name in here[1:]:
        keelson.run("cache", "import", "--name", name, "one.tar")
    done = keelson.run("cache", "rm", "--published-only", many, here[1])
    assert f"{here[1]} stays" in done.stderr and many not in done.stderr
    done = keelson.run("cache", "clean", "--published-only")
    assert sorted(line.split()[1] for line in done.stderr.splitlines()) == sorted(here[1:])
    assert sorted(line.split()[0] for line in keelson.run("cache", "ls").stdout.splitlines()) == sorted(here[1:])
    assert "3 images, 4 blobs, 0 wrong" in keelson.verify()
    assert "could not find image" in keelson.fails("cache", "rm", "--published-only", one)


def test_verify_names_what_is_damaged_and_pull_repairs(keelson, filled, layout):
    ref = f"{filled.host}/t/one:1"
    keelson.run("cache", "pull", ref)
    manifest = json.loads(keelson.blob(layout.one).read_text())
    layer = keelson.blob(manifest["layers"][0]["digest"])
    data = bytearray(layer.read_bytes())
    data[1000] ^= 1
    layer.write_bytes(data)
    done = keelson.run("cache", "verify", check=False)
    assert done.returncode == 1 and f"{ref}: blob sha256:{layer.name} is damaged" in done.stdout
    keelson.run("cache", "verify", "--repair", check=False)
    keelson.run("cache", "pull", ref)
    assert "0 wrong" in keelson.verify()
    keelson.blob(layout.one).write_text("{}" + " " * (keelson.blob(layout.one).stat().st_size - 2))
    assert keelson.run("cache", "verify", check=False).returncode == 1
    keelson.run("cache", "pull", ref)
    assert "0 wrong" in keelson.verify()
    (keelson.cache / "index.json").write_text("{")
    assert "index.json" in keelson.fails("cache", "ls")
    assert "index.json" in keelson.fails("cache", "gc")


def test_no_needless_traffic(keelson, proxy, layout, tmp_path):
    """A cached tag asks nobody, --pull asks once for a tag, a digest that is there never; --offline says what lacks."""
    yml = keelson.home / "x.yml"
    yml.write_text(YAML.format(host=proxy.host) + "onboot:\n" + "".join(
        f"  - name: c{i}\n    image: {proxy.host}/t/many:1\n" for i in range(9)))
    build = ["build", "--format", "tar", "--no-sbom", "-o", "x.tar", "x.yml"]
    done = keelson.run(build[0], "--offline", *build[1:], check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("keelson: ")]
    assert done.returncode == 1 and len(lines) == 2 and not proxy.seen
    for line, name in zip(lines, ("one", "many")):
        assert f"{proxy.host}/t/{name}:1" in line and "--offline" in line
    keelson.run(*build)
    # An index and the manifest that it leads to are two documents: each is asked for once.
    assert proxy.count("/manifests/1") == 2 and proxy.count("/manifests/") == 3
    before = len(proxy.seen)
    keelson.run(*build)
    keelson.run(build[0], "--offline", *build[1:])
    assert len(proxy.seen) == before
    keelson.run(build[0], "--pull", *build[1:])
    assert proxy.count("/manifests/1") == 4 and proxy.count("/manifests/") == 5 and proxy.count("blobs") == 5  # a layer in common
    yml.write_text(f"init:\n  - {proxy.host}/t/one@{layout.one}\n")
    before = len(proxy.seen)
    keelson.run(build[0], "--pull", *build[1:])
    assert len(proxy.seen) == before


def test_images_of_docker(keelson, proxy, tmp_path, layout):
    """--docker asks the docker command first, here one that knows a single image, and then the registry."""
    run("skopeo", "copy", "-q", f"oci:{layout.path}:one", f"docker-archive:{tmp_path}/d.tar:t/only:1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text(
        '#!/bin/sh\n[ "$1 $2 $3 $5" = "image save --output docker.io/t/only:1" ] || exit 1\n'
        f'exec cp {tmp_path}/d.tar "$4"\n')
    (tmp_path / "bin/docker").chmod(0o755)
    keelson.env["PATH"] = f"{tmp_path}/bin:{keelson.env['PATH']}"
    (keelson.home / "x.yml").write_text(f"init:\n  - t/only:1\n  - {proxy.host}/t/one:1\n")
    keelson.run("build", "--docker", "--format", "tar", "--no-sbom", "-o", "x.tar", "x.yml")
    assert proxy.count("/manifests/") == 1
    assert "2 images" in keelson.verify()


def test_twenty_builds_at_once_on_a_cold_cache(keelson, proxy):
    (keelson.home / "x.yml").write_text(YAML.format(host=proxy.host))
    jobs = [keelson.start("build", "--format", "tar", "--no-sbom", "-o", f"{i}.tar", "x.yml") for i in range(20)]
    for job in jobs:
        _, err = job.communicate(timeout=TOOL_SECONDS)
        assert job.returncode == 0, err
    # Everybody waited for the first, and asked nobody again.
    assert proxy.count("/manifests/") == 1 and proxy.count("blobs") == 3
    assert len({(keelson.home / f"{i}.tar").read_bytes() for i in range(20)}) == 1
    assert "1 images, 4 blobs, 0 wrong" in keelson.verify()


def test_pulls_killed_at_random(keelson, proxy):
    """Whatever the moment, the cache is whole, and the next pull goes on."""
    ref = f"{proxy.host}/t/one:1"
    dice = random.Random(9)
    killed = 0
    begin = time.monotonic()
    keelson.run("cache", "pull", ref)
    whole = time.monotonic() - begin
    keelson.run("cache", "rm", ref)
    for turn in range(KILLS):
        job = keelson.start("cache", "pull", ref)
        try:
            job.wait(dice.uniform(0, whole))
        except subprocess.TimeoutExpired:
            job.send_signal(signal.SIGKILL)
            killed += 1
        job.communicate(timeout=TOOL_SECONDS)
        if turn % 10 == 9:
            assert "0 wrong" in keelson.verify()
        if (keelson.cache / "index.json").exists():
            keelson.run("cache", "rm", ref, check=False)
    assert killed
    keelson.run("cache", "pull", ref)
    assert "1 images, 4 blobs, 0 wrong" in keelson.verify()
    keelson.run("cache", "gc")
    assert not [p for p in (keelson.cache / ".partial").iterdir() if len(p.name) == 64]
    assert len(list((keelson.cache / "blobs/sha256").iterdir())) == 4


def test_full_disk(keelson, filled, tmp_path):
    """On a file system of 1 MB: one line, nothing half-written, and what was there stays."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = ('mount -t tmpfs -o size=1m none "$1" && shift && "$@"; status=$?; '
              '[ -z "$(find %s/cache/.partial -type f -size +0)" ] || exit 9; exit $status' % disk)
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", script, "sh", str(disk), os.environ.get(
        "KEELSON", str(servers.Path(__file__).resolve().parent.parent.parent / "build/bin/keelson")), "cache", "pull",
        "--cache", str(disk / "cache"), f"{filled.host}/t/one:1"], capture_output=True, text=True, check=False,
        timeout=TOOL_SECONDS, env=keelson.env)
    assert done.returncode == 1 and "No space left on device" in done.stderr, (done.returncode, done.stderr)
    assert len(done.stderr.splitlines()) == 1


def named(name, **entry):
    return {**entry, "annotations": {"org.opencontainers.image.ref.name": name}}


@pytest.mark.parametrize("entry, safe", [
    ({"mediaType": "x"}, True), ("text", True), (None, True), (named(6), True), (named("docker.io/t/bad:1"), True),
    ({"digest": 5}, False), (named("docker.io/t/bad:1", digest="sha512:" + "0" * 128, size=1), False),
], ids=lambda v: str(v)[:30])
def test_entries_of_others_that_cannot_be_read(keelson, entry, safe):
    """They are named and passed over; what they may need is not removed."""
    cache = Layout(keelson.cache)
    for name in ("a", "b"):
        cache.name(cache.manifest([{"etc/x": name.encode()}]), f"docker.io/t/{name}:1")
    index = json.loads((cache.path / "index.json").read_text())
    index["manifests"].insert(1, entry)
    (cache.path / "index.json").write_text(json.dumps(index))
    what = "docker.io/t/bad:1" if "bad" in json.dumps(entry) else "an entry without a name"
    for words, says in ((["ls"], "docker.io/t/b:1"), (["verify"], "2 images, 6 blobs, 0 wrong")):
        done = keelson.run("cache", *words)
        assert says in done.stdout and f"could not use {what} in index.json: $.digest is" in done.stderr, done
    assert ("bad" not in what) or what in keelson.fails("cache", "export", what)
    done = keelson.run("cache", "rm", "t/a:1", check=False)
    assert (done.returncode == 0) == safe and f"could not use {what}" in done.stderr, done
    assert ("nothing is removed" in done.stderr) != safe
    assert len(list((cache.path / "blobs/sha256").iterdir())) == (3 if safe else 6)
    assert entry in json.loads((cache.path / "index.json").read_text())["manifests"]
    done = keelson.run("cache", "import", "--cache", "other", cache.path, check=False)
    assert (done.returncode == 0) == safe and f"could not use {what}" in done.stderr, done
    if "bad" in what:
        keelson.run("cache", "rm", what)
        assert len(list((cache.path / "blobs/sha256").iterdir())) == 3


def names_in(keelson):
    return {item["name"].removeprefix("docker.io/t/") for item in json.loads(keelson.run("cache", "ls", "--json").stdout)}


def test_signatures_go_with_the_last_image_of_their_repository(keelson):
    """As cosign names them: after the digest of an index, or of a platform's manifest."""
    cache = Layout(keelson.cache)
    manifest = cache.manifest([{"etc/x": b"x"}])
    index = cache.index({"amd64": manifest})
    for name in ("x:1", "x:2", "y:1"):
        cache.name(index, f"docker.io/t/{name}")
    of_index, of_manifest = index["digest"].replace(":", "-"), manifest["digest"].replace(":", "-")
    attached = {f"x:{of_index}.sig", f"x:{of_manifest}.att", f"x:{of_index}"}
    others = {f"y:{of_index}.sig", f"x:sha256-{'0' * 64}.sig", f"x:{of_index}x"}
    for name in attached | others:
        cache.name(cache.manifest([{"signature": name.encode()}]), f"docker.io/t/{name}")
    keelson.run("cache", "rm", "t/x:1")
    assert names_in(keelson) == {"x:2", "y:1"} | attached | others
    keelson.run("cache", "rm", "t/x:2")
    assert names_in(keelson) == {"y:1"} | others
    assert "4 images, 13 blobs, 0 wrong" in keelson.verify()
    keelson.run("cache", "rm", "t/y:1")
    assert names_in(keelson) == others - {f"y:{of_index}.sig"}


def test_referrers_go_with_the_last_entry_of_their_subject(keelson):
    """Signatures and the like that have no name and say what they are about, as OCI has them."""
    cache = Layout(keelson.cache)
    manifest = cache.manifest([{"etc/x": b"x"}])
    index = cache.index({"amd64": manifest})
    config = cache.blob(b"{}", "application/vnd.oci.empty.v1+json")

    def refer(subject, text):
        return cache.document({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "subject": subject,
                               "layers": [cache.blob(text, "text/plain")]})
    of_index, of_manifest = refer(index, b"sbom"), refer(manifest, b"signature")
    of_referrer, of_other = refer(of_index, b"signed sbom"), refer({**config, "digest": "sha256:" + "0" * 64}, b"other")
    cache.name(index, "docker.io/t/x:1")
    cache.name(manifest, "docker.io/t/y:1")
    file = keelson.cache / "index.json"
    written = json.loads(file.read_text())
    written["manifests"] += [of_referrer, of_index, of_manifest, of_other]
    file.write_text(json.dumps(written))

    def left():
        return [m["digest"] for m in json.loads(file.read_text())["manifests"]]
    keelson.run("cache", "rm", "t/x:1")
    assert left() == [manifest["digest"], of_manifest["digest"], of_other["digest"]]
    assert "3 images, 8 blobs, 0 wrong" in keelson.verify()
    keelson.run("cache", "rm", "t/y:1")
    assert left() == [of_other["digest"]]
    assert len(list((keelson.cache / "blobs/sha256").iterdir())) == 3


def test_images_are_removed_from_a_full_disk(keelson, tmp_path):
    """Where there is no room for a new index.json either."""
    cache = Layout(keelson.cache)
    for name in ("big", "small"):
        cache.name(cache.manifest([{"etc/x": os.urandom(300_000 if name == "big" else 3)}]), f"docker.io/t/{name}:1")
    keelson.run("cache", "gc")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = ('mount -t tmpfs -o size=1m none "$1" && cp -r "$2" "$1/cache" && '
              '{ ! cat /dev/zero >"$1/fill"; } 2>/dev/null && { ! echo x >"$1/more"; } 2>/dev/null && '
              '"$3" cache rm t/big:1 && "$3" cache ls && "$3" cache verify')
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", script, "sh", disk, keelson.cache, COMMAND],
                          capture_output=True, text=True, check=False, timeout=TOOL_SECONDS,
                          env=keelson.env | {"KEELSON_CACHE": str(disk / "cache")})
    assert done.returncode == 0, done.stderr
    assert "docker.io/t/small:1" in done.stdout and "big" not in done.stdout and "1 images, 3 blobs, 0 wrong" in done.stdout


def small_files():
    """No file may grow beyond that, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.parametrize("form", ["oci", "docker", "filesystem"])
def test_an_export_to_a_full_disk(keelson, filled, form):
    ref = f"{filled.host}/t/one:1"
    keelson.run("cache", "pull", ref)
    (keelson.home / "full").symlink_to("/dev/full")
    before = {p.name for p in keelson.home.iterdir()}
    words = ("cache", "export", "--format", form, "-o")
    assert "No space left on device" in keelson.fails(*words, "full", ref)
    line = keelson.run(*words, "x.tar", ref, check=False, preexec_fn=small_files).stderr
    assert line.startswith(f"keelson: could not export {ref}: ") and line.endswith("File too large\n"), line
    assert {p.name for p in keelson.home.iterdir()} == before


@contextlib.contextmanager
def held_layer(keelson):
    """Of a/b, which there is from here on. An export of it waits when it opens that, for 45 seconds: a lease (fcntl(2))."""
    cache = Layout(keelson.cache)
    manifest = cache.manifest([{"etc/x": b"x"}])
    cache.name(manifest, "docker.io/a/b:latest")
    layer, = json.loads(keelson.blob(manifest["digest"]).read_text())["layers"]
    signal.signal(signal.SIGIO, signal.SIG_IGN)  # says that somebody waits
    with keelson.blob(layer["digest"]).open("rb+") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield


def start_export(keelson):
    """And the files that it has made."""
    before = set(keelson.home.glob(".x.tar*"))
    job = keelson.start("cache", "export", "-o", "x.tar", "a/b")
    while job.poll() is None and not set(keelson.home.glob(".x.tar*")) - before:
        time.sleep(0.01)
    return job, set(keelson.home.glob(".x.tar*")) - before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_killed_export_leaves_nothing(keelson, number):
    with held_layer(keelson):
        job, _ = start_export(keelson)
        job.send_signal(number)
        job.communicate(timeout=TOOL_SECONDS)
    assert job.returncode == -number and [p.name for p in keelson.home.iterdir()] == ["cache"]


def test_what_a_killed_export_left_goes_with_the_next(keelson):
    """But not what one has that is at work."""
    with held_layer(keelson):
        dead, left = start_export(keelson)
        dead.kill()
        dead.communicate(timeout=TOOL_SECONDS)
        assert len(left) == 1 and all(p.exists() for p in left)
        alive, working = start_export(keelson)
        assert set(keelson.home.glob(".x.tar*")) == working
        other, _ = start_export(keelson)
        other.kill()
        other.communicate(timeout=TOOL_SECONDS)
        alive.send_signal(signal.SIGSTOP)
    keelson.run("cache", "export", "-o", "x.tar", "a/b")
    assert set(keelson.home.glob(".x.tar*")) == working
    alive.kill()
    alive.communicate(timeout=TOOL_SECONDS)


def test_an_export_through_a_link(keelson, filled):
    ref = f"{filled.host}/t/one:1"
    keelson.run("cache", "pull", ref)
    (keelson.home / "sub").mkdir()
    (keelson.home / "x.tar").symlink_to("sub/real.tar")
    for _ in range(2):
        keelson.run("cache", "export", "-o", "x.tar", ref)
        assert (keelson.home / "x.tar").is_symlink() and [p.name for p in (keelson.home / "sub").iterdir()] == ["real.tar"]
    assert tarfile.is_tarfile(keelson.home / "sub/real.tar")


def test_an_unreadable_cache(keelson, filled, tmp_path):
    """Without the right to look into it (of which root has to be rid first): one line that names it."""
    keelson.run("cache", "pull", f"{filled.host}/t/one:1")
    (keelson.home / "x.yml").write_text(f"init:\n  - {filled.host}/t/one:1\n")
    os.chmod(keelson.cache, 0)
    command = os.environ.get("KEELSON", str(servers.REPO / "build/bin/keelson"))
    try:
        for words in (["cache", "ls"], ["cache", "pull", f"{filled.host}/t/many:1"], ["cache", "verify"],
                      ["build", "--format", "tar", "-o", "x.tar", "x.yml"],
                      ["build", "--offline", "--format", "tar", "-o", "x.tar", "x.yml"]):
            done = subprocess.run(["unshare", "-U", command, *words], capture_output=True, text=True, check=False,
                                  timeout=TOOL_SECONDS, env=keelson.env, cwd=keelson.home)
            lines = [line for line in done.stderr.splitlines() if not line.startswith(" ")]
            assert done.returncode == 1 and len(lines) == 1, (words, done.stderr)
            assert str(keelson.cache) in lines[0] and "Permission denied" in lines[0], lines
    finally:
        os.chmod(keelson.cache, 0o755)
    assert "1 images, 4 blobs, 0 wrong" in keelson.verify()


def test_a_cache_that_cannot_be_used(keelson, filled, proxy):
    (keelson.home / "file").write_text("x")
    assert "file" in keelson.fails("cache", "pull", "--cache", keelson.home / "file", f"{filled.host}/t/one:1")
    assert keelson.run("cache", "ls", "--cache", "/nowhere").stdout == ""
    assert keelson.run("cache", "pull", check=False).returncode == 100
    assert keelson.run("cache", "frobnicate", check=False).returncode == 100
    proxy.faults = [Fault("blobs", servers.status(403))]
    keelson.fails("cache", "pull", f"{proxy.host}/t/one:1")
    assert keelson.run("cache", "ls").stdout == ""


def test_a_cache_whose_index_is_no_file(keelson):
    """Nobody writes into that FIFO: waiting for it would be for ever."""
    cache = Layout(keelson.cache)
    cache.name(cache.manifest([{"etc/x": b"x"}]), "docker.io/t/x:1")
    (keelson.home / "x.yml").write_text("init: [t/x:1]\n")
    index = cache.path / "index.json"
    index.unlink()
    os.mkfifo(index)
    for words in (["cache", "ls"], ["cache", "verify"], ["cache", "gc"], ["cache", "rm", "t/x:1"],
                  ["cache", "export", "-o", "x.tar", "t/x:1"], ["cache", "import", "--cache", "other", cache.path],
                  ["build", "--offline", "--format", "tar", "-o", "x.tar", "x.yml"]):
        assert "index.json" in keelson.fails(*words) and not (keelson.home / "x.tar").exists(), words
