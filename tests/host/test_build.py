# SPDX-License-Identifier: Apache-2.0
"""`keelson build` as a command: options, templates, and the same bytes whoever builds, when and where."""
import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from builds import Images, build, refused, tar_with
from conftest import COMMAND, DEADLINE_SECONDS
from images import bzimage

YAML = """kernel: {image: t/kernel, cmdline: "console=ttyS0"}
init: [t/init]
onboot: [{name: one, image: t/init, capabilities: [CAP_NET_ADMIN]}]
services: [{name: two, image: t/label, binds: ["/a:/b"]}]
files:
  - {path: etc/x, contents: "x\\u00e4\\n", mode: "0644"}
  - {path: etc/from, source: source, mode: "0600"}
  - {path: etc/meta.yml, metadata: yaml}
"""


@pytest.fixture
def images(keelson):
    out = Images(keelson.cache)
    out.image("kernel", {"kernel": b"bzImage" * 1000, "kernel.tar": tar_with([({"name": "lib/modules/m.ko"}, b"m")])})
    out.image("init", tar_with([({"name": "bin/x", "mode": 0o4755}, b"x"), ({"name": "bin/hard", "type": b"1", "linkname": "bin/x"}, None),
                                ({"name": "lib/\u00e4\u00f6", "mode": 0o640, "mtime": 1234567890, "uid": 5}, b"umlauts"),
                                ({"name": "dev/node", "type": b"3", "devmajor": 1, "devminor": 7}, None),
                                ({"name": "sym", "type": b"2", "linkname": "bin/x"}, None)]))
    out.image("label", {"bin/y": b"y"}, config={"Labels": {"org.mobyproject.config": '{"readonly": true}'}})
    (keelson.home / "source").write_text("source\n")
    (keelson.home / "t.yml").write_text(YAML)
    return out


def test_the_outputs_are_called_after_the_last_file(keelson, images):
    """As LinuxKit's: what is common to many comes before what one appliance has of its own."""
    (keelson.home / "own.yml").write_text("services: []\n")
    keelson.run("build", "--offline", "--no-sbom", "t.yml", "own.yml")
    assert (keelson.home / "own-kernel").exists() and not (keelson.home / "t-kernel").exists()


def test_what_a_kernel_lacks_is_told_where_it_is_said(keelson, images):
    """Of several files, in the one that counts."""
    for text, says in (("{image: t/none}", "2:11: image docker.io/t/none"), ("{binary: vmlinuz}", '2:12: could not find "vmlinuz" in'),
                       ("{tar: no.tar}", '2:9: could not find "no.tar" in'), ('{image: "", binary: x}', '2:23: could not find "x" in'),
                       ("{image: t/init}", '2:11: could not find "kernel" in')):
        (keelson.home / "own.yml").write_text(f"kernel:\n  {text}\n")
        message = keelson.fails("build", "--offline", "--no-sbom", "t.yml", "own.yml")
        assert message.startswith(f"keelson: own.yml:{says}"), message


def test_every_flag_can_be_told_to_be_off(keelson):
    """The last word counts, as with LinuxKit."""
    (keelson.home / "t.yml").write_text("files: [{path: f, contents: x}]\n")
    for flag in ("pull", "offline", "docker", "no-sbom", "decompress-kernel", "sbom-current-time"):
        keelson.run("build", "-f", "tar", f"--{flag}=false", "t.yml")
        keelson.run("build", "-f", "tar", f"-{flag}", f"--{flag}=F", "t.yml")
        assert f"could not understand --{flag}=no: want true or false" in keelson.run(
            "build", "-f", "tar", f"--{flag}=no", "t.yml", check=False).stderr
    (keelson.home / "i.yml").write_text("init: [127.0.0.1:1/t/x]\n")
    assert "--offline" in keelson.fails("build", "--offline", "i.yml")
    assert "--offline" not in keelson.fails("build", "--offline", "--offline=false", "i.yml")


def test_an_unknown_format_comes_first(keelson, images):
    (keelson.home / "wrong.yml").write_text("nonsense: 1\n")
    message = keelson.run("build", "-f", "nonsense", "wrong.yml", check=False).stderr
    assert '"nonsense"' in message and "unknown key" not in message
    assert "unknown key" in keelson.fails("build", "-f", "tar", "wrong.yml")


