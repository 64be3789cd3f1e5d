"""Hypothesis profiles: `default` for every run, `thorough` before a release (HYPOTHESIS_PROFILE=thorough)."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings

# Each process has a core: threads for linear algebra would wait for one another, three times as long as they work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile("default", max_examples=40, deadline=None, suppress_health_check=_SLOW_IS_FINE)
settings.register_profile("thorough", max_examples=5000, deadline=None, suppress_health_check=_SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A shell that starts the tests in the background has Ctrl-C ignored, in them and in the processes they start. Some of
# them test what Ctrl-C does.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Before most tests are run by several processes, each compiles its share of the kernels, not all of them."""
    worker, workers = os.environ.get("PYTEST_XDIST_WORKER", ""), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    if not worker or len(session.items) < 1000:
        return
    for share in SHARES[int(worker.removeprefix("gw")) :: int(workers)]:
        with contextlib.suppress(Exception):  # the tests will tell
            share()


def compile_ot() -> None:
    """All forms of `ot`: few requests and many, downlink shares of their own, and waiting for memory."""
    import numpy as np

    import edgeopt
    from edgeopt.solvers.batching.ot import SAMPLE_FROM, solve_node

    few, many = (
        edgeopt.generate("batching", seed=1, nodes=1, requests=size, regime="both").compiled.nodes[0]
        for size in (20, SAMPLE_FROM + 1000)
    )
    time = np.ones(len(few.class_tokens), np.int64)
    own_shares = replace(few, downlink=few.class_tokens[few.length_class])
    for node in (few, many, own_shares, replace(few, class_stream=time, class_fixed=time)):
        solve_node(node)


def compile_solvers(problem: str, *solvers: str) -> None:
    """What these solvers need."""
    import edgeopt

    instance = edgeopt.generate(problem, seed=1)
    for solver in solvers:
        edgeopt.solve(instance, solver, time_limit=5)


SHARES: tuple[Callable[[], None], ...] = (
    compile_ot,
    lambda: compile_solvers("decomposition", "list", "local-search", "priced"),
    lambda: compile_solvers("batching", "close"),
    lambda: compile_solvers("offloading", "rollouts", "lacs", "hindsight", "greedy", "matching"),
    lambda: compile_solvers("slide", "slide"),
    lambda: compile_solvers("assignment", "close"),
)
"""In an order in which two processes have about as much to do."""
