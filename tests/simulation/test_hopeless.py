"""Who is refused, and when a deadline ends: by the slots of the simulation, and by time and memory of the nodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeopt.cli.simulate import _cells
from edgeopt.errors import InstanceError
from edgeopt.instances.batching.trace import read_trace
from edgeopt.simulation import scenario, simulate
from edgeopt.simulation.outcome import State


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Sixty requests, one a second."""
    rows = [f"2023-11-16 18:{m:02d}:{s:02d},{100 + s},{20 + s}" for m in range(1) for s in range(60)]
    path = tmp_path / "trace.csv"
    path.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]))
    return path


@pytest.mark.parametrize("slot", [0.05, 0.25, 0.5])
def test_deadlines_of_a_trace_go_by_the_slots_of_the_simulation(trace: Path, slot: float) -> None:
    """With a slack of one and a half, nobody is refused for slots longer than those of the generator."""
    live = scenario(
        trace=str(trace), epochs=10, warmup=0, slack=1.5, accuracy=(0, 0), uplink_slot_s=slot, downlink_slot_s=slot
    )
    np.testing.assert_allclose(live.traffic.deadline_s, 1.5 * (live.alone_s() + 2 * slot), rtol=1e-3)
    assert simulate(live, "gah").count(State.REFUSED) == 0


@pytest.mark.parametrize("adapt_every", [0, 1])
def test_who_takes_longer_than_the_compute_slot_is_refused_at_once(adapt_every: int) -> None:
    """However late its deadline; slots that adapt may become long enough."""
    live = scenario(
        model="bloom-7b1", epoch=0.3, uplink_slot_s=0.1, downlink_slot_s=0.1, deadline=(5, 6), accuracy=(0, 0),
        rate=20, epochs=5, warmup=0, adapt_every=adapt_every,
    )  # fmt: skip
    outcome = simulate(live, "gah")
    refused = outcome.state == State.REFUSED
    assert refused.any() is np.bool_(not adapt_every)
    assert (refused == (live.alone_s() > (1.2 if adapt_every else 0.3))).all()


@pytest.mark.parametrize("policy", ["gah", "no-batching"])
def test_who_fits_into_no_memory_is_refused(policy: str) -> None:
    """A prompt of five million tokens, with all the time in the world."""
    live = scenario(prompt_levels=[5_000_000], accuracy=(0, 0), deadline=(1e9, 1e9), epoch=1e8, rate=1e-7, epochs=2)
    outcome = simulate(live, policy)
    assert len(outcome.state)
    assert set(outcome.state.tolist()) == {State.REFUSED}


def test_the_shares_of_the_table_add_up_to_one() -> None:
    """They are means over the seeds that have arrivals, all of them."""
    found = [
        {"arrivals": arrivals, "completed": done, "expired": arrivals - done, "late": 0, "refused": 0,
         "completion_rate": done / arrivals if arrivals else float("nan"), "low": 0.0, "high": 1.0,
         "completed_per_epoch": 1.0, "latency_p95_s": 1.0}
        for arrivals, done in ((1, 1), (9, 3), (0, 0))
    ]  # fmt: skip
    cells = _cells(found)
    assert sum(float(cells[place]) for place in (1, 4, 5, 6)) == pytest.approx(1.0, abs=1e-3)


def test_nobody_for_a_long_time_takes_no_time() -> None:
    """A request or two in millions of epochs."""
    live = scenario(rate=1e-6, epochs=1_000_000, warmup=0, epoch=2, seed=3)
    outcome = simulate(live, "gah")
    assert State.PENDING not in outcome.state.tolist()
    assert len(outcome.epochs) <= 3 * len(live.traffic)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start_s": float("nan")}, "start_s = nan"),
        ({"start_s": float("inf")}, "start_s = inf"),
        ({"rate_scale": 1e-320}, "rate_scale = 1e-320"),
        ({"rate_scale": float("nan")}, "rate_scale = nan"),
        ({"epoch": 4e-10}, "epoch = 4e-10"),
        ({"uplink_slot_s": 1e-10}, "uplink_s = 1e-10"),
    ],
)
def test_times_that_are_none_are_refused(trace: Path, options: dict[str, float], words: str) -> None:
    with pytest.raises(InstanceError, match=words):
        scenario(trace=str(trace), epochs=3, warmup=0, **options)  # type: ignore[arg-type]


def test_a_trace_over_thousands_of_years_is_refused(tmp_path: Path) -> None:
    """Its nanoseconds do not fit in 64 bits."""
    path = tmp_path / "trace.csv"
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n0001-01-01 00:00:00,5,5\n9999-01-01 00:00:00,5,5\n")
    with pytest.raises(InstanceError, match="from the first request to the last"):
        read_trace(path)
