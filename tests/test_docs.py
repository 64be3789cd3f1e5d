"""The documentation does not drift: its Python runs as doctests, its console blocks are run and compared.

What stands there is the standard output; ``...`` stands for anything and is used for times only.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TRACE = ROOT.parent / "shared" / "data" / "llm_traces" / "azure2023_code.csv"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")], key=lambda page: page.name)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOW = {page: page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=SHOW.get)
def test_python_snippets(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testfile(str(page), module_relative=False, optionflags=FLAGS)
    assert result.failed == 0


def commands(block: str) -> list[tuple[str, str]]:
    """The commands of a console block with the output that the page shows for each."""
    found = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command = command[:-1] + more
        found.append((command, output))
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if CONSOLE.search(page.read_text())], ids=SHOW.get)
def test_console_blocks(page: Path, tmp_path: Path) -> None:
    (tmp_path / "instances").symlink_to(ROOT / "instances")
    if TRACE.exists():
        (tmp_path / TRACE.name).symlink_to(TRACE)
    bins = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = os.environ | {"PATH": bins, "COLUMNS": "110", "NO_COLOR": "1", "TERM": "dumb"}
    checker = doctest.OutputChecker()
    for block in CONSOLE.findall(page.read_text()):
        if TRACE.name in block and not TRACE.exists():
            continue
        for command, expected in commands(block):
            done = subprocess.run(command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True)
            if not checker.check_output(expected, done.stdout, FLAGS):
                got = f"{done.stdout}\non stderr, exit code {done.returncode}:\n{done.stderr}"
                pytest.fail(f"$ {command}\nexpected:\n{expected}\ngot:\n{got}")
