"""From physical units to scaled integers, demand rounded up and capacity down, logarithms included.

Every number means the decimal that the file says (`edgeopt.system.exact.as_fraction`). Floats only
speed things up: where a float is too close to an integer to be sure of the rounding, exact arithmetic
decides, so the compiled form is the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from edgeopt.errors import InstanceError
from edgeopt.instances.batching.instance import BatchingInstance, FloatArray, Node
from edgeopt.instances.batching.node import FLOP_UNIT, SHARE_UNITS, IntArray, NodeProblem
from edgeopt.instances.batching.roofline import memory_time
from edgeopt.system.exact import as_fraction, ceil_div_log2, floor_mul_log2

FLOAT_DOUBT = 1e-13
"""Relative error granted to the float path, some 50 times what its operations can lose."""
LEAST_NORMAL, MOST_NORMAL = 1e-290, 1e290
"""Beyond these, floats may have lost digits or overflowed, and say nothing."""
TOO_MUCH = 2 * SHARE_UNITS
"""Stands for every share that exceeds the whole band; such a request never fits."""
MOST = 2**62
"""No sum of demands may pass this, so that int64 never overflows."""
CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class CompiledBatching:
    """P1 in scaled integers: one `NodeProblem` a node, over requests numbered as in the instance.

    Attributes
    ----------
    nodes : tuple of NodeProblem
    requests : int
        Number of requests ``I`` in the instance, servable or not.
    """

    nodes: tuple[NodeProblem, ...]
    requests: int


def compile_batching(instance: BatchingInstance) -> CompiledBatching:
    """Compile an instance; see `NodeProblem` for the constraints and units.

    Raises
    ------
    InstanceError
        If the numbers are so large that sums would leave 64 bits.
    """
    return CompiledBatching(
        tuple(_compile_node(instance, index) for index in range(len(instance.nodes))), len(instance.requests)
    )


def _compile_node(instance: BatchingInstance, index: int) -> NodeProblem:
    node, requests = instance.nodes[index], instance.requests
    tokens, kind = np.unique(requests.output_tokens, return_inverse=True)
    kind = kind.astype(np.int64).reshape(-1)
    memory = tokens + instance.padded_prompt_tokens
    compute = _class_compute(instance, node, tokens, len(requests))

    servable = instance.accepted(index) & accurate(requests.accuracy, node)
    served = np.nonzero(servable)[0]
    uplink = minimum_shares(
        requests.prompt_tokens[served] * instance.bits_per_token,
        as_fraction(instance.uplink_slot_s) * as_fraction(node.uplink_bandwidth_hz),
        requests.uplink_gain[index, served],
        _gain_scale(node.user_power_w, instance.noise_w_per_hz, node.uplink_bandwidth_hz),
    )
    budget = _budgets(instance, node, served)
    stream, fixed = _class_memory_time(instance, node, tokens, len(requests), int(budget.max(initial=0)))
    down_volume = as_fraction(instance.downlink_slot_s) * as_fraction(node.downlink_bandwidth_hz)
    down_scale = _gain_scale(node.node_power_w, instance.noise_w_per_hz, node.downlink_bandwidth_hz)
    downlink: IntArray | None = None
    if instance.downlink_rule == "per-user":
        bits = requests.output_tokens[served] * instance.bits_per_token
        downlink = minimum_shares(bits, down_volume, requests.downlink_gain[index, served], down_scale)
        downlink_capacity = SHARE_UNITS
    else:
        downlink_capacity = _worst_channel_tokens(
            requests.downlink_gain[index], down_volume / instance.bits_per_token, down_scale
        )
    memory_capacity = memory_tokens(node)

    own = kind[served]
    fits = (
        (uplink <= SHARE_UNITS)
        & ((tokens[own] <= downlink_capacity) if downlink is None else (downlink <= SHARE_UNITS))
        & (memory[own] <= memory_capacity)
        & (compute[own] <= budget)
    )
    if stream is not None and fixed is not None:
        fits &= stream[own] + fixed[own] <= budget
    whole = NodeProblem(
        node.name,
        served.astype(np.int64),
        own,
        uplink,
        budget,
        downlink,
        tokens,
        memory,
        compute,
        SHARE_UNITS,
        downlink_capacity,
        memory_capacity,
        stream,
        fixed,
    )
    return whole.restricted(fits)


def _class_compute(instance: BatchingInstance, node: Node, tokens: IntArray, count: int) -> IntArray:
    """Work of each output length (6)-(8) in `FLOP_UNIT`, rounded up."""
    padded = instance.padded_prompt_tokens
    work = [-(-node.model.flops(padded, int(n)) // FLOP_UNIT) for n in tokens]
    if work and work[-1] * max(count, 1) > MOST:
        raise InstanceError(
            f"nodes: model {node.model.name} needs {work[-1]} MFLOP for {tokens[-1]} output tokens; "
            f"with {count} requests that leaves 64 bits, split the instance"
        )
    return np.array(work, dtype=np.int64)


def _class_memory_time(
    instance: BatchingInstance, node: Node, tokens: IntArray, count: int, most: int
) -> tuple[IntArray | None, IntArray | None]:
    """Time that each output length adds and brings, in `FLOP_UNIT`, rounded up; above `most` nothing fits anyway."""
    if instance.latency == "flops":
        return None, None
    times = [memory_time(node, instance.padded_prompt_tokens, int(n)) for n in tokens]
    units = [[min(math.ceil(part / FLOP_UNIT), most + 1) for part in pair] for pair in times]
    if units and units[-1][0] * max(count, 1) + units[-1][1] > MOST:
        raise InstanceError(
            f"nodes: {node.name} waits {sum(units[-1])} MFLOP for its memory at {tokens[-1]} output tokens; "
            f"with {count} requests that leaves 64 bits, split the instance"
        )
    columns = np.array(units, dtype=np.int64).reshape(-1, 2)
    return columns[:, 0].copy(), columns[:, 1].copy()


def accurate(accuracy: FloatArray, node: Node) -> NDArray[np.bool_]:
    """(11)/(12e): the required accuracy is at most ``f(dPPL) = 1 - dPPL``, compared exactly."""
    offered = 1 - as_fraction(node.quantization.ppl_differential)
    least = float(offered)
    doubtful = accuracy == least
    result = accuracy < least
    if doubtful.any():
        result = np.where(doubtful, as_fraction(least) <= offered, result)
    return result


def _gain_scale(power_w: float, noise_w_per_hz: float, bandwidth_hz: float) -> Fraction:
    """``p / (N0 B)``: times the channel's power gain it is the signal-to-noise ratio (1)."""
    return as_fraction(power_w) / (as_fraction(noise_w_per_hz) * as_fraction(bandwidth_hz))


