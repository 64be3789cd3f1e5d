"""What a planner is, what a plan is, and how a plan becomes a mode of a task."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import msgspec

from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition.graph import cycle, sinks, topological
from edgeopt.instances.decomposition.instance import Mode, Step
from edgeopt.instances.decomposition.validate import MOST_COUNT, MOST_LOGIT

BYTES_A_TOKEN = 4


class PlannedStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A subtask as a planner sees it.

    Attributes
    ----------
    id : str
    text : str
        What is to be done.
    after : list of str
        Steps that it needs the output of.
    difficulty : float
        Estimate, a logit.
    output_tokens : int
        Estimate, >= 0.
    """

    id: str
    text: str
    after: list[str]
    difficulty: float
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Subtasks of a task.

    Parameters
    ----------
    steps : tuple of PlannedStep
        At least one.

    Raises
    ------
    InstanceError
        If steps share a name, wait for unknown ones or for each other (the circle is named), or a number is none.
    """

    steps: tuple[PlannedStep, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise InstanceError("plan: steps = []: must hold at least one step")
        names = [step.id for step in self.steps]
        for index, step in enumerate(self.steps):
            where = f"plan: steps[{index}]"
            if not step.id or names.index(step.id) != index:
                raise InstanceError(f"{where}.id = {step.id!r}: must not be empty or taken by another step")
            for before in step.after:
                if before not in names:
                    raise InstanceError(f"{where}.after = {before!r}: no such step; there are: {', '.join(names)}")
            if len(set(step.after)) < len(step.after):
                raise InstanceError(f"{where}.after = {step.after!r}: names a step twice")
            if not math.isfinite(step.difficulty) or abs(step.difficulty) > MOST_LOGIT:
                mend = f"must be a number from {-MOST_LOGIT:g} to {MOST_LOGIT:g} (logit)"
                raise InstanceError(f"{where}.difficulty = {step.difficulty}: {mend}")
            if not 0 <= step.output_tokens <= MOST_COUNT:
                mend = f"must be a whole number from 0 to {MOST_COUNT} (tokens)"
                raise InstanceError(f"{where}.output_tokens = {step.output_tokens}: {mend}")
        plain = [Step(step.id, after=list(step.after)) for step in self.steps]
        if topological(plain) is None:
            raise InstanceError(f"plan: the steps wait for each other in a circle: {' -> '.join(cycle(plain))}")


class Planner(Protocol):
    """Anything that plans tasks."""

    def plan(self, text: str) -> Plan:
        """The steps of a task in words.

        Raises
        ------
        InstanceError
            If there is no plan for it, or what came back is none.
        """
        ...


def mode_of(
    plan: Plan,
    *,
    name: str = "planned",
    prompt_tokens: int = 0,
    aggregator: PlannedStep | None = None,
    bytes_a_token: int = BYTES_A_TOKEN,
) -> Mode:
    """A plan as a mode of a task.

    Parameters
    ----------
    plan : Plan
    name : str
        Of the mode.
    prompt_tokens : int
        Tokens of the task itself, which every step reads, besides what the steps before it wrote.
    aggregator : PlannedStep, optional
        A further step that merges the outputs of all that nothing comes after; its `after` is ignored.
    bytes_a_token : int
        Of payloads.

    Raises
    ------
    InstanceError
        If the aggregator has the name of a step.
    """
    own = [Step(step.id, after=list(step.after)) for step in plan.steps]
    last = [plan.steps[index].id for index in sinks(own)]
    steps = list(plan.steps)
    if aggregator is not None:
        steps.append(msgspec.structs.replace(aggregator, after=last))
        Plan(tuple(steps))
    tokens = {step.id: step.output_tokens for step in steps}
    return Mode(
        name,
        [
            Step(
                step.id,
                input_tokens=prompt_tokens + sum(tokens[before] for before in step.after),
                output_tokens=step.output_tokens,
                difficulty=step.difficulty,
                after=list(step.after),
                input_bytes=0 if step.after else bytes_a_token * prompt_tokens,
                output_bytes=bytes_a_token * step.output_tokens,
            )
            for step in steps
        ],
        aggregator=None if aggregator is None else aggregator.id,
    )
