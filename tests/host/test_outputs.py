# SPDX-License-Identifier: Apache-2.0
"""The files that `keelson build` writes: formats, parts of initrds that are kept, memory, and what `inspect` says of them."""
import gzip
import io
import json
import lzma
import os
import re
import shutil
import signal
import struct
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
from builds import TREE, Images, modules, noise
from conftest import COMMAND
from images import bzimage, tar_of

PART_MAGIC = {b"\x28\xb5\x2f\xfd": "zstd", b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz", b"070701": "none"}
UCODE = b"070701" + b"0" * 506  # only its bytes count here
YAML = """kernel:
  image: t/kernel
  cmdline: "console=ttyS0"
""" + TREE


@pytest.fixture
def images(keelson):
    made = Images(keelson.cache)
    made.image("kernel", {"kernel": b"MZkernel" * 100, "kernel.tar": modules(), "ucode.cpio": UCODE})
    made.image("init", {"init": b"#!init\n", "bin/sh": noise(5000)})
    made.image("web", {"bin/one": noise(3000, 2)})
    made.image("big", {"bin/two": noise(300000, 3), "bin/three": b"three" * 1000})
    (keelson.home / "a.yml").write_text(YAML)
    return made


def run_build(keelson, *options, yaml=None, **env):
    if yaml is not None:
        (keelson.home / "a.yml").write_text(yaml)
    keelson.env.update(env)
    return keelson.run("build", "--offline", "--no-sbom", *options, "a.yml")


def unpack_one(data, how):
    """One member's bytes, and the rest of the data."""
    if how == "gzip":
        import zlib
        d = zlib.decompressobj(31)
        return d.decompress(data), d.unused_data
    if how == "xz":
        d = lzma.LZMADecompressor()
        return d.decompress(data), d.unused_data
    # zstd stumbles over the zeros behind a frame, so its end is looked for
    for found in re.finditer(rb"\0{0,3}(?=\x28\xb5\x2f\xfd)|\0{0,3}\Z", data):
        if not found.start():
            continue
        head = subprocess.run(["zstd", "-dcq"], input=data[:found.start()], capture_output=True, check=False)
        if head.returncode == 0:
            return head.stdout, data[found.start():]
    raise AssertionError("a zstd frame has no end")


def cpio_files(data):
    """{name: bytes} of concatenated newc archives, and how many archives they are."""
    files, archives, at = {}, 0, 0
    while at < len(data):
        if data[at] == 0:
            at += 1
            continue
        assert data[at:at + 6] == b"070701" and at % 4 == 0
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110:at + 110 + fields[11] - 1].decode()
        body = (at + 110 + fields[11] + 3) // 4 * 4
        at = (body + fields[6] + 3) // 4 * 4
        if name == "TRAILER!!!":
            archives += 1
        elif fields[1] & 0o170000 in (0o100000, 0o040000):
            files[name] = data[body:body + fields[6]]
    return files, archives


def initrd(path):
    """({name: bytes}, how its members are compressed); every member starts at a multiple of four."""
    data, hows, plain = Path(path).read_bytes(), [], b""
    size = len(data)
    while data:
        while data[:1] == b"\0":
            data = data[1:]
        if not data:
            break
        assert (size - len(data)) % 4 == 0
        how = next(how for magic, how in PART_MAGIC.items() if data.startswith(magic))
        hows.append(how)
        if how == "none":
            return cpio_files(data)[0], hows
        part, data = unpack_one(data, how)
        plain += part
    return cpio_files(plain)[0], hows


@pytest.mark.parametrize("how", ["zstd", "gzip", "xz", "none"])
def test_every_compression_holds_the_same_tree(keelson, images, how):
    run_build(keelson, "--compress", how)
    files, hows = initrd(keelson.home / "a-initrd.img")
    assert set(hows) == {how}
    assert files["bin/sh"] == noise(5000) and files["etc/motd"] == b"hello"
    assert files["containers/services/two/lower/bin/two"] == noise(300000, 3)
    assert json.loads(files["containers/services/one/config.json"])["process"]["args"] == ["/bin/one"]
    assert files["lib/modules/6.1/modules.dep"] == b"dep\n"
    assert not any(name.startswith("boot/") for name in files)
    assert (keelson.home / "a-kernel").read_bytes() == b"MZkernel" * 100
    assert (keelson.home / "a-cmdline").read_text() == "console=ttyS0"


