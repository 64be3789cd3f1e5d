"""Batching instances from real traffic: a window of an LLM trace over the generator's nodes and channels.

A trace (``TIMESTAMP,ContextTokens,GeneratedTokens``, the format of the Azure LLM inference traces) says
when requests came and how long they were, nothing else. Prompts, outputs and arrivals are taken from it;
deadlines follow a stated rule; channels, accuracies, accepted models and nodes are drawn by `generate`.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.batching.generate import REGIMES, Regime, generate, rescaled, rounded
from edgeopt.instances.batching.instance import MOST_TOKENS, BatchingInstance, DownlinkRule, FloatArray, Latency
from edgeopt.instances.batching.node import IntArray
from edgeopt.instances.batching.roofline import batch_latency_s
from edgeopt.instances.io import read_bytes

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
NANOSECONDS = 10**9
MOST_SPAN_S = 10**9
"""Longest trace (s): thirty years, so that sums of two times fit in 64 bits."""

_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_TOKENS = re.compile(r"\d{1,9}", re.ASCII)


class Trace(NamedTuple):
    """The requests of a trace, by time of arrival.

    Attributes
    ----------
    arrival_ns : (I,) int64
        Time since the first arrival (ns), ascending.
    prompt_tokens, output_tokens : (I,) int64
        Lengths (tokens).
    """

    arrival_ns: IntArray
    prompt_tokens: IntArray
    output_tokens: IntArray


def from_trace(
    path: str | os.PathLike[str],
    *,
    start_s: float = 0.0,
    window_s: float = 2.0,
    rate_scale: float = 1.0,
    padded_prompt_tokens: int | None = None,
    output_levels: int = 8,
    slack: float = 3.0,
    waiting: Literal["zero", "actual"] = "zero",
    compute_slot_s: float | None = None,
    seed: int = 0,
    nodes: int = 3,
    model: str | Sequence[str] = "bloom-3b",
    quantization_name: str = "w8a16",
    downlink_rule: DownlinkRule = "worst-channel",
    regime: Regime = "paper",
    load: float = 0.3,
    latency: Latency = "flops",
    name: str | None = None,
) -> BatchingInstance:
    """Make a batching instance from a window of an LLM trace.

    Parameters
    ----------
    path : str or path
        CSV file, plain or gzip, with the columns `COLUMNS`; other columns are ignored.
    start_s : float
        Where the window begins, in seconds of the trace after its first request.
    window_s : float
        Length of the epoch (s) that the window becomes.
    rate_scale : float
        Time compression: ``window_s * rate_scale`` seconds of the trace are squeezed into ``window_s``, so
        the arrival rate is multiplied by `rate_scale` and nothing else changes.
    padded_prompt_tokens : int, optional
        Length ``s'`` that prompts are padded to (tokens); longer prompts are refused and counted in
        ``source``. The longest prompt of the window when not given.
    output_levels : int
        Output lengths are rounded **up** to at most this many levels, the quantiles ``1/N, 2/N, ..., 1`` of
        the outputs that are kept (the paper has 3).
    slack : float
        The deadline is the unloaded latency times this, >= 1. Unloaded latency is ``TU + TD + beta a_i / C``
        of the fastest node that hosts an accepted model, serving this request alone, with the nodes of the
        ``paper`` regime.
    waiting : {"zero", "actual"}
        Time already waited: none, or from the arrival in the window to its end, where the epoch begins.
    compute_slot_s : float, optional
        Slot ``TC`` (s); the epoch when not given. Long prompts need more than a short epoch.
    seed, nodes, model, quantization_name, downlink_rule, regime, load, latency, name
        As for `generate`. A regime other than ``paper`` sizes the nodes for the trace's requests, after the
        deadlines are set.

    Returns
    -------
    BatchingInstance
        Requests in order of arrival.

    Raises
    ------
    InstanceError
        If the file cannot be read or a row is wrong (naming file, line, field and value), an option is out
        of range, or no request is left.
    """
    _check_options(
        start_s, window_s, rate_scale, padded_prompt_tokens, output_levels, slack, waiting, compute_slot_s, regime
    )
    trace = read_trace(path)
    file = Path(path).name
    begin, length = _nanoseconds(start_s), _nanoseconds(window_s * rate_scale)
    inside = slice(*np.searchsorted(trace.arrival_ns, [begin, begin + length]).tolist())
    prompts, outputs = trace.prompt_tokens[inside], trace.output_tokens[inside]
    if not len(prompts):
        last = int(trace.arrival_ns[-1]) / NANOSECONDS
        raise InstanceError(
            f"{file}: no request from {start_s:g} s to {start_s + window_s * rate_scale:g} s: the trace lasts "
            f"{last:.6g} s; change start_s, window_s or rate_scale"
        )
    padded = int(prompts.max()) if padded_prompt_tokens is None else padded_prompt_tokens
    kept = prompts <= padded
    refused = int(np.count_nonzero(~kept))
    if not kept.any():
        raise InstanceError(
            f"padded_prompt_tokens = {padded} (tokens): all {refused} prompts of the window are longer, the "
            f"shortest has {prompts.min()} tokens"
        )
    levels, outputs = _rounded_up(outputs[kept], output_levels)
    count = len(outputs)
    drawn = generate(
        seed=seed,
        nodes=nodes,
        requests=count,
        epoch=window_s,
        model=model,
        quantization_name=quantization_name,
        downlink_rule=downlink_rule,
        load=load,
        latency=latency,
    )
    drawn = replace(
        drawn,
        name=name or f"{file.partition('.')[0]}-{start_s:g}s-{count}-seed{seed}",
        padded_prompt_tokens=padded,
        compute_slot_s=window_s if compute_slot_s is None else compute_slot_s,
        requests=replace(drawn.requests, prompt_tokens=prompts[kept], output_tokens=outputs),
        source=(
            f"LLM trace {file}: {count} requests of {start_s:g} s to {start_s + window_s * rate_scale:g} s, "
            f"time compressed {rate_scale:g} times; {refused} prompts over {padded} tokens refused; outputs rounded "
            f"up to {len(levels)} levels ({', '.join(map(str, levels.tolist()))}); deadline = {slack:g} x unloaded "
            f"latency; waiting {waiting}; nodes and channels: edgeopt generate batching, {regime} setting, seed {seed}"
        ),
    )
    # The rate is multiplied, so a nanosecond of the trace is 1 / rate_scale of one in the epoch.
    arrived = (trace.arrival_ns[inside][kept] - begin) / (NANOSECONDS * rate_scale)
    requests = replace(
        drawn.requests,
        deadline_s=rounded(slack * unloaded_latency_s(drawn)),
        waiting_s=rounded(np.maximum(window_s - arrived, 0.0)) if waiting == "actual" else np.zeros(count),
    )
    return rescaled(replace(drawn, requests=requests), regime, load)


def unloaded_latency_s(instance: BatchingInstance) -> FloatArray:
    """Latency (I,) of each request (s) alone on the fastest node that hosts a model it accepts.

    ``TU + TD + beta a_i / C``, eqs. (8)-(10), or with the roofline's latency; infinite where no node accepts the
    request.
    """
    tokens, kind = np.unique(instance.requests.output_tokens, return_inverse=True)
    best = np.full(len(instance.requests), np.inf)
    for index, node in enumerate(instance.nodes):
        alone = [batch_latency_s(node, instance.latency, instance.padded_prompt_tokens, [int(n)]) for n in tokens]
        accepted = instance.accepted(index)
        best[accepted] = np.minimum(best, np.array(alone)[kind.reshape(-1)])[accepted]
    return instance.uplink_slot_s + instance.downlink_slot_s + best


def read_trace(path: str | os.PathLike[str]) -> Trace:
    """Read every request of a trace and sort it by time of arrival.

    Raises
    ------
    InstanceError
        Naming file, line, field and value of the first row that is wrong.
    """
    where = os.fspath(path)
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InstanceError(f"{where}: not UTF-8 at byte {error.start}; save the trace as UTF-8") from error
    rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    found: list[tuple[int, int, int]] = []
    places: list[int] | None = None
    try:
        for row in rows:
            fields = [field.strip() for field in row]
            if not any(fields):
                continue
            if places is None:
                places = _places(fields, where)
            else:
                found.append(_request(fields, places, f"{where}: line {rows.line_num}"))
    except csv.Error as error:
        raise InstanceError(f"{where}: line {rows.line_num}: not CSV: {error}") from error
    if not found:
        raise InstanceError(f"{where}: holds no request; a trace has the columns {','.join(COLUMNS)} and rows below")
    found.sort(key=lambda request: request[0])
    first, last = found[0][0], found[-1][0]
    if last - first > MOST_SPAN_S * NANOSECONDS:
        raise InstanceError(
            f"{where}: {(last - first) // NANOSECONDS} s from the first request to the last: must be {MOST_SPAN_S} s "
            "at most; look for a time of another century"
        )
    columns = np.array([(when - first, *lengths) for when, *lengths in found], dtype=np.int64).T
    return Trace(columns[0].copy(), columns[1].copy(), columns[2].copy())


def _places(fields: list[str], where: str) -> list[int]:
    """Where the columns stand; whether their names are in capitals does not matter."""
    names = [field.lower() for field in fields]
    missing = [column for column in COLUMNS if column.lower() not in names]
    if missing:
        raise InstanceError(
            f"{where}: line 1: the column {missing[0]!r} is missing; the header must name {','.join(COLUMNS)}, "
            f"it is {','.join(fields)!r}"
        )
    return [names.index(column.lower()) for column in COLUMNS]


def _request(fields: list[str], places: list[int], where: str) -> tuple[int, int, int]:
    """Arrival (ns since 1970), prompt and output (tokens) of a row."""
    if len(fields) <= max(places):
        raise InstanceError(f"{where} has {len(fields)} fields: must have at least {max(places) + 1}, as the header")
    when, prompt, output = (fields[place] for place in places)
    return _instant(when, where), _tokens(prompt, where, COLUMNS[1]), _tokens(output, where, COLUMNS[2])


def _tokens(text: str, where: str, field: str) -> int:
    if not (_TOKENS.fullmatch(text) and 1 <= int(text) <= MOST_TOKENS):
        raise InstanceError(f"{where}: {field} = {text!r} (tokens): must be a whole number from 1 to {MOST_TOKENS}")
    return int(text)


def _instant(text: str, where: str) -> int:
    """Nanoseconds since 1970 in integers: `datetime` keeps only six of the trace's seven digits."""
    match = _TIMESTAMP.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        day, clock, digits, zone = match.groups()
        second = datetime.fromisoformat(f"{day} {clock}{zone or '+00:00'}") - datetime(1970, 1, 1, tzinfo=UTC)
    except ValueError:
        raise InstanceError(
            f"{where}: {COLUMNS[0]} = {text!r}: must be a time such as 2023-11-16 18:17:03.9799600"
        ) from None
    return (second.days * 86400 + second.seconds) * NANOSECONDS + int((digits or "0").ljust(9, "0"))


