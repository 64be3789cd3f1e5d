"""A result as a file: versioned JSON with the solution and the claims of the solver that found it."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from edgeopt.errors import InstanceError
from edgeopt.instances.base import Instance, digits_of, problem, sense_of
from edgeopt.instances.io import decode_json, read_bytes, write_bytes
from edgeopt.result import BoundEvidence, Result, Termination, ValueEvidence

VERSION = 1
"""Version of the file format; a reader refuses files of a later one."""


class _Kind(msgspec.Struct):
    edgeopt: Any = None


class ResultHeader(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Everything but the solution."""

    edgeopt: Literal["result"]
    version: int
    problem: str
    instance: str
    digest: Annotated[str, Meta(description="SHA-256 of the instance's content")]
    solver: str
    value: int | float | None
    value_evidence: ValueEvidence | None
    bound: int | float | None
    bound_evidence: BoundEvidence | None
    termination: Termination
    seconds: Annotated[float, Meta(description="wall-clock time of the solver, s")]
    options: dict[str, Any] = {}
    effort: dict[str, int | float] = {}
    message: str = ""
    guarantee: Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,99}(/[1-9][0-9]{0,99})?)$")] | None = None


class ResultFile(ResultHeader, kw_only=True):
    """A result as the file says it."""

    solution: Any


def write_result(instance: Instance, result: Result, path: str | os.PathLike[str]) -> None:
    """Write a result of an instance; the file appears whole or not at all.

    Raises
    ------
    InstanceError
        If the name does not end in ``.json`` or ``.json.gz``, or the file cannot be written.
    """
    name = os.fspath(path)
    if not name.endswith((".json", ".json.gz")):
        raise InstanceError(f"{name}: the ending of a result must be .json or .json.gz")
    family = problem(result.problem)
    header = ResultHeader(
        edgeopt="result",
        version=VERSION,
        problem=result.problem,
        instance=result.instance,
        digest=result.digest,
        solver=result.solver,
        value=result.value,
        value_evidence=result.value_evidence,
        bound=result.bound,
        bound_evidence=result.bound_evidence,
        termination=result.termination,
        seconds=result.seconds,
        options=dict(result.options),
        effort=dict(result.effort),
        message=result.message,
        guarantee=result.guarantee,
    )
    solution = None if result.solution is None else family.encode_solution(instance, result.solution)
    head = msgspec.json.format(msgspec.json.encode(header, enc_hook=_plain), indent=1)
    write_bytes(head[:-2] + b',\n "solution": ' + msgspec.json.encode(solution, enc_hook=_plain) + b"\n}\n", path)


def _plain(value: Any) -> Any:
    """A number of numpy as Python's; an option that JSON does not know in words."""
    return value.item() if hasattr(value, "item") else str(value)


def read_result(instance: Instance, path: str | os.PathLike[str]) -> Result:
    """Read a result of an instance.

    Its numbers are what the file says, so they are labelled ``claimed`` whatever the label in the file;
    `edgeopt.certify` finds out what is so. Nor is the digest compared: a result can be tried on a changed instance.

    Raises
    ------
    InstanceError
        If the file is no result of this problem, or its solution does not fit the instance; names file,
        field and value.
    """
    where = os.fspath(path)
    data = read_bytes(path)
    try:
        kind = msgspec.json.decode(data, type=_Kind).edgeopt
    except msgspec.DecodeError:  # `decode_json` says better what is wrong
        kind = "result"
    if kind != "result":
        raise InstanceError(f"{where}: edgeopt = {kind!r}: a result has 'result' there; swap the files?")
    content = decode_json(data, ResultFile, where)
    if content.problem != instance.problem:
        raise InstanceError(f"{where}: problem = {content.problem!r}: the instance is one of {instance.problem!r}")
    family = problem(content.problem)
    solution = None if content.solution is None else family.decode_solution(instance, content.solution, where)
    return Result(
        problem=content.problem,
        instance=content.instance,
        digest=content.digest,
        solver=content.solver,
        sense=sense_of(instance),
        solution=solution,
        value=content.value,
        value_evidence=None if content.value is None else ValueEvidence.CLAIMED,
        bound=content.bound,
        bound_evidence=None if content.bound is None else BoundEvidence.CLAIMED,
        termination=content.termination,
        seconds=content.seconds,
        effort=content.effort,
        options=content.options,
        message=content.message,
        guarantee=content.guarantee,
        digits=digits_of(instance),
    )