def test_an_unknown_compression_is_named(keelson, images):
    done = keelson.run("build", "--compress", "lz4", "a.yml", check=False)
    assert done.returncode == 100 and "zstd, gzip, xz or none" in done.stderr


def test_cpio_reads_archive_after_archive(keelson, images, tmp_path):
    """GNU cpio stops at an archive's end; as they are padded to its blocks it can be run again for the next."""
    run_build(keelson, "--compress", "none")
    out = tmp_path / "x"
    out.mkdir()
    with open(keelson.home / "a-initrd.img", "rb") as f:
        subprocess.run(["sh", "-c", "while cpio -idm --quiet --no-absolute-filenames 2>/dev/null; do :; done"], stdin=f, cwd=out,
                       check=True, timeout=60)
    assert (out / "bin/sh").read_bytes() == noise(5000)
    assert (out / "containers/services/two/lower/bin/two").read_bytes() == noise(300000, 3)
    assert (out / "etc/motd").read_text() == "hello"


def test_microcode_comes_first_and_as_it_is(keelson, images):
    yaml = YAML.replace("  image: t/kernel\n", "  image: t/kernel\n  ucode: ucode.cpio\n")
    run_build(keelson, "-f", "kernel+initrd,tar-kernel-initrd", yaml=yaml)
    assert (keelson.home / "a-initrd.img").read_bytes().startswith(UCODE + b"\x28\xb5\x2f\xfd")
    again = (keelson.home / "a-initrd.img").read_bytes()
    run_build(keelson)
    assert (keelson.home / "a-initrd.img").read_bytes() == again
    with tarfile.open(keelson.home / "a-initrd.tar") as tar:
        assert tar.getnames() == ["kernel", "initrd.img", "cmdline", "ucode.cpio"]
        assert tar.extractfile("ucode.cpio").read() == UCODE
        assert tar.extractfile("initrd.img").read() == again[len(UCODE):]
        assert tar.extractfile("kernel").read() == b"MZkernel" * 100
        assert tar.extractfile("cmdline").read() == b"console=ttyS0"


def test_several_formats_are_what_each_is_alone(keelson, images):
    run_build(keelson, "-f", "tar,docker", "--format", "kernel+initrd", "--format", "tar-kernel-initrd")
    names = ["a.tar", "a.docker", "a-kernel", "a-initrd.img", "a-cmdline", "a-initrd.tar"]
    together = {name: (keelson.home / name).read_bytes() for name in names}
    for name in names:
        (keelson.home / name).unlink()
    for form in ("tar", "docker", "kernel+initrd", "tar-kernel-initrd"):
        run_build(keelson, "-f", form)
    assert {name: (keelson.home / name).read_bytes() for name in names} == together


def test_formats_that_cannot_be_made_are_told_first(keelson, images):
    assert '"iso" and "iso-bios" at once: both are NAME.iso' in keelson.fails("build", "-f", "iso,iso-bios", "a.yml")
    assert "2 formats to x.tar" in keelson.fails("build", "-f", "tar,docker", "-o", "x.tar", "a.yml")
    done = keelson.run("build", "-f", "tar,floppy", "a.yml", check=False)
    assert done.returncode == 100 and '"floppy"' in done.stderr
    assert [p.name for p in keelson.home.iterdir() if p.name not in ("cache", "a.yml")] == []


def test_o_without_a_format_is_a_tar(keelson, images):
    run_build(keelson, "-o", "x.tar")
    run_build(keelson, "-f", "tar")
    assert (keelson.home / "x.tar").read_bytes() == (keelson.home / "a.tar").read_bytes()
    piped = keelson.run("build", "--offline", "--no-sbom", "-o", "-", "a.yml", text=False).stdout
    assert piped == (keelson.home / "a.tar").read_bytes()


