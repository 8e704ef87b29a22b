# SPDX-License-Identifier: Apache-2.0
"""`keelson` itself: what stands before the command, and the completion of words."""
import json
import re
import subprocess

import pytest
from builds import Images
from conftest import COMMAND, REPO
from images import bzimage


def test_options_before_the_command(keelson, filled, tmp_path):
    """LinuxKit's: the cache, certificates, mirrors."""
    ref = f"{filled.host}/t/one:1"
    keelson.run(f"--cache={tmp_path}/a", "cache", "pull", ref)
    assert "1 images" in keelson.run("-cache", tmp_path / "a", "cache", "verify").stdout
    assert "0 images" in keelson.verify()
    assert f"{tmp_path}/none.pem" in keelson.run("-cert-file", tmp_path / "none.pem", "cache", "pull", ref,
                                                 check=False).stderr
    keelson.run("--mirror", f"docker.io=http://{filled.host}", "cache", "pull", "t/one:1")
    assert "info: pulling" in keelson.run("-v", "cache", "pull", ref).stderr
    for wrong in (["--mirror"], ["--frobnicate", "cache", "ls"], ["-q"], ["nothing"]):
        assert keelson.run(*wrong, check=False).returncode == 100


def test_help_and_man_page_have_every_format(keelson):
    """keelson-build(1) has a table row for each; what is told there and what --help lists is the same, and is taken."""
    page = (REPO / "tools/keelson-build.1").read_text().replace(r"\-", "-")
    rows = re.findall(r"^([a-z0-9+, -]+)\tNAME", page, re.M)
    formats = [name for row in rows for name in row.split(", ")]
    assert len(formats) > 15
    listed = re.search(r"--format FORMAT(.*?)\n  --", keelson.run("build", "--help").stdout, re.S)[1]
    assert [name for name in formats if not re.search(rf"(?<![\w+-]){re.escape(name)}(?![\w+-])", listed)] == []
    for name in formats:
        assert "there is none" not in keelson.run("build", "-f", name, "none.yml", check=False).stderr


@pytest.mark.parametrize("command", ["", "cache", "pkg"])
def test_without_a_word_the_usage_is_told(keelson, command):
    done = keelson.run(*command.split(), check=False)
    assert done.returncode == 100 and done.stdout == "" and done.stderr.startswith(f"usage: keelson {command}".rstrip())
    done = keelson.run(*command.split(), "x", check=False)
    assert done.returncode == 100 and f'unknown command "{command} x"'.replace('" x', '"x') in done.stderr


@pytest.mark.parametrize("words", [["--arch", "amd46"], ["--platforms", "linux/amd64,linux/amd46"],
                                   ["--skip-platforms", "amd46,arm64"], ["--arch=amd46"], ["--arch", "amd64,,amd46"]])
def test_a_misspelt_architecture_is_no_empty_list(keelson, tmp_path, words):
    (tmp_path / "build.yml").write_text("image: x\n")
    for command in ("build", "push", "show-tag", "manifest"):
        done = keelson.run("pkg", command, *words, tmp_path, check=False)
        assert done.returncode == 100
        assert re.search('^keelson: unknown architecture "(linux/amd46|amd46|)"; use amd64, arm64, ', done.stderr)


@pytest.mark.parametrize("words, found", [
    ([""], {"build", "cache", "completion", "console", "inspect", "metadata", "pkg", "run", "serve", "stop",
            "version"}),
    (["ca"], {"cache"}),
    (["cache", ""], {"clean", "export", "gc", "import", "ls", "pull", "push", "rm", "verify"}),
    (["pkg", "re"], {"remote-tag"}),
    (["build", "--off"], {"--offline"}),
    (["cache", "import", f"{REPO}/READ"], {f"{REPO}/README.md"}),
])
def test_words_are_completed(keelson, words, found):
    script = ('. <(keelson completion bash); COMP_WORDS=(keelson "$@"); COMP_CWORD=$#; _keelson; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, "bash", *words], check=True, capture_output=True, text=True, timeout=60,
                          env={**keelson.env, "PATH": f"{COMMAND.rpartition('/')[0]}:{keelson.env['PATH']}"})
    assert set(done.stdout.split()) == found and not done.stderr
    assert keelson.run("completion", "zsh", check=False).returncode == 100


@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_nothing_is_printed_into_the_output(keelson, closed):
    """A file that is opened while standard error is closed must not become standard error."""
    Images(keelson.cache).image("init", {"bin/x": b"x"})
    (keelson.home / "a.yml").write_text("init: [t/init]\n")
    words = ["-v", "build", "--offline", "--no-sbom", "--format", "tar,kernel+initrd", "--name"]
    keelson.run(*words, "want", "a.yml")
    subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", COMMAND, *words, "have", "a.yml"], env=keelson.env,
                   cwd=keelson.home, check=True, timeout=60)
    for name in (".tar", "-initrd.img"):
        assert (keelson.home / f"have{name}").read_bytes() == (keelson.home / f"want{name}").read_bytes()


def test_a_closed_standard_output_takes_nothing(keelson):
    (keelson.home / "a.yml").write_text("files: [{path: a, contents: x}]\n")
    for words in ("build --no-sbom -o - a.yml", "build --dry-run a.yml", "version"):
        done = subprocess.run(["sh", "-c", f"exec {COMMAND} {words} >&-"], env=keelson.env, cwd=keelson.home, check=False,
                              timeout=60, capture_output=True)
        assert done.returncode == 1, words


@pytest.mark.parametrize("why, words", [
    ("there is no such file", ["nowhere"]),
    ("could not write none/x.svg", ["--boot-chart", "none/x.svg", "a"]),
    ("could not find qemu-system-x86_64", ["--accel", "tcg", "a"]),
])
def test_a_machine_that_cannot_be_started_has_no_verdict(keelson, why, words):
    """Who reads the verdict's JSON gets one in any case, unless it is our words that are wrong."""
    for name, data in (("kernel", bzimage(b"code")), ("initrd.img", b"070701"), ("cmdline", b"quiet")):
        (keelson.home / f"a-{name}").write_bytes(data)
    keelson.env["PATH"] = "/nowhere"
    done = keelson.run("run", "--wait", "--json", *words, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and why in done.stderr
    assert json.loads(done.stdout) == {"verdict": "none", "exit": 1, "record": None}
    done = keelson.run("run", "--wait", *words, check=False)
    assert (done.returncode, done.stdout) == (1, "") and why in done.stderr


def test_nothing_but_a_boot_has_a_verdict(keelson):
    for status, words in ((1, ["--dry-run", "nowhere"]), (100, ["--frobnicate", "nowhere"])):
        done = keelson.run("run", "--wait", "--json", *words, check=False)
        assert (done.returncode, done.stdout) == (status, "")
