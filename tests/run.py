#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs unit test programs, with --host the tests of tests/host and with --vm the boot tests (--vm=WORD: those whose
name has the word); the last line is `N passed, N failed`.

A unit test program counts each of its tests; one that crashes counts as one failure more. A skipped test is a failure:
a package that is missing must not look like success.

Machines that boot side by side take processor time from each other, so up to AGAIN_MAX tests of a folder that fail
are run again with nothing beside them. What passes then counts as passed, and is named as unsteady: it is to be mended.
"""
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
UNIT_SECONDS = 300
WORKERS_MAX = 4
AGAIN_MAX = 3


def run_unit(program):
    """Returns (passed, failed) of one cmocka program; prints its output only if something failed."""
    try:
        done = subprocess.run([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=UNIT_SECONDS, check=False)
        output, status = done.stdout.decode("utf-8", "replace"), done.returncode
    except subprocess.TimeoutExpired as e:
        output, status = (e.stdout or b"").decode("utf-8", "replace"), f"none within {UNIT_SECONDS} s"
    passed = len(re.findall(r"^\[       OK \]", output, re.M))
    # cmocka names a failed test where it ran and again in the list at its end.
    failed = len(set(re.findall(r"^\[  (?:FAILED|ERROR|SKIPPED) +\] ([A-Za-z_]\w*)$", output, re.M)))
    skipped = len(re.findall(r"^\[  SKIPPED \]", output, re.M))
    failed = max(failed, skipped)
    if status != 0 or passed == 0:
        failed = max(failed, 1)
    print(f"{Path(program).name}: {passed} passed, {failed} failed", flush=True)
    if failed:
        print(output + f"(exit status {status})", flush=True)
    return passed, failed


def read_report(report):
    """Returns how many tests a report has, and the names of those that did not pass."""
    suite = ElementTree.parse(report).getroot().find("testsuite")
    bad = [case.get("name") for case in suite.iter("testcase")
           if any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))]
    return int(suite.get("tests")), bad


def pytest(folder, name, *options):
    """Runs a folder's tests; returns what read_report says of the report, or nothing if there is none."""
    report = REPO / f"build/{name}.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-o", f"cache_dir={REPO}/build/{folder}-tests", "-rsxX",
                    f"--junitxml={report}", *options, str(REPO / "tests" / folder)],
                   stdin=subprocess.DEVNULL, check=False)
    return read_report(report) if report.exists() else None


def run_pytest(folder, word):
    """Returns (passed, failed, unsteady) of the folder's tests, all of them or those whose name has the word.

    As many files of tests run side by side as there are processors, up to WORKERS_MAX: each may boot machines.
    """
    workers = min(len(os.sched_getaffinity(0)), WORKERS_MAX)
    first = pytest(folder, folder, "--cache-clear", "-n", str(workers), "--dist", "loadfile", *(["-k", word] if word else []))
    if not first or not first[0]:
        # Nothing collected is no success either.
        return 0, 1, []
    total, bad = first
    unsteady = []
    if 0 < len(bad) <= AGAIN_MAX:
        again = pytest(folder, f"{folder}-again", "--last-failed")
        if again and again[0] == len(bad):
            unsteady = [name for name in bad if name not in again[1]]
            bad = again[1]
    return total - len(bad), len(bad), unsteady


def main():
    arguments = sys.argv[1:]
    results = [run_unit(program) for program in arguments if not program.startswith("--")]
    suites = [word.removeprefix("--").partition("=") for word in arguments if word.startswith("--")]
    unsteady = []
    for folder, _, word in suites:
        *result, names = run_pytest(folder, word)
        results.append(result)
        unsteady += names
    for name in unsteady:
        print(f"unsteady: {name} failed beside others and passed alone")
    passed, failed = (sum(r[i] for r in results) for i in (0, 1))
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
