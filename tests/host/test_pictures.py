# SPDX-License-Identifier: Apache-2.0
"""`keelson run --boot-chart` and `keelson inspect --svg` in a browser: all of it is there, and nothing is in the way."""
import json
import os
import re

import browser
import pytest
from builds import TREE, Images, modules, noise
from images import bzimage

WIDTHS = (320, 800, 1920)
STAGES = 200
HOSTILE = ["<script>window.ran = 1</script>", "</text></svg><script>top.ran=1</script>", "&amp;&lt;&#60;]]>",
           "\"'\" onload=\"ran=1", "\x01\x02\x1b[2J\x7f", "\u202egnol \u00e9\u4e2d", "W" * 60,
           "\u4e2d" * 60, "\u00e9\u03a9" * 30, "\U0001f433" * 40, "", "services/" + "m" * 100]
# It says what QEMU would pass on from the guest, and goes on as a machine does.
QEMU = """#!/usr/bin/python3
import os, re, sys, time
for fd in map(int, re.findall(r"fd=(\\d+)", " ".join(sys.argv))):
    try:
        os.write(fd, open({record!r}, "rb").read())
    except OSError:
        pass
time.sleep(60)
"""
LONG = "step-of-a-rather-long-name-" * 3
YAML = """kernel:
  image: t/kernel
  cmdline: "console=ttyS0"
onboot:
""" + "".join(f"  - {{name: {LONG if i == 3 else 'step'}{i}, image: t/w{i}}}\n" for i in range(12)) + TREE


def stage(name, i, waits):
    return [name, 100 * i, 90 + 700 * (i % 5), 40 * (i % 4), waits]


def hostile_record():
    """Stages that begin one after another; every tenth one waited for many."""
    names = HOSTILE + [f"services/service-{i:03}" for i in range(STAGES - len(HOSTILE))]
    stages = [stage(name, i, [max(i - 9, 0), i - 1, 9999] if i % 10 == 9 else []) for i, name in enumerate(names)]
    return {"version": 1, "state": "up", "ok": False, "at_ms": 9, "running": "",
            "failed": [{"step": names[1], "why": "<script>window.ran = 2</script>"}], "stages": stages, "stages_more": 17}


@pytest.fixture
def images(keelson):
    made = Images(keelson.cache)
    made.image("kernel", {"kernel": bzimage(noise(3000, 9)), "kernel.tar": modules()})
    made.image("init", {"init": b"#!init\n", "bin/sh": noise(50000, 1)})
    made.image("web", {"bin/one": noise(3001, 2)})
    made.image("big", {"bin/two": noise(150001, 3)})
    for i in range(12):
        made.image(f"w{i}", {"bin/x": noise(100 << i, i)})
    (keelson.home / "a.yml").write_text(YAML)
    keelson.run("build", "--offline", "--no-sbom", "--name", "a", "a.yml")
    return made


@pytest.fixture
def qemu(keelson, tmp_path):
    """A QEMU whose guest says what is in the file that it returns."""
    folder, record = tmp_path / "bin", tmp_path / "record.json"
    folder.mkdir()
    (folder / "qemu-system-x86_64").write_text(QEMU.format(record=str(record)))
    (folder / "qemu-system-x86_64").chmod(0o755)
    keelson.env["PATH"] = f"{folder}:{os.environ['PATH']}"
    return record


def draw(keelson, qemu, record):
    qemu.write_text(json.dumps(record) + "\n")
    keelson.run("run", "--accel", "tcg", "--wait", "--boot-chart", "boot.svg", "a", check=False)
    return (keelson.home / "boot.svg").read_text()


def name_shown(name):
    """What there may be of a name in an XML document: a question mark for a control character."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", name)


def test_pictures_in_a_browser(keelson, images, qemu, tmp_path):
    record = hostile_record()
    plain = {**record, "stages": [["kernel", 0, 1201], ["init", 1201, 310]], "stages_more": 0}
    inspected = keelson.run("inspect", "--svg", "a").stdout
    parts = [f"{p['part']} {p['name']}" for p in json.loads(keelson.run("inspect", "--json", "a").stdout)["parts"]]
    pictures = {"boot.svg": draw(keelson, qemu, record), "plain.svg": draw(keelson, qemu, plain),
                "nothing.svg": draw(keelson, qemu, {**record, "stages": []}), "inspect.svg": inspected}
    (tmp_path / "site").mkdir()
    views = browser.look(tmp_path / "site", pictures, WIDTHS)
    assert len(views) == len(pictures) * len(WIDTHS)
    for view in views:
        view.check()
        texts = [t.text for t in view.texts]
        if view.picture == "boot.svg":
            assert [tip.rsplit(": ", 1)[0] for tip in view.tips if "FAILED" not in tip] == [
                name_shown(s[0]) for i, s in enumerate(record["stages"]) if i != 1]
            assert sum(t.startswith("services/service-") for t in texts) == STAGES - len(HOSTILE)
            assert "17 more stages did not fit" in texts
            assert any("CPU 0.120 s" in tip for tip in view.tips)
        if view.picture != "inspect.svg":
            for text in view.texts:
                assert not any(text.overlaps(bar) for bar in view.rects[1:]), f"{view}: {text} is over a bar"
        else:
            for text in view.texts[1:]:
                assert any(text.is_within(part) for part in view.rects[1:]), f"{view}: {text} is in no part"
            assert sorted(tip.split(":")[0] for tip in view.tips) == sorted(parts)


@pytest.mark.parametrize("where", ["nowhere/boot.svg", ".", "/proc/boot.svg"])
def test_a_picture_without_a_place_is_refused_before_the_boot(keelson, images, qemu, where):
    assert f"could not write {where}: " in keelson.fails("run", "--accel", "tcg", "--wait", "--boot-chart", where, "a")


@pytest.mark.parametrize("where", ["", "-"])
def test_a_picture_is_a_file(keelson, images, where):
    done = keelson.run("run", "--wait", "--boot-chart", where, "a", check=False)
    assert done.returncode == 100 and "--boot-chart" in done.stderr and "want a file" in done.stderr
