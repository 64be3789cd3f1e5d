"""Model families: which biases, norms and embeddings surround the matrices of a decoder.

The matrices decide memory and time; what this module adds is only needed for the exact totals
that model cards publish. Layouts follow the Hugging Face ``transformers`` implementations.
"""

import msgspec

from edgeopt.errors import InstanceError
from edgeopt.system._validation import check_count, pick
from edgeopt.system.transformer import TransformerModel


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """The layout shared by the models of one family.

    Parameters
    ----------
    gated_ffn, tied_embeddings : bool
        Defaults of the family, see `TransformerModel`.
    layer_norms, outer_norms : int
        Vectors of length `hidden` in the norms of a layer, and in those outside the layers (a
        LayerNorm has two, an RMSNorm one).
    head_norms : int
        Vectors of length `head_dim` in the norms of queries and keys, a layer.
    qkv_bias, output_bias, ffn_bias : bool
        Whether these projections have biases.
    spare_positions : int, optional
        Rows of the learned position table beyond the context length; None without such a table.
    """

    gated_ffn: bool = True
    tied_embeddings: bool = False
    layer_norms: int = 2
    outer_norms: int = 1
    head_norms: int = 0
    qkv_bias: bool = False
    output_bias: bool = False
    ffn_bias: bool = False
    spare_positions: int | None = None


_CLASSIC = Family(
    gated_ffn=False,
    tied_embeddings=True,
    layer_norms=4,
    outer_norms=2,
    qkv_bias=True,
    output_bias=True,
    ffn_bias=True,
    spare_positions=0,
)
_MODERN = Family()

FAMILIES: dict[str, Family] = {
    "gpt2": _CLASSIC,
    "opt": msgspec.structs.replace(_CLASSIC, spare_positions=2),
    # Bloom has ALiBi instead of a position table, and a LayerNorm on the embeddings.
    "bloom": msgspec.structs.replace(_CLASSIC, spare_positions=None, outer_norms=4),
    "llama": _MODERN,
    "mistral": _MODERN,
    "phi3": _MODERN,
    "qwen2": msgspec.structs.replace(_MODERN, qkv_bias=True),
    "qwen3": msgspec.structs.replace(_MODERN, head_norms=2),
    "gemma": msgspec.structs.replace(_MODERN, tied_embeddings=True),
    "gemma2": msgspec.structs.replace(_MODERN, tied_embeddings=True, layer_norms=4),
    "gemma3_text": msgspec.structs.replace(_MODERN, tied_embeddings=True, layer_norms=4, head_norms=2),
}


def build(
    family: str | Family,
    name: str,
    *,
    layers: int,
    hidden: int,
    heads: int,
    vocabulary: int,
    ffn: int | None = None,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    context: int | None = None,
    tied_embeddings: bool | None = None,
    published_parameters: int | None = None,
) -> TransformerModel:
    """Return a model of a family; what is left out takes the family's usual value.

    Parameters
    ----------
    family : str or Family
        A key of `FAMILIES`, or a layout.
    name, layers, hidden, heads, vocabulary, published_parameters
        See `TransformerModel`.
    ffn : int, optional
        Inner dimension of the feed-forward network; ``4 * hidden`` if None.
    kv_heads, head_dim : int, optional
        `heads` and ``hidden / heads`` if None.
    context : int, optional
        Context length (token); needed by families with a learned position table.
    tied_embeddings : bool, optional
        The family's default if None.

    Raises
    ------
    UnknownNameError
        If the family is unknown.
    InstanceError
        If a value is invalid, `hidden` is not a multiple of `heads` though
        `head_dim` is left out, or the context length is missing.
    """
    layout = pick("model family", FAMILIES, family) if isinstance(family, str) else family
    owner = f"model {name!r}"
    for field, value in (("hidden", hidden), ("heads", heads)):
        check_count(owner, field, value, "count")
    if head_dim is None:
        if hidden % heads:
            raise InstanceError(f"{owner}: heads = {heads} does not divide hidden = {hidden}; give head_dim")
        head_dim = hidden // heads
    kv_heads = heads if kv_heads is None else kv_heads
    ffn = 4 * hidden if ffn is None else ffn
    positions = 0
    if layout.spare_positions is not None:
        if context is None:
            raise InstanceError(f"{owner}: context (token) is missing; this family has a learned position table")
        check_count(owner, "context", context, "token")
        positions = context + layout.spare_positions
    biases = (
        layout.qkv_bias * (heads + 2 * kv_heads) * head_dim
        + layout.output_bias * hidden
        + layout.ffn_bias * ((2 if layout.gated_ffn else 1) * ffn + hidden)
    )
    return TransformerModel(
        name=name,
        layers=layers,
        hidden=hidden,
        heads=heads,
        head_dim=head_dim,
        kv_heads=kv_heads,
        ffn=ffn,
        gated_ffn=layout.gated_ffn,
        vocabulary=vocabulary,
        tied_embeddings=layout.tied_embeddings if tied_embeddings is None else tied_embeddings,
        layer_vectors=layout.layer_norms * hidden + layout.head_norms * head_dim + biases,
        outer_vectors=(layout.outer_norms + positions) * hidden,
        published_parameters=published_parameters,
    )
