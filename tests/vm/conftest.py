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


def pytest_terminal_summary(terminalreporter):
    """What tests that passed have measured is what they have printed; a module's table comes after its last test."""
    shown = {"call": terminalreporter.stats.get("passed", []), "teardown": terminalreporter.stats.get("", [])}
    measured = [line for when, reports in shown.items() for report in reports if report.when == when
                for title, text in report.sections if title == f"Captured stdout {when}" for line in text.splitlines()]
    if measured:
        terminalreporter.section("measured")
        for line in measured:
            terminalreporter.line(line)


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


def pytest_configure(config):
    config.addinivalue_line("markers", "seconds(n): how long the test may take, if TEST_SECONDS are too few for its work")


@pytest.fixture(autouse=True)
def deadline(request):
    """No test outlives its time, whatever it waits for."""
    marker = request.node.get_closest_marker("seconds")
    seconds = marker.args[0] if marker else TEST_SECONDS

    def expire(_signal, _frame):
        raise harness.GuestError(f"{request.node.name} took longer than {seconds} s")
    previous = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
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
    """boot(image, *options, serials=0, seconds=..., reboots=False) -> harness.Machine; ended with the test, or after so
    many seconds."""
    machines = []

    def do_boot(image, *options, **kwargs):
        machine = harness.Machine(image, folder / f"vm{len(machines)}", options, **kwargs)
        machines.append(machine)
        return machine
    yield do_boot
    for machine in machines:
        machine.close()