@pytest.mark.parametrize("words, code, says", [
    (["--dry-run=maybe", "t.yml"], 100, "want true or false"), (["--nonsense", "t.yml"], 100, "nonsense"),
    ([], 100, "which file"), (["--compress", "lzma", "t.yml"], 100, "lzma"), (["--size", "x", "t.yml"], 100, "--size x"),
    (["--root", "zfs", "t.yml"], 100, "zfs"), (["--cache"], 100, "cache"),
    (["--name", "//", "t.yml"], 100, "could not use --name //: want a name for the output files"),
])
def test_misuse(keelson, images, words, code, says):
    done = keelson.run("build", *words, check=False)
    assert done.returncode == code and says in done.stderr
    assert not list(keelson.home.glob("t-*"))


@pytest.mark.parametrize("words, name", [
    (["--name", ""], "t"), (["--dir", ""], "t"), (["--o", ""], "t"), (["--name", "", "--dir", "", "--o", ""], "t"),
    (["--name", "other/"], "other"), (["--name", "out//", "--dir", "d"], "d/out"),
])
def test_what_is_empty_is_not_given(keelson, images, words, name):
    """As with LinuxKit, whose default each of them is."""
    (keelson.home / "d").mkdir()
    keelson.run("build", "-f", "kernel+initrd", *words, "t.yml")
    assert sorted(str(p.relative_to(keelson.home)) for p in keelson.home.rglob("*-*") if keelson.cache not in p.parents) == [
        f"{name}-{part}" for part in ("cmdline", "initrd.img", "kernel")]
    assert not (keelson.home / "-kernel").exists()


def test_all_that_is_wrong_is_told_at_once(keelson, images):
    """Of the file as such, of fields that need the whole configuration, of sources: each with its place and its line."""
    (keelson.home / "wrong.yml").write_text("""init: [t/init, Capital]
volumes: [{name: fixed, readonly: true}]
services:
  - name: web
    image: t/init
    capabilties: []
    binds: ["/a:/b", "x", "nowhere:/c", "fixed:/d"]
    binds.add: ["y"]
    uid: nobody
    additionalGids: [1, nogroup]
    oomScoreAdj: many
  - {name: two, image: t/label, capabilities: [CAP_KILL, CAP_X], rlimits: ["x,1,2"], ambient: [no], seccomp: /none, tmpfs: [7]}
  - name: three
    image: t/init
    tmpfs: ["/t", "/a:b:c"]
    devices:
      - {path: /dev/x, type: c}
    mounts: [{destination: /m}]
files:
  - {path: a, source: /none/such}
  - {path: b, contents: x, gid: nogroup}
""")
    done = keelson.run("build", "--offline", "wrong.yml", check=False)
    told = [line.split(": ")[1].removeprefix("wrong.yml:") for line in done.stderr.splitlines() if line.startswith("keelson: ")]
    assert done.returncode == 1 and not list(keelson.home.glob("*wrong-*"))
    assert sorted(told, key=lambda place: [int(n) for n in place.split(":")]) == [
        "1:16", "6:5", "7:22", "7:27", "7:41", "9:10", "10:25", "11:18", "12:58", "12:76", "12:96", "12:110", "12:125", "15:19", "17:9",
        "18:14", "20:5", "21:5"]
    assert '    7 |     binds: ["/a:/b", "x", ' in done.stderr


def test_what_a_label_has_wrong_is_told_of_every_container(keelson, images):
    for name, label in (("bad", {"binds": ["x"]}), ("worse", {"nonsense": 1})):
        images.image(name, {"x": b""}, config={"Labels": {"org.mobyproject.config": json.dumps(label)}})
    (keelson.home / "t.yml").write_text("services:\n- {name: a, image: t/bad}\n- {name: b, image: t/worse}\n")
    done = keelson.run("build", "--offline", "t.yml", check=False)
    assert done.returncode == 1
    for says in ('t.yml:2:3: the bind "x"', "t.yml:3:3: label org.mobyproject.config of t/worse:1:2: unknown key"):
        assert says in done.stderr


