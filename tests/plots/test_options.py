"""Options of figures: read as what is asked for, or refused in one line; none that a figure sets itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pytest

from edgeopt.errors import InstanceError
from edgeopt.plots.base import Setting, figures_of, settings
from edgeopt.plots.options import names_of, read_options


def function(
    *,
    seed: int = 0,
    count: int = 1,
    rate: float = 1.0,
    limits: tuple[float, float] = (1.0, 2.0),
    rates: Sequence[float] = (1.0,),
    model: str | Sequence[str] = "a",
    rule: Literal["one", "two"] = "one",
    layers: int | None = None,
    memory: bool = False,
) -> None:
    """Take options of every kind that generators and scenarios have."""


def test_a_seed_is_no_option() -> None:
    assert names_of(function) == ["count", "rate", "limits", "rates", "model", "rule", "layers", "memory"]


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("count", 3, 3),
        ("count", 3.0, 3),
        ("count", 10**400, 10**400),
        ("rate", 3, 3),
        ("limits", "1.5,2", (1.5, 2)),
        ("limits", [1, 2], (1, 2)),
        ("rates", "5, 10", (5, 10)),
        ("rates", 5, (5,)),
        ("model", "a", "a"),
        ("model", ["a", "b"], ("a", "b")),
        ("rule", "two", "two"),
        ("layers", None, None),
        ("memory", True, True),
    ],
)
def test_values_are_read_as_their_kind(name: str, value: Any, found: Any) -> None:
    assert read_options(function, {name: value}, what="figure x") == {name: found}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("count", "x", "count = x: must be a whole number"),
        ("count", 2.5, "count = 2.5: must be a whole number"),
        ("count", True, "count = true: must be a whole number"),
        ("count", float("inf"), "count = Infinity: must be a whole number"),
        ("count", float("nan"), "count = NaN: must be a whole number"),
        ("rate", float("nan"), "rate = NaN: must be a number"),
        ("rate", 10**400, "must be a number"),
        ("limits", 3, "limits = 3: must be 2 numbers with a comma between"),
        ("limits", "1,2,3", "limits = 1,2,3: must be 2 numbers with a comma between"),
        ("rates", "abc", "rates = abc: must be numbers with commas between"),
        ("rates", "nan,5", "rates = nan,5: must be numbers with commas between"),
        ("model", 3, "model = 3: must be text or texts with commas between"),
        ("rule", "three", "rule = three: must be one of one, two"),
        ("layers", "x", "layers = x: must be a whole number or null"),
        ("memory", 1, "memory = 1: must be true or false"),
    ],
)
def test_a_refusal_names_option_value_and_what_is_wanted(name: str, value: Any, text: str) -> None:
    with pytest.raises(InstanceError) as caught:
        read_options(function, {name: value}, what="figure x")
    assert str(caught.value).startswith("figure x: ")
    assert str(caught.value).endswith(text)


@pytest.mark.parametrize("problem", ["aircomp", "batching", "decomposition", "offloading", "slide"])
def test_the_options_of_every_figure_can_be_worded(problem: str) -> None:
    for maker in figures_of(problem).values():
        for name in names_of(maker.takes):
            if name not in maker.sets:
                with pytest.raises(InstanceError, match=f"{name} = .*: must be "):
                    settings([maker], Setting(1, {name: {"no": "option"}}))


@pytest.mark.parametrize(
    ("problem", "figure", "option"),
    [
        ("batching", "8", "rate"),
        ("batching", "8", "model"),
        ("batching", "8", "rate_scale"),
        ("batching", "9", "epoch"),
        ("batching", "10", "waiting"),
        ("batching", "11", "deadline"),
        ("batching", "12", "quantization_name"),
        ("batching", "12", "accuracy"),
        ("batching", "13", "accuracy"),
        ("aircomp", "devices", "devices"),
        ("aircomp", "devices", "design"),
        ("aircomp", "antennas", "server_antennas"),
        ("aircomp", "power", "snr_db"),
        ("aircomp", "latency", "draws"),
        ("aircomp", "latency", "bandwidth_hz"),
        ("aircomp", "convergence", "shares"),
        ("slide", "band", "bandwidth_hz"),
        ("slide", "deadline", "deadline_s"),
        ("slide", "energy", "energy_budget"),
        ("slide", "latency", "bandwidth_hz"),
        ("offloading", "load", "load"),
        ("offloading", "arrivals", "arrival_probability"),
        ("offloading", "servers", "servers"),
        ("decomposition", "load", "rate_per_s"),
        ("decomposition", "schedule", "seed"),
    ],
)
def test_what_a_figure_sets_itself_is_refused(problem: str, figure: str, option: str) -> None:
    with pytest.raises(InstanceError, match=f"{option} = 3: .*figure"):
        figures_of(problem)[figure](Setting(1, {option: 3}))


def test_what_a_figure_only_starts_from_can_be_set() -> None:
    makers = figures_of("batching")
    options = {"epochs": 1, "warmup": 0, "deadline": (1.0, 2.0), "latency": "roofline"}
    assert settings([makers["8"]], Setting(1, options))[0].options == options
    assert settings([makers["9"]], Setting(1, {"rate": 20.0}))[0].options == {"rate": 20.0}


def test_each_of_several_figures_has_the_options_that_it_takes() -> None:
    makers = figures_of("batching")
    found = settings([makers["8"], makers["table3"]], Setting(1, {"epochs": 1, "cap": 10}))
    assert [setting.options for setting in found] == [{"epochs": 1}, {"cap": 10}]
    with pytest.raises(InstanceError, match="cap = 10: no option of figure 8; there are: epochs, warmup, "):
        settings([makers["8"]], Setting(1, {"cap": 10}))
