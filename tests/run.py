#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs unit test programs, with --host the tests of tests/host and with --vm the boot tests (--vm=WORD: those whose
name has the word); the last line is `N passed, N failed`.

A unit test program counts each of its tests; one that crashes counts as one failure more. A skipped test is a failure:
a package that is missing must not look like success.
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


def run_pytest(folder, word):
    """Returns (passed, failed) of the folder's tests, all of them or those whose name has the word.

    As many files of tests run side by side as there are processors, up to WORKERS_MAX: each may boot machines.
    """
    workers = min(len(os.sched_getaffinity(0)), WORKERS_MAX)
    report = REPO / f"build/{folder}.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rsxX",
                    "-n", str(workers), "--dist", "loadfile", f"--junitxml={report}",
                    *(["-k", word] if word else []), str(REPO / "tests" / folder)], stdin=subprocess.DEVNULL, check=False)
    if not report.exists():
        return 0, 1
    suite = ElementTree.parse(report).getroot().find("testsuite")
    total, bad = int(suite.get("tests")), sum(int(suite.get(k)) for k in ("failures", "errors", "skipped"))
    # Nothing collected is no success either.
    return max(total - bad, 0), bad if total else 1


def main():
    arguments = sys.argv[1:]
    results = [run_unit(program) for program in arguments if not program.startswith("--")]
    suites = [word.removeprefix("--").partition("=") for word in arguments if word.startswith("--")]
    results += [run_pytest(folder, word) for folder, _, word in suites]
    passed, failed = (sum(r[i] for r in results) for i in (0, 1))
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
