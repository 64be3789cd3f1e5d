"""The decomposition problem in physical units: tasks, the steps they may be split into, nodes and radio links."""

from __future__ import annotations

import hashlib
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

import msgspec
from msgspec import Meta

from edgeopt.errors import InstanceError

if TYPE_CHECKING:
    from edgeopt.instances.decomposition.compiled import CompiledDecomposition

Kind = Literal["device", "ap"]
Access = Literal["scheduled", "contention"]
Aggregation = Literal["product", "mean"]
Objective = Literal["reward", "latency", "on-time"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
AGGREGATIONS: tuple[Aggregation, ...] = get_args(Aggregation)


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A user device or an access point with its model.

    Parameters
    ----------
    name : str
    kind : {"device", "ap"}
    parameters : float
        Parameters ``P_v`` of its model, >= 0.
    flop_per_s : float
        Compute rate ``F_v`` (FLOP/s), > 0.
    bandwidth_byte_per_s : float
        Memory bandwidth ``A_v`` (byte/s), > 0.
    capability : float
        What ``difficulty`` of a step is compared with (logit).
    slots : int
        Steps ``c_v`` that run side by side, each at full speed, >= 1.
    """

    name: str
    kind: Kind
    parameters: Annotated[float, Meta(description="of the model, a count")]
    flop_per_s: Annotated[float, Meta(description="FLOP/s")]
    bandwidth_byte_per_s: Annotated[float, Meta(description="byte/s")]
    capability: Annotated[float, Meta(description="logit; compared with the difficulty of a step")] = 0.0
    slots: Annotated[int, Meta(description="steps side by side, each at full speed")] = 1


class Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A collision domain.

    Parameters
    ----------
    name : str
    access : {"scheduled", "contention"}
        ``scheduled``: one transmission at a time. ``contention``: the overhead of its links already holds the mean
        access delay, and transmissions do not exclude each other, so that contention is not counted twice.
    """

    name: str
    access: Annotated[Access, Meta(description="scheduled: one at a time; contention: delay within overhead_s")] = (
        "scheduled"
    )


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Two nodes that reach each other, in both directions.

    Parameters
    ----------
    a, b : str
        Names of the nodes.
    rate_bit_per_s : float
        Data rate (bit/s), > 0.
    overhead_s : float
        Time of a frame beside its payload: preamble, RTS, CTS, SIFS, DIFS, ACK, access (s), >= 0.
    frame_bytes : int
        Most payload of a frame (byte), >= 1; a payload takes as many frames as it needs.
    channel : str or None
        The collision domain; None for a link that shares nothing, such as a wire.
    """

    a: str
    b: str
    rate_bit_per_s: Annotated[float, Meta(description="bit/s")]
    overhead_s: Annotated[float, Meta(description="time of a frame beside its payload, s")] = 0.0
    frame_bytes: Annotated[int, Meta(description="most payload of a frame, byte")] = 65535
    channel: Annotated[str | None, Meta(description="collision domain; null: shares nothing")] = None


class Context(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a step saves where it runs on the node of an earlier step of its task (shared context).

    Parameters
    ----------
    step : str
        One of the steps that it comes after.
    tokens : int
        Input tokens that need not be read again, from 0 to the step's own.
    logit : float
        Added to the logit of its correctness (ignored where a table gives the correctness).
    """

    step: str
    tokens: Annotated[int, Meta(description="input tokens saved")] = 0
    logit: Annotated[float, Meta(description="added to the logit of the correctness")] = 0.0


class Actual(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What turned out to be so of a step that a planner had estimated; absent fields were as estimated."""

    output_tokens: Annotated[int | None, Meta(description="tokens")] = None
    difficulty: Annotated[float | None, Meta(description="logit")] = None
    correctness: Annotated[dict[str, float] | None, Meta(description="by node, 0 to 1")] = None
    time_s: Annotated[dict[str, float] | None, Meta(description="execution time by node, s")] = None


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A subtask ``q`` of a mode.

    Parameters
    ----------
    id : str
    input_tokens, output_tokens : int
        ``n_in`` and ``n_out``, >= 0.
    difficulty : float
        Logit: the step is right on node ``v`` with probability ``logistic(capability_v - difficulty)``.
    after : list of str
        Steps of the mode that it needs the output of.
    input_bytes : int
        What the device sends to a step that comes after none (byte).
    output_bytes : int
        What is sent to each step that comes after it, or back to the device (byte).
    weight : float
        In the aggregation ``mean``, > 0.
    nodes : list of str or None
        Where it may run; None: on its own device and on every node that the device has a link to.
    correctness, time_s : dict or None
        Given by node, in place of the formulas; a node that is missing there has that of the formula.
    context : Context or None
    actual : Actual or None
        What turned out to be so.
    """

    id: str
    input_tokens: Annotated[int, Meta(description="tokens")] = 0
    output_tokens: Annotated[int, Meta(description="tokens")] = 0
    difficulty: Annotated[float, Meta(description="logit")] = 0.0
    after: list[str] = []
    input_bytes: Annotated[int, Meta(description="sent by the device to a step that comes after none, byte")] = 0
    output_bytes: Annotated[int, Meta(description="sent to each step after it, or to the device, byte")] = 0
    weight: Annotated[float, Meta(description="in the aggregation mean")] = 1.0
    nodes: Annotated[list[str] | None, Meta(description="where it may run; null: the device and what it reaches")] = (
        None
    )
    correctness: Annotated[dict[str, float] | None, Meta(description="by node, 0 to 1")] = None
    time_s: Annotated[dict[str, float] | None, Meta(description="execution time by node, s")] = None
    context: Context | None = None
    actual: Actual | None = None


class Mode(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A way to do a task: its steps, one for a task that is not decomposed.

    Parameters
    ----------
    name : str
    steps : list of Step
    aggregator : str or None
        The step that merges the results; nothing comes after it.
    """

    name: str
    steps: list[Step]
    aggregator: Annotated[str | None, Meta(description="the step that merges the results")] = None


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A task of a user.

    Parameters
    ----------
    id : str
    device : str
        Where it arises and where its result must arrive.
    modes : list of Mode
        Of which exactly one is taken.
    arrival_s : float
        >= 0 (s).
    deadline_s : float or None
        From the arrival (s). A limit, except in the objective ``on-time``, which counts who keeps it.
    text : str
        The task in words, for planners.
    """

    id: str
    device: str
    modes: list[Mode]
    arrival_s: Annotated[float, Meta(description="s")] = 0.0
    deadline_s: Annotated[float | None, Meta(description="from the arrival, s; null for none")] = None
    text: Annotated[str, Meta(description="the task in words")] = ""


@dataclass(frozen=True, eq=False)
class DecompositionInstance:
    """Tasks, nodes and links; validated on construction.

    Every task is done in one of its modes; every step of it on one node; outputs travel over links. The objective is
    ``reward``: the sum over tasks of ``w_a correctness - w_d latency`` (maximised); ``latency``: its sum (minimised),
    the mean correctness being at least a floor; ``on-time``: the number of tasks that keep their deadline (maximised).

    Parameters
    ----------
    name : str
    nodes : tuple of Node
    tasks : tuple of Task
    channels : tuple of Channel
    links : tuple of Link
    objective : {"reward", "latency", "on-time"}
    accuracy_weight, delay_weight_per_s : float
        ``w_a`` (no unit) and ``w_d`` (1/s), >= 0.
    correctness_floor : float
        Least mean correctness over the tasks, 0 to 1; in the objective ``latency`` only.
    aggregation : {"product", "mean"}
        Correctness of a task from that of its steps.
    tick_s : float
        Unit of the time grid (s), see `edgeopt.instances.decomposition.compiled`.
    source : str
        Where the instance comes from, in words.

    Raises
    ------
    InstanceError
        Naming field, value and unit of the first thing that is wrong.
    """

    problem: ClassVar[str] = "decomposition"

    name: str
    nodes: tuple[Node, ...]
    tasks: tuple[Task, ...]
    channels: tuple[Channel, ...] = ()
    links: tuple[Link, ...] = ()
    objective: Objective = "reward"
    accuracy_weight: float = 1.0
    delay_weight_per_s: float = 0.01
    correctness_floor: float = 0.0
    aggregation: Aggregation = "product"
    tick_s: float = 1e-4
    source: str = ""

    def __post_init__(self) -> None:
        for field, kind in (("nodes", Node), ("tasks", Task), ("channels", Channel), ("links", Link)):
            object.__setattr__(self, field, _plain(field, getattr(self, field), kind))
        for field in ("accuracy_weight", "delay_weight_per_s", "correctness_floor", "tick_s"):
            number = getattr(self, field)
            if isinstance(number, numbers.Real) and not isinstance(number, bool):
                object.__setattr__(self, field, float(number))
        from edgeopt.instances.decomposition.validate import validate

        validate(self)

    @property
    def sense(self) -> str:
        """``min`` for the objective ``latency``, else ``max``."""
        return "min" if self.objective == "latency" else "max"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content; the same for every file form of the same instance."""
        from edgeopt.instances.decomposition.file import canonical

        return hashlib.sha256(canonical(self)).hexdigest()

    @cached_property
    def compiled(self) -> CompiledDecomposition:
        """The problem in scaled integers, which is the problem for every solver and model."""
        from edgeopt.instances.decomposition.compiled import compile_decomposition

        return compile_decomposition(self)


def _plain(field: str, rows: Sequence[Any], kind: type[Any]) -> tuple[Any, ...]:
    """The rows with numbers of the declared types, as a file has them."""
    try:
        found = msgspec.convert(msgspec.to_builtins(list(rows), enc_hook=_number), list[kind])  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        raise InstanceError(f"{field}{path.rstrip('`')}: {text}") from error
    return tuple(found)


def _number(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()  # a number of numpy
    raise NotImplementedError
