"""Kernels and their parts: compiled once, by several processes, and never stale."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeopt.solvers.jit import _cores

HOME = """
from edgeopt.solvers.jit import AXES, FLOATS, INT, INTS, READ, kernel, part
from factor import FACTOR


@part(INT, READ, FLOATS, AXES)
def total(value, weight, axes):
    found = 0
    for i in range(len(value)):
        if value[i] < 0:
            raise ValueError("a negative value")
        found += FACTOR * len(axes) * value[i]
        weight[i] = value[i] / 2.0
    return found


call = total.call


@kernel
def twice(parts, value, weight, axes):
    return call(parts[0], value, weight, axes) + call(parts[0], value, weight, axes)
"""

MAIN = """
import logging, pathlib, sys, time

import numpy as np
from numba import typeof

import edgeopt.solvers.jit as jit
from home import total, twice

HOW = sys.argv[1]
WAIT = "import time; time.sleep(1000)"
boots = {"dies": "raise SystemExit(3)", "hangs": WAIT, "never ends": f"print({jit._DONE!r}, flush=True); {WAIT}"}
jit._BOOT = boots.get(HOW, jit._BOOT)
if HOW == "alone":
    jit._cores = lambda: 1
if HOW == "never ends":
    jit.PATIENCE_S = 0.5
if HOW == "odd path":
    sys.path.insert(0, pathlib.Path("."))
if HOW in ("as usual", "odd path"):
    finish = jit._Helpers.__exit__

    def late(helpers, *error):  # this kernel is compiled before another process is there
        while helpers._processes and not helpers._left.empty():
            time.sleep(0.01)
        finish(helpers, *error)

    jit._Helpers.__exit__ = late
logging.basicConfig(level="WARNING")
axes, weight = (0,) * 5, np.zeros(3)
parts = np.array(twice.prepare((*(jit.INTS,) * 2, jit.FLOATS, typeof(axes)), [total], 5), np.int64)
found = twice.dispatcher(parts, np.array([1, 2, 4]), weight, axes)
assert weight.tolist() == [0.5, 1.0, 2.0]
try:
    twice.dispatcher(parts, np.array([1, -2, 4]), weight, axes)
    raise SystemExit("no error")
except ValueError as error:
    assert str(error) == "a negative value"
print(found, *(sum(compiled.dispatcher.stats.cache_hits.values()) for compiled in (twice, total)))
"""

Run = Callable[..., tuple[int, bool, bool, bool]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `MAIN` beside `HOME`: what it finds, whether kernel and part were on disk, whether it told of compiling."""
    (tmp_path / "home.py").write_text(HOME)
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "factor.py").write_text("FACTOR = 3")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "json.py").write_text("open('imported', 'w')")

    def once(how: str = "as usual") -> tuple[int, bool, bool, bool]:
        done = subprocess.run(
            [sys.executable, "../main.py", how], cwd=tmp_path / "elsewhere", capture_output=True, text=True, check=True,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}, timeout=50,
        )  # fmt: skip
        found, kernel, part = map(int, done.stdout.split())
        return found, bool(kernel), bool(part), "compiling home.twice once" in done.stderr

    return once


@pytest.mark.skipif(_cores() < 2, reason="one core has no helpers")
@pytest.mark.parametrize("how", ["as usual", "odd path"])
def test_another_process_compiles_the_part(run: Run, how: str, tmp_path: Path) -> None:
    """It is on disk when the kernel needs it, and so is everything the next time; errors of the part come through."""
    assert run(how) == (210, False, True, True)
    assert run() == (210, True, True, False)
    assert not (tmp_path / "elsewhere" / "imported").exists()


@pytest.mark.parametrize("how", ["alone", "dies", "hangs", "never ends"])
def test_without_helpers_the_part_is_compiled_here(run: Run, how: str) -> None:
    """On one core, and where the other process cannot start, says nothing, or never ends."""
    assert run(how) == (210, False, False, True)
    assert run() == (210, True, True, False)


def test_a_changed_file_beside_them_compiles_both_anew(run: Run, tmp_path: Path) -> None:
    """The numba cache looks at the kernel's own file only, and would go on with the old factor."""
    assert run("alone")[0] == 210
    factor = tmp_path / "factor.py"
    factor.write_text("FACTOR = 4")
    assert run("alone") == (280, False, False, True)
    left = [file for file in (tmp_path / "cache").rglob("*.nb?") if file.stat().st_mtime < factor.stat().st_mtime]
    assert left == []  # old machine code under a new index would be taken for new
