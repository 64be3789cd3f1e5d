"""Instances from LLM traces: the rule, the shared Azure trace, and bad files."""

from __future__ import annotations

import gzip
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.batching.trace import from_trace, read_trace, unloaded_latency_s

AZURE = Path(__file__).parents[3].parent / "shared" / "data" / "llm_traces" / "azure2023_code.csv"
needs_azure = pytest.mark.skipif(not AZURE.exists(), reason="the shared trace is not here")

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
SMALL = HEADER + (
    "2023-11-16 18:17:03.9799600,100,10\n"
    "2023-11-16 18:17:04.0000000,300,8\n"
    "2023-11-16 18:17:04.979960,110,27\n"
    "2023-11-16 18:17:05.9799599,500,14\n"
    "2023-11-16 18:17:05.9799600,90,90\n"
    "2023-11-16 18:17:13.9799600,40,5\n"
)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.csv"
    path.write_text(SMALL)
    return path


def test_reads_every_request_exactly(small: Path) -> None:
    trace = read_trace(small)
    assert trace.arrival_ns.tolist() == [0, 20_040_000, 10**9, 1_999_999_900, 2 * 10**9, 10 * 10**9]
    assert trace.prompt_tokens.tolist() == [100, 300, 110, 500, 90, 40]
    assert trace.output_tokens.tolist() == [10, 8, 27, 14, 90, 5]


@pytest.mark.parametrize(
    "content",
    [
        SMALL.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + SMALL.encode(),
        ("\n\n" + SMALL.replace("\n", "\n\n") + "\n , \n").encode(),
        SMALL.replace(",100,10", ', "100",10').replace("2023-11-16 18:17:04.0000000", '"2023-11-16 18:17:04"').encode(),
        SMALL.replace("2023-11-16 ", "2023-11-16T").replace(",100,", "Z,100,").replace(",300,", "+00:00,300,").encode(),
        SMALL.replace("2023-11-16 18:17:04.0000000", "2023-11-16 19:17:04.0000000+01:00").encode(),
        SMALL.replace("2023-11-16 18:17:04.0000000", "2023-11-16 19:17:04.0000000+0100").encode(),
        SMALL.replace(HEADER, HEADER.lower()).encode(),
        SMALL.replace(HEADER, HEADER.upper()).encode(),
        SMALL.rstrip().encode(),
        gzip.compress(SMALL.encode()),
        "".join(f"{line.split(',')[2]},x,{','.join(line.split(',')[:2])}\n" for line in SMALL.splitlines()).encode(),
    ],
    ids=[
        "crlf",
        "bom",
        "blank lines",
        "quotes",
        "T and Z",
        "zone",
        "zone without colon",
        "lower case",
        "upper case",
        "no last newline",
        "gzip",
        "other columns",
    ],
)
def test_the_same_trace_written_otherwise(small: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.csv").write_bytes(content)
    for column, other in zip(read_trace(small), read_trace(tmp_path / "other.csv"), strict=True):
        np.testing.assert_array_equal(column, other)


def test_rows_out_of_order_are_sorted(tmp_path: Path) -> None:
    lines = SMALL.splitlines(keepends=True)
    (tmp_path / "mixed.csv").write_text("".join([lines[0], *reversed(lines[1:])]))
    assert read_trace(tmp_path / "mixed.csv").prompt_tokens.tolist() == [100, 300, 110, 500, 90, 40]


def test_window_is_half_open(small: Path) -> None:
    assert from_trace(small).requests.prompt_tokens.tolist() == [100, 300, 110, 500]
    assert from_trace(small, start_s=2.0, window_s=8.0).requests.prompt_tokens.tolist() == [90]
    assert from_trace(small, start_s=0.02004, window_s=1.0).requests.prompt_tokens.tolist() == [300, 110]


def test_rate_scale_squeezes_time(small: Path) -> None:
    squeezed = from_trace(small, window_s=1.0, rate_scale=2.0, waiting="actual")
    assert squeezed.requests.prompt_tokens.tolist() == [100, 300, 110, 500]
    assert squeezed.epoch_s == 1.0
    np.testing.assert_allclose(squeezed.requests.waiting_s, [1.0, 0.98998, 0.5, 5e-8], atol=1e-9)
    stretched = from_trace(small, window_s=4.0, rate_scale=0.5, waiting="actual")
    np.testing.assert_allclose(stretched.requests.waiting_s, [4.0, 3.95992, 2.0, 2e-7], atol=1e-9)
    assert not from_trace(small).requests.waiting_s.any()


def test_padding_and_refused_prompts(small: Path) -> None:
    assert from_trace(small).padded_prompt_tokens == 500
    capped = from_trace(small, padded_prompt_tokens=110)
    assert capped.requests.prompt_tokens.tolist() == [100, 110]
    assert "2 prompts over 110 tokens refused" in capped.source
    assert from_trace(small, padded_prompt_tokens=4000).padded_prompt_tokens == 4000


@pytest.mark.parametrize(
    ("levels", "rounded"),
    [(1, [27] * 4), (2, [10, 10, 27, 27]), (3, [10, 10, 27, 14]), (4, [10, 8, 27, 14]), (99, [10, 8, 27, 14])],
)
def test_outputs_are_rounded_up_to_quantiles(small: Path, levels: int, rounded: list[int]) -> None:
    assert from_trace(small, output_levels=levels).requests.output_tokens.tolist() == rounded


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(1, 12))
def test_levels_are_few_and_never_below_the_output(tmp_path_factory: Any, outputs: list[int], levels: int) -> None:
    path = tmp_path_factory.mktemp("trace") / "t.csv"
    path.write_text(HEADER + "".join(f"2024-01-01 00:00:00.{k:06d},5,{n}\n" for k, n in enumerate(outputs)))
    found = from_trace(path, output_levels=levels).requests.output_tokens
    assert (found >= outputs).all()
    assert len(np.unique(found)) <= levels
    assert set(found.tolist()) <= set(outputs)
    # Rounding moves an output up by at most one part in N of all outputs (and ties).
    for output, level in zip(outputs, found.tolist(), strict=True):
        assert Fraction(sum(output < n < level for n in outputs), len(outputs)) < Fraction(1, levels)


