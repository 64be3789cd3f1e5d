"""The executable specification of P1: exact violations from the raw fields.

This is the second, independent path from physical units to integers: one request at a time, in
`fractions.Fraction` and 60-digit `decimal`, written from the equations. It shares no code with
`compiled`, the models or the solvers, so that a mistake there shows here.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

from edgeopt.errors import EdgeoptError
from edgeopt.instances.base import Violation
from edgeopt.instances.batching.instance import BatchingInstance, Node
from edgeopt.instances.batching.schedule import Schedule

BAND = 10**9
"""A whole band in the units of the minimum shares, 1e-9 of the band."""


def _decimal(value: float) -> Fraction:
    """The decimal that a field of the file says."""
    return Fraction(repr(float(value)))


def _rounded_log2(scale: Fraction, argument: Fraction, *, divide: bool) -> int:
    """``ceil(scale / log2(argument))`` or ``floor(scale * log2(argument))``, exactly.

    The logarithm is enclosed by two decimals; digits are added until both ends round alike.
    """
    if argument.numerator & (argument.numerator - 1) == 0 and argument.denominator == 1:  # a power of two
        power = argument.numerator.bit_length() - 1
        return math.ceil(scale / power) if divide else math.floor(scale * power)
    digits = 60
    while digits < 5000:
        low = Context(prec=digits, rounding=ROUND_FLOOR)
        high = Context(prec=digits, rounding=ROUND_CEILING)
        top, bottom = Decimal(argument.numerator), Decimal(argument.denominator)
        # ln is correctly rounded (half even) in decimal: one unit in the last place encloses it
        exact = Context(prec=digits)
        two = exact.ln(Decimal(2))
        least = low.divide(exact.next_minus(exact.ln(low.divide(top, bottom))), exact.next_plus(two))
        most = high.divide(exact.next_plus(exact.ln(high.divide(top, bottom))), exact.next_minus(two))
        if least > 0:
            if divide:
                ends = {math.ceil(scale / Fraction(least)), math.ceil(scale / Fraction(most))}
            else:
                ends = {math.floor(scale * Fraction(least)), math.floor(scale * Fraction(most))}
            if len(ends) == 1:
                return ends.pop()
        digits *= 2
    raise EdgeoptError(f"cannot round a logarithm of {argument} with {digits} digits")


def uplink_share(instance: BatchingInstance, node: int, request: int) -> int:
    """Minimum uplink share (1) in 1e-9 of the band, rounded up."""
    at = instance.nodes[node]
    bits = int(instance.requests.prompt_tokens[request]) * instance.bits_per_token
    volume = _decimal(instance.uplink_slot_s) * _decimal(at.uplink_bandwidth_hz)
    snr = (
        _decimal(at.user_power_w)
        * _decimal(instance.requests.uplink_gain[node, request])
        / (_decimal(instance.noise_w_per_hz) * _decimal(at.uplink_bandwidth_hz))
    )
    return _rounded_log2(BAND * bits / volume, 1 + snr, divide=True)


def downlink_share(instance: BatchingInstance, node: int, request: int) -> int:
    """Minimum downlink share (2) in 1e-9 of the band, rounded up."""
    at = instance.nodes[node]
    bits = int(instance.requests.output_tokens[request]) * instance.bits_per_token
    volume = _decimal(instance.downlink_slot_s) * _decimal(at.downlink_bandwidth_hz)
    return _rounded_log2(BAND * bits / volume, 1 + _downlink_snr(instance, node, request), divide=True)


def worst_channel_tokens(instance: BatchingInstance, node: int) -> int:
    """Output tokens ``k6`` that the downlink carries at the worst covered channel, rounded down."""
    at = instance.nodes[node]
    gains = instance.requests.downlink_gain[node].tolist()
    covered = [request for request, gain in enumerate(gains) if gain == gain]
    if not covered:
        return 0
    worst = min(covered, key=gains.__getitem__)
    tokens = _decimal(instance.downlink_slot_s) * _decimal(at.downlink_bandwidth_hz) / instance.bits_per_token
    return _rounded_log2(tokens, 1 + _downlink_snr(instance, node, worst), divide=False)


def _downlink_snr(instance: BatchingInstance, node: int, request: int) -> Fraction:
    at = instance.nodes[node]
    noise = _decimal(instance.noise_w_per_hz) * _decimal(at.downlink_bandwidth_hz)
    return _decimal(at.node_power_w) * _decimal(instance.requests.downlink_gain[node, request]) / noise


def memory_tokens(instance: BatchingInstance, node: int) -> int:
    """Cached tokens that fit beside the weights (12c), rounded down."""
    at = instance.nodes[node]
    model, scheme = at.model, at.quantization
    width = model.head_dim * model.heads
    shared = model.head_dim * model.kv_heads
    ffn = (3 if model.gated_ffn else 2) * model.hidden * model.ffn
    weights = 2 * model.layers * (2 * model.hidden * width + 2 * model.hidden * shared + ffn)
    free = _decimal(at.memory_bytes) - _decimal(scheme.weight_factor) * weights
    token = _decimal(scheme.cache_factor) * 4 * model.layers * shared
    return max(0, math.floor(free / token))


def work(instance: BatchingInstance, node: int, output_tokens: int) -> int:
    """Work ``a_n`` of a request with that output length (6)-(8) in MFLOP, rounded up."""
    model = instance.nodes[node].model
    padded = instance.padded_prompt_tokens
    width = model.head_dim * model.heads
    shared = model.head_dim * model.kv_heads
    token = 2 * model.hidden * (2 * width + 2 * shared) + 2 * (3 if model.gated_ffn else 2) * model.hidden * model.ffn
    initial = padded * token + 4 * padded**2 * width
    regressive = (output_tokens - 1) * (Fraction(token) + 4 * (padded + Fraction(output_tokens, 2)) * width)
    return math.ceil(model.layers * (initial + regressive) / 10**6)


def memory_time(instance: BatchingInstance, node: int, lengths: list[int]) -> int:
    """Work (MFLOP) that the node could do while a batch waits for its memory (roofline), as the compiled form rounds.

    Prefill, and reading the cache of every request (each rounded up), and the weights once a step of the longest.
    """
    at = instance.nodes[node]
    model, scheme, padded = at.model, at.quantization, instance.padded_prompt_tokens
    width = model.head_dim * model.heads
    matrices = 2 * model.hidden * width + 2 * model.hidden * model.head_dim * model.kv_heads
    matrices += (3 if model.gated_ffn else 2) * model.hidden * model.ffn
    assert at.memory_bandwidth_byte_per_s is not None
    flop_per_byte = _decimal(at.compute_flops) / _decimal(scheme.time_factor) / _decimal(at.memory_bandwidth_byte_per_s)
    prefill = model.layers * (2 * padded * matrices + 4 * padded**2 * width)
    token = 4 * model.layers * model.kv_heads * model.head_dim * _decimal(scheme.cache_factor)
    total = 0
    for length in lengths:
        steps = length - 1
        tokens = steps * padded + steps * (steps + 1) // 2
        total += math.ceil((prefill + tokens * token * flop_per_byte) / 10**6)
    weights = 2 * model.layers * matrices * _decimal(scheme.weight_factor)
    return total + math.ceil((max(lengths) - 1) * weights * flop_per_byte / 10**6)


def deadline_budget(instance: BatchingInstance, node: int, request: int) -> int:
    """Work (MFLOP, rounded down) that fits before the deadline of a request (10)/(12d)."""
    left = (
        _decimal(instance.requests.deadline_s[request])
        - _decimal(instance.requests.waiting_s[request])
        - _decimal(instance.uplink_slot_s)
        - _decimal(instance.downlink_slot_s)
    )
    return _work_in(instance.nodes[node], left)


def slot_budget(instance: BatchingInstance, node: int) -> int:
    """Work (MFLOP, rounded down) that fits in the compute slot ``T_C``."""
    return _work_in(instance.nodes[node], _decimal(instance.compute_slot_s))


def _work_in(node: Node, time_s: Fraction) -> int:
    speed = _decimal(node.compute_flops) / _decimal(node.quantization.time_factor)
    return max(0, math.floor(time_s * speed / 10**6))


def refusal(instance: BatchingInstance, node: int, request: int) -> Violation | None:
    """Why a node may not serve a request at all (coverage, model, accuracy (12e)), or None."""
    at, requests = instance.nodes[node], instance.requests
    where = _pair(at, request)
    gain = float(requests.uplink_gain[node, request])
    if gain != gain:
        return Violation("coverage", where, "no channel", "a channel")
    names = requests.accept_sets[int(requests.accepts[request])]
    if names is not None and at.model.name not in names:
        return Violation("accepted model", where, at.model.name, f"one of {', '.join(names)}")
    required = _decimal(requests.accuracy[request])
    offered = 1 - _decimal(at.quantization.ppl_differential)
    if required > offered:
        return Violation("accuracy (12e)", where, str(float(required)), str(float(offered)))
    return None


def _pair(node: Node, request: int) -> str:
    return f"node {node.name}, request {request}"


def violations(instance: BatchingInstance, schedule: Schedule) -> list[Violation]:
    """Every constraint of P1 that a schedule breaks, and every request scheduled twice.

    Returns
    -------
    list of Violation
        Empty iff the schedule is feasible, in exact arithmetic.
    """
    found: list[Violation] = []
    if len(schedule.batches) != len(instance.nodes):
        text = f"{len(schedule.batches)} batches", f"{len(instance.nodes)} nodes"
        return [Violation("one batch a node", "schedule", *text)]
    where: dict[int, str] = {}
    for node, batch in zip(instance.nodes, schedule.batches, strict=True):
        for request in batch.tolist():
            if not 0 <= request < len(instance.requests):
                found.append(
                    Violation("known request", _pair(node, request), str(request), str(len(instance.requests)))
                )
            elif request in where:
                found.append(Violation("a request runs at most once", _pair(node, request), "again", where[request]))
            where.setdefault(request, f"node {node.name}")
    if not any(item.constraint == "known request" for item in found):
        for index, batch in enumerate(schedule.batches):
            found += _node_violations(instance, index, batch.tolist())
    return found


def _node_violations(instance: BatchingInstance, index: int, batch: list[int]) -> list[Violation]:
    if not batch:
        return []
    name = f"node {instance.nodes[index].name}"
    refused = [bad for request in batch if (bad := refusal(instance, index, request)) is not None]
    if any(bad.constraint == "coverage" for bad in refused):
        return refused  # without a channel there is no share to add up
    lengths = instance.requests.output_tokens[batch].tolist()
    found = refused

    def compare(constraint: str, demand: int, capacity: int, unit: str) -> None:
        if demand > capacity:
            found.append(Violation(constraint, name, f"{demand} {unit}", f"{capacity} {unit}"))

    shares = sum(uplink_share(instance, index, request) for request in batch)
    compare("uplink (12a)", shares, BAND, "1e-9 of the band")
    if instance.downlink_rule == "per-user":
        shares = sum(downlink_share(instance, index, request) for request in batch)
        compare("downlink (12b)", shares, BAND, "1e-9 of the band")
    else:
        compare("downlink (12b)", sum(lengths), worst_channel_tokens(instance, index), "tokens")
    cached = sum(instance.padded_prompt_tokens + length for length in lengths)
    compare("memory (12c)", cached, memory_tokens(instance, index), "cached tokens")
    demand = sum(work(instance, index, length) for length in lengths)
    if instance.latency == "roofline":
        demand = max(demand, memory_time(instance, index, lengths))
    compare("compute slot", demand, slot_budget(instance, index), "MFLOP")
    tightest = min(batch, key=lambda request: deadline_budget(instance, index, request))
    compare(f"deadline (12d) of request {tightest}", demand, deadline_budget(instance, index, tightest), "MFLOP")
    return found
