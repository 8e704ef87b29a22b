# SPDX-License-Identifier: Apache-2.0
"""What an image says of itself: its configuration and its label are held against the YAML and against each other."""
import json

import pytest
from builds import Images, build, refused


def label(**runtime):
    return {"Cmd": ["/bin/x"], "Labels": {"org.mobyproject.config": json.dumps({"runtime": runtime})}}


@pytest.fixture
def images(keelson):
    out = Images(keelson.cache)
    for name, config in {
            "plain": None, "first": label(after=["b"]), "second": label(after=["a"]), "nobody": label(after=["ghost"]),
            "probes": label(ready={"tcp": 80, "file": "/x"}, health={}), "restart": label(restart={"policy": "always"}),
            "deadline": label(deadline="5s"), "wrong": {"Entrypoint": [1, None]}}.items():
        out.image(name, {"bin/x": b"x"}, config=config)
    return out


@pytest.mark.parametrize("yaml, image, says", [
    ("services: [{name: a, image: t/nobody}]", "nobody",
     'service "a" is to start after "ghost", but there is no such service'),
    ("services: [{name: a, image: t/first}, {name: b, image: t/plain, runtime: {after: [a]}}]", None,
     "services wait for each other in a circle, so none can start: b <- a <- b"),
    ("services: [{name: a, image: t/plain, runtime: {after: [b]}}, {name: b, image: t/second}]", "second",
     "services wait for each other in a circle, so none can start: b <- a <- b"),
    ("services: [{name: a, image: t/deadline}]", "deadline", '"deadline" is for onboot and onshutdown only'),
    ("onboot: [{name: a, image: t/restart}]", "restart", '"restart" is for services only; onboot containers run once'),
])
def test_words_of_a_label_are_checked(keelson, images, yaml, image, says):
    message = refused(keelson, yaml + "\n")
    assert says in message
    assert not image or f": label org.mobyproject.config of t/{image}: " in message


def test_probes_of_a_label_are_checked(keelson, images):
    (keelson.home / "t.yml").write_text("services: [{name: a, image: t/probes}]\n")
    done = keelson.run("build", "--offline", "--no-sbom", "t.yml", check=False)
    assert done.returncode == 1 and [line for line in done.stderr.splitlines() if not line.startswith(" ")] == [
        'keelson: t.yml:1:12: label org.mobyproject.config of t/probes: "ready" must have one of "exec", "tcp" and '
        '"file", and has more',
        'keelson: t.yml:1:12: label org.mobyproject.config of t/probes: "health" must have one of "exec", "tcp" and '
        '"http", and has none']


def test_the_yaml_overrides_what_is_wrong_in_a_label(keelson, images):
    tree = build(keelson, "services:\n  - {name: a, image: t/nobody, runtime: {after: []}}\n"
                 "  - {name: b, image: t/probes, runtime: {ready: {tcp: 1}, health: {tcp: 2}}}\n"
                 "  - {name: c, image: t/second}\n")
    assert tree.json("containers/services/a/runtime.json")["after"] == []
    assert tree.json("containers/services/b/runtime.json")["ready"] == {"tcp": 1}
    assert tree.json("containers/services/c/runtime.json")["after"] == ["a"]


def test_a_wrong_configuration_names_its_image(keelson, images):
    assert refused(keelson, "services: [{name: a, image: t/wrong}]\n") == (
        'keelson: bad.yml:1:12: could not use image t/wrong: "Entrypoint" of its configuration is no list of strings; '
        "make the image anew")
