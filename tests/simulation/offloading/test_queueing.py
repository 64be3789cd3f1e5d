"""The simulator against closed forms of queueing theory, within confidence intervals, and against conservation laws."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.instances.offloading import OffloadingInstance
from edgeopt.simulation.offloading.compare import interval
from edgeopt.solvers.offloading.closed_loop import Record, simulate
from edgeopt.solvers.offloading.episodes import Episodes
from edgeopt.solvers.offloading.policies import policy

EPISODES, TASKS, WARM = 24, 2500, 400


def server(load: float, service: str, discipline: str, place: str = "server") -> Record:
    """One queue with Poisson arrivals and services of mean 1 s: a server, or a device's own processor."""
    instances = []
    for seed in range(EPISODES):
        rng = np.random.default_rng([seed, 17])
        arrival = np.cumsum(rng.exponential(1 / load, TASKS))
        work = np.ones(TASKS) if service == "constant" else rng.exponential(1.0, TASKS) + 1e-9
        own = place == "own"
        instances.append(
            OffloadingInstance.of(
                f"q{seed}",
                task_device=np.zeros(TASKS, dtype=np.int64),
                arrival_s=arrival,
                bits=0.0,
                cycles=work,
                deadline_s=1e5,
                device_hz=[1.0 if own else 0.0],
                server_hz=np.ones(0 if own else 1),
                rate_bit_per_s=1.0,
                discipline=discipline,  # type: ignore[arg-type]
                tick_s=1e-4,
            )
        )
    return simulate(Episodes.of(instances), policy("earliest"))


@pytest.mark.parametrize(
    ("service", "discipline", "place", "load", "expected"),
    [
        ("exponential", "fifo", "server", 0.5, 2.0),  # M/M/1: 1 / (1 - rho)
        ("exponential", "fifo", "own", 0.7, 1 / 0.3),
        ("constant", "fifo", "server", 0.7, 1 + 0.7 / (2 * 0.3)),  # M/D/1: 1 + rho / (2 (1 - rho))
        ("exponential", "ps", "server", 0.7, 1 / 0.3),  # M/M/1-PS and M/D/1-PS: 1 / (1 - rho)
        ("constant", "ps", "server", 0.5, 2.0),
    ],
)
def test_the_mean_time_in_the_system_is_the_closed_form(
    service: str, discipline: str, place: str, load: float, expected: float
) -> None:
    record = server(load, service, discipline, place)
    assert not record.dropped.any()
    mean = interval(record.cost[:, WARM:].mean(axis=1) * 1e-4)
    slack = 2 * (mean.high - mean.mean)  # four standard errors: the seeds are fixed, this fails once in 10^4 sets
    assert mean.mean == pytest.approx(expected, abs=slack)
    assert slack < 0.15 * expected


@pytest.mark.parametrize("discipline", ["fifo", "ps"])
@pytest.mark.parametrize("name", ["random", "earliest", "shortest-queue", "greedy"])
def test_nothing_is_lost_and_nothing_comes_from_nowhere(discipline: str, name: str) -> None:
    """Every task leaves once; a machine works no more than a tick a tick; no latency is below the task's own times."""
    from edgeopt.instances.offloading.generate import generate

    instances = [generate(seed=s, slots=60, load=0.95, discipline=discipline, channel="fading") for s in range(6)]  # type: ignore[arg-type]
    episodes = Episodes.of(instances)
    record = simulate(episodes, policy(name), seed=3)
    for e, count in enumerate(episodes.tasks.tolist()):
        cost, dropped, place = record.cost[e, :count], record.dropped[e, :count], record.place[e, :count]
        assert np.isfinite(cost).all()
        life = (episodes.due - episodes.arrival)[e, :count]
        assert (cost[dropped] == life[dropped] + episodes.penalty[e]).all()
        rows = np.flatnonzero(~dropped)
        own = np.array(
            [
                episodes.local[e, i] if p == 0 else episodes.upload[e, i, p - 1] + episodes.work[e, i, p - 1]
                for i, p in zip(rows.tolist(), place[rows].tolist(), strict=True)
            ]
        )
        assert (cost[rows] >= own).all()
        assert (cost[rows] <= life[rows]).all()
        for p in range(1, episodes.servers + 1):
            at = rows[place[rows] == p]
            done = episodes.work[e, at, p - 1].sum()
            if len(at):
                ends = episodes.arrival[e, at] + cost[at]
                assert done <= ends.max() - episodes.arrival[e, at].min()
    assert np.isnan(record.cost).sum() == (~(np.arange(record.cost.shape[1]) < episodes.tasks[:, None])).sum()
    assert record.total == pytest.approx([np.nansum(row) for row in record.cost])
