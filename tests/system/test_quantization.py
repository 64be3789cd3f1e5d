"""Quantization factors, Table II and the exact token capacity of (12c)."""

import math
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.errors import InstanceError, UnknownNameError
from edgeopt.system.catalogue import MODELS, lookup
from edgeopt.system.exact import as_fraction
from edgeopt.system.hardware import HARDWARE
from edgeopt.system.quantization import PPL_DIFFERENTIAL, SCHEMES, Quantization, quantization
from edgeopt.system.transformer import TransformerModel

factors = st.floats(min_value=0.01, max_value=2.0)
schemes = st.builds(
    Quantization,
    name=st.just("drawn"),
    weight_factor=factors,
    cache_factor=factors,
    time_factor=factors,
    ppl_differential=st.floats(0, 3),
)
models = st.sampled_from(list(MODELS.values()))


@pytest.mark.parametrize(
    ("scheme", "model", "differential"),
    [
        ("w4a16-gptq", "opt-13b", 0.20),
        ("w4a16-gptq", "bloom-3b", 0.75),
        ("w4a16-gptq", "bloom-7b1", 0.54),
        ("w4a16-zq-local", "opt-13b", 0.42),
        ("w4a16-zq-local", "bloom-3b", 0.92),
        ("w4a16-zq-local", "bloom-7b1", 0.59),
        ("w8a16", "bloom-3b", 0.0),
        ("fp16", None, 0.0),
    ],
)
def test_table_2(scheme: str, model: str | None, differential: float) -> None:
    entry = quantization(scheme, model)
    assert entry.ppl_differential == differential
    assert entry.accuracy() == pytest.approx(1 - differential)


def test_table_2_names_known_schemes_and_models() -> None:
    assert set(PPL_DIFFERENTIAL) <= set(SCHEMES)
    assert all(set(row) <= set(MODELS) for row in PPL_DIFFERENTIAL.values())


def test_factors() -> None:
    values = {n: (s.weight_factor, s.cache_factor, s.time_factor) for n, s in SCHEMES.items()}
    assert values == {
        "fp16": (1.0, 1.0, 1.0),
        "w8a16": (0.5, 1.0, 1.0),
        "w8a8": (0.5, 1.0, 0.5),
        "w4a16-gptq": (0.25, 1.0, 1.0),
        "w4a16-zq-local": (0.25, 1.0, 1.0),
    }


@given(schemes, models, st.integers(0, 10**6))
def test_paper_alpha_scales_all_memory(scheme: Quantization, model: TransformerModel, tokens: int) -> None:
    paper = scheme.paper_alpha()
    whole = model.weight_bytes() + model.cache_bytes_per_token() * tokens
    assert paper.memory_bytes(model, tokens) == pytest.approx(scheme.weight_factor * whole)
    assert paper.time_factor == scheme.time_factor
    assert paper.ppl_differential == scheme.ppl_differential


def test_paper_suffix() -> None:
    assert quantization("W8A16-paper").cache_factor == 0.5
    assert quantization("w8a16").cache_factor == 1.0
    entry = quantization("w4a16-gptq-paper", "BLOOM-3B")
    assert (entry.name, entry.cache_factor, entry.ppl_differential) == ("w4a16-gptq-paper", 0.25, 0.75)


def test_unknown_differentials_are_asked_for() -> None:
    with pytest.raises(InstanceError, match=r"ppl_differential.*'gpt2'.*opt-13b"):
        quantization("w4a16-gptq", "gpt2")
    with pytest.raises(InstanceError, match="known: none"):
        quantization("w8a8", "bloom-3b")
    assert quantization("w8a8", "bloom-3b", ppl_differential=0.1).accuracy() == pytest.approx(0.9)
    assert quantization("w4a16-gptq", "opt-13b", ppl_differential=0.0).ppl_differential == 0.0


def test_unknown_scheme() -> None:
    with pytest.raises(UnknownNameError, match="did you mean w8a16"):
        quantization("w8a15")


@given(schemes, models, st.floats(1e8, 1e12))
def test_capacity_is_the_last_to_fit(scheme: Quantization, model: TransformerModel, memory: float) -> None:
    tokens = scheme.token_capacity(model, memory)

    def needed(count: int) -> Fraction:
        weights = as_fraction(scheme.weight_factor) * model.weight_bytes()
        return weights + as_fraction(scheme.cache_factor) * model.cache_bytes_per_token() * count

    assert needed(tokens) <= as_fraction(memory) < needed(tokens + 1)
    assert (tokens < 0) == (needed(0) > as_fraction(memory))


def test_capacity_reads_decimals() -> None:
    """A third of the memory a token: 0.1 as a binary fraction would lose the last one."""
    model = lookup("bloom-3b")
    scheme = Quantization(name="tenth", weight_factor=0.1, cache_factor=0.1)
    memory = (model.weight_bytes() + 30 * model.cache_bytes_per_token()) // 10
    assert scheme.token_capacity(model, memory) == 30
    assert scheme.token_capacity(model, memory - 1) == 29


def test_the_paper_server() -> None:
    """Section V-A, 20 TX2 with BLOOM-3B in W8A16, alpha on everything: (12c) by hand."""
    server = HARDWARE["jetson-tx2"].gang(20)
    tokens = quantization("w8a16-paper").token_capacity(lookup("bloom-3b"), server.memory_bytes)
    assert tokens == math.floor(Fraction(640_000_000_000 - 4_718_592_000 // 2, 307_200 // 2)) == 4_151_306


def test_calibration_of_w8a16() -> None:
    """Section V-B: one GPU serves no 7.1B request within 2 s, but some within 3 s (slots take 0.5 s)."""
    scheme, device = quantization("w8a16"), HARDWARE["jetson-tx2"]
    flops = lookup("bloom-7b1").flops(128, 128)
    seconds = scheme.compute_time_s(flops, device.compute_flop_per_s)
    assert 2.0 - 0.5 < seconds < 3.0 - 0.5


@given(schemes, st.floats(0, 1e18), st.floats(1e9, 1e15))
def test_time_scales_with_beta(scheme: Quantization, flops: float, rate: float) -> None:
    assert scheme.compute_time_s(flops, rate) == pytest.approx(scheme.time_factor * flops / rate)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("weight_factor", 0.0),
        ("weight_factor", "0.5"),
        ("cache_factor", -1.0),
        ("time_factor", math.nan),
        ("time_factor", True),
        ("ppl_differential", -0.1),
        ("ppl_differential", math.inf),
    ],
)
def test_a_bad_scheme_is_refused_by_field(field: str, value: object) -> None:
    with pytest.raises(InstanceError, match=field):
        Quantization(**{"name": "toy", field: value})  # type: ignore[arg-type]
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "toy", "alpha": 0.5}, Quantization)


def test_bad_arguments() -> None:
    scheme, model = SCHEMES["fp16"], lookup("gpt2")
    with pytest.raises(InstanceError, match="tokens"):
        scheme.memory_bytes(model, -1)
    with pytest.raises(InstanceError, match="memory_bytes"):
        scheme.token_capacity(model, 0)
    with pytest.raises(InstanceError, match="flop_per_s"):
        scheme.compute_time_s(1.0, 0.0)