@pytest.mark.parametrize("with_rc,entry", [(False, "/init"), (True, "/bin/rc.init")])
def test_docker_has_a_dockerfile_last(keelson, images, with_rc, entry):
    images.image("rc", {"init": b"x", "bin/rc.init": b"x"})
    run_build(keelson, "-f", "docker", yaml=YAML.replace("t/init", "t/rc") if with_rc else YAML)
    with tarfile.open(keelson.home / "a.docker") as tar:
        last = tar.getmembers()[-1]
        assert last.name == "Dockerfile" and last.pax_headers == {}
        text = tar.extractfile(last).read().decode()
    assert text.splitlines() == ["FROM scratch", "COPY . ./", f'ENTRYPOINT ["{entry}"]']


VMLINUX = b"\x7fELF" + b"kernel code " * 5000


@pytest.mark.parametrize("kernel", [gzip.compress(VMLINUX), bzimage(gzip.compress(VMLINUX)),
                                    bzimage(lzma.compress(VMLINUX) + len(VMLINUX).to_bytes(4, "little"))],
                         ids=["Image.gz", "bzImage-gzip", "bzImage-xz"])
def test_decompress_kernel(keelson, images, kernel):
    images.image("packed", {"kernel": kernel, "kernel.tar": modules()})
    yaml = YAML.replace("t/kernel", "t/packed")
    run_build(keelson, "-f", "kernel+initrd,tar", yaml=yaml)
    assert (keelson.home / "a-kernel").read_bytes() == kernel
    run_build(keelson, "-f", "kernel+initrd,tar", "--decompress-kernel")
    assert (keelson.home / "a-kernel").read_bytes() == VMLINUX
    with tarfile.open(keelson.home / "a.tar") as tar:
        assert tar.extractfile("boot/kernel").read() == VMLINUX


def test_a_kernel_that_is_not_compressed_cannot_be_decompressed(keelson, images):
    assert "leave --decompress-kernel out" in keelson.fails("build", "--offline", "--decompress-kernel", "a.yml")
    images.image("torn", {"kernel": bzimage(gzip.compress(noise(5000))[:2000]), "kernel.tar": modules()})
    (keelson.home / "a.yml").write_text(YAML.replace("t/kernel", "t/torn"))
    assert "could not decompress the kernel" in keelson.fails("build", "--offline", "--decompress-kernel", "a.yml")


def layer_image(images, blob, tar):
    """An image t/made whose one layer is this blob, and unpacks to this tar."""
    import hashlib
    from images import INDEX, LAYER, MANIFEST
    layer = images.blob(blob, LAYER + "+gzip")
    config = images.document({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/x"]}, "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]}})
    manifest = images.document({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]})
    index = images.document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {**manifest, "platform": {"os": "linux", "architecture": "amd64"}}]})
    images.name(index, "docker.io/t/made:latest")


def test_layers_of_many_gzip_members(keelson, images):
    """As estargz makes them; cut at odd places, with zeros behind the last."""
    tar = tar_of({"a": noise(200000), "b": b"b" * 100000})
    members = [tar[i:i + 70001] for i in range(0, len(tar), 70001)]
    layer_image(images, b"".join(gzip.compress(m, 6) for m in members) + b"\0" * 100, tar)
    run_build(keelson, "--compress", "none", yaml="init: [t/made]\n")
    files, _ = initrd(keelson.home / "a-initrd.img")
    assert files["a"] == noise(200000) and files["b"] == b"b" * 100000


@pytest.mark.parametrize("damage,what", [(lambda z: z[:-5], "cut off"), (lambda z: z[:100000], "cut off"),
                                         (lambda z: z[:-8] + b"\0\0\0\0" + z[-4:], "damaged")])