def minimum_shares(bits: IntArray, volume: Fraction, gain: FloatArray, scale: Fraction) -> IntArray:
    """Minimum shares (1), (2) in `SHARE_UNITS`, rounded up exactly.

    Parameters
    ----------
    bits : (I,) int64
        Payload (bit).
    volume : Fraction
        Slot length times band (s Hz).
    gain : (I,) float64
        Channel power gain.
    scale : Fraction
        ``p / (N0 B)``.

    Returns
    -------
    (I,) int64
        ``ceil(SHARE_UNITS bits / (volume log2(1 + scale gain)))``, or `TOO_MUCH` above the whole band.
    """
    snr_scale, unit = _nearest(scale), _nearest(SHARE_UNITS / volume)
    with np.errstate(all="ignore"):
        snr = gain * snr_scale
        share = bits * unit / (np.log1p(snr) / math.log(2))
    normal = (snr > LEAST_NORMAL) & (snr < MOST_NORMAL) & (share > LEAST_NORMAL) & (share < MOST_NORMAL)
    normal &= min(snr_scale, unit) > LEAST_NORMAL
    share = np.where(normal, np.minimum(share, float(TOO_MUCH)), np.nan)

    def exact(place: int) -> int:
        snr = as_fraction(gain[place]) * scale
        return min(TOO_MUCH, ceil_div_log2(SHARE_UNITS * int(bits[place]) / volume, 1 + snr))

    return _rounded(share, np.ceil, exact)


