# SPDX-License-Identifier: Apache-2.0
"""Packages: LinuxKit's build.yml, tags from git, a Dockerfile's build with buildah, and what goes to a registry."""
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess

import pytest
import servers

TOOL_SECONDS = 60


def git(repo, *args):
    return subprocess.run(["git", "-C", str(repo), "-c", "user.name=t", "-c", "user.email=t@example.org", *args],
                          check=True, capture_output=True, text=True, timeout=TOOL_SECONDS).stdout.strip()


@pytest.fixture
def repo(keelson, tmp_path):
    """A repository with a package that has a Dockerfile and depends on another one's tag."""
    root = tmp_path / "repo"
    (root / "pkg/main").mkdir(parents=True)
    (root / "pkg/other-one").mkdir()
    (root / "extra").mkdir()
    (root / "extra/file").write_text("extra\n")
    shutil.copy("/bin/busybox", root / "pkg/main/busybox")
    (root / "pkg/main/build.yml").write_text(
        "image: main\norg: team\narches: [amd64, arm64]\ngitrepo: https://example.org/repo\n"
        "config:\n  capabilities: [CAP_NET_ADMIN]\n"
        "buildArgs:\n  - OTHER=@lkt:pkg:../other-one\n  - ALL_%=@lkt:pkgs:../other*\n  - PKG_IMAGE=mine\n")
    (root / "pkg/main/Dockerfile").write_text(
        "FROM scratch\nARG PKG_HASH\nARG PKG_IMAGE\nARG ALL_LINUXKIT_OTHER_ONE\nCOPY busybox /bin/busybox\n"
        'RUN ["/bin/busybox", "mkdir", "/made"]\n'
        "LABEL hash=$PKG_HASH image=$PKG_IMAGE other=$ALL_LINUXKIT_OTHER_ONE\n")
    (root / "pkg/other-one/build.yml").write_text("image: other-one\n")
    (root / "pkg/other-one/Dockerfile").write_text("FROM scratch\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")
    # Containers cannot be made everywhere: buildah's chroot isolation needs no cgroups.
    keelson.env |= {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs", "KEELSON_BUILDER": "buildah",
                    "XDG_DATA_HOME": str(tmp_path / "data"), "USER": "joe"}
    (tmp_path / "home/storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/storage"\nrunroot = "{tmp_path}/run"\n')
    keelson.env["CONTAINERS_STORAGE_CONF"] = str(tmp_path / "home/storage.conf")
    return root


def config_of(keelson, ref):
    """(index, configuration) of the amd64 image."""
    index = json.loads(keelson.blob(json.loads(keelson.run("cache", "ls", "--json", ref).stdout)[0]["digest"])
                       .read_text())
    manifest = json.loads(keelson.blob(index["manifests"][0]["digest"]).read_text())
    return index, json.loads(keelson.blob(manifest["config"]["digest"]).read_text())


def test_tags(keelson, repo):
    """The git tree's hash; -dirty with LinuxKit's hash over the contents; every option that changes it."""
    main = repo / "pkg/main"
    tree = git(repo, "rev-parse", "HEAD:pkg/main")

    def tag(*options):
        return keelson.run("pkg", "show-tag", *options, main).stdout.strip()
    assert tag() == f"team/main:{tree}"
    assert tag("--canonical", "-org=x") == f"docker.io/x/main:{tree}"
    assert tag("--hash", "h", "--tag", "v1-{{ .Hash }}") == "team/main:v1-h"
    assert tag("--dev") == "joe/main:dev"
    assert tag("--hash-path", repo) == f"team/main:{git(repo, 'show', '-s', '--format=%T')}"
    (main / "new").write_text("new\n")
    names = git(main, "ls-files").splitlines() + ["new"]
    contents = hashlib.sha256(b"".join((main / n).read_bytes() for n in names)).hexdigest()
    assert tag() == f"team/main:{tree}-dirty-{contents[:7]}"
    assert tag("--hash-commit", git(repo, "rev-parse", "HEAD")) == f"team/main:{tree}"
    (main / "new").unlink()
    assert tag("--force-dirty").startswith(f"team/main:{tree}-dirty-")
    with open(main / "build.yml", "a", encoding="utf-8") as f:
        f.write("extra-sources: ['../../extra:/src/extra']\ntag: 'r-{{.Hash}}'\n")
    git(repo, "commit", "-q", "-a", "-m", "y")
    both = git(repo, "rev-parse", "HEAD:pkg/main") + git(repo, "rev-parse", "HEAD:extra")
    assert tag() == f"team/main:r-{hashlib.sha1(both.encode()).hexdigest()}"
    assert "{{.Hash}}" in keelson.fails("pkg", "show-tag", "--tag", "{{.Other}}", main)
    shutil.rmtree(repo / ".git")
    assert "no git repository" in keelson.fails("pkg", "show-tag", main)


def test_tags_of_odd_folders(keelson, repo):
    """Links, modes and submodules are a change, though LinuxKit's hash is over the contents of files alone; what git
    ignores is none. A folder has one tag, however it is named."""
    main = repo / "pkg/main"
    (main / "link").symlink_to("busybox")
    (repo / ".gitignore").write_text("ignored\n")
    git(repo, "init", "-q", "inner")
    git(repo / "inner", "commit", "-q", "--allow-empty", "-m", "x")
    git(repo, "-c", "protocol.file.allow=always", "submodule", "add", repo / "inner", "pkg/other-one/inner")
    git(repo, "add", "pkg", ".gitignore")
    git(repo, "commit", "-q", "-m", "y")

    def tag(folder=main):
        return keelson.run("pkg", "show-tag", folder).stdout.strip().partition(":")[2]
    tree, other = git(repo, "rev-parse", "HEAD:pkg/main"), git(repo, "rev-parse", "HEAD:pkg/other-one")
    (keelson.home / "main").symlink_to(main)
    (main / "ignored").write_text("x\n")
    assert {tag(), tag(keelson.home / "main"), tag(f"{main}/../main/")} == {tree}
    (main / "link").unlink()
    (main / "link").symlink_to("build.yml")
    retargeted = tag()
    git(repo, "checkout", "-q", "pkg/main")
    (main / "Dockerfile").chmod(0o755)
    assert retargeted.startswith(f"{tree}-dirty-") and tag() == retargeted
    assert tag(repo / "pkg/other-one") == other
    git(repo / "pkg/other-one/inner", "commit", "-q", "--allow-empty", "-m", "z")
    assert tag(repo / "pkg/other-one").startswith(f"{other}-dirty-")
    assert "is empty" in keelson.fails("pkg", "show-tag", "")
    (keelson.home / "a.yml").write_text('init: ["@pkg:", "@pkg:nowhere"]\n')
    done = keelson.run("build", "--offline", "a.yml", check=False)
    assert done.returncode == 1 and "a.yml:1:8: could not resolve @pkg:: " in done.stderr
    assert "a.yml:1:17: could not resolve @pkg:nowhere: could not open" in done.stderr
    text = ('services:\n  - name: a\n    image: x\n    env: [A, "@pkg:n1"]\n    annotations:\n      "@k": "@pkg:n2"\n'
            '    command: ["@pkg:n3"]\n')
    (keelson.home / "b.yml").write_text(text)
    for name, done in (("b.yml", keelson.run("build", "--dry-run", "b.yml", check=False)),
                       ("stdin", keelson.run("build", "--dry-run", "-", check=False, input=text))):
        told = [line.split(" could")[0] for line in done.stderr.splitlines() if line.startswith("keelson: ")]
        assert told == [f"keelson: {name}:{place}:" for place in ("4:14", "6:13", "7:15")]


@pytest.mark.parametrize("line, says", [
    ("dockerfile: ../x", "must lie in the package's folder"),
    ("dockerfile: nothing", "No such file"),
    ("dockerfile: Dockerfile\nfiles: [{path: a, contents: b}]", "do not go together"),
    ("extra-sources: [a]", "FOLDER:FOLDER"),
    ("buildArgs: [a]", "NAME=VALUE"),
    ("nettwork: true", 'did you mean "network"'),
])
def test_bad_recipes(keelson, repo, line, says):
    path = repo / "pkg/other-one/build.yml"
    path.write_text(f"image: other-one\n{line}\n")
    assert says in keelson.fails("pkg", "show-tag", path.parent)


def test_a_dockerfile_is_built_with_buildah(keelson, repo):
    """Arguments, labels, the network switched off, an SBOM as an attestation; a second build has nothing to do."""
    main = repo / "pkg/main"
    line = keelson.run("pkg", "build", main).stdout.strip()
    tree = git(repo, "rev-parse", "HEAD:pkg/main")
    assert line == f"team/main:{tree}"
    index, config = config_of(keelson, line)
    labels = config["config"]["Labels"]
    other = git(repo, "rev-parse", "HEAD:pkg/other-one")
    assert (labels["hash"], labels["image"], labels["other"]) == (tree, "mine", f"linuxkit/other-one:{other}")
    assert json.loads(labels["org.mobyproject.config"]) == {"capabilities": ["CAP_NET_ADMIN"]}
    assert labels["org.opencontainers.image.source"] == "https://example.org/repo"
    assert labels["org.opencontainers.image.revision"] == git(repo, "rev-parse", "HEAD")
    attestation = index["manifests"][1]
    assert attestation["annotations"]["vnd.docker.reference.digest"] == index["manifests"][0]["digest"]
    statement = json.loads(keelson.blob(json.loads(keelson.blob(attestation["digest"]).read_text())
                                        ["layers"][0]["digest"]).read_text())
    assert statement["predicate"]["spdxVersion"] == "SPDX-2.3"
    assert statement["subject"][0]["digest"]["sha256"] == index["manifests"][0]["digest"][7:]
    assert "0 wrong" in keelson.verify()
    done = keelson.run("-v", "pkg", "build", main)
    assert done.stdout.strip() == line and "is in the cache" in done.stderr and "STEP" not in done.stderr
    assert "CAP_NET_ADMIN" in keelson.run("pkg", "build", "--dry-run", main).stdout
    (main / "Dockerfile").write_text("FROM scratch\nRUN false\n")
    done = keelson.run("pkg", "build", main, check=False)
    assert done.returncode == 1 and "could not build team/main" in done.stderr.splitlines()[-1]
    keelson.env["PATH"], keelson.env["KEELSON_BUILDER"] = "/nowhere", ""
    assert "neither buildah nor docker" in keelson.run("pkg", "build", "--hash", "x", main, check=False).stderr


@pytest.mark.parametrize("words, says", [
    (["--org", "Team"], "have no capital letters"), (["--org", "a b"], "character 2 is not allowed"),
    (["--tag", "no:tag"], '"no:tag" is not a tag'), (["--tag", "-x"], '"-x" is not a tag'),
    (["--hash", "h" * 129], "is not a tag"), (["--org", "x.io:port"], '"port" is not a port'),
])
def test_names_that_no_image_can_have(keelson, repo, words, says):
    folder = repo / "pkg/other-one"
    for command in ("show-tag", "build"):
        line = keelson.fails("pkg", command, *words, folder)
        assert line.startswith(f"keelson: could not name the package in {folder}: image reference") and says in line, line


class Docker:
    """A stand-in for docker, which tests cannot rely on: it notes its command lines, knows the context `far`, and saves
    an image of the layout's. What docker itself makes of the lines is not tested."""

    def __init__(self, folder, layout):
        folder.mkdir()
        self.log = folder / "log"
        subprocess.run(["skopeo", "copy", "-q", f"oci:{layout.path}:one", f"docker-archive:{folder}/image.tar:x/y:1"],
                       check=True, timeout=TOOL_SECONDS)
        (folder / "docker").write_text(
            f'#!/bin/sh\nfor word; do printf "%s\\t" "$word"; done >>{self.log}; echo >>{self.log}\n'
            'case "$*" in "context inspect far") exit 0 ;; "context inspect"*|"buildx inspect new") exit 1 ;; '
            '"buildx create"*broken*) exit 1 ;; esac\n'
            'while [ $# -gt 0 ]; do [ "$1 $2" != "save --output" ] || exec cp '
            f'{folder}/image.tar "$3"; shift; done\n')
        (folder / "docker").chmod(0o755)

    def lines(self):
        """What it was called with since the last time, without the questions whether it is there."""
        lines = [line.split("\t")[:-1] for line in self.log.read_text().splitlines()]
        self.log.unlink()
        return [line for line in lines if line != ["buildx", "version"]]


@pytest.fixture
def docker(keelson, tmp_path, layout):
    out = Docker(tmp_path / "docker", layout)
    keelson.env["PATH"] = f"{tmp_path}/docker:{keelson.env['PATH']}"
    keelson.env["KEELSON_BUILDER"] = "docker"
    return out


def test_a_dockerfile_is_built_with_docker(keelson, repo, docker):
    """The whole command line; presets give way to what the build.yml says, proxies are handed on."""
    main = repo / "pkg/main"
    keelson.env["https_proxy"] = "http://proxy.invalid"
    tree, commit = git(repo, "rev-parse", "HEAD:pkg/main"), git(repo, "rev-parse", "HEAD")
    (keelson.home / "args").write_text("# more\n\nMORE=a b\n")
    line = keelson.run("pkg", "build", "--build-arg-file", "args", "--ssh", "default", "--progress", "plain",
                       "--ignore-cached", main).stdout.strip()
    name = f"docker.io/{line}-amd64"
    other = f"linuxkit/other-one:{git(repo, 'rev-parse', 'HEAD:pkg/other-one')}"
    stamp = git(repo, "show", "--no-patch", "--abbrev=12", "--date=format-local:%Y%m%d%H%M%S", "--format=%cd-%h")
    context, built, saved = docker.lines()
    assert context == ["context", "inspect", "linuxkit-linux-amd64"]
    assert built[:10] == ["buildx", "build", "--load", "--provenance=false", "--progress", "plain", "--pull", "--network",
                          "none", "--platform"]
    pairs = list(zip(built, built[1:]))
    assert dict(v.split("=", 1) for k, v in pairs if k == "--build-arg") == {
        "OTHER": other, "ALL_LINUXKIT_OTHER_ONE": other, "PKG_IMAGE": "mine", "MORE": "a b", "PKG_HASH": tree,
        "SOURCE": "https://example.org/repo", "REVISION": commit, "GOPKGVERSION": f"v0.0.0-{stamp}",
        "https_proxy": "http://proxy.invalid", "no_proxy": "127.0.0.1"}
    labels = dict(v.split("=", 1) for k, v in pairs if k == "--label")
    assert labels.pop("org.keelson.version") and labels == {
        "org.mobyproject.config": '{"capabilities":["CAP_NET_ADMIN"]}',
        "org.opencontainers.image.source": "https://example.org/repo", "org.opencontainers.image.revision": commit}
    for pair in (("--platform", "linux/amd64"), ("--file", f"{main}/Dockerfile"), ("--ssh", "default"), ("--tag", name)):
        assert pair in pairs
    assert built[-1] == str(main)
    assert saved[:3] == ["image", "save", "--output"] and saved[4:] == [name]
    index, _ = config_of(keelson, line)
    assert [m["platform"]["architecture"] for m in index["manifests"]] == ["amd64", "unknown"]
    assert "0 wrong" in keelson.verify()
    shown = keelson.run("pkg", "build", "--dry-run", main).stdout
    assert len(shlex.split(shown)) == shown.count("--build-arg") * 2 + shown.count("--label") * 2 + 14
    assert docker.lines() == [context]


def test_builders_are_contexts_of_docker(keelson, repo, docker):
    """--builders before the environment; one that is not there is an error, and not another machine's build."""
    main = repo / "pkg/other-one"
    del keelson.env["KEELSON_BUILDER"]
    keelson.run("pkg", "build", "--builders", "linux/arm64=nowhere,linux/amd64=far", "--sbom-scanner=false", main)
    inspected, built, saved = docker.lines()
    assert inspected == ["context", "inspect", "far"]
    assert built[:4] == ["--context", "far", "buildx", "build"] and saved[:4] == ["--context", "far", "image", "save"]
    keelson.env["LINUXKIT_BUILDERS"] = "linux/amd64=far"
    keelson.run("pkg", "build", "--force", main)
    assert docker.lines()[1][:2] == ["--context", "far"]
    assert 'no context "nowhere"' in keelson.fails("pkg", "build", "--force", "--builders", "linux/amd64=nowhere", main)
    for wrong in ("amd64=far", "linux/amd64", "linux/=far", "linux/amd64=", "linux/amd64=-f"):
        assert "must be linux/ARCH=CONTEXT" in keelson.fails("pkg", "build", "--force", "--builders", wrong, main)
    keelson.env["KEELSON_BUILDER"] = "buildah"
    assert "KEELSON_BUILDER is buildah" in keelson.fails("pkg", "build", "--force", main)
    keelson.env["KEELSON_BUILDER"] = "podman"
    assert "buildah or docker" in keelson.fails("pkg", "build", "--force", main)


def test_builders_of_docker_buildx(keelson, repo, docker):
    """Made if it is not there, or to be made anew; options before LinuxKit's variables; not for buildah."""
    main = repo / "pkg/other-one"
    build = ("pkg", "build", "--force", "--no-sbom", "--builders", "linux/amd64=far")
    keelson.run(*build, "--builder-name", "new", "--builder-image", "moby/x:1", "--builder-config", "b.toml", main)
    create = ["buildx", "create", "--name", "new", "--driver", "docker-container", "--driver-opt", "image=moby/x:1",
              "--config", "b.toml", "far"]
    _, inspected, made, built, _ = docker.lines()
    assert inspected == ["buildx", "inspect", "new"] and made == create
    assert built[:6] == ["--context", "far", "buildx", "build", "--builder", "new"]
    keelson.env["LINUXKIT_BUILDER_NAME"] = "old"
    keelson.run(*build, "--builder-image", "moby/x:1", main)
    assert [line[:3] for line in docker.lines()[1:3]] == [["buildx", "inspect", "old"], ["--context", "far", "buildx"]]
    keelson.run(*build, "--builder-restart", main)
    assert [line[1] for line in docker.lines()[1:4]] == ["inspect", "rm", "create"]
    del keelson.env["LINUXKIT_BUILDER_NAME"]
    keelson.run(*build, "--builder-restart", "--dry-run", main)
    assert docker.lines()[1:] == [["buildx", "inspect", "linuxkit-builder"]]
    assert "could not make the builder broken" in keelson.fails(*build, "--builder-restart", "--builder-name", "broken",
                                                                main)
    keelson.env["KEELSON_BUILDER"] = "buildah"
    assert "are of docker buildx" in keelson.fails("pkg", "build", "--force", "--builder-name", "x", main)


def test_only_what_is_committed_is_pushed_and_the_commits_tags_are_releases(keelson, repo, docker, filled, layout):
    main, org = repo / "pkg/other-one", f"{filled.host}/rel"
    git(repo, "tag", "v1")
    git(repo, "tag", "v2")
    line = keelson.run("pkg", "push", "--org", org, main).stdout.strip()
    assert line == f"{org}/other-one:{git(repo, 'rev-parse', 'HEAD:pkg/other-one')}"
    digests = {tag: subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{org}/other-one:{tag}"],
                                   check=True, capture_output=True, timeout=TOOL_SECONDS).stdout
               for tag in (line.rpartition(":")[2], "v1", "v2")}
    assert len(set(digests.values())) == 1
    (main / "new").write_text("new\n")
    docker.lines()
    for command in ("push", "manifest"):
        assert "differs from the commit" in keelson.fails("pkg", command, "--org", org, main)
    assert not docker.log.exists()  # nothing was built for it
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "z")
    git(repo, "tag", "v3")
    subprocess.run(["skopeo", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false",
                    f"docker://{filled.host}/t/zstd:1", f"docker://{org}/other-one:v3"], check=True, timeout=TOOL_SECONDS)
    done = keelson.run("pkg", "push", "--org", org, main)
    assert f"{org}/other-one:v3 is there already and stays as it is" in done.stderr
    keelson.run("cache", "pull", f"{org}/other-one:v3")
    assert json.loads(keelson.run("cache", "ls", "--json", f"{org}/other-one:v3").stdout)[0]["digest"] == layout.zstd