def test_a_damaged_gzip_layer_is_named(keelson, images, damage, what):
    tar = tar_of({"a": noise(200000)})
    layer_image(images, damage(gzip.compress(tar)), tar)
    (keelson.home / "a.yml").write_text("init: [t/made]\n")
    message = keelson.fails("build", "--offline", "a.yml")
    assert "image docker.io/t/made:latest, layer sha256:" in message and what in message


# --- parts that are kept ---

def parts(keelson):
    return sorted((keelson.cache / "segments").iterdir())


def test_a_part_that_was_kept_changes_nothing(keelson, images):
    run_build(keelson)
    cold = (keelson.home / "a-initrd.img").read_bytes()
    kept = {p.name: (p.read_bytes(), p.stat().st_ino) for p in parts(keelson)}
    assert len(kept) == 4  # kernel, init, two containers
    run_build(keelson)
    assert (keelson.home / "a-initrd.img").read_bytes() == cold
    assert {p.name: (p.read_bytes(), p.stat().st_ino) for p in parts(keelson)} == kept


def test_only_what_has_changed_is_made(keelson, images):
    run_build(keelson)
    done = keelson.run("-v", "build", "--offline", "--no-sbom", "a.yml")
    assert len(re.findall("has not changed", done.stderr)) == 4 and "is unpacked" not in done.stderr
    (keelson.home / "a.yml").write_text(YAML.replace("/bin/one", "/bin/other"))
    done = keelson.run("-v", "build", "--offline", "--no-sbom", "a.yml")
    assert "is unpacked" not in done.stderr
    files, _ = initrd(keelson.home / "a-initrd.img")
    assert json.loads(files["containers/services/one/config.json"])["process"]["args"] == ["/bin/other"]
    images.image("web2", {"bin/one": b"new"})
    (keelson.home / "a.yml").write_text(YAML.replace("t/web", "t/web2"))
    done = keelson.run("-v", "build", "--offline", "--no-sbom", "a.yml")
    assert [m for m in re.findall(r"debug: (\S+): \S+ is unpacked", done.stderr)] == ["services[0]"]


def test_quiet_in_a_pipe(keelson, images):
    done = run_build(keelson)
    assert done.stdout == "" and done.stderr == ""


def test_progress_on_a_terminal(keelson, images):
    """A line that says what is being done, drawn over and over, and in the end nothing. Nobody takes the tar, so it lasts."""
    images.image("big", {"bin/two": noise(1_000_000)})
    terminal, stderr = os.openpty()
    job = subprocess.Popen([COMMAND, "build", "--offline", "--no-sbom", "-f", "tar", "-o", "-", "--name", "a", "a.yml"], env=keelson.env,
                           cwd=keelson.home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr)
    os.close(stderr)
    shown = b""
    while len(lines := re.findall(rb"\r([^\r]+)\x1b\[K", shown)) < 3:
        shown += os.read(terminal, 4096)
    assert all(re.fullmatch(rb"-: (services\[1\]|files) \(\d+ of \d+\), \d+ s", line) for line in lines), lines
    tar = job.stdout.read()
    assert job.wait(120) == 0 and tarfile.open(fileobj=io.BytesIO(tar)).getnames()
    try:
        while more := os.read(terminal, 4096):
            shown += more
    except OSError:
        pass  # the other end is closed
    assert shown.endswith(b"\r\x1b[K")
    job.stdout.close()
    os.close(terminal)