def test_keys_of_the_users_own_are_kept(keelson, images):
    """However they begin, wherever a configuration is written."""
    text = ("services:\n  - name: a\n    image: t/init\n    annotations: {'@x': y, '@': z}\n    sysctl: {'@s': v}\n"
            "files:\n  - {path: m, metadata: json}\n")
    built = build(keelson, text)
    config = built.json("containers/services/a/config.json")
    assert config["annotations"] == {"@x": "y", "@": "z"} and config["linux"]["sysctl"] == {"@s": "v"}
    assert built.json("m")["services"] == [{"name": "a", "image": "docker.io/t/init", "annotations": {"@x": "y", "@": "z"},
                                            "sysctl": {"@s": "v"}}]
    (keelson.home / "k.yml").write_text(text)
    shown = keelson.run("build", "--dry-run", "k.yml").stdout
    assert "'@x': \"y\"" in shown and "'@': z" in shown and "'@s': v" in shown and shown.count("@") == 3


def test_options_are_read_as_linuxkit_reads_them(keelson, images):
    plain = keelson.run("build", "--dry-run", "t.yml").stdout
    for words in (["-dry-run", "t.yml"], ["--dry-run=true", "t"], ["t.yml", "--dry-run"], ["--dry-run=false", "-dry-run=T", "t.yml"]):
        assert keelson.run("build", *words).stdout == plain
    assert "--sbom-current-time" in keelson.run("build", "--help").stdout
    for words in (["-v"], ["-v", "2"], ["-v3"], ["--verbose=1"], ["--verbose", "0"], ["-q"], ["--config", "t.yml"], ["--config=t.yml", "-v", "1"]):
        assert keelson.run(*words, "build", "--dry-run", "t.yml").stdout == plain
    loud, quiet = (keelson.run(*words, "build", "--no-sbom", "-f", "tar", "t.yml").stderr for words in (["-v", "2"], ["-v", "0"]))
    assert "debug" in loud and quiet == ""
    done = keelson.run("--config", "missing", "build", "t.yml", check=False)
    assert done.returncode == 100 and "could not read the configuration missing" in done.stderr
    assert keelson.run("-v9", "build", "t.yml", check=False).returncode == 100


def test_templates(keelson, images):
    """@pkg: is the package's tag, seen from the YAML; what it resolves to is in the metadata and in the dry run."""
    package = keelson.home / "repo/pkg/mine"
    package.mkdir(parents=True)
    (package / "build.yml").write_text("image: mine\norg: team\n")
    (package / "Dockerfile").write_text("FROM scratch\n")
    subprocess.run("git init -q && git add -A && git -c user.name=t -c user.email=t@example.org commit -qm x", shell=True,
                   cwd=keelson.home / "repo", check=True, timeout=DEADLINE_SECONDS)
    tag = keelson.run("pkg", "show-tag", package).stdout.strip()
    assert tag.startswith("team/mine:")
    (keelson.home / "repo/a.yml").write_text(
        'init: ["@pkg:./pkg/mine"]\nservices:\n  - name: a\n    image: "@pkg:pkg/mine"\n    env: ["I=1", "@pkg:pkg/mine"]\n'
        f'files:\n  - {{path: tag, contents: "@pkg:{package}"}}\n  - {{path: not, contents: "see @pkg:x"}}\n')
    out = keelson.run("build", "--dry-run", "repo/a.yml").stdout
    assert out.count(tag) == 4 and "see @pkg:x" in out and out.count("@pkg:") == 1
    (keelson.home / "repo/b.yml").write_text('services:\n  - name: a\n    image: "@pkg:./nowhere"\n')
    message = keelson.fails("build", "--dry-run", "repo/b.yml")
    assert message.startswith("keelson: repo/b.yml:3:12: could not resolve @pkg:./nowhere: ")


def test_the_tar_of_an_earlier_build(keelson, images):
    keelson.run("build", "--offline", "-f", "tar", "-o", "old.tar", "t.yml")
    keelson.run("build", "--offline", "-f", "tar", "-o", "new.tar", "--input-tar", "old.tar", "t.yml")
    assert (keelson.home / "new.tar").read_bytes() == (keelson.home / "old.tar").read_bytes()
    for words, why in (("nowhere.tar", "No such file"), ("t.yml", "no tar archive")):
        done = keelson.run("build", "--input-tar", words, "t.yml", check=False)
        assert done.returncode == 100 and f"--input-tar {words}: " in done.stderr and why in done.stderr


