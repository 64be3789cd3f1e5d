"""Reading the shape of a model from a published ``config.json``."""

from pathlib import Path
from typing import Any

import msgspec

from edgeopt.errors import InstanceError
from edgeopt.system.families import FAMILIES, build
from edgeopt.system.transformer import TransformerModel

# One quantity, many spellings: Hugging Face's common keys first, then those of older families
# and of configurations republished by analysis tools.
_KEYS: dict[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "hidden": ("hidden_size", "n_embd", "n_embed", "d_model", "hidden_dim"),
    "heads": ("num_attention_heads", "n_head", "n_heads"),
    "vocabulary": ("vocab_size",),
    "ffn": ("intermediate_size", "ffn_dim", "n_inner", "ffn_embed_dim"),
    "kv_heads": ("num_key_value_heads", "n_head_kv"),
    "head_dim": ("head_dim",),
    "context": ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"),
}
_REQUIRED = ("layers", "hidden", "heads", "vocabulary")
_EXPERT_KEYS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")


def read_config(path: str | Path, preset: str | None = None) -> TransformerModel:
    """Read a transformer from a configuration in the style of Hugging Face.

    Sliding-window attention is counted as full attention, as in eqs. (4), (6) and (7).

    Parameters
    ----------
    path : str or pathlib.Path
        A ``config.json``, or a file of several configurations by name.
    preset : str, optional
        Name of the configuration in a file of several.

    Raises
    ------
    InstanceError
        If the file is no JSON object, a key is missing or no integer, the family is unknown, or
        the model is a mixture of experts; the message names file and key.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    where = str(path)
    try:
        config = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InstanceError(f"{where}: not a JSON object ({error}); give a model's config.json") from error
    if preset is not None:
        if not isinstance(config.get(preset), dict):
            raise InstanceError(f"{where}: no configuration {preset!r}; known: {', '.join(config)}")
        config, where = config[preset], f"{where}[{preset}]"
    elif config and all(isinstance(value, dict) for value in config.values()):
        raise InstanceError(f"{where}: several configurations; give preset, one of {', '.join(config)}")
    try:
        return _build(config, preset or _name(path, config))
    except InstanceError as error:
        raise InstanceError(f"{where}: {error}") from error


def _build(config: dict[str, Any], name: str) -> TransformerModel:
    """Build the model that a decoded configuration describes."""
    model_type = config.get("model_type")
    if model_type not in FAMILIES:
        raise InstanceError(f"model_type = {model_type!r} is not supported; known: {', '.join(FAMILIES)}")
    if (_integer(config, _EXPERT_KEYS) or 0) > 1:
        raise InstanceError("a mixture of experts is not covered by eqs. (3)-(8); give a dense model")
    hidden = config.get("hidden_size")
    if config.get("word_embed_proj_dim", hidden) != hidden:
        raise InstanceError("word_embed_proj_dim must equal hidden_size: projected embeddings are not supported")

    family = FAMILIES[model_type]
    if config.get("attention_bias"):
        family = msgspec.structs.replace(family, qkv_bias=True, output_bias=True)
    if config.get("mlp_bias"):
        family = msgspec.structs.replace(family, ffn_bias=True)
    if "ffn_embed_dim" in config:
        # llm-analysis writes the width of an equivalent plain network unless it says otherwise.
        gated = bool(config.get("mlp_gated_linear_units", False))
        family = msgspec.structs.replace(family, gated_ffn=gated)

    values = {field: _integer(config, keys) for field, keys in _KEYS.items()}
    for field in _REQUIRED:
        if values[field] is None:
            raise InstanceError(f"no key for {field}; add one of {', '.join(_KEYS[field])}")
    tied = config.get("tie_word_embeddings")
    return build(family, name, tied_embeddings=tied, **values)  # type: ignore[arg-type]


def _integer(config: dict[str, Any], keys: tuple[str, ...]) -> int | None:
    """Return the first of `keys` that is present and not null."""
    for key in keys:
        value = config.get(key)
        if value is not None:
            if not isinstance(value, int) or isinstance(value, bool):
                raise InstanceError(f"{key} = {value!r} must be an integer")
            return value
    return None


def _name(path: Path, config: dict[str, Any]) -> str:
    """Name the model after its own key, or its file, or the folder of a plain ``config.json``."""
    for key in ("name", "_name_or_path"):
        if isinstance(config.get(key), str) and config[key].strip():
            return str(config[key])
    return path.resolve().parent.name if path.stem == "config" else path.stem
