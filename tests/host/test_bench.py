# SPDX-License-Identifier: Apache-2.0
"""What the benches make of what they have measured (tests/bench): nothing is booted, no clock is looked at."""
import json
import os
import signal
import subprocess
import sys

import pytest
from conftest import REPO, heed_signals

sys.path.insert(0, str(REPO / "tests/bench"))
import check  # noqa: E402
import switches  # noqa: E402
import table  # noqa: E402

GOOD = {"versions": dict.fromkeys(check.VERSIONS, "1"), check.UP: 1000.0, check.OURS: 60.0, check.HELLO_ALL: 1100.0,
        check.HELLO_OURS: 66.0}


def without(name):
    return {key: value for key, value in GOOD.items() if key != name}


@pytest.mark.parametrize(("figures", "why"), [
    ({}, "versions.qemu is no text"), ([], "it is no object"), (None, "it is no object"), (0, "it is no object"),
    (without("versions"), "versions.kernel is no text"), (dict(GOOD, versions=[]), "versions.kernel is no text"),
    (dict(GOOD, versions={"qemu": "1"}), "versions.kernel is no text; versions.containerd is no text; versions.runtime is"),
    (without(check.UP), f"'{check.UP}' is no number above 0"), (without(check.OURS), f"'{check.OURS}' is no number above 0"),
    *((dict(GOOD, **{check.OURS: bad}), f"'{check.OURS}' is no number above 0")
      for bad in ("60", None, True, 0, -1, float("nan"), float("inf")))])
def test_figures_that_are_none(tmp_path, monkeypatch, figures, why):
    """They are refused before anything is measured, in one line with the file and what it lacks."""
    def never():
        raise AssertionError("it has measured")
    path = tmp_path / "expected.json"
    path.write_text(json.dumps(figures))
    monkeypatch.setattr(check, "EXPECTED", path)
    monkeypatch.setattr(check, "measure", never)
    monkeypatch.setattr(sys, "argv", ["check.py"])
    with pytest.raises(SystemExit) as end:
        check.main()
    line = str(end.value)
    assert line.startswith(f"bench-check: could not use {path}: ") and why in line and "\n" not in line, line


@pytest.mark.parametrize("text", ["", "{", None])
def test_figures_that_cannot_be_read(tmp_path, monkeypatch, text):
    path = tmp_path / "expected.json"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr(check, "EXPECTED", path)
    with pytest.raises(SystemExit, match=f"^bench-check: could not read {path}: "):
        check.read_expected()


def test_figures_of_the_repository():
    assert check.read_expected()["versions"].keys() == set(check.VERSIONS)


def test_more_is_noticed():
    def compared(**changed):
        return check.compare(GOOD, dict(GOOD, **changed))
    assert compared()[1]
    for name in check.FIGURES:
        assert compared(**{name: GOOD[name] * 1.029})[1]
        assert not compared(**{name: GOOD[name] * 1.031})[1]
    # Under other versions only our own share counts.
    other = dict(GOOD["versions"], kernel="another")
    remarks, good = compared(versions=other, **{check.UP: 2000.0, check.HELLO_ALL: 2000.0})
    assert good and "make bench-check UPDATE=1" in remarks[0]
    assert not compared(versions=other, **{check.OURS: GOOD[check.OURS] * 1.3})[1]


def test_ratios_are_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(table, "RESULTS", tmp_path / "bench.json")

    def rows():
        yield table.Row("boot", "ms", 30.0, floor=20.0, peers={"a": 60.0, "b": 0.0})
        yield table.Row("alone", "ms", 1.0)
        raise RuntimeError("the third could not be had")
    with pytest.raises(RuntimeError):
        table.report("part", rows())
    first, second = json.loads((tmp_path / "bench.json").read_text())["part"]
    assert (first["ratio_to_floor"], first["ratios_to_peers"]) == (1.5, {"a": 0.5, "b": None})
    assert (second["ratio_to_floor"], second["ratios_to_peers"]) == (None, {})
    assert "20.0 (1.50x)" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["[]", "0", "null", "{", "", "\udcff"])
