"""Reading config.json files: every spelling, every complaint, and published files when present."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeopt.errors import InstanceError
from edgeopt.system.catalogue import lookup
from edgeopt.system.config import read_config

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "llm_configs"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the published configurations are not here")

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_attention_heads": 32,
    "num_hidden_layers": 16,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "tie_word_embeddings": True,
    "head_dim": 64,
}
GPT2: dict[str, Any] = {
    "model_type": "gpt2",
    "n_embd": 768,
    "n_head": 12,
    "n_layer": 12,
    "n_positions": 1024,
    "n_inner": None,
    "vocab_size": 50257,
}
OPT: dict[str, Any] = {
    "model_type": "opt",
    "hidden_size": 2048,
    "ffn_dim": 8192,
    "word_embed_proj_dim": 2048,
    "num_attention_heads": 32,
    "num_hidden_layers": 24,
    "max_position_embeddings": 2048,
    "vocab_size": 50272,
}
BLOOM: dict[str, Any] = {
    "model_type": "bloom",
    "n_embed": 2560,
    "num_attention_heads": 32,
    "n_layer": 30,
    "vocab_size": 250880,
}


def write(folder: Path, config: object, name: str = "config.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("config", "twin"), [(LLAMA, "llama-3.2-1b"), (GPT2, "gpt2"), (OPT, "opt-1.3b"), (BLOOM, "bloom-3b")]
)
def test_spellings_of_the_families(tmp_path: Path, config: dict[str, Any], twin: str) -> None:
    model = read_config(write(tmp_path, config))
    assert model.parameters() == lookup(twin).published_parameters
    assert model.flops(512, 128) == lookup(twin).flops(512, 128)
    assert model.name == tmp_path.name


def test_names(tmp_path: Path) -> None:
    assert read_config(str(write(tmp_path, GPT2, "small.json"))).name == "small"
    assert read_config(write(tmp_path, {**GPT2, "_name_or_path": "org/gpt2"})).name == "org/gpt2"


def test_optional_biases(tmp_path: Path) -> None:
    plain = read_config(write(tmp_path, LLAMA))
    biased = read_config(write(tmp_path, {**LLAMA, "attention_bias": True, "mlp_bias": True}))
    per_layer = (2048 + 2 * 8 * 64) + 2048 + (2 * 8192 + 2048)
    assert biased.parameters() - plain.parameters() == 16 * per_layer


@pytest.mark.parametrize("key", ["hidden_size", "num_attention_heads", "num_hidden_layers", "vocab_size"])
def test_a_missing_key_is_named_with_the_file(tmp_path: Path, key: str) -> None:
    path = write(tmp_path, {k: v for k, v in LLAMA.items() if k != key})
    with pytest.raises(InstanceError, match=key) as caught:
        read_config(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "mamba"}, "mamba.*known: gpt2"),
        ({"num_local_experts": 8}, "mixture of experts"),
        ({"vocab_size": "many"}, "vocab_size = 'many'"),
        ({"vocab_size": 3.5}, "vocab_size = 3.5"),
        ({"num_key_value_heads": 5}, "kv_heads"),
        ({"tie_word_embeddings": "yes"}, "tied_embeddings"),
        ({"hidden_size": 2050, "head_dim": None}, "head_dim"),
        ({"word_embed_proj_dim": 512}, "word_embed_proj_dim"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InstanceError, match=message):
        read_config(write(tmp_path, {**LLAMA, **change}))


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "3"])
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InstanceError, match="not a JSON object"):
        read_config(path)


def test_presets(tmp_path: Path) -> None:
    path = write(tmp_path, {"small": GPT2, "large": LLAMA}, "presets.json")
    assert read_config(path, "small").name == "small"
    assert read_config(path, "large").parameters() == 1_235_814_400
    with pytest.raises(InstanceError, match="known: small, large"):
        read_config(path, "medium")
    with pytest.raises(InstanceError, match="give preset, one of small, large"):
        read_config(path)


@needs_shared
@pytest.mark.parametrize(
    ("file", "twin"),
    [
        ("bigscience_bloom-560m.json", "bloom-560m"),
        ("bigscience_bloom-7b1.json", "bloom-7b1"),
        ("facebook_opt-1.3b.json", "opt-1.3b"),
        ("facebook_opt-6.7b.json", "opt-6.7b"),
        ("facebook_opt-13b.json", "opt-13b"),
        ("gpt2.json", "gpt2"),
        ("gpt2-medium.json", "gpt2-medium"),
        ("gpt2-large.json", "gpt2-large"),
        ("gpt2-xl.json", "gpt2-xl"),
    ],
)
def test_published_files(file: str, twin: str) -> None:
    assert read_config(SHARED / file).parameters() == lookup(twin).published_parameters


@needs_shared
def test_published_file_with_an_equivalent_network() -> None:
    """It replaces the gated network 3 x 11008 by a plain one 2 x 16384, 0.5 % of the total less."""
    model = read_config(SHARED / "NousResearch_Llama-2-7b-hf.json")
    assert model.parameters() == pytest.approx(6_738_415_616, rel=0.006)
    assert model.cache_bytes_per_token() == lookup("llama-2-7b").cache_bytes_per_token()


@needs_shared
@pytest.mark.parametrize(
    ("preset", "total"),
    [
        ("gpt2", 124_439_808),
        ("gpt2_medium", 354_823_168),
        ("llama2_7b", 6_738_415_616),
        ("llama2_70b", 68_976_648_192),
        ("llama3_1_8b", 8_030_261_248),
        ("llama3_2_1b", 1_235_814_400),
        ("llama3_2_3b", 3_212_749_824),
        ("tinyllama_1b_chat_v1.0", 1_100_048_384),
        ("mistral_7b", 7_241_732_096),
        ("phi-3_5", 3_821_079_552),
        ("qwen2_0_5b", 494_032_768),
        ("qwen2_1_5b", 1_543_714_304),
        ("qwen2.5_3b", 3_085_938_688),
        ("qwen2_7b", 7_615_616_512),
        ("gemma_2b", 2_506_172_416),
        ("gemma2_2b", 2_614_341_888),
        ("gemma2_9b", 9_241_705_984),
        ("gemma3_1b_it", 999_885_952),
        ("qwen3_0.6b", 596_049_920),
    ],
)
def test_published_presets(preset: str, total: int) -> None:
    assert read_config(SHARED / "mlc_model_presets.json", preset).parameters() == total


@needs_shared
def test_a_published_mixture_of_experts_is_refused() -> None:
    with pytest.raises(InstanceError, match=r"not supported|mixture"):
        read_config(SHARED / "mlc_model_presets.json", "Mixtral-8x7B-v0.1")
