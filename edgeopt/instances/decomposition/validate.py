"""What a decomposition instance must be; the texts are part of the interface."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition.graph import cycle, sinks, topological
from edgeopt.instances.decomposition.instance import (
    AGGREGATIONS,
    OBJECTIVES,
    DecompositionInstance,
    Mode,
    Step,
    Task,
)

LEAST, MOST = 1e-30, 1e30
"""Range of positive fields."""
MOST_COUNT = 2**31
"""Largest number of tokens, bytes and slots."""
MOST_TICKS = 2**40
"""Largest arrival, deadline and duration (ticks): sums of them stay in 64 bits."""
MOST_LINK_TICKS = 2**30
"""Longest frame and byte (ticks): with 30 more binary places they stay in 64 bits."""
MOST_LOGIT = 50.0
MOST_WEIGHT = 1e9


def fail(where: str, value: object, mend: str) -> InstanceError:
    """The error for a value."""
    return InstanceError(f"{where} = {value!r}: {mend}")


def validate(instance: DecompositionInstance) -> None:
    """Check every field.

    Raises
    ------
    InstanceError
        Naming field, value and unit of the first thing that is wrong.
    """
    if not instance.name:
        raise fail("name", instance.name, "must not be empty; give the instance a name")
    if instance.objective not in OBJECTIVES:
        raise fail("objective", instance.objective, f"must be one of {', '.join(OBJECTIVES)}")
    if instance.aggregation not in AGGREGATIONS:
        raise fail("aggregation", instance.aggregation, f"must be one of {', '.join(AGGREGATIONS)}")
    _number("tick_s", instance.tick_s, "s", 1e-12, 1e6)
    _number("accuracy_weight", instance.accuracy_weight, "no unit", 0, MOST_WEIGHT)
    _number("delay_weight_per_s", instance.delay_weight_per_s, "1/s", 0, MOST_WEIGHT)
    _number("correctness_floor", instance.correctness_floor, "fraction", 0, 1)
    if instance.correctness_floor and instance.objective != "latency":
        raise fail("correctness_floor", instance.correctness_floor, "is for the objective latency only; leave it out")
    _validate_nodes(instance)
    _validate_links(instance)
    _distinct((task.id for task in instance.tasks), "tasks", "id")
    reached = reach(instance)
    for index, task in enumerate(instance.tasks):
        _validate_task(instance, task, f"tasks[{index}]", reached)


def reach(instance: DecompositionInstance) -> dict[str, set[str]]:
    """The nodes that each node has a link to, and itself."""
    found = {node.name: {node.name} for node in instance.nodes}
    for link in instance.links:
        found[link.a].add(link.b)
        found[link.b].add(link.a)
    return found


def allowed(step: Step, device: str, reached: Mapping[str, set[str]], order: Mapping[str, int]) -> list[str]:
    """Nodes where a step may run, in the order of the instance."""
    names = reached[device] if step.nodes is None else set(step.nodes)
    return sorted(names, key=order.__getitem__)


def _number(where: str, value: Any, unit: str, least: float, most: float, zero: bool = False) -> None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not (least <= value <= most or (zero and value == 0)):
        raise fail(where, value, f"must be a number from {least:g} to {most:g} ({unit})" + (", or 0" if zero else ""))


def _whole(where: str, value: Any, unit: str, least: int = 0) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MOST_COUNT:
        raise fail(where, value, f"must be a whole number from {least} to {MOST_COUNT} ({unit})")


def _distinct(names: Iterable[str], where: str, field: str) -> None:
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if not name:
            raise fail(f"{where}[{index}].{field}", name, "must not be empty")
        if name in seen:
            raise fail(f"{where}[{index}].{field}", name, f"is taken by {where}[{seen[name]}]; they must differ")
        seen[name] = index


def _known(where: str, name: str, names: Iterable[str], what: str) -> None:
    known = list(names)
    if name not in known:
        shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
        raise fail(where, name, f"no such {what}; there are: {shown or 'none'}")


def _validate_nodes(instance: DecompositionInstance) -> None:
    if not instance.nodes:
        raise InstanceError("nodes = []: must hold at least one node")
    _distinct((node.name for node in instance.nodes), "nodes", "name")
    for index, node in enumerate(instance.nodes):
        where = f"nodes[{index}]"
        if node.kind not in ("device", "ap"):
            raise fail(f"{where}.kind", node.kind, "must be device or ap")
        _number(f"{where}.parameters", node.parameters, "parameters", LEAST, MOST, zero=True)
        _number(f"{where}.flop_per_s", node.flop_per_s, "FLOP/s", LEAST, MOST)
        _number(f"{where}.bandwidth_byte_per_s", node.bandwidth_byte_per_s, "byte/s", LEAST, MOST)
        _number(f"{where}.capability", node.capability, "logit", -MOST_LOGIT, MOST_LOGIT)
        _whole(f"{where}.slots", node.slots, "slots", 1)


def _validate_links(instance: DecompositionInstance) -> None:
    _distinct((channel.name for channel in instance.channels), "channels", "name")
    for index, channel in enumerate(instance.channels):
        if channel.access not in ("scheduled", "contention"):
            raise fail(f"channels[{index}].access", channel.access, "must be scheduled or contention")
    names = {node.name: None for node in instance.nodes}
    channels = [channel.name for channel in instance.channels]
    seen: dict[frozenset[str], int] = {}
    for index, link in enumerate(instance.links):
        where = f"links[{index}]"
        for field in ("a", "b"):
            _known(f"{where}.{field}", getattr(link, field), names, "node")
        if link.a == link.b:
            raise fail(f"{where}.b", link.b, "must be another node than a")
        pair = frozenset((link.a, link.b))
        if pair in seen:
            raise fail(
                where, f"{link.a} - {link.b}", f"is already links[{seen[pair]}]; a link works in both directions"
            )
        seen[pair] = index
        if link.channel is not None:
            _known(f"{where}.channel", link.channel, channels, "channel")
        _number(f"{where}.rate_bit_per_s", link.rate_bit_per_s, "bit/s", LEAST, MOST)
        _number(f"{where}.overhead_s", link.overhead_s, "s", 0, MOST)
        _whole(f"{where}.frame_bytes", link.frame_bytes, "byte", 1)
        for field, seconds in (("overhead_s", link.overhead_s), ("rate_bit_per_s", 8 / link.rate_bit_per_s)):
            if seconds > MOST_LINK_TICKS * instance.tick_s:
                mend = f"a frame or a byte takes more than 2^30 ticks of {instance.tick_s:g} s; check the units"
                raise fail(f"{where}.{field}", getattr(link, field), mend)


def _validate_task(instance: DecompositionInstance, task: Task, where: str, reached: Mapping[str, set[str]]) -> None:
    _known(f"{where}.device", task.device, reached, "node")
    most = float(MOST_TICKS * Fraction(instance.tick_s) / 4)
    _number(f"{where}.arrival_s", task.arrival_s, "s", 0, most)
    if task.deadline_s is not None:
        _number(f"{where}.deadline_s", task.deadline_s, "s", 0, most)
    elif instance.objective == "on-time":
        raise InstanceError(f"{where}.deadline_s is missing: the objective on-time counts deadlines (s)")
    if not task.modes:
        raise InstanceError(f"{where}.modes = []: must hold at least one mode")
    _distinct((mode.name for mode in task.modes), f"{where}.modes", "name")
    for index, mode in enumerate(task.modes):
        _validate_mode(instance, task, mode, f"{where}.modes[{index}]", reached)


def _validate_mode(
    instance: DecompositionInstance, task: Task, mode: Mode, where: str, reached: Mapping[str, set[str]]
) -> None:
    if not mode.steps:
        raise InstanceError(f"{where}.steps = []: must hold at least one step")
    _distinct((step.id for step in mode.steps), f"{where}.steps", "id")
    known = {step.id for step in mode.steps}
    for index, step in enumerate(mode.steps):
        at = f"{where}.steps[{index}]"
        for place, before in enumerate(step.after):
            _known(f"{at}.after[{place}]", before, [s.id for s in mode.steps], "step")
        _distinct(step.after, f"{at}.after", "id")
        _validate_step(instance, step, at, reached)
        if step.context is not None:
            if step.context.step not in step.after:
                raise fail(f"{at}.context.step", step.context.step, "must be one of the steps in after")
            if not 0 <= step.context.tokens <= step.input_tokens:
                mend = f"must be from 0 to input_tokens = {step.input_tokens} (tokens)"
                raise fail(f"{at}.context.tokens", step.context.tokens, mend)
            _number(f"{at}.context.logit", step.context.logit, "logit", -MOST_LOGIT, MOST_LOGIT)
    if topological(mode.steps) is None:
        raise InstanceError(
            f"{where}.steps: the steps wait for each other in a circle: {' -> '.join(cycle(mode.steps))}"
        )
    if mode.aggregator is not None:
        _known(f"{where}.aggregator", mode.aggregator, sorted(known), "step")
        if mode.steps[sinks(mode.steps)[0]].id != mode.aggregator or len(sinks(mode.steps)) > 1:
            raise fail(f"{where}.aggregator", mode.aggregator, "must be the one step that nothing comes after")
    _validate_reach(instance, task, mode, where, reached)


def _validate_step(instance: DecompositionInstance, step: Step, at: str, reached: Mapping[str, set[str]]) -> None:
    for field, unit in (
        ("input_tokens", "tokens"), ("output_tokens", "tokens"), ("input_bytes", "byte"), ("output_bytes", "byte"),
    ):  # fmt: skip
        _whole(f"{at}.{field}", getattr(step, field), unit)
    _number(f"{at}.difficulty", step.difficulty, "logit", -MOST_LOGIT, MOST_LOGIT)
    _number(f"{at}.weight", step.weight, "no unit", 1e-6, 1e6)
    if step.nodes is not None:
        if not step.nodes:
            raise fail(f"{at}.nodes", step.nodes, "no node may run the step; name some, or leave it out")
        _distinct(step.nodes, f"{at}.nodes", "name")
        for place, name in enumerate(step.nodes):
            _known(f"{at}.nodes[{place}]", name, reached, "node")
    actual = step.actual
    if actual is not None:
        if actual.output_tokens is not None:
            _whole(f"{at}.actual.output_tokens", actual.output_tokens, "tokens")
        if actual.difficulty is not None:
            _number(f"{at}.actual.difficulty", actual.difficulty, "logit", -MOST_LOGIT, MOST_LOGIT)
    most = float(MOST_TICKS * Fraction(instance.tick_s) / 2**6)
    for owner, name in ((step, at), *([(actual, f"{at}.actual")] if actual is not None else [])):
        for field, unit, top in (("correctness", "fraction", 1.0), ("time_s", "s", most)):
            for node, value in (getattr(owner, field) or {}).items():
                _known(f"{name}.{field}", node, reached, "node")
                _number(f"{name}.{field}[{node!r}]", value, unit, 0, top)


def _validate_reach(
    instance: DecompositionInstance, task: Task, mode: Mode, where: str, reached: Mapping[str, set[str]]
) -> None:
    """Each node named for a step can be reached, by the steps before and after it and by the device."""
    order = {node.name: index for index, node in enumerate(instance.nodes)}
    own = [allowed(step, task.device, reached, order) for step in mode.steps]
    place = {step.id: index for index, step in enumerate(mode.steps)}
    last = set(sinks(mode.steps))
    edges = [(place[before], index) for index, step in enumerate(mode.steps) for before in step.after]
    slowest = MOST_TICKS * instance.tick_s / 2**6
    for index, step in enumerate(mode.steps):
        at = f"{where}.steps[{index}]"
        beside = [own[a] for a, b in edges if b == index] + [own[b] for a, b in edges if a == index]
        beside += [[task.device]] if not step.after or index in last else []
        for name in own[index]:
            if not all(any(other in reached[name] for other in names) for names in beside):
                mend = f"cannot be reached: it has no link to {task.device} or to where the steps beside it may run"
                raise fail(f"{at}.nodes", name, f"{mend}; add a link, or leave the node out")
            node = instance.nodes[order[name]]
            if name not in (step.time_s or {}):
                tokens = max(step.output_tokens, (step.actual.output_tokens if step.actual else 0) or 0)
                work = step.input_tokens / node.flop_per_s + tokens / node.bandwidth_byte_per_s
                if 2 * node.parameters * work > slowest:
                    text = f"{2 * node.parameters * work:g} (s) on {name}: must be at most {slowest:g}; check the units"
                    raise InstanceError(f"{at} takes {text}")
