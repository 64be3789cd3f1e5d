"""Memory and computation of a decoder-only transformer, eqs. (3)-(8).

The paper counts the matrix multiplications of the decoder layers in FP16 and leaves out norms,
biases, embeddings and masks; so do `TransformerModel.weight_bytes` and `TransformerModel.flops`.
Two things of newer models are added, each of which is the paper's formula when absent: fewer key
and value heads than query heads (grouped-query attention), and a third, gating matrix in the
feed-forward network. `TransformerModel.parameters` counts everything, as model cards do.
"""

import operator
from typing import SupportsIndex

import msgspec

from edgeopt.errors import InstanceError
from edgeopt.system._validation import check_count, check_name

FP16_BYTES = 2


class TransformerModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The shape of a decoder-only transformer; all counts, no unit.

    Parameters
    ----------
    name : str
        Name of the model.
    layers : int
        Decoder layers, ``L``.
    hidden : int
        Hidden dimension, ``d_m``.
    heads : int
        Query heads, ``n_h``.
    head_dim : int
        Dimension of a head, ``d_h``; ``heads * head_dim`` need not be `hidden`.
    kv_heads : int
        Key and value heads, ``n_kv``; divides `heads` and equals it in the paper.
    ffn : int
        Inner dimension of the feed-forward network, ``d_f``.
    gated_ffn : bool
        Whether the network has a third, gating matrix (SwiGLU, GeGLU).
    vocabulary : int
        Rows of the token embedding.
    tied_embeddings : bool
        Whether the output matrix is the token embedding.
    layer_vectors : int
        Biases and norm gains of one layer, in numbers.
    outer_vectors : int
        Numbers outside the layers other than the vocabulary matrices: position rows, first and
        final norms.
    published_parameters : int, optional
        Total on the model card, for comparison with `parameters`.

    Raises
    ------
    InstanceError
        If a count is not an integer in its range, or `kv_heads` does not divide `heads`.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    head_dim: int
    kv_heads: int
    ffn: int
    gated_ffn: bool
    vocabulary: int
    tied_embeddings: bool
    layer_vectors: int = 0
    outer_vectors: int = 0
    published_parameters: int | None = None

    def __post_init__(self) -> None:
        check_name("TransformerModel", self.name)
        owner = f"model {self.name!r}"
        for field in ("layers", "hidden", "heads", "head_dim", "kv_heads", "ffn", "vocabulary"):
            check_count(owner, field, getattr(self, field), "count")
        for field in ("layer_vectors", "outer_vectors"):
            check_count(owner, field, getattr(self, field), "count", least=0)
        if self.published_parameters is not None:
            check_count(owner, "published_parameters", self.published_parameters, "count")
        for field in ("gated_ffn", "tied_embeddings"):
            if not isinstance(getattr(self, field), bool):
                raise InstanceError(f"{owner}: {field} = {getattr(self, field)!r} must be true or false")
        if self.heads % self.kv_heads:
            raise InstanceError(
                f"{owner}: kv_heads = {self.kv_heads} (count) must divide heads = {self.heads}; "
                "set kv_heads = heads for plain multi-head attention"
            )

    @property
    def matrix_parameters_per_layer(self) -> int:
        """Entries of the weight matrices Q, K, V, O and of the feed-forward network, one layer."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        ffn_matrices = 3 if self.gated_ffn else 2
        return self.hidden * (2 * queries + 2 * keys + ffn_matrices * self.ffn)

    def parameters(self) -> int:
        """Return the number of parameters, with embeddings, biases and norms (model-card total)."""
        vocabulary_matrices = 1 if self.tied_embeddings else 2
        return (
            self.layers * (self.matrix_parameters_per_layer + self.layer_vectors)
            + vocabulary_matrices * self.vocabulary * self.hidden
            + self.outer_vectors
        )

    def weight_bytes(self) -> int:
        """Return ``k1`` (byte): FP16 weights of the decoder layers, eqs. (3) and (5)."""
        return FP16_BYTES * self.layers * self.matrix_parameters_per_layer

    def cache_bytes_per_token(self) -> int:
        """Return ``k2`` (byte/token): FP16 keys and values of one token, eqs. (4) and (5)."""
        return FP16_BYTES * 2 * self.layers * self.kv_heads * self.head_dim

    def prefill_flops(self, padded_prompt: SupportsIndex) -> int:
        """Return the work of the initial stage (FLOP) for one request, eq. (6) times ``C_j``.

        Parameters
        ----------
        padded_prompt : int
            Prompt length after padding, ``s'`` (token), >= 1.

        Raises
        ------
        ValueError
            If the length is below 1.
        TypeError
            If the length is not an integer.
        """
        prompt = _tokens("padded_prompt", padded_prompt)
        attention = 4 * prompt * prompt * self.head_dim * self.heads
        return self.layers * (2 * prompt * self.matrix_parameters_per_layer + attention)

    def decode_flops(self, padded_prompt: SupportsIndex, output: SupportsIndex) -> int:
        """Return the work of the autoregressive stage (FLOP) for one request, eq. (7) times ``C_j``.

        Each of the ``n - 1`` steps attends to ``s' + n/2`` tokens, the paper's average.

        Parameters
        ----------
        padded_prompt, output : int
            Prompt length after padding, ``s'``, and output length, ``n`` (token), both >= 1.

        Raises
        ------
        ValueError
            If a length is below 1.
        TypeError
            If a length is not an integer.
        """
        prompt, length = _tokens("padded_prompt", padded_prompt), _tokens("output", output)
        attention = (4 * prompt + 2 * length) * self.head_dim * self.heads
        return self.layers * (length - 1) * (2 * self.matrix_parameters_per_layer + attention)

    def flops(self, padded_prompt: SupportsIndex, output: SupportsIndex) -> int:
        """Return the work ``a(n)`` of one request (FLOP), an exact integer, eqs. (6)-(8).

        Parameters and errors are those of `decode_flops`.
        """
        return self.prefill_flops(padded_prompt) + self.decode_flops(padded_prompt, output)

    def flop_constants(self, padded_prompt: SupportsIndex) -> tuple[int, int, int]:
        """Return ``(k3, k4, k5)`` of eq. (8): ``flops(s', n) == k3 + k4 n + k5 n**2`` (FLOP).

        Parameters
        ----------
        padded_prompt : int
            Prompt length after padding, ``s'`` (token), >= 1.

        Raises
        ------
        ValueError
            If the length is below 1.
        TypeError
            If the length is not an integer.
        """
        prompt = _tokens("padded_prompt", padded_prompt)
        width = self.head_dim * self.heads
        step = 2 * self.matrix_parameters_per_layer + 4 * prompt * width
        return (
            self.layers * (prompt - 1) * step,
            self.layers * (step - 2 * width),
            2 * self.layers * width,
        )


def _tokens(field: str, value: SupportsIndex) -> int:
    """Return a length in tokens as an int; raise ``ValueError`` below 1."""
    count = operator.index(value)
    if count < 1:
        raise ValueError(f"{field} = {count} (token) must be >= 1; a request has a prompt and an output")
    return count
