"""What the cheap commands load: no solver, no numpy. Times belong to the machine, modules to us."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "numpy", "scipy", "numba", "networkx", "pyomo", "highspy", "ortools", "cvxpy", "matplotlib", "hypothesis", "rich",
}  # fmt: skip


def loaded(code: str) -> set[str]:
    """Top-level modules after running some code in a fresh interpreter."""
    tail = "\nimport sys\nprint('\\n' + ' '.join({name.partition('.')[0] for name in sys.modules}))"
    ran = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True)
    return set(ran.stdout.splitlines()[-1].split())


def command(words: list[str]) -> str:
    run = "from edgeopt.cli import main\ntry: main()\nexcept SystemExit: pass"
    return f"import sys\nsys.argv = {['edgeopt', *words]}\n{run}"


@pytest.mark.child
@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import edgeopt", set()),
        (command(["--help"]), set()),
        (command(["solve", "--help"]), set()),
        (command(["solvers", "--json"]), set()),
        (command(["solvers"]), {"rich"}),
    ],
    ids=["import", "help", "solve-help", "solvers-json", "solvers"],
)
def test_no_solver_is_loaded(code: str, allowed: set[str]) -> None:
    modules = loaded(code)
    assert "edgeopt" in modules
    assert modules & HEAVY <= allowed


@pytest.mark.child
def test_import_alone_loads_nothing_of_others() -> None:
    assert not loaded("import edgeopt") & {"msgspec", "typer", "click", "pydantic"}
