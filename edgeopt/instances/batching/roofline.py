"""The roofline latency of a batch: prefill bound by computing, decoding by computing or by reading memory.

A batch ``S`` with prompts padded to ``s'`` decodes until its longest request ends, ``n_max`` tokens. With ``f_i`` and
``g_i`` the FLOPs of prefill (6) and of decoding (7), ``C`` and ``BW`` the node's speeds of computing and of reading,
``W = alpha_w k1`` the bytes of the weights, ``kv_i`` the bytes of cache that request ``i`` reads while it decodes, and
``beta`` the time factor of the quantization (9),

    t_compute = beta sum (f_i + g_i) / C
    t_memory  = beta sum f_i / C + (n_max - 1) W / BW + sum kv_i / BW
    latency   = max(t_compute, t_memory)

which is exact where the same side is the longer one in every decoding step, and else a lower estimate: each step takes
the longer of its two sides. Both sides are a fixed part, set by the longest request, and a sum. They are stated in the
FLOPs that the node computes meanwhile, so that both are held against the same budget ``D_ij`` of (12d).
"""

from __future__ import annotations

from fractions import Fraction

from edgeopt.instances.batching.instance import Node
from edgeopt.system.exact import as_fraction


def cache_bytes(node: Node, padded_prompt: int, output: int) -> Fraction:
    """``kv_i`` (B): step ``t = 1 .. n - 1`` reads the keys and values of ``s' + t`` tokens."""
    tokens = (output - 1) * padded_prompt + Fraction(output * (output - 1), 2)
    return tokens * node.model.cache_bytes_per_token() * as_fraction(node.quantization.cache_factor)


def weight_bytes(node: Node) -> Fraction:
    """``W`` (B): the weights as they are stored."""
    return node.model.weight_bytes() * as_fraction(node.quantization.weight_factor)


def memory_time(node: Node, padded_prompt: int, output: int) -> tuple[Fraction, Fraction]:
    """What a request adds to ``t_memory``, and what it brings as the longest of its batch, in FLOP.

    A FLOP stands for the ``beta / C`` seconds that the node takes for it.
    """
    assert node.memory_bandwidth_byte_per_s is not None
    flop_per_byte = as_fraction(node.compute_flops) / (
        as_fraction(node.quantization.time_factor) * as_fraction(node.memory_bandwidth_byte_per_s)
    )
    added = node.model.prefill_flops(padded_prompt) + cache_bytes(node, padded_prompt, output) * flop_per_byte
    return added, (output - 1) * weight_bytes(node) * flop_per_byte


def batch_latency_s(node: Node, latency: str, padded_prompt: int, outputs: list[int]) -> float:
    """How long (s) a batch of these output lengths (tokens) takes on a node, under either latency; 0 for none."""
    if not outputs:
        return 0.0
    work = Fraction(sum(node.model.flops(padded_prompt, n) for n in outputs))
    if latency == "roofline":
        parts = [memory_time(node, padded_prompt, n) for n in outputs]
        work = max(work, sum(added for added, _ in parts) + max(brought for _, brought in parts))
    return float(work * as_fraction(node.quantization.time_factor) / as_fraction(node.compute_flops))