@pytest.fixture
def public():
    """A folder that every user gets into, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="keelson-test-") as path:
        os.chmod(path, 0o755)
        yield Path(path)


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir() if p.suffix != ".yml"}


@pytest.mark.parametrize("formats", ["kernel+initrd", "tar"])
def test_the_same_bytes(keelson, images, formats, public):
    """Another day, user, umask, locale, time zone, folder, cache, and a warm cache: nothing changes."""
    other = public / "else where"
    shutil.copytree(keelson.cache, other / "cache")
    os.utime(other / "cache/index.json", (0, 0))
    shutil.copy(keelson.home / "source", other / "source")
    os.chmod(other / "source", 0o600)
    subprocess.run(["chmod", "-R", "a+rwX", other], check=True)
    environments = [
        (keelson.home, [], {}), (keelson.home, [], {}),
        (other, ["faketime", "2031-07-01 03:04:05"], {"TZ": "Asia/Tokyo", "LC_ALL": "C", "KEELSON_CACHE": str(other / "cache")}),
        (other, ["sh", "-c", 'umask 077; exec "$@"', "sh"], {"LC_ALL": "tr_TR.UTF-8", "LANG": "de_DE.UTF-8", "HOME": str(other), "KEELSON_CACHE": str(other / "cache")}),
    ]
    if os.geteuid() == 0:
        environments.append((other, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
                             {"HOME": str(other), "KEELSON_CACHE": str(other / "cache")}))
    seen = []
    for number, (cwd, before, env) in enumerate(environments):
        out = cwd / f"out{number}"
        out.mkdir()
        out.chmod(0o777)
        (cwd / "t.yml").write_text(YAML)
        subprocess.run([*before, COMMAND, "build", "--offline", "-f", formats, "--dir", str(out), "t.yml"], check=True,
                       cwd=cwd, env=keelson.env | env, timeout=DEADLINE_SECONDS)
        seen.append(digests(out))
    assert seen[0] and all(s == seen[0] for s in seen)


@pytest.mark.parametrize("words", [
    ["-f", "kernel+initrd", "--no-sbom"], ["-f", "tar,tar-kernel-initrd", "--no-sbom"], ["-f", "tar"],
    ["-f", "tar", "--no-sbom", "--decompress-kernel"]])
def test_temporary_files_are_where_tmpdir_says(keelson, images, words):
    """And nowhere else: a full /tmp does not matter."""
    images.image("kernel", {"kernel": gzip.compress(b"k" * 1000), "kernel.tar": tar_with([])})
    keelson.env["TMPDIR"] = str(keelson.home / "tmp")
    assert f"could not create a temporary file in {keelson.home}/tmp" in keelson.fails("build", "--offline", *words, "t.yml")
    (keelson.home / "tmp").mkdir()
    keelson.run("build", "--offline", *words, "t.yml")
    assert not list((keelson.home / "tmp").iterdir())


def test_a_failed_build_leaves_the_old_files(keelson, images):
    for options, name in ((["-f", "tar"], "t.tar"), ([], "t-initrd.img")):
        keelson.run("build", *options, "t.yml")
        before = (keelson.home / name).read_bytes()
        (keelson.home / "source").unlink()
        assert "could not read source" in keelson.fails("build", *options, "t.yml")
        assert (keelson.home / name).read_bytes() == before
        (keelson.home / "source").write_text("source\n")
    assert not [p for p in keelson.home.iterdir() if p.name.startswith(".t")]


def entries_of(built):
    return {name: (m.type, m.mode, m.uid, m.gid, m.size, m.linkname) for name, m in built.entries.items()}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(keelson, images, number):
    """Neither half-written files nor those that they are written to, aside."""
    images.image("init", {"bin/x": os.urandom(20_000_000)})  # xz has seconds to do with it
    temporary = keelson.home / "tmp"
    temporary.mkdir()
    keelson.env["TMPDIR"] = str(temporary)
    before = {p.name for p in keelson.home.iterdir()}
    job = keelson.start("build", "--offline", "--compress", "xz", "-f", "tar,kernel+initrd,tar-kernel-initrd", "t.yml")
    segments = keelson.cache / "segments"
    while job.poll() is None and (len(list(keelson.home.glob(".*"))) < 4 or not list(segments.glob(".new.*"))):
        time.sleep(0.01)
    job.send_signal(number)
    job.communicate(timeout=DEADLINE_SECONDS)
    assert job.returncode == -number
    assert {p.name for p in keelson.home.iterdir()} == before and not list(temporary.iterdir())
    assert not list(segments.glob(".*"))


def test_what_a_killed_build_left_goes_with_the_next(keelson, images):
    images.image("init", {"bin/x": os.urandom(20_000_000)})
    words = ("build", "--offline", "--compress", "xz", "-f", "tar,kernel+initrd,tar-kernel-initrd", "t.yml")
    job = keelson.start(*words)
    while job.poll() is None and len(list(keelson.home.glob(".*"))) < 4:
        time.sleep(0.01)
    job.kill()
    job.communicate(timeout=DEADLINE_SECONDS)
    assert len(list(keelson.home.glob(".*"))) >= 4
    (keelson.cache / "segments/.new.keelson-abcdef").write_bytes(b"")
    images.image("init", {"bin/x": b"x"})
    keelson.run(*words)
    assert not list(keelson.home.glob(".*")) and not list((keelson.cache / "segments").glob(".*"))


@pytest.mark.parametrize("form, name", [("tar", "t.tar"), ("kernel+initrd", "t-initrd.img"), ("iso", "t.iso"),
                                        ("kernel+squashfs", "t-squashfs.img")])
def test_links_are_written_through(keelson, images, form, name):
    images.image("kernel", {"kernel": bzimage(b"k" * 1000), "kernel.tar": tar_with([])})
    (keelson.home / "sub").mkdir()
    (keelson.home / name).symlink_to("sub/real")
    for _ in range(2):
        keelson.run("build", "--offline", "-f", form, "t.yml")
        assert (keelson.home / name).is_symlink() and [p.name for p in (keelson.home / "sub").iterdir()] == ["real"]
    assert (keelson.home / "sub/real").stat().st_size > 1000


def test_others_read_the_tar(keelson, images, tmp_path):
    """What Python sees in it, GNU tar and bsdtar see, too."""
    built = build(keelson, YAML, sbom=True)
    names = sorted(built.entries)
    for program in ("tar", "bsdtar"):
        done = subprocess.run([program, "-tf", keelson.home / "t.tar"], capture_output=True, check=True, timeout=DEADLINE_SECONDS,
                              env=os.environ | {"LC_ALL": "C.UTF-8"}, text=True)
        listed = sorted({bytes(n, "utf-8").decode("unicode_escape").encode("latin-1").decode("utf-8").rstrip("/") if "\\" in n else n.rstrip("/")
                         for n in done.stdout.splitlines()})
        assert listed == names, program
        out = tmp_path / program
        out.mkdir()
        subprocess.run([program, "-xf", keelson.home / "t.tar", "-C", out, "--exclude", "dev/node", "--exclude", "*/dev/node"],
                       check=True, capture_output=True, timeout=DEADLINE_SECONDS, env=os.environ | {"LC_ALL": "C.UTF-8"})
        assert (out / "bin/x").read_bytes() == b"x" and os.path.samefile(out / "bin/x", out / "bin/hard")
        assert (out / "bin/x").stat().st_mode & 0o777 == 0o755 and (out / "lib/\u00e4\u00f6").read_bytes() == b"umlauts"
        assert os.readlink(out / "sym") == "bin/x" and (out / "etc/x").read_text() == "x\u00e4\n"


def test_others_read_the_initrd(keelson, images, tmp_path):
    """GNU cpio, one archive after another, as the kernel does: the same tree as the tar's."""
    built = build(keelson, YAML, sbom=True)
    keelson.run("build", "--compress", "none", "t.yml")
    # The archives are padded; cpio stops after each one's trailer.
    done = subprocess.run(["sh", "-c", "while cpio -it --quiet 2>/dev/null; do :; done"], capture_output=True, timeout=DEADLINE_SECONDS,
                          stdin=open(keelson.home / "t-initrd.img", "rb"), check=False)
    listed = {n for n in done.stdout.decode().split("\n") if n}
    wanted = {n for n in built.entries if n not in ("boot/kernel", "boot/cmdline")}
    assert wanted - listed == set() and listed - wanted <= {".", "boot"}


