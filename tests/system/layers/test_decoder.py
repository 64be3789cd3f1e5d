"""Language models: the rows add up to the model card and to eqs. (6)-(8)."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.errors import InstanceError, UnknownNameError
from edgeopt.system.catalogue import MODELS, lookup
from edgeopt.system.config import read_config
from edgeopt.system.layers.catalogue import language_layers
from edgeopt.system.layers.transformer import decoder_layers

SHARED = Path(__file__).parents[4] / "shared" / "data" / "llm_configs"


@pytest.mark.parametrize("name", MODELS)
def test_sizes_add_up_to_the_model_card(name: str) -> None:
    model = MODELS[name]
    table = language_layers(name, prompt_tokens=128, bits_per_parameter=1)
    assert table.total_bits == model.published_parameters
    assert len(table) == model.layers + (1 if model.tied_embeddings else 2)
    assert table.name == name


@given(
    name=st.sampled_from(sorted(MODELS)),
    prompt=st.integers(1, 4096),
    output=st.integers(1, 1024),
    bits=st.sampled_from([16, 8, 4.5, 4]),
)
def test_work_adds_up_to_the_equations(name: str, prompt: int, output: int, bits: float) -> None:
    model = lookup(name)
    table = decoder_layers(model, prompt_tokens=prompt, output_tokens=output, bits_per_parameter=bits)
    head = 2 * output * model.vocabulary * model.hidden
    assert table.total_flop_per_sample == model.flops(prompt, output) + head
    assert model.parameters() * bits <= table.total_bits < model.parameters() * bits + len(table)
    # only the last row knows how long the output is
    first = decoder_layers(model, prompt_tokens=prompt, bits_per_parameter=bits)
    assert first == decoder_layers(model, prompt_tokens=prompt, output_tokens=1, bits_per_parameter=bits)
    assert table.flop_per_sample[:-1] == first.flop_per_sample[:-1]
    assert table.bits == first.bits


def test_rows_of_a_model_with_its_own_head() -> None:
    """Llama 2 7B by hand: 32 blocks of four 4096 x 4096 matrices, three of 4096 x 11008 and two norms."""
    table = language_layers("llama-2-7b", prompt_tokens=2)
    assert table.names == ("embedding", *(f"block.{index}" for index in range(32)), "head")
    matrices = 4 * 4096**2 + 3 * 4096 * 11008
    assert table.bits[0] == 16 * (32_000 + 1) * 4096  # with the final norm
    assert set(table.bits[1:-1]) == {16 * (matrices + 2 * 4096)}
    assert table.bits[-1] == 16 * 32_000 * 4096
    assert table.flop_per_sample[0] == 0
    assert set(table.flop_per_sample[1:-1]) == {2 * 2 * matrices + 4 * 2 * 2 * 4096}
    assert table.flop_per_sample[-1] == 2 * 32_000 * 4096


def test_a_tied_head_belongs_to_the_last_block() -> None:
    table = language_layers("gpt2", prompt_tokens=5)
    assert table.names == ("embedding", *(f"block.{index}" for index in range(12)))
    assert table.flop_per_sample[-1] - table.flop_per_sample[-2] == 2 * 50_257 * 768
    assert len(set(table.bits[1:])) == 1


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published configurations are not here")
@pytest.mark.parametrize(
    ("preset", "total"), [("llama3_1_8b", 8_030_261_248), ("gemma_2b", 2_506_172_416), ("qwen3_0.6b", 596_049_920)]
)
def test_a_published_configuration(preset: str, total: int) -> None:
    model = read_config(SHARED / "mlc_model_presets.json", preset)
    assert decoder_layers(model, prompt_tokens=1, bits_per_parameter=1).total_bits == total


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"prompt_tokens": 0}, InstanceError, r"'gpt2': prompt_tokens = 0 \(token\)"),
        ({"prompt_tokens": 1, "output_tokens": 0}, InstanceError, r"'gpt2': output_tokens = 0 \(token\)"),
        ({"prompt_tokens": 1.5}, TypeError, "float"),
        ({"prompt_tokens": 1, "output_tokens": 1.5}, TypeError, "float"),
        ({"prompt_tokens": 1, "bits_per_parameter": 0}, InstanceError, "'gpt2': bits_per_parameter = 0"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        language_layers("gpt2", **options)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        language_layers("gpt-2", prompt_tokens=1)