def test_extra_sources_are_in_the_context(keelson, repo):
    main = repo / "pkg/other-one"
    (main / "build.yml").write_text("image: other-one\nextra-sources: ['../../extra:src/more']\nnetwork: true\n")
    (main / "Dockerfile").write_text("FROM scratch\nCOPY src/more/file /file\n")
    line = keelson.run("pkg", "build", "--hash", "1", main).stdout.strip()
    tar = keelson.run("cache", "export", "--format", "filesystem", line, text=False).stdout
    assert b"extra\n" in tar and not (main / "src").exists()


def own_package(root, name="own"):
    (root / name).mkdir()
    (root / name / "build.yml").write_text(
        f"image: {name}\norg: team\nfiles:\n  - {{path: hello, contents: hello}}\n")
    return root / name


def test_push_makes_one_index_of_all_platforms(keelson, filled, tmp_path, layout):
    """TAG-ARCH of each machine, TAG for all of them; a release is one more name, and not for what is dirty."""
    folder = own_package(tmp_path)
    org = f"{filled.host}/team"
    # Another machine has pushed its part.
    subprocess.run(["skopeo", "copy", "-q", "--override-arch", "arm64", "--dest-tls-verify=false",
                    f"oci:{layout.path}:many", f"docker://{org}/own:1-arm64"], check=True, timeout=TOOL_SECONDS)
    line = keelson.run("pkg", "push", "--org", org, "--hash", "1", "--release", "v1", folder).stdout.strip()
    assert line == f"{org}/own:1"
    for tag in ("1", "v1"):
        raw = subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{org}/own:{tag}"],
                             check=True, capture_output=True, timeout=TOOL_SECONDS).stdout
        assert [m["platform"]["architecture"] for m in json.loads(raw)["manifests"]] == ["amd64", "unknown", "arm64"]
    keelson.run("pkg", "manifest", "--org", org, "--hash", "1", folder)
    assert "no" in keelson.fails("pkg", "manifest", "--org", org, "--hash", "2", folder)
    keelson.run("cache", "clean")
    keelson.run("pkg", "remote-tag", f"{org}/own:1-amd64", f"{org}/own:again")
    keelson.run("pkg", "remote-tag", f"{org}/own:1", f"{filled.host}/elsewhere/own:1")
    keelson.run("cache", "pull", "--arch", "all", f"{org}/own:again", f"{filled.host}/elsewhere/own:1")
    assert "0 wrong" in keelson.verify()