@pytest.mark.parametrize("form", ["tar,raw-bios", "kernel+initrd,raw-bios", "tar,kernel+squashfs,uki",
                                  "docker,tar-kernel-initrd,iso"])
def test_a_build_that_fails_replaces_nothing(keelson, images, form):
    """Not even the formats that were finished before the one that could not be made: the kernel is none."""
    images.image("kernel", {"kernel": b"no kernel", "kernel.tar": tar_with([])})
    names = [f"t{suffix}" for suffix in (".tar", "-kernel", "-initrd.img", "-cmdline", "-bios.img", "-squashfs.img",
                                         ".efi", ".docker", "-initrd.tar", ".iso")]
    for name in names:
        (keelson.home / name).write_text("old")
    before = {p.name for p in keelson.home.iterdir()}
    assert "neither an x86 bzImage" in keelson.fails("build", "--offline", "-f", form, "t.yml")
    assert {p.name for p in keelson.home.iterdir()} == before
    assert all((keelson.home / name).read_text() == "old" for name in names)


@pytest.mark.parametrize("form, folder", [("tar,kernel+initrd", "t-initrd.img"), ("tar,iso", "t.iso"),
                                          ("tar,kernel+squashfs", "t-squashfs.img")])
def test_a_folder_that_has_an_outputs_name(keelson, images, form, folder):
    images.image("kernel", {"kernel": bzimage(b"k" * 1000), "kernel.tar": tar_with([])})
    (keelson.home / folder).mkdir()
    (keelson.home / "t.tar").write_text("old")
    message = keelson.fails("build", "--offline", "-f", form, "t.yml")
    assert message.endswith(f" ./{folder}: Is a directory")
    assert (keelson.home / "t.tar").read_text() == "old"