def _nanoseconds(time_s: float) -> int:
    return round(min(time_s, MOST_SPAN_S) * NANOSECONDS)


def _rounded_up(values: IntArray, levels: int) -> tuple[IntArray, IntArray]:
    """The levels ``k/N``-quantiles (themselves values), and every value rounded up to the next level."""
    ordered = np.sort(values)
    levels = min(levels, len(ordered))
    places = [-(-k * len(ordered) // levels) - 1 for k in range(1, levels + 1)]
    edges = np.unique(ordered[places])
    return edges, edges[np.searchsorted(edges, values)]


def _check_options(
    start_s: float,
    window_s: float,
    rate_scale: float,
    padded_prompt_tokens: int | None,
    output_levels: int,
    slack: float,
    waiting: str,
    compute_slot_s: float | None,
    regime: str,
) -> None:
    def require(good: bool, text: str) -> None:
        if not good:
            raise InstanceError(f"from_trace: {text}")

    require(0 <= start_s < math.inf, f"start_s = {start_s} (s): must be a finite number >= 0")
    require(0 < window_s < math.inf, f"window_s = {window_s} (s): must be a finite number > 0")
    require(0 < rate_scale < math.inf, f"rate_scale = {rate_scale}: must be a finite number > 0")
    require(
        padded_prompt_tokens is None or 1 <= padded_prompt_tokens <= MOST_TOKENS,
        f"padded_prompt_tokens = {padded_prompt_tokens} (tokens): must be from 1 to {MOST_TOKENS}",
    )
    require(output_levels >= 1, f"output_levels = {output_levels}: must be 1 or more")
    require(1 <= slack < math.inf, f"slack = {slack}: must be a finite number >= 1")
    require(waiting in ("zero", "actual"), f"waiting = {waiting!r}: must be 'zero' or 'actual'")
    require(
        compute_slot_s is None or 0 < compute_slot_s < math.inf,
        f"compute_slot_s = {compute_slot_s} (s): must be a finite number > 0",
    )
    require(regime in REGIMES, f"regime = {regime!r}: must be one of {', '.join(REGIMES)}")