def test_deadline_is_slack_times_the_unloaded_latency(small: Path) -> None:
    instance = from_trace(small, slack=2.5, nodes=2, model=["opt-1.3b", "opt-125m"])
    fast, slow = instance.nodes
    for request in range(len(instance.requests)):
        names = instance.requests.accept_sets[instance.requests.accepts[request]]
        times = [
            node.model.flops(500, int(instance.requests.output_tokens[request])) / node.compute_flops
            for node in (fast, slow)
            if names is None or node.model.name in names
        ]
        assert instance.requests.deadline_s[request] == pytest.approx(2.5 * (0.5 + min(times)), rel=1e-5)
    assert "deadline = 2.5 x unloaded latency" in instance.source


def test_latency_is_infinite_where_no_node_accepts() -> None:
    instance = eo.generate("batching", requests=4, corner="uncovered")
    assert np.isinf(unloaded_latency_s(instance)).tolist() == [True, False, True, False]


def test_regime_leaves_the_deadlines(small: Path) -> None:
    paper, tight = from_trace(small, seed=3), from_trace(small, seed=3, regime="all")
    np.testing.assert_array_equal(paper.requests.deadline_s, tight.requests.deadline_s)
    assert paper.nodes != tight.nodes


def test_same_seed_same_instance_and_files_round_trip(small: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"seed": 5, "waiting": "actual", "nodes": 2, "regime": "both", "compute_slot_s": 9.0}
    instance = from_trace(small, **options)
    assert from_trace(str(small), **options).digest == instance.digest
    assert from_trace(small, **{**options, "seed": 6}).digest != instance.digest
    assert instance.compute_slot_s == 9.0
    assert instance.name == "small-0s-4-seed5"
    assert from_trace(small, name="mine").name == "mine"
    assert str(tmp_path) not in instance.source
    eo.write(instance, tmp_path / "instance.json")
    assert eo.read(tmp_path / "instance.json").digest == instance.digest


