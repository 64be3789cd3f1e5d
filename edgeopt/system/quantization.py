"""Quantization schemes: memory, time and accuracy relative to FP16, eqs. (9) and (11).

The paper scales the whole memory by one factor alpha. Weight-only schemes such as W8A16 keep
activations, and with them the key-value cache, at 16 bits, so the two parts have a factor each
here; `Quantization.paper_alpha` (or the suffix ``-paper`` of a name) is the paper's reading.
"""

import math

import msgspec

from edgeopt.errors import InstanceError
from edgeopt.system._validation import check_count, check_name, check_quantity, pick
from edgeopt.system.exact import as_fraction
from edgeopt.system.transformer import TransformerModel


class Quantization(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One quantization scheme on one model; all factors relative to FP16, no unit.

    Parameters
    ----------
    name : str
        Name of the scheme.
    weight_factor : float
        Memory of the weights, alpha_w, > 0.
    cache_factor : float
        Memory of the key-value cache, alpha_kv, > 0.
    time_factor : float
        Computation time, beta, > 0.
    ppl_differential : float
        Perplexity added, >= 0.

    Raises
    ------
    InstanceError
        If a factor is not finite and positive, or the differential is negative.
    """

    name: str
    weight_factor: float = 1.0
    cache_factor: float = 1.0
    time_factor: float = 1.0
    ppl_differential: float = 0.0

    def __post_init__(self) -> None:
        check_name("Quantization", self.name)
        owner = f"quantization {self.name!r}"
        for field in ("weight_factor", "cache_factor", "time_factor"):
            check_quantity(owner, field, getattr(self, field), "no unit")
        check_quantity(owner, "ppl_differential", self.ppl_differential, "perplexity", least=0.0)

    def accuracy(self) -> float:
        """Return ``f(dPPL) = 1 - dPPL``, the accuracy that eq. (11) asks for (Fig. 13).

        The compile step recomputes it from the differential's decimal in exact fractions.
        """
        return 1.0 - self.ppl_differential

    def paper_alpha(self) -> "Quantization":
        """Return the scheme with the paper's single alpha on weights and cache, eq. (9)."""
        return msgspec.structs.replace(self, name=f"{self.name}-paper", cache_factor=self.weight_factor)

    def memory_bytes(self, model: TransformerModel, tokens: int) -> float:
        """Return the peak memory (byte) with `tokens` tokens cached, eqs. (5) and (9).

        Parameters
        ----------
        model : TransformerModel
            The model on the node.
        tokens : int
            ``sum_i (s' + n_i)`` over the batch (token), >= 0.

        Raises
        ------
        InstanceError
            If `tokens` is negative or no integer.
        """
        check_count(f"quantization {self.name!r}", "tokens", tokens, "token", least=0)
        cache = self.cache_factor * model.cache_bytes_per_token() * tokens
        return self.weight_factor * model.weight_bytes() + cache

    def token_capacity(self, model: TransformerModel, memory_bytes: float) -> int:
        """Return how many cached tokens fit beside the weights, exactly rounded down, eq. (12c).

        ``floor((M - alpha_w k1) / (alpha_kv k2))`` in fractions, every number as its decimal.
        Negative where the weights alone do not fit.

        Parameters
        ----------
        model : TransformerModel
            The model on the node.
        memory_bytes : float
            Memory ``M`` of the node (byte), > 0.

        Raises
        ------
        InstanceError
            If the memory is not finite and positive.
        """
        check_quantity(f"quantization {self.name!r}", "memory_bytes", memory_bytes, "byte")
        room = as_fraction(memory_bytes) - as_fraction(self.weight_factor) * model.weight_bytes()
        return math.floor(room / (as_fraction(self.cache_factor) * model.cache_bytes_per_token()))

    def compute_time_s(self, flops: float, flop_per_s: float) -> float:
        """Return the computation time ``beta * flops / C`` (s), eqs. (8) and (9).

        Parameters
        ----------
        flops : float
            FP16 work of the batch (FLOP), >= 0.
        flop_per_s : float
            Compute rate ``C`` of the node (FLOP/s), > 0.

        Raises
        ------
        InstanceError
            If an argument is outside its range.
        """
        owner = f"quantization {self.name!r}"
        check_quantity(owner, "flops", flops, "FLOP", least=0.0)
        check_quantity(owner, "flop_per_s", flop_per_s, "FLOP/s")
        return self.time_factor * flops / flop_per_s


SCHEMES: dict[str, Quantization] = {
    scheme.name: scheme
    for scheme in (
        Quantization(name="fp16"),
        # alpha 0.5 and beta 1 reproduce Section V-B: no 7.1B request meets 1.5-2 s, and a single
        # GPU without batching serves it from 3 s on.
        Quantization(name="w8a16", weight_factor=0.5),
        # INT8 matrix units run at twice their FP16 rate (see `hardware`); Section III-B speaks of a
        # factor of 4, reached with time_factor = 0.25. Activations in the cache stay at 16 bits.
        Quantization(name="w8a8", weight_factor=0.5, time_factor=0.5),
        # Weight-only: the products are still computed in FP16.
        Quantization(name="w4a16-gptq", weight_factor=0.25),
        Quantization(name="w4a16-zq-local", weight_factor=0.25),
    )
}
"""The schemes; their differentials are zero here and depend on the model, see `quantization`."""

PPL_DIFFERENTIAL: dict[str, dict[str, float]] = {
    "w4a16-gptq": {"opt-13b": 0.20, "bloom-3b": 0.75, "bloom-7b1": 0.54},
    "w4a16-zq-local": {"opt-13b": 0.42, "bloom-3b": 0.92, "bloom-7b1": 0.59},
}
"""Table II: perplexity differential by scheme and model."""

# W8A16 loses next to nothing (Section V-A), FP16 nothing; other schemes need a measured value.
_LOSSLESS = ("fp16", "w8a16")


def quantization(scheme: str, model_name: str | None = None, *, ppl_differential: float | None = None) -> Quantization:
    """Return a built-in scheme with the differential it has on a model.

    Parameters
    ----------
    scheme : str
        A key of `SCHEMES`, ignoring case; with ``-paper`` appended, the single-alpha reading.
    model_name : str, optional
        Name of the model, for Table II.
    ppl_differential : float, optional
        The differential, where it was measured elsewhere; overrides the table.

    Raises
    ------
    UnknownNameError
        If the scheme is unknown.
    InstanceError
        If its differential on the model is neither known nor given.
    """
    base = pick("quantization", SCHEMES, scheme.lower().removesuffix("-paper"))
    if ppl_differential is None:
        known = PPL_DIFFERENTIAL.get(base.name, {})
        ppl_differential = 0.0 if base.name in _LOSSLESS else known.get((model_name or "").lower())
        if ppl_differential is None:
            raise InstanceError(
                f"quantization {base.name!r}: no ppl_differential for model {model_name!r} "
                f"(known: {', '.join(known) or 'none'}); give ppl_differential"
            )
    result = msgspec.structs.replace(base, ppl_differential=ppl_differential)
    return result.paper_alpha() if scheme.lower().endswith("-paper") else result
