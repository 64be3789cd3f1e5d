"""Child processes: kept warm, stopped for certain, gone with their parent; what they sent survives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeopt.errors import BackendError
from edgeopt.solvers import child
from edgeopt.solvers.base import Control

pytestmark = pytest.mark.child

TARGETS = """
import ctypes, os, signal, time

def double(job, seconds, emit, stop):
    return 2 * job

def pid(job, seconds, emit, stop):
    return os.getpid()

def left(job, seconds, emit, stop):
    return seconds

def obedient(job, seconds, emit, stop):
    emit("begun")
    stop.wait()
    return "stopped"

def spins(job, seconds, emit, stop):
    emit("begun")
    while True:
        pass

def holds_the_lock(job, seconds, emit, stop):
    emit("begun")
    ctypes.PyDLL(None).sleep(1000)  # PyDLL keeps the interpreter's lock

def floods(job, seconds, emit, stop):
    while True:
        emit("x" * 1000)

def raises(job, seconds, emit, stop):
    raise ZeroDivisionError("of all things")

def complains(job, seconds, emit, stop):
    from edgeopt.errors import BackendError
    raise BackendError("no licence")

def talks(job, seconds, emit, stop):
    print("noise")
    os.write(1, b"noise")
    os.write(2, b"last words")
    os.kill(os.getpid(), signal.SIGSEGV)

def ignores_ctrl_c(job, seconds, emit, stop):
    os.kill(os.getpid(), signal.SIGINT)
    return "alive"
"""


@pytest.fixture(autouse=True)
def targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "targets.py").write_text(TARGETS)
    monkeypatch.syspath_prepend(str(tmp_path))
    child.close()
    yield
    child.close()


def call(name: str, job: Any = None, hear: Any = None, **control: Any) -> Any:
    heard = hear or (lambda event: None)
    return child.run(f"targets:{name}", job, Control("test", **control), heard)


def gone(pid: int) -> bool:
    """Whether a process ends (or has ended) before long."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_a_child_stays_warm() -> None:
    assert call("double", 21) == 42
    assert call("pid") == call("pid") != os.getpid()


def test_a_change_of_workers_needs_another_child() -> None:
    first = call("pid", workers=1)
    assert call("pid", workers=2) != first
    assert gone(first)


def test_the_child_knows_the_time_left() -> None:
    assert call("left") is None
    assert 50 < call("left", time_limit=60.0) <= 60


@pytest.mark.parametrize("name", ["spins", "holds_the_lock", "floods"])
def test_a_hung_child_is_killed_and_its_words_survive(name: str) -> None:
    heard: list[str] = []
    assert call(name, hear=heard.append, time_limit=0.2) is None
    assert heard
    assert call("double", 1) == 2


def test_an_obedient_child_is_asked_and_kept() -> None:
    assert call("obedient", time_limit=0.2) == "stopped"
    first = call("pid")
    assert call("obedient", time_limit=0.2) == "stopped"
    assert call("pid") == first


def test_an_interruption_reaches_the_child() -> None:
    control = Control("test")

    def hear(event: str) -> None:
        control.interrupted = True

    assert child.run("targets:obedient", None, control, hear) == "stopped"
    assert child.run("targets:spins", None, Control("test", interrupted=True), hear) is None


def test_the_child_ignores_ctrl_c() -> None:
    assert call("ignores_ctrl_c") == "alive"


def test_an_error_names_its_cause_and_the_child_goes_on_no_more() -> None:
    with pytest.raises(BackendError, match="targets:raises failed: ZeroDivisionError: of all things"):
        call("raises")
    with pytest.raises(BackendError, match=r"^no licence$"):
        call("complains")
    assert call("double", 2) == 4


def test_a_crash_is_told_with_the_last_words(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BackendError, match=r"died \(signal SIGSEGV\): last words"):
        call("talks")
    assert capfd.readouterr() == ("", "")
    assert call("double", 3) == 6


def test_a_child_killed_between_calls_is_replaced() -> None:
    first = call("pid")
    os.kill(first, signal.SIGKILL)
    assert gone(first)
    assert call("pid") != first


def test_a_missing_module_is_named() -> None:
    with pytest.raises(BackendError, match="cannot import no_such_solver"):
        child.run("targets:double", 1, Control("test"), print, imports=["no_such_solver"])


def test_an_error_in_the_listener_ends_the_child() -> None:
    def hear(event: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call("spins", hear=hear)
    assert not child._alive


def test_two_threads_have_two_children() -> None:
    both = threading.Barrier(2, timeout=30)
    results: list[Any] = []

    def work() -> None:
        results.append(call("obedient", hear=lambda event: both.wait(), time_limit=1.0))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["stopped", "stopped"]
    assert len(child._alive) == 1


def parent_of(name: str, tmp_path: Path, end: str) -> tuple[subprocess.Popen[str], int]:
    """A process that runs a target in a child, tells the child's number, and does `end` at its first word."""
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(f"""
            import os, signal, sys
            sys.path.insert(0, {str(tmp_path)!r})
            from edgeopt.solvers import child
            from edgeopt.solvers.base import Control

            def hear(event):
                print(next(iter(child._alive)).pid, flush=True)
                {end}

            child.run("targets:{name}", None, Control("test"), hear)
        """)
    )
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", ["obedient", "spins", "holds_the_lock"])
@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "sys.exit(0)"], ids=["killed", "exit"])
def test_no_child_outlives_its_parent(name: str, end: str, tmp_path: Path) -> None:
    parent, pid = parent_of(name, tmp_path, end)
    with parent:
        parent.wait(30)
    ended = gone(pid)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    assert ended


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_leaves_the_children_alone() -> None:
    first = call("pid")
    forked = os.fork()
    if forked == 0:
        os._exit(0 if not child._alive and not child._idle else 1)
    assert os.waitpid(forked, 0)[1] == 0
    assert call("pid") == first
