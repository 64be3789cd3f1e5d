"""The built-in models against the totals on their model cards, and the families they come from."""

from typing import Any

import pytest

from edgeopt.errors import InstanceError, UnknownNameError
from edgeopt.system.catalogue import MODELS, lookup
from edgeopt.system.families import build

# Written out a second time, so that an edit of the catalogue cannot agree with itself.
PUBLISHED = {
    "bloom-560m": 559_214_592,
    "bloom-1b1": 1_065_314_304,
    "bloom-1b7": 1_722_408_960,
    "bloom-3b": 3_002_557_440,
    "bloom-7b1": 7_069_016_064,
    "opt-125m": 125_239_296,
    "opt-1.3b": 1_315_758_080,
    "opt-2.7b": 2_651_596_800,
    "opt-6.7b": 6_658_473_984,
    "opt-13b": 12_853_473_280,
    "gpt2": 124_439_808,
    "gpt2-medium": 354_823_168,
    "gpt2-large": 774_030_080,
    "gpt2-xl": 1_557_611_200,
    "llama-2-7b": 6_738_415_616,
    "llama-2-13b": 13_015_864_320,
    "llama-2-70b": 68_976_648_192,
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.1-70b": 70_553_706_496,
    "llama-3.2-1b": 1_235_814_400,
    "llama-3.2-3b": 3_212_749_824,
    "tinyllama-1.1b": 1_100_048_384,
    "mistral-7b": 7_241_732_096,
    "qwen2.5-0.5b": 494_032_768,
    "qwen2.5-1.5b": 1_543_714_304,
    "qwen2.5-3b": 3_085_938_688,
    "qwen2.5-7b": 7_615_616_512,
    "qwen2.5-14b": 14_770_033_664,
    "qwen2.5-32b": 32_763_876_352,
    "phi-3-mini": 3_821_079_552,
    "gemma-2-2b": 2_614_341_888,
    "gemma-3-1b": 999_885_952,
}

TOY: dict[str, Any] = {"layers": 2, "hidden": 8, "heads": 4, "vocabulary": 10}


@pytest.mark.parametrize(("name", "total"), PUBLISHED.items())
def test_published_parameters(name: str, total: int) -> None:
    assert lookup(name).parameters() == total == lookup(name).published_parameters


def test_every_entry_is_checked() -> None:
    assert set(MODELS) == set(PUBLISHED)
    assert all(name == model.name for name, model in MODELS.items())


def test_table_1_of_the_paper() -> None:
    shapes = {n: (m.layers, m.hidden, m.heads, m.head_dim) for n, m in MODELS.items()}
    assert shapes["bloom-3b"] == (30, 2560, 32, 80)
    assert shapes["bloom-7b1"] == (30, 4096, 32, 128)
    assert shapes["opt-13b"] == (40, 5120, 40, 128)
    for name in ("bloom-3b", "bloom-7b1", "opt-13b"):
        model = lookup(name)
        assert (model.ffn, model.gated_ffn, model.kv_heads) == (4 * model.hidden, False, model.heads)


def test_lookup_ignores_case_and_suggests() -> None:
    assert lookup("BLOOM-3B") is MODELS["bloom-3b"]
    with pytest.raises(UnknownNameError, match=r"'bloom-3'.*did you mean .*bloom-3b"):
        lookup("bloom-3")
    with pytest.raises(UnknownNameError, match=r"known: bloom-560m, .*gemma-3-1b"):
        lookup("zzz")


def test_defaults_of_a_family() -> None:
    model = build("llama", "toy", **TOY)
    assert (model.head_dim, model.kv_heads, model.ffn) == (2, 4, 32)
    assert model.gated_ffn
    assert not model.tied_embeddings
    # attention 4 * 8 * 8, gated network 3 * 8 * 32, two norms a layer, two vocabulary matrices, one norm
    assert model.parameters() == 2 * (256 + 768 + 16) + 160 + 8


def test_biases_norms_and_positions_of_gpt2() -> None:
    model = build("gpt2", "toy", context=5, **TOY)
    # qkv bias 24, output bias 8, network biases 32 + 8, two LayerNorms of 16
    assert model.layer_vectors == 24 + 8 + 40 + 32
    assert model.outer_vectors == 5 * 8 + 16


@pytest.mark.parametrize(
    ("family", "change", "message"),
    [
        ("gpt2", {}, "context"),
        ("llama", {"heads": 3}, "head_dim"),
        ("llama", {"heads": 0}, "heads"),
        ("llama", {"ffn": 0}, "ffn"),
        ("opt", {"context": 0}, "context"),
    ],
)
def test_a_bad_member_is_refused(family: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InstanceError, match=message):
        build(family, "toy", **{**TOY, **change})


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="llama"):
        build("lama", "toy", **TOY)
