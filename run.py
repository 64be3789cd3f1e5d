#!/usr/bin/env python3
"""Run a command of this project in its own environment, made on first use: ``python3 run.py COMMAND ...``.

Needs Python 3.11 or newer and pip, nothing else. The environment lies in ``.venv`` beside this file; it
is brought up to date whenever ``pyproject.toml`` changes. ``edgeopt`` gets the package alone, every other
command (``pytest``, ``ruff``, ``mypy``, ``mkdocs``, ...) the development tools as well.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
HOME = ROOT / ".venv"
BIN = HOME / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")


def make_environment() -> list[str]:
    """Create the environment if it is missing; the command that runs pip for it."""
    if not PYTHON.exists():
        print(f"making {HOME.name} ...", file=sys.stderr)
        try:
            venv.create(HOME, with_pip=True)
        except (subprocess.CalledProcessError, SystemExit, ImportError):
            # Debian and Ubuntu ship venv without ensurepip: their own pip can serve the environment instead.
            venv.create(HOME, with_pip=False, clear=True)
    if subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        return [str(PYTHON), "-m", "pip"]
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        return [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    sys.exit("error: this Python has no pip; install it (on Debian and Ubuntu: apt install python3-pip) and try again")


def install(extra: str) -> None:
    """Bring the environment up to date with ``pyproject.toml``."""
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamps = [HOME / "installed-dev"] if extra else [HOME / "installed", HOME / "installed-dev"]
    if any(stamp.exists() and stamp.read_text() == wanted for stamp in stamps):
        return
    pip = make_environment()
    print("installing edgeopt and what it needs, a minute or two ...", file=sys.stderr)
    done = subprocess.run([*pip, "install", "--quiet", "--editable", f"{ROOT}{extra}"], stdout=sys.stderr)
    if done.returncode:
        sys.exit(f"error: pip could not install the project (exit code {done.returncode}), see above")
    stamps[0].write_text(wanted)


def main() -> None:
    """Make the environment and become the command."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what an older Python is tried with
        sys.exit(f"error: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    if len(sys.argv) < 2:
        sys.exit(f"{(__doc__ or '').strip()}\n\nerror: give a command, e.g. python3 run.py edgeopt --help")
    command, *arguments = sys.argv[1:]
    install("" if command == "edgeopt" else "[dev]")
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    sys.exit(subprocess.run([str(BIN / command), *arguments]).returncode)


if __name__ == "__main__":
    main()