def test_results_of_before_that_are_none_are_told_and_replaced(tmp_path, monkeypatch, capsys, text):
    path = tmp_path / "bench.json"
    path.write_text(text, errors="surrogateescape")
    monkeypatch.setattr(table, "RESULTS", path)
    table.report("part", [table.Row("boot", "ms", 30.0)])
    line, = capsys.readouterr().err.splitlines()
    assert line.startswith(f"bench: could not use {path}: ") and line.endswith("; it is written anew")
    assert json.loads(path.read_text()).keys() == {"part"}
    table.report("other", [])
    assert json.loads(path.read_text()).keys() == {"part", "other"} and capsys.readouterr().err == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_no_machine_outlives_its_bench(tmp_path, number):
    """Whatever ends the bench: the end of the pipe that the machine holds says that it has ended, too."""
    qemu = tmp_path / "qemu-system-x86_64"
    qemu.write_text("#!/bin/sh\necho >&2\nexec sleep 1000\n")
    qemu.chmod(0o755)
    bench = subprocess.Popen([sys.executable, "-c", "import machine, pathlib; machine.run(pathlib.Path('x'), '')"],
                             cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=heed_signals,
                             env=dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}",
                                      PYTHONPATH=str(REPO / "tests/bench")))
    assert bench.stderr.readline() == b"\n"
    bench.send_signal(number)
    bench.communicate(timeout=10)
    assert bench.returncode == -number


def switch(pid, time, to, prio=120, to_prio=120):
    return (f"{pid} {time:.6f}: sched_switch: prev_comm=x prev_pid={pid} prev_prio={prio} prev_state=S ==> "
            f"next_comm=a b next_pid={to} next_prio={to_prio}")


def fork(pid, time, child):
    return f"{pid} {time:.6f}: sched_process_fork: comm=a b pid={pid} child_comm=a b child_pid={child}"


def execute(pid, time, path):
    return f"{pid} {time:.6f}: sched_process_exec: filename={path} pid={pid} old_pid={pid}"


RECORD = "\n".join([
    execute(1, 1.0, "/init"),
    fork(1, 1.001, 5), switch(1, 1.002, 5),  # init 2 ms
    execute(5, 1.003, "/proc/self/exe"), "5 1.004000: begin: (__x64_sys_finit_module+0x0/0x20)",  # init's child 2 ms
    switch(5, 1.009, 0), switch(0, 1.010, 5), "5 1.011000: end: (do_syscall_64+0x5d/0x90 <- __x64_sys_finit_module)",  # 6 ms
    switch(5, 1.014, 1),  # the child again, under a module's name: 3 ms
    fork(1, 1.014, 6), switch(1, 1.015, 6), execute(6, 1.016, "/usr/bin/runc"),  # init 1 ms, its child 1 ms
    execute(6, 1.017, "/dev/fd/6"), switch(6, 1.018, 2), switch(2, 1.020, 6),  # runc 2 ms, a thread of the kernel 2 ms
    execute(6, 1.021, "/bin/true"), switch(6, 1.023, 5, to_prio=139),  # runc 1 ms, a container 2 ms
    switch(5, 1.030, 0, prio=139)])  # the child, nice: 7 ms, and so all of its work counts as such


def test_who_worked():
    times = switches.worked(RECORD, 1.0, 1.028)
    found = {who: round(ms, 3) for who, ms in switches.by_worker(times).items()}
    assert found == {switches.OURS: 4.0, switches.MODULES: 6.0, switches.IDLE: 1.0, "runc, crun": 3.0,
                     switches.KERNEL: 2.0, "the containers": 2.0, switches.BACKGROUND: 10.0}
    programs = {program: round(ms, 3) for (who, program), ms in times.items() if who == switches.OURS}
    assert programs == {("/init", 1): 3.0, ("/init", 3): 1.0}


def test_the_least_of_each_program():
    boots = [{(switches.OURS, ("/init", 1)): 3.0, (switches.OURS, ("/init", 2)): 9.0, ("shims", ("/x", 1)): 1.0},
             {(switches.OURS, ("/init", 1)): 4.0, (switches.OURS, ("/init", 2)): 5.0,
              (switches.OURS, (switches.MODPROBE, 1)): 2.0}]
    assert switches.least(boots, switches.OURS) == 8.0
    assert switches.least(boots[1:], switches.OURS) == 11.0
    assert switches.least(boots[1:], switches.OURS, without=(switches.MODPROBE,)) == 9.0
