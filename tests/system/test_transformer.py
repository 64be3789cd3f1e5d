"""Memory and FLOPs of eqs. (3)-(8), against the formulas as the paper prints them."""

from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.errors import InstanceError
from edgeopt.system.catalogue import MODELS, lookup
from edgeopt.system.transformer import TransformerModel

SHAPE: dict[str, Any] = {
    "name": "toy",
    "layers": 2,
    "hidden": 8,
    "heads": 4,
    "head_dim": 2,
    "kv_heads": 2,
    "ffn": 16,
    "gated_ffn": True,
    "vocabulary": 10,
    "tied_embeddings": False,
}


@st.composite
def models(draw: st.DrawFn) -> TransformerModel:
    kv_heads = draw(st.integers(1, 16))
    return TransformerModel(
        name="drawn",
        layers=draw(st.integers(1, 80)),
        hidden=draw(st.integers(1, 8192)),
        heads=kv_heads * draw(st.integers(1, 8)),
        head_dim=draw(st.integers(1, 256)),
        kv_heads=kv_heads,
        ffn=draw(st.integers(1, 30_000)),
        gated_ffn=draw(st.booleans()),
        vocabulary=draw(st.integers(1, 300_000)),
        tied_embeddings=draw(st.booleans()),
    )


lengths = st.integers(1, 100_000)


@given(models(), lengths, lengths)
def test_constants_of_eq_8(model: TransformerModel, prompt: int, output: int) -> None:
    k3, k4, k5 = model.flop_constants(prompt)
    assert k3 + k4 * output + k5 * output**2 == model.flops(prompt, output)


@given(models(), lengths, lengths)
def test_flops_matrix_by_matrix(model: TransformerModel, prompt: int, output: int) -> None:
    """Count each product of Fig. 4(b) on its own, 2 m n p FLOP for (m x n) times (n x p)."""

    def layer(rows: int, context: Fraction) -> Fraction:
        query, cache = model.heads * model.head_dim, model.kv_heads * model.head_dim
        project = 2 * rows * model.hidden * (query + 2 * cache) + 2 * rows * query * model.hidden
        scores_and_mix = 2 * (2 * rows * query * context)
        feed_forward = (6 if model.gated_ffn else 4) * rows * model.hidden * model.ffn
        return project + scores_and_mix + feed_forward

    assert model.prefill_flops(prompt) == model.layers * layer(prompt, Fraction(prompt))
    step = layer(1, prompt + Fraction(output, 2))
    assert model.decode_flops(prompt, output) == model.layers * (output - 1) * step
    assert model.flops(prompt, output) == model.prefill_flops(prompt) + model.decode_flops(prompt, output)


@pytest.mark.parametrize(
    ("name", "layers", "hidden"), [("bloom-3b", 30, 2560), ("bloom-7b1", 30, 4096), ("opt-13b", 40, 5120)]
)
@given(prompt=st.integers(1, 4096), output=st.integers(1, 4096))
def test_equations_as_printed(name: str, layers: int, hidden: int, prompt: int, output: int) -> None:
    """Table I's models with d_h n_h = d_m and d_f = 4 d_m in eqs. (3), (4), (6) and (7)."""
    model, d = lookup(name), hidden
    assert model.weight_bytes() == layers * (8 * d * d + 4 * d * 4 * d)
    assert model.cache_bytes_per_token() == 4 * layers * d
    initial = layers * (6 * prompt * d * d + (4 * prompt**2 * d + 2 * prompt * d * d) + 4 * prompt * d * 4 * d)
    steps = layers * (output - 1) * (6 * d * d + (4 * prompt * d + 2 * output * d + 2 * d * d) + 4 * d * 4 * d)
    assert model.prefill_flops(prompt) == initial
    assert model.decode_flops(prompt, output) == steps


def test_known_numbers() -> None:
    model = lookup("bloom-3b")
    assert model.flops(512, 128) == 3_118_183_219_200
    assert model.weight_bytes() == 4_718_592_000
    assert model.cache_bytes_per_token() == 307_200


@given(models())
def test_weights_are_two_bytes_a_parameter(model: TransformerModel) -> None:
    vocabulary = (1 if model.tied_embeddings else 2) * model.vocabulary * model.hidden
    assert model.weight_bytes() == 2 * (model.parameters() - vocabulary)


@given(models(), lengths, lengths)
def test_more_tokens_more_work(model: TransformerModel, prompt: int, output: int) -> None:
    assert model.flops(prompt, output) < model.flops(prompt + 1, output)
    assert model.flops(prompt, output) < model.flops(prompt, output + 1)
    assert model.decode_flops(prompt, 1) == 0


def test_numpy_lengths_do_not_overflow() -> None:
    model = lookup("llama-2-70b")
    assert model.flops(np.int64(10**7), np.int32(10**7)) == model.flops(10**7, 10**7) > 2**63


@pytest.mark.parametrize("arguments", [(0, 1), (1, 0), (-3, 1)])
def test_lengths_start_at_one(arguments: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="token"):
        lookup("gpt2").flops(*arguments)


def test_lengths_are_integers() -> None:
    with pytest.raises(TypeError):
        lookup("gpt2").flops(512.0, 128)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("layers", 0),
        ("layers", 2.0),
        ("layers", True),
        ("hidden", -8),
        ("kv_heads", 3),
        ("vocabulary", None),
        ("layer_vectors", -1),
        ("published_parameters", 0),
        ("gated_ffn", 1),
        ("tied_embeddings", None),
    ],
)
def test_a_bad_shape_is_refused_by_field(field: str, value: object) -> None:
    TransformerModel(**SHAPE)
    with pytest.raises(InstanceError, match=field):
        TransformerModel(**{**SHAPE, field: value})


def test_models_travel_as_json() -> None:
    for model in MODELS.values():
        assert msgspec.json.decode(msgspec.json.encode(model), type=TransformerModel) == model
    with pytest.raises(msgspec.ValidationError, match="layer_count"):
        msgspec.convert({**SHAPE, "layer_count": 2}, TransformerModel)
    with pytest.raises(msgspec.ValidationError, match="kv_heads"):
        msgspec.convert({**SHAPE, "kv_heads": 3}, TransformerModel)