def test_update_puts_tags_into_files(keelson, tmp_path):
    folder = own_package(tmp_path)
    line = keelson.run("pkg", "build", folder).stdout.strip()
    yml = tmp_path / "x.yml"
    yml.write_text("init:\n  - team/own:old\n  - docker.io/team/own:old@sha256:00 # not other.org/team/own:1\n")
    assert keelson.run("pkg", "update", "--in", yml, folder).stdout == f"{yml}: 2 changed\n"
    assert yml.read_text() == f"init:\n  - {line}\n  - docker.io/{line} # not other.org/team/own:1\n"
    assert keelson.run("pkg", "update", "--in", yml, folder).stdout == f"{yml}: 0 changed\n"
    assert "--in FILE" in keelson.fails("pkg", "update", folder)


def test_an_own_package_has_an_sbom_of_its_debian_packages(keelson, tmp_path):
    folder = own_package(tmp_path)
    line = keelson.run("pkg", "build", folder).stdout.strip()
    assert re.fullmatch("team/own:[0-9a-f]{40}", line)
    assert keelson.run("pkg", "show-tag", folder).stdout.strip() == line
    index, _ = config_of(keelson, line)
    assert [m["platform"]["architecture"] for m in index["manifests"]] == ["amd64", "unknown"]
    again = keelson.run("pkg", "build", folder).stdout.strip()
    assert again == line and config_of(keelson, line)[0] == index
    index, _ = config_of(keelson, keelson.run("pkg", "build", "--no-sbom", "--hash", "n", folder).stdout.strip())
    assert len(index["manifests"]) == 1
