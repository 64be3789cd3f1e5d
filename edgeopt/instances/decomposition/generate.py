"""Decomposition instances from a seed: devices and access points in a room, Poisson arrivals, planned tasks.

Draws come from numpy's PCG64, whose stream is the same on every machine; every float is rounded to six significant
digits, so that the last bit of a machine's logarithm does not reach the file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import msgspec
import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition.instance import (
    OBJECTIVES,
    Access,
    Actual,
    Aggregation,
    Channel,
    Context,
    DecompositionInstance,
    Link,
    Mode,
    Node,
    Objective,
    Step,
    Task,
)
from edgeopt.system.wifi import contended, mcs_at, scheduled, tgax_loss_db

Shape = Literal["parallel", "chain", "mixed"]
ROOM_M, WALL_M = 50.0, 12.5
"""Side of the square room, and the distance between its inner walls: one about every so many metres."""
AP_MODELS = ((7e9, 1.6), (14e9, 2.2), (32e9, 2.8))
"""Parameters and capability (logit) of the models of access points; with the difficulties below whole tasks are right
about as often as the paper reports: hardly ever on a device, in one case of four at the edge."""
DEVICE_MODEL = (1.5e9, 0.0)
AP_FLOP_PER_S, AP_BYTE_PER_S = (120e12, 312e12), (0.6e12, 2e12)
DEVICE_FLOP_PER_S, DEVICE_BYTE_PER_S = (20e12, 48e12), (0.2e12, 0.4e12)
"""Ranges of the paper's setting."""
SENT_DBM = 20.0
BYTES_A_TOKEN = 4
PROMPT_TOKENS = (200, 800)
WIRE_BIT_PER_S, WIRE_S = 1e9, 1e-4
"""Access points are wired to each other: rate, and delay of a frame (s)."""
MOST_TASKS, MOST_STEPS = 100_000, 64


