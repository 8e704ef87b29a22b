# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the boot tests. What a failed test had on its console, and its image, stay in build/vm/TEST/."""
import re
import shutil
import signal

import harness
import pytest

TEST_SECONDS = 3 * harness.BOOT_SECONDS
RESULTS = harness.REPO / "build/vm"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    if outcome.get_result().failed:
        item.stash[FAILED] = True


FAILED = pytest.StashKey[bool]()


@pytest.fixture
def folder(request):
    """build/vm/TEST, empty; removed if the test passes."""
    path = RESULTS / re.sub(r"[^A-Za-z0-9_.-]+", "-", request.node.name)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    yield path
    if request.node.stash.get(FAILED, False):
        print(f"console log and image are in {path}")
    else:
        shutil.rmtree(path)


@pytest.fixture(autouse=True)
def deadline(request):
    """No test outlives TEST_SECONDS, whatever it waits for."""
    def expire(_signal, _frame):
        raise harness.GuestError(f"{request.node.name} took longer than {TEST_SECONDS} s")
    previous = signal.signal(signal.SIGALRM, expire)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture
def build(folder):
    """build(yaml_text_or_path, agent=True) -> harness.Build that has succeeded; its path goes to boot()."""
    def do_build(yaml, agent=True):
        text = yaml.read_text() if hasattr(yaml, "read_text") else yaml
        done = harness.build(text, folder, agent=agent)
        assert done.status == 0, f"keelson build failed: {done.stderr}"
        return done.name
    return do_build


@pytest.fixture
def boot(folder):
    """boot(image, *options) -> harness.Machine; ended when the test ends."""
    machines = []

    def do_boot(image, *options):
        machine = harness.Machine(image, folder / f"vm{len(machines)}", options)
        machines.append(machine)
        return machine
    yield do_boot
    for machine in machines:
        machine.close()