def _nearest(number: Fraction) -> float:
    """The float nearest to a fraction, infinite beyond the largest."""
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _rounded(value: FloatArray, direction: Callable[[FloatArray], FloatArray], exact: Callable[[int], int]) -> IntArray:
    """Round floats up or down; NaN, and what is too close to an integer to be sure, is decided by `exact`."""
    low = direction(value * (1 - FLOAT_DOUBT))
    high = direction(value * (1 + FLOAT_DOUBT))
    result: IntArray = np.nan_to_num(high).astype(np.int64)
    for place in np.nonzero((low != high) & ~(value >= TOO_MUCH))[0]:
        result[place] = exact(int(place))
    return result


def _worst_channel_tokens(gain: FloatArray, volume: Fraction, scale: Fraction) -> int:
    """Downlink capacity ``k6`` in tokens: the band at the worst channel in coverage, rounded down."""
    covered = gain[~np.isnan(gain)]
    if not len(covered):
        return 0
    return min(MOST, floor_mul_log2(volume, 1 + as_fraction(covered.min()) * scale))


def memory_tokens(node: Node) -> int:
    """(12c): cached tokens that fit beside the weights, rounded down; 0 where the weights do not fit."""
    if node.memory_bytes == 0:
        return 0
    return min(MOST, max(0, node.quantization.token_capacity(node.model, node.memory_bytes)))


def _budgets(instance: BatchingInstance, node: Node, served: NDArray[np.intp]) -> IntArray:
    """(12d): ``floor(min(tau - tw - TU - TD, TC) C / beta)`` in `FLOP_UNIT`, exactly, at least 0."""
    slots = as_fraction(instance.uplink_slot_s) + as_fraction(instance.downlink_slot_s)
    speed = as_fraction(node.compute_flops) / (as_fraction(node.quantization.time_factor) * FLOP_UNIT)
    most = min(MOST, math.floor(as_fraction(instance.compute_slot_s) * speed))
    deadline, waiting = instance.requests.deadline_s[served], instance.requests.waiting_s[served]
    result = np.empty(len(served), dtype=np.int64)
    for begin in range(0, len(served), CHUNK):
        part = slice(begin, begin + CHUNK)
        result[part] = _budget_chunk(deadline[part], waiting[part], slots, speed, most)
    return result


def _budget_chunk(deadline: FloatArray, waiting: FloatArray, slots: Fraction, speed: Fraction, most: int) -> IntArray:
    tau, tau_exact = _nanoseconds(deadline)
    tw, tw_exact = _nanoseconds(waiting)
    # floor((tau - tw - slots) speed) over one common denominator, in Python integers (no overflow)
    shift = slots * 10**9
    top = speed.numerator
    bottom = speed.denominator * 10**9 * shift.denominator
    left = (tau - tw).astype(object) * shift.denominator - shift.numerator
    value = (left * top) // bottom
    for place in np.nonzero(~(tau_exact & tw_exact))[0]:
        left_s = as_fraction(deadline[place]) - as_fraction(waiting[place]) - slots
        value[place] = math.floor(left_s * speed)
    budget: IntArray = np.minimum(np.maximum(value, 0), most).astype(np.int64)
    return budget


def _nanoseconds(time_s: FloatArray) -> tuple[IntArray, NDArray[np.bool_]]:
    """Times in whole nanoseconds, and where that is exactly the decimal that the float stands for.

    Division is correctly rounded, so ``k / 1e9 == t`` says that ``t`` is the float nearest to the decimal
    ``k * 1e-9``; below 2**20 s that decimal has at most 16 digits and is the shortest one that reads as ``t``.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        small = time_s < 2**20
        count = np.rint(np.where(small, time_s, 0.0) * 1e9)
    return count.astype(np.int64), small & (count / 1e9 == time_s)