STAMP = "2023-11-16 18:17:03.9799600"
BAD_ROWS = [
    ("2023-11-16 18:17,1,1", "TIMESTAMP = '2023-11-16 18:17'"),
    ("2023-13-16 18:17:03,1,1", "TIMESTAMP = '2023-13-16 18:17:03'"),
    ("2023-11-16 25:17:03,1,1", "TIMESTAMP = '2023-11-16 25:17:03'"),
    ("1700158623.97,1,1", "TIMESTAMP = '1700158623.97'"),
    (",1,1", "TIMESTAMP = ''"),
    (f"{STAMP},0,1", "ContextTokens = '0' (tokens)"),
    (f"{STAMP},-4,1", "ContextTokens = '-4'"),
    (f"{STAMP},4.0,1", "ContextTokens = '4.0'"),
    (f"{STAMP},1_000,1", "ContextTokens = '1_000'"),
    (f"{STAMP},\u0663,1", "ContextTokens = '\u0663'"),
    (f"{STAMP},,1", "ContextTokens = ''"),
    (f"{STAMP},1,nan", "GeneratedTokens = 'nan'"),
    (f"{STAMP},1,0", "GeneratedTokens = '0'"),
    (f"{STAMP},1,16777217", "GeneratedTokens = '16777217' (tokens): must be a whole number from 1 to 16777216"),
    (f"{STAMP},1,{'9' * 5000}", "GeneratedTokens"),
    (f"{STAMP},1", "has 2 fields: must have at least 3"),
    (f'{STAMP},"1"x,1', "not CSV"),
]


@pytest.mark.parametrize(("row", "text"), BAD_ROWS, ids=[row[1][:24] for row in BAD_ROWS])
def test_bad_rows_name_file_line_field_and_value(tmp_path: Path, row: str, text: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEADER}{STAMP},7,7\n\n{row}\n{STAMP},8,8\n")
    with pytest.raises(InstanceError) as caught:
        from_trace(path)
    assert str(caught.value).startswith(f"{path}: line 4")
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "holds no request"),
        (HEADER.encode(), "holds no request"),
        (b"when,ContextTokens,GeneratedTokens\n", "line 1: the column 'TIMESTAMP' is missing"),
        (f"{STAMP},1,1\n".encode(), "line 1: the column 'TIMESTAMP' is missing"),
        (HEADER.encode() + b"\xe9", "not UTF-8 at byte 40"),
        (gzip.compress(SMALL.encode())[:-9], "the gzip file is cut short"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(InstanceError, match=r"bad\.csv: ") as caught:
        from_trace(tmp_path / "bad.csv")
    assert text in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InstanceError, match=r"nowhere\.csv: No such file"):
        from_trace(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"start_s": 11}, "small.csv: no request from 11 s to 13 s: the trace lasts 10 s"),
        ({"start_s": 3}, "no request from 3 s to 5 s"),
        ({"start_s": 1e300}, "no request"),
        (
            {"padded_prompt_tokens": 99},
            "padded_prompt_tokens = 99 (tokens): all 4 prompts of the window are longer, the",
        ),
        ({"padded_prompt_tokens": 0}, "padded_prompt_tokens = 0 (tokens)"),
        ({"start_s": -1}, "start_s = -1 (s)"),
        ({"start_s": float("nan")}, "start_s = nan (s)"),
        ({"window_s": 0}, "window_s = 0 (s)"),
        ({"window_s": float("inf")}, "window_s = inf (s)"),
        ({"rate_scale": 0}, "rate_scale = 0"),
        ({"output_levels": 0}, "output_levels = 0"),
        ({"slack": 0.9}, "slack = 0.9"),
        ({"waiting": "uniform"}, "waiting = 'uniform': must be 'zero' or 'actual'"),
        ({"compute_slot_s": 0}, "compute_slot_s = 0 (s)"),
        ({"regime": "hard"}, "regime = 'hard'"),
        ({"nodes": 0}, "nodes = 0"),
        ({"load": 2}, "load = 2"),
    ],
)
def test_bad_options(small: Path, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InstanceError) as caught:
        from_trace(small, **options)
    assert text in str(caught.value)


@needs_azure
def test_azure_trace() -> None:
    trace = read_trace(AZURE)
    assert len(trace.arrival_ns) == 8819
    assert len(np.unique(trace.output_tokens)) == 281
    assert np.count_nonzero(trace.prompt_tokens > 512) / 8819 == pytest.approx(0.77, abs=0.005)


@needs_azure
def test_azure_instance_is_the_same_everywhere() -> None:
    instance = from_trace(AZURE, start_s=600, rate_scale=20, padded_prompt_tokens=2048, regime="all", waiting="actual")
    assert len(instance.requests) == 240
    assert "refused" in instance.source
    assert instance.digest == "e04f9bbdad71aa94349cf8c3839ccac944d9b5a1c6b08005ffecbf9fae9b48a5"
    assert any(node.size for node in instance.compiled.nodes)
