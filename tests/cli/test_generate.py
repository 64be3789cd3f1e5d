"""`generate`: options come from the problem's own function, whichever problem it is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Literal

import pytest

import edgeopt as eo
from edgeopt.cli.options import descriptions, given, options_of
from edgeopt.errors import InstanceError
from edgeopt.instances import base
from edgeopt.instances.batching.generate import generate


def test_same_seed_same_file(run: Any, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        ran = run("generate", "batching", "--nodes", 2, "--requests", 10, "--seed", 7, "-o", tmp_path / name)
        assert (ran.code, ran.err) == (0, "")
        assert str(tmp_path / name) in ran.out
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert eo.read(tmp_path / "a.json").digest == generate(seed=7, nodes=2, requests=10).digest


def test_without_output_the_file_goes_to_stdout(run: Any, tmp_path: Path) -> None:
    ran = run("generate", "batching", "--requests", 3, "--name", "shown")
    path = tmp_path / "shown.json"
    path.write_text(ran.out)
    assert eo.read(path).digest == generate(requests=3, name="shown").digest


def test_every_kind_of_option(run: Any, tmp_path: Path) -> None:
    ran = run(
        "generate", "batching", "--requests", 12, "--seed", 2, "--nodes", 3, "--model", "bloom-3b",
        "--model", "bloom-7b1", "--quantization", "w4a16-gptq", "--deadline-min", 1.7, "--waiting", "uniform",
        "--downlink-rule", "per-user", "--regime", "both", "--load", 0.5, "--epoch", 3, "--output-levels", "64,128",
        "--corner", "ties", "-o", tmp_path / "a.json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    expected = generate(
        requests=12, seed=2, nodes=3, model=("bloom-3b", "bloom-7b1"), quantization_name="w4a16-gptq",
        deadline=(1.7, 2.0), waiting="uniform", downlink_rule="per-user", regime="both", load=0.5, epoch=3.0,
        output_levels=(64, 128), corner="ties",
    )  # fmt: skip
    assert eo.read(tmp_path / "a.json").digest == expected.digest


def test_a_window_of_a_trace(run: Any, tmp_path: Path) -> None:
    from edgeopt.instances.batching.trace import from_trace

    trace = tmp_path / "trace.csv"
    rows = [f"2023-11-16 18:00:0{i % 10}.{i:07d},{100 + i},{20 + i}" for i in range(8)]
    trace.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *sorted(rows)]) + "\n")
    ran = run(
        "generate", "batching", "--trace", trace, "--window", 10, "--start", 1, "--slack", 4, "--output-levels", 2,
        "-o", tmp_path / "t.json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    expected = from_trace(trace, window_s=10.0, start_s=1.0, slack=4.0, output_levels=2)
    assert eo.read(tmp_path / "t.json").digest == expected.digest


def test_help_lists_the_options_with_their_meaning(run: Any) -> None:
    ran = run("generate", "batching", "--help")
    text = " ".join(ran.out.split())
    assert "--deadline-min <float> Least and largest latency limit (s), uniform between. [default: 1.5]" in text
    assert "--trace" in text
    assert "--regime [paper|compute|both|all|fixed]" in text
    assert "--slack" in run("generate", "batching", "--trace", "any.csv", "--help").out
    assert "batching" in run("generate", "--help").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bathing"], "error: no problem 'bathing'; there are: "),
        (["batching", "--node", "3"], "--node"),
        (["batching", "--nodes", "many"], "Invalid value for '--nodes'"),
        (["batching", "--nodes", "0"], "error: generate batching: nodes = 0: must be from 1 to 1000"),
        (["batching", "--regime", "wild"], "'wild' is not one of paper, compute"),
        (["batching", "--output-levels", "12,x"], "error: --output-levels 12,x: must be a list of int"),
        (["batching", "--requests", "2", "-o", "a.txt"], "error: a.txt: the ending must be"),
        (["batching", "--trace", "missing.csv"], "missing.csv"),
        (["batching", "--slack", "3"], "--slack"),
    ],
)
def test_bad_input_is_one_clear_error(run: Any, words: list[str], said: str) -> None:
    ran = run("generate", *words)
    assert ran.code == 2
    assert said in " ".join(ran.err.split())
    assert "Traceback" not in ran.err


def make_toy(
    *,
    seed: int = 0,
    items: int = 3,
    ratio: float | None = None,
    span: tuple[int, int] | None = None,
    kinds: Sequence[str] = ("a",),
    mode: Literal["slow", "fast"] = "slow",
    tidy: bool = True,
    limit_s: float = 1.0,
) -> dict[str, Any]:
    """Make a toy.

    Parameters
    ----------
    seed, items : int
        Two
        numbers.
    ratio : float, optional
        A share.

    Returns
    -------
    dict
        Everything.
    """
    return dict(locals())


def test_a_new_problem_has_its_options_without_new_code(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[dict[str, Any]] = []

    def make(**options: Any) -> SimpleNamespace:
        made.append(options)
        return SimpleNamespace(problem="toy", name="a toy")

    make.__signature__ = __import__("inspect").signature(make_toy)  # type: ignore[attr-defined]
    make.__annotations__ = make_toy.__annotations__
    make.__doc__ = make_toy.__doc__
    toy = ModuleType("edgeopt.instances.toy")
    toy.PROBLEM = SimpleNamespace(generate=make, encode=lambda instance: b"{}")  # type: ignore[attr-defined]
    toy.__path__ = []
    monkeypatch.setitem(sys.modules, "edgeopt.instances.toy", toy)
    monkeypatch.setattr(base, "problem_names", lambda: ["batching", "toy"])
    ran = run(
        "generate", "toy", "--seed", 5, "--span-min", 1, "--span-max", 2, "--kinds", "x,y", "--kinds", "z",
        "--mode", "fast", "--no-tidy", "--limit", 2.5, "-o", tmp_path / "toy.json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert made == [
        {"seed": 5, "span": (1, 2), "kinds": ("x", "y", "z"), "mode": "fast", "tidy": False, "limit_s": 2.5}
    ]
    assert run("generate", "toy", "--span-min", 1).code == 2


def test_descriptions_are_read_from_numpydoc() -> None:
    assert descriptions(make_toy) == {"seed": "Two numbers.", "items": "Two numbers.", "ratio": "A share."}
    assert descriptions(lambda: None) == {}


def test_half_a_pair_without_a_default_is_refused() -> None:
    options = options_of(make_toy)
    with pytest.raises(InstanceError, match="--span-min and --span-max"):
        given(options, dict.fromkeys(single.name for o in options for single in o.parameters) | {"span_min": 1})