def test_a_damaged_part_is_named_and_made_anew(keelson, images):
    run_build(keelson)
    cold = (keelson.home / "a-initrd.img").read_bytes()
    for n, damage in enumerate((lambda d: d[:len(d) // 2] + bytes([d[len(d) // 2] ^ 1]) + d[len(d) // 2 + 1:],
                                lambda d: d[:-1], lambda d: b"", lambda d: d + b"x")):
        victim = parts(keelson)[n]
        good = victim.read_bytes()
        victim.write_bytes(damage(good))
        done = run_build(keelson)
        assert victim.name in done.stderr and "made anew" in done.stderr
        assert (keelson.home / "a-initrd.img").read_bytes() == cold
        assert victim.read_bytes() == good


def test_what_is_no_file_is_named_and_gone_around(keelson, images):
    """A FIFO is not waited for, and its place taken; a folder is left where it is."""
    run_build(keelson)
    cold = (keelson.home / "a-initrd.img").read_bytes()
    victim, good = parts(keelson)[0], parts(keelson)[0].read_bytes()
    victim.unlink()
    os.mkfifo(victim)
    damaged = f"keelson: warning: {victim} is damaged (it is no file): it is made anew"
    assert run_build(keelson).stderr == damaged + "\n"
    assert (keelson.home / "a-initrd.img").read_bytes() == cold and victim.read_bytes() == good
    victim.unlink()
    victim.mkdir()
    for _ in range(2):
        assert run_build(keelson).stderr.splitlines() == [
            damaged, f"keelson: warning: could not keep {victim}: Is a directory"]
        assert (keelson.home / "a-initrd.img").read_bytes() == cold and len(parts(keelson)) == 4


def test_a_full_cache_keeps_nothing(keelson, images, tmp_path):
    """What is to be kept is told once, and made elsewhere."""
    run_build(keelson)
    want = (keelson.home / "a-initrd.img").read_bytes()
    shutil.rmtree(keelson.cache / "segments")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = ('mount -t tmpfs -o size=4m none "$1" && cp -r "$2" "$1/cache" && mkdir "$1/cache/segments" && '
              '{ ! cat /dev/zero >"$1/fill"; } 2>/dev/null && "$3" build --offline --no-sbom a.yml; '
              'status=$?; ls -A "$1/cache/segments"; exit $status')
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", script, "sh", disk, keelson.cache, COMMAND], cwd=keelson.home,
                          capture_output=True, text=True, check=False, timeout=60,
                          env=keelson.env | {"KEELSON_CACHE": str(disk / "cache")})
    assert done.returncode == 0, done.stderr
    assert (keelson.home / "a-initrd.img").read_bytes() == want and done.stdout == ""
    line, = done.stderr.splitlines()
    assert line.startswith(f"keelson: warning: could not keep parts of initrds in {disk}/cache/segments: ")
    assert line.endswith("No space left on device")


def test_the_parts_are_bounded(keelson, images):
    run_build(keelson, KEELSON_SEGMENTS_MIB="1")
    names = {p.name for p in parts(keelson)}
    assert sum(p.stat().st_size for p in parts(keelson)) < 1 << 20 and len(names) == 4
    images.image("huge", {"bin/two": noise(900000, 9)})
    for p in parts(keelson):
        os.utime(p, (1, 1))
    run_build(keelson, yaml="init: [t/huge]\n")
    left = {p.name for p in parts(keelson)}
    assert sum(p.stat().st_size for p in parts(keelson)) <= 1 << 20
    assert left - names and not names <= left  # the new one stays, and some old one has gone


def test_verify_makes_all_again(keelson, images):
    """A part that was kept, and would pass, must not stand in for the second build."""
    run_build(keelson)
    for p in parts(keelson):
        p.write_bytes(b"")
    run_build(keelson, "--verify")
    done = keelson.run("-v", "build", "--offline", "--no-sbom", "--verify", "a.yml")
    assert len(re.findall("has not changed", done.stderr)) == 4 and len(re.findall("is unpacked", done.stderr)) == 4


def test_every_format_is_in_the_help_and_in_the_manual(keelson):
    names = keelson.run("build", "--format", "?", "a.yml", check=False).stderr.partition("there are ")[2].strip().split(", ")
    assert "kernel+initrd" in names and len(names) > 20
    manual = (Path(__file__).parents[2] / "tools/keelson-build.1").read_text().replace("\\-", "-")
    for text in (keelson.run("build", "--help").stdout, manual):
        assert not set(names) - set(re.findall(r"[a-z0-9]+(?:[+-][a-z0-9]+)*", text))


def test_clean_removes_the_parts(keelson, images):
    run_build(keelson)
    keelson.run("cache", "clean")
    assert parts(keelson) == []