def generate(
    *,
    seed: int = 0,
    aps: int = 4,
    devices: int = 7,
    tasks: int | None = None,
    rate_per_s: float = 0.1,
    duration_s: float = 600.0,
    steps: tuple[int, int] = (2, 5),
    shape: Shape = "mixed",
    tokens: tuple[int, int] = (150, 600),
    difficulty: tuple[float, float] = (1.8, 4.8),
    access: Access = "scheduled",
    objective: Objective = "reward",
    aggregation: Aggregation = "product",
    accuracy_weight: float = 1.0,
    delay_weight_per_s: float = 0.01,
    correctness_floor: float = 0.0,
    deadline_s: tuple[float, float] | None = None,
    context: bool = False,
    uncertainty: float = 0.0,
    slots: int = 1,
    tick_s: float = 1e-4,
    corner: str | None = None,
    name: str | None = None,
) -> DecompositionInstance:
    """Make a decomposition instance in the paper's indoor setting.

    Parameters
    ----------
    seed : int
        Seed of everything random.
    aps, devices : int
        Access points and user devices, uniform in a room of 50 m x 50 m with inner walls.
    tasks : int, optional
        Number of tasks; without it the Poisson process decides within the duration.
    rate_per_s, duration_s : float
        Arrivals of all devices together (1/s), and for how long (s).
    steps : (int, int)
        Least and largest number of subtasks of a decomposed task, an aggregator not counted.
    shape : {"parallel", "chain", "mixed"}
        Subtasks side by side before the aggregator, one after the other, or layers of both.
    tokens : (int, int)
        Output tokens of a whole task, uniform between.
    difficulty : (float, float)
        Logit of a whole task; its subtasks are easier.
    access : {"scheduled", "contention"}
        Trigger-based, one transmission at a time, or the mean access delay of the distributed function.
    objective : {"reward", "latency", "on-time"}
        What is optimised.
    aggregation : {"product", "mean"}
        Correctness of a task from that of its steps.
    accuracy_weight, delay_weight_per_s : float
        Weights of the reward: of correctness, and of a second.
    correctness_floor : float
        Least mean correctness, in the objective latency.
    deadline_s : (float, float), optional
        Least and largest deadline (s); no deadlines without it, 10 to 40 s for the objective on-time.
    context : bool
        Whether a step that shares the node of the one before it reads less and is more often right.
    uncertainty : float
        How far the realised difficulty (logit) and tokens (logarithm) are from the estimates, standard deviation; 0
        for no realised values.
    slots : int
        Steps that an access point runs side by side.
    tick_s : float
        Unit of the time grid (s).
    corner : str, optional
        One of `CORNERS`: an adversarial change of the drawn instance.
    name : str, optional
        Of the instance.

    Raises
    ------
    InstanceError
        If an option is out of range.
    """
    _check(
        seed, aps, devices, tasks, rate_per_s, duration_s, steps, shape, tokens, difficulty, access, objective,
        deadline_s, uncertainty, corner,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    nodes = _nodes(rng, aps, devices, slots)
    channels, links = _links(rng, nodes, access)
    if objective == "on-time" and deadline_s is None:
        deadline_s = (10.0, 40.0)
    arrivals = _arrivals(rng, tasks, rate_per_s, duration_s)
    made = [
        _task(rng, index, arrival, devices, steps, shape, tokens, difficulty, deadline_s, context, uncertainty)
        for index, arrival in enumerate(arrivals)
    ]
    drawn = DecompositionInstance(
        name=name or f"{'-'.join(filter(None, [objective, corner]))}-{aps}x{devices}-{len(made)}-seed{seed}",
        nodes=tuple(nodes),
        channels=tuple(channels),
        links=tuple(links),
        tasks=tuple(made),
        objective=objective,
        accuracy_weight=accuracy_weight,
        delay_weight_per_s=delay_weight_per_s,
        correctness_floor=correctness_floor,
        aggregation=aggregation,
        tick_s=tick_s,
        source=f"edgeopt generate decomposition, seed {seed}",
    )
    return CORNERS[corner](drawn) if corner else drawn


def _require(good: bool, text: str) -> None:
    if not good:
        raise InstanceError(f"generate decomposition: {text}")


def _check(
    seed: int, aps: int, devices: int, tasks: int | None, rate_per_s: float, duration_s: float, steps: tuple[int, int],
    shape: str, tokens: tuple[int, int], difficulty: tuple[float, float], access: str, objective: str,
    deadline_s: tuple[float, float] | None, uncertainty: float, corner: str | None,
) -> None:  # fmt: skip
    _require(seed >= 0, f"seed = {seed}: must be 0 or more")
    _require(0 <= aps <= 1000, f"aps = {aps}: must be from 0 to 1000")
    _require(1 <= devices <= 1000, f"devices = {devices}: must be from 1 to 1000")
    _require(tasks is None or 0 <= tasks <= MOST_TASKS, f"tasks = {tasks}: must be from 0 to {MOST_TASKS}")
    _require(0 < rate_per_s <= 1e6, f"rate_per_s = {rate_per_s} (1/s): must be above 0, at most 1e6")
    good = 0 < duration_s <= 1e6 and rate_per_s * duration_s <= MOST_TASKS
    _require(good, f"duration_s = {duration_s} (s): must be above 0, at most 1e6, and at most {MOST_TASKS} arrivals")
    _require(1 <= steps[0] <= steps[1] <= MOST_STEPS, f"steps = {steps}: must be 1 <= least <= largest <= {MOST_STEPS}")
    _require(shape in ("parallel", "chain", "mixed"), f"shape = {shape!r}: must be parallel, chain or mixed")
    _require(1 <= tokens[0] <= tokens[1] <= 10**6, f"tokens = {tokens}: must be 1 <= least <= largest <= 1e6")
    good = -20 <= difficulty[0] <= difficulty[1] <= 20
    _require(good, f"difficulty = {difficulty} (logit): must be -20 <= least <= largest <= 20")
    _require(access in ("scheduled", "contention"), f"access = {access!r}: must be scheduled or contention")
    _require(objective in OBJECTIVES, f"objective = {objective!r}: must be one of {', '.join(OBJECTIVES)}")
    if deadline_s is not None:
        good = 0 < deadline_s[0] <= deadline_s[1] <= 1e6
        _require(good, f"deadline_s = {deadline_s} (s): must be 0 < least <= largest <= 1e6")
    _require(0 <= uncertainty <= 5, f"uncertainty = {uncertainty}: must be from 0 to 5")
    _require(corner is None or corner in CORNERS, f"corner = {corner!r}: must be one of {', '.join(CORNERS)}")


def _digits(value: float) -> float:
    """Six significant digits, so that files are short and the same on every machine."""
    return float(f"{value:.5e}")


def _nodes(rng: np.random.Generator, aps: int, devices: int, slots: int) -> list[Node]:
    found = []
    for index in range(aps):
        parameters, capability = AP_MODELS[index % len(AP_MODELS)]
        found.append(
            Node(
                f"ap{index}", "ap", parameters, _digits(rng.uniform(*AP_FLOP_PER_S)),
                _digits(rng.uniform(*AP_BYTE_PER_S)), capability, slots,
            )
        )  # fmt: skip
    for index in range(devices):
        parameters, capability = DEVICE_MODEL
        found.append(
            Node(
                f"ue{index}", "device", parameters, _digits(rng.uniform(*DEVICE_FLOP_PER_S)),
                _digits(rng.uniform(*DEVICE_BYTE_PER_S)), capability,
            )
        )  # fmt: skip
    return found


def _links(rng: np.random.Generator, nodes: Sequence[Node], access: Access) -> tuple[list[Channel], list[Link]]:
    """One collision domain for the room; access points that a device cannot hear have no link to it."""
    place = rng.uniform(0, ROOM_M, (len(nodes), 2))
    aps = [index for index, node in enumerate(nodes) if node.kind == "ap"]
    devices = [index for index, node in enumerate(nodes) if node.kind == "device"]
    stations = len(nodes)
    links = []
    for device in devices:
        for ap in aps:
            between = place[device] - place[ap]
            distance = max(1.0, float(np.hypot(*between)))
            walls = int(np.abs(np.floor(place[device] / WALL_M) - np.floor(place[ap] / WALL_M)).sum())
            mcs = mcs_at(SENT_DBM - float(tgax_loss_db(distance, walls=walls, scenario="enterprise")))
            if mcs is None:
                continue
            exchange = scheduled(mcs) if access == "scheduled" else contended(stations, mcs)
            links.append(
                Link(
                    nodes[device].name, nodes[ap].name, _digits(exchange.rate_bit_per_s), _digits(exchange.overhead_s),
                    exchange.frame_bytes, "room",
                )
            )  # fmt: skip
    links += [Link(nodes[a].name, nodes[b].name, WIRE_BIT_PER_S, WIRE_S) for a in aps for b in aps if a < b]
    return ([Channel("room", access)] if devices and aps else []), links


def _arrivals(rng: np.random.Generator, tasks: int | None, rate_per_s: float, duration_s: float) -> list[float]:
    if tasks is not None:
        return [_digits(value) for value in np.cumsum(rng.exponential(1 / rate_per_s, tasks)).tolist()]
    found: list[float] = []
    now = 0.0
    while True:
        now += float(rng.exponential(1 / rate_per_s))
        if now > duration_s:
            return found
        found.append(_digits(now))


def _task(
    rng: np.random.Generator, index: int, arrival: float, devices: int, steps: tuple[int, int], shape: Shape,
    tokens: tuple[int, int], difficulty: tuple[float, float], deadline_s: tuple[float, float] | None, context: bool,
    uncertainty: float,
) -> Task:  # fmt: skip
    """A task as a whole and decomposed: the pieces are easier, and shorter together they are longer than the whole."""
    prompt = int(rng.integers(PROMPT_TOKENS[0], PROMPT_TOKENS[1] + 1))
    output = int(rng.integers(tokens[0], tokens[1] + 1))
    hard = float(rng.uniform(*difficulty))
    whole = Step(
        "whole", prompt, output, _digits(hard), input_bytes=BYTES_A_TOKEN * prompt, output_bytes=BYTES_A_TOKEN * output
    )
    count = int(rng.integers(steps[0], steps[1] + 1))
    pieces = _pieces(rng, count, shape, prompt, output, hard, context)
    modes = [Mode("whole", [_realised(rng, whole, uncertainty)])]
    modes.append(Mode("decomposed", [_realised(rng, step, uncertainty) for step in pieces], aggregator="merge"))
    return Task(
        f"t{index}",
        f"ue{int(rng.integers(devices))}",
        modes,
        arrival,
        None if deadline_s is None else _digits(float(rng.uniform(*deadline_s))),
    )


def _pieces(
    rng: np.random.Generator, count: int, shape: Shape, prompt: int, output: int, hard: float, context: bool
) -> list[Step]:
    share = rng.dirichlet(np.full(count, 4.0)) * 1.1 * output
    own = [max(1, round(value)) for value in share.tolist()]
    after: list[list[int]] = []
    for place in range(count):
        if shape == "parallel" or place == 0:
            after.append([])
        elif shape == "chain":
            after.append([place - 1])
        else:  # each waits for the one before it, for an earlier one, or for none
            pick = int(rng.integers(-1, place))
            after.append([] if pick < 0 else [pick])
    pieces = []
    for place in range(count):
        before = [own[other] for other in after[place]]
        reads = prompt // 2 + sum(before)
        easier = hard - 1.2 - 0.3 * count + float(rng.normal(0, 0.6))
        link = None
        if context and after[place]:
            link = Context(f"s{after[place][0]}", tokens=reads // 2, logit=0.3)
        pieces.append(
            Step(
                f"s{place}", reads, own[place], _digits(easier), [f"s{other}" for other in after[place]],
                input_bytes=0 if after[place] else BYTES_A_TOKEN * (prompt // 2),
                output_bytes=BYTES_A_TOKEN * own[place], context=link,
            )
        )  # fmt: skip
    needed = {other for names in after for other in names}
    last = [place for place in range(count) if place not in needed]
    merged = sum(own[place] for place in last)
    size = max(1, output // 6)
    pieces.append(
        Step(
            "merge", prompt // 2 + merged, size, _digits(hard - 3.5), [f"s{place}" for place in last],
            output_bytes=BYTES_A_TOKEN * size,
        )
    )  # fmt: skip
    return pieces


def _realised(rng: np.random.Generator, step: Step, uncertainty: float) -> Step:
    """The step with what it turns out to be: difficulty and tokens around the estimates."""
    if not uncertainty:
        return step
    noise = rng.normal(0, uncertainty, 2)
    tokens = max(1, round(step.output_tokens * math.exp(noise[0] / 2)))
    actual = Actual(output_tokens=tokens, difficulty=_digits(step.difficulty + float(noise[1])))
    return msgspec.structs.replace(step, actual=actual)


def _ties(instance: DecompositionInstance) -> DecompositionInstance:
    """All tasks are the first one, at one time on one device; all access points are the first one."""
    first = instance.tasks[0]
    tasks = tuple(msgspec.structs.replace(first, id=task.id) for task in instance.tasks)
    same = next(node for node in instance.nodes if node.kind == "ap")
    nodes = tuple(
        msgspec.structs.replace(same, name=node.name) if node.kind == "ap" else node for node in instance.nodes
    )
    return replace(instance, tasks=tasks, nodes=nodes)


def _burst(instance: DecompositionInstance) -> DecompositionInstance:
    """All tasks arrive at once."""
    return replace(instance, tasks=tuple(msgspec.structs.replace(task, arrival_s=0.0) for task in instance.tasks))


def _alone(instance: DecompositionInstance) -> DecompositionInstance:
    """No links: every task stays on its device."""
    return replace(instance, links=(), channels=())


def _slow_radio(instance: DecompositionInstance) -> DecompositionInstance:
    """The radio is the bottleneck: a thousandth of the rate."""
    links = tuple(
        msgspec.structs.replace(link, rate_bit_per_s=link.rate_bit_per_s / 1000, overhead_s=0.05)
        if link.channel
        else link
        for link in instance.links
    )
    return replace(instance, links=links)


CORNERS: Mapping[str, Callable[[DecompositionInstance], DecompositionInstance]] = {
    "ties": _ties,
    "burst": _burst,
    "alone": _alone,
    "slow-radio": _slow_radio,
}
"""Adversarial changes of a drawn instance."""