@pytest.mark.parametrize("word", ["binary", "tar"])
def test_what_the_kernel_image_does_not_have_is_named(keelson, images, word):
    for form in ("tar", "kernel+initrd"):
        (keelson.home / "k.yml").write_text(f"kernel: {{image: t/kernel, {word}: nothing.cpio}}\ninit: [t/init]\n")
        message = keelson.fails("build", "--offline", "-f", form, "k.yml")
        assert message.endswith('could not find "nothing.cpio" in the kernel image docker.io/t/kernel:latest; '
                                f"see kernel.{word}")


def test_microcode_that_is_not_there_is_told_of(keelson, images):
    """LinuxKit leaves it out, and nobody hears of it. Once, whether the kernel was kept from an earlier build or not."""
    (keelson.home / "k.yml").write_text("kernel: {image: t/kernel, ucode: intel-ucode.cpio}\ninit: [t/init]\n")
    for form in ("tar", "kernel+initrd", "kernel+initrd", "tar,kernel+initrd"):
        said = keelson.run("build", "--offline", "--verify", "-f", form, "k.yml").stderr
        assert said == ('keelson: warning: there is no "intel-ucode.cpio" in the kernel image docker.io/t/kernel:latest: '
                        "the appliance has no microcode; see kernel.ucode in the YAML\n")
    for none in ("none", "''"):
        (keelson.home / "k.yml").write_text(f"kernel: {{image: t/kernel, tar: {none}, ucode: {none}}}\ninit: [t/init]\n")
        assert keelson.run("build", "--offline", "-f", "tar", "k.yml").stderr == ""


def test_names_that_are_no_utf8(keelson, images, tmp_path):
    """GNU tar, bsdtar and Python have them as they are, and none fails."""
    odd, far = "bin/\udcff\udcfe", "lib/" + "x" * 120 + "\udce9"
    images.image("odd", tar_with([({"name": odd}, b"odd"), ({"name": far}, b"far"),
                                  ({"name": "odd-link", "type": b"2", "linkname": "\udcff"}, None),
                                  ({"name": "odd-hard", "type": b"1", "linkname": odd}, None)]))
    built = build(keelson, "init: [t/odd]\n")
    assert built.read(odd) == b"odd" and built.read(far) == b"far" and built.entries["odd-link"].linkname == "\udcff"
    for program in ("tar", "bsdtar"):
        for locale in ("C", "C.UTF-8"):
            out = tmp_path / program / locale
            out.mkdir(parents=True)
            subprocess.run([program, "-xf", keelson.home / "t.tar", "-C", out, "--exclude", "dev/*"], check=True,
                           capture_output=True, timeout=DEADLINE_SECONDS, env=os.environ | {"LC_ALL": locale})
            assert (out / odd).read_bytes() == b"odd" and (out / far).read_bytes() == b"far"
            assert os.path.samefile(out / odd, out / "odd-hard") and os.readlink(out / "odd-link") == "\udcff"