def test_a_cache_that_cannot_be_written_to_will_do(keelson, images):
    (keelson.cache / "segments").write_text("no folder")
    run_build(keelson)
    assert initrd(keelson.home / "a-initrd.img")[0]["etc/motd"] == b"hello"


def test_builds_side_by_side_and_killed(keelson, images):
    images.image("slow", {"bin/x": noise(8_000_000, 5)})
    yaml = YAML.replace("t/big", "t/slow")
    run_build(keelson, "--name", "want", yaml=yaml)
    want = (keelson.home / "want-initrd.img").read_bytes()
    for delay in (0.02, 0.1, 0.2):
        for p in parts(keelson):
            p.unlink()
        victim = keelson.start("build", "--offline", "--no-sbom", "--name", "victim", "a.yml")
        time.sleep(delay)
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
        jobs = [keelson.start("build", "--offline", "--no-sbom", "--name", f"b{i}", "a.yml") for i in range(4)]
        for job in jobs:
            assert job.communicate(timeout=120)[1] == "" and job.returncode == 0
        for i in range(4):
            assert (keelson.home / f"b{i}-initrd.img").read_bytes() == want
        assert not [p for p in parts(keelson) if p.name.startswith("new.")]


PEAK = """
import os, sys
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_mib(keelson, *args):
    """What a build had resident at most. A small process starts it: a child's peak begins with its parent's size."""
    done = subprocess.run(["/usr/bin/python3", "-c", PEAK, COMMAND, *args], env=keelson.env, cwd=keelson.home,
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) / 1024


def test_memory_does_not_grow_with_the_image(keelson, images):
    """100 MB in two images that are made at once, which the bound of 64 MiB would not hold."""
    block = noise(1 << 12) * 256
    images.image("wide", {f"d/{i}": block for i in range(50)})
    images.image("deep", {"one": block * 50})
    (keelson.home / "a.yml").write_text(YAML.replace("t/web", "t/wide").replace("t/big", "t/deep"))
    for form, how in (("kernel+initrd", "zstd"), ("kernel+initrd", "zstd"), ("kernel+initrd", "none"),
                      ("tar,docker,tar-kernel-initrd", "zstd")):
        peak = peak_mib(keelson, "build", "--offline", "-f", form, "--compress", how, "a.yml")
        assert peak < 64, (form, how, peak)
    images.image("noise", {"one": noise(2 << 20)})
    (keelson.home / "a.yml").write_text(YAML.replace("t/web", "t/noise"))
    for how in ("gzip", "xz"):
        peak = peak_mib(keelson, "build", "--offline", "--compress", how, "a.yml")
        assert peak < 64, (how, peak)


# --- inspect ---

def test_inspect_adds_up(keelson, images):
    run_build(keelson, "-f", "kernel+initrd,tar,tar-kernel-initrd")
    seen = json.loads(keelson.run("inspect", "--json", "a").stdout)
    files, hows = initrd(keelson.home / "a-initrd.img")
    items = {(p["part"], p["name"]): p for p in seen["parts"]}
    assert items["services", "two"]["size"] == sum(len(d) for n, d in files.items() if "services/two/" in n and d)
    assert items["services", "two"]["size"] > 305000 and items["modules", "lib/modules"]["size"] == 4
    assert seen["cmdline"] == "console=ttyS0" and seen["kernel"]["size"] == 800
    assert seen["initrd"] == {"size": (keelson.home / "a-initrd.img").stat().st_size, "members": len(hows)}
    total = sum(p["compressed"] for p in seen["parts"])
    assert seen["initrd"]["size"] - 4 * len(hows) - len(items) <= total <= seen["initrd"]["size"] + len(items)
    assert 300000 <= items["services", "two"]["compressed"] <= 306000  # noise, a text that is nothing, config.json
    tar = json.loads(keelson.run("inspect", "--json", "a.tar").stdout)
    assert {(p["part"], p["name"]): p["size"] for p in tar["parts"]} == {k: p["size"] for k, p in items.items()}
    assert "least_memory_mib" not in tar
    assert json.loads(keelson.run("inspect", "--json", "a-initrd.tar").stdout)["parts"] == seen["parts"]
    text = keelson.run("inspect", "a").stdout
    assert re.search(r"^services +two +\d+ +0\.3 +0\.3$", text, re.M)


def uki_of(sections):
    """A PE program for amd64 of nothing but sections, each rounded up in the file."""
    head = bytearray(0x400)
    head[:2], head[0x3c:0x40], head[0x80:0x84] = b"MZ", (0x80).to_bytes(4, "little"), b"PE\0\0"
    head[0x84:0x88] = struct.pack("<HH", 0x8664, len(sections))
    body = b""
    for i, (name, data) in enumerate(sections.items()):
        padded = data + bytes(-len(data) % 512)
        struct.pack_into("<8sIIII", head, 0x98 + 40 * i, name.encode(), len(data), 0x1000 * i, len(padded),
                         len(head) + len(body))
        body += padded
    return bytes(head) + body


def test_inspect_of_a_uki(keelson, images):
    run_build(keelson)
    want = json.loads(keelson.run("inspect", "--json", "a").stdout)
    files = {".linux": "kernel", ".cmdline": "cmdline", ".initrd": "initrd.img"}
    uki = uki_of({".text": b"stub", **{name: (keelson.home / f"a-{file}").read_bytes() for name, file in files.items()}})
    (keelson.home / "u.efi").write_bytes(uki)
    seen = json.loads(keelson.run("inspect", "--json", "u.efi").stdout)
    assert seen.pop("firmware") == "efi" and want.pop("least_memory_mib") > 0
    assert {**seen, "name": "a"} == want
    text = keelson.run("inspect", "u.efi").stdout
    assert "firmware      UEFI\n" in text and "command line  console=ttyS0\n" in text and "memory" not in text
    (keelson.home / "u.efi").write_bytes(uki[:-1024])
    assert "u.efi: it is cut off in its section .initrd" in keelson.fails("inspect", "u.efi")
    at = uki.index(b".linux")
    far = uki[:at + 8] + b"\xff" * 16 + uki[at + 24:]
    (keelson.home / "u.efi").write_bytes(far)
    assert "u.efi: it is cut off in its section .linux" in keelson.fails("inspect", "u.efi")


def test_inspect_draws(keelson, images):
    import xml.etree.ElementTree as tree
    run_build(keelson)
    root = tree.fromstring(keelson.run("inspect", "--svg", "a").stdout)
    ns = "{http://www.w3.org/2000/svg}"
    boxes = {g.find(ns + "title").text.split(":")[0]: g.find(ns + "rect") for g in root.iter(ns + "g")}
    area = {name: float(r.get("width")) * float(r.get("height")) for name, r in boxes.items()}
    seen = {f"{p['part']} {p['name']}": p["size"] for p in json.loads(keelson.run("inspect", "--json", "a").stdout)["parts"]}
    assert area.keys() == seen.keys()
    assert abs(area["services two"] / sum(area.values()) - seen["services two"] / sum(seen.values())) < 0.01
    for r in boxes.values():
        assert float(r.get("x")) >= -0.1 and float(r.get("x")) + float(r.get("width")) <= 1200.1
        assert float(r.get("y")) >= 39.9 and float(r.get("y")) + float(r.get("height")) <= 740.1


@pytest.mark.parametrize("damage", [lambda d: d[:len(d) // 2], lambda d: d + b"junk", lambda d: b"\x28\xb5\x2f\xfd" + d[10:]])
def test_inspect_of_what_is_damaged(keelson, images, damage):
    run_build(keelson)
    path = keelson.home / "a-initrd.img"
    path.write_bytes(damage(path.read_bytes()))
    assert "a-initrd.img: " in keelson.fails("inspect", "a")


def test_inspect_of_what_it_cannot_read(keelson, images):
    assert "there is neither nothing-initrd.img nor a file of that name" in keelson.fails("inspect", "nothing")
    assert keelson.run("inspect", check=False).returncode == 100
